"""Sensitivity and specificity of teams that label the same images, without the truth: a latent class model.

Hui and Walter (1980, doi:10.2307/2530508): images are drawn in strata whose shares of the target differ; each
team has one sensitivity and one specificity in all strata; given the truth, teams err independently. Teams
that take the same ground for the target together are better by this model than they are: only visits tell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.jit import njit

Floats = NDArray[np.float64]

_STEP, _ENDS = 0.02, 1e-3
"""Step of the search for an end of an interval; how far from 0 and 1 the climb to the maximum begins."""


class Fit(NamedTuple):
    """Deviance of the model from the observed shares, its degrees of freedom, and p by chi-squared."""

    deviance: float
    freedom: int
    p: float


def latent_accuracy(
    calls: NDArray[np.bool_], stratum: NDArray[np.int64], *, confidence: float
) -> tuple[Floats, Fit | None]:
    """Accuracy of each team by the latent class model, at the maximum of its likelihood, by EM (Dawid and
    Skene 1979, doi:10.2307/2346806).

    An interval holds the values at which the profile likelihood lies within half a quantile of chi-squared
    of its maximum (Venzon and Moolgavkar 1988, doi:10.2307/2347496); where no error of the kind was seen,
    within the logarithm that makes it the exact binomial one, log(2 / (1 - confidence)).

    Parameters
    ----------
    calls : (image, team) whether the team calls it the target.
    stratum : (image,) number of the stratum that the image was drawn from.

    Returns
    -------
    (team, 6) sensitivity, its ends, specificity, its ends; and how the model fits, None where nothing is left
    to test it by.

    Raises
    ------
    InputError : teams and strata are too few for the model.
    """
    n_teams = calls.shape[1]
    strata, own = np.unique(stratum, return_inverse=True)
    parameters, cells = len(strata) + 2 * n_teams, len(strata) * (2**n_teams - 1)
    if n_teams < 2 or cells < parameters:
        raise InputError(
            "the accuracy of the teams cannot be estimated", "two teams and two strata, or three teams",
            f"{n_teams} team(s), {len(strata)} strata", "draw images in strata, or at visited places",
        )  # fmt: skip
    counts = np.zeros((len(strata), 2**n_teams))
    np.add.at(counts, (own, calls @ (1 << np.arange(n_teams))), 1.0)
    share = np.bincount(own, calls.mean(axis=1)) / counts.sum(axis=1)
    start = np.concatenate([np.clip(share, 0.02, 0.98), np.full(2 * n_teams, 0.9)])
    best, top = climb(counts, start, -1)
    cuts = _cuts(confidence)
    rows = []
    for team in range(n_teams):
        row: list[float] = []
        for at in (len(strata) + team, len(strata) + n_teams + team):
            row += [float(best[at]), *(_end(counts, best, top, at, sign, cuts) for sign in (-1, 1))]
        rows.append(row)
    return np.array(rows), _fit(counts, top, cells - parameters)


def _cuts(confidence: float) -> tuple[float, float]:
    """How far below the maximum the ends lie: usually, and where the estimate is 0 or 1."""
    from scipy.special import ndtri  # slow to load, and few commands need it

    return float(ndtri((1 + confidence) / 2) ** 2 / 2), float(np.log(2 / (1 - confidence)))


def _end(counts: Floats, best: Floats, top: float, at: int, sign: int, cuts: tuple[float, float]) -> float:
    """Where the profile likelihood of parameter `at` falls below the cut, down or up from the maximum."""
    limit = 0.0 if sign < 0 else 1.0
    cut = cuts[1] if abs(best[at] - (1 - limit)) < _ENDS / 10 else cuts[0]
    inside, theta = best[at], best.copy()
    while abs(inside - limit) > 0:
        outside = max(inside - _STEP, 0.0) if sign < 0 else min(inside + _STEP, 1.0)
        theta[at] = outside
        found, height = climb(counts, theta, at)
        if top - height > cut:
            break
        inside, theta = outside, found
    else:
        return limit
    for _ in range(40):
        middle = (inside + outside) / 2
        theta[at] = middle
        inside, outside = (inside, middle) if top - climb(counts, theta, at)[1] > cut else (middle, outside)
    return float(outside)


def _fit(counts: Floats, top: float, freedom: int) -> Fit | None:
    from scipy.special import chdtrc  # as in `_cuts`

    if freedom == 0:
        return None
    shares = counts / counts.sum(axis=1, keepdims=True)
    saturated = float((counts * np.log(np.where(counts > 0, shares, 1.0))).sum())
    deviance = max(0.0, 2 * (saturated - top))
    return Fit(deviance, freedom, float(chdtrc(freedom, deviance)))


@njit(nogil=True)
def climb(counts: Floats, start: Floats, fixed: int) -> tuple[Floats, float]:
    """(parameters, log likelihood) at the maximum that EM reaches from `start`.

    Parameters
    ----------
    counts : (stratum, pattern) images; bit t of a pattern is the call of team t.
    start : share of the target in each stratum, then sensitivities, then specificities.
    fixed : index of the parameter that stays as it is; -1 none.
    """
    theta, height, likelihood = start.copy(), -np.inf, -np.inf
    for i in range(len(theta)):
        if i != fixed:
            theta[i] = min(max(theta[i], _ENDS), 1 - _ENDS)
    for _ in range(100_000):
        right, of, likelihood = _expected(counts, theta)
        if likelihood == -np.inf:
            break
        for i in range(len(theta)):
            if i != fixed and of[i] > 0:
                theta[i] = right[i] / of[i]
        if likelihood - height < 1e-9:
            break
        height = likelihood
    return theta, likelihood


@njit(nogil=True)
def _expected(counts: Floats, theta: Floats) -> tuple[Floats, Floats, float]:
    """Per parameter, a share, the images that it counts and those it is a share of; log likelihood."""
    strata, patterns = counts.shape
    teams = (len(theta) - strata) // 2
    right, of, likelihood = np.zeros(len(theta)), np.zeros(len(theta)), 0.0
    for s in range(strata):
        for x in range(patterns):
            if counts[s, x] == 0:
                continue
            yes, no = theta[s], 1 - theta[s]
            for t in range(teams):
                called = (x >> t) & 1
                yes *= theta[strata + t] if called else 1 - theta[strata + t]
                no *= 1 - theta[strata + teams + t] if called else theta[strata + teams + t]
            if yes + no <= 0:
                return right, of, -np.inf
            likelihood += counts[s, x] * np.log(yes + no)
            share = counts[s, x] * yes / (yes + no)
            rest = counts[s, x] - share
            right[s] += share
            of[s] += counts[s, x]
            for t in range(teams):
                called = (x >> t) & 1
                right[strata + t] += share * called
                of[strata + t] += share
                right[strata + teams + t] += rest * (1 - called)
                of[strata + teams + t] += rest
    return right, of, likelihood
