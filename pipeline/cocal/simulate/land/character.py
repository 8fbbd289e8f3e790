"""Land use in each part of the land: two banks, three heights. All figures are assumptions.

The contrasts of the real border, in short: open coca in large fields in the middle of the west; small plots,
many under shade, in the middle of the east, where coca is authorised; look-alikes in the upper east; a forest
park in the lower east; a young frontier in the lower west; puna in the upper west.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cocal.simulate.land.terrain import SPAN_M, Terrain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Character:
    """Figures by place, smooth between the parts.

    `worked` is the relative amount of worked land; shares of coca in its `coca_fields` and `coca_plots`;
    shares of coca under `shade` and `mixed` with crops; share of sites `new` since 2015; share of abandoned
    sites `cleared` by the state; shares of the other crops `alike` (stevia and tea), `trees` (coffee, citrus,
    banana) and `pineapple`; the rest is sown each year.
    """

    worked: Array
    coca_fields: Array
    coca_plots: Array
    shade: Array
    mixed: Array
    new: Array
    cleared: Array
    alike: Array
    trees: Array
    pineapple: Array


PARTS = {
    #             worked fields plots shade mixed  new cleared alike trees pineapple
    ("W", "low"): (0.60, 0.22, 0.12, 0.06, 0.10, 0.45, 0.60, 0.02, 0.18, 0.25),
    ("W", "mid"): (8.50, 0.95, 0.60, 0.10, 0.10, 0.25, 0.30, 0.06, 0.50, 0.02),
    ("W", "high"): (0.55, 0.20, 0.20, 0.15, 0.20, 0.15, 0.20, 0.05, 0.35, 0.00),
    ("E", "low"): (0.10, 0.03, 0.03, 0.05, 0.05, 0.60, 0.85, 0.02, 0.15, 0.10),
    ("E", "mid"): (1.80, 0.08, 0.75, 0.30, 0.22, 0.10, 0.10, 0.08, 0.55, 0.01),
    ("E", "high"): (0.85, 0.12, 0.15, 0.08, 0.10, 0.20, 0.35, 0.40, 0.25, 0.00),
}
HEIGHTS = ("low", "mid", "high")
FIRST, SECOND = 0.36, 0.65
"""Borders from low to middle and from middle to high, from north to south, inside the middle districts."""
EDGE = 0.04
"""Width of the transition from one part to the next, as a share of the land's side."""


def _step(value: Array, middle: float, width: float) -> Array:
    t = np.clip((value - middle) / width + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def character(terrain: Terrain, x: Array, y: Array) -> Character:
    """The character of points (m)."""
    south = terrain.south(y)
    first, second = _step(south, FIRST, EDGE), _step(south, SECOND, EDGE)
    east = _step(terrain.river_offset(x, y) / SPAN_M, 0.0, EDGE / 4)
    weights = dict(zip(HEIGHTS, (1 - first, first - second, second), strict=True))
    values = (
        sum(
            part[k] * weights[height] * (east if bank == "E" else 1 - east)
            for (bank, height), part in PARTS.items()
        )
        for k in range(len(fields(Character)))
    )
    return Character(*map(np.asarray, values))
