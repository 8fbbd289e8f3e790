"""The first screen of the page: the result in a few sentences, by country, by region."""

from __future__ import annotations

from collections.abc import Sequence

from cocal.report.blocks import Block, Card, Column, Items, Text, sheet
from cocal.report.columns import GUARANTEE, ha, has, interval, region
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH, decimals_for
from cocal.report.place import TOTAL, Place, rows_of
from cocal.report.places import country_places
from cocal.report.texts import Wording

_PRELIMINARY, _NOT_OFFERED = "preliminary_missing", "map_misses_more"
"""Warnings of an estimate: which points have not come back; where no figure by a model is offered."""


def headline(content: ReportContent, t: Wording) -> list[Block]:
    """The result in a few sentences, by country, and by region."""
    places, countries = content.places[content.last], country_places(content)
    estimated = has(places, "estimated_ha")
    beside = content.profile == "restricted" or content.geography == "regions"
    caption = t("headline_caption_estimated" if estimated else "headline_caption_mapped")
    table = sheet(
        "headline", caption, _columns(places, t), places,
        numbered=True, group=lambda p: t.country(p.country), look="scrolls first",
    )  # fmt: skip
    return [
        *(Text(text, "alert") for text in _warned(content, _PRELIMINARY, t)),
        Text(_lead(content, countries, t), "lead"),
        *([Items("checked", tuple(_checked(content, places, t)))] if beside else []),
        Items("cards", tuple(_card(country, t) for country in countries)),
        table,
        *(Text(" ".join(part), "note") for part in _notes(content, places, t) if part),
    ]


def _columns(places: Sequence[Place], t: Wording) -> list[Column]:
    """The estimate with both intervals, the map's count, what is not in them, and other figures."""
    estimate = [ha(t, "estimated_short", "estimated_ha", "strong"), interval(places, t)]
    model = [
        Column(t("small_area_short"), lambda p: t.ha(p.small_area_ha), "model"),
        Column(
            t("small_area_interval"), lambda p: t.interval(p.small_area_low_ha, p.small_area_high_ha), "model"
        ),
    ]
    official = [
        ha(t, "official_short", "official_ha"),
        Column(t("verdict"), lambda p: t.term("verdict", p.verdict or DASH), "text"),
    ]
    return [
        region(t),
        *(estimate if has(places, "estimated_ha") else []),
        *(model if has(places, "small_area_ha") else []),
        ha(t, "mapped_short", "mapped_ha"),
        Column(t("unobserved_headline"), lambda p: _unobserved(p, t)),
        *([ha(t, "not_sampled_short", "not_sampled_ha")] if has(places, "not_sampled_ha") else []),
        *(_before(places, t) if has(places, "last_ha") else []),
        *(official if has(places, "official_ha") else []),
        *(ha(t, f"{n}_short", f"{n}_ha") for n in ("field", "truth") if has(places, f"{n}_ha")),
    ]


def _before(places: Sequence[Place], t: Wording) -> list[Column]:
    """The figure before, its source in the heading if all have one."""
    sources = {p.last_source for p in places if p.last_ha is not None}
    if len(sources) == 1:
        return [Column(t("before_of", source=next(iter(sources))), lambda p: t.ha(p.last_ha))]
    return [
        Column(
            t("before_short"),
            lambda p: t.ha(p.last_ha) if p.last_ha is None else f"{t.ha(p.last_ha)} [{p.last_source}]",
            "series",
        )
    ]


def _notes(content: ReportContent, places: Sequence[Place], t: Wording) -> list[list[str]]:
    """How to read the table: what each interval rests on; rounding, the figure before, warnings."""
    used = sorted({(p.estimator, p.interval) for p in places if p.estimated_ha is not None and p.estimator})
    n = len(content.warnings)
    guaranteed = any(p.has_interval and p.interval == GUARANTEE for p in places)
    intervals = [
        *([t("guarantee_note")] if guaranteed else []),
        *([t("small_area_note")] if has(places, "small_area_ha") else []),
        *_warned(content, _NOT_OFFERED, t),
    ]
    rest = [
        t("headline_note"),
        *(
            t("estimator_note", estimator=t.term("estimator", how), interval=t.term("interval", ends))
            for how, ends in used
        ),
        *([t("before_note")] if has(places, "last_ha") else []),
        *([t("warnings_note", n=t.number(n), section=t("accuracy_title"))] if n else []),
    ]
    return [intervals, rest]


def _tilt(content: ReportContent, t: Wording) -> list[str]:
    """How far points that were not visited could move the total, if they differ as much as is stated."""
    if content.tilt is None:
        return []
    odds, low, high = content.tilt
    return [
        t(
            "lead_tilt",
            odds=t.ratio(odds),
            low=t.ha(low),
            high=t.ha(high),
        )
    ]


def _warned(content: ReportContent, code: str, t: Wording) -> list[str]:
    """The warnings of this code of the headline period, as sentences."""
    own = [note for period, note in content.warnings if period == content.last and note.code == code]
    texts = (t.notes([note]) for note in own)
    return [text[:1].upper() + text[1:] + "." for text in texts]


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
    found = [
        text,
        *_tilt(content, t),
        t("lead_unobserved", share=share, ha=t.ha(unseen, decimals_for([owned]))),
    ]
    if outside := sum(p.not_sampled_ha or 0.0 for p in places):
        found.append(t("lead_not_sampled", ha=t.ha(outside, decimals_for([owned]))))
    net = [row for row in rows_of(content.change, {"quantity": "net"}) if not row["region_id"]]
    if net:
        found.append(t("lead_change", first=net[-1]["from_period"], figure=t.figure(net[-1])))
    return " ".join(found)
