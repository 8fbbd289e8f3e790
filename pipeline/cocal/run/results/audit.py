"""The audit of public/: its tables, read back and held against the rule before they are committed."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from cocal.errors import ContractError
from cocal.run.results.public_tables import COLUMNS, KEYS, Places, shown_ha, withheld
from cocal.run.tables import read_staged_csv


def audit(folder: Path, places: Places) -> None:
    """Pass if the tables in `folder` hold nothing of the map but published squares and their sums.

    They are read as an attacker would read them, from the files that were written.

    Raises
    ------
    ContractError
        Every column, square or sum that breaks the rule.
    """
    problems = _wrong_squares(read_staged_csv(folder / "density.csv"), places)
    tables = {name: read_staged_csv(path) for name in COLUMNS if (path := folder / f"{name}.csv").exists()}
    for name, table in tables.items():
        problems += [f"{name}.csv has a column {c!r}" for c in table.columns if c not in COLUMNS[name]]
    for name in KEYS:
        problems += _wrong_sums(name, tables[name], places) if name in tables else []
    countries = tables["countries"]
    problems += [
        f"countries.csv has an estimate in row {position} from which another follows"
        for position in sorted(withheld(countries, places))
        if not pd.isna(countries["estimated_ha"].iloc[position])
    ]
    if problems:
        raise ContractError(
            "public/ would break the disclosure rule", "whole hectares of published squares, and their sums",
            "; ".join(problems[:10]), "report this fault; nothing was published",
        )  # fmt: skip


def _wrong_squares(squares: pd.DataFrame, places: Places) -> list[str]:
    found, texts = squares["mapped_ha"], squares["notes"].fillna("")
    wanted = places.squares["mapped_ha"].reset_index(drop=True)
    problems = [] if found.equals(wanted) else ["density.csv holds other squares than those of the rule"]
    problems += [] if (found.dropna() % 1 == 0).all() else ["density.csv holds parts of hectares"]
    if texts[found.isna()].nunique() > 1 or texts[found.notna()].any():
        problems.append("density.csv tells squares that are not shown apart")
    return problems


def _wrong_sums(name: str, table: pd.DataFrame, places: Places) -> list[str]:
    wrong = []
    for row in table.to_dict("records"):
        wanted, found = shown_ha(places.hectares(name, row)), row["shown_ha"]
        if wanted != found and not (math.isnan(wanted) and math.isnan(found)):
            wrong.append(f"{name}.csv has {found} ha where the published squares sum to {wanted}")
    return wrong
