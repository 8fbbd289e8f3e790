"""A file of records as it stands: every row, its cells as text, and how it was written."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from pyproj import CRS

from cocal.checksums import sha256_file
from cocal.errors import InputError
from cocal.fieldwork.checks.text import decode_line, encode_line, parse_number
from cocal.user_tables import only_layer, read_vector

_SEPARATORS = ",;\t|"
_TEXT_FILES = (".csv", ".txt", ".tsv")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """One record of a text file: its bytes, and the encoding, separator and cells they were read as."""

    raw: bytes
    encoding: str
    separator: str
    cells: tuple[str, ...]

    def written(self, cells: tuple[str, ...], *, encoding: str, separator: str) -> bytes:
        """Return the bytes of this record with other cells; with its own cells and form, its own bytes."""
        if cells == self.cells and encoding == self.encoding and separator == self.separator:
            return self.raw
        end = self.raw[-2:].decode("latin-1")
        out = io.StringIO()
        csv.writer(out, delimiter=separator, lineterminator=end[len(end.rstrip("\r\n")) :]).writerow(cells)
        return encode_line(out.getvalue(), encoding)


@dataclass(frozen=True)
class Source:
    """A file of records.

    - `rows`: cells as text, "" where empty; indexed by row as a spreadsheet counts (header 1).
    - `lines`: of a text file, the header first; None for a vector file.
    - `shapes`, `crs`: of a vector file with geometry; else None.
    """

    path: Path
    sha256: str
    kind: str
    rows: pd.DataFrame
    lines: tuple[Line, ...] | None
    shapes: NDArray[np.object_] | None = None
    crs: CRS | None = None
    layer: str | None = None
    bom: bool = False

    @property
    def ragged(self) -> set[int]:
        """Rows whose number of cells is not the header's."""
        width = len(self.rows.columns)
        return {n for n, line in enumerate(self.lines or (), start=1) if len(line.cells) != width}


def read_source(path: Path, layer: str | None = None) -> Source:
    """Read the file as it stands. Nothing is corrected, no row is left out.

    Raises
    ------
    InputError
        Missing, empty, not a table, UTF-16, or several layers of which none is named.
    """
    if not path.is_file():
        raise InputError(f"records {path}", "a file", "no such file", "correct the path")
    return _read_text(path) if path.suffix.lower() in _TEXT_FILES else _read_vector(path, layer)


def _read_text(path: Path) -> Source:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4096]:
        raise InputError(f"records {path}", "text in UTF-8 or Latin-1", "UTF-16", "save it as CSV UTF-8")
    pieces = data.removeprefix(_BOM).splitlines(keepends=True)
    if len([p for p in pieces if p.strip()]) < 2:
        raise InputError(f"records {path}", "a header and records", "no records", "export it again")
    decoded = [decode_line(piece) for piece in pieces]
    lines = _lines(pieces, decoded, _separator(path, [text for text, _ in decoded]))
    header = [str(c).strip() for c in lines[0].cells]
    if sum(parse_number(name)[1] not in ("unread", "empty") for name in header) > 1:
        raise InputError(
            f"records {path}", "names of columns in row 1", "numbers", "put a header above the data"
        )
    doubled = [name for name, n in Counter(header).items() if n > 1]
    if doubled or "" in header:
        found = ", ".join(map(repr, doubled)) or "a column without a name"
        raise InputError(f"records {path}", "a header with one name for each column", found, "correct row 1")
    width = len(header)
    cells = [(list(line.cells) + [""] * width)[:width] for line in lines[1:]]
    rows = pd.DataFrame(cells, columns=header, dtype=object).set_axis(range(2, len(lines) + 1))
    return Source(path, sha256_file(path), "text", rows, tuple(lines), bom=data.startswith(_BOM))


def _separator(path: Path, texts: list[str]) -> str:
    """Return the separator by which most lines have as many cells as the header, at least two."""

    def agreeing(separator: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(texts[:1000], delimiter=separator) if row]
        return (sum(w == widths[0] for w in widths), widths[0]) if widths[0] > 1 else (0, 0)

    best = max(_SEPARATORS, key=agreeing)
    if agreeing(best) == (0, 0):
        raise InputError(f"records {path}", "a table", "a header with one column", "export it as CSV")
    return best


def _lines(pieces: list[bytes], decoded: list[tuple[str, str]], separator: str) -> list[Line]:
    """Join pieces of text where a quoted cell extends over several lines; empty lines stay, without cells."""
    reader = csv.reader((text for text, _ in decoded), delimiter=separator)
    found: list[Line] = []
    start = 0
    for cells in reader:
        span = slice(start, reader.line_num)
        encoding = "cp1252" if any(e == "cp1252" for _, e in decoded[span]) else "utf-8"
        line = Line(b"".join(pieces[span]), encoding, separator, tuple(cells))
        found.append(_separated(line, len(found[0].cells)) if found else line)
        start = reader.line_num
    return found


def _separated(line: Line, width: int) -> Line:
    """Return the line, read by another separator if only that gives the header's width."""
    if len(line.cells) != width:
        text = line.raw.decode("utf-8") if line.encoding == "utf-8" else decode_line(line.raw)[0]
        for other in _SEPARATORS.replace(line.separator, ""):
            again = tuple(next(csv.reader([text], delimiter=other), []))
            if len(again) == width:
                return Line(line.raw, line.encoding, other, again)
    return line


def _read_vector(path: Path, layer: str | None) -> Source:
    try:
        layer = layer if layer is not None else only_layer(path)
    except (ValueError, DataSourceError) as err:
        raise InputError(
            f"records {path}", "a CSV or vector file", type(err).__name__, "export it again"
        ) from err
    frame = read_vector(path, layer)
    shapes, crs = None, None
    if isinstance(frame, gpd.GeoDataFrame):
        shapes, crs = shapely.force_2d(np.array(frame.geometry.array, dtype=object)), frame.crs
        if crs is None:
            raise InputError(f"records {path}", "a layer with a CRS", "none", "write it into the file")
    rows = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
    rows = pd.DataFrame({str(name): [_text(v) for v in column] for name, column in rows.items()})
    rows = rows.set_axis(frame.index)
    kind = {".gpkg": "GeoPackage", ".shp": "Shapefile"}.get(path.suffix.lower(), "vector")
    return Source(path, sha256_file(path), kind, rows, None, shapes, crs, layer)


def _text(value: Any) -> str:
    """Return a value as text; null is "", a whole number that is kept as a float loses its '.0'."""
    if value is None or value is pd.NaT or value != value:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(float(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
