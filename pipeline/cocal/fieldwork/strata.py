"""The table of a design's strata."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cocal.errors import InputError
from cocal.fieldwork.columns import Columns, listed
from cocal.fieldwork.tables import read_rows


def read_strata(path: Path, records: pd.DataFrame) -> pd.DataFrame:
    """Return stratum, area_ha, region_id (null where the file has none) of every stratum of the design.

    With `pixels` (and `pixel_area_m2`) where the file has them: then estimates have a finite-population
    correction.

    Raises
    ------
    InputError
        With every problem at once: columns missing, a stratum (in a region) twice, an area that is not a
        positive number, strata of the records that the table does not have.
    """
    rows = read_rows(path)
    missing = sorted({"stratum", "area_ha"} - set(rows.columns))
    read = Columns(rows)
    if missing:
        there = ", ".join(repr(str(c)) for c in rows.columns)
        read.problems.append(f"no column {listed(missing, repr)}; the columns are {there}")
    else:
        table = _strata(read, "region_id" if "region_id" in rows.columns else None)
        for name in ("pixels", "pixel_area_m2"):
            if name in rows.columns:
                table[name] = read.numbers(name, 0, np.inf, open_low=True).to_numpy()
                read.problem(table[name].isna(), f"no {name!r}")
        absent = sorted(set(records["stratum"].dropna()) - set(table["stratum"].dropna()))
        if absent:
            read.problems.append(f"records have strata that the table does not have: {listed(absent, repr)}")
    if read.problems:
        raise InputError(
            f"the strata in {path} cannot be used",
            "a CSV with stratum, area_ha and, where strata are crossed with regions, region_id",
            "\n    ".join(["", *read.problems]),
            "correct the table; the areas are those of the design",
        )
    return table


def _strata(read: Columns, region: str | None) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "stratum": read.text("stratum"),
            "area_ha": read.numbers("area_ha", 0, np.inf, open_low=True),
            "region_id": read.text(region),
        }
    )
    read.problem(table["stratum"].isna(), "no 'stratum'")
    read.problem(table["area_ha"].isna(), "no 'area_ha'")
    keys = ["stratum", "region_id"]
    read.problem(table.duplicated(keys, keep=False).to_numpy(), "a stratum that occurs twice")
    return table.reset_index(drop=True)
