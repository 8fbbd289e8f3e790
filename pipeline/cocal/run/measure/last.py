"""The figure before: of the run's last period, else the latest official one from before the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cocal.contracts import Period

_KEYS = ["place", "class"]
_COLUMNS = [*_KEYS, "last_ha", "last_source"]


def with_last(
    areas: pd.DataFrame,
    periods: Sequence[Period],
    official: pd.DataFrame | None,
    *,
    target: str,
    by: str,
    members: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """`areas` with `last_ha` and `last_source`; NaN and "" where there is no figure before.

    The last estimate of the same place and class in an earlier period, its source the period's name; for the
    target without one the latest official figure of a day before the period, its source `source (year)`.

    Parameters
    ----------
    areas : areas/1 of all periods.
    official : as `comparison: official` names it, or None.
    by : the column that names the places.
    members : place -> its regions, for places that are several: their official figure is the sum of those of
        their regions, where one source has one of each for one day.
    """
    sums = {} if members is None else members
    known = areas.assign(place=areas[by].astype(str))
    ends = {period.name: period.end for period in periods}
    parts = []
    for period in periods:
        own = known[known["period"] == period.name]
        figures = [_official(official, period, target, sums)]
        before = [p for p in periods if p.end < period.start]
        figures += [_estimated(known, p.name) for p in sorted(before, key=lambda p: ends[p.name])]
        last = pd.concat(figures).drop_duplicates(_KEYS, keep="last").set_index(_KEYS)
        found = last.reindex(pd.MultiIndex.from_frame(own[_KEYS].astype(str)))
        parts.append(
            own.assign(
                last_ha=found["last_ha"].to_numpy(),
                last_source=found["last_source"].astype(object).fillna("").to_numpy(),
            )
        )
    return pd.concat(parts).loc[areas.index].drop(columns="place")


def _estimated(areas: pd.DataFrame, period: str) -> pd.DataFrame:
    rows = areas[(areas["period"] == period) & areas["estimated_ha"].notna()]
    return rows[_KEYS].assign(last_ha=rows["estimated_ha"].astype(float), last_source=period)


def _official(
    official: pd.DataFrame | None, period: Period, target: str, members: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The latest figure of each place before the period, the first of its day."""
    empty = pd.DataFrame(columns=_COLUMNS).astype({"last_ha": float})
    if official is None or not {"region_id", "coca_ha", "source"} <= set(official.columns):
        return empty  # the compare stage refuses such a table by name
    when = next((official[name].astype(str) for name in ("period", "year") if name in official), None)
    if when is None:
        return empty
    rows = pd.DataFrame(
        {
            "place": official["region_id"].astype(str),
            "class": target,
            "last_ha": pd.to_numeric(official["coca_ha"], errors="coerce").astype(float),
            "last_source": official["source"].astype(str) + " (" + when + ")",
            "day": _days(official, when),
        }
    )
    start = np.datetime64(period.start)
    rows = rows[rows["last_ha"].notna() & (rows["day"] < start)]
    summed = [_sums(rows, place, regions) for place, regions in members.items()]
    rows = pd.concat([*(own for own in summed if len(own)), rows[~rows["place"].isin(members)]])
    latest = rows.groupby("place")["day"].transform("max")
    return rows[rows["day"] == latest].drop_duplicates("place")[_COLUMNS]


def _sums(rows: pd.DataFrame, place: str, regions: Sequence[str]) -> pd.DataFrame:
    """The sums of `rows` over the regions, by source and day, where there is one row of each region."""
    own = rows[rows["place"].isin(regions)]
    found = own.groupby(["class", "last_source", "day"], sort=False, as_index=False).agg(
        last_ha=("last_ha", "sum"), n=("place", "size"), different=("place", "nunique")
    )
    whole = (found["n"] == len(regions)) & (found["different"] == len(regions))
    return found[whole].assign(place=place)[rows.columns]


def _days(official: pd.DataFrame, when: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """The reference date of each figure, else 31 December of its year; NaT where it states neither."""
    stated = official.get("reference_date", pd.Series("", index=official.index)).fillna("").astype(str)
    years = when.str.extract(r"^(\d{4})")[0]
    return pd.to_datetime(
        stated.str.slice(0, 10).where(stated != "", years + "-12-31"), format="%Y-%m-%d", errors="coerce"
    )
