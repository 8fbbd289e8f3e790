"""The first screen of the page: the result in a few sentences, by country, by region."""

from __future__ import annotations

from collections.abc import Sequence

from cocal.report.blocks import Block, Card, Column, Items, Text, sheet
from cocal.report.columns import ha, has, interval, region
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH, decimals_for
from cocal.report.places import TOTAL, Place, country_places, rows_of
from cocal.report.texts import Wording


def headline(content: ReportContent, t: Wording) -> list[Block]:
    """The result in a few sentences, by country, and by region."""
    places, countries = content.places[content.last], country_places(content)
    sure = has(places, "estimated_ha")
    columns = [
        region(t),
        *([ha(t, "estimated_short", "estimated_ha", "strong"), interval(places, t)] if sure else []),
        ha(t, "mapped_short", "mapped_ha"),
        Column(t("unobserved_headline"), lambda p: _unobserved(p, t)),
        *(ha(t, f"{n}_short", f"{n}_ha") for n in ("official", "field", "truth") if has(places, f"{n}_ha")),
    ]
    kind = "estimated" if sure else "mapped"
    caption = t(f"headline_caption_{kind}")
    used = sorted({(p.estimator, p.interval) for p in places if p.estimated_ha is not None and p.estimator})
    notes = [
        t("estimator_note", estimator=t.term("estimator", how), interval=t.term("interval", ends))
        for how, ends in used
    ]
    warned = (
        [t("warnings_note", n=t.number(n), section=t("accuracy_title"))]
        if (n := len(content.warnings))
        else []
    )
    beside = content.profile == "restricted" or content.geography == "regions"
    table = sheet(
        "headline", caption, columns, places,
        numbered=True, group=lambda p: t.country(p.country), look="scrolls first",
    )  # fmt: skip
    return [
        Text(_lead(content, countries, t), "lead"),
        *([Items("checked", tuple(_checked(content, places, t)))] if beside else []),
        Items("cards", tuple(_card(country, t) for country in countries)),
        table,
        Text(" ".join([t("headline_note"), *notes, *warned]), "note"),
    ]


def _unobserved(place: Place, t: Wording) -> str:
    if place.unobserved_ha is None:
        return DASH
    return (
        f"{t.ha(place.unobserved_ha, decimals_for([place.owned_ha]))} ({t.percent(place.unobserved_share)})"
    )


def _card(place: Place, t: Wording) -> Card:
    between = t.interval(place.ci_low_ha, place.ci_high_ha)
    if place.has_interval:
        what = t("interval_of", level=t.level(place.confidence))
    elif place.estimated_ha is not None:
        what = f"{t('estimated')} · {t('n_too_small')}"
    else:
        what = t("map_count")
    facts = {
        "mapped": None if place.estimated_ha is None else place.mapped_ha,
        "official": place.official_ha, "truth": place.truth_ha,
    }  # fmt: skip
    shown = [(t(key), f"{t.ha(value)} ha") for key, value in facts.items() if value is not None]
    return Card(
        t.country(place.country), t.ha(place.best_ha), what, "" if between == DASH else between,
        (*shown, (t("unobserved"), t.percent(place.unobserved_share))), total=place.key == TOTAL,
    )  # fmt: skip


def _checked(content: ReportContent, places: Sequence[Place], t: Wording) -> list[str]:
    """The data of the period that its figures can be compared with."""
    found, records = [], content.records_summary
    if records is not None:
        matched, n = records.by_status.get("matched", 0), sum(records.by_status.values())
        design = t.words(records.design)
        found.append(t("checked_records", matched=t.number(matched), n=t.number(n), design=design))
    official = [p for p in places if p.official_ha is not None]
    if official:
        sources = ", ".join(dict.fromkeys(p.official_source for p in official))
        counts = {"k": t.number(len(official)), "n": t.number(len(places))}
        found.append(t("checked_official", sources=sources, **counts))
    if has(places, "truth_ha"):
        found.append(t("checked_truth", k=t.number(sum(p.truth_ha is not None for p in places))))
    return found or [t("checked_nothing")]


def _lead(content: ReportContent, countries: Sequence[Place], t: Wording) -> str:
    """The result as text: estimate or count of the whole area, the ground not observed, the change."""
    places = content.places[content.last]
    counted = [p.mapped_ha for p in places if p.mapped_ha is not None]
    if not counted:
        return t("lead_no_period_data")
    total = next((c for c in countries if c.key == TOTAL), None)
    facts = {
        "n": t.number(len(places)), "mapped": t.ha(sum(counted)),
    }  # fmt: skip
    if total is None or total.estimated_ha is None:
        text = t("lead_mapped", **facts)
    elif not total.has_interval:
        text = t("lead_estimated_only", ha=t.ha(total.estimated_ha), **facts)
    else:
        ends = {"low": t.ha(total.ci_low_ha), "high": t.ha(total.ci_high_ha)}
        text = t(
            "lead_estimated", ha=t.ha(total.estimated_ha), level=t.level(total.confidence), **ends, **facts
        )
    owned = sum(p.owned_ha or 0.0 for p in places)
    unseen = sum(p.unobserved_ha or 0.0 for p in places)
    share = t.percent(unseen / owned) if owned else DASH
    found = [text, t("lead_unobserved", share=share, ha=t.ha(unseen, decimals_for([owned])))]
    net = [row for row in rows_of(content.change, {"quantity": "net"}) if not row["region_id"]]
    if net:
        found.append(t("lead_change", first=net[-1]["from_period"], figure=t.figure(net[-1])))
    return " ".join(found)
