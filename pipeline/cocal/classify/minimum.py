"""A minimum mapping unit that preserves area.

Patches of the target of fewer pixels than stated are removed, then holes in it of fewer pixels are filled;
pixels are connected by their sides. The removed area is made up for where the target is likeliest besides:
the probability from which a pixel is the target is moved, region by region, until the region has the area
that it had before.

Both steps are done for all probabilities at once. The kept level of a pixel is the highest probability from
which, if all pixels as probable were the target, it would be the target after both steps: the area opening
and then the area closing of the probability (Vincent 1994, Shape in Picture, NATO ASI F 126, 197-208), which
are the steps on each threshold's map since both are flat operators. So one pass counts the area of every
threshold exactly, and a pixel's class is a comparison. A patch of fewer than n pixels extends over less than
n pixels: a level depends only on the pixels within `reach_px(n)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cocal.contracts import PROBABILITY_SCALE

STEPS = round(1 / PROBABILITY_SCALE)
"""Level of probability 1."""
NOT_THERE = -1
"""Level where no pixel is."""
NEVER = STEPS + 1
"""A level that no pixel has: with it as threshold nothing is the target."""

Levels = NDArray[np.int16]


def reach_px(pixels: int) -> int:
    """Pixels around a window that its kept levels depend on: a patch, and a hole beside it."""
    return 2 * (pixels - 1)


def kept_levels(level: Levels, pixels: int) -> Levels:
    """(y, x) int16 highest level at which the map, without patches and holes below `pixels`, has the pixel.

    Parameters
    ----------
    level
        (y, x) int16, probability of the target in `STEPS`, at least `pixels` pixels in all; `NOT_THERE` where
        no pixel is: that is never the target, and part of a hole.
    pixels
        Pixels of the smallest patch and of the smallest hole.

    Returns
    -------
    For every level t the pixels with a kept level of t or more are those of `level >= t`, less its patches of
    fewer than `pixels` pixels, plus the holes of fewer pixels that are then left; `NOT_THERE` as in `level`.
    """
    opened = _area_opening(level, pixels)
    return np.where(level == NOT_THERE, np.int16(NOT_THERE), -_area_opening(-opened, pixels))


def areas_by_level(
    kept: Levels, owner: NDArray[np.int32], units: NDArray[np.int64], n_regions: int
) -> NDArray[np.int64]:
    """(region, NEVER + 1) exact sums of `units` (1e-6 m2) by owning region (-1: none) and kept level."""
    areas = np.zeros((n_regions, NEVER + 1), dtype=np.int64)
    inside = (owner >= 0) & (kept != NOT_THERE)
    np.add.at(areas, (owner[inside], kept[inside]), units[inside])
    return areas


def preserving_levels(areas: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(region) level from which on a region's area is nearest to `wanted`; of two equally near, the higher.

    It differs from `wanted` by at most half of the area of one level. Level 0 is excluded: a pixel of
    probability 0 is not the target.
    """
    from_level_on = areas[:, ::-1].cumsum(axis=1)[:, ::-1]
    off = np.abs(from_level_on - wanted[:, None])[:, :0:-1]
    return np.asarray(NEVER - off.argmin(axis=1))


def _area_opening(level: Levels, pixels: int) -> Levels:
    from cocal.classify.flood import area_opening  # numba is 60 MB: a download does without

    order = np.argsort(-level.ravel(), kind="stable")
    return np.asarray(area_opening(level.ravel(), order, level.shape[1], pixels).reshape(level.shape))
