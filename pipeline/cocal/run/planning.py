"""The plan of a run: its stages driven without work, and bounds for the rest. No pixel is read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import shapely

from cocal.archive import list_scenes
from cocal.config import RunConfig
from cocal.content import Ref
from cocal.errors import InputError
from cocal.grid import Tile, Window, tiles
from cocal.notes.account import recorded
from cocal.run.observers import Log, Noted
from cocal.run.recipes import Stage, found
from cocal.run.stages import begun
from cocal.run.state import Ground, Run, ground
from cocal.run.worker.memory import REVISIT_DAYS, worker_bound
from cocal.scenes.download import make_source
from cocal.scenes.download.units import Cost
from cocal.store import LocalStore


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
    """The plan of `run(config)`: counts of units, tasks and memory (bytes), without network and without
    pixels.

    Examples
    --------
    See docs/api.md: `cocal.plan(configured)`.
    """
    coarse = _coarse(config)
    with recorded() as left_out:
        base = None if coarse is not None else ground(config)
        counts = _counts(config, base)
    Log()(Noted(tuple(left_out)))
    cells = base.tiles if base else coarse[0] if coarse else ()
    pending, reused = counts.get("import", (0, 0))
    maps = len(cells) * len(config.periods)
    last = "minimum unit" if config.classify.minimum_unit else "classify"
    maps_new, maps_reused = counts.get(last, (maps, 0))
    notes = [] if coarse is None else [coarse[1]]
    if "classify" not in counts and base is not None:
        notes.append(
            "maps count as new: this run trains its model first and reuses what then still fits"
            if "train" in counts
            else "maps count as new: they depend on scenes still to be imported"
        )  # fmt: skip
    archive, archived = config.archive, None
    if archive is not None and not pending and (archive / "scenes").is_dir():
        archived = list_scenes(archive)
    tile = cells[0]
    blocks = len(tile.blocks(config.grid.block_px)) * maps
    days = [(p.end - p.start).days + 1 for p in config.periods]
    per_tile = 0 if archive is None else sum(2 * math.ceil(d / REVISIT_DAYS) for d in days)
    zones = {e: sum(t.window.epsg == e for t in cells) for e in {t.window.epsg for t in cells}}
    tile_dates = per_tile * _download_tiles(config, base)
    return Plan(
        name=config.name,
        tiles_per_zone=dict(sorted(zones.items())),
        scenes_upper_bound=per_tile * len(cells),
        scenes_archived=None if archived is None else len(archived),
        imports_new=pending,
        imports_reused=reused,
        blocks=blocks,
        tasks=pending + blocks + 2 * maps + 3,
        memory_per_worker=worker_bound(config),
        disk=maps * tile.window.width * tile.window.height * 5,
        maps_new=maps_new,
        maps_reused=maps_reused,
        notes=tuple(notes),
        tile_dates=tile_dates,
        download=_download_cost(config) * tile_dates,
    )


def _counts(config: RunConfig, base: Ground | None) -> dict[str, tuple[int, int]]:
    """Units to be made and to be reused, by batch, up to the first batch that is not whole."""
    if base is None:
        return {}
    run, counts = Run(config, base, LocalStore(config.root)), dict[str, tuple[int, int]]()
    for name in ("import", "train", "classify"):
        stage = begun(name, run)
        try:
            if stage is not None and not _driven(stage, run, counts):
                break
        except InputError:
            if name != "import" or config.imports:
                raise
            break  # a period has no scene: they are still to be downloaded
    return counts


def _driven(stage: Stage, run: Run, counts: dict[str, tuple[int, int]]) -> bool:
    """Drive a stage without working; False at the first batch that is not whole."""
    refs: tuple[Ref, ...] | None = None
    while True:
        try:
            batch = next(stage) if refs is None else stage.send(refs)
        except StopIteration:
            return True
        known = [found(recipe, batch.store or run.store) for recipe in batch.recipes]
        refs = tuple(ref for ref in known if ref is not None)
        counts[batch.stage] = len(known) - len(refs), len(refs)
        if len(refs) < len(known):
            return False


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
    """What one tile-date of one granule costs at most. No request is sent."""
    if config.source is None or config.download is None:
        return Cost()
    side = config.download.side_px
    return make_source(config.source, config.download).pixel_cost(Window(32631, 0, 0, side, side), 1)
