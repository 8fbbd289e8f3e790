"""What changed between two periods, per region: on the maps, and from points that were visited in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import ELSEWHERE, OTHER, UNOBSERVED
from cocal.estimate import Change, estimate_change, exact_ha
from cocal.estimate.settings import CALIBRATED
from cocal.fieldwork import read_strata
from cocal.notes import Note, note_column
from cocal.run.measure.counts import CHANGES, in_time
from cocal.run.measure.known import (
    KnownGround,
    change_class,
    each_region,
    expansion_because,
    known_change,
)
from cocal.run.measure.sampling import EXPANSION
from cocal.run.measure.task import HectaresTask

_ESTIMATED = {"cleared": "loss", "new": "gain", "net": "net"}
"""Quantity of the maps -> quantity of `estimate_change`."""

_FIGURES = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
MIN_PAIRS = 2
CHANGE_COLUMNS = (
    "region_id", "region_name", "country", "from_period", "to_period", "quantity", "mapped_ha",
    "seen_twice_ha",
    *_FIGURES, "n", "notes",
)  # fmt: skip


def change_table(
    task: HectaresTask, counts: Mapping[str, NDArray[np.int64]], matched: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Hectares of the target cleared, new, replanted and net between successive periods, per region and in
    all.

    region_id ("" in all), region_name, country, from_period, to_period, quantity, mapped_ha,
    seen_twice_ha (ground that both maps show: only there change can be seen), estimated_ha,
    standard_error_ha, ci_low_ha, ci_high_ha, n, notes. `cleared` is ground that lost the target, not a
    difference of stocks. Estimates are from points of the sample that were visited in both periods.
    """
    regions = task.regions.table
    names = regions[["region_id", "region_name", "country"]].astype(str)
    whole = pd.DataFrame([{"region_id": "", "region_name": "", "country": ""}])
    keys = pd.concat([names, whole], ignore_index=True)
    parts, periods = [], [task.periods[i] for i in in_time(task.periods)]
    for k, (first, second) in enumerate(pairwise(periods)):
        sums = np.vstack([counts["change"][k], counts["change"][k].sum(axis=0)])
        cleared, new, replanted, both = (sums[:, CHANGES.index(q)] for q in CHANGES)
        cells = counts.get("strata_change")
        estimated = _paired(
            task,
            matched.get(first.name),
            matched.get(second.name),
            None if cells is None else cells[cells[:, 0] == k],
        )
        for quantity, units in (
            ("cleared", cleared),
            ("new", new),
            ("replanted", replanted),
            ("net", new - cleared),
        ):
            table = keys.assign(
                from_period=first.name,
                to_period=second.name,
                quantity=quantity,
                mapped_ha=_exact(units),
                seen_twice_ha=_exact(both),
            )
            parts.append(_with_estimate(table, estimated, quantity))
    return pd.concat(parts, ignore_index=True)[list(CHANGE_COLUMNS)]


def _exact(units: NDArray[np.int64]) -> pd.Series[Any]:
    return pd.Series([exact_ha(u) for u in units.tolist()], dtype=object)


def _with_estimate(table: pd.DataFrame, estimated: Change | Note, quantity: str) -> pd.DataFrame:
    if quantity not in _ESTIMATED and not isinstance(estimated, Note):
        estimated = Note("maps_only")
    if isinstance(estimated, Note):
        why = note_column([(estimated,)] * len(table), table.index)
        return table.assign(**dict.fromkeys(_FIGURES, np.nan), n=np.nan, notes=why)
    rows = estimated.table[estimated.table["quantity"] == _ESTIMATED[quantity]].set_index("region")
    found = rows.reindex(table["region_id"]).rename(columns={"area_ha": "estimated_ha"})
    absent = (Note("no_paired_point_in_region"),)
    notes = [
        absent if pd.isna(area) else (Note("n_too_small"),) if pd.isna(low) else ()
        for area, low in zip(found["estimated_ha"], found["ci_low_ha"], strict=True)
    ]
    notes[-1] = (*notes[-1], *estimated.warnings)  # the row of the whole is the last
    return table.assign(
        **{name: found[name].to_numpy() for name in _FIGURES},
        n=found["n"].to_numpy(dtype=float),
        notes=note_column(notes, table.index),
    )


@dataclass(frozen=True)
class Pairs:
    """The points seen in both of two periods, as `estimate_change` takes them, with their design.

    `strata` has the column region_id beside it. `known`: None where nothing is known but the strata's areas.
    """

    points: pd.DataFrame
    strata: pd.DataFrame
    known: KnownGround | None


def pairs_of(
    task: HectaresTask,
    before: pd.DataFrame | None,
    after: pd.DataFrame | None,
    cells: NDArray[np.int64] | None,
) -> Pairs | Note:
    """The pairs of two periods' matched records; or why there are none.

    `cells`: the ground of the pair of maps by stratum, see `known_change`.
    """
    settings, records = task.estimate, task.records
    if settings is None or records is None or records.strata is None or before is None or after is None:
        return Note("no_probability_sample")
    if settings.estimator not in (EXPANSION, CALIBRATED):
        return Note("change_needs_stratified", estimator=settings.estimator)
    strata = read_strata(records.strata, before, coded=bool(records.strata_rasters))
    known = None
    if cells is not None and expansion_because(records, settings.estimator) is None:
        known = known_change(task, cells, strata)
    points = paired_points(before, after, task.scheme.target, outside=known is not None)
    if strata["region_id"].notna().any():
        strata["stratum"] = strata["stratum"] + " in " + strata["region_id"]
        points["stratum"] = points["stratum"] + " in " + points["region"]
    strata = strata if known is None else known.strata
    return Pairs(points, strata.drop(columns=["code", "points"], errors="ignore"), known)


def _paired(
    task: HectaresTask,
    before: pd.DataFrame | None,
    after: pd.DataFrame | None,
    cells: NDArray[np.int64] | None,
    place: Mapping[str, str] | None = None,
) -> Change | Note:
    """Estimated change of the target by region, "" in all; or why there is none; see `pairs_of`.

    `place`: sample_id -> domain in place of regions; other points are in none.
    """
    found = pairs_of(task, before, after, cells)
    if isinstance(found, Note):
        return found
    assert task.estimate is not None
    strata, settings = found.strata, task.estimate
    few = strata["stratum"][~strata["stratum"].isin(_of_pairs(found.points["stratum"]))]
    if len(few):
        return Note("few_pairs_in_strata", least=MIN_PAIRS, strata=sorted(few)[:5])
    points = found.points.drop(columns="sample_id")
    if place is not None:
        points["region"] = found.points["sample_id"].map(place).fillna(ELSEWHERE)
    change = estimate_change(
        points,
        strata.drop(columns="region_id"),
        classes=(task.scheme.target, OTHER),
        interval=settings.interval,
        confidence=settings.confidence,
        by_region=True,
        collapse=settings.collapse,
        known=None if found.known is None else found.known.table(each_region(task), "region_id"),
    )
    return replace(change, table=change.table[change.table["class"] == task.scheme.target])


def cleared_within(
    task: HectaresTask, before: pd.DataFrame | None, after: pd.DataFrame | None, place: Mapping[str, str]
) -> pd.DataFrame | Note:
    """What was lost of the target by `place` (sample_id -> place), from points that were visited twice.

    Returns
    -------
    Indexed by place: estimated_ha, standard_error_ha, ci_low_ha, ci_high_ha, n_points; or why there is none.
    """
    found = _paired(task, before, after, None, place)
    if isinstance(found, Note):
        return found
    table = found.table.rename(columns={"area_ha": "estimated_ha", "n": "n_points"})
    lost = table[(table["quantity"] == "loss") & ~table["region"].isin(["", ELSEWHERE])]
    return lost.set_index("region")[[*_FIGURES, "n_points"]]


def paired_points(before: pd.DataFrame, after: pd.DataFrame, target: str, *, outside: bool) -> pd.DataFrame:
    """Points that were visited in both periods, their class target or other; `outside` the regions too."""
    labelled = [t[t["reference_class"].notna() & (t["region_id"].notna() | outside)] for t in (before, after)]
    pairs = labelled[0][["sample_id", "stratum", "region_id", "map_class", "reference_class"]].merge(
        labelled[1][["sample_id", "map_class", "reference_class"]], on="sample_id", suffixes=("_b", "_a")
    )
    region = pairs["region_id"].fillna(ELSEWHERE)
    seen = change_class(pairs["map_class_b"], pairs["map_class_a"], target)
    return pairs[["sample_id", "stratum"]].assign(
        region=region,
        unit=region,
        map_class=np.where(region == ELSEWHERE, UNOBSERVED, seen),
        reference_before=pairs["reference_class_b"].where(pairs["reference_class_b"] == target, OTHER),
        reference_after=pairs["reference_class_a"].where(pairs["reference_class_a"] == target, OTHER),
    )


def _of_pairs(stratum: pd.Series[str]) -> list[str]:
    counts = stratum.value_counts()
    return [str(name) for name in counts.index[counts >= MIN_PAIRS]]
