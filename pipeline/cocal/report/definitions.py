"""The section on definitions: hectares under each, and their differences from the same points."""

from __future__ import annotations

from collections.abc import Mapping

from cocal.report.blocks import Block, Column, Items, Text, sheet
from cocal.report.content import ReportContent
from cocal.report.numbers import DASH
from cocal.report.place import TOTAL, Row, rows_of
from cocal.report.texts import Wording

_LEVELS = ("total", "country", "group", "region")

Figures = Mapping[tuple[str, str], Row]
"""(definition, the one that is taken off it, or "") -> the row of one place."""


def definitions(content: ReportContent, t: Wording) -> list[Block]:
    """Hectares by place under each definition, and the differences; empty where the run has none."""
    places: dict[tuple[int, str], dict[tuple[str, str], Row]] = {}
    for row in rows_of(content.definitions, {"period": content.last}):
        place = _LEVELS.index(str(row["level"])), str(row["id"])
        places.setdefault(place, {})[str(row["definition"]), str(row["minus"] or "")] = row
    if not places:
        return []
    rows = [places[key] for key in sorted(places, key=lambda key: key[0])]
    names = {key: t.words(name) for key, name, _ in content.definition_words}
    found: list[Block] = [
        Text(t("definitions_text")),
        Items("pairs", tuple((t.words(name), t.words(text)) for _, name, text in content.definition_words)),
    ]
    pairs = dict.fromkeys(pair for row in rows for pair in row)
    captions = {"definitions": t("definitions_caption"), "differences": t("differences_caption")}
    for key, caption in captions.items():
        own = [pair for pair in pairs if bool(pair[1]) == (key == "differences")]
        columns = [Column(t("place"), lambda row: _name(row, t), "text")]
        columns += [_figure(pair, names, t) for pair in own]
        if own:
            found.append(sheet(key, caption, columns, rows))
    return [*found, Text(t("definitions_note"), "note")]


def _name(row: Figures, t: Wording) -> str:
    first = next(iter(row.values()))
    return t("total") if first["id"] == TOTAL else str(first["name"])


def _figure(pair: tuple[str, str], names: Mapping[str, str], t: Wording) -> Column:
    """The figures of one definition, or of a difference."""
    first, second = (names.get(name, name) for name in pair)
    heading = t("minus", first=first, second=second) if second else first
    return Column(heading, lambda row: _worded(row.get(pair), t, signed=bool(second)))


def _worded(row: Row | None, t: Wording, *, signed: bool) -> str:
    """A figure with its interval; the two ends of one that is only bounded."""
    if row is None:
        return DASH
    number = t.signed if signed else t.ha
    text = number(row["estimated_ha"])
    if text == DASH and row["low_ha"] is not None:
        text = f"{number(row['low_ha'])} \N{EN DASH} {number(row['high_ha'])}"
    between = t.interval(row["ci_low_ha"], row["ci_high_ha"])
    return text if DASH in (text, between) else f"{text} [{between}]"
