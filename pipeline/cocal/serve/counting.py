"""Hectares of a drawn polygon: the map's pixels whose centre lies inside, counted as the run counts regions.

It is a count of the map, not an estimate: it holds the map's errors and has no interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cocal.archive import read_raster
from cocal.classify.census.shares import Shares
from cocal.contracts import CLASS_TIF, NO_DATA, SHARES_NPZ
from cocal.grid import Window, cell_area_units, hectares, owned_by_zone, project, tiles
from cocal.run.measure.census import areas_of
from cocal.serve.runs import ShownRun
from cocal.store import proven

MOST_HA = 100_000.0
"""1,000 km2: about 10 million pixels, some seconds."""

_EDGE_DEGREES = 0.001
"""Sides are cut to about 110 m before they are projected: straight to 0.1 mm."""


def count_polygon(run: ShownRun, period: str, polygon: BaseGeometry) -> dict[str, Any]:
    """Hectares of each class of the map of a period inside a polygon in degrees.

    Returns
    -------
    classes: by key; not_observed_ha; no_map_ha: ground of pixels that no map of the period has. Together they
    are the ground of all pixels whose centre lies in the polygon. In an office's own map mixed pixels count
    by their parts, as in the tables.
    """
    maps = run.maps[period]
    side = next(iter(maps)).window
    total, beyond = np.zeros(256, dtype=np.int64), 0
    for tile in tiles(polygon, side.width, side.resolution):
        inside = _inside(polygon, tile.window)
        units = cell_area_units(tile.window)
        if tile in maps:
            total += _areas(maps[tile], tile.window, inside, units, own=not run.by_model)
        else:
            beyond += int(units[inside].sum())
    return {
        "classes": {c.key: hectares(int(total[c.code])) for c in run.scheme.classes},
        "not_observed_ha": hectares(int(total[NO_DATA])),
        "no_map_ha": hectares(beyond),
    }


def _inside(polygon: BaseGeometry, window: Window) -> NDArray[np.bool_]:
    """(y, x) True where the pixel's centre lies in the polygon, and the window's zone owns the pixel."""
    shape = project(polygon, 4326, window.epsg, densify=_EDGE_DEGREES)
    found = rasterize([(shape, 1)], out_shape=window.shape, transform=window.transform, dtype="uint8")
    return np.asarray(found > 0) & owned_by_zone(window)


def _areas(
    folder: Path, window: Window, inside: NDArray[np.bool_], units: NDArray[np.int64], *, own: bool
) -> NDArray[np.int64]:
    """(256,) ground inside by class code, 1e-6 m2."""
    codes = read_raster(proven(folder / CLASS_TIF), window, window.resolution, "uint8")
    shares = Shares.read(proven(folder / SHARES_NPZ)) if own else None
    place = np.where(inside, 0, -1).astype(np.int32)
    return np.asarray(areas_of(codes, place, units, shares, 1)[0])
