"""An Excel file of tables with a sheet of notes. Every text is text: nothing in it is ever a formula."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from cocal.store import atomic_path

_LONGEST = 32_767
"""Characters that a cell of Excel holds."""

_WIDEST = 48


def write_workbook(
    path: str | Path, tables: Mapping[str, pd.DataFrame], *, notes: Sequence[tuple[str, str]]
) -> None:
    """Write `tables` as sheets by their names after a sheet `notes` of (about, text).

    Numbers are numbers, in full; missing is an empty cell. Equal tables give equal bytes.
    """
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = "notes"
    _fill(first, pd.DataFrame(notes, columns=["about", "note"]))
    first.column_dimensions["B"].width = 110
    for row in first.iter_rows(min_row=2, min_col=2, max_col=2):
        row[0].alignment = Alignment(wrap_text=True, vertical="top")
    for name, table in tables.items():
        _fill(book.create_sheet(name[:31]), table)
    drawn = io.BytesIO()
    book.save(drawn)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_dateless(drawn.getvalue()))


def _fill(sheet: Worksheet, table: pd.DataFrame) -> None:
    sheet.append([str(name) for name in table.columns])
    for row in zip(*(table[name] for name in table.columns), strict=True):
        sheet.append([_plain(value) for value in row])
    for number, column in enumerate(sheet.iter_cols(), start=1):
        for cell in column:
            if isinstance(cell.value, str):
                cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula
                cell.quotePrefix = True  # and Excel would, once someone edits the cell
        column[0].font = Font(bold=True)
        longest = max(len(f"{cell.value}") for cell in column[:201] if cell.value is not None)
        sheet.column_dimensions[get_column_letter(number)].width = min(longest + 2, _WIDEST)
    sheet.freeze_panes = "A2"
    if len(table):
        sheet.auto_filter.ref = sheet.dimensions


def _plain(value: Any) -> str | float | int | bool | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (Decimal, float, np.floating)):
        return float(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    return ILLEGAL_CHARACTERS_RE.sub("", str(value))[:_LONGEST]


def _dateless(book: bytes) -> bytes:
    """The file with the moment of its writing set to 2000-01-01."""
    moment, out = "2000-01-01T00:00:00Z", io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:\w+[^>]*>)[^<]*(<)", rb"\g<1>" + moment.encode() + rb"\g<2>", data)
            new.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()
