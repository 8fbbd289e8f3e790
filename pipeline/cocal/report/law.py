"""The section on zones of the law: sums and intervals, no verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from cocal.notes import Note
from cocal.report.blocks import Block, Column, Text, sheet
from cocal.report.columns import ha, has, sure
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH
from cocal.report.place import Row, rows_of
from cocal.report.texts import Wording

_SAID_ONCE = {"presence_not_illegality", "protected_not_verdict", "limit_difference", "sum_of_squares"}
"""Notes on all rows of the law's tables, which the section states once."""


def legal(content: ReportContent, t: Wording) -> list[Block]:
    """Hectares by zone, by kind of zone, and beside the limits of the law; empty without zones."""
    found: list[Block] = []
    for level in ("zone", "kind", "limit"):
        rows = rows_of(content.legal, {"period": content.last, "level": level})
        if rows:
            caption = t(f"legal_{level}_caption")
            columns = _legal_columns(level, rows, t)
            found.append(sheet(f"legal-{len(found) + 1}", caption, columns, rows))
    return [Text(t("legal_text")), *found] if found else []


def _legal_columns(level: str, rows: Sequence[Row], t: Wording) -> list[Column]:
    estimated = has(rows, "estimated_ha")
    columns = [
        Column(t(f"legal_{level}"), lambda row: _zone(row, t), "text"),
        Column(t("kind"), lambda row: row[f"kind_{t.language}"], "text"),
        *([ha(t, "estimated_short", "estimated_ha", "strong"), sure(t)] if estimated else []),
        ha(t, "mapped_short", "mapped_ha"),
    ]
    if level == "limit":
        return [
            *columns,
            ha(t, "limit", "limit_ha"),
            Column(t("over_limit"), lambda row: _over_limit(row, t)),
            Column(t("limit_lies"), lambda row: t.term("lies", row["limit_lies"] or DASH)),
            Column(t("source"), lambda row: row["source"] or DASH, "text"),
        ]
    seen = Column(t("observed_share"), lambda row: t.percent(row["observed_fraction"]))
    remarks = Column(t("remarks"), lambda row: t.notes(_own_notes(row)), "text")
    last = [seen, *([remarks] if any(map(_own_notes, rows)) else [])]
    return [*(columns if level == "zone" else columns[:1] + columns[2:]), *last]


def _own_notes(row: Row) -> list[Note]:
    return [note for note in row["notes"] if note.code not in _SAID_ONCE]


def _zone(row: Row, t: Wording) -> str:
    """The name of a zone, a kind of zone, or the ground of a country outside all zones."""
    if row["level"] == "kind":
        return str(row[f"kind_{t.language}"])
    outside, _, country = str(row["name"]).partition("outside-")
    return t("outside_zones", country=country) if country and not outside else str(row["name"])


def _over_limit(row: Row, t: Wording) -> str:
    over = t.signed(row["over_limit_ha"])
    between = t.interval(row["over_limit_low_ha"], row["over_limit_high_ha"])
    return over if between == DASH else f"{over} [{between}]"
