"""The cells of a file -> numbers, dates, positions; and the faults of the text itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely

from cocal.fieldwork.checks.faults import Change, Fault, Fix
from cocal.fieldwork.checks.layout import Layout
from cocal.fieldwork.checks.source import Source
from cocal.fieldwork.checks.text import fix_mojibake, parse_number, quoted, with_point
from cocal.user_tables import local_times

_POINT = 0
_TEXTS = ("class", "observer", "device", "plot_id", "source", "observed_on")
_NUMBERS = ("accuracy", "plot_area_ha", "cover")
_SUSPECT = "[\u00c2-\u00c5\u00e2][\u0080-\u203a\u20ac\u2122]|\ufffd"


@dataclass(frozen=True)
class Reading:
    """The records of a file, one row each, indexed by row; rows that are empty or ragged are left out.

    `table`: record_id, x_text, y_text, x, y (as they stand, in the CRS of the file; NaN: none), accuracy
    (m), plot_area_ha, cover (per cent), day, and the text of class, observer, device, plot_id, source,
    observed_on; "" where the file has none.
    """

    source: Source
    layout: Layout
    table: pd.DataFrame

    def name(self, what: str) -> str:
        """Name of the column that holds `what`; `what` itself where the file has no such column."""
        return self.layout.column(what) or what

    def fault(
        self,
        rule: str,
        row: int,
        field: str,
        finding: str,
        fix: Fix | None = None,
        rows: tuple[int, ...] = (),
    ) -> Fault:
        """Return a finding about one row, with the id of its record."""
        row = int(row)
        name = str(self.table.loc[row, "record_id"]) if row in self.table.index else f"row {row}"
        return Fault(rule, row, name, field, finding, fix, rows)

    def moved(self, row: int, x_text: str, y_text: str) -> tuple[Change, ...]:
        """Return the changes that give a record another position: of its columns and of its geopoint."""
        layout, cells = self.layout, self.source.rows.loc[row].to_dict()
        if self.source.shapes is not None:
            if shapely.get_type_id(self.source.shapes[self.source.rows.index.get_loc(row)]) != _POINT:
                return ()
            before = self.table.loc[row]
            change = f"{before['x_text']} {before['y_text']}", f"{x_text} {y_text}"
            return (Change("geometry", *change, True),)
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
    """Return every record's cells as numbers, dates and texts."""
    left_out = source.ragged | _blank(source)
    rows = source.rows.loc[[int(n) for n in source.rows.index if n not in left_out]]
    table = pd.DataFrame({what: _column(rows, layout, what) for what in _TEXTS}, index=rows.index)
    ids = _column(rows, layout, "record_id")
    table.insert(0, "record_id", [i or f"row {n}" for i, n in zip(ids, rows.index, strict=True)])
    table["x_text"], table["y_text"] = _position_texts(source, layout, rows)
    for axis in ("x", "y"):
        table[axis] = [parse_number(text)[0] for text in table[f"{axis}_text"]]
    for what in _NUMBERS:
        table[what] = [parse_number(text)[0] for text in _column(rows, layout, what)]
    table["day"] = local_times(table["observed_on"]).dt.normalize()
    return Reading(source, layout, table)


def _blank(source: Source) -> set[int]:
    if source.shapes is not None:
        return set()
    return {int(n) for n in source.rows.index[(source.rows == "").all(axis=1)]}


def _column(rows: pd.DataFrame, layout: Layout, what: str) -> list[str]:
    column = layout.column(what)
    return [""] * len(rows) if column is None else [str(v).strip() for v in rows[column]]


def _position_texts(source: Source, layout: Layout, rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the texts of x and y; of a polygon or line, those of a point on it."""
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


def text_faults(reading: Reading) -> Iterator[Fault]:
    """Yield the faults of encoding, separators, rows, letters, numbers and the form of positions."""
    source = reading.source
    yield from _line_faults(reading)
    for row in source.ragged - _blank(source):
        yield reading.fault("ragged_row", row, "(row)", "cells do not match the header; not checked further")
    yield from _letter_faults(reading)
    for what in _NUMBERS:
        yield from _number_faults(reading, what)
    yield from _position_faults(reading)


def _line_faults(reading: Reading) -> Iterator[Fault]:
    """Encoding and separator: one fault for the file where nearly all lines have it, else one per row."""
    lines = reading.source.lines
    if lines is None:
        return
    recoded = Fix(("encoding",), "write it in UTF-8", rewrite=True)
    special = [line for line in lines if any(b > 127 for b in line.raw)]
    whole = len(special) > 1 and all(line.encoding == "cp1252" for line in special)
    if whole:
        words = "the file is Latin-1 or Windows-1252, not UTF-8"
        yield Fault("encoding", None, "", "(file)", words, recoded)
    usual = lines[0].separator
    if usual != ",":
        fix = Fix(("separator",), f"{usual!r} -> ','", rewrite=True)
        yield Fault("separator", None, "", "(file)", f"cells are separated by {usual!r}", fix)
    for row, line in enumerate(lines, start=1):
        if line.encoding == "cp1252" and not whole:
            yield reading.fault("encoding", row, "(row)", "Latin-1 or Windows-1252 among UTF-8", recoded)
        if line.separator != usual:
            fix = Fix(("separator",), f"{line.separator!r} -> {usual!r}", rewrite=True)
            words = f"separated by {line.separator!r}, not {usual!r}"
            yield reading.fault("separator", row, "(row)", words, fix)


def _letter_faults(reading: Reading) -> Iterator[Fault]:
    rows = reading.source.rows
    if reading.source.lines:
        rows = pd.concat([pd.DataFrame([{c: c for c in rows.columns}], index=[1]), rows])
    for column in rows.columns:
        cells = rows[column].astype(str)
        for row, cell in cells[cells.str.contains(_SUSPECT, regex=True)].items():
            number, fixed = int(str(row)), fix_mojibake(cell)
            if fixed != cell:
                word = next(w for w in cell.split() if fix_mojibake(w) != w)
                finding = f"{quoted(word)} is {quoted(fix_mojibake(word))} read as Latin-1"
                fix = Fix(("mojibake",), "read as UTF-8", (Change(column, cell, fixed, False),))
                yield reading.fault("mojibake", number, column, finding, fix)
            if "\ufffd" in cell:
                words = "letters were lost in an earlier export"
                yield reading.fault("lost_letters", number, column, words)


def _number_faults(reading: Reading, what: str) -> Iterator[Fault]:
    rows, column = reading.source.rows.loc[reading.table.index], reading.name(what)
    for row, text in zip(rows.index, _column(rows, reading.layout, what), strict=True):
        form = parse_number(text)[1]
        if form == "decimal comma":
            change = Change(column, text, with_point(text), False)
            fix = Fix(("decimal_comma",), "',' -> '.'", (change,))
            yield reading.fault("decimal_comma", row, column, quoted(text), fix)
        elif form in ("unread", "angle"):
            yield reading.fault("not_a_number", row, column, quoted(text))


def _position_faults(reading: Reading) -> Iterator[Fault]:
    """Positions that are missing, unreadable, with decimal commas or written as angles."""
    table = reading.table
    for row, x_text, y_text in zip(table.index, table["x_text"], table["y_text"], strict=True):
        forms = {parse_number(x_text)[1], parse_number(y_text)[1]}
        if forms == {"plain"}:
            continue
        if "empty" in forms:
            words = "half a position" if x_text + y_text else "no position"
            yield reading.fault("no_position", row, "position", words)
        elif "unread" in forms:
            yield reading.fault("not_a_number", row, "position", "not a number")
        else:
            yield from _form_faults(reading, row, (x_text, y_text))


def _form_faults(reading: Reading, row: int, texts: tuple[str, str]) -> Iterator[Fault]:
    """One fault for each form of a position that is no plain number; they share the fix."""
    found, plain = {}, []
    for text in texts:
        value, form = parse_number(text)
        if form == "decimal comma":
            found["decimal_comma"], text = "decimal comma", with_point(text)
        elif form == "angle":
            found["degrees_minutes"], text = "written as degrees and minutes", f"{value:.8f}"
        plain.append(text)
    words = "write decimal degrees with a point"
    fix = Fix(tuple(sorted(found)), words, reading.moved(int(row), plain[0], plain[1]))
    for rule in sorted(found):
        yield reading.fault(rule, row, "position", found[rule], fix)
