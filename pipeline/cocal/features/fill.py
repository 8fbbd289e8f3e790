"""Rules that fill windows without a clear date; without one a missing window stays missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.features.ordering import blend, count_time, pick, ranks, sort_time
from cocal.features.settings import FillRule

Array = NDArray[np.float32]


def fill_gaps(series: Array, days: Sequence[float], rule: FillRule) -> Array:
    """`series` with its missing windows filled by `rule`; observed windows are as they were.

    - `none`: nothing is filled.
    - `linear`: on the straight line between the observed windows before and after, by the windows' middle
      days; a window with none before it or none after it stays missing.
    - `nearest`: the observed window nearest in time, the earlier of two equally near.
    - `median`: the median of the pixel's observed windows.

    Parameters
    ----------
    series
        (window, ...) float32, NaN = missing.
    days
        Middle of each window, ascending.
    rule
        One of the above. Where a pixel has no observed window at all, every rule leaves it missing.
    """
    gaps = np.isnan(series)
    if rule == "none" or not gaps.any():
        return series
    if rule == "median":
        count = count_time(~gaps)
        middle = pick(sort_time(series, ~gaps), ranks(count, 50, len(series)))
        return blend(gaps, middle, series)
    before, before_day = _carry(series, np.asarray(days, dtype=np.float32))
    after, after_day = (a[::-1] for a in _carry(series[::-1], np.asarray(days[::-1], dtype=np.float32)))
    out = np.empty_like(series)
    for i, day in enumerate(np.asarray(days, dtype=np.float32)):
        since, until = day - before_day[i], after_day[i] - day
        if rule == "linear":
            with np.errstate(invalid="ignore"):
                value = before[i] + (after[i] - before[i]) * (since / (since + until))
        else:
            earlier = np.isnan(until) | (since <= until)
            value = blend(earlier, before[i], after[i])
        out[i] = blend(gaps[i], value, series[i])
    return out


def _carry(series: Array, days: Array) -> tuple[Array, Array]:
    """For each window the last observed value up to it, and its day; NaN where there is none yet."""
    values, when = np.empty_like(series), np.empty_like(series)
    value = day = np.full(series.shape[1:], np.nan, dtype=np.float32)
    for i, now in enumerate(series):
        seen = ~np.isnan(now)
        value, day = blend(seen, now, value), blend(seen, days[i], day)
        values[i], when[i] = value, day
    return values, when
