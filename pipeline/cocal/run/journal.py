"""What a run planned, made, reused, skipped and failed: run.json, log lines, progress bars."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cocal.run.execute import Outcome
from cocal.store import library_versions, write_json

log = logging.getLogger(__name__)


@dataclass
class StageRecord:
    """The counts of one stage. `failed` lists unit and reason."""

    planned: int = 0
    made: int = 0
    reused: int = 0
    skipped: list[str] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0


class Journal:
    """Keeps run.json true while a run goes on, and tells the person or the log."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        self.facts = facts | {"status": "running", "versions": library_versions()}
        self.stages: dict[str, StageRecord] = {}
        self._bar: tuple[Progress, Any] | None = None

    def write(self) -> None:
        """Bring run.json up to date."""
        write_json(self.path, self.facts | {"stages": {n: asdict(s) for n, s in self.stages.items()}})

    @contextmanager
    def stage(self, name: str, planned: int) -> Iterator[StageRecord]:
        """Open a stage of `planned` units; its bar is shown on a terminal only."""
        record = self.stages[name] = StageRecord(planned)
        began = time.monotonic()
        log.info("start %s: %d unit(s)", name, planned)
        self.write()
        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, disable=not sys.stderr.isatty(), transient=False) as progress:
            self._bar = progress, progress.add_task(name, total=planned)
            try:
                yield record
            finally:
                self._bar = None
                record.seconds = round(time.monotonic() - began, 3)
                self.write()
        log.info(
            "end %s: %d made, %d reused, %d failed, %.1f s",
            name, record.made, record.reused, len(record.failed), record.seconds,
        )  # fmt: skip

    def _advance(self) -> None:
        if self._bar:
            self._bar[0].advance(self._bar[1])

    def reused(self, record: StageRecord, unit: str) -> None:
        """Count a unit whose committed output was taken as it is."""
        record.reused += 1
        log.debug("reuse %s", unit)
        self._advance()

    def outcome(self, record: StageRecord, outcome: Outcome) -> None:
        """Count a unit that was worked on."""
        if outcome.error is None:
            record.made += 1
            log.info("done %s in %.1f s", outcome.unit, outcome.seconds)
        else:
            record.failed.append({"unit": outcome.unit, "reason": outcome.reason})
            log.error("failed %s: %s", outcome.unit, outcome.reason)
        self._advance()

    @property
    def failures(self) -> list[tuple[str, str]]:
        """(unit, reason) of everything that failed in this run."""
        return [(f["unit"], f["reason"]) for s in self.stages.values() for f in s.failed]

    @property
    def summary(self) -> str:
        """One line: how much was made, reused and failed over all stages."""
        made = sum(s.made for s in self.stages.values())
        reused = sum(s.reused for s in self.stages.values())
        return f"{made} unit(s) made, {reused} reused, {len(self.failures)} failed"

    def close(self, status: str) -> None:
        """Write the last run.json."""
        self.facts["status"] = status
        self.facts["summary"] = self.summary
        self.write()
