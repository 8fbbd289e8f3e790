"""Statistics over the windows of a period: how a pixel's year went.

All are over the windows that are there (observed, or filled by the feature's rule) and missing where there
are too few. Sums run over the windows one after the other in float64, so no block changes a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.features.harmonics import harmonic_terms
from cocal.features.names import STATISTICS
from cocal.features.ordering import blend, count_time, percent_of, pick, ranks, sort_time

DAYS_PER_YEAR = 365.25

Series = NDArray[np.float32]


class Course:
    """One variable's course through the windows of a period, and the statistics of it.

    Parameters
    ----------
    series
        (window, ...) float32, NaN = missing.
    days
        Middle of each window in days since the period began, ascending.
    length_days
        Days in the period.
    """

    def __init__(self, series: Series, days: Sequence[float], length_days: int) -> None:
        self.series, self.days, self.length_days = series, days, length_days
        self.there = ~np.isnan(series)
        self.count = count_time(self.there)

    @cached_property
    def _ordered(self) -> Series:
        return sort_time(self.series, self.there)

    @cached_property
    def _harmonics(self) -> dict[int, dict[str, Series]]:
        return {}

    def statistic(self, name: str) -> Series:
        """(...) float32 value of a statistic: a key of `names.STATISTICS`, or p00 to p99."""
        percent = percent_of(name)
        if percent is not None:
            return self.percentile(percent)
        if name[:1] == "h" and name[1:2].isdigit():
            return self.harmonic(name)
        plain: dict[str, Callable[[], Series]] = {
            "mean": self.mean, "std": self.std, "amplitude": self.amplitude,
            "lowest_day": self.lowest_day, "falls": self.falls, "trend": self.trend,
        }  # fmt: skip
        return plain[name]()

    def percentile(self, percent: int) -> Series:
        """Percentile with linear interpolation (see `ordering.ranks`), in the variable's unit."""
        return pick(self._ordered, ranks(self.count, percent, len(self.series)))

    def amplitude(self) -> Series:
        """Highest minus lowest value, in the variable's unit."""
        return self.percentile(100) - self.percentile(0)

    def _total(self, terms: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
        total = np.zeros(self.count.shape)
        for term in terms:
            total += term
        return total

    def _per_count(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.asarray(total / self.count)

    @cached_property
    def _mean(self) -> NDArray[np.float64]:
        return self._per_count(self._total(blend(self.there, self.series, np.float32(0.0))))

    @cached_property
    def _centred(self) -> NDArray[np.float64]:
        """(window, ...) value minus mean, 0 where missing: such windows add nothing to a sum."""
        return blend(self.there, self.series - self._mean, np.float64(0.0))

    def mean(self) -> Series:
        """Arithmetic mean, in the variable's unit."""
        return self._mean.astype(np.float32)

    def std(self) -> Series:
        """Standard deviation of the population of windows (divided by their number); 0 for one window."""
        return np.sqrt(self._per_count(self._total(c * c for c in self._centred))).astype(np.float32)

    def lowest_day(self) -> Series:
        """Days from the period's start to the middle of its lowest window; the earliest of equals."""
        lowest = np.full(self.count.shape, np.inf, dtype=np.float32)
        day = np.full(self.count.shape, np.nan, dtype=np.float32)
        for value, when in zip(self.series, self.days, strict=True):
            day = blend(value < lowest, np.float32(when), day)
            lowest = np.fmin(lowest, value)
        return day

    def falls(self) -> Series:
        """Sum of the falls from each window to the next that is there, in the variable's unit; 0 where it only rises.

        A stand that is cut falls at each cut (mowing: Kolecka et al. 2018, Remote Sensing 10:1221,
        doi:10.3390/rs10081221); coca is stripped three to four times a year. Over the amplitude it is the number of
        full falls. A window between two others adds nothing unless it lies beyond both.
        """
        last, total = np.full(self.count.shape, np.nan), np.zeros(self.count.shape)
        for value in self.series.astype(np.float64):
            total += np.fmax(last - value, 0.0)
            last = blend(np.isnan(value), last, value)
        return blend(self.count >= STATISTICS["falls"], total, np.float64(np.nan)).astype(np.float32)

    def trend(self) -> Series:
        """Slope of the least-squares line, in the variable's unit per 365.25 days."""
        times = list(zip(self.days, self.there, strict=True))
        centre = self._per_count(self._total(day * seen for day, seen in times))
        spread = self._total((day - centre) ** 2 * seen for day, seen in times)
        moments = self._total(c * (day - centre) for c, day in zip(self._centred, self.days, strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = DAYS_PER_YEAR * moments / spread
        return blend(self.count >= STATISTICS["trend"], slope, np.float64(np.nan)).astype(np.float32)

    def harmonic(self, name: str) -> Series:
        """A coefficient of the harmonic regression of that order (see `harmonics`)."""
        order = int(name[1])
        if order not in self._harmonics:
            self._harmonics[order] = harmonic_terms(self.series, self.days, self.length_days, order)
        return self._harmonics[order][name]
