"""What people would know of the invented land: truth, strata, a probability sample, training polygons.

Every table is a fold over blocks: a small value per block, added up or cut to the lowest draws, so that
neither the order nor the size of the blocks matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy.ndimage import distance_transform_edt
from shapely.geometry import shape

from cocal.grid import Window, cell_area_units
from cocal.simulate.cover import KINDS
from cocal.simulate.land import Land, majority
from cocal.simulate.noise import uniform
from cocal.simulate.patches import SURFACES
from cocal.simulate.places import PLACES

STRATA = ("coca_last_year", "near_coca", "elsewhere")
"""Strata of the sample, drawn on an invented census of the year before; code on maps is place + 1."""

NEAR_M = 100
HALO_PX = 40
"""Pixels around a block that its survey needs to see its patches whole: two cells of stands and a bend."""

CLUSTER_M, CLUSTER_SHARE = 900, 0.25
"""Training polygons come from a share of the cells of this lattice."""

SURFACE_CELL_M = 300
EDGE_M, SMALLEST_M2 = 5.0, 500.0
"""A training polygon keeps this distance from its patch's edge; smaller ones are not drawn."""


@dataclass(frozen=True)
class Surveyed:
    """What one block yields. Rasters are (y, x) uint8; units are integers of 1e-6 m2, (region, class)."""

    window: Window
    code: NDArray[np.uint8]
    coca_percent: NDArray[np.uint8]
    stratum: NDArray[np.uint8]
    truth_units: NDArray[np.int64]
    cover_units: NDArray[np.int64]
    stratum_units: NDArray[np.int64]
    stratum_pixels: NDArray[np.int64]
    sample: pd.DataFrame
    training: pd.DataFrame


def survey(
    land: Land, block: Window, owner: NDArray[np.int32], codes: Mapping[str, int], sizes: Mapping[str, int]
) -> Surveyed:
    """The survey of `block`. `land` is on the block with `HALO_PX` more on each side; `owner` (y, x) is the
    region of each of the block's pixels, -1 outside; `sizes` are the sample sizes by stratum.
    """
    inner = land.window.slices_of(block)
    counts = {key: samples[inner] for key, samples in land.counts(codes).items()}
    code = majority(counts, codes)
    stratum = np.where(owner >= 0, strata(land.census(), land.window.resolution)[inner], 0).astype(np.uint8)
    units, n_regions = cell_area_units(block), len(PLACES)
    samples = len(land.ids)
    per_class = [
        (_sum(owner, n_regions, units * (code == number)), _sum(owner, n_regions, units * counts[key]))
        for key, number in codes.items()
    ]
    return Surveyed(
        block,
        code,
        (counts["coca"].astype(np.uint16) * 100 // samples).astype(np.uint8),
        stratum,
        np.stack([t for t, _ in per_class], axis=1),
        np.stack([c for _, c in per_class], axis=1),
        _sum(stratum.astype(np.int32) - 1, len(STRATA), units),
        _sum(stratum.astype(np.int32) - 1, len(STRATA), np.ones_like(units)),
        _sampled(land, block, stratum, code, counts, codes, sizes),
        _training(land, block, codes),
    )


def _sum(group: NDArray[np.int32], n: int, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) exact sums of integers by group; negative groups are left out."""
    return np.array([values[group == g].sum(dtype=np.int64) for g in range(n)], dtype=np.int64)


def strata(census: NDArray[np.bool_], resolution: int) -> NDArray[np.uint8]:
    """(y, x) 1 = coca in last year's census, 2 = within 100 m of it, 3 = elsewhere."""
    out = np.full(census.shape, 3, dtype=np.uint8)
    if census.any():
        out[distance_transform_edt(~census) * resolution <= NEAR_M] = 2
    out[census] = 1
    return out


def _sampled(
    land: Land,
    block: Window,
    stratum: NDArray[np.uint8],
    code: NDArray[np.uint8],
    counts: Mapping[str, NDArray[np.uint8]],
    codes: Mapping[str, int],
    sizes: Mapping[str, int],
) -> pd.DataFrame:
    """The pixels of each stratum with the lowest draws: enough of them for the whole sample."""
    seed_column = np.floor(block.x / block.resolution).astype(np.int64)
    seed_row = np.floor(block.y / block.resolution).astype(np.int64)
    draw = uniform(land.seed, "sample", seed_column[None, :], seed_row[:, None])
    tables = []
    for number, name in enumerate(STRATA, start=1):
        rows, columns = np.nonzero(stratum == number)
        first = np.argsort(draw[rows, columns], kind="stable")[: sizes[name]]
        r, c = rows[first], columns[first]
        key = np.array([*codes])[np.searchsorted(list(codes.values()), code[r, c])]
        share = np.array([counts[k][i, j] for k, i, j in zip(key, r, c, strict=True)], dtype=float)
        tables.append(
            pd.DataFrame(
                {
                    "stratum": name,
                    "draw": draw[r, c],
                    "x": block.x[c],
                    "y": block.y[r],
                    "class": key,
                    "cover": share / len(land.ids),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def lowest(tables: Iterable[pd.DataFrame], by: str, sizes: Mapping[str, int]) -> pd.DataFrame:
    """The rows with the lowest `draw` of each group `by`, `sizes` many, in a fixed order."""
    whole = pd.concat(tables, ignore_index=True).sort_values([by, "draw", "x", "y"], kind="stable")
    rank = whole.groupby(by).cumcount()
    return whole[rank < whole[by].map(sizes)].reset_index(drop=True)


def in_cluster(seed: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True where points (m) lie in a cell that training polygons are drawn in."""
    column, row = np.floor(x / CLUSTER_M).astype(np.int64), np.floor(y / CLUSTER_M).astype(np.int64)
    return np.asarray(uniform(seed, "cluster", column, row) < CLUSTER_SHARE)


def _training(land: Land, block: Window, codes: Mapping[str, int]) -> pd.DataFrame:
    """Polygons (m) of the patches of training cells whose centre lies in the block: class, draw, geometry.

    Rivers and bars are cut into cells first, so that every polygon belongs to one block.
    """
    label, transform, centre_x, centre_y, kind = _labelled(land)
    mine = (centre_x >= block.left) & (centre_x < block.right) & (centre_y > block.bottom)
    mine &= (centre_y <= block.top) & in_cluster(land.seed, centre_x, centre_y) & (kind >= 0)
    found = []
    for outline, value in shapes(label, mask=mine[label], transform=transform, connectivity=4):
        number = int(value)
        parts = shapely.get_parts(shapely.buffer(shape(outline), -EDGE_M, join_style="mitre"))
        part = max(parts, key=lambda p: p.area, default=shapely.Polygon()).simplify(1.0)
        if part.area >= SMALLEST_M2:
            found.append((number, part))
    numbers = np.array([n for n, _ in found], dtype=np.int64)
    keys = [k.class_key for k in KINDS.values()]
    column, row = (
        np.rint(centre_x[numbers] * 10).astype(np.int64),
        np.rint(centre_y[numbers] * 10).astype(np.int64),
    )
    table = pd.DataFrame(
        {
            "class": [keys[k] for k in kind[numbers]],
            "draw": uniform(land.seed, "training", column, row),
            "x": [p.bounds[0] for _, p in found],
            "y": [p.bounds[1] for _, p in found],
            "geometry": [p for _, p in found],
        }
    )
    return table[table["class"].isin(list(codes))]


def _labelled(
    land: Land,
) -> tuple[NDArray[np.int32], Affine, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """(label (y, x) on the samples, its transform, centre x and y and kind of every label)."""
    fine, table = land.fine, land.table
    label = land.sampled().copy()
    column = np.floor(fine.x / SURFACE_CELL_M).astype(np.int64)
    row = np.floor(fine.y / SURFACE_CELL_M).astype(np.int64)
    columns, rows = np.arange(column[0], column[-1] + 1), np.arange(row[-1], row[0] + 1)
    cell = (row[:, None] - rows[0]) * columns.size + column[None, :] - columns[0]
    on_surface = label < len(SURFACES)
    label[on_surface] = (len(table) + label * (rows.size * columns.size) + cell)[on_surface]
    cell_x, cell_y = (
        a.ravel() for a in np.meshgrid((columns + 0.5) * SURFACE_CELL_M, (rows + 0.5) * SURFACE_CELL_M)
    )
    kind = np.repeat(table.kind[: len(SURFACES)], rows.size * columns.size)
    return (
        label,
        fine.transform,
        np.concatenate([table.x, np.tile(cell_x, len(SURFACES))]),
        np.concatenate([table.y, np.tile(cell_y, len(SURFACES))]),
        np.concatenate([table.kind, kind]),
    )
