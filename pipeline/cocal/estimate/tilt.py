"""What points that were not visited could change, short of the worst case: a tilt of their odds.

Among the points without an answer the odds of the target are T times those among the points with one, given
stratum and whether the map shows the target: the exponential tilt of Scharfstein, Rotnitzky and Robins (1999,
doi:10.1080/01621459.1999.10473862). T is also the odds of no answer at points of the target over those at
others: with 5 % of the others lost, T = 3 is 14 % of the target's points lost, T = 6.3 is 25 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cocal.estimate.tally import Floats, Ints, sum_by

_HALF_HIT = 0.5
"""Hits that the upper end allows for where none was seen: zero odds would stay zero at any tilt."""


def missing_tilt(
    stratum: Ints, mapped: Ints, place: Ints, hit: Floats, *, area_ha: Floats, odds: float
) -> tuple[Floats, Floats]:
    """(n_places,) changes of the target's hectares at odds ratio 1 / `odds` (<= 0) and at `odds` (>= 0).

    Each missing point stands for A_h / n_h hectares, n_h with the missing points, of which p is the target if
    points are missing at random, p the share of its cell (stratum x `mapped`), and odds p / (1 - p + odds p)
    if tilted. A cell without a visit has the share of its stratum, a stratum without one that of all; for the
    upper end a cell without a hit has half a hit.

    Parameters
    ----------
    stratum, mapped, place : (n,) codes; `mapped` 1 where the map shows the target, 0 another class, -1
        nothing: such points count for n_h alone.
    hit : (n,) 1 the target, 0 another class, NaN not visited.
    area_ha : (n_strata,) area of each stratum.
    odds : the odds ratio, 1 or more; 1 is "at random", no change.

    Examples
    --------
    100 ha; 8 of 40 visited points are the target, 10 are missing: at odds ratio 3 the missing have 3/7 in the
    place of 1/5, so 100 x 10/50 x (3/7 - 1/5) ha more.

    >>> hit = np.array([1.0] * 8 + [0.0] * 32 + [np.nan] * 10)
    >>> zeros = np.zeros(50, dtype=np.int64)
    >>> low, high = missing_tilt(zeros, zeros, zeros, hit, area_ha=np.array([100.0]), odds=3)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([-2.46], [4.57])
    """
    n_strata, n_places = len(area_ha), int(place.max(initial=-1)) + 1
    seen, missing = mapped >= 0, np.isnan(hit)
    cell = 2 * stratum + np.maximum(mapped, 0)
    answered = seen & ~missing
    ones = np.ones(int(answered.sum()))
    by_cell = [sum_by(cell[answered], own, 2 * n_strata) for own in (ones, hit[answered])]
    n, hits = by_cell
    for wider in (np.repeat(np.arange(n_strata), 2), np.zeros(2 * n_strata, dtype=np.int64)):
        n_wider, hits_wider = (sum_by(wider, own, n_strata)[wider] for own in by_cell)
        n, hits = np.where(n > 0, n, n_wider), np.where(n > 0, hits, hits_wider)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, least = (np.where(n > 0, own / n, 0.0) for own in (hits, np.maximum(hits, _HALF_HIT)))
        weight = area_ha / sum_by(stratum, np.ones(len(stratum)), n_strata)
    lost = seen & missing
    own, stands_for = cell[lost], weight[stratum[lost]]
    down, up = _tilted(share, 1 / odds) - share, _tilted(least, odds) - least
    return (
        sum_by(place[lost], stands_for * down[own], n_places),
        sum_by(place[lost], stands_for * up[own], n_places),
    )


def _tilted(share: NDArray[np.float64], odds: float) -> Floats:
    return np.asarray(odds * share / (1 - share + odds * share))
