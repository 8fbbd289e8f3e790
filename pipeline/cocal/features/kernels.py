"""The compiled functions that work on strips of pixels: composites of dates, statistics over windows.

Each does what plain numpy in `tests/oracles` does, operation by operation in the same type and order, so that
results are equal to the bit. The inner loop runs over the pixels of a plane and the outer one over dates or
windows: the compiler turns such loops into vector instructions.

A sorting network compares whole planes (one date, all pixels) with minimum and maximum, so a stack of uint16
is sorted without widening it, and no result depends on the layout of memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cocal.jit import njit

STRIP_PIXELS = 4_096
"""Pixels whose dates of one band are sorted at a time, so that they stay in the processor's cache."""

DAYS_PER_YEAR = 365.25

Pairs = NDArray[np.int64]
Series = NDArray[np.float32]


@lru_cache(maxsize=512)
def comparators(length: int) -> NDArray[np.int64]:
    """(pair, 2) positions i < j of `length` items; comparing and exchanging them in turn sorts all.

    Batcher's merge exchange: Knuth 1998, The Art of Computer Programming 3, 5.2.2, algorithm M.
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (length - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(length - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


class RankTable(NamedTuple):
    """Where a percentile lies among n sorted values, for each n from 0 to the length of the stack.

    `low` and `high`: positions of the values below and above; `weight`: share of the upper one; `absent`: 0,
    or NaN for n = 0.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.float32]
    absent: NDArray[np.float32]


@lru_cache(maxsize=512)
def rank_table(percent: int, length: int) -> RankTable:
    """The ranks of a percentile in a stack of `length` values, by how many of them are present.

    Linear interpolation between order statistics (definition 7 of Hyndman and Fan 1996,
    doi:10.2307/2684934): rank (n - 1) * percent / 100, in whole hundredths, so without rounding. 50 is the
    median: the mean of the two middle values where n is even.
    """
    last = np.maximum(np.arange(length + 1) - 1, 0)
    whole, hundredths = np.divmod(last * percent, 100)
    absent = np.where(np.arange(length + 1) == 0, np.nan, 0.0).astype(np.float32)
    return RankTable(whole, np.minimum(whole + 1, last), (hundredths / 100).astype(np.float32), absent)


@njit(error_model="numpy")
def copy_values(values: Series, out: Series) -> None:
    """Copy `values` to `out` with one bit pattern for every NaN, so that equal values have equal bytes."""
    for p in range(out.size):
        out[p] = values[p] if values[p] == values[p] else np.float32(np.nan)


@njit(error_model="numpy")
def fill_in_time(series: Series, days: Series, linear: bool, out: Series) -> None:
    """Fill each missing window from the observed ones before and after it."""
    windows, n = series.shape
    later, later_day = np.empty_like(series), np.empty_like(series)
    value, when = np.full(n, np.float32(np.nan)), np.full(n, np.float32(np.nan))
    # Backwards: the next observed value and its day; then forwards: the last one, and the value between.
    for w in range(windows - 1, -1, -1):
        now, day, held, held_day = series[w], days[w], later[w], later_day[w]
        for p in range(n):
            present = now[p] == now[p]
            held[p] = value[p] = now[p] if present else value[p]
            held_day[p] = when[p] = day if present else when[p]
    value[:] = np.float32(np.nan)
    when[:] = np.float32(np.nan)
    for w in range(windows):
        now, day, after, after_day, own = series[w], days[w], later[w], later_day[w], out[w]
        for p in range(n):
            present = now[p] == now[p]
            value[p] = now[p] if present else value[p]
            when[p] = day if present else when[p]
            since, until = day - when[p], after_day[p] - day
            between = value[p] + (after[p] - value[p]) * (since / (since + until))
            nearest = value[p] if since <= until or until != until else after[p]
            guess = between if linear else nearest
            own[p] = now[p] if present else guess


@njit(error_model="numpy")
def _sort_planes(planes: NDArray[Any], pairs: Pairs) -> None:
    """Sort (time, pixel) along time by the network of `pairs`."""
    for c in range(pairs.shape[0]):
        low, high = planes[pairs[c, 0]], planes[pairs[c, 1]]
        for p in range(low.size):
            a, b = low[p], high[p]
            low[p] = a if a < b else b
            high[p] = b if a < b else a


@njit()
def count_present(present: NDArray[np.bool_], count: NDArray[np.uint16]) -> None:
    """Number of True of each pixel, over time."""
    count[:] = 0
    for t in range(present.shape[0]):
        seen = present[t]
        for p in range(count.size):
            count[p] += np.uint16(seen[p])


@njit()
def look_up(count: NDArray[np.uint16], table: NDArray[Any], out: NDArray[Any]) -> None:
    """The entry of `table` at each pixel's count."""
    for p in range(count.size):
        out[p] = table[count[p]]


@njit(error_model="numpy")
def percentile_of_dates(
    stack: NDArray[np.uint16],
    present: NDArray[np.bool_],
    pairs: Pairs,
    low: NDArray[np.uint16],
    high: NDArray[np.uint16],
    weight: Series,
    absent: Series,
    scale: np.float32,
    out: Series,
) -> None:
    """Value at the given ranks of the present dates over `scale`, `STRIP_PIXELS` pixels at a time."""
    dates, n = stack.shape
    for first in range(0, n, STRIP_PIXELS):
        size = min(STRIP_PIXELS, n - first)
        part = slice(first, first + size)
        planes = np.empty((dates, size), dtype=np.uint16)
        for t in range(dates):
            plane, values, seen = planes[t], stack[t, part], present[t, part]
            for p in range(size):
                plane[p] = values[p] if seen[p] else np.uint16(65535)
        _sort_planes(planes, pairs)
        below, above = np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=np.uint16)
        _take_ranks(planes, low[part], below)
        _take_ranks(planes, high[part], above)
        _blend(below, above, weight[part], absent[part], scale, out[part])


@njit()
def _take_ranks(ordered: NDArray[np.uint16], rank: NDArray[np.uint16], out: NDArray[np.uint16]) -> None:
    """Each pixel's value at its rank, into `out`, which is 0: plane by plane, so memory is read in order."""
    for t in range(ordered.shape[0]):
        plane, here = ordered[t], np.uint16(t)
        for p in range(out.size):
            out[p] |= np.uint16(plane[p] * np.uint16(rank[p] == here))


@njit(error_model="numpy")
def _blend(
    below: NDArray[np.uint16],
    above: NDArray[np.uint16],
    weight: Series,
    absent: Series,
    scale: np.float32,
    out: Series,
) -> None:
    for p in range(out.size):
        value = np.float32(below[p])
        value += (np.float32(above[p]) - value) * weight[p]
        out[p] = (value + absent[p]) / scale


@njit(error_model="numpy")
def pick_rank(
    ordered: NDArray[Any],
    count: NDArray[np.uint16],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    weight: NDArray[np.float32],
    absent: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Percentile by the ranks for each count (see `RankTable`)."""
    full, between = ordered.shape[0], weight.any()
    if full and count.min() == full:
        lower, upper, share, gap = ordered[low[full]], ordered[high[full]], weight[full], absent[full]
        for p in range(out.size):
            value = lower[p]
            if between:
                value += (upper[p] - value) * share
            out[p] = value + gap
        return
    for p in range(out.size):
        n = count[p]
        value = np.float32(ordered[low[n], p])
        if between:
            value += (np.float32(ordered[high[n], p]) - value) * weight[n]
        out[p] = value + absent[n]


@njit(error_model="numpy")
def sort_windows(series: Series, pairs: Pairs, ordered: Series) -> None:
    """Each pixel's windows in ascending order, missing ones as infinity at the end; -0.0 becomes 0.0."""
    for w in range(series.shape[0]):
        values, plane = series[w], ordered[w]
        for p in range(values.size):
            plane[p] = values[p] + np.float32(0.0) if values[p] == values[p] else np.float32(np.inf)
    _sort_planes(ordered, pairs)


@njit(error_model="numpy")
def mean_and_std(series: Series, count: NDArray[np.uint16], mean: NDArray[np.float64], std: Series) -> None:
    """Mean and standard deviation of the present windows; `mean` must be 0 before."""
    windows, n = series.shape
    square = np.zeros(n)
    for w in range(windows):
        values = series[w]
        for p in range(n):
            mean[p] += np.float64(values[p]) if values[p] == values[p] else 0.0
    for p in range(n):
        mean[p] /= np.float64(count[p])
    for w in range(windows):
        values = series[w]
        for p in range(n):
            apart = np.float64(values[p]) - mean[p] if values[p] == values[p] else 0.0
            square[p] += apart * apart
    for p in range(n):
        std[p] = np.float32(np.sqrt(square[p] / np.float64(count[p])))


@njit(error_model="numpy")
def lowest_day(series: Series, days: Series, day: Series) -> None:
    """Day of the lowest window, the earliest of equal ones; NaN where all are missing."""
    lowest = np.full(day.size, np.float32(np.inf))
    day[:] = np.float32(np.nan)
    for w in range(series.shape[0]):
        values, when = series[w], days[w]
        for p in range(day.size):
            day[p] = when if values[p] < lowest[p] else day[p]
            lowest[p] = values[p] if values[p] < lowest[p] else lowest[p]


@njit(error_model="numpy")
def trend(
    series: Series,
    count: NDArray[np.uint16],
    days: NDArray[np.float64],
    mean: NDArray[np.float64],
    needed: int,
    out: Series,
) -> None:
    """Slope of the least-squares line per year; NaN below `needed` windows."""
    windows, n = series.shape
    centre, spread, moment = np.zeros(n), np.zeros(n), np.zeros(n)
    for w in range(windows):
        values = series[w]
        for p in range(n):
            centre[p] += days[w] if values[p] == values[p] else 0.0
    for p in range(n):
        centre[p] /= np.float64(count[p])
    for w in range(windows):
        values = series[w]
        for p in range(n):
            present = values[p] == values[p]
            since = days[w] - centre[p]
            spread[p] += since * since if present else 0.0
            moment[p] += (np.float64(values[p]) - mean[p] if present else 0.0) * since
    for p in range(n):
        slope = DAYS_PER_YEAR * moment[p] / spread[p]
        out[p] = np.float32(slope) if count[p] >= needed else np.float32(np.nan)


@njit(error_model="numpy")
def falls(series: Series, count: NDArray[np.uint16], needed: int, out: Series) -> None:
    """Sum of the falls from each present window to the next one; NaN below `needed` windows."""
    last, total = np.full(out.size, np.nan), np.zeros(out.size)
    for w in range(series.shape[0]):
        values = series[w]
        for p in range(out.size):
            value = np.float64(values[p])
            fall = last[p] - value
            total[p] += fall if fall > 0.0 else 0.0
            last[p] = value if value == value else last[p]
    for p in range(out.size):
        out[p] = np.float32(total[p]) if count[p] >= needed else np.float32(np.nan)


@njit(error_model="numpy")
def weighted_sum(series: Series, weight: NDArray[np.float64], pattern: NDArray[np.intp], out: Series) -> None:
    """Sum of each pixel's windows times the weights (window, pattern) of its pattern; missing ones add 0."""
    total = np.zeros(out.size)
    for w in range(series.shape[0]):
        values, of_pattern = series[w], weight[w]
        for p in range(out.size):
            total[p] += of_pattern[pattern[p]] * (np.float64(values[p]) if values[p] == values[p] else 0.0)
    for p in range(out.size):
        out[p] = np.float32(total[p])
