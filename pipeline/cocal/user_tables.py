"""Tables that users give: one reader of CSV, one of vector files and spreadsheets, one of times."""

from __future__ import annotations

import csv
import json
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyogrio
from pandas.api.types import is_object_dtype
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError

from cocal.errors import InputError
from cocal.settings import GROUPED
from cocal.store import alteration, given_back

log = logging.getLogger(__name__)

_SHOWN = 10
_JSON, _SHEETS = (".geojson", ".json"), (".xlsx", ".xlsm", ".ods")
_OFFSET = r"(?<=\d\d:\d\d)((?::\d\d(?:[.,]\d+)?)?)\s*(?:Z|[+-]\d\d(?::?\d\d)?)$"
"""What follows hours and minutes: seconds, which stay, and the offset from UTC, which goes."""


_WHOLE, _SLASHES = r"\d{4}(?:-\d\d-\d\d|/\d\d/\d\d|\d{4})(?:\D|$)", r"^(\d{4})/(\d\d)/(\d\d)"
_BY_NUMBERS = r"^(?:(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})|(\d{4})[-/](\d{1,2})[-/](\d{1,2}))(?:[T ].*)?$"
_YEARS = 1700, 2200
"""Within what datetime64[ns] holds."""
DATE = "a date like 2024-12-31 (31/12/2024 only where a row of the column has a day above 12)"
"""What `local_times` reads, for messages."""


_QUANTITY = re.compile(r"(?:.*_(?:ha|m2|km2)|pixels|points)", re.IGNORECASE)
"""Columns of areas and counts."""
_UNGROUPED = r"\d{4,}"
"""A number above 999 without points."""

_SOFT_HYPHEN, _SPACES = "\u00ad", re.compile("(?<!\u00c3)\\s+")
"""Both stand in UTF-8 that was read as Latin-1 (í, à), which is refused by name: it must stay as it is."""


def clean_text(value: Any) -> Any:
    r"""A text as it looks: in Unicode's composed form (NFC), without outer spaces and letters of no width.

    Runs of spaces, those that do not break and line ends among them, are one space. Any other value as it is.

    Examples
    --------
    >>> clean_text("hoja\u00a0 de coca\u200b ")
    'hoja de coca'
    """
    if not isinstance(value, str):
        return value
    text = unicodedata.normalize("NFC", value)
    if not text.isascii():
        text = "".join(c for c in text if c == _SOFT_HYPHEN or unicodedata.category(c) != "Cf")
    return _SPACES.sub(" ", text).strip()


def cleaned(table: pd.DataFrame, path: Path | None = None) -> pd.DataFrame:
    """`table`, of the file `path`, with clean names of columns and texts; empty texts become null.

    Texts that cocal's own files protect from spreadsheets with a ' are restored.

    Raises
    ------
    InputError : two columns have the same name, or areas may have points between thousands.
    """
    names = [clean_text(name) for name in table.columns]
    _refuse_doubled(names, path)
    table = given_back(table.set_axis(names, axis=1))
    texts = {
        str(name): pd.Series([clean_text(v) for v in column], index=column.index, dtype=column.dtype)
        for name, column in table.items()
        if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype)
    }
    _refuse_grouped(texts, path)
    return table.assign(**{name: column.mask(column == "") for name, column in texts.items()})


def _refuse_grouped(texts: dict[str, pd.Series], path: Path | None) -> None:
    """Refuse areas and counts like 1.114 whose point may stand between thousands.

    It is a decimal point where a number of the column proves it: one with another number of decimals, one
    below 1, or one above 999 that is written without points.
    """
    found = []
    for name, column in texts.items():
        cells = column.dropna().astype(str)
        dotted = cells[cells.str.contains(".", regex=False)] if _QUANTITY.fullmatch(name) else cells[:0]
        if len(dotted) and dotted.str.fullmatch(GROUPED).all() and not cells.str.fullmatch(_UNGROUPED).any():
            found.append(f"{name!r}: {', '.join(map(repr, dotted.iloc[:3]))}")
    if found:
        raise InputError(
            f"table {path or ''}: points that may stand between thousands".replace(" :", ":"),
            "numbers like 1114, or like 1.1140 where the point is a decimal point",
            "; ".join(found),
            "write one number of the column in one of these ways",
        )


def read_csv_table(path: Path, text: Collection[str] | None = None, *, words: bool = True) -> pd.DataFrame:
    """A CSV file in UTF-8, cleaned; the index is the row as a spreadsheet counts it, the header being row 1.

    Parameters
    ----------
    path : the file; a first line `sep=;` states another separator than the comma; it is no row.
    text : the columns that stay text (`007` is not 7); None = all. The others become numbers where they are;
        integers beyond 64 bits become floats, infinite beyond theirs.
    words : only an empty cell is missing; False: also NA, NaN, null and the like.

    Raises
    ------
    InputError
        Two columns of one name, or rows with more or fewer cells than the header, by row.
    OSError, ValueError
        The file is missing, not UTF-8, empty, or not CSV.
    """
    if path.is_file() and (changed := alteration(path)):
        log.warning("%s is not as cocal wrote it (%s): what it holds now is used", path, changed)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        stated = first.lower().startswith("sep=") and len(first.rstrip("\r\n")) == 5
        separator = first[4] if stated else ","
        if not stated:
            file.seek(0)
        header, rows = _rows_of(path, csv.reader(file, delimiter=separator))
    names = [name or f"Unnamed: {i}" for i, name in enumerate(header)]
    areas = [name for name in names if _QUANTITY.fullmatch(name)]
    kept = None if text is None else {*text, *areas}
    table = cleaned(
        pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=names,
            index_col=False,
            skiprows=1 if stated else 0,
            dtype=str if kept is None else {name: str for name in names if name in kept},
            keep_default_na=not words,
            na_values=[""],
            encoding="utf-8-sig",
        ),
        path,
    )
    for name in areas if text is not None else ():
        with suppress(ValueError, TypeError):
            table[name] = pd.to_numeric(table[name])
    for name in table.columns:
        if is_object_dtype(table[name]) and table[name].map(lambda cell: isinstance(cell, int)).any():
            table[name] = table[name].map(lambda cell: float(str(cell)) if isinstance(cell, int) else cell)
    return table.set_axis(rows) if len(rows) == len(table) else table.set_axis(range(2, len(table) + 2))


def read_vector(path: Path, layer: str | None = None, **options: Any) -> pd.DataFrame:
    """The rows of a vector file or spreadsheet, cleaned; a GeoDataFrame where they have geometry.

    Times are text as written, and every cell of a spreadsheet is. The index is the row: as a spreadsheet
    counts them, the header being the first row that is not blank; elsewhere from 1.

    Parameters
    ----------
    path, layer : the file, its layer; None = the only one with geometry, or the only one.
    options : of `pyogrio.read_dataframe`.

    Raises
    ------
    InputError
        The file cannot be read; has several layers, columns of one name (in GeoJSON: a key twice in one
        object) or, in a spreadsheet, cells without a header.
    """
    kind = path.suffix.lower()
    try:
        if kind in _JSON:
            _refuse_doubled_keys(path)
        name = layer if layer is not None else only_layer(path)
        if kind in _SHEETS:
            return _sheet(path, name)
        frame = _decoded(path, name, options)
    except (OSError, ValueError, RuntimeError, OverflowError, ShapelyError, CRSError) as err:
        found = (str(err).splitlines() or [type(err).__name__])[0]
        raise InputError(
            f"table {path}", "a vector file or a spreadsheet", found, "correct or export it again"
        ) from err
    return cleaned(frame, path).set_axis(range(1, len(frame) + 1))


def only_layer(path: Path) -> str:
    """The name of the one layer of a vector file, the one with geometry if others have none."""
    listed = [(str(name), kind) for name, kind in pyogrio.list_layers(path)]
    names = [name for name, kind in listed if kind is not None] or [name for name, _ in listed]
    if len(names) != 1:
        found = ", ".join(map(repr, names)) or "none"
        raise InputError(f"table {path}", "one layer", found, "name one of them with `layer:`")
    return names[0]


def _decoded(path: Path, layer: str, options: dict[str, Any]) -> Any:
    """The rows of a layer. A shapefile without .cpg is read as UTF-8 if all of its text is."""
    asked: dict[str, Any] = {"layer": layer, "datetime_as_string": True} | options
    if path.suffix.lower() == ".shp" and not any(path.with_suffix(s).exists() for s in (".cpg", ".CPG")):
        with suppress(UnicodeDecodeError):
            return pyogrio.read_dataframe(path, encoding="UTF-8", **asked)
    return pyogrio.read_dataframe(path, **asked)


def _refuse_doubled_keys(path: Path) -> None:
    """Refuse GeoJSON in which an object has a key twice: readers take the last one in silence."""

    def names(pairs: list[tuple[str, Any]]) -> None:
        _refuse_doubled([clean_text(key) for key, _ in pairs], path)

    with suppress(json.JSONDecodeError):
        json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=names)


def _sheet(path: Path, layer: str) -> pd.DataFrame:
    """The rows of a sheet as text. GDAL by itself guesses the header, and takes the last of two columns."""
    cells = pyogrio.read_dataframe(
        path, layer=layer, read_geometry=False, HEADERS="DISABLE", FIELD_TYPES="STRING"
    )
    cells = cells.map(clean_text).set_axis(range(1, len(cells) + 1))
    cells = cells.mask(cells.isna() | (cells == ""), None).dropna(how="all").dropna(how="all", axis=1)
    if cells.empty:
        raise ValueError("the sheet is empty: it has no header")
    header, rows = cells.iloc[0], cells.iloc[1:]
    beyond = rows.index[rows.loc[:, header.isna().to_numpy()].notna().any(axis=1)].tolist()
    if beyond:
        raise InputError(
            f"table {path}: cells in columns without a header", "a name above every column",
            f"row {', '.join(map(str, beyond[:_SHOWN]))}", "name these columns, or empty them",
        )  # fmt: skip
    return cleaned(rows.set_axis(header.tolist(), axis=1), path)


def _rows_of(path: Path, reader: Iterator[list[str]]) -> tuple[list[str], list[int]]:
    """The clean header, and the number of each row that is not blank, after a check of all widths."""
    ragged, rows, nul = [], [], []
    header: list[str] | None = None
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) < 2 and not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [clean_text(cell) for cell in cells]
                continue
            rows.append(number)
            if any("\0" in cell for cell in cells):
                nul.append(number)
            if len(cells) != len(header):
                ragged.append((number, len(cells)))
    except csv.Error as err:
        raise ValueError(str(err)) from err
    if header is None:
        raise ValueError("the file is empty: it has no header")
    _refuse_doubled(header, path)
    if nul:
        found = f"row {', '.join(map(str, nul[:_SHOWN]))}"
        raise InputError(
            f"table {path}: NUL characters", "text", found, "correct these rows, or export it again"
        )
    if ragged:
        shown = ", ".join(f"row {n}: {k} cells" for n, k in ragged[:_SHOWN])
        more = f" and {len(ragged) - _SHOWN} more rows" if len(ragged) > _SHOWN else ""
        raise InputError(
            f"table {path}: rows with more cells or fewer cells than the header",
            f"{len(header)} cells in every row, as in the header",
            shown + more,
            "correct these rows: remove a comma at the end of a row or add it to the header, put a text that "
            "holds a comma in quotes",
        )
    return header, rows


def _refuse_doubled(names: Collection[Any], path: Path | None = None) -> None:
    doubled = [name for name, n in Counter(names).items() if n > 1 and name != ""]
    if doubled:
        raise InputError(
            f"table {path or ''}: several columns have the same name".replace(" :", ":"),
            "one column for each name in the header",
            ", ".join(map(repr, doubled)),
            "rename or remove the column that is not meant",
        )


def local_times(times: pd.Series) -> pd.Series:
    """Dates and times as datetime64[ns], as they are written: an offset from UTC moves no day.

    Texts are ISO dates or times, or days like 31/12/2024 (/, - or . between), of which only the day is kept.
    The order of day and month is proven by a row of the column with a number above 12.

    Returns
    -------
    NaT where a text is no whole date, or of a day whose order is not proven, or proven both ways.

    Examples
    --------
    >>> local_times(pd.Series(["01/02/2024", "25/12/2024"])).dt.strftime("%d %B").tolist()
    ['01 February', '25 December']
    >>> local_times(pd.Series(["01/02/2024", "03/04/2024"])).isna().tolist()
    [True, True]
    """
    if pd.api.types.is_datetime64_any_dtype(times.dtype):
        naive: pd.Series = times.dt.tz_localize(None).astype("datetime64[ns]")
        return naive
    written = times.astype("string").str.strip().str.replace(_OFFSET, r"\1", regex=True)
    whole = written.where(written.str.match(_WHOLE).fillna(False).astype(bool))
    found = _nanoseconds(whole.str.replace(_SLASHES, r"\1-\2-\3", regex=True), "ISO8601")
    parts = written[found.isna()].str.extract(_BY_NUMBERS)
    first, second = (pd.to_numeric(parts[k]) for k in (0, 1))
    by_day, by_month = bool((first > 12).any()), bool((second > 12).any())
    days = _nanoseconds(parts[3] + "-" + parts[4] + "-" + parts[5], "%Y-%m-%d")
    if by_day != by_month:
        day, month = (parts[0], parts[1]) if by_day else (parts[1], parts[0])
        days = days.fillna(_nanoseconds(parts[2] + "-" + month + "-" + day, "%Y-%m-%d"))
    return found.fillna(days)


def _nanoseconds(texts: pd.Series, form: str) -> pd.Series:
    found = pd.to_datetime(texts, errors="coerce", format=form)
    return found.where(found.dt.year.between(*_YEARS)).astype("datetime64[ns]")
