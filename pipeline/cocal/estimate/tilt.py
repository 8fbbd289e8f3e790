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
) -> tuple[Floats, Floats, Floats]:
    """(n_places,) hectares of the target: missing points at random, at odds ratio 1 / `odds`, and at `odds`.

    Each point stands for A_h / n_h hectares, n_h with the missing points. Of those of a missing one p is the
    target if it is missing at random, p the share of its cell (stratum x `mapped`), and odds p / (1 - p +
    odds p) if tilted. A cell without a visit has the share of its stratum, a stratum without one that of all;
    for the last a cell without a hit has half a hit.

    Parameters
    ----------
    stratum, mapped, place : (n,) codes; `mapped` 1 where the map shows the target, 0 another class, -1
        nothing: such points count for n_h alone.
    hit : (n,) 1 the target, 0 another class, NaN not visited.
    area_ha : (n_strata,) area of each stratum.
    odds : the odds ratio, 1 or more; 1 is "at random", all three alike.

    Examples
    --------
    100 ha; 8 of 40 visited points are the target, 10 are missing: at odds ratio 3 the missing have 3/7 in the
    place of 1/5, so 100 x 10/50 x (3/7 - 1/5) ha more.

    >>> hit = np.array([1.0] * 8 + [0.0] * 32 + [np.nan] * 10)
    >>> zeros = np.zeros(50, dtype=np.int64)
    >>> found = missing_tilt(zeros, zeros, zeros, hit, area_ha=np.array([100.0]), odds=3)
    >>> [round(float(hectares[0]), 2) for hectares in found]
    [20.0, 17.54, 24.57]
    """
    n_strata, n_places = len(area_ha), int(place.max(initial=-1)) + 1
    seen, missing = mapped >= 0, np.isnan(hit)
    cell, answered, lost = 2 * stratum + np.maximum(mapped, 0), seen & ~missing, seen & missing
    n, hits = _with_wider(
        [sum_by(cell[answered], own[answered], 2 * n_strata) for own in (np.ones(len(hit)), hit)], n_strata
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share, least = (np.where(n > 0, own / n, 0.0) for own in (hits, np.maximum(hits, _HALF_HIT)))
        weight = (area_ha / sum_by(stratum, np.ones(len(stratum)), n_strata))[stratum]
    own, stands_for = cell[lost], weight[lost]
    at_random = sum_by(place[answered], (weight * hit)[answered], n_places)
    at_random += sum_by(place[lost], stands_for * share[own], n_places)
    down, up = _tilted(share, 1 / odds) - share, _tilted(least, odds) - least
    changes = (sum_by(place[lost], stands_for * change[own], n_places) for change in (down, up))
    less, more = changes
    return at_random, at_random + less, at_random + more


def _with_wider(by_cell: list[Floats], n_strata: int) -> list[Floats]:
    """Points and hits of each cell; where it has no point those of its stratum, else of all."""
    found = by_cell
    for wider in (np.repeat(np.arange(n_strata), 2), np.zeros(2 * n_strata, dtype=np.int64)):
        empty = found[0] == 0
        found = [
            np.where(empty, sum_by(wider, whole, n_strata)[wider], own)
            for whole, own in zip(by_cell, found, strict=True)
        ]
    return found


def _tilted(share: NDArray[np.float64], odds: float) -> Floats:
    return np.asarray(odds * share / (1 - share + odds * share))
