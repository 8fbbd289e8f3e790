"""The audit of public/: its tables, read back and held against the rule before they are committed."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from cocal.errors import ContractError
from cocal.estimate.disclosure import rounded_estimates
from cocal.run.results.public_tables import Places, shown_ha, with_shown
from cocal.run.tables import read_staged_csv


def audit(folder: Path, places: Places) -> None:
    """Pass if the tables in `folder` hold nothing of the map but published squares and their sums.

    They are read as an attacker would read them, from the files that were written.

    Raises
    ------
    ContractError
        Every column, square or sum that breaks the rule.
    """
    allowed, files = places.columns, {path.stem: path for path in sorted(folder.glob("*.csv"))}
    tables = {name: read_staged_csv(path) for name, path in files.items()}
    problems = []
    if places.shown is None:
        problems += _wrong_squares(tables.pop("density"), places)
    problems += [f"public/ has a table {name}.csv" for name in sorted({*tables} - {*allowed, "notes"})]
    tables = {name: table for name, table in tables.items() if name in allowed}
    for name, table in tables.items():
        problems += [f"{name}.csv has a column {c!r}" for c in table.columns if c not in allowed[name]]
        problems += _wrong_sums(name, table, places) if "shown_ha" in table else []
        problems += _wrong_estimates(name, table, places) if "estimated_ha" in table else []
    if problems:
        raise ContractError(
            "public/ would break the disclosure rule", "whole hectares of published places, and their sums",
            "; ".join(problems[:10]), "report this fault; nothing was published",
        )  # fmt: skip


def _wrong_squares(squares: pd.DataFrame, places: Places) -> list[str]:
    found, texts = squares["mapped_ha"], squares["notes"].fillna("")
    wanted = places.squares["mapped_ha"].reset_index(drop=True)
    problems = [] if found.equals(wanted) else ["density.csv holds other squares than those of the rule"]
    problems += [] if (found.dropna() % 1 == 0).all() else ["density.csv holds parts of hectares"]
    if texts[found.isna()].nunique() > 1 or texts[found.notna()].any():
        problems.append("density.csv has different notes for squares that are not shown")
    return problems


def _wrong_sums(name: str, table: pd.DataFrame, places: Places) -> list[str]:
    wrong = []
    for row in table.to_dict("records"):
        wanted, found = shown_ha(places.hectares(name, row)), row["shown_ha"]
        if wanted != found and not (math.isnan(wanted) and math.isnan(found)):
            wrong.append(f"{name}.csv has {found} ha where the published places sum to {wanted}")
    return wrong


def _wrong_estimates(name: str, table: pd.DataFrame, places: Places) -> list[str]:
    """Estimates other than those of the published regions."""
    if "shown_ha" not in table or places.shown is None:
        return []
    figures = ("estimated_ha", "ci_low_ha", "ci_high_ha", "small_area_ha", "small_area_low_ha",
               "small_area_high_ha", "last_ha")  # fmt: skip
    names = [column for column in figures if column in table]
    wanted = rounded_estimates(with_shown(name, table.assign(standard_error_ha=0.0), places))
    same = (table[names] == wanted[names]) | (table[names].isna() & wanted[names].isna())
    rows = [row for row, good in enumerate(same.all(axis=1)) if not good]
    return [f"{name}.csv has another estimate in row {row} than that of its regions" for row in rows]
