"""The cells of a file -> numbers, days, classes; what is wrong with the text itself is told on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from cocal.fieldwork.checks.fault import Change, Fault, Mend
from cocal.fieldwork.checks.layout import Layout
from cocal.fieldwork.checks.source import Source
from cocal.fieldwork.checks.text import mend_mojibake, parse_number, shown, with_point

_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
_POINT = 0
_TEXTS = ("class", "observer", "device", "plot_id", "source", "observed_on")


@dataclass(frozen=True)
class Reading:
    """The records of a file, one row each, indexed by row; rows that are empty or ragged are left out.

    `table`: record_id, x_text, y_text, x, y (as they stand, in the CRS of the file; NaN: none), accuracy
    (m), plot_area_ha, day, and the text of class, observer, device, plot_id, source, observed_on; "" where
    the file does not tell. `comma`: rows whose position has decimal commas.
    """

    source: Source
    layout: Layout
    table: pd.DataFrame
    comma: frozenset[int]
    faults: tuple[Fault, ...]

    def moved(self, row: int, x_text: str, y_text: str) -> tuple[Change, ...]:
        """The changes that give a record another position: its columns, and the geopoint beside them."""
        layout, cells = self.layout, self.source.rows.loc[row].to_dict()
        if self.source.shapes is not None:
            table = self.table.loc[row]
            if shapely.get_type_id(self.source.shapes[self.source.rows.index.get_loc(row)]) != _POINT:
                return ()
            return (Change("geometry", f"{table['x_text']} {table['y_text']}", f"{x_text} {y_text}", True),)
        found = []
        for what, text in (("x", x_text), ("y", y_text)):
            column = layout.column(what)
            if column is not None and cells[column] != text:
                found.append(Change(column, cells[column], text, True))
        if layout.point is not None and cells[layout.point].strip():
            rest = cells[layout.point].split()[2:]
            found.append(Change(layout.point, cells[layout.point], " ".join([y_text, x_text, *rest]), True))
        return tuple(found)


def read_cells(source: Source, layout: Layout) -> Reading:
    """Every record's cells as numbers, days and texts, and the faults of the text."""
    ragged = set(source.ragged)
    blank = {int(n) for n in source.rows.index[(source.rows == "").all(axis=1)] if source.shapes is None}
    kept = [int(n) for n in source.rows.index if n not in ragged and n not in blank]
    rows = source.rows.loc[kept]
    table = pd.DataFrame({what: _column(rows, layout, what) for what in _TEXTS}, index=rows.index)
    ids = _column(rows, layout, "record_id")
    table.insert(0, "record_id", [i or f"row {n}" for i, n in zip(ids, kept, strict=True)])
    table["x_text"], table["y_text"] = _position_texts(source, layout, rows)
    faults = [*_text_faults(source, table, ragged - blank)]
    comma: set[int] = set()
    for what in ("accuracy", "plot_area_ha"):
        table[what] = _numbers(rows, layout, what, table["record_id"], faults)
    table["x"], table["y"] = _positions(table, comma)
    table["day"] = _days(table["observed_on"])
    reading = Reading(source, layout, table, frozenset(comma), tuple(faults))
    return Reading(source, layout, table, frozenset(comma), (*faults, *_position_faults(reading)))


def _column(rows: pd.DataFrame, layout: Layout, what: str) -> list[str]:
    column = layout.column(what)
    return [""] * len(rows) if column is None else [str(v).strip() for v in rows[column]]


def _position_texts(source: Source, layout: Layout, rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Texts of x and y; of a polygon or line, a point on it."""
    if source.shapes is not None:
        points = shapely.point_on_surface(source.shapes)
        coordinates = zip(shapely.get_x(points), shapely.get_y(points), strict=True)
        texts = [("", "") if np.isnan(x) else (repr(float(x)), repr(float(y))) for x, y in coordinates]
        return [x for x, _ in texts], [y for _, y in texts]
    x, y = _column(rows, layout, "x"), _column(rows, layout, "y")
    if layout.point is not None:
        parts = [str(v).split() for v in rows[layout.point]]
        pairs = [(p[1], p[0]) if len(p) > 1 else ("", "") for p in parts]
        x = [a or p[0] for a, p in zip(x, pairs, strict=True)]
        y = [a or p[1] for a, p in zip(y, pairs, strict=True)]
    return x, y


def _text_faults(source: Source, table: pd.DataFrame, ragged: set[int]) -> Iterator[Fault]:
    ids = dict(zip(table.index.tolist(), table["record_id"].tolist(), strict=True))
    yield from _line_faults(source, ids)
    for row in sorted(ragged):
        yield Fault(
            "ragged_row", row, f"row {row}", "(row)", "cells do not match the header; not checked further"
        )
    header = pd.DataFrame([{c: c for c in source.rows.columns}], index=[1]) if source.lines else None
    for frame in (header, source.rows):
        if frame is not None:
            yield from _letter_faults(frame, ids)


def _line_faults(source: Source, ids: dict[int, str]) -> Iterator[Fault]:
    """Encoding and separator: one fault for the file where nearly all lines have it, else one per row."""
    if source.lines is None:
        return
    special = [line for line in source.lines if any(b > 127 for b in line.raw)]
    one = len(special) > 1 and all(line.encoding == "cp1252" for line in special)
    if one:
        mend = Mend(("encoding",), "write it in UTF-8", rewrite=True)
        yield Fault("encoding", None, "", "(file)", "the file is Latin-1 or Windows-1252, not UTF-8", mend)
    usual = source.lines[0].separator
    if usual != ",":
        mend = Mend(("separator",), f"{usual!r} -> ','", rewrite=True)
        yield Fault("separator", None, "", "(file)", f"cells are separated by {usual!r}", mend)
    for row, line in enumerate(source.lines, start=1):
        name = ids.get(row, f"row {row}")
        if line.encoding == "cp1252" and not one:
            mend = Mend(("encoding",), "write it in UTF-8", rewrite=True)
            yield Fault("encoding", row, name, "(row)", "Latin-1 or Windows-1252 among UTF-8", mend)
        if line.separator != usual:
            mend = Mend(("separator",), f"{line.separator!r} -> {usual!r}", rewrite=True)
            yield Fault(
                "separator", row, name, "(row)", f"separated by {line.separator!r}, not {usual!r}", mend
            )


def _letter_faults(frame: pd.DataFrame, ids: dict[int, str]) -> Iterator[Fault]:
    for column in frame.columns:
        cells = frame[column].astype(str)
        suspect = cells[
            cells.str.contains("[\u00c2-\u00c5\u00e2][\u0080-\u203a\u20ac\u2122]|\ufffd", regex=True)
        ]
        for row, cell in suspect.items():
            name = ids.get(int(str(row)), f"row {row}")
            mended = mend_mojibake(cell)
            if mended != cell:
                words = next(w for w in cell.split() if mend_mojibake(w) != w)
                finding = f"{shown(words)} is {shown(mend_mojibake(words))} read as Latin-1"
                change = (Change(column, cell, mended, False),)
                yield Fault("mojibake", int(str(row)), name, column, finding,
                            Mend(("mojibake",), "read as UTF-8", change))  # fmt: skip
            if "\ufffd" in cell:
                yield Fault(
                    "lost_letters", int(str(row)), name, column, "letters were lost in an earlier export"
                )


def _numbers(
    rows: pd.DataFrame, layout: Layout, what: str, ids: pd.Series, faults: list[Fault]
) -> list[float]:
    """Numbers of one column, NaN where there is none."""
    column, found = layout.column(what), []
    for row, text in zip(rows.index, _column(rows, layout, what), strict=True):
        value, form = parse_number(text)
        found.append(value)
        if form == "decimal comma":
            change = (Change(str(column), text, with_point(text), False),)
            mend = Mend(("decimal_comma",), "',' -> '.'", change)
            faults.append(Fault("decimal_comma", int(row), ids[row], str(column), shown(text), mend))
        elif form in ("unread", "angle"):
            faults.append(Fault("not_a_number", int(row), ids[row], str(column), shown(text)))
    return found


def _positions(table: pd.DataFrame, comma: set[int]) -> tuple[list[float], list[float]]:
    found: dict[str, list[float]] = {"x": [], "y": []}
    for axis, values in found.items():
        for row, text in zip(table.index, table[f"{axis}_text"], strict=True):
            value, form = parse_number(text)
            values.append(value)
            if form == "decimal comma":
                comma.add(int(row))
    return found["x"], found["y"]


def _position_faults(reading: Reading) -> Iterator[Fault]:
    """Positions that are missing, unreadable, with decimal commas or written as angles."""
    table = reading.table
    for row, x, y, name in zip(
        table.index, table["x_text"], table["y_text"], table["record_id"], strict=True
    ):
        forms = {parse_number(x)[1], parse_number(y)[1]}
        if forms == {"plain"}:
            continue
        if "empty" in forms:
            yield Fault(
                "no_position", int(row), name, "position", "no position" if not x + y else "half a position"
            )
        elif "unread" in forms:
            yield Fault("not_a_number", int(row), name, "position", "not a number")
        else:
            rules = {"decimal comma": "decimal_comma", "angle": "degrees_minutes"}
            told = tuple(sorted(rules[f] for f in forms if f in rules))
            texts = [with_point(t) if parse_number(t)[1] == "decimal comma" else t for t in (x, y)]
            texts = [f"{parse_number(t)[0]:.8f}" if parse_number(t)[1] == "angle" else t for t in texts]
            mend = Mend(told, "write decimal degrees with a point", reading.moved(int(row), *texts))
            for rule in told:
                words = "decimal comma" if rule == "decimal_comma" else "written as degrees and minutes"
                yield Fault(rule, int(row), name, "position", words, mend)


def _days(texts: pd.Series) -> pd.Series:
    """Days of ISO times, or of one of the other usual ways to write a day; NaT where none reads it."""
    first = texts.astype("string").str.strip().str.split(r"[T ]", regex=True).str[0]
    found = pd.to_datetime(first, format=_FORMATS[0], errors="coerce")
    for other in _FORMATS[1:]:
        found = found.fillna(pd.to_datetime(first, format=other, errors="coerce"))
    return found


def most_common(values: pd.Series) -> str:
    """The value that occurs most; the first of several in order of text."""
    counts = Counter(values)
    return min(counts, key=lambda v: (-counts[v], str(v))) if counts else ""
