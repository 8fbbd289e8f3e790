"""The tables of hectares on disk: CSV for people, Parquet for programs, the same values in both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cocal.contracts import AREAS, COMPARISON, check_table
from cocal.notes import with_text
from cocal.store import atomic_path, write_csv

_DECIMALS = {
    "estimated_ha": 4,
    "standard_error_ha": 4,
    "ci_low_ha": 4,
    "ci_high_ha": 4,
    "small_area_ha": 4,
    "small_area_low_ha": 4,
    "small_area_high_ha": 4,
    "last_ha": 4,
    "field_ha": 4,
    "official_ha": 4,
    "difference_ha": 4,
    "width_needed_ha": 4,
    "observed_fraction": 6,
}


_EXACT = ("mapped_ha", "outside_ha", "doubt_ha")


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    """UTF-8, comma, decimal point, line feeds; counted hectares in full, other figures to stated decimals."""
    shown = with_text(table)
    for name in shown.columns.intersection(list(_DECIMALS)):
        places = _DECIMALS[name]
        shown[name] = [
            "" if pd.isna(value) else f"{value:.{places}f}" for value in shown[name].astype("float64")
        ]
    for name in shown.columns.intersection(list(_EXACT)):
        shown[name] = ["" if pd.isna(value) else f"{value:.10f}" for value in shown[name]]
    write_csv(path, shown)


def write_tables(folder: str | Path, areas: pd.DataFrame) -> list[Path]:
    """Write areas/1 as hectares.csv and hectares.parquet in `folder`; the paths written.

    In the CSV the classes' `mapped_ha` plus the unobserved row equal the owned area to the last of ten
    decimals.
    """
    check_table(areas, AREAS)
    csv, parquet = Path(folder) / "hectares.csv", Path(folder) / "hectares.parquet"
    _write_csv(csv, areas)
    with atomic_path(parquet) as temporary:
        with_text(areas).to_parquet(temporary, index=False)
    return [csv, parquet]


def write_comparison(folder: str | Path, comparison: pd.DataFrame) -> Path:
    """Write comparison/1 as comparison.csv in `folder`; the path written."""
    path = Path(folder) / "comparison.csv"
    _write_csv(path, check_table(comparison, COMPARISON))
    return path
