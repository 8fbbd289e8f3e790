"""What changed between two periods, per region: on the maps, and from points that were visited in both."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate import estimate_change, exact_ha
from cocal.fieldwork import read_strata
from cocal.notes import Note, note_column
from cocal.run.measure.counts import CHANGES, in_time
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
    task: HectaresTask, counts: NDArray[np.int64], matched: Mapping[str, pd.DataFrame]
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
        sums = np.vstack([counts[k], counts[k].sum(axis=0)])
        cleared, new, replanted, both = (sums[:, CHANGES.index(q)] for q in CHANGES)
        estimated = _paired(task, matched.get(first.name), matched.get(second.name))
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


def _with_estimate(table: pd.DataFrame, estimated: pd.DataFrame | Note, quantity: str) -> pd.DataFrame:
    if quantity not in _ESTIMATED and not isinstance(estimated, Note):
        estimated = Note("maps_only")
    if isinstance(estimated, Note):
        why = note_column([(estimated,)] * len(table), table.index)
        return table.assign(**dict.fromkeys(_FIGURES, np.nan), n=np.nan, notes=why)
    rows = estimated[estimated["quantity"] == _ESTIMATED[quantity]].set_index("region")
    found = rows.reindex(table["region_id"])
    absent = (Note("no_paired_point_in_region"),)
    notes = [
        absent if pd.isna(area) else (Note("n_too_small"),) if pd.isna(low) else ()
        for area, low in zip(found["estimated_ha"], found["ci_low_ha"], strict=True)
    ]
    return table.assign(
        **{name: found[name].to_numpy() for name in _FIGURES},
        n=found["n"].to_numpy(dtype=float),
        notes=note_column(notes, table.index),
    )


def _paired(
    task: HectaresTask, before: pd.DataFrame | None, after: pd.DataFrame | None
) -> pd.DataFrame | Note:
    """Estimated change of the target by region, "" in all; or why there is none."""
    settings, records = task.estimate, task.records
    if settings is None or records is None or records.strata is None or before is None or after is None:
        return Note("no_probability_sample")
    if settings.estimator != "stratified":
        return Note("change_needs_stratified", estimator=settings.estimator)
    labelled = [t[t["reference_class"].notna() & t["region_id"].notna()] for t in (before, after)]
    keep = ["sample_id", "stratum", "region_id", "reference_class"]
    pairs = labelled[0][keep].merge(
        labelled[1][["sample_id", "reference_class"]], on="sample_id", suffixes=("_b", "_a")
    )
    strata = read_strata(records.strata, before)
    if strata["region_id"].notna().any():
        strata["stratum"] = strata["stratum"] + " in " + strata["region_id"]
        pairs["stratum"] = pairs["stratum"] + " in " + pairs["region_id"]
    few = strata["stratum"][~strata["stratum"].isin(_of_pairs(pairs["stratum"]))]
    if len(few):
        return Note("few_pairs_in_strata", least=MIN_PAIRS, strata=sorted(few)[:5])
    points = pairs.rename(
        columns={
            "reference_class_b": "reference_before",
            "reference_class_a": "reference_after",
            "region_id": "region",
        }
    )
    found = estimate_change(
        points,
        strata.drop(columns="region_id"),
        classes=task.scheme.keys,
        interval=settings.interval,
        confidence=settings.confidence,
        by_region=True,
        collapse=settings.collapse,
    )
    return found[found["class"] == task.scheme.target].rename(columns={"area_ha": "estimated_ha"})


def _of_pairs(stratum: pd.Series[str]) -> list[str]:
    counts = stratum.value_counts()
    return [str(name) for name in counts.index[counts >= MIN_PAIRS]]
