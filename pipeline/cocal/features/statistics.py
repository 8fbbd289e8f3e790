"""Statistics over the windows of a period, and the rules that fill windows without a clear date.

A statistic is over the windows that are present (observed, or filled by the feature's rule), and NaN where
there are fewer of them than `names.STATISTICS` states. Sums run window after window in float64, so no block
size changes a result. The tests compare every function with plain numpy (`tests/oracles`), to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cocal.features import kernels
from cocal.features.harmonics import harmonic_terms
from cocal.features.names import STATISTICS, percent_of
from cocal.features.settings import FillRule

Series = NDArray[np.float32]


class WindowStatistics:
    """The statistics of one variable over the windows of a period: (pixel) float32 in the variable's unit.

    Parameters
    ----------
    series
        (window, pixel) float32, NaN = missing.
    days
        Middle of each window in days since the period began, ascending.
    length_days
        Days in the period.
    """

    def __init__(self, series: Series, days: Sequence[float], length_days: int) -> None:
        self.series, self.days, self.length_days = np.ascontiguousarray(series), days, length_days

    def statistic(self, name: str) -> Series:
        """The statistic `name`: a key of `names.STATISTICS`, or p00 to p99."""
        percent = percent_of(name)
        if percent is not None:
            return self.percentile(percent)
        if name in _METHODS:
            return _METHODS[name](self)
        return self.harmonic(name)

    @cached_property
    def count(self) -> NDArray[np.uint16]:
        """(pixel) number of windows that are present."""
        count = np.empty(self.series.shape[1], dtype=np.uint16)
        kernels.count_present(~np.isnan(self.series), count)
        return count

    @cached_property
    def _ordered(self) -> Series:
        ordered = np.empty_like(self.series)
        kernels.sort_windows(self.series, kernels.comparators(len(self.series)), ordered)
        return ordered

    @cached_property
    def _mean_and_std(self) -> tuple[NDArray[np.float64], Series]:
        mean, std = np.zeros(self.series.shape[1]), self._empty()
        kernels.mean_and_std(self.series, self.count, mean, std)
        return mean, std

    @cached_property
    def _harmonics(self) -> dict[int, dict[str, Series]]:
        return {}

    def _empty(self) -> Series:
        return np.empty(self.series.shape[1], dtype=np.float32)

    def percentile(self, percent: int) -> Series:
        """Percentile, linearly interpolated between order statistics (see `kernels.rank_table`)."""
        out = self._empty()
        if not len(self.series):
            out[:] = np.nan
            return out
        kernels.pick_rank(self._ordered, self.count, *kernels.rank_table(percent, len(self.series)), out)
        return out

    def amplitude(self) -> Series:
        """Highest minus lowest value."""
        return self.percentile(100) - self.percentile(0)

    def mean(self) -> Series:
        """Arithmetic mean."""
        return self._mean_and_std[0].astype(np.float32)

    def std(self) -> Series:
        """Standard deviation of the population of windows (divided by their number); 0 for one window."""
        return self._mean_and_std[1]

    def lowest_day(self) -> Series:
        """Days from the period's start to the middle of its lowest window; the earliest of equal ones."""
        out = self._empty()
        kernels.lowest_day(self.series, np.array(self.days, dtype=np.float32), out)
        return out

    def falls(self) -> Series:
        """Sum of the falls from each window to the next one that is present; 0 where the values only rise.

        A stand that is cut falls at each cut (mowing: Kolecka et al. 2018, Remote Sensing 10:1221,
        doi:10.3390/rs10081221); coca is stripped three to four times a year. Divided by the amplitude it is
        the number of full falls. A window between two others adds nothing unless it lies beyond both.
        """
        out = self._empty()
        kernels.falls(self.series, self.count, STATISTICS["falls"], out)
        return out

    def trend(self) -> Series:
        """Slope of the least-squares line, in the variable's unit per 365.25 days."""
        out, days = self._empty(), np.array(self.days, dtype=np.float64)
        kernels.trend(self.series, self.count, days, self._mean_and_std[0], STATISTICS["trend"], out)
        return out

    def harmonic(self, name: str) -> Series:
        """A coefficient of the harmonic regression of its order: `h1_cos` of order 1 (see `harmonics`)."""
        order = int(name[1])
        if order not in self._harmonics:
            self._harmonics[order] = harmonic_terms(self.series, self.days, self.length_days, order)
        return self._harmonics[order][name]


_METHODS = {
    "amplitude": WindowStatistics.amplitude,
    "falls": WindowStatistics.falls,
    "lowest_day": WindowStatistics.lowest_day,
    "mean": WindowStatistics.mean,
    "std": WindowStatistics.std,
    "trend": WindowStatistics.trend,
}
"""The statistics that are neither percentiles nor harmonic terms."""


def fill_gaps(series: Series, days: Sequence[float], rule: FillRule) -> Series:
    """`series` (window, pixel) with missing windows filled by `rule`; observed windows are unchanged.

    - `none`: nothing is filled.
    - `linear`: on the straight line between the observed windows before and after, by the windows' middle
      days; a window with none before it or none after it stays missing.
    - `nearest`: the observed window nearest in time, the earlier of two equally near.
    - `median`: the median of the pixel's observed windows.

    A pixel without an observed window stays missing under every rule. `days`: middle of each window.
    """
    if rule == "none" or not np.isnan(series).any():
        return series
    if rule == "median":
        return np.where(np.isnan(series), WindowStatistics(series, days, 0).percentile(50), series)
    out = np.empty_like(series)
    kernels.fill_in_time(series, np.array(days, dtype=np.float32), rule == "linear", out)
    return out
