"""The minimum mapping unit of a run: drafts of all tiles -> one level per region -> the maps.

Levels are counted on all drafts of a period and applied in a pass of their own. Both look at a tile with the ground of
the tiles around it, as far as a patch can reach and a region goes, so that no result depends on tiles, blocks or workers.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from cocal.contracts import ALTERNATIVE_TIF, CLASS_TIF, NO_DATA, PROBABILITY_NO_DATA, PROBABILITY_TIF, Period
from cocal.estimate import exact_ha
from cocal.grid import Tile, cell_area_units
from cocal.regions import owned, owners
from cocal.run.execute import Call, Job
from cocal.run.measure.counting import counted, regions_source
from cocal.run.plan import Unit
from cocal.run.state import Run
from cocal.run.tables import read_own_csv, write_own_csv
from cocal.run.worker.mosaic import Maps, Source, maps_in_reach, mosaic, regions_of
from cocal.scheme import ClassScheme
from cocal.store import LocalStore, address, library_versions, source_digest

Drafts = dict[tuple[str, Tile], Unit | None]
Counts = dict[int, NDArray[np.int64]]
"""Region (row of the table): (2, NEVER + 1) area in 1e-6 m2 by kept level, of all its ground and of the draft's target."""

LEVELS = "levels.csv"
_CODE = (
    "classify/minimum",
    "classify/flood",
    "regions",
    "grid",
    "archive",
    "run/minimum",
    "run/worker/mosaic",
)


@dataclass(frozen=True)
class UnitTask:
    """One tile's draft with those around it."""

    tile: Tile
    near: Maps
    regions: Source
    pixels: int
    scheme: ClassScheme

    @property
    def draft(self) -> Path:
        """Folder of the tile's own draft; it did not fail."""
        (folder,) = (path for tile, path in self.near if tile == self.tile and path is not None)
        return folder

    def codes(self, name: str) -> NDArray[np.uint8]:
        """(y, x) class codes of a raster of the tile's own draft."""
        window = self.tile.window
        found: NDArray[np.uint8] = read_raster(self.draft / name, window, window.resolution, "uint8")
        return found


def tile_levels(task: UnitTask) -> NDArray[np.int16]:
    """(y, x) kept level of each pixel of the tile; see `kept_levels`.

    Ground of no region, not observed or not mapped is not there: which of it a run maps depends on its tiles.
    """
    outer = task.tile.window.expanded(reach_px(task.pixels))
    probability = mosaic(task.near, outer, PROBABILITY_TIF, "uint16", PROBABILITY_NO_DATA)
    there = (probability != PROBABILITY_NO_DATA) & (owners(regions_of(*task.regions), outer) >= 0)
    level = np.where(there, probability, 0).astype(np.int16)
    level[~there] = NOT_THERE
    kept = kept_levels(level, task.pixels)
    return kept[outer.slices_of(task.tile.window)]


def count_levels(task: UnitTask) -> Counts:
    """The areas of the tile's own ground by region and kept level."""
    window, regions = task.tile.window, regions_of(*task.regions)
    kept, owner, units = tile_levels(task), owned(regions, window), cell_area_units(window)
    target = task.codes(CLASS_TIF) == task.scheme.codes[task.scheme.target]
    present = np.unique(owner[owner >= 0])
    place = np.where(owner >= 0, np.searchsorted(present, owner), -1).astype(np.int32)
    areas = [areas_by_level(kept, own, units, len(present)) for own in (place, np.where(target, place, -1))]
    return {k: np.stack([part[i] for part in areas]) for i, k in enumerate(present.tolist())}


def finish_map(
    task: UnitTask, levels: tuple[int, ...], store: LocalStore, unit: str, inputs: dict[str, Any]
) -> None:
    """Commit the tile's map: in a region the target is what is kept at its level; in none the draft stands."""
    window, target = task.tile.window, task.scheme.codes[task.scheme.target]
    draft, kept = task.codes(CLASS_TIF), tile_levels(task)
    owner = owned(regions_of(*task.regions), window)
    cut = np.array([*levels, NEVER], dtype=np.int16)[owner]
    codes = np.where(kept >= cut, np.uint8(target), task.codes(ALTERNATIVE_TIF))
    codes = np.where((owner < 0) | (draft == NO_DATA), draft, codes)
    told = (
        f"Patches of {task.scheme.target} of fewer than {task.pixels} pixels and holes in it were taken away; each region "
        "kept its area."
    )
    with store.commit(unit, inputs) as folder:
        write_revised_map(folder, task.draft, codes, window, scheme=task.scheme, told={"minimum_unit": told})


def apply_minimum_unit(run: Run, drafts: Drafts) -> Drafts:
    """The maps that `drafts` become; None where a draft or its map failed."""
    tasks = {key: task for period in run.periods for key, task in _tasks(run, drafts, period)}
    run.minimum_unit = _levels(run, drafts, tasks)
    maps: Drafts = dict.fromkeys(drafts)
    units = {key: _unit(run, drafts, key, task) for key, task in tasks.items()}
    with run.journal.stage("minimum unit", len(units)) as record:
        jobs, by_name = [], {}
        for key, (unit, levels) in units.items():
            maps[key], by_name[unit.name] = unit, key
            if run.store.find(unit.name, unit.address):
                run.journal.reused(record, unit.name)
            else:
                finish = Call(finish_map, (tasks[key], levels, run.store, unit.name, unit.inputs))
                jobs.append(Job(unit.name, (finish,)))
        for name, outcome in run.work(record, jobs).items():
            if outcome.error:
                maps[by_name[name]] = None
    return maps


def _tasks(run: Run, drafts: Drafts, period: Period) -> Iterator[tuple[tuple[str, Tile], UnitTask]]:
    """The tiles of a period that have a draft."""
    settings = run.config.classify.minimum_unit
    assert settings is not None
    maps = tuple(
        (tile, run.store.home(unit.name) if unit else None)
        for (name, tile), unit in drafts.items()
        if name == period.name
    )
    for tile, near in maps_in_reach(maps, reach_px(settings.pixels)).items():
        if drafts[period.name, tile] is not None:
            yield (
                (period.name, tile),
                UnitTask(tile, near, regions_source(run), settings.pixels, run.base.scheme),
            )


def _levels(run: Run, drafts: Drafts, tasks: dict[tuple[str, Tile], UnitTask]) -> pd.DataFrame:
    """`levels_table` of all periods, counted or as it was committed."""
    settings = run.config.classify.minimum_unit
    inputs = {
        "drafts": {f"{p}/{t.id}": u.address if u else "failed" for (p, t), u in drafts.items()},
        "regions": run.base.regions.sha256,
        "scheme": run.base.scheme.sha256,
        "minimum_unit": settings and settings.model_dump(mode="json"),
        "code": source_digest(*_CODE, "estimate"),
        "versions": library_versions(),
    }
    unit = f"levels/{address(inputs)[:12]}"
    if not run.store.find(unit, address(inputs)):
        calls = {(p, t.id): Call(count_levels, (task,)) for (p, t), task in tasks.items()}
        totals = {
            p.name: np.zeros((len(run.base.regions), 2, NEVER + 1), dtype=np.int64) for p in run.periods
        }
        for (period, _), found in counted(run, "patches", calls).items():
            for region, areas in found.items():
                totals[period][region] += areas
        table = pd.concat([levels_table(run, period, areas) for period, areas in totals.items()])
        with run.store.commit(unit, inputs) as folder:
            write_own_csv(folder / LEVELS, table)
    return read_own_csv(run.store.home(unit) / LEVELS)


def levels_table(run: Run, period: str, areas: NDArray[np.int64]) -> pd.DataFrame:
    """A row per region: hectares of the target in the draft and in the map, taken away, put there, and the level.

    `level` is the probability from which a patch is the target, in `STEPS`; `NEVER`: none is. `areas`: (region, 2, NEVER + 1) as in
    `Counts`.
    """
    before = areas[:, 1].sum(axis=1)
    level = preserving_levels(areas[:, 0], before)
    at = level[:, None, None] <= np.arange(NEVER + 1)
    after, stayed = (areas * at).sum(axis=2).T
    names = run.base.regions.table[["region_id", "region_name", "country"]].reset_index(drop=True)
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


def _unit(run: Run, drafts: Drafts, key: tuple[str, Tile], task: UnitTask) -> tuple[Unit, tuple[int, ...]]:
    """The map of one tile as an output, and its regions' levels."""
    (period, tile), draft = key, drafts[key]
    assert draft is not None
    assert run.minimum_unit is not None
    levels = tuple(run.minimum_unit.loc[run.minimum_unit["period"] == period, "level"].tolist())
    near = {t.id: drafts[period, t] for t, _ in task.near}
    inputs = {
        "contract": draft.inputs["contract"],
        "drafts": {name: unit.address if unit else "failed" for name, unit in near.items()},
        "window": draft.inputs["window"],
        "pixels": task.pixels,
        "levels": list(levels),
        "regions": run.base.regions.sha256,
        "scheme": task.scheme.sha256,
        "code": source_digest(*_CODE, "classify/product", "scheme"),
        "versions": library_versions(),
    }
    return Unit(f"maps/{period}/{tile.id}/{address(inputs)[:12]}", inputs), levels
