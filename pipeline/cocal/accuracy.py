"""Agreement of a map with reference labels: confusion matrices and their accuracies, in counts or areas.

Every matrix has rows = map, columns = reference, both in the order of one list of labels. A measure
with denominator 0 (a class that is never mapped, or not in the reference) is NaN, never 0.
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


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.asarray(np.where(denominator > 0, numerator / safe, np.nan))


def _parts(matrix: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Diagonal, sums of the rows and sums of the columns of (..., k, k)."""
    p = np.asarray(matrix, dtype=np.float64)
    return np.diagonal(p, axis1=-2, axis2=-1), p.sum(axis=-1), p.sum(axis=-2)


def users_accuracy(matrix: ArrayLike) -> Floats:
    """(..., k) share of each mapped class that is correct, p_ii / p_i. ; NaN for a class never mapped."""
    agree, mapped, _ = _parts(matrix)
    return _ratio(agree, mapped)


def producers_accuracy(matrix: ArrayLike) -> Floats:
    """(..., k) share of each reference class that is mapped as it, p_jj / p_.j ; NaN without reference."""
    agree, _, reference = _parts(matrix)
    return _ratio(agree, reference)


def overall_accuracies(matrices: ArrayLike) -> Floats:
    """(...) share of agreement of each matrix (..., k, k), sum p_jj / sum p; NaN for an empty matrix."""
    agree, mapped, _ = _parts(matrices)
    return _ratio(agree.sum(axis=-1), mapped.sum(axis=-1))


def overall_accuracy(matrix: ArrayLike) -> float:
    """The share of agreement of one matrix (see `overall_accuracies`)."""
    return float(overall_accuracies(matrix))


def f1(matrix: ArrayLike) -> Floats:
    """(..., k) harmonic mean of user's and producer's accuracy, 2 p_jj / (p_j. + p_.j).

    NaN for a class neither mapped nor in the reference; 0 for one that never agrees.
    """
    agree, mapped, reference = _parts(matrix)
    return _ratio(2 * agree, mapped + reference)


def macro_f1s(matrices: ArrayLike) -> Floats:
    """(...) mean of `f1` over the classes where it is defined, per matrix; NaN for an empty one."""
    scores = f1(matrices)
    return _ratio(np.nansum(scores, axis=-1), (~np.isnan(scores)).sum(axis=-1))


def macro_f1(matrix: ArrayLike) -> float:
    """The mean of `f1` of one matrix (see `macro_f1s`)."""
    return float(macro_f1s(matrix))


def kappa(matrix: ArrayLike) -> float:
    """Agreement beyond chance (Cohen 1960, doi:10.1177/001316446002000104); NaN if that is certain.

    For comparison with older work; Olofsson et al. (2014) advise against it.
    """
    p = np.asarray(matrix, dtype=np.float64)
    total = p.sum()
    if total == 0:
        return float("nan")
    chance = float((p.sum(axis=0) / total * (p.sum(axis=1) / total)).sum())
    return (overall_accuracy(p) - chance) / (1 - chance) if chance < 1 else float("nan")
