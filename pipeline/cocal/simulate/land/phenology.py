"""Leaf area of patches on a day. Every number is an assumption; see docs/simulation.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cocal.simulate.land.kinds import KINDS
from cocal.simulate.land.patches import Patches

Array = NDArray[np.float64]

HARVEST_DAYS = (88.0, 124.0)
"""Days between two harvests of a plot: 3 to 4 a year (domain notes, section 5)."""
STUMPED_LEAF_AREA = 0.10

_LOW = np.array([k.low for k in KINDS.values()])
_HIGH = np.array([k.high for k in KINDS.values()])
_RHYTHM = np.array([k.rhythm for k in KINDS.values()])


def wetness(day: float) -> float:
    """How wet the season is, 0 (August) to 1 (February): a cosine, an assumption. `day` is of the year."""
    return float(0.5 + 0.5 * np.cos(2 * np.pi * (day - 40.0) / 365.25))


def saw(day: float, patches: Patches, low: Array, high: Array) -> Array:
    """Leaf harvest and regrowth: 3 to 4 harvests a year at the plot's own time, stumped every third year.

    `day` since 2000-01-01. After a harvest the leaf area returns exponentially; after stumping more slowly.
    """
    interval = HARVEST_DAYS[0] + (HARVEST_DAYS[1] - HARVEST_DAYS[0]) * patches.pace
    since = day + 4000.0 * patches.phase
    number = np.floor(since / interval)
    age = since - number * interval
    harvests = np.rint(3 * 365.25 / interval)
    stumped = np.mod(number + np.floor(12.0 * patches.depth), harvests) == 0
    wobble = patches.depth * 7.13 + number * 0.618
    stripped = low + (high - low) * 0.25 * (wobble - np.floor(wobble))
    floor = np.where(stumped, STUMPED_LEAF_AREA, stripped)
    slowness = np.where(stumped, 55.0, 24.0 + 14.0 * patches.vigour)
    return np.asarray(high - (high - floor) * np.exp(-age / slowness))


def _sown(day: float, patches: Patches, low: Array, high: Array) -> Array:
    """One crop from the spring rains on and, on half of the plots, a second in autumn. `day` of the year."""
    first, length = 255.0 + 75.0 * patches.phase, 95.0 + 55.0 * patches.pace
    second = np.where(patches.depth < 0.5, first + length + 25.0, np.inf)
    green = np.zeros_like(low)
    for sown in (first, first - 365.0, second, second - 365.0):
        age = np.clip((day - sown) / length, 0.0, 1.0)
        green = np.maximum(green, np.sin(np.pi * np.minimum(age**0.8, 1.0)))
    weeds = 0.3 * wetness(day)
    return np.asarray(low + (high - low) * np.maximum(green, weeds))


def leaf_area(kind: NDArray[np.int64], years: Array, day: float, patches: Patches) -> Array:
    """Leaf area index of every patch; `kind` and `years` from `history.state`, `day` since 2000-01-01."""
    low, high, rhythm = _LOW[kind], _HIGH[kind], _RHYTHM[kind]
    high = low + (high - low) * (0.72 + 0.56 * patches.vigour)
    of_year = np.mod(day, 365.25) + 1
    wet = wetness(of_year)
    lag = 0.5 + 0.5 * np.cos(2 * np.pi * (of_year - 40.0 - 40.0 * patches.phase) / 365.25)
    plucked = (day + 900.0 * patches.phase) / (28.0 + 14.0 * patches.pace)  # every four to six weeks
    courses = {
        "steady": low + (high - low) * (0.70 + 0.30 * wet),
        "ageing": low + (high - low) * np.clip(years / 2.0, 0.0, 1.0) * (0.85 + 0.15 * wet),
        "season": low + (high - low) * lag,
        "sown": _sown(of_year, patches, low, high),
        "trimmed": low + (high - low) * (0.5 + 0.5 * (plucked - np.floor(plucked))),
        "harvested": saw(day, patches, low, high),
        "cut": saw(day, patches, low, low + (high - low) * (0.5 + 0.5 * wet)),
    }
    return np.asarray(np.select([rhythm == name for name in courses], list(courses.values())))
