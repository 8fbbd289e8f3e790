"""The stages of a run, composed: import -> train -> index + classify -> measure -> compare -> report.

Each stage finds what is committed already, works on the rest, and leaves committed units behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cocal.archive import Scene, list_scenes, scene_store, write_catalog
from cocal.classify import check_model, load_model
from cocal.config import RunConfig
from cocal.contracts import Period
from cocal.errors import InputError, UsageError, WorkFailedError
from cocal.features import feature_names, halo_px
from cocal.grid import Tile
from cocal.regions import Regions, read_regions
from cocal.run.execute import Call, Executor, Job, Outcome
from cocal.run.journal import Journal, StageRecord
from cocal.run.plan import (
    Ground,
    Unit,
    feature_inputs,
    feature_task,
    feature_unit,
    import_state,
    map_unit,
    scenes_of,
)
from cocal.run.tiles import MapTask, block_map, finish_tile, write_features
from cocal.scenes import import_scene
from cocal.store import LocalStore, address

log = logging.getLogger(__name__)


@dataclass
class Run:
    """A run under way: what it stands on and what its stages have found so far."""

    config: RunConfig
    executor: Executor
    journal: Journal
    base: Ground
    store: LocalStore
    scenes: list[Scene] = field(default_factory=list)
    model_folder: Path | None = None
    maps: dict[tuple[str, Tile], Unit | None] = field(default_factory=dict)
    config_path: Path | None = None

    @cached_property
    def zones(self) -> Regions | None:
        """The zones of the law, if the configuration has any."""
        return read_regions(self.config.legal.zones) if self.config.legal else None

    @property
    def periods(self) -> list[Period]:
        return [p.period for p in self.config.periods]

    @property
    def simulated(self) -> bool:
        """True if any scene is simulated: then every output says so."""
        return any(s.simulated for s in self.scenes)

    @property
    def scenes_address(self) -> str:
        return address({s.id: s.address for s in self.scenes})

    def require_model(self) -> Path:
        """The folder of the run's model; the train stage has set it."""
        if self.model_folder is None:
            raise RuntimeError("train_stage comes before the stages that need a model")
        return self.model_folder

    def work(self, record: StageRecord, jobs: Sequence[Job]) -> dict[str, Outcome]:
        """Do the jobs; the outcomes by unit.

        What the user must mend stops the run: jobs that are under way then are finished, no more are begun.
        """
        outcomes: dict[str, Outcome] = {}
        refused: list[UsageError] = []

        def begun() -> Iterator[Job]:
            for job in jobs:
                if refused:
                    return
                yield job

        for outcome in self.executor.outcomes(begun()):
            self.journal.outcome(record, outcome)
            outcomes[outcome.unit] = outcome
            if isinstance(outcome.error, UsageError):
                refused.append(outcome.error)
        if refused:
            raise refused[0]
        return outcomes

    def one_unit(self, stage: str, inputs: dict[str, Any], write: Any) -> None:
        """A stage of a single unit `:stage`: reuse it, or call `write(folder)` and commit."""
        with self.journal.stage(stage, 1) as record:
            if self.store.find(f":{stage}", address(inputs)):
                self.journal.reused(record, stage)
                return
            began = time.monotonic()
            with self.store.commit(f":{stage}", inputs) as folder:
                write(folder)
            self.journal.outcome(record, Outcome(stage, None, None, time.monotonic() - began))


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
    config, model = run.config, load_model(model_folder)
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
    """Index and classify every tile of every period, fused block by block."""
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
        for name, outcome in run.work(record, jobs).items():
            key, unit = by_unit[name]
            run.maps[key] = None if outcome.error else unit
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
