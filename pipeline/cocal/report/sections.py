"""Sections of the page on hectares: headline, pictures, comparison, change, groups, law, claims, classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure as Drawing

from cocal.contracts import UNOBSERVED
from cocal.report.blocks import (
    Block,
    Card,
    CellKind,
    Column,
    Figure,
    Items,
    Picture,
    Sheet,
    Text,
    sheet,
)
from cocal.report.content import (
    TOTAL,
    MapOverview,
    Place,
    ReportContent,
    Row,
    compared_places,
    country_places,
    group_places,
    region_places,
    rows_of,
)
from cocal.report.drawing import NARROW, WIDE, Shape, png_uri, svg_uri
from cocal.report.figures import hectares_figures
from cocal.report.map import map_figure, pixel_metres
from cocal.report.numbers import DASH, decimals_for
from cocal.report.series import lines, series_figures
from cocal.report.texts import Wording

_SAID_ONCE = {"presence_not_illegality", "protected_not_verdict", "limit_difference"}
"""Notes on all rows of the law's table, which the section states once (`legal_text`)."""


def ha(t: Wording, heading: str, name: str, kind: CellKind = "number") -> Column:
    """A column of the hectares `name` of places or rows."""
    return Column(t(heading), lambda row: t.ha(value_of(row, name)), kind)


def value_of(row: Place | Row, name: str) -> Any:
    """The figure `name` of a place or a row; None where there is none."""
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name)


def region(t: Wording) -> Column:
    """The column of the names of places."""
    return Column(t("region"), lambda p: p.name, "text")


def interval(places: Sequence[Place], t: Wording) -> Column:
    """The column of the intervals, headed by their level if they have one level."""
    levels = {p.confidence for p in places if p.confidence is not None}
    heading = t("interval_short", level=t.level(*levels)) if len(levels) == 1 else t("interval_any")
    return Column(heading, lambda p: t.sure(p.estimated_ha, p.ci_low_ha, p.ci_high_ha), "interval")


def has(places: Sequence[Place], name: str) -> bool:
    """True if any place has the figure `name`."""
    return any(getattr(p, name) is not None for p in places)


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
    table = sheet(
        "headline", caption, columns, places,
        numbered=True, group=lambda p: t.country(p.country), look="scrolls first",
    )  # fmt: skip
    return [
        Text(_lead(content, countries, t), "lead"),
        Items("checked", tuple(_checked(content, places, t))),
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


def pictures(draw: Callable[[Shape], list[Drawing]], alt: str, more: str) -> tuple[Picture, ...]:
    """What `draw` gives for both shapes, as SVG; `more` is the alternative text of all but the first."""
    shapes = zip(draw(WIDE), draw(NARROW), strict=True)
    return tuple(
        Picture(svg_uri(wide), svg_uri(narrow), more if index else alt)
        for index, (wide, narrow) in enumerate(shapes)
    )


def figure(content: ReportContent, t: Wording) -> list[Block]:
    """The figure of hectares by region and, over several moments, of hectares by time."""
    places, over_time = content.places[content.last], lines(content)
    foot, n = t("figure_foot", run=content.run_name), t.number(len(places))
    simulated, more = content.simulated, t("figure_alt_more")
    dots = pictures(
        lambda shape: hectares_figures(places, t, shape, simulated=simulated, foot=foot),
        t("figure_alt", n=n), more,
    )  # fmt: skip
    found: list[Block] = [Figure("figure", t("figure_caption"), dots)]
    if over_time:
        series = pictures(
            lambda shape: series_figures(over_time, t, shape, simulated=simulated, foot=foot),
            t("series_alt", n=n), more,
        )  # fmt: skip
        found.append(Figure("figure", t("series_caption"), series))
    return found


def maps(content: ReportContent, t: Wording) -> list[Block]:
    """The map pictures."""
    found: list[Block] = []
    overview = content.map_overview or MapOverview((), {}, ())
    for picture in overview.pictures:
        places = content.places[picture.period]
        wide, narrow = (
            png_uri(map_figure(picture, overview, places, t, shape, simulated=content.simulated))
            for shape in (WIDE, NARROW)
        )
        words = {
            "period": picture.period, "n": len(places),
            "metres": t.number(picture.square_m or round(pixel_metres(picture))),
        }  # fmt: skip
        shown = Picture(wide, narrow, t(f"{picture.kind}_alt", **words))
        found.append(Figure("map", t(f"{picture.kind}_caption", **words), (shown,), "map"))
    return found


def comparison(content: ReportContent, t: Wording) -> list[Block]:
    """The figures beside official and field figures and, in a simulated run, beside the truth."""
    compared = compared_places(content)
    columns = [
        region(t),
        *([Column(t("period"), lambda p: p.period, "words")] if len(content.periods) > 1 else []),
        ha(t, "this_report", "best_ha", "strong"),
        ha(t, "official_short", "official_ha"),
        *([ha(t, "field_short", "field_ha")] if has(compared, "field_ha") else []),
        Column(t("difference_short"), lambda p: t.signed(p.difference_ha)),
        Column(t("within"), lambda p: t.yes_no(p.within_interval)),
        Column(t("why"), lambda p: t.explained(p.why_not_comparable, p.within_interval), "words"),
        Column(t("source"), lambda p: p.official_source, "words"),
    ]
    if not compared:
        return [Text(t("comparison_none")), *_truth(content, t)]
    table = sheet("comparison", t("comparison_caption"), columns, compared, numbered=True)
    return [table, Text(t("comparison_note"), "note"), *_truth(content, t)]


def _truth(content: ReportContent, t: Wording) -> list[Block]:
    places = content.places[content.last]
    true = [p for p in places if p.truth_ha is not None]
    beside = [
        ha(t, "estimated_short", "estimated_ha"),
        Column(t("estimate_minus_truth"), lambda p: t.difference(p.estimated_ha, p.truth_ha)),
        Column(t("truth_within"), lambda p: t.yes_no(p.truth_within)),
    ]
    columns = [
        region(t), ha(t, "truth_short", "truth_ha", "strong"), ha(t, "mapped_short", "mapped_ha"),
        Column(t("map_minus_truth"), lambda p: t.difference(p.mapped_ha, p.truth_ha)),
        *(beside if has(places, "estimated_ha") else []),
    ]  # fmt: skip
    caption = t("truth_caption")
    return (
        [Text(t("truth_title"), block="title"), sheet("truth", caption, columns, true, numbered=True)]
        if true
        else []
    )


def change(content: ReportContent, t: Wording) -> list[Block]:
    """Ground cleared and new between successive periods, the latest pair first."""
    rows = rows_of(content.change)
    pairs = dict.fromkeys((str(row["from_period"]), str(row["to_period"])) for row in rows)
    if not pairs:
        return [Text(t("change_none"))]
    names = ("cleared", "new", "net", "replanted")
    columns = [
        Column(t("region"), lambda row: row["net"]["region_name"] or t("total"), "text"),
        *(_change_column(name, t) for name in names),
        Column(t("seen_twice"), lambda row: t.ha(row["net"]["seen_twice_ha"])),
        Column(t("remarks"), lambda row: t.notes(row["net"]["notes"]), "text"),
    ]
    found: list[Block] = [Text(t("change_text"))]
    for number, (first, last) in enumerate(list(pairs)[::-1], start=1):
        places: dict[str, dict[str, Row]] = {}
        for row in rows_of(content.change, {"from_period": first, "to_period": last}):
            places.setdefault(str(row["region_id"]), {})[row["quantity"]] = row
        caption = t("change_caption", first=first, last=last)
        found.append(sheet(f"change-{number}", caption, columns, places.values()))
    return found


def _change_column(name: str, t: Wording) -> Column:
    return Column(t(name), lambda row: t.figure(row[name]), "strong" if name == "net" else "number")


def groups(content: ReportContent, t: Wording) -> list[Block]:
    """Hectares of groups of regions beside their official figures; empty where the run has no groups."""
    columns = [
        Column(t("group"), lambda p: p.name, "text"),
        ha(t, "estimated_short", "estimated_ha", "strong"),
        _sure(t),
        *(ha(t, f"{name}_short", f"{name}_ha") for name in ("mapped", "unobserved", "official")),
        Column(t("difference_short"), lambda p: t.signed(p.difference_ha)),
        Column(t("why"), lambda p: t.explained(p.why_not_comparable, p.within_interval), "text"),
    ]
    caption, places = t("groups_caption"), group_places(content)
    return [sheet("groups-1", caption, columns, places), Text(t("groups_note"), "note")] if places else []


def _sure(t: Wording) -> Column:
    names = ("estimated_ha", "ci_low_ha", "ci_high_ha")
    return Column(t("interval_any"), lambda row: t.sure(*(value_of(row, name) for name in names)))


def legal(content: ReportContent, t: Wording) -> list[Block]:
    """Hectares by zone, by kind of zone, and beside the limits of the law; empty without zones."""
    found: list[Block] = []
    for level in ("zone", "kind", "limit"):
        rows = rows_of(content.legal, {"period": content.last, "level": level})
        if rows:
            caption = t(f"legal_{level}_caption")
            found.append(sheet(f"legal-{len(found) + 1}", caption, _legal_columns(level, t), rows))
    return [Text(t("legal_text")), *found] if found else []


def _legal_columns(level: str, t: Wording) -> list[Column]:
    columns = [
        Column(t(f"legal_{level}"), lambda row: _zone(str(row["name"]), t), "text"),
        Column(t("kind"), lambda row: " + ".join(_zone(k, t) for k in row["kind"].split("+")), "text"),
        ha(t, "estimated_short", "estimated_ha", "strong"), _sure(t), ha(t, "mapped_short", "mapped_ha"),
    ]  # fmt: skip
    if level == "limit":
        return [
            *columns,
            ha(t, "limit", "limit_ha"),
            Column(t("over_limit"), lambda row: _over_limit(row, t)),
            Column(t("limit_lies"), lambda row: t.term("lies", row["limit_lies"] or DASH)),
            Column(t("source"), lambda row: row["source"] or DASH, "text"),
        ]
    last = [
        Column(t("observed_share"), lambda row: t.percent(row["observed_fraction"])),
        Column(
            t("remarks"), lambda row: t.notes([n for n in row["notes"] if n.code not in _SAID_ONCE]), "text"
        ),
    ]
    return [*(columns if level == "zone" else columns[:1] + columns[2:]), *last]


def _zone(name: str, t: Wording) -> str:
    """The name of a zone, a kind of zone, or the ground of a country outside all zones."""
    outside, _, country = name.partition("outside-")
    return t("outside_zones", country=country) if country and not outside else t.term("kind", name)


def _over_limit(row: Row, t: Wording) -> str:
    over = t.signed(row["over_limit_ha"])
    between = t.interval(row["over_limit_low_ha"], row["over_limit_high_ha"])
    return over if between == DASH else f"{over} [{between}]"


def eradication(content: ReportContent, t: Wording) -> list[Block]:
    """Claims of eradication beside the clearings on the maps; empty where no claims are given."""
    rows = rows_of(content.eradication)
    names = {str(r["region_id"]): str(r["region_name"]) for r in rows_of(content.region_areas)}
    columns = [
        Column(t("region"), lambda row: names.get(str(row["region_id"]), str(row["region_id"])), "text"),
        Column(
            t("between_maps"), lambda row: " → ".join(filter(None, (row["from_period"], row["to_period"])))
        ),
        Column(t("source"), lambda row: row["source"] or DASH, "text"),
        ha(t, "claimed", "claimed_ha"), ha(t, "validated", "validated_ha"),
        Column(t("cleared"), lambda row: t.figure(row, "cleared_"), "strong"),
        Column(t("claimed_minus_seen"), lambda row: t.signed(row["claimed_minus_seen_ha"])),
        Column(t("within"), lambda row: t.yes_no(row["within_interval"])),
        Column(t("why"), lambda row: t.notes(row["why_not_comparable"]), "text"),
    ]  # fmt: skip
    table = sheet("eradication-1", t("eradication_caption"), columns, rows)
    return [table, Text(t("eradication_note"), "note")] if rows else []


def classes(content: ReportContent, t: Wording) -> list[Block]:
    """Per period the mapped hectares of all classes and their estimates; the target by period."""
    found: list[Block] = []
    keys = (*content.scheme.keys, UNOBSERVED)
    for period in content.periods:
        own = {key: region_places(content, period.name, key) for key in keys}
        found.append(_mapped_classes(content, own, len(found) + 1, t))
        more = [key for key in keys if any(p.estimated_ha for p in own[key])]
        if set(more) - {content.scheme.target}:
            columns = [region(t), *(_class_column(key, own[key], _estimated, t) for key in more)]
            caption, key = t("classes_estimated_caption", period=period.name), f"classes-{len(found) + 1}"
            found.append(sheet(key, caption, columns, own[keys[0]], numbered=True, look="scrolls dense"))
    return [*found, Text(t("classes_note"), "note"), *_by_period(content, t)]


def _class_column(
    key: str, places: Sequence[Place], worded: Callable[[Place, Wording], str], t: Wording
) -> Column:
    colours = {c.key: c.colour for c in t.scheme.classes}
    wide = replace(t, decimals=decimals_for(p.owned_ha for p in places))
    return Column(
        t.class_name(key), lambda p: worded(places[p.number - 1], wide), colour=colours.get(key, "")
    )


def _estimated(place: Place, t: Wording) -> str:
    between = t.interval(place.ci_low_ha, place.ci_high_ha)
    text = t.ha(place.estimated_ha)
    return text if DASH in (text, between) else f"{text} [{between}]"


def _mapped_classes(
    content: ReportContent, own: Mapping[str, Sequence[Place]], number: int, t: Wording
) -> Sheet:
    places = next(iter(own.values()))
    extent = {str(row["region_id"]): row for row in rows_of(content.region_areas)}
    wide = replace(t, decimals=decimals_for(p.owned_ha for p in places))
    columns = [
        region(t),
        *(_class_column(key, own[key], lambda p, w: w.ha(p.mapped_ha), t) for key in own),
        ha(wide, "owned", "owned_ha"),
        Column(t("polygon"), lambda p: wide.ha(extent[p.key]["polygon_ha"])),
        Column(t("polygon_difference"), lambda p: t.signed(extent[p.key]["difference_percent"], 3)),
    ]
    caption = t("classes_caption", period=places[0].period)
    return sheet(f"classes-{number}", caption, columns, places, numbered=True, look="scrolls dense")


def _by_period(content: ReportContent, t: Wording) -> list[Block]:
    if len(content.periods) == 1:
        return []
    columns = [region(t), *(_period_column(name, content.places[name], t) for name in content.places)]
    caption, places = t("periods_caption"), content.places[content.last]
    table = sheet("periods", caption, columns, places, numbered=True)
    return [Text(t("periods_title"), block="title"), table, Text(t("periods_note"), "note")]


def _period_column(name: str, places: Sequence[Place], t: Wording) -> Column:
    def worded(place: Place) -> str:
        own = places[place.number - 1]
        if own.estimated_ha is not None:
            return _estimated(own, t)
        return "" if own.mapped_ha is None else t("mapped_mark", ha=t.ha(own.mapped_ha))

    return Column(name, worded, "series")
