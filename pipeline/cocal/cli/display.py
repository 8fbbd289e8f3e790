"""Tables that the command prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from rich.table import Table
from rich.text import Text

from cocal.classify import ScoreTable
from cocal.contracts import UNOBSERVED
from cocal.run.planning import Plan
from cocal.run.worker.memory import REVISIT_DAYS
from cocal.scenes.download.units import Cost

if TYPE_CHECKING:
    from cocal.config import RunConfig
    from cocal.run import RunSummary
    from cocal.scenes.download.estimate import MonthEstimate
    from cocal.scenes.download.settings import LimitSettings


def plan_table(plan: Plan) -> Table:
    """The plan of a run, one fact per row."""
    table = Table("plan", plan.name)
    zones = ", ".join(f"EPSG:{epsg}: {count}" for epsg, count in plan.tiles_per_zone.items())
    archived = "unknown until imported" if plan.scenes_archived is None else str(plan.scenes_archived)
    rows = {
        "tiles per UTM zone": zones,
        "scenes, upper bound": f"{plan.scenes_upper_bound} tile-scenes (a bound, not a count: two "
        "acquisitions "
        f"every {REVISIT_DAYS} days per tile, from the revisit time)",
        "scenes in the archive": archived,
        "imports": f"{plan.imports_new} new, {plan.imports_reused} reused",
        "maps (tile x period)": f"{plan.maps_new} new, {plan.maps_reused} reused",
        "blocks": str(plan.blocks),
        "tasks, at most": str(plan.tasks),
        "memory per worker": f"{plan.memory_per_worker / 2**30:.2f} GiB at most",
        "disk for maps": f"{plan.disk / 2**30:.2f} GiB at most, before compression",
    }
    if plan.tile_dates:
        cost = plan.download
        rows["download, upper bound"] = (
            f"{plan.tile_dates} tile-dates, {cost.requests} requests, {cost.processing_units:,.0f} "
            "processing units, "
            f"{cost.bytes / 1e9:,.0f} GB before compression (from the revisit time; `cocal download "
            "--dry-run` "
            "queries the catalogue)"
        )
    for name, value in rows.items():
        table.add_row(name, value)
    for note in plan.notes:
        table.add_row("note", Text(note))
    return table


def download_table(months: Sequence[MonthEstimate], config: RunConfig, spent: Cost) -> Table:
    """The cost of a download per month of imagery and in total, with the budget and the amount spent."""
    assert config.download is not None
    headers = (
        "month",
        "tile-dates",
        "archived",
        "too cloudy",
        "requests",
        "processing units",
        "GB",
        "minutes",
    )
    table = _table("upper bound of what remains to be fetched; nothing was fetched", headers, ("month",))
    limits = config.download.limits
    for m in months:
        counts = [m.tile_dates, m.committed, m.too_cloudy]
        table.add_row(m.month, *map(str, counts), *_cost_cells(m.total, limits))
    total = sum((m.total for m in months), Cost())
    counts = [sum(getattr(m, name) for m in months) for name in ("tile_dates", "committed", "too_cloudy")]
    table.add_section()
    table.add_row("total", *map(str, counts), *_cost_cells(total, limits))
    budget = config.download.budget
    bounds = (budget.requests, budget.processing_units, budget.gigabytes)
    cells = ["unbounded" if bound is None else f"{bound:,g}" for bound in bounds]
    table.add_row("budget of a calendar month", "", "", "", *cells, "")
    table.add_row("spent or reserved this month", "", "", "", *_cost_cells(spent, limits)[:3], "")
    return table


def _cost_cells(cost: Cost, limits: LimitSettings) -> list[str]:
    minutes = cost.requests / limits.per_minute
    if limits.units_per_minute:
        minutes = max(minutes, cost.processing_units / limits.units_per_minute)
    return [
        str(cost.requests),
        f"{cost.processing_units:,.2f}",
        f"{cost.bytes / 1e9:,.3f}",
        f"{minutes:,.1f}",
    ]


def _table(title: str, headers: Sequence[str], left: Sequence[str]) -> Table:
    """An empty table; columns that are not in `left` hold numbers and are aligned to the right."""
    table = Table(title=title)
    for name in headers:
        table.add_column(name, justify="left" if name in left else "right")
    return table


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:,.1f}"


def hectares_table(result: RunSummary) -> Table:
    """Hectares of the target per region: mapped, estimated with its interval, truth if simulated."""
    assert result.areas is not None
    areas = result.areas
    target = areas[areas["class"] == result.target]
    unobserved = areas[areas["class"] == UNOBSERVED]["mapped_ha"]
    title = f"hectares of {result.target}" + (" - SIMULATED, not observations" if result.simulated else "")
    headers = ["period", "country", "region", "mapped", "estimated", "interval", "unobserved"]
    small = bool(target["small_area_low_ha"].notna().any())
    headers += ["small area (model)"] if small else []
    if result.truth is not None:
        headers.append("truth (simulated)")
    table = _table(title, headers, ("period", "country", "region"))
    for row, unseen in zip(target.to_dict("records"), unobserved, strict=True):
        low, high = _number(row["ci_low_ha"]), _number(row["ci_high_ha"])
        cells = [
            row["period"], row["country"], row["region_name"], _number(float(row["mapped_ha"])),
            _number(row["estimated_ha"]), f"{low} to {high}" if low else row["notes"], _number(float(unseen)),
        ]  # fmt: skip
        if small:
            low, high = _number(row["small_area_low_ha"]), _number(row["small_area_high_ha"])
            cells.append(f"{low} to {high}" if low else "")
        if result.truth is not None:
            cells.append(_number(result.truth.get(row["region_id"], float("nan"))))
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _up_to(value: float) -> str:
    return "" if pd.isna(value) else f"0 to {_number(value)}"


def design_table(result: RunSummary) -> Table:
    """The interval to expect from a design, per region."""
    assert result.design is not None
    design = result.design
    interval, confidence = design["interval"].iloc[0], design["confidence"].iloc[0]
    title = f"expected hectares of {result.target}, {100 * confidence:g} % interval {interval}"
    title += f", shares: {design['expected_from'].iloc[0]}" + (" - SIMULATED" if result.simulated else "")
    cut = bool((design["not_sampled_ha"] > 0).any())
    small = bool(design["small_area_no_hit_ha"].notna().any())
    headers = (
        "region", "points", "expected", "interval", "half-width", "%", "9 in 10 below", "without a hit",
        *(["small area: without a hit"] if small else []),
        *(["not sampled"] if cut else []), "note",
    )  # fmt: skip
    table = _table(title, headers, ("region", "note"))
    for row in design.to_dict("records"):
        total, sampled = row["region_id"] == "total", pd.notna(row["low_ha"])
        cells = [
            row["region_name"], f"{row['points']:g}", _number(row["expected_ha"]),
            f"{_number(row['low_ha'])} to {_number(row['high_ha'])}" if sampled else "",
            _number(row["half_width_ha"]), _number(row["half_width_percent"]),
            _number(row["half_width_90_ha"]), _up_to(row["no_hit_ha"]),
            *([_up_to(row["small_area_no_hit_ha"])] if small else []),
            *([f"{_number(row['not_sampled_ha'])} ha"] if cut else []), "" if total else row["notes"],
        ]  # fmt: skip
        table.add_row(*(Text("" if pd.isna(cell) else str(cell)) for cell in cells))
    warnings = design.loc[design["region_id"] == "total", "notes"].dropna()
    table.caption = Text(
        "\n".join(["without a hit: what a region without a point of it will read", *warnings])
    )
    return table


def states_table(states: pd.DataFrame) -> Table:
    """The state of each figure, with the edition before and the differences."""
    headers = ("period", "level", "place", "state", "by", "on", "mapped", "estimated", "before", "difference")
    table = _table("states of figures, hectares", headers, headers[:6])
    for row in states.to_dict("records"):
        kind = "estimated" if row["before_estimated_ha"] else "mapped"
        before = [row["before_state"], row["before_on"], row[f"before_{kind}_ha"]]
        cells = [row[name] for name in (*headers[:6], "mapped_ha", "estimated_ha")]
        cells += [" ".join(filter(None, before)), row[f"{kind}_difference_ha"]]
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def score_tables(scores: Sequence[ScoreTable], *, simulated: bool) -> list[Table]:
    """Scores of a model under each validation design, with the null models below."""
    tables = []
    for part in scores:
        head, _, _ = str(part).partition("\n")
        table = Table(title=f"{head}; 95 % over blocks" + (" - SIMULATED" if simulated else ""))
        for name in part.summary.columns:
            table.add_column(str(name))
        for row in part.summary.itertuples(index=False):
            table.add_row(*(Text(str(cell)) for cell in row))
        tables.append(table)
    return tables
