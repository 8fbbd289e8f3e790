"""Any table or vector file -> its rows as they stand, with the row numbers of a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd

from cocal.errors import InputError
from cocal.user_tables import cleaned, read_csv_table, read_vector

_TEXT_TABLES = (".csv", ".txt")


def read_rows(path: Path, layer: str | None = None) -> pd.DataFrame:
    """Return the rows of a CSV, Excel, Parquet or vector file; a GeoDataFrame where it has geometry.

    CSV: every value is text and only an empty cell is null. Texts are clean as `user_tables.cleaned` states;
    times are text, so that no offset from UTC moves a day. The index is the row as a spreadsheet counts it:
    the header of a CSV or Excel file is row 1, its first record row 2; elsewhere the first record is row 1.

    Raises
    ------
    InputError
        The file is missing, damaged, not UTF-8, or has several layers and none is named.
    """
    if not path.is_file() and not path.is_dir():
        raise InputError(f"table {path}", "a file", "no such file", "correct the path in the configuration")
    try:
        if path.suffix.lower() in _TEXT_TABLES:
            return read_csv_table(path)
        if path.suffix.lower() != ".parquet":
            return read_vector(path, layer)
        rows = _read_parquet(path)
    except UnicodeDecodeError as err:
        raise InputError(
            f"table {path}",
            "text in UTF-8",
            f"byte {err.start} is not",
            "save it again as CSV UTF-8, or see `cocal records check FILE`",
        ) from err
    except (OSError, ValueError) as err:
        raise InputError(
            f"table {path}", "a CSV, Parquet or vector file", _first_line(err), "correct or export it again"
        ) from err
    return cleaned(rows).set_axis(range(1, len(rows) + 1))


def _read_parquet(path: Path) -> pd.DataFrame:
    """Return GeoParquet as a GeoDataFrame; geopandas refuses plain Parquet with a ValueError."""
    try:
        rows: pd.DataFrame = gpd.read_parquet(path)
    except ValueError:
        rows = pd.read_parquet(path)
    return rows


def _first_line(err: Exception) -> str:
    return (str(err).splitlines() or [type(err).__name__])[0]
