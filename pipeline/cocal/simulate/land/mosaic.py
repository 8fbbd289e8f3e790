"""The land of one window: the patch at every place, and the heights.

Places are squares of 2.5 m. Rectangles are drawn at that size; stands, roads and water at 5 m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.land.kinds import KINDS
from cocal.simulate.land.patches import LAYERS, SURFACES, Patches, lattice, patches
from cocal.simulate.land.terrain import BAR_HALF_WIDTH_M, RIVER_HALF_WIDTH_M, ROAD_CEILING_M, Terrain
from cocal.simulate.noise import fractal_grid

SAMPLES = 4
"""Places per side of a 10 m pixel: cover is known on squares of 2.5 m."""

_COARSE = 2
_ROWS = 64
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Land:
    """The land of one window: `ids` (place y, place x), rows of `table`; `elevation` (y, x), m."""

    seed: int
    window: Window
    table: Patches
    ids: NDArray[np.int32]
    elevation: Array

    def places(self) -> NDArray[np.int32]:
        """(place of the pixel, y, x) `ids`."""
        height, width = self.window.shape
        cut = self.ids.reshape(height, SAMPLES, width, SAMPLES).transpose(1, 3, 0, 2)
        return np.ascontiguousarray(cut).reshape(SAMPLES**2, height, width)


def counts(
    places: NDArray[np.int32], code: NDArray[np.uint8], codes: Mapping[str, int]
) -> dict[str, NDArray[np.uint8]]:
    """Places of each class in every pixel (y, x), by class key; `code` is the class of each patch."""
    out = {key: np.zeros(places.shape[1:], dtype=np.uint8) for key in codes}
    for ids in places:
        here = code.take(ids)
        for key, number in codes.items():
            out[key] += here == number
    return out


def class_codes(kind: NDArray[np.int64], codes: Mapping[str, int]) -> NDArray[np.uint8]:
    """The class of each patch, by kind."""
    return np.array([codes[k.class_key] for k in KINDS.values()], dtype=np.uint8)[kind]


def majority(counts: Mapping[str, NDArray[np.uint8]], codes: Mapping[str, int]) -> NDArray[np.uint8]:
    """(y, x) code of the true class: coca where it covers at least half of the pixel, else the class with
    the most places among the others; of equals the lowest code.
    """
    best, total = np.zeros_like(counts["coca"]), counts["coca"].copy()
    code = np.zeros_like(best)
    for key in sorted(set(codes) - {"coca"}, key=codes.__getitem__):
        more = counts[key] > best
        code[more], best[more] = codes[key], counts[key][more]
        total += counts[key]
    code[2 * counts["coca"] >= total] = codes["coca"]
    return code


def land(terrain: Terrain, window: Window) -> Land:
    """The land of `window`; a place has the same land in every window."""
    table, starts = patches(terrain, window)
    coarse = window.at(window.resolution // _COARSE)
    ids = _stands(terrain, coarse, table, starts[0])
    elevation = terrain.elevation_grid(window.x, window.y)
    ids = enlarged(ids, SAMPLES // _COARSE)
    stops = [*starts[1:], len(table)]
    for number in range(1, len(LAYERS)):
        _paint(ids, window, table, starts[number], stops[number])
    _draw_surfaces(ids, terrain, coarse, elevation)
    return Land(terrain.seed, window, table, ids, elevation)


def enlarged(values: NDArray[Any], n: int) -> NDArray[Any]:
    """(y, x) each pixel as n x n."""
    return np.repeat(np.repeat(values, n, axis=0), n, axis=1)


def _stands(terrain: Terrain, grid: Window, table: Patches, start: int) -> NDArray[np.int32]:
    """(y, x) row of the nearest stand of the 3 x 3 cells around each square, on wavy coordinates."""
    layer = LAYERS[0]
    columns, rows = lattice(grid, layer)
    here = slice(start, start + columns.size * rows.size)
    site_x = (table.x[here] / layer.spacing - table.column[here]).astype(np.float32)
    site_y = (table.y[here] / layer.spacing - table.row[here]).astype(np.float32)
    ids = np.empty(grid.shape, dtype=np.int32)
    for top in range(0, grid.height, _ROWS):
        strip = slice(top, top + _ROWS)
        bends = (fractal_grid(terrain.seed, f"bend/{k}", grid.x, grid.y[strip], 180.0, 2) for k in "xy")
        bend_x, bend_y = (np.clip(28.0 * bend, -70.0, 70.0) for bend in bends)
        x = (grid.x[None, :] + bend_x) / layer.spacing
        y = (grid.y[strip, None] + bend_y) / layer.spacing
        column, row = np.floor(x), np.floor(y)
        x, y = (x - column).astype(np.float32), (y - row).astype(np.float32)
        cell = (row.astype(np.int32) - np.int32(rows[0])) * np.int32(columns.size)
        cell += column.astype(np.int32) - np.int32(columns[0])
        nearest = np.full(x.shape, np.inf, dtype=np.float32)
        for down, right in product((-1, 0, 1), repeat=2):
            candidate = cell + np.int32(down * columns.size + right)
            away = site_x.take(candidate) - (x - np.float32(right))
            away *= away
            rise = site_y.take(candidate) - (y - np.float32(down))
            rise *= rise
            away += rise
            closer = away < nearest
            np.copyto(nearest, away, where=closer)
            np.copyto(ids[strip], candidate, where=closer)
    ids += np.int32(start)
    return ids


def _paint(ids: NDArray[np.int32], window: Window, table: Patches, start: int, stop: int) -> None:
    """Draw the rectangles of one layer in place, in the patches' own order."""
    side, (height, width) = window.resolution / SAMPLES, ids.shape
    for patch in start + np.argsort(table.order[start:stop], kind="stable"):
        half = float(np.hypot(table.half_width[patch], table.half_height[patch]))
        west = max(int((table.x[patch] - half - window.left) // side), 0)
        east = min(int((table.x[patch] + half - window.left) // side) + 1, width)
        north = max(int((window.top - table.y[patch] - half) // side), 0)
        south = min(int((window.top - table.y[patch] + half) // side) + 1, height)
        if west >= east or north >= south:
            continue
        x = window.left + (np.arange(west, east) + 0.5) * side - table.x[patch]
        y = (window.top - (np.arange(north, south) + 0.5) * side - table.y[patch])[:, None]
        cosine, sine = np.cos(table.turn[patch]), np.sin(table.turn[patch])
        inside = np.abs(x * cosine + y * sine) < table.half_width[patch]
        inside &= np.abs(y * cosine - x * sine) < table.half_height[patch]
        ids[north:south, west:east][inside] = patch


def _draw_surfaces(ids: NDArray[np.int32], terrain: Terrain, grid: Window, elevation: Array) -> None:
    """Draw roads, gravel bars and the river in place."""
    over = np.full(grid.shape, -1, dtype=np.int8)
    low = enlarged(elevation < ROAD_CEILING_M, _COARSE)
    over[terrain.on_road(grid.x, grid.y) & low] = SURFACES.index("road")
    river = np.abs(terrain.river_offset(grid.x[None, :], grid.y[:, None]))
    near = np.flatnonzero((river < 2 * BAR_HALF_WIDTH_M).any(axis=0))
    if near.size:
        part = slice(near[0], near[-1] + 1)
        wide = 1.0 + 0.25 * fractal_grid(terrain.seed, "banks", grid.x[part], grid.y, 400.0, 2)
        over[:, part][river[:, part] < BAR_HALF_WIDTH_M * wide] = SURFACES.index("gravel_bar")
        over[:, part][river[:, part] < RIVER_HALF_WIDTH_M * wide] = SURFACES.index("river")
    over = enlarged(over, SAMPLES // _COARSE)
    np.copyto(ids, over, where=over >= 0)
