"""Tables that the command prints."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cocal.contracts import UNOBSERVED
from cocal.run.plan import REVISIT_DAYS, Plan

if TYPE_CHECKING:
    from cocal.run import RunSummary


log = logging.getLogger(__name__)


class Progresses:
    """Bars on a terminal, lines in the log elsewhere, for work that tells how far it is."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, disable=not sys.stderr.isatty())
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progresses:
        self._bars.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._bars.stop()

    def tell(self, what: str, done: int, whole: int) -> None:
        """`done` of `whole` parts of `what` are there."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=whole)
        self._bars.update(self._tasks[what], completed=done)
        log.info("%s: %d of %d", what, done, whole)


def plan_table(plan: Plan) -> Table:
    """What a run would do, one fact a row."""
    table = Table("plan", plan.name)
    zones = ", ".join(f"EPSG:{epsg}: {count}" for epsg, count in plan.tiles_per_zone.items())
    archived = "unknown until imported" if plan.scenes_archived is None else str(plan.scenes_archived)
    rows = {
        "tiles per UTM zone": zones,
        "scenes, upper bound": f"{plan.scenes_upper_bound} tile-scenes (a bound, not a count: two looks every "
        f"{REVISIT_DAYS} days per tile, from the revisit time)",
        "scenes in the archive": archived,
        "imports": f"{plan.imports_new} new, {plan.imports_reused} reused",
        "maps (tile x period)": f"{plan.maps_new} new, {plan.maps_reused} reused",
        "blocks": str(plan.blocks),
        "tasks, at most": str(plan.tasks),
        "memory per worker": f"{plan.memory_per_worker / 2**30:.2f} GiB at most",
        "disk for maps": f"{plan.disk / 2**30:.2f} GiB at most, before compression",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    for note in plan.notes:
        table.add_row("note", Text(note))
    return table


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:,.1f}"


def hectares_table(result: RunSummary) -> Table:
    """Hectares of the target per region: mapped, estimated with its interval, truth if simulated."""
    assert result.areas is not None
    areas = result.areas
    target = areas[areas["class"] == result.target]
    dark = areas[areas["class"] == UNOBSERVED]["mapped_ha"]
    title = f"hectares of {result.target}" + (" - SIMULATED, not observations" if result.simulated else "")
    table = Table(title=title)
    headers = ["period", "country", "region", "mapped", "estimated", "interval", "unobserved"]
    if result.truth is not None:
        headers.append("truth (simulated)")
    for name in headers:
        table.add_column(name, justify="left" if name in ("period", "country", "region") else "right")
    for row, unseen in zip(target.to_dict("records"), dark, strict=True):
        low, high = _number(row["ci_low_ha"]), _number(row["ci_high_ha"])
        cells = [
            row["period"], row["country"], row["region_name"], _number(float(row["mapped_ha"])),
            _number(row["estimated_ha"]), f"{low} to {high}" if low else row["notes"], _number(float(unseen)),
        ]  # fmt: skip
        if result.truth is not None:
            cells.append(_number(result.truth.get(row["region_id"], float("nan"))))
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def design_table(result: RunSummary) -> Table:
    """What a design leads one to expect, per region, before anyone travels."""
    assert result.design is not None
    design = result.design
    interval, confidence = design["interval"].iloc[0], design["confidence"].iloc[0]
    title = f"expected hectares of {result.target}, {100 * confidence:g} % interval {interval}"
    title += f", shares: {design['expected_from'].iloc[0]}" + (" - SIMULATED" if result.simulated else "")
    table = Table(title=title)
    headers = ("region", "points", "expected", "interval", "half-width", "%", "9 in 10 below", "note")
    for name in headers:
        table.add_column(name, justify="left" if name in ("region", "note") else "right")
    for row in design.to_dict("records"):
        cells = [
            row["region_name"], f"{row['points']:g}", _number(row["expected_ha"]),
            f"{_number(row['low_ha'])} to {_number(row['high_ha'])}", _number(row["half_width_ha"]),
            _number(row["half_width_percent"]), _number(row["half_width_90_ha"]), row["notes"],
        ]  # fmt: skip
        table.add_row(*(Text("" if pd.isna(cell) else str(cell)) for cell in cells))
    return table


def score_table(result: RunSummary) -> Table:
    """Scores of the model under its spatial blocks; the null models always stand beside it."""
    assert result.scores is not None
    title = "scores under spatial blocks, null models below"
    table = Table(title=title + (" - SIMULATED" if result.simulated else ""))
    for name in result.scores.columns:
        table.add_column(str(name).replace("_", " "))
    for row in result.scores.itertuples(index=False):
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
    return table
