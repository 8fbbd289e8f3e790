"""The land of one window: which patch every sample of every pixel belongs to, heights, true classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.cover import KINDS
from cocal.simulate.noise import fractal_grid
from cocal.simulate.patches import LAYERS, SURFACES, Patches, lattice, patches
from cocal.simulate.terrain import (
    BAR_HALF_WIDTH_M,
    RIVER_HALF_WIDTH_M,
    ROAD_CEILING_M,
    ROAD_HALF_WIDTH_M,
    Terrain,
)

SAMPLES = 2
"""Samples per side of a 10 m pixel: cover is known on squares of 5 m."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Land:
    """What one window holds. `ids` (sample, y, x) int32 point into `table`; `elevation` (y, x) is in m."""

    seed: int
    window: Window
    table: Patches
    ids: NDArray[np.int32]
    elevation: Array

    @property
    def fine(self) -> Window:
        """The window in samples."""
        side = round(len(self.ids) ** 0.5)
        return fine_window(self.window, side)

    def sampled(self) -> NDArray[np.int32]:
        """(y, x) `ids` on the samples of `fine`."""
        side = round(len(self.ids) ** 0.5)
        parts = self.ids.reshape(side, side, *self.window.shape).transpose(2, 0, 3, 1)
        return np.ascontiguousarray(parts).reshape(self.fine.shape)

    def kinds(self) -> NDArray[np.int64]:
        """(sample, y, x) kind of cover."""
        return np.asarray(self.table.kind[self.ids])

    def counts(self, codes: Mapping[str, int]) -> dict[str, NDArray[np.uint8]]:
        """Samples of each class in every pixel (y, x), by class key, in the order of `codes`."""
        of_kind = np.array([codes[k.class_key] for k in KINDS.values()], dtype=np.uint8)
        code = of_kind[self.kinds()]
        out = {key: np.zeros(self.window.shape, dtype=np.uint8) for key in codes}
        for key, number in codes.items():
            for layer in code:
                out[key] += layer == number
        return out

    def census(self) -> NDArray[np.bool_]:
        """(y, x) True where last year's invented census had coca on at least half of the pixel."""
        held = np.zeros(self.window.shape, dtype=np.uint8)
        for ids in self.ids:
            held += self.table.census[ids]
        return np.asarray(2 * held >= len(self.ids))


def fine_window(window: Window, samples: int) -> Window:
    """`window` with `samples` squares per pixel and side."""
    return replace(
        window,
        width=window.width * samples,
        height=window.height * samples,
        resolution=window.resolution // samples,
    )


def majority(counts: Mapping[str, NDArray[np.uint8]], codes: Mapping[str, int]) -> NDArray[np.uint8]:
    """(y, x) code of the true class: coca where it covers at least half of the pixel, else the class with
    the most samples among the others; of equals the lowest code. `counts` are samples per class.
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


def land(terrain: Terrain, window: Window, samples: int = SAMPLES) -> Land:
    """The land of `window`, the same wherever the window was cut."""
    table, starts = patches(terrain, window)
    fine = fine_window(window, samples)
    ids = _stands(terrain, fine, table, starts[0])
    for number in range(1, len(LAYERS)):
        _paint(
            ids, fine, table, starts[number], starts[number + 1] if number + 1 < len(LAYERS) else len(table)
        )
    elevation = terrain.elevation_grid(window.x, window.y)
    _draw_surfaces(ids, terrain, fine, np.repeat(np.repeat(elevation, samples, 0), samples, 1))
    cut = ids.reshape(window.height, samples, window.width, samples)
    ids = np.ascontiguousarray(cut.transpose(1, 3, 0, 2)).reshape(-1, *window.shape)
    return Land(terrain.seed, window, table, ids, elevation)


def _stands(terrain: Terrain, fine: Window, table: Patches, start: int) -> NDArray[np.int32]:
    """(y, x) the nearest stand of the 3 x 3 cells around each sample, on wavy coordinates."""
    layer = LAYERS[0]
    columns, rows = lattice(fine, layer)
    bend_x = np.clip(28.0 * fractal_grid(terrain.seed, "bend/x", fine.x, fine.y, 180.0, 2), -70.0, 70.0)
    bend_y = np.clip(28.0 * fractal_grid(terrain.seed, "bend/y", fine.x, fine.y, 180.0, 2), -70.0, 70.0)
    x, y = fine.x[None, :] + bend_x, fine.y[:, None] + bend_y
    cell = ((y // layer.spacing).astype(np.int32) - rows[0]) * columns.size
    cell = (cell + (x // layer.spacing).astype(np.int32) - columns[0] + start).astype(np.int32)
    nearest = np.full(fine.shape, np.inf)
    ids = np.zeros(fine.shape, dtype=np.int32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            candidate = cell + np.int32(down * columns.size + right)
            away = (table.x[candidate] - x) ** 2 + (table.y[candidate] - y) ** 2
            closer = away < nearest
            np.copyto(nearest, away, where=closer)
            np.copyto(ids, candidate, where=closer)
    return ids


def _paint(ids: NDArray[np.int32], fine: Window, table: Patches, start: int, stop: int) -> None:
    """Draw the rectangles of one layer in place, in the patches' own order."""
    present = np.flatnonzero(table.kind[start:stop] >= 0) + start
    for patch in present[np.argsort(table.order[present], kind="stable")]:
        half = float(np.hypot(table.half_width[patch], table.half_height[patch]))
        west = max(int((table.x[patch] - half - fine.left) // fine.resolution), 0)
        east = min(int((table.x[patch] + half - fine.left) // fine.resolution) + 1, fine.width)
        north = max(int((fine.top - table.y[patch] - half) // fine.resolution), 0)
        south = min(int((fine.top - table.y[patch] + half) // fine.resolution) + 1, fine.height)
        if west >= east or north >= south:
            continue
        x = fine.left + (np.arange(west, east) + 0.5) * fine.resolution - table.x[patch]
        y = (fine.top - (np.arange(north, south) + 0.5) * fine.resolution - table.y[patch])[:, None]
        cosine, sine = np.cos(table.turn[patch]), np.sin(table.turn[patch])
        inside = np.abs(x * cosine + y * sine) < table.half_width[patch]
        inside &= np.abs(y * cosine - x * sine) < table.half_height[patch]
        ids[north:south, west:east][inside] = patch


def _draw_surfaces(ids: NDArray[np.int32], terrain: Terrain, fine: Window, elevation: Array) -> None:
    """Draw roads, gravel bars and the river in place."""
    river = np.abs(terrain.river_offset(fine.x[None, :], fine.y[:, None]))
    wide = 1.0 + 0.25 * fractal_grid(terrain.seed, "banks", fine.x, fine.y, 400.0, 2)
    road = terrain.road_distance_grid(fine.x, fine.y)
    ids[(road < ROAD_HALF_WIDTH_M) & (elevation < ROAD_CEILING_M)] = SURFACES.index("road")
    ids[river < BAR_HALF_WIDTH_M * wide] = SURFACES.index("gravel_bar")
    ids[river < RIVER_HALF_WIDTH_M * wide] = SURFACES.index("river")
