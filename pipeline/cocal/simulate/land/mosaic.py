"""The land of one window: which patch lies at every place, and the heights.

Places are squares of 2.5 m. Rectangles are drawn at that size; stands, roads and water at 5 m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.land.kinds import KINDS
from cocal.simulate.land.patches import LAYERS, SURFACES, Patches, lattice, patches
from cocal.simulate.land.terrain import (
    BAR_HALF_WIDTH_M,
    RIVER_HALF_WIDTH_M,
    ROAD_CEILING_M,
    Terrain,
)
from cocal.simulate.noise import fractal_grid

SAMPLES = 4
"""Places per side of a 10 m pixel: cover is known on squares of 2.5 m."""

_COARSE = 2
_ROWS = 64
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Land:
    """What one window holds. `ids` (place y, place x) int32 point into `table`; `elevation` (y, x) is in m."""

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
    others = [key for key in sorted(codes, key=lambda k: codes[k]) if key != "coca"]
    best = np.zeros_like(counts["coca"])
    code = np.zeros_like(best)
    total = counts["coca"].copy()
    for key in others:
        more = counts[key] > best
        code[more], best[more] = codes[key], counts[key][more]
        total += counts[key]
    code[2 * counts["coca"] >= total] = codes["coca"]
    return code


def land(terrain: Terrain, window: Window) -> Land:
    """The land of `window`, the same wherever the window was cut."""
    table, starts = patches(terrain, window)
    coarse = fine_window(window, _COARSE)
    ids = _stands(terrain, coarse, table, starts[0])
    elevation = terrain.elevation_grid(window.x, window.y)
    ids = np.repeat(np.repeat(ids, SAMPLES // _COARSE, 0), SAMPLES // _COARSE, 1)
    stops = [*starts[1:], len(table)]
    for number in range(1, len(LAYERS)):
        _paint(ids, window, table, starts[number], stops[number])
    _draw_surfaces(ids, terrain, coarse, elevation)
    return Land(terrain.seed, window, table, ids, elevation)


def fine_window(window: Window, parts: int) -> Window:
    """`window` with `parts` squares per pixel and side."""
    return replace(
        window,
        width=window.width * parts,
        height=window.height * parts,
        resolution=window.resolution // parts,
    )


def _stands(terrain: Terrain, grid: Window, table: Patches, start: int) -> NDArray[np.int32]:
    """(y, x) the nearest stand of the 3 x 3 cells around each square, on wavy coordinates; some rows at a time."""
    ids = np.empty(grid.shape, dtype=np.int32)
    columns, rows = lattice(grid, LAYERS[0])
    here = slice(start, start + columns.size * rows.size)
    for top in range(0, grid.height, _ROWS):
        part = slice(top, top + _ROWS)
        ids[part] = _nearest_stand(terrain, grid.x, grid.y[part], table, here, columns, rows[0])
    ids += np.int32(start)
    return ids


def _nearest_stand(
    terrain: Terrain,
    east: Array,
    north: Array,
    table: Patches,
    here: slice,
    columns: NDArray[np.int64],
    first_row: np.int64,
) -> NDArray[np.int32]:
    """(y, x) number, among the stands `here`, of the one nearest to each place of a grid."""
    spacing = LAYERS[0].spacing
    bend_x = np.clip(28.0 * fractal_grid(terrain.seed, "bend/x", east, north, 180.0, 2), -70.0, 70.0)
    bend_y = np.clip(28.0 * fractal_grid(terrain.seed, "bend/y", east, north, 180.0, 2), -70.0, 70.0)
    x, y = (east[None, :] + bend_x) / spacing, (north[:, None] + bend_y) / spacing
    column, row = np.floor(x), np.floor(y)
    x, y = (x - column).astype(np.float32), (y - row).astype(np.float32)
    cell = (row.astype(np.int32) - first_row.astype(np.int32)) * np.int32(columns.size)
    cell += column.astype(np.int32) - columns[0].astype(np.int32)
    site_x = (table.x[here] / spacing - table.column[here]).astype(np.float32)
    site_y = (table.y[here] / spacing - table.row[here]).astype(np.float32)
    nearest = np.full(x.shape, np.inf, dtype=np.float32)
    ids = np.zeros(x.shape, dtype=np.int32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            candidate = cell + np.int32(down * columns.size + right)
            away = site_x.take(candidate) - (x - np.float32(right))
            away *= away
            rise = site_y.take(candidate) - (y - np.float32(down))
            rise *= rise
            away += rise
            closer = away < nearest
            np.copyto(nearest, away, where=closer)
            np.copyto(ids, candidate, where=closer)
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
    low = np.repeat(np.repeat(elevation < ROAD_CEILING_M, _COARSE, 0), _COARSE, 1)
    over[terrain.on_road(grid.x, grid.y) & low] = SURFACES.index("road")
    river = np.abs(terrain.river_offset(grid.x[None, :], grid.y[:, None]))
    near = np.flatnonzero((river < 2 * BAR_HALF_WIDTH_M).any(axis=0))
    if near.size:
        part = slice(near[0], near[-1] + 1)
        wide = 1.0 + 0.25 * fractal_grid(terrain.seed, "banks", grid.x[part], grid.y, 400.0, 2)
        over[:, part][river[:, part] < BAR_HALF_WIDTH_M * wide] = SURFACES.index("gravel_bar")
        over[:, part][river[:, part] < RIVER_HALF_WIDTH_M * wide] = SURFACES.index("river")
    step = SAMPLES // _COARSE
    over = np.repeat(np.repeat(over, step, 0), step, 1)
    np.copyto(ids, over, where=over >= 0)
