"""Sections of the page on hectares: comparison, change, groups, claims, all classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cocal.contracts import UNOBSERVED
from cocal.report.blocks import Block, Column, Sheet, Text, sheet
from cocal.report.columns import ha, has, region, sure
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH, decimals_for
from cocal.report.place import Place, Row, rows_of
from cocal.report.places import compared_places, group_places
from cocal.report.texts import Wording


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
        Column(t("verdict"), lambda p: t.verdict(p.verdict, p.width_needed_ha), "words"),
        Column(t("why"), lambda p: t.explained(p.why_not_comparable, p.verdict), "words"),
        Column(t("source"), lambda p: p.official_source, "words"),
    ]
    if not compared:
        return [Text(t("comparison_none")), *_truth(content, t)]
    table = sheet("comparison", t("comparison_caption"), columns, compared, numbered=True)
    share = next((p.agreement for p in compared if p.agreement is not None), None)
    notes = [Text(t("verdict_note", share=t.percent(share, 0)), "note")] if share is not None else []
    return [table, *notes, Text(t("comparison_note"), "note"), *_truth(content, t)]


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
    places = group_places(content)
    estimated, official = has(places, "estimated_ha"), has(places, "official_ha")
    beside = [
        ha(t, "official_short", "official_ha"),
        Column(t("difference_short"), lambda p: t.signed(p.difference_ha)),
        Column(t("verdict"), lambda p: t.verdict(p.verdict, p.width_needed_ha), "text"),
        Column(t("why"), lambda p: t.explained(p.why_not_comparable, p.verdict), "text"),
    ]
    columns = [
        Column(t("group"), lambda p: p.name, "text"),
        *([ha(t, "estimated_short", "estimated_ha", "strong"), sure(t)] if estimated else []),
        *(ha(t, f"{name}_short", f"{name}_ha") for name in ("mapped", "unobserved")),
        *(beside if official else []),
    ]
    found: list[Block] = [sheet("groups-1", t("groups_caption"), columns, places)] if places else []
    return [*found, Text(t("groups_note"), "note")] if estimated else found


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
        Column(t("verdict"), lambda row: t.verdict(row["verdict"] or "", row["width_needed_ha"]), "text"),
        Column(t("why"), lambda row: t.notes(row["why_not_comparable"]), "text"),
    ]  # fmt: skip
    table = sheet("eradication-1", t("eradication_caption"), columns, rows)
    return [table, Text(t("eradication_note"), "note")] if rows else []


def classes(content: ReportContent, t: Wording) -> list[Block]:
    """Per period the mapped hectares of all classes and their estimates; the target by period."""
    found: list[Block] = []
    keys = (*content.scheme.keys, UNOBSERVED)
    for period in content.periods:
        own = {key: content.region_places(period.name, key) for key in keys}
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
