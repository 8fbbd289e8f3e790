"""The design's work on one tile: which stratum each pixel is in, how much of each there is, which are drawn.

These functions run in workers. What a pixel gets does not depend on its tile: distances look over the tile's
edge, and over the zone's meridian, as far as the rules ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.contracts import NO_DATA, PROBABILITY_NO_DATA
from cocal.estimate import count_units
from cocal.fieldwork.design import (
    DesignSettings,
    Layers,
    candidates,
    halo_px,
    rasters_needed,
    read_class_raster,
    stratify,
    zone_mask,
    zones_needed,
)
from cocal.grid import Tile, Window, cell_area_units, owned_by_zone, transformer, windows_bounds
from cocal.regions import owned
from cocal.run.tiles import regions_of

Ints = NDArray[np.int64]
Maps = tuple[tuple[Tile, Path | None], ...]
"""Tiles and the folders of their maps; None where a map failed: all of it is unobserved."""


@dataclass(frozen=True)
class DesignTask:
    """What the strata of one tile are made of. `maps` are the tile's and those within reach of the rules."""

    tile: Tile
    maps: Maps
    settings: DesignSettings
    codes: Mapping[str, int]
    regions_json: str
    regions_sha256: str


@dataclass(frozen=True)
class _Ground:
    """(y, x) arrays of one tile; `stratum` 0 = not in the frame, `owner` -1 = in no region."""

    stratum: NDArray[np.uint8]
    owner: NDArray[np.int32]
    crop_class: NDArray[np.uint8]
    probability: NDArray[np.uint16]


def maps_in_reach(maps: Maps, halo: int) -> dict[Tile, Maps]:
    """Per tile the maps that touch it or the `halo` pixels around it, whatever their zone."""
    outlines = np.array([o for _, o in windows_bounds(t.window for t, _ in maps)], dtype=object)
    tree = shapely.STRtree(outlines)
    around = [o for _, o in windows_bounds(t.window.expanded(halo + 1) for t, _ in maps)]
    return {
        tile: tuple(maps[i] for i in np.sort(tree.query(outline, predicate="intersects")).tolist())
        for (tile, _), outline in zip(maps, around, strict=True)
    }


def tile_cells(task: DesignTask) -> Ints:
    """(4, regions, strata) exact sums: pixels, area in 1e-6 m2, probability in 1/10000, observed pixels."""
    ground, window = _ground(task), task.tile.window
    n_regions = len(regions_of(task.regions_json, task.regions_sha256).table)
    observed = ground.probability != PROBABILITY_NO_DATA
    values = (
        np.ones(window.shape, dtype=np.int64),
        cell_area_units(window),
        np.where(observed, ground.probability, 0).astype(np.int64),
        observed.astype(np.int64),
    )
    inner = slice(1, 1 + len(task.settings.names))
    return np.stack([count_units(ground.stratum, ground.owner, v, n_regions)[:, inner] for v in values])


def tile_candidates(task: DesignTask, stratum_of: Ints, below: NDArray[np.uint64]) -> pd.DataFrame:
    """The tile's candidates with their region (row of the table of regions) and class code on the map."""
    ground = _ground(task)
    inside = (ground.owner >= 0) & (ground.stratum > 0)
    stratum = np.full(ground.owner.shape, -1, dtype=np.int64)
    stratum[inside] = stratum_of[ground.owner[inside], ground.stratum[inside].astype(np.int64) - 1]
    return candidates(
        stratum,
        task.tile.window,
        below=below,
        seed=task.settings.seed,
        region=ground.owner,
        map_code=ground.crop_class,
    )


def _ground(task: DesignTask) -> _Ground:
    window, rules = task.tile.window, task.settings.strata
    halo = halo_px(rules, window.resolution)
    outer = window.expanded(halo)
    layers = Layers(
        window.resolution,
        halo,
        mosaic(task.maps, outer, "class.tif", "uint8", NO_DATA),
        mosaic(task.maps, outer, "probability.tif", "uint16", PROBABILITY_NO_DATA),
        {path: read_class_raster(path, outer) for path in rasters_needed(rules)},
        {zones: zone_mask(zones, outer) for zones in zones_needed(rules)},
    )
    stratum = stratify(layers, rules, task.codes)
    inner = outer.slices_of(window)
    crop_class = layers.crop_class[inner]
    if task.settings.unobserved == "left_out":
        stratum = np.where(crop_class == NO_DATA, np.uint8(0), stratum)
    owner = owned(regions_of(task.regions_json, task.regions_sha256), window)
    return _Ground(stratum, owner, crop_class, layers.probability[inner])


def mosaic(maps: Sequence[tuple[Tile, Path | None]], window: Window, name: str, dtype: str, fill: int) -> Any:
    """(y, x) values of the maps on a window; across the meridian those of the pixel that holds the centre."""
    out = np.full(window.shape, fill, dtype=dtype)
    for tile, folder in maps:
        common = window.intersection(tile.window)
        if folder is not None and common is not None:
            part = read_raster(folder / name, common, common.resolution, dtype, fill)
            out[window.slices_of(common)] = part
    if any(tile.window.epsg != window.epsg for tile, _ in maps):
        _fill_across(out, maps, window, name, fill)
    return out


def _fill_across(
    out: NDArray[Any], maps: Sequence[tuple[Tile, Path | None]], window: Window, name: str, fill: int
) -> None:
    """Fill the pixels that another zone owns, in place."""
    rows, columns = np.nonzero(~owned_by_zone(window))
    if not rows.size:
        return
    out[rows, columns] = fill
    for tile, folder in maps:
        there = tile.window
        if folder is None or there.epsg == window.epsg:
            continue
        x, y = transformer(window.epsg, there.epsg).transform(window.x[columns], window.y[rows])
        column = np.floor((x - there.left) / there.resolution).astype(np.int64)
        row = np.floor((there.top - y) / there.resolution).astype(np.int64)
        inside = (column >= 0) & (column < there.width) & (row >= 0) & (row < there.height)
        if inside.any():
            values = read_raster(folder / name, there, there.resolution, str(out.dtype), fill)
            out[rows[inside], columns[inside]] = values[row[inside], column[inside]]
