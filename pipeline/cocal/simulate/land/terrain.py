"""Terrain: valleys from lowland to puna, border river, roads, villages. Metres of one UTM zone.

North is low, south is high; the border river runs down the middle, and the ground rises from it to both
sides. Beyond `SPAN_M` the pattern is mirrored, so that a land of any size consists of valleys. Every constant
is an assumption that gives a plausible eastern slope of the Andes; none is a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.grid import lattice_cells
from cocal.simulate.noise import fractal, fractal_grid, uniform

SPAN_M = 12_480.0
"""Side of the full scenario: the distance from lowland to puna; half of it lies between river and ridge."""

FLOOR_LOW_M, FLOOR_RISE_M, RELIEF_LOW_M, RELIEF_RISE_M = 295.0, 620.0, 170.0, 3_330.0
RIDGE_WAVELENGTH_M, RIDGES = 3_400.0, 0.30
RIVER_HALF_WIDTH_M, BAR_HALF_WIDTH_M, ROAD_HALF_WIDTH_M = 28.0, 45.0, 4.5
VILLAGE_SPACING_M = 2400
ROAD_CEILING_M = 2_900.0

Array = NDArray[np.float64]


def mirrored(value: Any, length: float) -> Array:
    """`value` folded into 0 to `length`, back and forth."""
    return np.asarray(length - np.abs(np.mod(value, 2 * length) - length))


@dataclass(frozen=True)
class Terrain:
    """A land whose border river passes through (centre_x, centre_y)."""

    seed: int
    centre_x: float
    centre_y: float

    def river_x(self, y: Any) -> Array:
        """Easting of the border river's middle at northing y, m."""
        bend = fractal(self.seed, "river", 0.0, y, 3800.0, 4)
        middle = fractal(self.seed, "river", 0.0, self.centre_y, 3800.0, 4)
        return np.asarray(self.centre_x + 420.0 * (bend - middle))

    def river_offset(self, x: Any, y: Any) -> Array:
        """Signed distance to the border river, m, negative in the west; first order, exact near the river."""
        slope = (self.river_x(np.asarray(y) + 5.0) - self.river_x(np.asarray(y) - 5.0)) / 10.0
        return np.asarray((x - self.river_x(y)) / np.sqrt(1.0 + slope * slope))

    def south(self, y: Any) -> Array:
        """Position of a northing between lowland (0) and puna (1)."""
        return mirrored((self.centre_y - np.asarray(y)) / SPAN_M + 0.5, 1.0)

    def _height(self, offset: Array, south: Array, ridges: Array) -> Array:
        away = mirrored(offset, SPAN_M / 2) / (SPAN_M / 2)
        relief = RELIEF_LOW_M + RELIEF_RISE_M * np.clip(south, 0.0, 1.0) ** 2.0
        height = FLOOR_LOW_M + FLOOR_RISE_M * south + relief * away**0.85 * np.exp(RIDGES * ridges)
        return np.asarray(height - 0.8 * np.maximum(height - 4_200.0, 0.0))

    def elevation(self, x: Any, y: Any) -> Array:
        """Height above the sea at points, m."""
        ridges = fractal(self.seed, "ridges", x, y, RIDGE_WAVELENGTH_M, 5)
        return self._height(self.river_offset(x, y), self.south(y), ridges)

    def elevation_grid(self, x: Array, y: Array) -> Array:
        """`elevation` on the grid of columns x and rows y, (y, x), m."""
        ridges = fractal_grid(self.seed, "ridges", x, y, RIDGE_WAVELENGTH_M, 5)
        return self._height(self.river_offset(x[None, :], y[:, None]), self.south(y)[:, None], ridges)

    def slope(self, x: Any, y: Any) -> Array:
        """Rise over run at points, over 40 m."""
        east = self.elevation(np.asarray(x) + 20.0, y) - self.elevation(np.asarray(x) - 20.0, y)
        north = self.elevation(x, np.asarray(y) + 20.0) - self.elevation(x, np.asarray(y) - 20.0)
        return np.asarray(np.hypot(east, north) / 40.0)

    def road_distance(self, x: Any, y: Any) -> Array:
        """Distance to the next road, m, first order: roads are the zero lines of a smooth field."""
        here = fractal(self.seed, "roads", x, y, 3400.0, 2)
        east = fractal(self.seed, "roads", np.asarray(x) + 8.0, y, 3400.0, 2)
        north = fractal(self.seed, "roads", x, np.asarray(y) + 8.0, 3400.0, 2)
        gradient = np.sqrt((east - here) ** 2 + (north - here) ** 2) / 8.0
        return np.asarray(np.abs(here) / np.maximum(gradient, 2e-4))

    def on_road(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """(y, x) True within half a road's width of its middle, on the even grid of columns x and rows y."""
        step = x[1] - x[0]
        columns, rows = np.append(x, x[-1] + step), np.append(y, y[-1] - step)
        field = fractal_grid(self.seed, "roads", columns, rows, 3400.0, 2)
        here = field[:-1, :-1]
        east, south = field[:-1, 1:] - here, field[1:, :-1] - here
        steepness = np.maximum(east * east + south * south, (2e-4 * step) ** 2)
        return np.asarray(here * here < (ROAD_HALF_WIDTH_M / step) ** 2 * steepness)

    def village(self, column: Any, row: Any) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Easting, northing and existence of the village of each lattice cell."""
        x = (np.asarray(column) + uniform(self.seed, "village/x", column, row)) * VILLAGE_SPACING_M
        y = (np.asarray(row) + uniform(self.seed, "village/y", column, row)) * VILLAGE_SPACING_M
        exists = uniform(self.seed, "village", column, row) < 0.6
        return x, y, exists & (self.elevation(x, y) < 2_400.0)

    def village_distance(self, x: Any, y: Any) -> Array:
        """Distance to the nearest village of the 3 x 3 lattice cells around each point, m."""
        column, row = lattice_cells(x, y, VILLAGE_SPACING_M)
        nearest = np.full(np.broadcast(x, y).shape, 1.5 * VILLAGE_SPACING_M)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                vx, vy, exists = self.village(column + right, row + down)
                away = np.sqrt((x - vx) ** 2 + (y - vy) ** 2)
                nearest = np.where(exists & (away < nearest), away, nearest)
        return nearest

    def access(self, x: Any, y: Any) -> Array:
        """Accessibility of a point, 0 to 1: high near roads and villages."""
        road = 800.0 / (800.0 + self.road_distance(x, y))
        village = 800.0 / (800.0 + self.village_distance(x, y))
        return np.asarray(np.maximum(road * road, village * village))
