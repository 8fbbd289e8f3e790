"""Time series of several years, moved to one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.notes.account import record


def own_days(series: xr.Dataset) -> list[NDArray[np.datetime64]]:
    """The days of each sample that has two or more."""
    days = series["time"].values.astype("datetime64[D]")
    there = np.any([~np.isnan(series[name].values) for name in series.data_vars], axis=0)
    found = [days[column] for column in there.T if column.sum() > 1]
    if not found:
        raise InputError(
            "the table has no time series", "samples with two dates or more", "one date each", "add dates"
        )
    return found


def in_one_year(series: xr.Dataset) -> xr.Dataset:
    """Series of several years side by side, each moved by whole years to the earliest; others as they are.

    Where all samples together span half as long again as the longest of them, they are of several years, each
    sample of its own.
    """
    own = own_days(series)
    whole = max(days[-1] for days in own) - min(days[0] for days in own)
    if whole <= 1.5 * max(days[-1] - days[0] for days in own):
        return series
    there = np.any([~np.isnan(series[name].values) for name in series.data_vars], axis=0)
    times = pd.DatetimeIndex(series["time"].values)
    begun = times.year.to_numpy()[there.argmax(axis=0)]
    parts = []
    for year in np.unique(begun):
        part = series.isel(sample=np.flatnonzero(begun == year)).dropna("time", how="all")
        moved = pd.DatetimeIndex(part["time"].values) - pd.DateOffset(years=int(year - begun.min()))
        parts.append(part.assign_coords(time=moved.values.astype("datetime64[ns]")).drop_duplicates("time"))
    record("series_moved", years=[str(year) for year in np.unique(begun)], to=str(begun.min()))
    merged = xr.concat(parts, "sample", join="outer").sortby("time")
    return merged.sel(sample=series["sample"].values)
