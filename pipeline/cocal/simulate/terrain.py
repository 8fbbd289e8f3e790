"""The lie of the land: valley, heights, border river, roads, villages. Points in metres of one UTM zone.

Every constant here is an assumption that gives a plausible Yungas valley; none is a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.simulate.noise import fractal, fractal_grid, uniform

RIVER_HALF_WIDTH_M = 28.0
BAR_HALF_WIDTH_M = 45.0
ROAD_HALF_WIDTH_M = 4.5
VILLAGE_SPACING_M = 2400
ROAD_CEILING_M = 1950.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Terrain:
    """A valley that the border river runs down from south to north, through (centre_x, centre_y)."""

    seed: int
    centre_x: float
    centre_y: float

    def river_x(self, y: Any) -> Array:
        """Easting of the river's middle at northing y, m."""
        bend = fractal(self.seed, "river", 0.0, y, 3800.0, 4)
        middle = fractal(self.seed, "river", 0.0, self.centre_y, 3800.0, 4)
        return np.asarray(self.centre_x + 420.0 * (bend - middle))

    def river_offset(self, x: Any, y: Any) -> Array:
        """Signed distance to the river, m: negative in the west. First order: right near the river."""
        slope = (self.river_x(np.asarray(y) + 5.0) - self.river_x(np.asarray(y) - 5.0)) / 10.0
        return np.asarray((x - self.river_x(y)) / np.sqrt(1.0 + slope * slope))

    def _height(self, offset: Array, ridges: Array) -> Array:
        away = np.abs(offset)
        return np.asarray(590.0 + 1220.0 * away / (away + 2600.0) * np.exp(0.42 * ridges))

    def elevation(self, x: Any, y: Any) -> Array:
        """Height above the sea at points, m."""
        ridges = fractal(self.seed, "ridges", x, y, 3000.0, 5)
        return self._height(self.river_offset(x, y), ridges)

    def elevation_grid(self, x: Array, y: Array) -> Array:
        """`elevation` on the grid of columns x and rows y, (y, x), m."""
        ridges = fractal_grid(self.seed, "ridges", x, y, 3000.0, 5)
        return self._height(self.river_offset(x[None, :], y[:, None]), ridges)

    def road_distance(self, x: Any, y: Any) -> Array:
        """Distance to the next road, m, first order: roads are the zero lines of a smooth field."""
        here = fractal(self.seed, "roads", x, y, 3400.0, 2)
        east = fractal(self.seed, "roads", np.asarray(x) + 8.0, y, 3400.0, 2)
        north = fractal(self.seed, "roads", x, np.asarray(y) + 8.0, 3400.0, 2)
        return _to_zero_line(here, east, north)

    def road_distance_grid(self, x: Array, y: Array) -> Array:
        """`road_distance` on the grid of columns x and rows y, (y, x), m."""
        here = fractal_grid(self.seed, "roads", x, y, 3400.0, 2)
        east = fractal_grid(self.seed, "roads", x + 8.0, y, 3400.0, 2)
        north = fractal_grid(self.seed, "roads", x, y + 8.0, 3400.0, 2)
        return _to_zero_line(here, east, north)

    def village(self, column: Any, row: Any) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Easting, northing and existence of the village of each lattice cell."""
        x = (np.asarray(column) + uniform(self.seed, "village/x", column, row)) * VILLAGE_SPACING_M
        y = (np.asarray(row) + uniform(self.seed, "village/y", column, row)) * VILLAGE_SPACING_M
        exists = uniform(self.seed, "village", column, row) < 0.6
        return x, y, exists & (self.elevation(x, y) < 1700.0)

    def village_distance(self, x: Any, y: Any) -> Array:
        """Distance to the nearest village of the 3 x 3 lattice cells around each point, m."""
        column = np.floor(np.asarray(x) / VILLAGE_SPACING_M).astype(np.int64)
        row = np.floor(np.asarray(y) / VILLAGE_SPACING_M).astype(np.int64)
        nearest = np.full(np.broadcast(x, y).shape, 1.5 * VILLAGE_SPACING_M)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                vx, vy, exists = self.village(column + right, row + down)
                away = np.sqrt((x - vx) ** 2 + (y - vy) ** 2)
                nearest = np.where(exists & (away < nearest), away, nearest)
        return nearest

    def access(self, x: Any, y: Any) -> Array:
        """How reachable a point is, 0 to 1: near roads, villages and the river, below the ceiling."""
        road = 300.0 / (300.0 + self.road_distance(x, y))
        village = 500.0 / (500.0 + self.village_distance(x, y))
        near = np.maximum(road * road, village * village)
        too_high = np.clip((self.elevation(x, y) - 1500.0) / 600.0, 0.0, 1.0)
        return np.asarray(near * (1.0 - 0.85 * too_high))


def _to_zero_line(here: Array, east: Array, north: Array) -> Array:
    gradient = np.sqrt((east - here) ** 2 + (north - here) ** 2) / 8.0
    return np.asarray(np.abs(here) / np.maximum(gradient, 2e-4))
