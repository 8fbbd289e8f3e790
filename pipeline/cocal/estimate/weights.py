"""Inclusion probabilities: whether points have them, and whether they match the strata."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError, UsageError
from cocal.estimate.strata import Strata
from cocal.notes import Note

EQUAL_WITHIN = 1e-6
"""Relative spread allowed among the inclusion probabilities of one stratum (they are stored as decimals)."""

RESPONSE_AT_LEAST = 0.5
"""Below this share of planned points answered, a mismatch is taken for wrong weights, not non-response."""

NOT_RANDOM = 1e-6
"""Chance below which unequal sampling rates are taken as proof that a sample is not simple random."""


def check_purposive(sample: pd.DataFrame) -> None:
    """Raise UsageError if any point has no inclusion probability, or an impossible one."""
    if "inclusion_probability" not in sample.columns:
        return
    probability = pd.to_numeric(sample["inclusion_probability"], errors="coerce")
    missing, wrong = int(probability.isna().sum()), int(((probability <= 0) | (probability > 1)).sum())
    if missing or wrong:
        raise UsageError(
            f"{missing + wrong} of {len(sample)} points give no area and no accuracy",
            "a probability sample: every point with its inclusion probability, above 0 and at most 1",
            f"{missing} points without one (purposive: chosen for access), {wrong} outside (0, 1]",
            "leave purposive points out of the estimate: they may train a model, and may be compared with "
            "the map point by point, but the ground that they stand for is not known",
        )


def check_weights(sample: pd.DataFrame, stratum: NDArray[np.int64], strata: Strata) -> tuple[Note, ...]:
    """Warnings about non-response; InputError if the inclusion probabilities contradict the strata.

    In a stratum of N_h pixels with n_h points, the probability is at least n_h/N_h; it is more where
    planned points were not reached. Without pixel counts only ratios between strata can be judged.
    """
    if "inclusion_probability" not in sample.columns:
        return ()
    probability = pd.to_numeric(sample["inclusion_probability"]).to_numpy(dtype=np.float64)
    n = np.bincount(stratum, minlength=len(strata.names))
    low, high = np.full(len(n), np.inf), np.zeros(len(n))
    np.minimum.at(low, stratum, probability)
    np.maximum.at(high, stratum, probability)
    used = n > 0
    uneven = used & (high > low * (1 + EQUAL_WITHIN))
    size = np.where(np.isnan(strata.pixels), strata.area_ha, strata.pixels)
    with np.errstate(divide="ignore", invalid="ignore"):
        response = n / (high * size)
    if np.isnan(strata.pixels).any():
        response = response / response[used].max()
    off = used & ~uneven & ((response < RESPONSE_AT_LEAST) | (response > 1 + 0.5 / np.maximum(n, 1)))
    labels = strata.labels
    problems = [
        f"points of stratum {labels[i]!r} have different probabilities" for i in np.flatnonzero(uneven)
    ]
    problems += [
        f"stratum {labels[i]!r}: {n[i]} points of probability {high[i]:.6g} stand for {n[i] / high[i]:.6g} "
        f"units, the strata table has {size[i]:.6g}"
        for i in np.flatnonzero(off)
    ]
    if problems:
        raise InputError(
            "weights do not match the strata",
            "inclusion probability = planned points / size of the stratum, one value per stratum",
            "; ".join(problems[:6]),
            "use the strata table that the sample was drawn from",
        )
    lost = used & (response < 0.995)
    return tuple(Note("non_response", stratum=labels[i], share=1 - response[i]) for i in np.flatnonzero(lost))


def check_simple_random(strata: Strata, estimator: str) -> None:
    """Raise InputError if the points cannot be one simple random sample of the whole frame.

    The number of points per group of known size is multinomial then; a chi-square beyond `NOT_RANDOM`
    is taken as a sample that was stratified.
    """
    from scipy.special import chdtrc  # slow to load, and not every run has a sample

    expected = strata.n.sum() * strata.area_ha / strata.total_ha
    statistic = float(((strata.n - expected) ** 2 / expected).sum())
    if len(strata.n) > 1 and chdtrc(len(strata.n) - 1, statistic) < NOT_RANDOM:
        rates = strata.n / strata.area_ha
        raise InputError(
            f"weights do not match the strata: the estimator {estimator!r} needs one simple random sample",
            "about the same number of points per hectare in every group",
            f"{rates.min():.3g} to {rates.max():.3g} points per ha: the sample was stratified",
            "use `stratified`",
        )
