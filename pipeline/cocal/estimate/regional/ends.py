"""Ends of the intervals of calibrated figures: smoothed residuals for common classes, the design for rare.

Symbols as in `calibration`; W = A_hgd / A_h is the part of a stratum that a cell holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocal.estimate.intervals import Interval, pearson3
from cocal.estimate.regional.calibration import Crossed, PostStrata, rows_by
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, sum_by, tally

PRIOR_POINTS = 4.0
"""kappa: points that the pooled rate counts as in the rate of one place."""

PRIOR_HALF = 0.5
"""j: half of the points that the rate over all strata counts as in the rate of one stratum."""

_PRIOR_SHARE = 1 / 8

OWN_STRATUM = 30
"""Points that a stratum must expect in a place for the place to be a part of known size of it."""

UNSEEN = 0.1
"""Share of one more error, of the heaviest stratum that reaches into the place, in the variance."""


@dataclass(frozen=True)
class Ends:
    """Lower and upper ends, ha, (places, classes)."""

    low_ha: Floats
    high_ha: Floats


def residual_ends(
    table: Crossed, post: PostStrata, strata: Strata, *, total: Floats, variance: Floats, confidence: float
) -> Ends:
    """Two-sided ends for classes that are common in a place, within 0 and its observed area.

    A linearised variance is nearly 0 where the few errors of a heavy stratum all miss the place: Wald's ends
    then hold too seldom. Here the variance is at least that which the rates themselves lead one to expect.
    With p+ the rate of the post-stratum, drawn a little to that over all strata, and q that of the cell,
    drawn to p+:

        p+ = (y_hgk + j (pbar_gk + 1/8)) / (n_hg + 2 j)       q = (y_hgdk + kappa p+) / (n_hgd + kappa)
        E1 = sum_g W (q - p+)     E2 = sum_g W (1 + 1/n_hg) [q (1 - q) + (q - p+)^2]
        E3 = sum_g W [q (1 - p+)^3 - (1 - q) p+^3]
        V  = max(V_T, sum_h A_h^2/n_h (E2 - E1^2)) + u^2 / 10
        K3 = sum_h A_h^3/n_h^2 (E3 - 3 E1 E2 + 2 E1^3)

    are the moments of the residual of a point drawn in the stratum, 0 outside the place, and u is one error
    that no point met: the largest A_h / n_h of the strata that reach into the place, at most the ground that
    they have there. The ends are quantiles of Pearson's type III curve of mean T, variance V and third
    cumulant K3, as in `gamma`. Chosen on other simulated lands than those of docs/statistics.md.
    """
    seen = post.group[table.post] != post.dark
    own, size = table.post[seen], table.n_places
    place, plus = table.place[seen], _smoothed(post)[own]
    hits, n = table.hits[seen], table.n[seen][:, None]
    q = (hits + PRIOR_POINTS * plus) / (n + PRIOR_POINTS)
    stratum, pair, of_pair = _pairs(post.stratum[own], place, size)
    w = (table.area_ha[seen] / strata.area_ha[post.stratum[own]])[:, None]
    more = w * (1 + 1 / np.maximum(post.n[own], 1))[:, None]
    e1 = rows_by(of_pair, w * (q - plus), pair.size)
    e2 = rows_by(of_pair, more * (q * (1 - q) + (q - plus) ** 2), pair.size)
    e3 = rows_by(of_pair, w * (q * (1 - plus) ** 3 - (1 - q) * plus**3), pair.size)
    factor = (strata.area_ha**2 * strata.unsampled / strata.n)[stratum][:, None]
    cubic = (strata.area_ha**3 * strata.unsampled**1.5 / strata.n**2)[stratum][:, None]
    spread = rows_by(pair % size, factor * np.maximum(e2 - e1**2, 0.0), size)
    third = rows_by(pair % size, cubic * (e3 - 3 * e1 * e2 + 2 * e1**3), size)
    there = sum_by(of_pair, table.area_ha[seen], pair.size)
    unseen = np.minimum((strata.weight_ha * np.sqrt(strata.unsampled))[stratum], there)
    largest = np.zeros(size)
    np.maximum.at(largest, pair % size, unseen)
    tail = (1 - confidence) / 2
    wide = np.maximum(variance, spread) + UNSEEN * largest[:, None] ** 2
    limit = sum_by(place, table.area_ha[seen], size)[:, None]
    low, high = (pearson3(total, wide, third, at) for at in (tail, 1 - tail))
    return Ends(np.clip(low, 0, total), np.clip(high, total, limit))


def _smoothed(post: PostStrata) -> Floats:
    """p+ of each post-stratum; pbar is the rate of its map class over all strata."""
    k = post.hits.shape[1]
    hits = rows_by(post.group, post.hits, k + 1)
    everywhere = hits / np.maximum(hits.sum(axis=1, keepdims=True), 1)
    drawn = post.hits + PRIOR_HALF * (everywhere[post.group] + _PRIOR_SHARE)
    return np.asarray(drawn / (post.n + 2 * PRIOR_HALF)[:, None])


def _pairs(stratum: Ints, place: Ints, n_places: int) -> tuple[Ints, Ints, Ints]:
    """(stratum of each pair, key of each pair of stratum and place, pair of each cell)."""
    pair, of_pair = np.unique(stratum * n_places + place, return_inverse=True)
    return pair // n_places, pair, of_pair


def guaranteed_ends(
    table: Crossed, post: PostStrata, strata: Strata, *, total: Floats, interval: Interval, confidence: float
) -> Ends:
    """Ends that hold by the design alone, of the strata that reach into each place, within its observed area.

    A stratum is its observed ground, with the points on it: whether points on the rest are in the sample
    changes nothing.

    Where a stratum expects `OWN_STRATUM` points in a place (by its known area), its points there are a simple
    random sample of a part of known size, and count as that (post-stratification by place, Holt and Smith
    1979, doi:10.2307/2344652); elsewhere the place is a domain of the stratum. `interval` takes both. Where
    the calibrated figure lies outside, the ends reach to it.
    """
    k, size = table.hits.shape[1], table.n_places
    seen = post.group[table.post] != post.dark
    place = table.place[seen]
    stratum, pair, of_pair = _pairs(post.stratum[table.post[seen]], place, size)
    area = sum_by(of_pair, table.area_ha[seen], pair.size)
    n = sum_by(of_pair, table.n[seen], pair.size)
    ground, points = (sum_by(stratum, values, len(strata.names)) for values in (area, n))
    part = area / strata.area_ha[stratum]
    own = (points[stratum] * area >= OWN_STRATUM * ground[stratum]) & (n > 0)
    own &= ~(n > part * strata.pixels[stratum])
    part = np.where(own, part, (ground / strata.area_ha)[stratum])
    reach = Strata(
        tuple(strata.names[h] for h in stratum),
        ("",) * pair.size,
        part * strata.area_ha[stratum],
        part * strata.pixels[stratum],
        np.where(own, n, points[stratum]).astype(np.int64),
        pair % size,
    )
    hits = rows_by(of_pair, table.hits[seen], pair.size)
    row, column = np.nonzero(hits)
    found = hits[row, column]
    group = (pair % size)[row] * k + column
    sums = tally(group, row, np.ones_like(found), found, n_groups=size * k)
    low, high = interval(sums, reach, np.repeat(np.arange(size), k), confidence)
    limit = sum_by(place, table.area_ha[seen], size)[:, None]
    low, high = np.minimum(low.reshape(size, k), total), high.reshape(size, k)
    return Ends(np.clip(low, 0, total), np.clip(high, total, limit))
