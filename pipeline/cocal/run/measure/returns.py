"""What of a sample has not come back yet, and where the records contradict the raster of its strata."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from cocal.contracts import Period
from cocal.fieldwork import NOT_VISITED, RecordSettings, read_strata
from cocal.fieldwork.response import RESERVE, WAITING
from cocal.grid import RESOLUTION_M, pixel_zones, transformer
from cocal.notes import Note
from cocal.notes.account import first, part, record
from cocal.run.measure.strata_cells import codes_of

_LEAST = 2
"""Points of a stratum that a variance needs."""


def outstanding(records: RecordSettings, matched: pd.DataFrame, strata: pd.DataFrame) -> pd.DataFrame:
    """stratum, region_id ("" where not known), planned, missing: points that have not come back, by stratum.

    Missing are points of the sample without a record, and records that state neither a visit nor, where the
    file has a column for it, why there was none. What was planned is `points` of the strata table or, without
    it, the inclusion probability times the stratum's pixels.

    Parameters
    ----------
    matched : the period's records, as from `match_period`.
    strata : as from `read_strata`.
    """
    joined = records.sample is not None
    main = matched[matched["role"] != RESERVE] if joined or records.columns.role else matched
    open_ = _waiting(main) & (joined or records.columns.why_not is not None)
    own = strata.assign(region_id=strata["region_id"].fillna(""))
    keys = ["stratum", "region_id"]
    crossed = bool((own["region_id"] != "").any())
    rows = pd.DataFrame(
        {
            "stratum": main["stratum"],
            "region_id": main["region_id"].fillna("") if crossed else "",
            "open": open_,
            "probability": main["inclusion_probability"],
        }
    )
    sums = rows.groupby(keys).agg(
        listed=("open", "size"), open=("open", "sum"), probability=("probability", "max")
    )
    own = own.join(sums, on=keys)
    own[["listed", "open"]] = own[["listed", "open"]].fillna(0)
    pixels = own.get("pixels", pd.Series(np.nan, index=own.index))
    drawn = own["points"] if "points" in own else (own["probability"] * pixels).round()
    planned = drawn.fillna(own["listed"])
    missing = np.maximum(planned - own["listed"], 0) + own["open"]
    return own[keys].assign(planned=planned.astype(int), missing=missing.astype(int))


def _waiting(matched: pd.DataFrame) -> pd.Series[bool]:
    """Points not visited of which no reason is stated: their answer is waited for."""
    return (matched["status"] == NOT_VISITED) & (matched["why_not"].isna() | matched["why_not"].isin(WAITING))


def unanswered(frame: pd.DataFrame, strata: pd.DataFrame) -> list[str]:
    """Names of strata with fewer than the two answered points without which nothing can be estimated.

    Parameters
    ----------
    frame, strata : as `estimate_areas` takes them.
    """
    n = strata["stratum"].map(frame["stratum"].value_counts()).fillna(0)
    return sorted(set(strata.loc[n < _LEAST, "stratum"]))


def preliminary(missing: pd.DataFrame, matched: pd.DataFrame) -> Note | None:
    """The warning that names what has not come back; None where all has.

    Regions are named where their records are listed without a visit.
    """
    total, planned = int(missing["missing"].sum()), int(missing["planned"].sum())
    if not total:
        return None
    rows = missing[missing["missing"] > 0]
    names = (rows["stratum"] + " " + rows["region_id"]).str.strip()
    strata = [
        f"{name}: {lost} / {of}"
        for name, lost, of in zip(names, rows["missing"], rows["planned"], strict=True)
    ]
    waiting = matched[_waiting(matched)]
    regions = [f"{name}: {n}" for name, n in waiting["region_id"].dropna().value_counts(sort=False).items()]
    return Note(
        "preliminary_missing", n=total, of=planned, share=total / planned,
        strata=first(strata), regions=first(regions) or ["-"],
    )  # fmt: skip


def as_planned(strata: pd.DataFrame, matched: pd.DataFrame) -> bool:
    """True if the inclusion probabilities are those of `points` among `pixels` in every stratum.

    Then the weights are right however few points have come back.
    """
    if not {"points", "pixels"} <= set(strata.columns):
        return False
    crossed = bool(strata["region_id"].notna().any())
    stated = matched["stratum"] + " " + (matched["region_id"].fillna("") if crossed else "")
    label = strata["stratum"] + " " + strata["region_id"].fillna("")
    planned = stated.map(pd.Series((strata["points"] / strata["pixels"]).to_numpy(), index=label))
    return bool(np.isclose(matched["inclusion_probability"].astype(float), planned, rtol=1e-6).all())


def record_other_strata(settings: RecordSettings, records: gpd.GeoDataFrame, period: Period) -> None:
    """Record points whose stratum is another one on the raster of the strata, where there is a raster."""
    if not settings.strata_rasters or settings.strata is None or records.empty:
        return
    strata = read_strata(settings.strata, records, coded=True)
    code = dict(zip(strata["stratum"], strata["code"].astype(np.int64), strict=True))
    points = records.geometry.representative_point()
    zone = pixel_zones(points.x, points.y, RESOLUTION_M)
    there = np.zeros(len(records), dtype=np.int64)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        xy = transformer(4326, epsg).transform(points.x[here].to_numpy(), points.y[here].to_numpy())
        there[here] = codes_of(settings.strata_rasters, epsg, xy)
    other = there != records["stratum"].map(code).to_numpy()
    if other.any():
        lost = part(records.loc[other, "record_id"], len(records))
        record("records_other_stratum", period=period.name, **lost)
