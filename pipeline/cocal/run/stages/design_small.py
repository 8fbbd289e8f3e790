"""What `small_area` will say of each region of a design, beside the guarantee, before anyone travels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate.regional.small_area import Ends, SmallCells, small_area_intervals
from cocal.fieldwork.design import Frame
from cocal.grid import hectares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = ("small_area_low_ha", "small_area_high_ha", "small_area_no_hit_ha")
_BATCHES = 50


def expected_small_area(
    frame: Frame, n: Ints, class_units: Ints, *, target: int, no_hit_ha: Floats, confidence: float
) -> pd.DataFrame:
    """Return per region the ends of `small_area` at the expected points of the target, and without any.

    "Without any" takes the target's points from a part of the regions at a time, one of `_BATCHES`, and
    leaves those of all others as expected. NaN where `small_area` is not offered: many points of the target
    are expected, or more of them where the map shows none than its model allows.

    Parameters
    ----------
    n : (H,) points.
    class_units : (regions, strata of the rules, codes) area in 1e-6 m2 by class of the map.
    target : its code.
    no_hit_ha : (regions,) upper end of the guarantee without a point of the target; NaN = no ground.
    """
    cells = _cells(frame, n, class_units, target)
    size = len(frame.cells.regions)
    there = np.bincount(cells.region, cells.area_ha, size) > 0
    found = np.full((size, 3), np.nan)
    found[:, :2] = _ends(cells, size, no_hit_ha, np.zeros(size, bool), confidence)
    batch = np.arange(size) % _BATCHES
    for one in range(min(_BATCHES, size)):
        without = batch == one
        found[without, 2] = _ends(cells, size, no_hit_ha, without, confidence)[without, 1]
    found[~there] = np.nan
    return pd.DataFrame(found, columns=list(COLUMNS))


def _cells(frame: Frame, n: Ints, class_units: Ints, target: int) -> SmallCells:
    """Return the ground with the points and the hits that are expected on it."""
    mapped = class_units[..., target]
    parts = np.stack([class_units.sum(axis=2) - mapped, mapped], axis=-1)
    region, column, is_mapped = np.nonzero(parts)
    stratum = frame.stratum_of[region, column]
    area = np.array([hectares(int(u)) for u in parts[region, column, is_mapped]])
    per_point = frame.area_ha / n
    points = area / per_point[stratum]
    hits = points * frame.share[region, column]
    return SmallCells(stratum, region, is_mapped > 0, area, points, hits, per_point[stratum])


def _ends(
    cells: SmallCells, size: int, no_hit_ha: Floats, without: NDArray[np.bool_], confidence: float
) -> Floats:
    """(regions, 2) low and high; the regions `without` have no point of the target."""
    hits = np.where(without[cells.region], 0.0, cells.hits)
    expected = SmallCells(
        cells.stratum, cells.region, cells.mapped, cells.area_ha, cells.points, hits, cells.per_point_ha
    )
    area = np.bincount(cells.region, hits * cells.per_point_ha, size).astype(np.float64)
    error = np.sqrt(np.bincount(cells.region, hits * cells.per_point_ha**2, size))
    ground = np.bincount(cells.region, cells.area_ha, size).astype(np.float64)
    high = np.where(without, np.nan_to_num(no_hit_ha), ground)
    found = small_area_intervals(expected, Ends(area, error, np.zeros(size), high), confidence=confidence)
    return np.column_stack([found.low_ha, found.high_ha])
