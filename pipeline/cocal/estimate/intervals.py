"""Intervals for a total: `wald`, as the literature prints, and `gamma`, which holds for rare classes.

An interval takes the tally of a sample, its strata, the region each group speaks of (-1 = the whole frame)
and the confidence, and gives the lower and upper ends in hectares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, Tally, subtract, sum_by, totals, variances

Interval = Callable[[Tally, Strata, Ints, float], tuple[Floats, Floats]]

PHANTOM = 0.75
"""Share of one unseen event that each end allows for: 1 is exact (Garwood, Clopper and Pearson), 1/2 is
mid-P. Between them the coverage stays within 93 and 97 % where 10 events or more are expected."""

_STRAIGHT = 1e-4
"""Skewness below which Pearson's type III curve is a normal curve to all printed digits."""

_ROUNDING = 1e-12
"""What is left of a difference of two sums of floats, as a share of them, is at least this or nothing."""


def wald(sums: Tally, strata: Strata, scope: Ints, confidence: float) -> tuple[Floats, Floats]:  # noqa: ARG001
    """T +- z SE(T), not cut at zero, so that published half-widths can be redone."""
    from scipy.special import ndtri  # slow to load, and not every run has a sample

    centre = totals(sums, strata)
    half = ndtri((1 + confidence) / 2) * np.sqrt(variances(sums, strata))
    return centre - half, centre + half


@dataclass(frozen=True)
class Event:
    """Per group, one more point of the class: what it would add to the total, ha, and its full weight."""

    shift: Floats
    weight: Floats


def gamma(sums: Tally, strata: Strata, scope: Ints, confidence: float) -> tuple[Floats, Floats]:
    """Ends of a two-sided interval for totals of points of a class, within 0 and the area in scope.

    The gamma interval for weighted sums of counts (Fay and Feuer 1997,
    doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#; between its exact and its mid-P
    form, Fay and Kim 2017, doi:10.1002/bimj.201600111), carried from Poisson to binomial counts: for each
    end a Pearson type III curve with the mean, variance and skewness of the total's confidence
    distribution, in which one unseen point of the heaviest stratum in scope has its share. So a stratum
    without a point of the class widens the interval by what it could hide. With one stratum and a rare
    class it is the exact Poisson interval (`PHANTOM` = 1) or nearly the mid-P one (1/2).
    """
    centre, variance, skew = _cumulants(sums, strata)
    more, less, usual_more, usual_less = _events(sums, strata, scope)
    tail = (1 - confidence) / 2
    up = _curve(centre, variance, skew, add=(PHANTOM, more), drop=(1 - PHANTOM, usual_less), at=1 - tail)
    low = _curve(centre, variance, skew, add=(1 - PHANTOM, usual_more), drop=(PHANTOM, less), at=tail)
    limit = _in_scope(strata.area_ha, strata, scope)
    found = centre > 0
    missed = centre < limit * (1 - 1e-12)
    return np.where(found, np.clip(low, 0, centre), 0.0), np.where(missed, np.clip(up, centre, limit), limit)


def net(
    interval: Interval, plus: Tally, minus: Tally, *, strata: Strata, scope: Ints, confidence: float
) -> tuple[Floats, Floats]:
    """Ends of an interval for T(plus) - T(minus), two totals of points of the same sample.

    The ends of both are combined with their correlation (MOVER: Zou and Donner 2008,
    doi:10.1002/sim.3095). With `wald` this is Wald's interval of the difference.
    """
    gain, loss = totals(plus, strata), totals(minus, strata)
    rho = correlation(plus, minus, strata)
    ends = (interval(sums, strata, scope, confidence) for sums in (plus, minus))
    return combined(gain, next(ends), loss, next(ends), rho)


def combined(
    gain: Floats, gain_ends: Sequence[Floats], loss: Floats, loss_ends: Sequence[Floats], rho: Floats
) -> tuple[Floats, Floats]:
    """Ends of gain - loss from the (low, high) ends of both and their correlation (Zou and Donner 2008)."""
    down = _joint(gain - gain_ends[0], loss_ends[1] - loss, rho)
    up = _joint(gain_ends[1] - gain, loss - loss_ends[0], rho)
    return gain - loss - down, gain - loss + up


def _joint(first: Floats, second: Floats, rho: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(first**2 + second**2 - 2 * rho * first * second, 0.0)))


def correlation(plus: Tally, minus: Tally, strata: Strata) -> Floats:
    """(n_groups,) correlation of the two totals; no point counts in both."""
    both = subtract(plus, minus)
    vp, vm, vb = variances(plus, strata), variances(minus, strata), variances(both, strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (vp + vm - vb) / (2 * np.sqrt(vp * vm))
    return np.asarray(np.clip(np.nan_to_num(rho), -1, 1))


def _cumulants(sums: Tally, strata: Strata) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and third cumulant of the totals' confidence distributions.

    The third is twice that of the sampling distribution: a count's variance grows with its mean, as the
    gamma distribution (skewness 2 / sqrt x) stands to the Poisson (1 / sqrt x).
    """
    n = strata.n[sums.stratum]
    m1, m2, m3 = sums.first / n, sums.second / n, sums.third / n
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    scale = strata.area_ha**3 * strata.unsampled**1.5 / strata.n**2
    cubes = sum_by(sums.group, 2 * scale[sums.stratum] * third, sums.n_groups)
    return totals(sums, strata), variances(sums, strata), cubes


def _curve(
    centre: Floats,
    variance: Floats,
    skew: Floats,
    *,
    add: tuple[float, Event],
    drop: tuple[float, Event],
    at: float,
) -> Floats:
    """Quantile `at` of Pearson's type III curve after adding and dropping shares of an event."""
    for sign, (share, event) in ((1, add), (-1, drop)):
        centre = centre + sign * share * event.shift
        variance = variance + share * event.shift * event.weight
        skew = skew + sign * 2 * share * event.shift * event.weight**2
    return pearson3(centre, variance, skew, at)


def pearson3(mean: Floats, variance: Floats, third: Floats, at: float) -> Floats:
    """Quantile `at` of the shifted gamma distribution with these first three cumulants."""
    from scipy.special import gammaincinv, ndtri  # as in `wald`

    sd = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(sd > 0, third / sd**3, 0.0)
        shape = 4 / skewness**2
        tail = np.where(skewness > 0, at, 1 - at)
        bent: Floats = sd * skewness / 2 * (gammaincinv(shape, tail) - shape)
    return np.asarray(mean + np.where(np.abs(skewness) < _STRAIGHT, sd * ndtri(at), bent))


def _events(sums: Tally, strata: Strata, scope: Ints) -> tuple[Event, Event, Event, Event]:
    """Per group: the heaviest further point of the class, the heaviest one less, and the usual of both.

    A usual event is an average over strata, each with its part in the total's sum of squares: the points
    of the class for one more, all other points in scope for one less.
    """
    weight = strata.weight_ha * np.sqrt(strata.unsampled)
    w, n = weight[sums.stratum], strata.n[sums.stratum]
    share = np.clip(sums.first / n, 0, 1)
    listed = _heaviest(sums, w * (1 - share), w)
    absent = _heaviest_absent(sums, strata, weight, scope)
    wins = absent > listed.shift
    more = Event(np.where(wins, absent, listed.shift), np.where(wins, absent, listed.weight))
    own = w**2 * sums.second
    others = w**2 * (n - sums.second)
    usual_more = _average(
        [_by_group(sums, own * w * (1 - share)), _by_group(sums, own * w)], _by_group(sums, own)
    )
    usual_less = _average(
        [
            _by_group(sums, others * w * share),
            _by_group(sums, others * w) + _elsewhere(sums, strata, scope, weight**3 * strata.n),
        ],
        _by_group(sums, others) + _elsewhere(sums, strata, scope, weight**2 * strata.n),
    )
    return more, _heaviest(sums, w * share, w), usual_more, usual_less


def _heaviest(sums: Tally, shift: Floats, weight: Floats) -> Event:
    order = np.lexsort((weight, shift, sums.group))
    largest, at = np.zeros(sums.n_groups), np.zeros(sums.n_groups)
    largest[sums.group[order]], at[sums.group[order]] = shift[order], weight[order]
    return Event(largest, at)


def _by_group(sums: Tally, value: Floats) -> Floats:
    return sum_by(sums.group, value, sums.n_groups)


def _average(parts: list[Floats], whole: Floats) -> Event:
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [np.where(whole > 0, part / whole, 0.0) for part in parts]
    return Event(means[0], means[1])


def _pools(strata: Strata, scope: Ints) -> list[tuple[Ints, Ints]]:
    """(pool of each stratum, pool of each group): the strata that can hold points of a group.

    The whole frame holds all strata; a region those of its own and those that are not bound to a region.
    """
    shared = np.zeros_like(scope)
    if (scope < 0).all():
        return [(np.zeros_like(strata.region), shared)]
    return [(strata.region + 1, shared), (strata.region + 1, scope + 1)]


def _heaviest_absent(sums: Tally, strata: Strata, weight: Floats, scope: Ints) -> Floats:
    """(n_groups,) largest weight among the strata in scope where the group has no point; 0 if none."""
    best = np.zeros(sums.n_groups)
    for pool, wanted in _pools(strata, scope):
        size = np.bincount(pool, minlength=int(wanted.max()) + 1)
        start = np.cumsum(size) - size
        order = np.lexsort((-weight, pool))
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size) - start[pool[order]]
        inside = pool[sums.stratum] == wanted[sums.group]
        group, place = sums.group[inside], rank[sums.stratum[inside]]
        by = np.lexsort((place, group))
        group, place = group[by], place[by]
        held = np.bincount(group, minlength=sums.n_groups)
        counted = np.arange(group.size) - (np.cumsum(held) - held)[group]
        gap = place != counted
        np.minimum.at(held, group[gap], counted[gap])
        there = held < size[wanted]
        position = np.where(there, start[wanted] + held, 0)
        best = np.maximum(best, np.where(there, weight[order][position], 0.0))
    return best


def _elsewhere(sums: Tally, strata: Strata, scope: Ints, value: Floats) -> Floats:
    """(n_groups,) sum of a value over the strata in scope where the group has no point.

    A difference of two sums: what is left of it by rounding alone is zero.
    """
    whole = _in_scope(value, strata, scope)
    rest = whole - _by_group(sums, value[sums.stratum])
    return np.where(rest > _ROUNDING * whole, rest, 0.0)


def _in_scope(value: Floats, strata: Strata, scope: Ints) -> Floats:
    """(n_groups,) sum of a value of the strata over those that can hold points of each group."""
    if (scope < 0).all():
        return np.full(scope.shape, value.sum())
    sums = sum_by(strata.region + 1, value, int(max(strata.region.max(), scope.max())) + 2)
    return np.asarray(sums[scope + 1] + sums[0])


INTERVALS: dict[str, Interval] = {"gamma": gamma, "wald": wald}
DEFAULT_INTERVAL = "gamma"
