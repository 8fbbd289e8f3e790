"""Pixels without data beside the ground that the catalogue's footprints cover."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from shapely.geometry.base import BaseGeometry

from cocal.grid import Window, project, windows_bounds
from cocal.scenes.download.catalogue import Granule, SceneRequest
from cocal.scenes.download.gate import Fault

DEGREE_M = 111_320.0
OUTLINE_SHARE, OUTLINE_MOST_M = 0.02, 2500.0
"""Largest error of a footprint, as a share of its extent (2.2 km of a granule's 110 km) and in metres."""
LEAST_SHARE = 0.01
"""Less ground than this share of a window is not judged."""
MISSING = "cocal:missing_share"
"""Property of an item: `missing_share`, where it is above 0."""
TRIES = 2
"""A body with too little data is requested once more: each try is charged."""


def missing_share(window: Window, granules: Sequence[Granule], has_data: NDArray[np.bool_]) -> float:
    """Share of the ground covered by footprints that has no data, 0 to 1.

    The union of the footprints is shrunk by their possible error first, so the edge of a swath counts only
    where data are missing further inside. A granule of which the catalogue states a box alone covers nothing.

    Parameters
    ----------
    window
        The ground judged, with h x w pixels.
    granules
        The granules that the catalogue lists of it.
    has_data
        (h, w) bool: pixels with data.

    Returns
    -------
    float
        0 where less than 1 % of the window is covered, or lacks data.
    """
    covered = _covered(window, [g.footprint for g in granules if g.outlined])
    missing = int((covered & ~has_data).sum())
    if missing <= LEAST_SHARE * covered.size:
        return 0.0
    return missing / int(covered.sum())


def _covered(window: Window, footprints: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
    """Pixels (h, w) whose centre lies inside the union of the footprints, shrunk by their possible error."""
    ground = shapely.union_all(shapely.make_valid(np.array(footprints, dtype=object)))
    if ground.is_empty:
        return np.zeros(window.shape, dtype=bool)
    west, south, east, north = ground.bounds
    extent = max((east - west) * math.cos(math.radians((south + north) / 2)), north - south) * DEGREE_M
    error = min(OUTLINE_SHARE * extent, OUTLINE_MOST_M)
    reach = window.expanded(math.ceil(2 * error / window.resolution))
    near = shapely.intersection(ground, shapely.box(*next(windows_bounds([reach]))[1].bounds))
    inside = project(near, 4326, window.epsg, densify=0.01).buffer(-error)
    if inside.is_empty:
        return np.zeros(window.shape, dtype=bool)
    return np.asarray(geometry_mask([inside], window.shape, window.transform, invert=True))


def check_coverage(request: SceneRequest, has_data: NDArray[np.bool_], largest: float) -> None:
    """Raise if more than the share `largest` of the ground that the catalogue states has no data.

    Parameters
    ----------
    request
        A tile-date, judged as a whole, or a screen, of which each tile-date is judged.
    has_data
        (h, w) bool on its window: pixels with data.

    Raises
    ------
    Fault
        To be tried once more.
    """
    for name, window, granules in request.ground:
        share = missing_share(window, granules, has_data[request.window.slices_of(window)])
        if share > largest:
            where = "" if name == request.unit else f"{name}: "
            raise Fault(
                f"{where}no data on {share:.0%} of the ground that the catalogue's footprints cover, "
                f"more than {largest:.0%} (`download.max_missing`)",
                most=TRIES,
            )
