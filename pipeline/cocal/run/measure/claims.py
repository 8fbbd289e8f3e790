"""Operations in the measure stage: their evidence as a unit, a verdict for each, sums beside the claims."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cocal.content import Ref
from cocal.contracts import Period
from cocal.estimate.operations import OPERATION_COLUMNS, SUM_COLUMNS, judged, operation_sums
from cocal.estimate.tracks import Operations
from cocal.fieldwork import read_records
from cocal.grid import RESOLUTION_M, pixel_zones, transformer
from cocal.notes import Note, note_column
from cocal.notes.account import record
from cocal.regions import Regions, owners_at
from cocal.run.measure.change import cleared_within
from cocal.run.measure.counts import CountsTask, in_time
from cocal.run.measure.domains import TOTAL
from cocal.run.measure.operations import (
    EvidenceTask,
    judge_square,
    read_evidence,
    scenes_wanted,
    squares,
    write_evidence,
)
from cocal.run.measure.task import HectaresTask, JudgedOperations
from cocal.run.recipes import Batch, Recipe
from cocal.run.state import Run

_LEVELS = ("total", "country", "region")


def judged_operations(
    run: Run, counts: CountsTask
) -> Generator[Batch, tuple[Ref, ...], JudgedOperations | None]:
    """The operations of the configuration with their evidence; None where there are none."""
    settings, operations = run.config.operations, run.operations
    if settings is None or operations is None:
        return None
    rules = settings.model_copy(update={"sources": ()})
    task = EvidenceTask(
        operations=operations,
        rules=rules,
        periods=counts.periods,
        maps=counts.maps,
        tiles=counts.tiles,
        target=counts.target,
        scenes=scenes_wanted(run.scenes, operations, rules),
        mask=run.config.index.mask if rules.images and run.config.index else None,
    )
    recipe = Recipe("operations/{address}", task, write_evidence, judge_square, squares)
    (evidence,) = yield Batch("operations", (recipe,), on_failure="stop")
    return JudgedOperations(operations, evidence, rules)


def operation_tables(task: HectaresTask, matched: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """`operations`: a row per operation, restricted; `operation_sums`: by place and period.

    The estimate of a place is of the ground of its operations that lost the target between the period before
    and that of the operations, from points that were visited in both.
    """
    given = task.operations
    assert given is not None
    table = given.operations.table
    evidence = judged(read_evidence(given.evidence), given.rules)
    region = _regions_of(given.operations, task.regions)
    country = task.regions.table.set_index("region_id")["country"].astype(str)
    own = pd.concat([table, evidence], axis=1).assign(
        region_id=region,
        country=pd.Series(region, index=table.index).map(country).fillna(""),
        period=[_period_of(day, task.periods) for day in table["last_day"]],
        cleared_ha=table["polygon_ha"] * evidence["cleared_share"],
    )[list(OPERATION_COLUMNS)]
    _record_left_out(own)
    places = _places(task.regions)
    estimates, why = _estimates(task, matched, own, given.operations)
    sums = operation_sums(own, places, estimates)
    notes = [_notes(row, why.get(row["period"])) for row in sums.to_dict("records")]
    sums = sums.assign(notes=note_column(notes, sums.index), n_points=sums["n_points"].astype("Int64"))
    return {"operations": own, "operation_sums": sums[list(SUM_COLUMNS)]}


def _regions_of(operations: Operations, regions: Regions) -> np.ndarray[Any, np.dtype[np.object_]]:
    """(n,) id of the region that owns a point within each operation, "" for none."""
    x, y = shapely.get_coordinates(shapely.point_on_surface(operations.shapes)).T
    found = np.full(len(operations), "", dtype=object)
    ids = np.array([*regions.table["region_id"].astype(str), ""], dtype=object)
    zone = pixel_zones(x, y, RESOLUTION_M)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        east, north = transformer(4326, epsg).transform(x[here], y[here])
        found[here] = ids[owners_at(regions, epsg, east, north, resolution=RESOLUTION_M)]
    return found


def _period_of(day: str, periods: tuple[Period, ...]) -> str:
    """Name of the first period that ends on the day or later; "" for none."""
    order = [periods[i] for i in in_time(periods)]
    return next((p.name for p in order if p.end.isoformat() >= day), "")


def _record_left_out(table: pd.DataFrame) -> None:
    if (outside := table["region_id"] == "").any():
        record("operations_outside", **_part(table, outside))
    if (late := table["period"] == "").any():
        record("operations_in_no_period", **_part(table, late))


def _part(table: pd.DataFrame, rows: pd.Series[bool]) -> dict[str, Any]:
    """How many these rows are, what they claim, and its share of all claims."""
    ha, whole = (float(values.sum()) for values in (table.loc[rows, "claimed_ha"], table["claimed_ha"]))
    return {"n": int(rows.sum()), "of": len(table), "ha": ha, "share": ha / whole if whole else 0.0}


def _places(regions: Regions) -> pd.DataFrame:
    """level, id, name, region_id of all, each country and each region."""
    table = regions.table[["region_id", "region_name", "country"]].astype(str)
    parts = [
        table.assign(level="total", id=TOTAL, name=TOTAL),
        table.assign(level="country", id=table["country"], name=table["country"]),
        table.assign(level="region", id=table["region_id"], name=table["region_name"]),
    ]
    return pd.concat(parts, ignore_index=True)[["level", "id", "name", "region_id"]]


def _estimates(
    task: HectaresTask, matched: Mapping[str, pd.DataFrame], table: pd.DataFrame, operations: Operations
) -> tuple[dict[tuple[str, str, str], dict[str, float]], dict[str, Note]]:
    """(level, id, period) -> figures of the paired points; period -> why it has none."""
    order = [task.periods[i].name for i in in_time(task.periods)]
    points = None if task.records is None else read_records(task.records, task.scheme)
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    why: dict[str, Note] = {}
    for period in sorted(set(table["period"]) - {""}):
        k = order.index(period)
        before = matched.get(order[k - 1]) if k else None
        region = {} if points is None else _within(points, table, operations, period)
        for level in _LEVELS:
            place = {sample: _named(level, *of) for sample, of in region.items()}
            lost = cleared_within(task, before, matched.get(period), place)
            if isinstance(lost, Note):
                why[period] = lost
                break
            found |= {(level, str(i), period): dict(row) for i, row in lost.iterrows()}
    return found, why


def _named(level: str, region: str, country: str) -> str:
    return {"total": TOTAL, "country": country, "region": region}[level]


def _within(
    points: gpd.GeoDataFrame, table: pd.DataFrame, operations: Operations, period: str
) -> dict[str, tuple[str, str]]:
    """sample_id -> (region, country) of the operation of the period that holds the point."""
    rows = np.flatnonzero((table["period"] == period) & (table["region_id"] != ""))
    tree = shapely.STRtree(operations.shapes[rows])
    where = points.geometry.representative_point().to_numpy()
    point, operation = tree.query(where, predicate="within")
    own = table.iloc[rows[operation]]
    samples = points["sample_id"].astype(str).to_numpy()[point]
    return dict(zip(samples, zip(own["region_id"], own["country"], strict=True), strict=True))


def _notes(row: Mapping[Any, Any], why: Note | None) -> tuple[Note, ...]:
    notes = []
    if pd.isna(row["estimated_ha"]):
        notes.append(why or Note("no_paired_point_in_operations"))
    elif pd.isna(row["ci_low_ha"]):
        notes.append(Note("n_too_small"))
    if row["n_not_observed"]:
        notes.append(
            Note("operations_not_observed", n=row["n_not_observed"], ha=row["claimed_ha_not_observed"])
        )
    return tuple(notes)
