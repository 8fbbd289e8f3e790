"""Mapped hectares per square of a grid, as the agencies publish them, and what of it may be published.

A square kilometre that holds one plot identifies its owner. So a square is published only if it holds a
stated number of plots or none at all, and never such that a withheld square follows from its region's total.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import NO_DATA
from cocal.errors import UsageError
from cocal.estimate.mapped import exact_ha
from cocal.notes import Note, note_column

CELL_COLUMNS = ("region", "owned_units", "unobserved_units", "target_units", "plots")

_TOUCHING = np.ones((3, 3), dtype=int)


def cell_rows(
    codes: NDArray[np.uint8],
    owner: NDArray[np.int32],
    units: NDArray[np.int64],
    *,
    target: int,
    plot_units: int,
) -> tuple[int, int, int, int, int] | None:
    """`CELL_COLUMNS` of one square; None where no region owns ground in it.

    Parameters
    ----------
    codes, owner, units : (y, x) class code, owning region (-1 none), area in 1e-6 m2.
    target : code of the target.
    plot_units : area from which a patch of the target counts as a plot, 1e-6 m2.

    Returns
    -------
    The region that owns most of the square (the first of equals), its owned, unobserved and target ground
    in 1e-6 m2, and the number of plots: patches of the target within the square, corners touching, that are
    large enough to be one. What is smaller is mostly an error of the map, and hides nobody.
    """
    from scipy.ndimage import label  # slow to load, and not every run has squares

    inside = owner >= 0
    if not inside.any():
        return None
    regions, place = np.unique(owner[inside], return_inverse=True)
    shares = np.zeros(len(regions), dtype=np.int64)
    np.add.at(shares, place, units[inside])
    there = inside & (codes == target)
    patch, n_patches = label(there, structure=_TOUCHING)
    sizes = np.zeros(n_patches + 1, dtype=np.int64)
    np.add.at(sizes, patch[there], units[there])
    return (
        int(regions[shares.argmax()]),
        int(shares.sum()),
        int(units[inside & (codes == NO_DATA)].sum()),
        int(units[there].sum()),
        int((sizes[1:] >= plot_units).sum()),
    )


def density_table(cells: pd.DataFrame, regions: pd.DataFrame, *, cell_m: int, period: str) -> pd.DataFrame:
    """The squares with hectares; they add up to the regions' mapped hectares exactly.

    Parameters
    ----------
    cells : epsg, column, row and `CELL_COLUMNS`, any order.
    regions : region_id, country of the regions by number.
    cell_m : side of a square, m: its south-west corner lies at (column, row) x cell_m.

    Returns
    -------
    cell_id (EPSG code and kilometres of that corner), epsg, x, y (m, of that corner), side_m, period,
    region_id, country, owned_ha, observed_fraction, mapped_ha (Decimal), plots.
    """
    table = cells.sort_values(["epsg", "row", "column"], kind="stable").reset_index(drop=True)
    x, y = table["column"] * cell_m, table["row"] * cell_m
    where = zip(table["epsg"], x / 1000, y / 1000, strict=True)
    return pd.DataFrame(
        {
            "cell_id": [f"{epsg}-E{east:g}-N{north:g}" for epsg, east, north in where],
            "epsg": table["epsg"],
            "x": x,
            "y": y,
            "side_m": cell_m,
            "period": period,
            "region_id": regions["region_id"].to_numpy()[table["region"]],
            "country": regions["country"].to_numpy()[table["region"]],
            "owned_ha": table["owned_units"] / 10**10,
            "observed_fraction": 1 - table["unobserved_units"] / table["owned_units"],
            "mapped_ha": [exact_ha(units) for units in table["target_units"]],
            "plots": table["plots"],
        }
    )


def public_density(table: pd.DataFrame, min_plots: int) -> pd.DataFrame:
    """`density_table` as it may be published: without `plots`, with `notes`, some squares without hectares.

    A square that holds the target and fewer than `min_plots` plots is withheld. Where that leaves one
    withheld square in a region
    and period, its hectares would follow from the region's total, so a second is withheld: that with the
    least of the target, chosen among equals by the hash of its name.

    Raises
    ------
    UsageError : `min_plots` below 2 protects nobody.
    """
    if min_plots < 2:
        raise UsageError(
            "density.min_plots", "2 or more", str(min_plots), "state how many plots hide each other"
        )
    few = (table["mapped_ha"] > 0) & (table["plots"] < min_plots)
    notes: list[tuple[Note, ...]] = [(Note("withheld_few_plots"),) if own else () for own in few]
    alone = few.groupby([table["region_id"], table["period"]]).transform("sum") == 1
    for _, group in table[alone].groupby(["region_id", "period"]):
        others = group[~few[group.index]]
        if len(others):
            order = [
                (ha, hashlib.sha256(name.encode()).hexdigest())
                for ha, name in zip(others["mapped_ha"], others["cell_id"], strict=True)
            ]
            least = others.index[min(range(len(order)), key=order.__getitem__)]
            notes[list(table.index).index(least)] = (Note("withheld_would_follow"),)
    shown = table["mapped_ha"].where(pd.Series([not own for own in notes], index=table.index), None)
    return table.drop(columns="plots").assign(mapped_ha=shown, notes=note_column(notes, table.index))
