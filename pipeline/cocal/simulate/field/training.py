"""Training polygons: patches of scattered clusters, drawn a little inside their edge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import shape

from cocal.grid import Window, lattice_cells
from cocal.simulate.land.kinds import KINDS
from cocal.simulate.land.mosaic import SAMPLES, Land
from cocal.simulate.land.patches import SURFACES
from cocal.simulate.noise import uniform

CLUSTER_M, CLUSTER_SHARE = 900, 0.25
"""Training polygons come from a share of the cells of this lattice."""

SURFACE_CELL_M = 300
EDGE_M, SMALLEST_M2 = 5.0, 500.0
"""A training polygon keeps this distance from its patch's edge; smaller ones are not drawn."""

_STEP = 2
"""Outlines are drawn on every second place: 5 m."""


def in_cluster(seed: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True where points (m) lie in a cell that training polygons are drawn in."""
    column, row = lattice_cells(x, y, CLUSTER_M)
    return np.asarray(uniform(seed, "cluster", column, row) < CLUSTER_SHARE)


def training_polygons(land: Land, block: Window, kind: NDArray[np.int64]) -> pd.DataFrame:
    """Polygons (m) of the patches of training cells with their centre in the block: class, kind, draw.

    `kind` is that of each patch. Rivers, bars and roads are cut into cells first, so that every polygon
    belongs to one block.
    """
    label, transform, centre_x, centre_y, kinds = _labelled(land, kind)
    mine = (centre_x >= block.left) & (centre_x < block.right) & (centre_y > block.bottom)
    mine &= (centre_y <= block.top) & in_cluster(land.seed, centre_x, centre_y)
    found = []
    for outline, value in shapes(label, mask=mine[label], transform=transform, connectivity=4):
        parts = shapely.get_parts(shapely.buffer(shape(outline), -EDGE_M, join_style="mitre"))
        part = max(parts, key=lambda p: p.area, default=shapely.Polygon()).simplify(1.0)
        if part.area >= SMALLEST_M2:
            found.append((int(value), part))
    numbers = np.array([n for n, _ in found], dtype=np.int64)
    names = [list(KINDS)[k] for k in kinds[numbers]]
    column, row = (np.rint(c[numbers] * 10).astype(np.int64) for c in (centre_x, centre_y))
    return pd.DataFrame(
        {
            "class": [KINDS[name].class_key for name in names],
            "kind": names,
            "draw": uniform(land.seed, "training", column, row),
            "x": [p.bounds[0] for _, p in found],
            "y": [p.bounds[1] for _, p in found],
            "geometry": [p for _, p in found],
        }
    )


def _labelled(
    land: Land, kind: NDArray[np.int64]
) -> tuple[NDArray[np.int32], Affine, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """(label (y, x) on squares of 5 m, its transform, centre x and y and kind of every label)."""
    window, table, side = land.window, land.table, land.window.resolution * _STEP / SAMPLES
    label = np.ascontiguousarray(land.ids[::_STEP, ::_STEP])
    x = window.left + (np.arange(label.shape[1]) + 0.5) * side
    y = window.top - (np.arange(label.shape[0]) + 0.5) * side
    column, row = lattice_cells(x, y, SURFACE_CELL_M)
    columns, rows = np.arange(column[0], column[-1] + 1), np.arange(row[-1], row[0] + 1)
    cell = (row[:, None] - rows[0]) * columns.size + column[None, :] - columns[0]
    on_surface = label < len(SURFACES)
    label[on_surface] = (len(table) + label * (rows.size * columns.size) + cell)[on_surface]
    cell_x, cell_y = np.meshgrid((columns + 0.5) * SURFACE_CELL_M, (rows + 0.5) * SURFACE_CELL_M)
    transform = Affine(side, 0, window.left, 0, -side, window.top)
    surface_kind = np.repeat(kind[: len(SURFACES)], rows.size * columns.size)
    return (
        label, transform,
        np.concatenate([table.x, np.tile(cell_x.ravel(), len(SURFACES))]),
        np.concatenate([table.y, np.tile(cell_y.ravel(), len(SURFACES))]),
        np.concatenate([kind, surface_kind]),
    )  # fmt: skip
