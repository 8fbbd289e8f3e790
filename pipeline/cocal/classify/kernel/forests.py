"""Forests and boosted trees of scikit-learn, predicted by a kernel of our own: the same bits, several times faster.

Values become integers in the same order (`trees`), and eight pixels walk down a tree in step, or ask all nodes of a small one (`walk`).
Thresholds are float64 in scikit-learn and features float32, so `x <= t` is decided by the largest float32 that is not
above t. Missing values go where each node sends them. Values are added tree by tree in float64, in the estimator's order:
that is why the result is equal to the bit.

`predict_proba` of the estimator itself is the reference (`tests/classify/test_kernel.py`).
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.estimators import Classifier, estimator_types
from cocal.classify.kernel.trees import LANES, Shrubs, Trees, boosted_trees, flatten, forest_trees
from cocal.classify.kernel.walk import add_up
from cocal.errors import CocalWarning


class KernelWarning(CocalWarning):
    """An estimator that no kernel can take: scikit-learn predicts, with the same result, and slower."""


@dataclass(frozen=True, eq=False)
class ForestKernel:
    """A `Classifier` that averages trees, as RandomForestClassifier and ExtraTreesClassifier do."""

    classes_: NDArray[Any]
    trees: Trees | Shrubs

    @property
    def n_features_in_(self) -> int:
        return self.trees.n_features

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return _totals(self.trees, X, np.zeros(len(self.classes_))) / len(self.trees.into)


@dataclass(frozen=True, eq=False)
class BoostingKernel:
    """A `Classifier` that adds up trees and turns the sums into probabilities, as HistGradientBoostingClassifier does."""

    classes_: NDArray[Any]
    trees: Trees | Shrubs
    baseline: NDArray[np.float64]

    @property
    def n_features_in_(self) -> int:
        return self.trees.n_features

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        total = _totals(self.trees, X, self.baseline.ravel())
        if total.shape[1] == 1:
            from scipy.special import expit  # a fifth of a second that forests do without

            second = expit(total[:, 0])
            return np.column_stack([1 - second, second])
        # Column after column, as scikit-learn has them: the last bit of a softmax depends on it.
        sums = np.asfortranarray(total)
        sums -= sums.max(axis=1).reshape(-1, 1)
        np.exp(sums, out=sums)
        sums /= sums.sum(axis=1).reshape(-1, 1)
        return sums


def _totals(trees: Trees | Shrubs, X: NDArray[np.float32], begin: NDArray[np.float64]) -> NDArray[np.float64]:
    """(pixel, column) `begin` plus every tree's value for X (pixel, feature); X by columns is the quicker one."""
    short = -len(X) % LANES
    columns = np.pad(X.T, ((0, 0), (0, short))) if short else X.T
    total = np.zeros((columns.shape[1], max(len(begin), trees.width)))
    total[:, : len(begin)] = begin
    add_up(trees, columns, total)
    return total[: len(X), : len(begin)]


def kernel_of(estimator: Any) -> ForestKernel | BoostingKernel | None:
    """A kernel that answers as `estimator` does; None if it is not one that the kernel can take.

    Taken are RandomForestClassifier and ExtraTreesClassifier with one output, and HistGradientBoostingClassifier without a
    categorical feature.
    """
    forest, extra, boosting = estimator_types().values()
    if isinstance(estimator, forest | extra) and estimator.n_outputs_ == 1:
        trees = flatten(list(forest_trees(estimator)), estimator.n_features_in_)
        return ForestKernel(estimator.classes_, trees)
    if isinstance(estimator, boosting) and estimator.is_categorical_ is None:
        trees = flatten(list(boosted_trees(estimator)), estimator.n_features_in_)
        baseline = np.asarray(estimator._baseline_prediction, dtype=np.float64)
        return BoostingKernel(estimator.classes_, trees, baseline)
    return None


def write_kernel(kernel: ForestKernel | BoostingKernel) -> bytes:
    """The kernel as an .npz file of plain arrays: no estimator has to be unpacked to predict."""
    arrays = {field.name: np.asarray(getattr(kernel.trees, field.name)) for field in fields(kernel.trees)}
    arrays["classes_"] = kernel.classes_
    if isinstance(kernel, BoostingKernel):
        arrays["baseline"] = kernel.baseline
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_kernel(data: bytes) -> ForestKernel | BoostingKernel:
    """The kernel that `write_kernel` wrote.

    Raises
    ------
    KeyError, ValueError
        It is no such file.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        kind = Trees if "nodes" in arrays else Shrubs
        own = {field.name: arrays[field.name] for field in fields(kind)}
        trees = kind(**own | {"n_features": int(own["n_features"])})
        if "baseline" in arrays:
            return BoostingKernel(arrays["classes_"], trees, arrays["baseline"])
        return ForestKernel(arrays["classes_"], trees)


def accelerated(estimator: Classifier) -> Classifier:
    """The kernel of `estimator`; itself, with a KernelWarning, where no kernel can take it."""
    kernel = kernel_of(estimator)
    if kernel is None:
        warnings.warn(
            f"no kernel for {type(estimator).__name__}: scikit-learn predicts, which is slower", KernelWarning,
            stacklevel=2,
        )  # fmt: skip
        return estimator
    return kernel
