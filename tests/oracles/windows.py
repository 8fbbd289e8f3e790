"""Statistics over windows in plain numpy, on arrays (window, ...); see `cocal.features.statistics`.

Sums run over the windows one after the other in float64, in the order and type of the compiled functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.features.harmonics import fit_weights
from cocal.features.kernels import comparators, rank_table
from cocal.features.names import STATISTICS, percent_of

Series = NDArray[np.float32]


def sort_time(stack: NDArray[Any], present: NDArray[np.bool_]) -> NDArray[Any]:
    """`stack` (uint16, float32) sorted along its first axis; absent values come last (65535, inf)."""
    if stack.dtype == np.uint16:
        out = np.where(present, stack, np.uint16(65535))
    else:
        out = np.where(present, stack, np.float32(np.inf)) + np.float32(0.0)  # -0.0 becomes 0.0
    for i, j in comparators(len(out)):
        out[i], out[j] = np.minimum(out[i], out[j]), np.maximum(out[i], out[j])
    return np.asarray(out)


def count_time(present: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """(...) how many of the (time, ...) values are present."""
    return present.sum(axis=0, dtype=np.uint16)


def pick_rank(ordered: NDArray[Any], count: NDArray[np.uint16], percent: int) -> Series:
    """(...) percentile of the first `count` values of a sorted (time, ...) stack; NaN where `count` is 0."""
    if not len(ordered):
        return np.full(ordered.shape[1:], np.nan, dtype=np.float32)
    table = rank_table(percent, len(ordered))
    low, high = (
        np.take_along_axis(ordered, rank[count][None], axis=0)[0].astype(np.float32)
        for rank in (table.low, table.high)
    )
    if table.weight.any():
        with np.errstate(invalid="ignore"):
            low += (high - low) * table.weight[count]
    return np.asarray(low + table.absent[count])


class WindowStatistics:
    """Statistics of `series` (window, ...); `days`: middle of each window, `length_days`: of the period."""

    def __init__(self, series: Series, days: Sequence[float], length_days: int) -> None:
        self.series, self.days, self.length_days = series, days, length_days
        self.present = ~np.isnan(series)
        self.count = count_time(self.present)

    def statistic(self, name: str) -> Series:
        percent = percent_of(name)
        if percent is not None:
            return self.percentile(percent)
        if name[0] == "h":
            return harmonic_terms(self.series, self.days, self.length_days, int(name[1]))[name]
        return getattr(self, name)()

    def percentile(self, percent: int) -> Series:
        return pick_rank(sort_time(self.series, self.present), self.count, percent)

    def amplitude(self) -> Series:
        return self.percentile(100) - self.percentile(0)

    def _total(self, terms: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
        total = np.zeros(self.count.shape)
        for term in terms:
            total += term
        return total

    def _per_count(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.asarray(total / self.count)

    def _mean(self) -> NDArray[np.float64]:
        return self._per_count(self._total(np.where(self.present, self.series, np.float32(0.0))))

    def _centred(self) -> NDArray[np.float64]:
        """(window, ...) value minus mean, 0 where missing: such windows add nothing to a sum."""
        return np.where(self.present, self.series - self._mean(), 0.0)

    def mean(self) -> Series:
        return self._mean().astype(np.float32)

    def std(self) -> Series:
        return np.sqrt(self._per_count(self._total(c * c for c in self._centred()))).astype(np.float32)

    def lowest_day(self) -> Series:
        lowest = np.full(self.count.shape, np.inf, dtype=np.float32)
        day = np.full(self.count.shape, np.nan, dtype=np.float32)
        for value, when in zip(self.series, self.days, strict=True):
            day = np.where(value < lowest, np.float32(when), day)
            lowest = np.fmin(lowest, value)
        return day

    def falls(self) -> Series:
        last, total = np.full(self.count.shape, np.nan), np.zeros(self.count.shape)
        for value in self.series.astype(np.float64):
            total += np.fmax(last - value, 0.0)
            last = np.where(np.isnan(value), last, value)
        return np.where(self.count >= STATISTICS["falls"], total, np.nan).astype(np.float32)

    def trend(self) -> Series:
        times = list(zip(self.days, self.present, strict=True))
        centre = self._per_count(self._total(day * seen for day, seen in times))
        spread = self._total((day - centre) ** 2 * seen for day, seen in times)
        moments = self._total(c * (day - centre) for c, day in zip(self._centred(), self.days, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = 365.25 * moments / spread
        return np.where(self.count >= STATISTICS["trend"], slope, np.nan).astype(np.float32)


def harmonic_terms(series: Series, days: Sequence[float], length_days: int, order: int) -> dict[str, Series]:
    """`hk_cos` and `hk_sin` for k = 1..order, the normal equations solved for each pixel."""
    present = ~np.isnan(series)
    weights = fit_weights(present.reshape(len(series), -1), days, length_days, order)
    values = np.where(present, series, np.float32(0.0)).reshape(len(series), -1)
    names = [f"h{k}_{part}" for k in range(1, order + 1) for part in ("cos", "sin")]
    terms = {}
    for name, rows in zip(names, weights[1:], strict=True):
        total = np.zeros(values.shape[1])
        for weight, value in zip(rows, values, strict=True):
            total += weight * value
        terms[name] = total.astype(np.float32).reshape(series.shape[1:])
    return terms


def fill_gaps(series: Series, days: Sequence[float], rule: str) -> Series:
    """`series` with its missing windows filled by `rule`."""
    gaps = np.isnan(series)
    if rule == "none":
        return series
    if rule == "median":
        return np.where(gaps, WindowStatistics(series, days, 0).percentile(50), series)
    before, before_day = _carry(series, np.asarray(days, dtype=np.float32))
    after, after_day = (a[::-1] for a in _carry(series[::-1], np.asarray(days[::-1], dtype=np.float32)))
    out = np.empty_like(series)
    for i, day in enumerate(np.asarray(days, dtype=np.float32)):
        since, until = day - before_day[i], after_day[i] - day
        if rule == "linear":
            with np.errstate(invalid="ignore"):
                value = before[i] + (after[i] - before[i]) * (since / (since + until))
        else:
            value = np.where(np.isnan(until) | (since <= until), before[i], after[i])
        out[i] = np.where(gaps[i], value, series[i])
    return out


def _carry(series: Series, days: Series) -> tuple[Series, Series]:
    """For each window the last observed value up to it, and its day; NaN where there is none yet."""
    values, when = np.empty_like(series), np.empty_like(series)
    value = day = np.full(series.shape[1:], np.nan, dtype=np.float32)
    for i, now in enumerate(series):
        seen = ~np.isnan(now)
        value, day = np.where(seen, now, value), np.where(seen, days[i], day)
        values[i], when[i] = value, day
    return values, when
