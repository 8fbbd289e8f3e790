"""States of figures on the page: in its head, and, once an office stated one, a section with editions."""

from __future__ import annotations

from datetime import date

from cocal.report.blocks import Block, Column, Text, sheet
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH
from cocal.report.place import TOTAL, Row, rows_of
from cocal.report.texts import Wording


def states_fact(content: ReportContent, t: Wording) -> list[tuple[str, str]]:
    """(label, text): how many figures of the headline period have each state; nothing where none is known."""
    rows = rows_of(content.states, {"period": content.last})
    found: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = row["state"], *(_by(row, t) if row["by"] else ())
        found[key] = found.get(key, 0) + 1
    if not found:
        return []
    n = t.number(len(rows))
    texts = [
        ", ".join((t(f"state.{state}"), *words)) if len(found) == 1
        else t("state_of", state=t(f"state.{state}"), words="".join(f", {w}" for w in words),
               k=t.number(k), n=n)
        for (state, *words), k in found.items()
    ]  # fmt: skip
    return [(t("state"), "; ".join(texts))]


def _by(row: Row, t: Wording) -> tuple[str, str]:
    return str(row["by"]), t.day(date.fromisoformat(str(row["on"])))


def states(content: ReportContent, t: Wording) -> list[Block]:
    """The state of each figure of the headline period beside the edition before; empty before any edition."""
    rows = rows_of(content.states, {"period": content.last})
    if not any(row["edition"] or row["before_state"] for row in rows):
        return []
    names = {str(r["region_id"]): str(r["region_name"]) for r in rows_of(content.region_areas)}
    replaced = [row for row in rows if row["before_state"]]
    columns = [
        Column(t("place"), lambda row: _name(row, names, t), "text"),
        Column(t("state"), lambda row: t.term("state", str(row["state"])), "text"),
        Column(t("stated_by"), lambda row: ", ".join(_by(row, t)) if row["by"] else DASH, "text"),
        Column(t("stated_why"), lambda row: str(row["why"] or DASH), "text"),
    ]
    if replaced:
        columns += [
            Column(t("before_edition"), lambda row: _before(row, t)),
            Column(t("mapped_difference"), lambda row: t.signed(row["mapped_difference_ha"])),
            Column(t("estimated_difference"), lambda row: t.signed(row["estimated_difference_ha"])),
        ]
    table = sheet("states", t("states_caption"), columns, rows)
    return [Text(t("states_text")), table, *([Text(t("states_note"), "note")] if replaced else [])]


def _name(row: Row, names: dict[str, str], t: Wording) -> str:
    place = str(row["place"])
    if row["level"] == "country":
        return t("total") if place == TOTAL else t.country(place)
    return names.get(place, place) if row["level"] == "region" else place


def _before(row: Row, t: Wording) -> str:
    """The figure of the edition before, estimated or mapped, with who stated it."""
    if not row["before_state"]:
        return DASH
    figure = t.figure(
        {name.removeprefix("before_"): value for name, value in row.items() if "before_" in name}
    )
    by = f"{row['before_by']}, {t.day(date.fromisoformat(str(row['before_on'])))}"
    return f"{figure} ({t.term('state', str(row['before_state']))}: {by})"
