"""The section of the page on what each map of the run omits and shows wrongly."""

from __future__ import annotations

from cocal.report.blocks import Block, Column, Text, sheet
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH
from cocal.report.place import TOTAL, Row, rows_of
from cocal.report.texts import Wording


def map_errors(content: ReportContent, t: Wording) -> list[Block]:
    """Each map by place: mapped, estimated, omission and commission; empty without an estimate."""
    rows = rows_of(content.map_errors, {"period": content.last})
    if not rows:
        return []
    names = {str(r["region_id"]): str(r["region_name"]) for r in rows_of(content.region_areas)}
    columns = [
        Column(t("place"), lambda row: _name(row, names, t), "text"),
        Column(t("own_map"), lambda row: str(row["map"]), "text"),
        Column(t("mapped_short"), lambda row: t.ha(row["mapped_ha"])),
        Column(t("estimated_short"), lambda row: _figure(row, t)),
        Column(t("omission"), lambda row: _share(row, "omission", t)),
        Column(t("commission"), lambda row: _share(row, "commission", t)),
    ]
    places = list(dict.fromkeys((row["level"], row["id"]) for row in rows))
    ordered = sorted(rows, key=lambda row: places.index((row["level"], row["id"])))
    table = sheet("map_errors", t("map_errors_caption"), columns, ordered)
    return [Text(t("map_errors_text")), table, Text(t("map_errors_note"), "note")]


def _name(row: Row, names: dict[str, str], t: Wording) -> str:
    key = str(row["id"])
    if row["level"] == TOTAL:
        return t("total")
    return t.country(key) if row["level"] == "country" else names.get(key, key)


def _figure(row: Row, t: Wording) -> str:
    if row["estimated_ha"] is None:
        return DASH
    return f"{t.ha(row['estimated_ha'])} ({t.interval(row['ci_low_ha'], row['ci_high_ha'])})"


def _share(row: Row, name: str, t: Wording) -> str:
    if row[name] is None:
        return DASH
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    ends = "" if low is None or high is None else f" ({t.percent(low)} – {t.percent(high)})"
    return t.percent(row[name]) + ends
