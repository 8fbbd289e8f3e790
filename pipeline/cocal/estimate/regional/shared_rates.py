"""Rates of a class that regions share: what points of all regions say of each (hierarchical beta-binomial).

Of n points in a cell (pool g, region r) y are hits: y ~ Bin(n, p_gr), and p_gr ~ Beta, with odds of its mean
z_gr times those of the pool and a logit that differs between regions by about `VARIATION` (Rao and Molina
2015, Small Area Estimation, section 9.5, doi:10.1002/9781118735855). The pool's mean m_g has its posterior on
a grid. Closed form at each point of it; nothing is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cocal.estimate.tally import Floats, Ints

VARIATION = 2.0
"""How much the share of hits differs between regions: standard deviation of its logit, about."""

_LOGITS, _DROP = (-24.0, 24.0), 25.0
"""Where the mean rate is looked for; what is less than exp(-25) times as probable as the mode is left out."""


@dataclass(frozen=True)
class Seen:
    """Cells: their pool (codes from 0, each with a cell), logarithm of z, points, and hits among them."""

    pool: Ints
    lift: Floats
    points: Floats
    hits: Floats


def posterior_moments(seen: Seen, more_hits: Floats, more_misses: Floats) -> tuple[Floats, Floats, Floats]:
    """(cells,) means of p, p^2 and p^3 after the points.

    The prior density of a pool's mean rate is m^(more_hits - 1) (1 - m)^(more_misses - 1), as after that many
    hits and misses; both above 0, one of each per pool. Cells that are alike are computed once.

    Examples
    --------
    One pool of two cells with 5 hits of 100 points, and with none:

    >>> seen = Seen(np.array([0, 0]), np.zeros(2), np.array([100.0, 100.0]), np.array([5.0, 0.0]))
    >>> posterior_moments(seen, np.array([0.5]), np.array([0.5]))[0].round(3).tolist()
    [0.049, 0.003]
    """
    columns = np.stack([seen.pool, seen.lift, seen.points, seen.hits])
    kinds, kind, times = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    pool = kinds[0].astype(np.int64)
    start = np.searchsorted(pool, np.arange(more_hits.size))
    found = _moments(_Pairs(start, pool, kinds[1], kinds[2], kinds[3], times, more_hits, more_misses))
    first, second, third = (moment[kind.ravel()] for moment in found)
    return first, second, third


@dataclass(frozen=True)
class _Pairs:
    """What occurs in each pool: logarithm of z, points, hits, and how often; where the pool starts, and its
    further hits and misses.
    """

    start: Ints
    pool: Ints
    lift: Floats
    points: Floats
    hits: Floats
    times: Ints
    more_hits: Floats
    more_misses: Floats

    def beta(self, logit: Floats) -> tuple[Floats, Floats]:
        """(pairs, grid) parameters of the Beta distribution of p where the pool's mean is (pools, grid).

        a + b = 1 / (V^2 m (1 - m)), so Var p = V^2 m^2 (1 - m)^2 / (1 + V^2 m (1 - m)), m its mean.
        """
        odds = np.exp(logit[self.pool] + self.lift[:, None])
        return (1 + odds) / VARIATION**2, (1 + 1 / odds) / VARIATION**2

    def log_posterior(self, logit: Floats) -> Floats:
        """(pools, grid) log density of the logit of the pool's mean, up to a constant."""
        from scipy.special import betaln  # slow to load, and not every run has a sample

        a, b = self.beta(logit)
        hits, misses = self.hits[:, None], (self.points - self.hits)[:, None]
        own = self.times[:, None] * (betaln(a + hits, b + misses) - betaln(a, b))
        prior = self.more_hits[:, None] * np.logaddexp(0, -logit)
        prior += self.more_misses[:, None] * np.logaddexp(0, logit)
        return np.asarray(np.add.reduceat(own, self.start) - prior)


def _moments(pairs: _Pairs) -> list[Floats]:
    """(pairs,) means of p, p^2, p^3 after the points, over the posterior of the pool's mean.

    The grid is narrowed twice around the mode, so that its step is well under half the posterior's standard
    deviation. Beyond its ends the density falls as m^hits and (1 - m)^misses do.
    """
    left, right = (np.full(pairs.start.size, end) for end in _LOGITS)
    for _ in range(2):
        grid = np.linspace(left, right, 33, axis=1)
        left, right = _bracket(grid, pairs.log_posterior(grid))
    grid = np.linspace(left, right, 81, axis=1)
    height = pairs.log_posterior(grid)
    density = np.exp(height - height.max(axis=1, keepdims=True))
    hits = pairs.more_hits + np.add.reduceat(pairs.times * pairs.hits, pairs.start)
    misses = pairs.more_misses + np.add.reduceat(pairs.times * (pairs.points - pairs.hits), pairs.start)
    for end, falls in ((0, hits), (-1, misses)):
        density[:, end] *= 0.5 + 1 / ((grid[:, 1] - grid[:, 0]) * falls)
    density = (density / density.sum(axis=1, keepdims=True))[pairs.pool]
    a, b = pairs.beta(grid)
    rise, total, moment, means = a + pairs.hits[:, None], a + b + pairs.points[:, None], density, []
    for power in range(3):
        moment = moment * (rise + power) / (total + power)
        means.append(np.asarray(moment.sum(axis=1)))
    return means


def _bracket(grid: Floats, height: Floats) -> tuple[Floats, Floats]:
    """(pools,) the nearest points of the grid beyond those within `_DROP` of its highest."""
    rows, last = np.arange(len(grid)), grid.shape[1] - 1
    inside = height > height.max(axis=1, keepdims=True) - _DROP
    first = np.maximum(inside.argmax(axis=1) - 1, 0)
    end = np.minimum(last - inside[:, ::-1].argmax(axis=1) + 1, last)
    return grid[rows, first], grid[rows, end]
