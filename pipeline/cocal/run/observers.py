"""What happens in a run, as events, and who reports them: run.json, the log, the bar, the summary."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from cocal.notes import Language, Note, render
from cocal.progress import ProgressBars
from cocal.store import library_versions, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """A stage of `planned` units begins."""

    stage: str
    planned: int


@dataclass(frozen=True)
class Part:
    """`done` of `of` pieces of a unit are worked on."""

    unit: str
    done: int
    of: int


@dataclass(frozen=True)
class Reused:
    """A committed unit is taken as it is."""

    unit: str
    address: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Made:
    """A unit was made and committed; `notes`: what was left out or repaired, as for `Reused`."""

    unit: str
    address: str
    seconds: float
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Noted:
    """A stage left something out, or repaired it."""

    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Failed:
    """A unit could not be made."""

    unit: str
    reason: str


@dataclass(frozen=True)
class SetAside:
    """A committed unit was found damaged and moved to `folder`."""

    unit: str
    reason: str
    folder: Path


@dataclass(frozen=True)
class Ended:
    """The stage is over."""

    stage: str


Event = Started | Part | Reused | Made | Noted | Failed | SetAside | Ended
Observe = Callable[[Event], None]


@dataclass
class StageRecord:
    """Counts of the units of one stage. `failed`: unit and reason; `units`: unit -> address."""

    planned: int
    made: int = 0
    reused: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    units: dict[str, str] = field(default_factory=dict)


class Summary:
    """Counts what was made, reused and failed, by stage; `left_out`: note -> its unit, "" of a stage."""

    def __init__(self) -> None:
        self.stages: dict[str, StageRecord] = {}
        self.damaged: list[dict[str, str]] = []
        self.left_out: dict[Note, str] = {}
        self._began = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Reused | Made | Noted):
            for note in event.notes:
                self.left_out.setdefault(note, getattr(event, "unit", ""))
        if isinstance(event, Started):
            self._began = time.monotonic()
            self._record = self.stages[event.stage] = StageRecord(event.planned)
        elif isinstance(event, Reused | Made):
            self._record.units[event.unit] = event.address
            self._record.made += isinstance(event, Made)
            self._record.reused += isinstance(event, Reused)
        elif isinstance(event, Failed):
            self._record.failed.append({"unit": event.unit, "reason": event.reason})
        elif isinstance(event, SetAside):
            self.damaged.append({"unit": event.unit, "reason": event.reason, "folder": str(event.folder)})
        elif isinstance(event, Ended):
            self._record.seconds = round(time.monotonic() - self._began, 3)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """(unit, reason) of everything that failed."""
        return [(f["unit"], f["reason"]) for s in self.stages.values() for f in s.failed]

    def __str__(self) -> str:
        made = sum(s.made for s in self.stages.values())
        reused = sum(s.reused for s in self.stages.values())
        return f"{made} unit(s) made, {reused} reused, {len(self.failures)} failed"


class RunFile:
    """Keeps run.json true while a run goes on: its facts, and the counts of `summary`, which comes first."""

    def __init__(self, path: Path, summary: Summary, facts: dict[str, Any]) -> None:
        self.path, self.summary = path, summary
        self.facts = facts | {"status": "running", "versions": library_versions()}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started | Noted | Ended):
            self.write()

    def write(self, **facts: Any) -> None:
        """Bring run.json up to date, with further facts."""
        self.facts |= facts
        stages = {name: asdict(record) for name, record in self.summary.stages.items()}
        damaged = {"damaged": self.summary.damaged} if self.summary.damaged else {}
        left_out = [
            {"code": note.code, "unit": unit, "values": note.values}
            | {language: render(note, language) for language in get_args(Language)}
            for note, unit in self.summary.left_out.items()
        ]
        write_json(self.path, self.facts | damaged | {"left_out": left_out, "stages": stages})


class Log:
    """A line of the log for every unit, k of N and the time left; a warning for what is left out.

    The time left is (units not yet done) x (mean seconds of those made) / workers.
    """

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._warned: set[Note] = set()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Reused | Made | Noted):
            for note in event.notes:
                if note not in self._warned:
                    log.warning("%s", render(note, "en"))
                self._warned.add(note)
        match event:
            case Started(stage, planned):
                self._planned, self._seconds, self._reused, self._failed = planned, list[float](), 0, 0
                log.info("start %s: %d unit(s)", stage, planned)
            case Reused(unit):
                self._reused += 1
                log.debug("reuse %s", unit)
            case Made(unit, _, seconds, _):
                self._seconds.append(seconds)
                log.info("done %s in %.1f s (%s)", unit, seconds, self._progress())
            case Failed(unit, reason):
                self._failed += 1
                log.error("failed %s: %s", unit, reason)
            case SetAside(unit, reason, folder):
                log.warning("%s is damaged (%s): moved to %s, to be made anew", unit, reason, folder)
            case Ended(stage):
                made = len(self._seconds)
                log.info("end %s: %d made, %d reused, %d failed", stage, made, self._reused, self._failed)
            case _:
                pass

    def _progress(self) -> str:
        done = len(self._seconds) + self._reused + self._failed
        left = (self._planned - done) * sum(self._seconds) / len(self._seconds) / self.workers
        return f"{done} of {self._planned}" + (f", about {left:.0f} s left" if left >= 1 else "")


class Bar:
    """A bar per stage, on a terminal only; it counts the pieces where the stage has one unit."""

    def __call__(self, event: Event) -> None:
        match event:
            case Started(stage, planned):
                self._stage, self._planned, self._done = stage, planned, 0
                self._bars = ProgressBars()
                self._bars.start()
                self._bars.update(stage, 0, planned)
            case Part(_, done, of) if self._planned == 1:
                self._bars.update(self._stage, done, of)
            case Reused() | Made() | Failed():
                self._done += 1
                self._bars.update(self._stage, self._done, self._planned)
            case Ended():
                self._bars.stop()
            case _:
                pass


def observed_by(*observers: Observe) -> Observe:
    """One observer that passes every event on, in order."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe
