"""The stages of a run, composed: import -> train -> index + classify -> measure -> compare -> report.

Each stage finds what is committed already, works on the rest, and leaves committed units behind.
"""

from __future__ import annotations

from pathlib import Path

from cocal.archive import list_scenes, scene_store, write_catalog
from cocal.classify import check_model, load_model, stored_model
from cocal.errors import InputError, WorkFailedError
from cocal.features import feature_names, halo_px
from cocal.grid import Tile
from cocal.run.execute import Call, Job
from cocal.run.minimum import apply_minimum_unit
from cocal.run.plan import (
    Unit,
    feature_inputs,
    feature_task,
    feature_unit,
    import_state,
    map_unit,
    scenes_of,
)
from cocal.run.state import Run
from cocal.run.worker.tiles import MapTask, block_map, finish_tile, write_features
from cocal.scenes import import_scene


def import_stage(run: Run) -> None:
    """Bring in the scenes that the archive lacks, then list what it holds."""
    config = run.config
    if config.imports:
        scene_store(config.archive).root.mkdir(parents=True, exist_ok=True)
        with scene_store(config.archive).locked():
            scene_store(config.archive).sweep()
            state = import_state(config)
            with run.journal.stage("import", len(state.tasks)) as record:
                todo = []
                for task, done in zip(state.tasks, state.done, strict=True):
                    if done:
                        run.journal.reused(record, task.unit)
                    else:
                        todo.append(Job(task.unit, (Call(import_scene, (task, config.archive)),)))
                run.work(record, todo)
                write_catalog(config.archive)
    run.scenes = list_scenes(config.archive)
    for period in run.periods:
        if not any(period.start <= s.day <= period.end for s in run.scenes):
            raise InputError(
                f"no scene of the archive {config.archive} lies in period {period.name}",
                f"scenes from {period.start} to {period.end}",
                f"{len(run.scenes)} scene(s)"
                + (f" from {run.scenes[0].day} to {run.scenes[-1].day}" if run.scenes else ""),
                "import scenes of that period, or mend `periods:`",
            )


def map_tasks(run: Run, model_folder: Path) -> list[tuple[Tile, MapTask, Unit]]:
    """Every tile and period with what makes its map."""
    config, model = run.config, stored_model(model_folder)
    for period in run.periods:
        check_model(
            model,
            features=feature_names(config.index, period),
            scheme=run.base.scheme,
            feature_settings=config.index.model_dump(mode="json"),
        )
    found = []
    for period in run.periods:
        shared = feature_inputs(config, feature_task(config, (), period))
        for tile in run.base.tiles:
            scenes = scenes_of(run.scenes, tile, period, halo_px(config.index))
            task = MapTask(
                feature_task(config, scenes, period),
                model_folder,
                model.card.sha256,
                config.classify,
                run.base.scheme,
            )
            found.append((tile, task, map_unit(config, tile, task, shared)))
    return found


def classify_stage(run: Run) -> None:
    """Index and classify every tile of every period, fused block by block; take patches below the minimum unit away."""
    tasks = map_tasks(run, run.require_model())
    with run.journal.stage("classify", len(tasks)) as record:
        jobs, by_unit = [], {}
        for tile, task, unit in tasks:
            key = (task.features.period.name, tile)
            if run.store.find(unit.name, unit.address):
                run.journal.reused(record, unit.name)
                run.maps[key] = unit
                continue
            blocks = tuple(Call(block_map, (b, task)) for b in tile.blocks(run.config.grid.block_px))
            finish = Call(finish_tile, (tile, task, run.store, unit.name, unit.inputs))
            jobs.append(Job(unit.name, blocks, finish))
            by_unit[unit.name] = (key, unit)
        if jobs:
            load_model(run.require_model())  # tested once and here, not by the first worker
        for name, outcome in run.work(record, jobs).items():
            key, unit = by_unit[name]
            run.maps[key] = None if outcome.error else unit
    if run.config.classify.minimum_unit:
        run.maps = apply_minimum_unit(run, run.maps)
    if not any(run.maps.values()):
        raise WorkFailedError(
            "no tile could be mapped", "at least one", "; ".join(r for _, r in run.journal.failures[:3]),
            "mend what run.json lists under `failed`, then run again",
        )  # fmt: skip


def index_stage(run: Run) -> None:
    """Write the features of every tile to disk (`cocal index`, or `keep: [features]`)."""
    config = run.config
    units = []
    for period in run.periods:
        for tile in run.base.tiles:
            task = feature_task(config, scenes_of(run.scenes, tile, period, halo_px(config.index)), period)
            units.append((tile, task, feature_unit(config, tile, task)))
    with run.journal.stage("index", len(units)) as record:
        jobs = []
        for tile, task, unit in units:
            if run.store.find(unit.name, unit.address):
                run.journal.reused(record, unit.name)
            else:
                args = (tile, config.grid.block_px, task, run.store, unit.name, unit.inputs)
                jobs.append(Job(unit.name, (Call(write_features, args),)))
        run.work(record, jobs)
