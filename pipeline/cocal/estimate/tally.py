"""Sums over a sample, group by group and stratum by stratum: the one engine under every estimator.

Each estimate here is a total T = sum_h A_h mean_h(v) of some value v of the points: 1 where the reference
is coca, 1 where map and reference agree, a residual of a ratio. Groups are domains x classes. Only the
combinations of group and stratum that occur are kept; all others are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocal.estimate.strata import Strata

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """Power sums of the values in each (group, stratum) that holds a point, ordered by that pair.

    `first`, `second`, `third` are sums of v, v^2, v^3 over the points of the stratum.
    """

    group: Ints
    stratum: Ints
    first: Floats
    second: Floats
    third: Floats
    n_groups: int


def sum_by(place: Ints, value: Floats, size: int) -> Floats:
    """(size,) sums of `value` by `place`, added in their order."""
    return np.asarray(np.bincount(place, weights=value, minlength=size), dtype=np.float64)


def tally(group: Ints, stratum: Ints, value: Floats, count: Floats, *, n_groups: int) -> Tally:
    """The tally of cells of `count` points each, all of one value; cells of value 0 need not be given."""
    n_strata = int(stratum.max()) + 1 if stratum.size else 1
    key, place = np.unique(group * n_strata + stratum, return_inverse=True)
    sums = [sum_by(place, count * value**power, key.size) for power in (1, 2, 3)]
    return Tally(key // n_strata, key % n_strata, sums[0], sums[1], sums[2], n_groups)


def subtract(plus: Tally, minus: Tally) -> Tally:
    """The tally of plus - minus, where no point has a value in both."""
    key_size = 1 + max(int(t.stratum.max(initial=0)) for t in (plus, minus))
    keys = [t.group * key_size + t.stratum for t in (plus, minus)]
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    sums = [
        sum_by(place, np.concatenate([a, sign * b]), key.size)
        for a, b, sign in (
            (plus.first, minus.first, -1),
            (plus.second, minus.second, 1),
            (plus.third, minus.third, -1),
        )
    ]
    return Tally(key // key_size, key % key_size, sums[0], sums[1], sums[2], plus.n_groups)


def totals(sums: Tally, strata: Strata) -> Floats:
    """(n_groups,) estimated totals, ha: sum_h A_h mean_h."""
    parts = strata.weight_ha[sums.stratum] * sums.first
    return sum_by(sums.group, parts, sums.n_groups)


def variances(sums: Tally, strata: Strata) -> Floats:
    """(n_groups,) estimated variances of `totals`, ha^2: sum_h c_h s2_h with the n_h - 1 divisor."""
    n = strata.n[sums.stratum]
    squares = np.maximum(sums.second - sums.first**2 / n, 0.0) / (n - 1)
    parts = strata.variance_factor[sums.stratum] * squares
    return sum_by(sums.group, parts, sums.n_groups)


def ratios(
    group: Ints, stratum: Ints, both: Floats, count: Floats, *, strata: Strata, n_groups: int
) -> tuple[Floats, Floats]:
    """(n_groups,) combined ratios R = Y/X and their standard errors; NaN where X is 0.

    The cells given are those in the denominator (x = 1); `both` is 1 where they are in the numerator
    too. V(R) is the variance of the total of y - R x, over X^2 (Stehman 2014,
    doi:10.1080/01431161.2014.930207).
    """
    x = totals(tally(group, stratum, np.ones_like(count), count, n_groups=n_groups), strata)
    y = totals(tally(group, stratum, both, count, n_groups=n_groups), strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = y / x
        residual = tally(group, stratum, both - ratio[group], count, n_groups=n_groups)
        error = np.sqrt(variances(residual, strata)) / x
    return ratio, error
