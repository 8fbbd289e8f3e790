"""The section on operations of eradication: sums of claims by verdict, no polygon."""

from __future__ import annotations

from collections.abc import Callable

from cocal.report.blocks import Block, Column, Text, sheet
from cocal.report.columns import ha, has, sure
from cocal.report.content import ReportContent
from cocal.report.place import Row, rows_of
from cocal.report.texts import Wording

_VERDICTS = ("cleared", "partly", "not", "replanted", "not_observed")


def claims_by_verdict(content: ReportContent, t: Wording) -> list[Block]:
    """What was claimed by place and period, and its verdicts; empty without operations."""
    rows = rows_of(content.operation_sums)
    if not rows:
        return []
    estimated = has(rows, "estimated_ha")
    columns = [
        Column(t("region"), lambda row: _place(row, t), "text"),
        Column(t("period"), lambda row: row["period"] or "", "text"),
        Column(t("operations_short"), lambda row: t.number(row["n"])),
        ha(t, "claimed", "claimed_ha", "strong"),
        *(Column(t.term("operation", name), _claimed(name, t)) for name in _VERDICTS),
        *([ha(t, "operations_estimated", "estimated_ha", "strong"), sure(t)] if estimated else []),
        Column(t("remarks"), lambda row: t.notes(row["notes"]), "text"),
    ]
    table = sheet("operations-1", t("operations_caption"), columns, rows)
    return [Text(t("operations_text")), table, Text(t("operations_note"), "note")]


def _claimed(verdict: str, t: Wording) -> Callable[[Row], str]:
    """Claimed hectares with this verdict."""
    return lambda row: t.ha(row[f"claimed_ha_{verdict}"])


def _place(row: Row, t: Wording) -> str:
    return str(row["name"]) if row["level"] == "region" else t.country(str(row["id"]))
