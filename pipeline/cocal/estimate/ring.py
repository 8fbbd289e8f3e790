"""A ring test: teams label the same images; how they agree, how often each errs, and what that leaves open.

With the truth of every image from visits, a team's accuracy is a share. Without it there is a model
(`cocal.estimate.latent`), which the result names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cocal import accuracy
from cocal.errors import InputError
from cocal.estimate.latent import Fit, latent_accuracy

REFERENCE, LATENT = "visits", "latent class model"


@dataclass(frozen=True)
class TeamAccuracy:
    """Per team (rows): sensitivity, sensitivity_low, _high, specificity, _low, _high; how they were found.

    `fit`: of the model, None where it cannot be tested or the truth was known. `n`: images that count.
    """

    table: pd.DataFrame
    basis: str
    n: int
    fit: Fit | None = None

    @property
    def band(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Ranges of sensitivity and specificity that hold the intervals of all teams, as `sensitivity_band`
        and `estimate.reference_error` take them.
        """
        t = self.table
        return (
            (float(t["sensitivity_low"].min()), float(t["sensitivity_high"].max())),
            (float(t["specificity_low"].min()), float(t["specificity_high"].max())),
        )


def agreement(first: Sequence[str], second: Sequence[str], labels: Sequence[str], target: str) -> pd.Series:
    """How two teams agree on the same images: n, overall, kappa, and on the target, as fractions.

    `target_positive` is 2 a / (2 a + b + c), a images that both call the target, b and c that one does;
    `target_negative` the same of the others (Cicchetti and Feinstein 1990,
    doi:10.1016/0895-4356(90)90159-M); NaN without such images.

    Examples
    --------
    >>> found = agreement(["coca", "coca", "bare", "bare"], ["coca", "bare", "bare", "bare"],
    ...                   ["coca", "bare"], "coca")
    >>> round(float(found["target_positive"]), 3), float(found["overall"])
    (0.667, 0.75)
    """
    counts = accuracy.confusion(second, first, labels)
    at = list(labels).index(target)
    both, one = counts[at, at], counts[at].sum() + counts[:, at].sum()
    neither = counts.sum() - one + both
    apart = one - 2 * both
    with np.errstate(invalid="ignore", divide="ignore"):
        positive = np.float64(2 * both) / (2 * both + apart)
        negative = np.float64(2 * neither) / (2 * neither + apart)
    return pd.Series(
        {
            "n": counts.sum(), "overall": accuracy.overall_accuracy(counts), "kappa": accuracy.kappa(counts),
            "target_positive": positive, "target_negative": negative,
        }
    )  # fmt: skip


def known_accuracy(
    calls: NDArray[np.bool_], truth: NDArray[np.bool_], teams: Sequence[str], *, confidence: float
) -> TeamAccuracy:
    """Accuracy of each team where the truth is known from visits, with exact intervals (Clopper and Pearson
    1934, doi:10.1093/biomet/26.4.404).

    Parameters
    ----------
    calls : (image, team) whether the team calls it the target.
    truth : (image,) whether it is.

    Raises
    ------
    InputError : no image of the target was visited, or no other.
    """
    if truth.all() or not truth.any():
        raise InputError(
            "no accuracy without images of both kinds", "visited places with and without the target",
            f"{int(truth.sum())} of {len(truth)} with it", "draw images at more visited places",
        )  # fmt: skip
    rows = []
    for team in range(calls.shape[1]):
        right = calls[:, team] == truth
        found = [(int(right[own].sum()), int(own.sum())) for own in (truth, ~truth)]
        rows.append([v for k, n in found for v in (k / n, *binomial_ends(k, n, confidence))])
    return TeamAccuracy(_table(rows, teams), REFERENCE, len(truth))


def binomial_ends(k: int, n: int, confidence: float) -> tuple[float, float]:
    """Exact ends for a share, k of n (Clopper and Pearson 1934).

    Examples
    --------
    None of 100: below 1 - 0.025^(1/100).

    >>> low, high = binomial_ends(0, 100, 0.95)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    from scipy.special import betaincinv  # slow to load, and few commands need it

    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    return low, 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))


def _table(rows: ArrayLike, teams: Sequence[str]) -> pd.DataFrame:
    names = [f"{kind}{end}" for kind in ("sensitivity", "specificity") for end in ("", "_low", "_high")]
    return pd.DataFrame(np.asarray(rows), index=pd.Index(teams, name="team"), columns=names)


@dataclass(frozen=True)
class RingResult:
    """What a ring test says.

    `judged`: images that each team labelled; the rest counts those that all did. `matrix`: labels of the
    first team (rows) and the second. `pairs`: agreement of each two teams. `accuracy`: of each team;
    `confidence` of its intervals. `target` is the class that accuracy is about.
    """

    judged: pd.Series
    matrix: pd.DataFrame
    pairs: pd.DataFrame
    accuracy: TeamAccuracy
    target: str
    confidence: float

    @property
    def usable(self) -> bool:
        """Whether the band may stand in `estimate.reference_error`: labels are better than chance."""
        sensitivity, specificity = self.accuracy.band
        return sensitivity[0] + specificity[0] > 1


def ring_result(
    labels: pd.DataFrame, places: pd.DataFrame, classes: Sequence[str], target: str, *, confidence: float
) -> RingResult:
    """Agreement and accuracy of teams that labelled the same images.

    Parameters
    ----------
    labels : (image, team) a class, "" where the team could not tell.
    places : of the same images, `stratum`, and `truth`: the class found on a visit, "" where there was none.
        With the truth of every image the accuracy rests on it, else on the latent class model.

    Raises
    ------
    InputError : fewer than two images were labelled by all, or the accuracy cannot be estimated from them.
    """
    whole = (labels != "").all(axis=1)
    own, at = labels[whole], places[whole]
    if len(own) < 2:
        raise InputError(
            "too few images were labelled by every team", "two or more", str(len(own)), "label more of them"
        )
    teams = [str(team) for team in labels.columns]
    first, second = (own[team].tolist() for team in teams[:2])
    pairs = {
        f"{a} - {b}": agreement(own[a].tolist(), own[b].tolist(), classes, target)
        for number, a in enumerate(teams)
        for b in teams[number + 1 :]
    }
    calls = (own == target).to_numpy()
    if (at["truth"] != "").all():
        truth = (at["truth"] == target).to_numpy()
        found = known_accuracy(calls, truth, teams, confidence=confidence)
    else:
        stratum = pd.factorize(at["stratum"], sort=True)[0]
        rows, fit = latent_accuracy(calls, stratum, confidence=confidence)
        found = TeamAccuracy(_table(rows, teams), LATENT, len(own), fit)
    matrix = pd.DataFrame(accuracy.confusion(second, first, classes), list(classes), list(classes))
    table = pd.concat(pairs, axis=1).T
    return RingResult((labels != "").sum(), matrix, table, found, target, confidence)
