"""Harmonic regression on windows that may be missing.

Order K fits   value = a0 + sum over k = 1..K of  hk_cos cos(k w) + hk_sin sin(k w),   w = 2 pi day / period

by least squares, where `day` is the middle of a window in days since the period began: one cycle per period.
h1 terms are those of the fit of order 1, h2 terms those of the fit of order 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.features.kernels import weighted_sum

MIN_PIVOT = 0.01
"""Smallest pivot (normal equations over the number of windows) with which the terms can be separated."""

_CODE_BITS = 40
"""Windows that a pattern's code holds before codes are renumbered."""


def harmonic_terms(
    series: NDArray[np.float32], days: Sequence[float], length_days: int, order: int
) -> dict[str, NDArray[np.float32]]:
    """`hk_cos` and `hk_sin` for k = 1..order of (window, pixel) values, each (pixel) float32 in their unit.

    The normal equations depend only on which windows are present. They are solved once for each pattern of
    windows that occurs, term by term in float64 (Gauss elimination; no library whose sums depend on memory),
    and each pixel's coefficients are a weighted sum of its windows.

    Returns
    -------
    NaN where fewer than 2 order + 1 windows are present, or where those present leave a pivot below
    `MIN_PIVOT`: they lie too close together to separate the terms.
    """
    patterns, pattern = _patterns(~np.isnan(series))
    weights = fit_weights(patterns, days, length_days, order)
    names = [f"h{k}_{part}" for k in range(1, order + 1) for part in ("cos", "sin")]
    terms = {name: np.empty(series.shape[1], dtype=np.float32) for name in names}
    for weight, out in zip(weights[1:], terms.values(), strict=True):
        weighted_sum(series, weight, pattern, out)
    return terms


def _patterns(present: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The distinct columns of a (window, pixel) array as (window, pattern), and each pixel's pattern."""
    if present.all():
        return present[:, :1], np.zeros(present.shape[1], dtype=np.intp)
    code = np.zeros(present.shape[1], dtype=np.int64)
    for i, seen in enumerate(present):
        if i and i % _CODE_BITS == 0:
            code = np.unique(code, return_inverse=True)[1].astype(np.int64)
        code = 2 * code + seen
    _, first, pattern = np.unique(code, return_index=True, return_inverse=True)
    return present[:, first], pattern


def fit_weights(
    patterns: NDArray[np.bool_], days: Sequence[float], length_days: int, order: int
) -> NDArray[np.float64]:
    """(coefficient, window, pattern) weight of each window's value in each coefficient of the fit.

    Coefficients are a0, h1_cos, h1_sin, h2_cos, ...; NaN for patterns that do not determine them.
    """
    angles = [2 * math.pi * day / length_days for day in days]
    waves = [[f(k * w) for w in angles] for k in range(1, order + 1) for f in (math.cos, math.sin)]
    basis, count = np.array([[1.0] * len(days), *waves]), patterns.sum(axis=0)
    share = patterns / np.maximum(count, 1.0)
    normal = np.zeros((len(basis), len(basis), len(count)))
    for column, seen in zip(basis.T, share, strict=True):
        normal += np.outer(column, column)[:, :, None] * seen
    right: NDArray[np.float64] = basis[:, :, None] * share
    determined = (count >= len(basis)) & _eliminate(normal, right)
    right[:, :, ~determined] = np.nan
    return right


def _eliminate(normal: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Solve `normal` x = `right` in place of `right` (Gauss-Jordan); True where every pivot is large enough.

    The matrix is symmetric and positive, so no rows need to change places.
    """
    good = np.ones(normal.shape[2], dtype=bool)
    for i in range(len(normal)):
        good &= normal[i, i] >= MIN_PIVOT
        pivot = np.where(good, normal[i, i], 1.0)
        normal[i] /= pivot
        right[i] /= pivot
        for j in range(len(normal)):
            if j != i:
                factor = normal[j, i].copy()
                normal[j] -= factor * normal[i]
                right[j] -= factor * right[i]
    return good
