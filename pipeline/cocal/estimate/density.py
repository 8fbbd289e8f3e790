"""Mapped hectares per square of a grid, as the agencies publish them.

`cocal.estimate.disclosure` has what of them may be published.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import NO_DATA
from cocal.estimate.mapped import exact_ha

CELL_COLUMNS = ("region", "owned_units", "unobserved_units", "target_units", "plots")

_TOUCHING = np.ones((3, 3), dtype=int)


def cell_rows(
    codes: NDArray[np.uint8],
    owner: NDArray[np.int32],
    units: NDArray[np.int64],
    ground: NDArray[np.int64],
    *,
    target: int,
    plot_units: int,
) -> tuple[int, int, int, int, int] | None:
    """`CELL_COLUMNS` of one square; None where no region owns ground in it.

    Parameters
    ----------
    codes, owner, units : (y, x) class code, owning region (-1 none), area in 1e-6 m2.
    ground : (y, x) ground of the target, 1e-6 m2: of the whole pixel or of a part of it.
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
        int(ground[inside].sum()),
        int((sizes[1:] >= plot_units).sum()),
    )


def plots_of_regions(
    codes: NDArray[np.uint8],
    owner: NDArray[np.int32],
    units: NDArray[np.int64],
    n_regions: int,
    *,
    target: int,
    plot_units: int,
) -> NDArray[np.int64]:
    """(n_regions,) number of plots in each region; the arguments are those of `cell_rows`, without `ground`.

    A patch in two regions is a plot of each where it holds `plot_units`. One at the edge of the raster may go
    on in the next, and is not counted: no plot counts twice, and a region never has fewer than are counted.
    """
    from scipy.ndimage import label  # slow to load, and not every run has squares

    patch, _ = label((codes == target) & (owner >= 0), structure=_TOUCHING)
    patch = patch.astype(np.int64)
    edge = np.unique(np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]]))
    there = (patch > 0) & ~np.isin(patch, edge)
    parts, place = np.unique(patch[there] * n_regions + owner[there], return_inverse=True)
    sizes = np.zeros(len(parts), dtype=np.int64)
    np.add.at(sizes, place, units[there])
    return np.bincount(parts[sizes >= plot_units] % n_regions, minlength=n_regions).astype(np.int64)


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
