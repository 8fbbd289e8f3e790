"""Rows -> the columns of records/1. Each reader lists the problems by row, and drops nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.user_tables import DATE, clean_text, local_times

_SHOWN = 10
_YES = {"1", "true", "t", "yes", "y", "si", "sí", "s"}
_NO = {"0", "false", "f", "no", "n"}


def listed(values: Collection[Any], show: Callable[[Any], str] = str) -> str:
    """Return the first ten values, and how many more there are."""
    texts = [show(v) for v in list(values)[:_SHOWN]]
    rest = len(values) - len(texts)
    return ", ".join(texts) + (f" and {rest} more" if rest else "")


@dataclass(frozen=True)
class Columns:
    """The columns of one table, read one by one; `problems` lists what is wrong, with row numbers."""

    rows: pd.DataFrame
    problems: list[str] = field(default_factory=list)

    def problem(self, wrong: pd.Series[bool] | NDArray[np.bool_], words: str) -> None:
        """Add a problem of the rows that are True, if there are any."""
        numbers = self.rows.index[np.asarray(wrong, dtype=bool)].tolist()
        if numbers:
            self.problems.append(f"{words}: row {listed(numbers)}")

    def text(self, column: str | None) -> pd.Series[Any]:
        """Return values as stripped text, null where empty or where there is no column."""
        if column is None:
            return pd.Series(pd.NA, index=self.rows.index, dtype="string")
        values = self.rows[column]
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")
        found = values.astype("string").str.normalize("NFC").str.strip()
        return found.mask(found == "", pd.NA)

    def ids(self, column: str) -> pd.Series[Any]:
        """Return text that no two rows share and no row lacks."""
        found = self.text(column)
        self.problem(found.isna(), f"no {column!r}")
        doubled = found.duplicated(keep=False) & found.notna()
        if doubled.any():
            names = sorted(set(found[doubled]))
            self.problem(doubled, f"{column!r} used more than once ({listed(names, repr)})")
        return found

    def numbers(
        self, column: str | None, low: float, high: float, *, open_low: bool = False
    ) -> pd.Series[Any]:
        """Return float64 in [low, high], or (low, high] where `open_low`; null stays null (NaN)."""
        text = self.text(column)
        found = pd.to_numeric(text, errors="coerce").astype("float64")
        bad = (found.isna() | ~np.isfinite(found)) & text.notna()
        self.problem(bad, f"{column!r} is not a number")
        outside = (found <= low if open_low else found < low) | (found > high)
        self.problem(outside & ~bad, f"{column!r} outside {'(' if open_low else '['}{low:g}, {high:g}]")
        return found

    def dates(self, column: str | None) -> pd.Series[Any]:
        """Return days (datetime64[ms], as in GeoParquet) of dates or times, as `local_times` reads them."""
        text = self.text(column)
        found: pd.Series[Any] = local_times(text).dt.normalize().astype("datetime64[ms]")
        self.problem(found.isna() & text.notna(), f"{column!r} is not {DATE}")
        return found

    def flags(self, column: str | None) -> pd.Series[Any]:
        """Return booleans from true/false, yes/no, sí/no, 1/0; no column: all True."""
        if column is None:
            return pd.Series(True, index=self.rows.index)
        text = self.text(column).str.lower()
        self.problem(~text.isin(_YES | _NO), f"{column!r} is neither yes nor no")
        return text.isin(_YES)

    def choices(self, column: str | None, allowed: tuple[str, ...]) -> pd.Series[Any]:
        """Return one of `allowed`; the first where there is no column or the cell is empty."""
        found = self.text(column).fillna(allowed[0])
        self.problem(~found.isin(allowed), f"{column!r} is none of {', '.join(allowed)}")
        return found

    def classes(
        self, column: str, names: dict[str, str] | None, keys: Collection[str], visited: pd.Series[bool]
    ) -> pd.Series[Any]:
        """Return class keys; null only where a point was not visited."""
        found = self.labels(column, names, keys)
        self.problem(self.text(column).isna() & visited, f"visited, but no {column!r}")
        return found

    def labels(
        self, column: str | None, names: dict[str, str] | None, keys: Collection[str]
    ) -> pd.Series[Any]:
        """Return class keys, null where the cell is empty."""
        labels = self.text(column)
        known = {key: key for key in keys} if names is None else {clean_text(k): v for k, v in names.items()}
        unknown = labels.notna() & ~labels.isin(list(known))
        if unknown.any():
            seen = sorted(set(labels[unknown]))
            self.problem(unknown, f"classes that are not in `class_names` ({listed(seen, repr)})")
        return labels.map(known).astype("string")
