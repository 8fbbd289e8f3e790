"""The minimum mapping unit of a run: drafts of all tiles -> one level per region -> the maps.

Levels are counted on all drafts of a period and applied in a pass of their own. Both look at a tile with the
ground of the tiles around it, as far as a patch can reach and a region goes, so that no result depends on
tiles, blocks or workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.classify.minimum import (
    NEVER,
    NOT_THERE,
    areas_by_level,
    kept_levels,
    preserving_levels,
    reach_px,
)
from cocal.classify.product import write_revised_map
from cocal.content import FAILED, Ref
from cocal.contracts import ALTERNATIVE_TIF, CLASS_TIF, NO_DATA, PROBABILITY_NO_DATA, PROBABILITY_TIF
from cocal.estimate import exact_ha
from cocal.grid import Tile, cell_area_units
from cocal.regions import Regions, owned, owners
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.state import Run
from cocal.run.tables import read_own_csv, write_own_csv
from cocal.run.worker.mosaic import Maps, Source, maps_in_reach, mosaic, regions_of
from cocal.run.worker.sums import Sums
from cocal.scheme import ClassScheme

Counts = dict[int, Sums]
"""Region (row of the table) -> (2, NEVER + 1) area in 1e-6 m2 by kept level: all ground, the target."""

LEVELS = "levels.csv"


@dataclass(frozen=True)
class TileDrafts:
    """One tile of a period with its draft and those around it."""

    period: str
    tile: Tile
    near: Maps

    @property
    def draft(self) -> Ref:
        """The tile's own draft; it did not fail."""
        (own,) = (ref for tile, ref in self.near if tile == self.tile)
        return own

    def codes(self, name: str) -> NDArray[np.uint8]:
        """(y, x) class codes of a raster of the tile's own draft."""
        window = self.tile.window
        found: NDArray[np.uint8] = read_raster(self.draft.file(name), window, window.resolution, "uint8")
        return found


@dataclass(frozen=True)
class LevelsTask:
    """What makes the levels of all regions and periods."""

    tiles: tuple[TileDrafts, ...]
    periods: tuple[str, ...]
    regions: Source
    scheme: ClassScheme
    pixels: int


@dataclass(frozen=True)
class UnitTask:
    """What makes one tile's map from drafts. `levels`: by region, in the order of the table."""

    tile: Tile
    drafts: TileDrafts
    levels: tuple[int, ...]
    regions: Source
    scheme: ClassScheme
    pixels: int


def tile_levels(tile: TileDrafts, regions: Regions, pixels: int) -> NDArray[np.int16]:
    """(y, x) kept level of each pixel of the tile; see `kept_levels`.

    Ground of no region, not observed or not mapped is not there: which of it a run maps depends on its tiles.
    """
    outer = tile.tile.window.expanded(reach_px(pixels))
    probability = mosaic(tile.near, outer, PROBABILITY_TIF, "uint16", PROBABILITY_NO_DATA)
    there = (probability != PROBABILITY_NO_DATA) & (owners(regions, outer) >= 0)
    level = np.where(there, probability, 0).astype(np.int16)
    level[~there] = NOT_THERE
    return kept_levels(level, pixels)[outer.slices_of(tile.tile.window)]


def count_levels(tile: TileDrafts, task: LevelsTask) -> Counts:
    """The areas of the tile's own ground by region and kept level."""
    window, regions = tile.tile.window, regions_of(task.regions)
    kept, owner = tile_levels(tile, regions, task.pixels), owned(regions, window)
    units, target = cell_area_units(window), tile.codes(CLASS_TIF) == task.scheme.codes[task.scheme.target]
    present = np.unique(owner[owner >= 0])
    place = np.where(owner >= 0, np.searchsorted(present, owner), -1).astype(np.int32)
    areas = [areas_by_level(kept, own, units, len(present)) for own in (place, np.where(target, place, -1))]
    return {k: Sums.of(np.stack([part[i] for part in areas])) for i, k in enumerate(present.tolist())}


def write_levels(folder: Path, counts: Sequence[Counts], task: LevelsTask) -> None:
    """Write the levels of all periods from the counts of their tiles."""
    regions = regions_of(task.regions)
    totals = {name: np.zeros((len(regions), 2, NEVER + 1), dtype=np.int64) for name in task.periods}
    for tile, found in zip(task.tiles, counts, strict=True):
        for region, areas in found.items():
            areas.add_to(totals[tile.period][region])
    tables = [levels_table(regions, period, areas) for period, areas in totals.items()]
    write_own_csv(folder / LEVELS, pd.concat(tables))


def write_unit_map(folder: Path, _: Sequence[Any], task: UnitTask) -> None:
    """Write the tile's map: in a region the target is what is kept at its level; in none the draft stands."""
    tile, regions, target = task.drafts, regions_of(task.regions), task.scheme.codes[task.scheme.target]
    window, draft = tile.tile.window, tile.codes(CLASS_TIF)
    owner, kept = owned(regions, window), tile_levels(tile, regions, task.pixels)
    cut = np.array([*task.levels, NEVER], dtype=np.int16)[owner]
    codes = np.where(kept >= cut, np.uint8(target), tile.codes(ALTERNATIVE_TIF))
    codes = np.where((owner < 0) | (draft == NO_DATA), draft, codes)
    text = (
        f"Patches of {task.scheme.target} of fewer than {task.pixels} pixels and holes in it were taken "
        "away; each region "
        "kept its area."
    )
    home, lineage = tile.draft.folder, {"minimum_unit": text}
    assert home is not None
    write_revised_map(folder, home, codes, window, scheme=task.scheme, lineage=lineage)


def minimum_unit(run: Run) -> Stage:
    """Replace the run's maps, which are drafts, by those without patches below the minimum unit."""
    settings, scheme = run.config.classify.minimum_unit, run.base.scheme
    assert settings is not None
    source, tiles = Source.of(run.config.regions, run.base.regions), tuple(_tiles(run, settings.pixels))
    periods = tuple(p.name for p in run.periods)
    task = LevelsTask(tiles, periods, source, scheme, settings.pixels)
    (ref,) = yield Batch(
        "patches", (Recipe("levels/{address}", task, write_levels, count_levels, tiles),), on_failure="stop"
    )
    table = run.minimum_unit = read_own_csv(ref.file(LEVELS))
    levels = {period: tuple(rows["level"].tolist()) for period, rows in table.groupby("period", sort=False)}
    recipes = tuple(
        Recipe(
            f"maps/{tile.period}/{tile.tile.id}/{{address}}",
            UnitTask(tile.tile, tile, levels[tile.period], source, scheme, settings.pixels),
            write_unit_map,
        )
        for tile in tiles
    )
    refs = yield Batch("minimum unit", recipes)
    made = {(tile.period, tile.tile): ref for tile, ref in zip(tiles, refs, strict=True)}
    run.maps = {key: made.get(key, FAILED) for key in run.maps}


def _tiles(run: Run, pixels: int) -> Iterator[TileDrafts]:
    """The tiles that have a draft, with the drafts in reach of a patch."""
    for period in run.periods:
        drafts = run.maps_of(period.name)
        for tile, near in maps_in_reach(tuple(drafts.items()), reach_px(pixels)).items():
            if drafts[tile].folder is not None:
                yield TileDrafts(period.name, tile, near)


def levels_table(regions: Regions, period: str, areas: NDArray[np.int64]) -> pd.DataFrame:
    """A row per region: hectares of the target in the draft and in the map, taken away, put there, and the
    level.

    `level` is the probability from which a patch is the target, in `STEPS`; `NEVER`: none is. `areas`:
    (region, 2, NEVER + 1) as in `Counts`.
    """
    before = areas[:, 1].sum(axis=1)
    level = preserving_levels(areas[:, 0], before)
    at = level[:, None, None] <= np.arange(NEVER + 1)
    after, stayed = (areas * at).sum(axis=2).T
    names = regions.table[["region_id", "region_name", "country"]].reset_index(drop=True)
    figures = {
        "draft_ha": before,
        "mapped_ha": after,
        "removed_ha": before - stayed,
        "added_ha": after - stayed,
    }
    exact = {
        name: pd.Series([exact_ha(v) for v in values.tolist()], dtype=object)
        for name, values in figures.items()
    }
    return names.assign(period=period, level=level, **exact)
