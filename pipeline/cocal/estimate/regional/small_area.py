"""`small_area`: a second interval of a rare class for regions with few hits, beside the one of the sample.

The interval of the sample alone (`intervals.gamma`) holds whatever the map is worth, and shows the weight of
the heaviest stratum more than a small region. This one uses all regions, so it holds as far as "the map
misses as much here as elsewhere" does. It never stands in the other's place.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cocal.estimate.intervals import pearson3
from cocal.estimate.regional.shared_rates import Seen, posterior_moments
from cocal.estimate.tally import Floats, Ints, sum_by

UNSEEN, SEEN = 1.25, 0.25
"""Hits added over all ground for the upper and for the lower end, and misses for the other: what the sample
may not have shown. Chosen on simulated lands other than those of the benchmark.
"""

ENOUGH_HITS = 30
"""From as many hits on a region has the interval of the sample alone."""

ENOUGH_POINTS = 15
"""Mapped ground of a stratum with fewer expected points has its rate together with that of other strata."""

EMPTY_SHARE = 1e-3
"""Share of the class that ground may hold where the map does not show it, in a stratum believed empty."""

BELIEVED_EMPTY = 0.01
"""A stratum is believed empty if the map shows the class on a smaller share of it."""

LEVEL = 0.05
"""Probability of so many hits or more below which `missed_strata` refuses `EMPTY_SHARE`."""

_LIFT = np.log(2) / 2
"""Steps of the logarithm to which the odds of a region are rounded, so that regions share computations."""


@dataclass(frozen=True)
class SmallCells:
    """All known ground and its points, in entries of one stratum and one region (codes from 0), mapped as the
    class or not: hectares, points, the points of the class (hits), and the hectares that a point of the
    entry's design stratum stands for.
    """

    stratum: Ints
    region: Ints
    mapped: NDArray[np.bool_]
    area_ha: Floats
    points: Floats
    hits: Floats
    per_point_ha: Floats

    def by_stratum(self, value: Floats) -> Floats:
        """(strata,) sums of a value of the entries."""
        return sum_by(self.stratum, value, int(self.stratum.max()) + 1)

    def on_known_ground(self) -> SmallCells:
        """The cells of pools that have known ground: a stray point elsewhere has no rate to tell."""
        pool = self.stratum * 2 + self.mapped
        there = sum_by(pool, self.area_ha, int(pool.max()) + 1)[pool] > 0
        return SmallCells(*(getattr(self, field.name)[there] for field in fields(self)))

    def shown(self) -> Floats:
        """(strata,) share of the stratum that the map shows as the class."""
        area = self.by_stratum(self.area_ha)
        return np.asarray(self.by_stratum(self.area_ha * self.mapped) / np.where(area > 0, area, 1))


@dataclass(frozen=True)
class Ends:
    """Per region, hectares: an estimate of the sample alone, its standard error, the ends of its interval."""

    area_ha: Floats
    standard_error_ha: Floats
    low_ha: Floats
    high_ha: Floats


@dataclass(frozen=True)
class SmallArea:
    """Per region hectares of the class and the ends of their interval, NaN where not `offered`.

    `missed`, per stratum: it has more hits outside mapped ground than it may (`missed_strata`).
    """

    area_ha: Floats
    low_ha: Floats
    high_ha: Floats
    offered: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def small_area_intervals(cells: SmallCells, design: Ends, *, confidence: float) -> SmallArea:
    """Hectares of a rare class per region, with intervals, from rates that regions share.

    A cell is a pool of ground g in a region: in each stratum the ground mapped as the class, and the other.
    Its rate p_gr follows from its points and those of its pool elsewhere (`shared_rates`), after `UNSEEN`
    further hits, shared out over the pools by hectares per point. Odds of the mean rate on other ground are
    z = (1 + the mapped share of the region's ground in the stratum over the stratum's) / 2 times those of all
    regions: of what the map misses, half lies anywhere, and half near what it shows. The ends are those of
    Pearson's type III curve with the first three cumulants of sum A_gr p_gr, as in `gamma`. They hold the
    estimate; neither is above the sample's; the upper is not below that of the sample's estimate with the
    variance that it has or, if larger, should have at these rates, sum A_gr p_gr (1 - p_gr) A_h / n_h.

    Not offered: regions with `ENOUGH_HITS`, and with ground of a stratum named by `missed_strata`. Those that
    are offered add up to what `design` has for them together (ratio benchmarking: Rao and Molina 2015, Small
    Area Estimation, doi:10.1002/9781118735855, section 6.4.6).

    Examples
    --------
    Two regions of 100 ha, ten points each, one hit: the region without it is not taken for empty.

    >>> area, hits = np.array([100.0, 100.0]), np.array([1.0, 0.0])
    >>> cells = SmallCells(np.array([0, 0]), np.array([0, 1]), hits >= 0, area, area / 10, hits, area / 10)
    >>> alone = Ends(area_ha=10 * hits, standard_error_ha=9.5 * hits, low_ha=0.5 * hits, high_ha=area)
    >>> found = small_area_intervals(cells, alone, confidence=0.95)
    >>> [f"{a:.1f} ({b:.1f} to {c:.1f})" for a, b, c in zip(found.area_ha, found.low_ha, found.high_ha)]
    ['8.1 (0.0 to 34.5)', '1.9 (0.0 to 17.8)']
    """
    n, tail = design.area_ha.size, (1 - confidence) / 2
    size, hits = sum_by(cells.region, cells.area_ha, n), sum_by(cells.region, cells.hits, n)
    pooled = _pooled(cells.on_known_ground())
    (most, errors), (least, _) = (_cumulants(pooled, n, v) for v in ((UNSEEN, SEEN), (SEEN, UNSEEN)))
    low = np.where(hits > 0, np.minimum(least.at(tail), design.low_ha), 0.0)
    variance = np.maximum(design.standard_error_ha**2, errors.variance)
    direct = _Curve(design.area_ha, variance, errors.third)
    high = np.minimum(np.maximum(most.at(1 - tail), direct.at(1 - tail)), design.high_ha)
    missed = missed_strata(cells)
    doubtful = sum_by(cells.region, cells.area_ha * missed[cells.stratum], n) > 0
    limit = np.minimum(size, np.maximum(design.high_ha, design.area_ha))
    area, offered = _benchmarked(least.mean, design.area_ha, limit, (hits < ENOUGH_HITS) & ~doubtful)
    low, high = np.minimum(np.clip(low, 0, size), area), np.maximum(np.clip(high, 0, size), area)
    area, low, high = (np.where(offered, value, np.nan) for value in (area, low, high))
    return SmallArea(area, low, high, offered, missed)


def missed_strata(cells: SmallCells) -> NDArray[np.bool_]:
    """(strata,) whether a stratum believed empty has more hits outside mapped ground than it may.

    One-sided exact binomial test: P(Bin(n, `EMPTY_SHARE`) >= hits) < `LEVEL`, n points outside mapped ground.
    """
    from scipy.special import betainc  # slow to load, and not every run has a sample

    points = cells.by_stratum(cells.points * ~cells.mapped)
    hits = cells.by_stratum(cells.hits * ~cells.mapped)
    some = hits > 0
    chance = np.where(some, betainc(np.where(some, hits, 1), points - hits + 1, EMPTY_SHARE), 1.0)
    return np.asarray((cells.shown() < BELIEVED_EMPTY) & (chance < LEVEL))


def _benchmarked(
    model: Floats, design: Floats, limit: Floats, offered: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """The model's hectares times what makes the offered regions add up to the design's; a region that would
    exceed its ground, or the sample's own upper end, is no longer offered.
    """
    while True:
        whole = model[offered].sum()
        area = model * (design[offered].sum() / whole if whole > 0 else 0.0)
        above = offered & (area > limit)
        if not above.any():
            return area, offered
        offered = offered & ~above


@dataclass(frozen=True)
class _Curve:
    """Pearson's type III curves by their first three cumulants."""

    mean: Floats
    variance: Floats
    third: Floats

    def at(self, probability: float) -> Floats:
        return pearson3(self.mean, self.variance, self.third, probability)


@dataclass(frozen=True)
class _Cells:
    """One entry per pool and region. `lift`: logarithm of z, in steps of `_LIFT`; `spread`, `cube`: hectares
    times those that a point stands for, once and twice.
    """

    pool: Ints
    region: Ints
    lift: Ints
    area_ha: Floats
    points: Floats
    hits: Floats
    spread: Floats
    cube: Floats

    def by_pool(self, value: Floats) -> Floats:
        return sum_by(self.pool, value, int(self.pool.max()) + 1)


def _codes(first: Ints, second: Ints) -> Ints:
    """The place of each pair among those that occur, by the first and then the second."""
    return np.unique(first * (second.max() + 1) + second, return_inverse=True)[1]


def _pooled(cells: SmallCells) -> _Cells:
    """The ground by pool and region.

    Mapped ground of strata that expect fewer than `ENOUGH_POINTS` points of it is one pool.
    """
    shown = cells.shown()
    few = cells.mapped & (cells.by_stratum(cells.points) * shown < ENOUGH_POINTS)[cells.stratum]
    pool = _codes(np.where(few, shown.size, cells.stratum), cells.mapped.astype(np.int64))
    key = _codes(pool, cells.region)
    first = np.unique(key, return_index=True)[1]
    spread = cells.area_ha * cells.per_point_ha
    values = (cells.area_ha, cells.points, cells.hits, spread, spread * cells.per_point_ha)
    sums = [sum_by(key, value, first.size) for value in values]
    return _Cells(pool[first], cells.region[first], _lifts(cells, shown)[first], *sums)


def _lifts(cells: SmallCells, shown: Floats) -> Ints:
    """(entries,) logarithm of z of `small_area_intervals`, in steps of `_LIFT`; 0 on mapped ground."""
    own = _codes(cells.stratum, cells.region)
    mapped, area = (np.bincount(own, value)[own] for value in (cells.area_ha * cells.mapped, cells.area_ha))
    whole = shown[cells.stratum]
    known = ~cells.mapped & (area > 0) & (whole > 0)
    ratio = np.divide(mapped, area * whole, out=np.ones(own.size), where=known)
    return np.asarray(np.rint(np.log((1 + ratio) / 2) / _LIFT), dtype=np.int64)


def _cumulants(cells: _Cells, n: int, further: tuple[float, float]) -> tuple[_Curve, _Curve]:
    """(regions,) the hectares after `further` hits and misses, and the error of the sample's own estimate at
    these rates.
    """
    weight = cells.by_pool(cells.area_ha) / np.maximum(cells.by_pool(cells.points), 1)
    share = weight / weight.sum()
    seen = Seen(cells.pool, cells.lift * _LIFT, cells.points, cells.hits)
    first, second, third = posterior_moments(seen, further[0] * share, further[1] * share)
    ground = (
        cells.area_ha * first,
        cells.area_ha**2 * np.maximum(second - first**2, 0.0),
        cells.area_ha**3 * (third - 3 * first * second + 2 * first**3),
    )
    error = (
        0 * first,
        cells.spread * np.maximum(first - second, 0.0),
        cells.cube * (first - 3 * second + 2 * third),
    )
    hectares, errors = (_Curve(*(sum_by(cells.region, v, n) for v in values)) for values in (ground, error))
    return hectares, errors
