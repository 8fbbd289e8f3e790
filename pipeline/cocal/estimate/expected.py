"""What an interval will look like before anyone travels: its own formula over simulated campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocal.estimate.intervals import INTERVALS
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, tally

CAMPAIGNS = 1_000
"""Campaigns that an expectation is the mean of; fewer where the strata are very many."""

_MOST_COUNTS, _FEWEST_CAMPAIGNS = 2_000_000, 50
_LARGE = 100
"""Above this many pixels per point a count is binomial: drawing without replacement differs by < 1 %."""


@dataclass(frozen=True)
class ExpectedInterval:
    """The interval that a design leads one to expect, ha.

    `low_ha`, `high_ha` and `half_width_ha` are means over campaigns; in nine campaigns of ten the half-width
    is at most `half_width_90_ha`. Without a point of the class the interval is 0 to `no_hit_ha`.
    """

    area_ha: float
    low_ha: float
    high_ha: float
    half_width_ha: float
    half_width_90_ha: float
    no_hit_ha: float


def expected_interval(
    strata: Strata,
    share: Floats,
    *,
    interval: str,
    confidence: float,
    seed: int,
    limit_ha: float = float("inf"),
) -> ExpectedInterval:
    """The interval of the area of a class to be expected from `strata.n` points.

    A mean over campaigns, because the half-width is not a straight function of the counts: at one expected
    point in the stratum that dominates the variance, Wald's half-width of the expected counts is 1.3 times
    the mean of the half-widths.

    Parameters
    ----------
    strata : with at least 2 points each; `pixels` may be NaN.
    share : (H,) share of each stratum's area that is of the class and in the domain, 0 to 1.
    interval : one of `INTERVALS`.
    confidence : from 0.5 to below 1.
    seed : same seed, same figures.
    limit_ha : area of the domain, which no interval exceeds.
    """
    low, high = _ends(_campaigns(strata, share, seed), strata, interval, confidence, limit_ha)
    none = np.zeros((1, len(strata.n)), dtype=np.int64)
    half = (high - low) / 2
    return ExpectedInterval(
        float((strata.area_ha * share).sum()),
        float(low.mean()),
        float(high.mean()),
        float(half.mean()),
        float(np.quantile(half, 0.9)),
        float(_ends(none, strata, interval, confidence, limit_ha)[1][0]),
    )


def _ends(
    counts: Ints, strata: Strata, interval: str, confidence: float, limit_ha: float
) -> tuple[Floats, Floats]:
    """(campaigns,) ends of the interval of each campaign's `counts` (campaigns, H)."""
    campaign, stratum = np.nonzero(counts)
    found = counts[campaign, stratum].astype(np.float64)
    sums = tally(campaign, stratum, np.ones_like(found), found, n_groups=len(counts))
    low, high = INTERVALS[interval](sums, strata, np.full(len(counts), -1), confidence)
    return np.minimum(low, limit_ha), np.minimum(high, limit_ha)


def _campaigns(strata: Strata, share: Floats, seed: int) -> Ints:
    """(campaigns, H) points of the class: hypergeometric where points are many for the pixels."""
    size = int(np.clip(_MOST_COUNTS // len(strata.n), _FEWEST_CAMPAIGNS, CAMPAIGNS))
    rng = np.random.default_rng(seed)
    counts = rng.binomial(strata.n, share, size=(size, len(strata.n)))
    small = strata.pixels < _LARGE * strata.n
    pixels = strata.pixels[small].astype(np.int64)
    good = np.rint(share[small] * pixels).astype(np.int64)
    counts[:, small] = rng.hypergeometric(good, pixels - good, strata.n[small], (size, int(small.sum())))
    return counts
