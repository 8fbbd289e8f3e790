"""What is to be done, as plain frozen values: tiles, units, addresses. No pixel is read here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import shapely

from cocal.archive import Scene, list_scenes, scene_store, scenes_within
from cocal.classify import load_model
from cocal.config import RunConfig
from cocal.contracts import CLASSMAP, FEATURES, Period
from cocal.errors import InputError
from cocal.features import halo_px
from cocal.grid import Tile, Window, tiles
from cocal.regions import Regions, read_regions
from cocal.run.worker.memory import REVISIT_DAYS, worker_bound
from cocal.run.worker.tiles import FeatureTask, MapTask
from cocal.scenes import ImportTask, import_address, plan_imports
from cocal.scenes.download import make_source
from cocal.scenes.download.units import Cost
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore, address, library_versions, sha256_file, source_digest


@dataclass(frozen=True)
class Unit:
    """One output: its place in the run's store and what makes it."""

    name: str
    inputs: dict[str, Any]

    @cached_property
    def address(self) -> str:
        return address(self.inputs)


@dataclass(frozen=True)
class Ground:
    """What a run stands on: regions, classes, tiles."""

    regions: Regions
    scheme: ClassScheme
    tiles: tuple[Tile, ...]


def ground(config: RunConfig) -> Ground:
    """Regions, class scheme and tiles of a configuration.

    Raises
    ------
    InputError
        The regions cover no ground.
    """
    regions = read_regions(config.regions)
    cells = tuple(tiles(regions.area, config.grid.tile_px))
    if not cells:
        raise InputError("the regions cover no ground", "polygons with an area", "none", "mend `regions:`")
    return Ground(regions, read_scheme(config.scheme), cells)


def scenes_of(scenes: Iterable[Scene], tile: Tile, period: Period, halo: int) -> tuple[Scene, ...]:
    """The scenes that a tile needs in a period, halo included, by time and id."""
    found = scenes_within(scenes, tile.window.expanded(halo), period.start, period.end)
    return tuple(sorted(found, key=lambda s: (s.acquired, s.id)))


def feature_task(config: RunConfig, scenes: Sequence[Scene], period: Period) -> FeatureTask:
    """The features of `scenes` in a period as this configuration states them."""
    return FeatureTask(period, tuple(scenes), config.index, config.dem)


def feature_inputs(config: RunConfig, task: FeatureTask) -> dict[str, Any]:
    """What makes features: scenes by address, settings, DEM, code, library versions."""
    return {
        "period": [task.period.name, task.period.start.isoformat(), task.period.end.isoformat()],
        "scenes": {s.id: s.address for s in task.scenes},
        "index": config.index.model_dump(mode="json"),
        "dem": sha256_file(config.dem) if config.dem else None,
        "code": source_digest("features", "archive", "grid", "contracts", "run/worker/tiles"),
        "versions": library_versions(),
    }


def _window(tile: Tile) -> list[int]:
    w = tile.window
    return [w.epsg, w.left, w.top, w.width, w.height, w.resolution]


def feature_unit(config: RunConfig, tile: Tile, task: FeatureTask) -> Unit:
    """The features of one tile as an output of its own (`cocal index`, `keep: [features]`)."""
    inputs = {"contract": FEATURES, "window": _window(tile)} | feature_inputs(config, task)
    return Unit(f"features/{task.period.name}/{tile.id}/{address(inputs)[:12]}", inputs)


@lru_cache(maxsize=4)
def _sha256(path: Path | None) -> str | None:
    return None if path is None else sha256_file(path)


def map_unit(config: RunConfig, tile: Tile, task: MapTask, features: dict[str, Any]) -> Unit:
    """The class map of one tile, or its draft where a minimum unit is still to come.

    The address is part of the path: two models never share a file.
    """
    draft = config.classify.minimum_unit is not None
    inputs = features | {
        "contract": CLASSMAP,
        "window": _window(tile),
        "scenes": {s.id: s.address for s in task.features.scenes},
        "model": task.model_sha256,
        "classify": config.classify.model_dump(mode="json", exclude={"model", "minimum_unit"}),
        "scheme": task.scheme.sha256,
        "prior_map": config.classify.prior and _sha256(config.classify.prior.map),
        "code_classify": source_digest("classify", "scheme", "run/worker/prior"),
        **({"alternative": True} if draft else {}),
    }
    return Unit(
        f"{'drafts' if draft else 'maps'}/{task.features.period.name}/{tile.id}/{address(inputs)[:12]}",
        inputs,
    )


@dataclass(frozen=True)
class ImportState:
    """The import tasks and which of them the archive holds already."""

    tasks: tuple[ImportTask, ...]
    inputs: tuple[dict[str, Any], ...]
    done: tuple[bool, ...]


def import_state(config: RunConfig) -> ImportState:
    """What has to be imported. Reads headers and checksums of the source files, no pixels."""
    store = scene_store(config.archive)
    tasks = tuple(plan_imports(config.imports))
    inputs = tuple(import_address(task) for task in tasks)
    done = tuple(
        store.find(task.unit, address(made_of)) is not None
        for task, made_of in zip(tasks, inputs, strict=True)
    )
    return ImportState(tasks, inputs, done)


@dataclass(frozen=True)
class Plan:
    """The answer of `cocal plan`."""

    name: str
    tiles_per_zone: dict[int, int]
    scenes_upper_bound: int
    scenes_archived: int | None
    imports_new: int
    imports_reused: int
    blocks: int
    tasks: int
    memory_per_worker: int
    disk: int
    maps_new: int
    maps_reused: int
    notes: tuple[str, ...]
    tile_dates: int
    """Of the download, at most."""
    download: Cost
    """What they take, at most."""


def plan(config: RunConfig) -> Plan:
    """What `run` would do, without doing it and without the network."""
    coarse = _coarse(config)
    base = None if coarse is not None else ground(config)
    cells = base.tiles if base else coarse[0] if coarse else ()
    imports = import_state(config)
    pending = imports.done.count(False)
    known = None if pending else _archived(config.archive)
    notes = [] if coarse is None else [coarse[1]]
    notes += [] if known is not None else ["maps count as new: they depend on scenes still to be imported"]
    new, reused = len(cells) * len(config.periods), 0
    sha256 = load_model(config.classify.model).card.sha256 if config.classify.model else None
    if known is not None and sha256 is not None and base is not None:
        reused = _reusable_maps(config, base, known, sha256)
        new -= reused
    elif config.train is not None:
        notes.append("maps count as new: this run trains its model first and reuses what then still fits")
    tile = cells[0]
    blocks = len(tile.blocks(config.grid.block_px)) * len(cells) * len(config.periods)
    days = [(p.end - p.start).days + 1 for p in config.periods]
    per_tile = sum(2 * math.ceil(d / REVISIT_DAYS) for d in days)
    zones = {e: sum(t.window.epsg == e for t in cells) for e in {t.window.epsg for t in cells}}
    tile_dates = per_tile * _download_tiles(config, base)
    return Plan(
        name=config.name,
        tiles_per_zone=dict(sorted(zones.items())),
        scenes_upper_bound=per_tile * len(cells),
        scenes_archived=None if known is None else len(known),
        imports_new=pending,
        imports_reused=imports.done.count(True),
        blocks=blocks,
        tasks=pending + blocks + 2 * len(cells) * len(config.periods) + 3,
        memory_per_worker=worker_bound(config),
        disk=len(cells) * len(config.periods) * tile.window.width * tile.window.height * 5,
        maps_new=new,
        maps_reused=reused,
        notes=tuple(notes),
        tile_dates=tile_dates,
        download=_download_cost(config) * tile_dates,
    )


def _coarse(config: RunConfig) -> tuple[tuple[Tile, ...], str] | None:
    """Tiles of `area:` and what is missing, where region files are not there yet; None where all are."""
    missing = [str(source.path) for source in config.regions.sources if not source.path.exists()]
    if not missing or config.area is None:
        return None
    found = tuple(tiles(shapely.box(*config.area), config.grid.tile_px))
    note = (
        f"planned on `area:`, for region files are not there: {', '.join(missing)}; supply them before a run"
    )
    return found, note


def _download_tiles(config: RunConfig, base: Ground | None) -> int:
    """Number of tiles of the download; 0 where nothing is downloaded."""
    if config.download is None:
        return 0
    area = base.regions.area if base else shapely.box(*(config.area or ()))
    return len(tiles(area, config.download.tile_px))


def _download_cost(config: RunConfig) -> Cost:
    """What one tile-date takes at most, of one granule. Nothing is asked of the source."""
    if config.source is None or config.download is None:
        return Cost()
    side = config.download.side_px
    return make_source(config.source, config.download).pixel_cost(Window(32631, 0, 0, side, side), 1)


def _archived(archive: Path) -> list[Scene] | None:
    return list_scenes(archive) if (archive / "scenes").is_dir() else None


def _reusable_maps(config: RunConfig, base: Ground, scenes: list[Scene], sha256: str) -> int:
    store, count = LocalStore(config.root), 0
    for period in (p.period for p in config.periods):
        for tile in base.tiles:
            found = scenes_of(scenes, tile, period, halo_px(config.index))
            task = MapTask(feature_task(config, found, period), Path(), sha256, config.classify, base.scheme)
            unit = map_unit(config, tile, task, feature_inputs(config, task.features))
            count += store.find(unit.name, unit.address) is not None
    return count
