"""Areas of all tiles, counted where the executor says: what a table of the measure stage is summed from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cocal.contracts import CLASS_TIF, Period
from cocal.errors import WorkFailedError
from cocal.grid import Tile
from cocal.run.execute import Call, Job
from cocal.run.observers import Ended, Made, Started
from cocal.run.state import Run
from cocal.run.worker.mosaic import Source


def class_maps(run: Run, period: Period) -> list[tuple[Tile, Path | None]]:
    """The period's tiles with their class map; None where it failed."""
    return [(tile, ref.folder and ref.folder / CLASS_TIF) for tile, ref in run.maps_of(period.name).items()]


def regions_source(run: Run) -> Source:
    """The regions as workers get them."""
    return Source.of(run.config.regions, run.base.regions)


def counted(run: Run, stage: str, calls: dict[tuple[str, str], Call]) -> dict[tuple[str, str], Any]:
    """What each call returns, by its (period, tile); a map that cannot be read ends the run."""
    jobs = {f"{stage} {period}/{tile}": (key, call) for key, call in calls.items() for period, tile in [key]}
    results = {}
    run.observe(Started(stage, len(jobs)))
    for outcome in run.executor.outcomes([Job(n, (c,)) for n, (_, c) in jobs.items()]):
        if outcome.error:
            raise WorkFailedError(
                f"the hectares of {outcome.unit} could not be counted", "a class map as it was committed",
                outcome.reason, "run again: a damaged map is made anew",
            ) from outcome.error  # fmt: skip
        results[jobs[outcome.unit][0]] = outcome.result
        run.observe(Made(outcome.unit, "", outcome.seconds))
    run.observe(Ended(stage))
    return {key: results[key] for key in calls}
