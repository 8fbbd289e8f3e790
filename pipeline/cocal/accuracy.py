"""Agreement of a map with reference labels: confusion in counts and in proportions of area.

Every matrix has rows = map, columns = reference, both in the order of one list of labels. A measure
that divides by nothing (a class that was never mapped, or never found) is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cocal.errors import InputError

Floats = NDArray[np.float64]


def confusion(reference: ArrayLike, mapped: ArrayLike, labels: Sequence[Any]) -> NDArray[np.int64]:
    """Counts of units by map class (rows) and reference class (columns).

    Parameters
    ----------
    reference, mapped : array_like, one dimension, equal length
        Class of each unit on the ground and on the map.
    labels : sequence
        The classes, in the order of rows and columns.

    Returns
    -------
    int64 (k, k); its sum is the number of units.

    Raises
    ------
    InputError
        The lengths differ, or a class is not one of `labels`.
    """
    columns, rows = np.asarray(reference), np.asarray(mapped)
    number = {label: index for index, label in enumerate(labels)}
    unknown = sorted({str(v) for v in [*columns.tolist(), *rows.tolist()] if v not in number})
    if unknown or columns.shape != rows.shape or columns.ndim != 1:
        raise InputError(
            "these labels cannot be cross-tabulated",
            f"two lists of one length with classes among {', '.join(map(str, labels))}",
            f"lengths {columns.shape} and {rows.shape}; not in the list: {', '.join(unknown) or 'none'}",
            "give one map class and one reference class per unit",
        )
    counts = np.zeros((len(number), len(number)), dtype=np.int64)
    at = ([number[v] for v in rows.tolist()], [number[v] for v in columns.tolist()])
    np.add.at(counts, at, 1)
    return counts


def proportions(counts: ArrayLike, weights: ArrayLike) -> Floats:
    """Estimated proportions of area p_ij = W_i n_ij / n_i. (Olofsson et al. 2014, RSE 148:42, eq. 4).

    Parameters
    ----------
    counts : array_like, (k, k)
        Counts of a sample stratified by map class.
    weights : array_like, (k,)
        Share of each map class in the mapped area; they sum to 1.

    Returns
    -------
    float64 (k, k) that sums to 1, each row to its weight.

    Raises
    ------
    InputError
        Weights do not sum to 1, or a class that has area has no sample unit.
    """
    n, w = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    rows = n.sum(axis=1)
    empty = np.flatnonzero((rows == 0) & (w > 0))
    if empty.size or w.shape != rows.shape or (w < 0).any() or abs(w.sum() - 1) > 1e-9:
        raise InputError(
            "area proportions cannot be estimated from this confusion matrix",
            "one weight >= 0 per map class, in all 1, and sample units in every class that has area",
            f"weights {w.tolist()}; map classes without units: {empty.tolist()}",
            "merge the classes without units into others, by name, before estimating",
        )
    return np.asarray(n * (w / np.where(rows > 0, rows, 1.0))[:, None])


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.asarray(np.where(denominator > 0, numerator / safe, np.nan))


def users_accuracy(matrix: ArrayLike) -> Floats:
    """Of what is mapped as a class, the share that is it: p_ii / p_i. ; NaN for a class never mapped."""
    p = np.asarray(matrix, dtype=np.float64)
    return _ratio(np.diag(p), p.sum(axis=1))


def producers_accuracy(matrix: ArrayLike) -> Floats:
    """Of what is a class, the share that is mapped as it: p_jj / p_.j ; NaN for a class never found."""
    p = np.asarray(matrix, dtype=np.float64)
    return _ratio(np.diag(p), p.sum(axis=0))


def overall_accuracy(matrix: ArrayLike) -> float:
    """The share of agreement, sum p_jj / sum p; NaN for an empty matrix."""
    p = np.asarray(matrix, dtype=np.float64)
    return float(_ratio(np.trace(p), p.sum()))


def f1(matrix: ArrayLike) -> Floats:
    """Per class 2 p_jj / (p_j. + p_.j), the harmonic mean of user's and producer's accuracy.

    NaN for a class neither mapped nor found; 0 for one that never agrees.
    """
    p = np.asarray(matrix, dtype=np.float64)
    return _ratio(2 * np.diag(p), p.sum(axis=1) + p.sum(axis=0))


def macro_f1(matrix: ArrayLike) -> float:
    """Mean of `f1` over the classes that are mapped or found; NaN for an empty matrix."""
    scores = f1(matrix)
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float("nan")


def kappa(matrix: ArrayLike) -> float:
    """Cohen's (1960, doi:10.1177/001316446002000104) agreement beyond chance; NaN if chance is certain.

    Offered to compare with older work; Olofsson et al. (2014) advise against it.
    """
    p = np.asarray(matrix, dtype=np.float64)
    total = p.sum()
    if total == 0:
        return float("nan")
    chance = float((p.sum(axis=0) * p.sum(axis=1)).sum() / total**2)
    return (overall_accuracy(p) - chance) / (1 - chance) if chance < 1 else float("nan")
