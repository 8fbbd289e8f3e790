"""The compiled work on one strip of pixels: composites and statistics over windows.

Each function does what the reference beside it does (`composite.reduce_dates`, `fill.fill_gaps`, `temporal.Course`), operation by operation in the
same type and order, so the answers are equal to the bit: tests compare them, `--reference` runs without them. Loops run
over the pixels of a plane inside and over dates outside, which the compiler turns into vector instructions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cocal.features.names import STATISTICS
from cocal.features.ordering import STRIP_PIXELS, comparators, rank_table
from cocal.features.settings import FillRule
from cocal.features.temporal import DAYS_PER_YEAR, Course, Series

Pairs = NDArray[np.int64]


@lru_cache(maxsize=512)
def _pairs(length: int) -> Pairs:
    return np.array(comparators(length), dtype=np.int64).reshape(-1, 2)


def percentiles_of_dates(
    stacks: Mapping[str, NDArray[np.uint16]], clear: NDArray[np.bool_], percent: int, scale: np.float32
) -> tuple[dict[str, Series], NDArray[np.uint16]]:
    """Percentile of each band's (date, ...) digital numbers that are clear, over `scale`, NaN where none is; how many are."""
    dates, shape = len(clear), clear.shape[1:]
    n = math.prod(shape)
    there = np.ascontiguousarray(clear).reshape(dates, n)
    n_clear = np.empty(n, dtype=np.uint16)
    _count_clear(there, n_clear)
    low, high = np.empty((2, n), dtype=np.uint16)
    weight, absent = np.empty((2, n), dtype=np.float32)
    by_count: list[NDArray[Any]] = list(rank_table(percent, dates))
    of_pixels: list[NDArray[Any]] = [low, high, weight, absent]
    for table, out in zip(by_count, of_pixels, strict=True):
        _by_count(n_clear, table, out)
    found = {}
    for name, stack in stacks.items():
        flat, values = np.ascontiguousarray(stack).reshape(dates, n), np.empty_like(absent)
        _percentile_of_dates(flat, there, _pairs(dates), low, high, weight, absent, scale, values)
        found[name] = values.reshape(shape)
    return found, n_clear.reshape(shape)


def filled(series: Series, days: Sequence[float], rule: FillRule) -> Series:
    """As `fill.fill_gaps`, of (window, pixel) values."""
    if rule == "none" or not np.isnan(series).any():
        return series
    out = np.empty_like(series)
    if rule == "median":
        _patch(series, FastCourse(series, days, 0).percentile(50), out)
    else:
        _fill(series, np.array(days, dtype=np.float32), rule == "linear", out)
    return out


class FastCourse(Course):
    """A `Course` of (window, pixel) values by the compiled functions; harmonic terms are the reference's."""

    def __init__(self, series: Series, days: Sequence[float], length_days: int) -> None:
        self.series, self.days, self.length_days = np.ascontiguousarray(series), days, length_days

    @cached_property
    def count(self) -> NDArray[np.uint16]:  # type: ignore[override]
        """(pixel) windows that are there."""
        count = np.empty(self.series.shape[1], dtype=np.uint16)
        _count(self.series, count)
        return count

    @cached_property
    def _ordered(self) -> Series:
        ordered = np.empty_like(self.series)
        _sort(self.series, _pairs(len(self.series)), ordered)
        return ordered

    @cached_property
    def _mean_std(self) -> tuple[NDArray[np.float64], Series]:
        """(mean in float64, std)."""
        mean, std = np.zeros(self.series.shape[1]), np.empty(self.series.shape[1], dtype=np.float32)
        _mean_and_std(self.series, self.count, mean, std)
        return mean, std

    def percentile(self, percent: int) -> Series:
        """As `Course.percentile`."""
        out = np.empty(self.series.shape[1], dtype=np.float32)
        _pick(self._ordered, self.count, *rank_table(percent, len(self.series)), out)
        return out

    def mean(self) -> Series:
        """As `Course.mean`."""
        return self._mean_std[0].astype(np.float32)

    def std(self) -> Series:
        """As `Course.std`."""
        return self._mean_std[1]

    def lowest_day(self) -> Series:
        """As `Course.lowest_day`."""
        out = np.empty(self.series.shape[1], dtype=np.float32)
        _lowest_day(self.series, np.array(self.days, dtype=np.float32), out)
        return out

    def trend(self) -> Series:
        """As `Course.trend`."""
        out = np.empty(self.series.shape[1], dtype=np.float32)
        _trend(self.series, self.count, np.array(self.days, dtype=np.float64), self._mean_std[0], out)
        return out


@njit(cache=True, error_model="numpy")
def put(values: Series, out: Series) -> None:
    """Copy `values` to `out`, every NaN as the same NaN: equal values, equal bytes."""
    for p in range(out.size):
        out[p] = values[p] if values[p] == values[p] else np.float32(np.nan)


@njit(cache=True, error_model="numpy")
def _patch(series: Series, value: Series, out: Series) -> None:
    for w in range(series.shape[0]):
        for p in range(value.size):
            out[w, p] = series[w, p] if series[w, p] == series[w, p] else value[p]


@njit(cache=True, error_model="numpy")
def _fill(series: Series, days: Series, linear: bool, out: Series) -> None:
    """Missing windows from the observed ones before and after: first backwards, to know what comes, then forwards."""
    windows, n = series.shape
    later, later_day = np.empty_like(series), np.empty_like(series)
    value, when = np.full(n, np.float32(np.nan)), np.full(n, np.float32(np.nan))
    for w in range(windows - 1, -1, -1):
        now, day, held, held_day = series[w], days[w], later[w], later_day[w]
        for p in range(n):
            there = now[p] == now[p]
            held[p] = value[p] = now[p] if there else value[p]
            held_day[p] = when[p] = day if there else when[p]
    value[:] = np.float32(np.nan)
    when[:] = np.float32(np.nan)
    for w in range(windows):
        now, day, after, after_day, own = series[w], days[w], later[w], later_day[w], out[w]
        for p in range(n):
            there = now[p] == now[p]
            value[p] = now[p] if there else value[p]
            when[p] = day if there else when[p]
            since, until = day - when[p], after_day[p] - day
            between = value[p] + (after[p] - value[p]) * (since / (since + until))
            nearest = value[p] if since <= until or until != until else after[p]
            guess = between if linear else nearest
            own[p] = now[p] if there else guess


@njit(cache=True, error_model="numpy")
def _exchange(planes: NDArray[Any], pairs: Pairs) -> None:
    """Sort (time, pixel) along time by the network of `pairs`."""
    for c in range(pairs.shape[0]):
        low, high = planes[pairs[c, 0]], planes[pairs[c, 1]]
        for p in range(low.size):
            a, b = low[p], high[p]
            low[p] = a if a < b else b
            high[p] = b if a < b else a


@njit(cache=True)
def _count_clear(there: NDArray[np.bool_], count: NDArray[np.uint16]) -> None:
    count[:] = 0
    for t in range(there.shape[0]):
        seen = there[t]
        for p in range(count.size):
            count[p] += np.uint16(seen[p])


@njit(cache=True)
def _by_count(count: NDArray[np.uint16], table: NDArray[Any], out: NDArray[Any]) -> None:
    for p in range(count.size):
        out[p] = table[count[p]]


@njit(cache=True, error_model="numpy")
def _percentile_of_dates(
    stack: NDArray[np.uint16],
    there: NDArray[np.bool_],
    pairs: Pairs,
    low: NDArray[np.uint16],
    high: NDArray[np.uint16],
    weight: Series,
    absent: Series,
    scale: np.float32,
    out: Series,
) -> None:
    """`ordering.pick` of `ordering.sort_time` over `scale`, a few thousand pixels at a time, whose dates stay in the cache."""
    dates, n = stack.shape
    for first in range(0, n, STRIP_PIXELS):
        size = min(STRIP_PIXELS, n - first)
        part = slice(first, first + size)
        planes = np.empty((dates, size), dtype=np.uint16)
        for t in range(dates):
            plane, values, seen = planes[t], stack[t, part], there[t, part]
            for p in range(size):
                plane[p] = values[p] if seen[p] else np.uint16(65535)
        _exchange(planes, pairs)
        below, above = np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=np.uint16)
        _take_ranks(planes, low[part], below)
        _take_ranks(planes, high[part], above)
        _blend(below, above, weight[part], absent[part], scale, out[part])


@njit(cache=True)
def _take_ranks(ordered: NDArray[np.uint16], rank: NDArray[np.uint16], out: NDArray[np.uint16]) -> None:
    """Add to `out`, which is 0, each pixel's value of its rank: plane by plane, so that nothing is fetched from afar."""
    for t in range(ordered.shape[0]):
        plane, here = ordered[t], np.uint16(t)
        for p in range(out.size):
            out[p] |= np.uint16(plane[p] * np.uint16(rank[p] == here))


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _pick(
    ordered: NDArray[Any],
    count: NDArray[np.uint16],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    weight: NDArray[np.float32],
    absent: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """`ordering.pick` with the ranks of each count from a table; the same ranks for all where no window is missing."""
    full, between = ordered.shape[0], weight.any()
    if full and _least(count) == full:
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


@njit(cache=True)
def _least(count: NDArray[np.uint16]) -> np.uint16:
    least = np.uint16(65535)
    for p in range(count.size):
        least = min(least, count[p])
    return least


@njit(cache=True, error_model="numpy")
def _count(series: Series, count: NDArray[np.uint16]) -> None:
    count[:] = 0
    for w in range(series.shape[0]):
        values = series[w]
        for p in range(values.size):
            count[p] += np.uint16(values[p] == values[p])


@njit(cache=True, error_model="numpy")
def _sort(series: Series, pairs: Pairs, ordered: Series) -> None:
    """`ordering.sort_time`: missing windows become infinite, -0.0 becomes 0.0."""
    for w in range(series.shape[0]):
        values, plane = series[w], ordered[w]
        for p in range(values.size):
            plane[p] = values[p] + np.float32(0.0) if values[p] == values[p] else np.float32(np.inf)
    _exchange(ordered, pairs)


@njit(cache=True, error_model="numpy")
def _mean_and_std(series: Series, count: NDArray[np.uint16], mean: NDArray[np.float64], std: Series) -> None:
    """Summed window after window in float64; `mean` is 0 before."""
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


@njit(cache=True, error_model="numpy")
def _lowest_day(series: Series, days: Series, day: Series) -> None:
    lowest = np.full(day.size, np.float32(np.inf))
    day[:] = np.float32(np.nan)
    for w in range(series.shape[0]):
        values, when = series[w], days[w]
        for p in range(day.size):
            day[p] = when if values[p] < lowest[p] else day[p]
            lowest[p] = values[p] if values[p] < lowest[p] else lowest[p]


@njit(cache=True, error_model="numpy")
def _trend(
    series: Series,
    count: NDArray[np.uint16],
    days: NDArray[np.float64],
    mean: NDArray[np.float64],
    trend: Series,
) -> None:
    """The slope of the least squares line per year, summed window after window in float64."""
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
            there = values[p] == values[p]
            since = days[w] - centre[p]
            spread[p] += since * since if there else 0.0
            moment[p] += (np.float64(values[p]) - mean[p] if there else 0.0) * since
    for p in range(n):
        slope = DAYS_PER_YEAR * moment[p] / spread[p]
        trend[p] = np.float32(slope) if count[p] >= _TREND_WINDOWS else np.float32(np.nan)


_TREND_WINDOWS = STATISTICS["trend"]
