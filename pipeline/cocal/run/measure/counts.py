"""Exact areas of one tile's maps: by region, by legal zone, by change between periods, by square of the grid.

These functions run in workers; each returns sums or rows of its own ground, so that their order does not
matter. No map: all of the tile is unobserved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.contracts import CLASS_TIF, NO_DATA
from cocal.estimate import count_units
from cocal.estimate.density import CELL_COLUMNS, cell_rows
from cocal.grid import Tile, Window, cell_area_units
from cocal.regions import owned, owners
from cocal.run.worker.mosaic import Maps, Source, mosaic, regions_of

CHANGES = ("cleared", "new", "replanted", "seen_twice")
"""Of the target between two periods: there and then not; not and then there; new ground that had been cleared
between the two periods before; ground that both maps show."""


def class_codes(tile: Tile, class_map: Path | None) -> NDArray[np.uint8]:
    """(y, x) codes of a tile's class map."""
    window = tile.window
    if class_map is None:
        return np.zeros(window.shape, dtype=np.uint8)
    codes: NDArray[np.uint8] = read_raster(class_map, window, window.resolution, "uint8")
    return codes


def tile_counts(tile: Tile, class_map: Path | None, regions: Source) -> NDArray[np.int64]:
    """(regions, 256) area by region and class code, in 1e-6 m2."""
    own = regions_of(regions)
    codes = class_codes(tile, class_map)
    return count_units(codes, owned(own, tile.window), cell_area_units(tile.window), len(own))


def zone_counts(
    tile: Tile, class_map: Path | None, regions: Source, zones: Source, country_of: tuple[int, ...]
) -> NDArray[np.int64]:
    """(countries * (1 + zones), 256) area of the regions' ground by country, legal zone and class code.

    `country_of`: number of the country of each region. Zone 0 is ground in no zone.
    """
    legal = regions_of(zones)
    owner = owned(regions_of(regions), tile.window)
    country = np.where(owner >= 0, np.array([*country_of, 0])[owner], -1)
    step = len(legal) + 1
    place = np.where(country >= 0, country * step + owners(legal, tile.window) + 1, -1).astype(np.int32)
    n = (max(country_of) + 1) * step
    return count_units(class_codes(tile, class_map), place, cell_area_units(tile.window), n)


def change_counts(
    tile: Tile, class_maps: Sequence[Path | None], regions: Source, target: int
) -> NDArray[np.int64]:
    """(pairs of successive periods, regions, CHANGES) area in 1e-6 m2; `class_maps` in order of time."""
    own = regions_of(regions)
    owner, units = owned(own, tile.window), cell_area_units(tile.window)
    seen, there = [], []
    for path in class_maps:
        codes = class_codes(tile, path)
        seen.append(codes != NO_DATA)
        there.append(codes == target)
    totals = np.zeros((len(class_maps) - 1, len(own), len(CHANGES)), dtype=np.int64)
    for k in range(len(class_maps) - 1):
        both = seen[k] & seen[k + 1]
        new = both & ~there[k] & there[k + 1]
        before = there[k - 1] if k else np.zeros_like(new)
        parts = (both & there[k] & ~there[k + 1], new, new & before, both)
        for q, part in enumerate(parts):
            totals[k, :, q] = count_units(part.astype(np.uint8), owner, units, len(own))[:, 1]
    return totals


def density_cells(
    tile: Tile,
    cells: NDArray[np.int64],
    maps: Maps,
    regions: Source,
    cell_m: int,
    target: int,
    plot_units: int,
) -> pd.DataFrame:
    """One row per square of the grid that holds owned ground: see `cocal.estimate.density.cell_rows`.

    `cells`: (k, 2) column and row of the squares that are this tile's to count; `maps`: tiles and folders
    of the maps that touch them.
    """
    own, w = regions_of(regions), tile.window
    low, high = cells.min(axis=0) * cell_m, (cells.max(axis=0) + 1) * cell_m
    width, height = ((high - low) // w.resolution).tolist()
    window = Window(w.epsg, int(low[0]), int(high[1]), width, height, w.resolution)
    codes = mosaic(maps, window, CLASS_TIF, "uint8", NO_DATA)
    owner, units, side = owned(own, window), cell_area_units(window), cell_m // w.resolution
    rows = []
    for column, row in cells.tolist():
        left = (column * cell_m - window.left) // w.resolution
        top = (window.top - (row + 1) * cell_m) // w.resolution
        cut = slice(top, top + side), slice(left, left + side)
        found = cell_rows(codes[cut], owner[cut], units[cut], target=target, plot_units=plot_units)
        if found is not None:
            rows.append((w.epsg, column, row, *found))
    return pd.DataFrame(rows, columns=["epsg", "column", "row", *CELL_COLUMNS]).astype("int64")
