"""What the sample says of the map: confusion in proportions of area, calibration, and where its points are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cocal.contracts import PROBABILITY_NO_DATA, PROBABILITY_SCALE, PROBABILITY_TIF, Period
from cocal.fieldwork import read_records
from cocal.grid import Tile
from cocal.run.measure.sampling import Sample, frame_of
from cocal.run.results.overview import values_at
from cocal.run.state import Run

_EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8)
"""Lower ends of the classes of probability in which map and ground are compared."""


def weighted_points(run: Run, matched: pd.DataFrame) -> pd.DataFrame | None:
    """The visited points on observed ground with `weight_ha`, the area that each stands for.

    The area of its stratum over the stratum's points, as in the stratified estimator (Stehman 2014, IJRS
    35:4923). None where there is no such design, or strata are collapsed, or the map's class is uncertain.
    """
    settings, records = run.config.estimate, run.config.records
    if settings is None or records is None or records.strata is None:
        return None
    if settings.estimator != "stratified" or settings.collapse or (matched["status"] == "uncertain").any():
        return None
    sample, frame = Sample(run, matched), frame_of(matched)
    by = ["stratum", "region_id"] if sample.crossed else ["stratum"]
    n = frame.groupby(by).size().rename("n").reset_index()
    rows = frame.merge(sample.strata[[*by, "area_ha"]], on=by).merge(n, on=by)
    rows["weight_ha"] = rows["area_ha"] / rows["n"]
    return rows[rows["map_class"].isin(run.base.scheme.keys)]


def confusion_shares(points: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """Estimated shares of the observed area by map class (rows) and reference class (columns); they sum to 1."""
    sums = points.groupby(["map_class", "reference_class"])["weight_ha"].sum().unstack(fill_value=0)
    table = sums.reindex(index=keys, columns=keys, fill_value=0)
    return table / float(points["weight_ha"].sum())


def sample_points(run: Run, matched: pd.DataFrame, period: Period) -> pd.DataFrame:
    """record_id, x, y (degrees), visited, probability of the period's records; restricted."""
    assert run.config.records is not None
    records = read_records(run.config.records, run.base.scheme).set_index("record_id")
    rows = matched[matched["period"].astype(str) == period.name]
    at = records.loc[rows["record_id"]].geometry.representative_point()
    maps: dict[Tile, Path] = {
        tile: ref.folder / PROBABILITY_TIF
        for tile, ref in run.maps_of(period.name).items()
        if ref.folder is not None
    }
    values = values_at(maps, at.x.to_numpy(), at.y.to_numpy(), dtype="uint16", missing=PROBABILITY_NO_DATA)
    chance = np.where(values == PROBABILITY_NO_DATA, np.nan, values * PROBABILITY_SCALE)
    return pd.DataFrame(
        {
            "record_id": rows["record_id"].to_numpy(),
            "x": at.x.to_numpy(),
            "y": at.y.to_numpy(),
            "visited": (rows["status"] != "not visited").to_numpy(),
            "probability": chance,
        }
    )


def calibration(points: pd.DataFrame, probability: pd.Series[float], target: str) -> pd.DataFrame:
    """predicted, observed, n by class of probability: the mean that the model gives, and the share that is so.

    Both are weighted by `weight_ha`; `probability` is by record_id.
    """
    rows = points.assign(probability=points["record_id"].map(probability)).dropna(subset=["probability"])
    rows["bin"] = np.searchsorted(_EDGES, rows["probability"], side="right")
    found = []
    for _, own in rows.groupby("bin"):
        weight = own["weight_ha"]
        hit = (own["reference_class"] == target).astype(float)
        found.append(
            (
                float((weight * own["probability"]).sum() / weight.sum()),
                float((weight * hit).sum() / weight.sum()),
                len(own),
            )
        )
    return pd.DataFrame(found, columns=["predicted", "observed", "n"])
