"""The sample beside the map: confusion in shares of area, calibration, positions of its points."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cocal.contracts import PROBABILITY_NO_DATA, PROBABILITY_SCALE, PROBABILITY_TIF
from cocal.fieldwork import NOT_VISITED, UNCERTAIN, RecordSettings, read_records, read_strata
from cocal.run.measure.sampling import frame_of
from cocal.run.results.facts import RunFacts
from cocal.run.results.overview import values_at

_EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8)
"""Lower ends of the classes of probability in which map and ground are compared."""


def weighted_points(matched: pd.DataFrame, records: RecordSettings, run: RunFacts) -> pd.DataFrame | None:
    """The visited points on observed ground with `weight_ha`, the area that each stands for.

    The area of its stratum over the stratum's points, as in the stratified estimator (Stehman 2014, IJRS
    35:4923). None where there is no such design, or strata are collapsed, or the map's class is uncertain.
    """
    settings = run.estimate
    if settings is None or records.strata is None:
        return None
    if settings.estimator != "stratified" or settings.collapse or (matched["status"] == UNCERTAIN).any():
        return None
    strata, frame = read_strata(records.strata, matched), frame_of(matched)
    by = ["stratum", "region_id"] if strata["region_id"].notna().any() else ["stratum"]
    n = frame.groupby(by).size().rename("n").reset_index()
    rows = frame.merge(strata[[*by, "area_ha"]], on=by).merge(n, on=by)
    return rows.assign(weight_ha=rows["area_ha"] / rows["n"])[rows["map_class"].isin(run.scheme.keys)]


def confusion_shares(points: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """Estimated shares of the observed area by map class (rows) and reference class; they sum to 1."""
    sums = points.groupby(["map_class", "reference_class"])["weight_ha"].sum().unstack(fill_value=0)
    table = sums.reindex(index=keys, columns=keys, fill_value=0)
    return table / float(points["weight_ha"].sum())


def sample_points(matched: pd.DataFrame, settings: RecordSettings, run: RunFacts) -> pd.DataFrame:
    """record_id, x, y (degrees), visited, probability of the period's records; restricted."""
    records = read_records(settings, run.scheme).set_index("record_id")
    at = records.loc[matched["record_id"]].geometry.representative_point()
    rasters = {} if run.model is None else run.maps[-1].rasters(PROBABILITY_TIF)
    values = values_at(rasters, at.x.to_numpy(), at.y.to_numpy(), dtype="uint16", missing=PROBABILITY_NO_DATA)
    return pd.DataFrame(
        {
            "record_id": matched["record_id"].to_numpy(),
            "x": at.x.to_numpy(),
            "y": at.y.to_numpy(),
            "visited": (matched["status"] != NOT_VISITED).to_numpy(),
            "probability": np.where(values == PROBABILITY_NO_DATA, np.nan, values * PROBABILITY_SCALE),
        }
    )


def calibration(points: pd.DataFrame, probability: pd.Series[float], target: str) -> pd.DataFrame:
    """predicted, observed, n by class of probability: mean probability, and share of the target.

    Both are weighted by `weight_ha`; `probability` is by record_id.
    """
    rows = points.assign(probability=points["record_id"].map(probability)).dropna(subset=["probability"])
    rows["bin"] = np.searchsorted(_EDGES, rows["probability"], side="right")
    rows["hit"] = (rows["reference_class"] == target).astype(float)
    found = [
        [
            *(
                (own["weight_ha"] * own[name]).sum() / own["weight_ha"].sum()
                for name in ("probability", "hit")
            ),
            len(own),
        ]
        for _, own in rows.groupby("bin")
    ]
    return pd.DataFrame(found, columns=["predicted", "observed", "n"])
