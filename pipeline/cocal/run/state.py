"""The run as one stage hands it to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.archive import Scene
from cocal.config import RunConfig
from cocal.contracts import Period
from cocal.errors import UsageError
from cocal.grid import Tile
from cocal.regions import Regions, read_regions
from cocal.run.execute import Executor, Job, Outcome
from cocal.run.journal import Journal, StageRecord
from cocal.run.plan import Ground, Unit
from cocal.store import LocalStore, address


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
    minimum_unit: pd.DataFrame | None = None
    """What the minimum mapping unit changed, by region and period; None where the run has none."""

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
