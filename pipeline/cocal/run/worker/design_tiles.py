"""The design's work on one tile: which stratum each pixel is in, how much of each there is, which are drawn.

These functions run in workers. What a pixel gets does not depend on its tile: distances look over the tile's
edge, and over the zone's meridian, as far as the rules ask.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.content import File, Stated
from cocal.contracts import (
    CLASS_TIF,
    NO_DATA,
    PROBABILITY_EDGES,
    PROBABILITY_NO_DATA,
    PROBABILITY_SCALE,
    PROBABILITY_TIF,
)
from cocal.features.terrain import read_dem
from cocal.fieldwork.design import (
    DesignSettings,
    Layers,
    candidates,
    cut_off,
    halo_px,
    needs_elevation,
    rasters_needed,
    read_class_raster,
    stratify,
    zone_mask,
    zones_needed,
)
from cocal.grid import Tile, Window, cell_area_units
from cocal.regions import owned
from cocal.run.worker.mosaic import Maps, Source, mosaic, regions_of

Ints = NDArray[np.int64]

BINS = len(PROBABILITY_EDGES) + 1
_EDGES = [round(edge / PROBABILITY_SCALE) for edge in PROBABILITY_EDGES]


@dataclass(frozen=True)
class DesignMaps:
    """What the strata are made of: the maps of the period, the rules, the regions, elevations if needed.

    `probability`: the maps have one; an office's own have none, and every pixel is as if not observed there.
    """

    maps: Maps
    rules: Stated[DesignSettings]
    codes: Mapping[str, int]
    regions: Source
    dem: File | None = None
    probability: bool = True


@dataclass(frozen=True)
class DesignTile:
    """One tile with the maps within reach of the rules, its own among them."""

    tile: Tile
    near: Maps


@dataclass(frozen=True)
class _Ground:
    """(y, x) arrays of one tile; `stratum` 0 = not in the frame, `owner` -1 = in no region.

    `cut`: number of the rule that cuts the pixel off, 0 = none.
    """

    stratum: NDArray[np.uint8]
    cut: NDArray[np.uint8]
    owner: NDArray[np.int32]
    crop_class: NDArray[np.uint8]
    probability: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class CountedTile:
    """Exact sums by region and stratum, int64, both first axes of each.

    pixels, units (area in 1e-6 m2), probability (of the observed pixels, in 1/10000); class_units by code of
    the map; bins, observed pixels by bin of the map's probability (`PROBABILITY_EDGES`). cut_units, the area
    that is cut off, by region and rule.
    """

    pixels: Ints
    units: Ints
    probability: Ints
    class_units: Ints
    bins: Ints
    cut_units: Ints


def tile_cells(piece: DesignTile, task: DesignMaps) -> CountedTile:
    """Return the sums of one tile; runs in a worker."""
    ground, window = _ground(piece, task), piece.tile.window
    n_regions, n_strata = len(regions_of(task.regions).table), len(task.rules.settings.names)
    inside = (ground.owner >= 0) & (ground.stratum > 0)
    cell = ground.owner[inside].astype(np.int64) * n_strata + (ground.stratum[inside].astype(np.int64) - 1)
    probability = ground.probability[inside].astype(np.int64)
    seen = probability != PROBABILITY_NO_DATA
    area = cell_area_units(window)[inside]
    n_codes = 1 + max(task.codes.values())
    place = np.searchsorted(_EDGES, probability[seen], side="right")

    def sums(place: Ints, value: Ints, last: int) -> Ints:
        out = np.zeros(n_regions * n_strata * last, dtype=np.int64)
        np.add.at(out, place, value)
        return out.reshape((n_regions, n_strata, last) if last > 1 else (n_regions, n_strata))

    cut = (ground.owner >= 0) & (ground.cut > 0)
    n_cut = len(task.rules.settings.not_sampled)
    cut_units = np.zeros((n_regions, n_cut), dtype=np.int64)
    np.add.at(cut_units, (ground.owner[cut], ground.cut[cut] - 1), cell_area_units(window)[cut])
    one = np.ones(cell.size, dtype=np.int64)
    return CountedTile(
        sums(cell, one, 1),
        sums(cell, area, 1),
        sums(cell[seen], probability[seen], 1),
        sums(cell * n_codes + ground.crop_class[inside], area, n_codes),
        sums(cell[seen] * BINS + place, one[seen], BINS),
        cut_units,
    )


@dataclass(frozen=True, eq=False)
class DrawnPart:
    """A tile's candidates, and its pixels' codes on the raster of the strata, packed: see `unpacked`."""

    candidates: pd.DataFrame
    window: Window
    packed: bytes

    @property
    def unpacked(self) -> NDArray[np.uint8]:
        """(y, x) code of the stratum, 0 = not in the frame."""
        return np.frombuffer(zlib.decompress(self.packed), dtype=np.uint8).reshape(self.window.shape)


def tile_candidates(
    piece: DesignTile,
    task: DesignMaps,
    stratum_of: Ints,
    below: NDArray[np.uint64],
    code_of: NDArray[np.uint8] | None = None,
) -> DrawnPart:
    """Return the tile's candidates with their region (row of the table of regions) and class on the map.

    `stratum_of` (regions, strata of the rules): stratum of the design; `code_of` (its strata): code on the
    raster of the strata, left out: 1, 2, ...
    """
    ground = _ground(piece, task)
    inside = (ground.owner >= 0) & (ground.stratum > 0)
    stratum = np.full(ground.owner.shape, -1, dtype=np.int64)
    stratum[inside] = stratum_of[ground.owner[inside], ground.stratum[inside].astype(np.int64) - 1]
    number = np.arange(1, stratum_of.max() + 2, dtype=np.uint8) if code_of is None else code_of
    codes = np.append(number, np.uint8(0))[stratum]
    found = candidates(
        stratum,
        piece.tile.window,
        below=below,
        seed=task.rules.settings.seed,
        region=ground.owner,
        map_code=ground.crop_class,
    )
    return DrawnPart(found, piece.tile.window, zlib.compress(codes.astype(np.uint8).tobytes(), 1))


def _probability(piece: DesignTile, task: DesignMaps, window: Window) -> NDArray[np.uint16]:
    if not task.probability:
        return np.full(window.shape, PROBABILITY_NO_DATA, dtype=np.uint16)
    found: NDArray[np.uint16] = mosaic(piece.near, window, PROBABILITY_TIF, "uint16", PROBABILITY_NO_DATA)
    return found


def _ground(piece: DesignTile, task: DesignMaps) -> _Ground:
    settings, window = task.rules.settings, piece.tile.window
    rules = settings.conditions
    halo = halo_px(rules, window.resolution)
    outer = window.expanded(halo)
    layers = Layers(
        window.resolution,
        halo,
        mosaic(piece.near, outer, CLASS_TIF, "uint8", NO_DATA),
        _probability(piece, task, outer),
        {path: read_class_raster(path, outer) for path in rasters_needed(rules)},
        {zones: zone_mask(zones, outer) for zones in zones_needed(rules)},
        read_dem(task.dem.path, outer) if task.dem and needs_elevation(rules) else None,
    )
    cut = cut_off(layers, settings.not_sampled, task.codes)
    stratum = np.where(cut > 0, np.uint8(0), stratify(layers, settings.rules, task.codes))
    inner = outer.slices_of(window)
    crop_class = layers.crop_class[inner]
    if settings.unobserved == "left_out":
        stratum = np.where(crop_class == NO_DATA, np.uint8(0), stratum)
        cut = np.where(crop_class == NO_DATA, np.uint8(0), cut)
    owner = owned(regions_of(task.regions), window)
    return _Ground(stratum, cut, owner, crop_class, layers.probability[inner])
