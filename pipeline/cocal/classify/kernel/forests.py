"""Forests and boosted trees of scikit-learn, predicted by compiled code: the same bits, several times faster.

Values become integers in the same order (`trees`), and eight pixels walk down a tree in step, or all nodes of
a small tree are evaluated (`walk`). Thresholds are float64 in scikit-learn and features float32, so `x <= t`
is decided by the largest float32 that is not above t. Missing values go where each node sends them. Values
are added tree by tree in float64, in the estimator's order: so the result equals the estimator's to the bit
(`tests/classify/test_kernel`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.kernel.checks import check_tree, check_trees, need, need_array
from cocal.classify.kernel.trees import LANES, Shrubs, Trees, boosted_trees, flatten, forest_trees
from cocal.classify.kernel.walk import add_up

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ForestKernel:
    """A `Classifier` of averaged trees, as RandomForestClassifier and ExtraTreesClassifier."""

    classes_: NDArray[Any]
    trees: Trees | Shrubs

    @classmethod
    def of(cls, estimator: Any) -> ForestKernel:
        """The kernel of a fitted forest with one output."""
        trees = list(forest_trees(estimator))
        for tree in trees:
            check_tree(tree, estimator.n_features_in_)
        return cls(estimator.classes_, flatten(trees, estimator.n_features_in_))

    @classmethod
    def read(cls, arrays: Arrays) -> ForestKernel:
        """The kernel with these `arrays`."""
        trees = _trees_of(arrays, {"classes_"})
        check_trees(trees, len(arrays["classes_"]), shared=True)
        return cls(arrays["classes_"], trees)

    @property
    def arrays(self) -> Arrays:
        """The content of the kernel's file: name -> array."""
        return {"classes_": self.classes_} | _arrays_of(self.trees)

    @property
    def n_features_in_(self) -> int:
        return self.trees.n_features

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return _totals(self.trees, X, np.zeros(len(self.classes_))) / len(self.trees.into)


@dataclass(frozen=True, eq=False)
class BoostingKernel:
    """A `Classifier` of summed trees, as HistGradientBoostingClassifier."""

    classes_: NDArray[Any]
    trees: Trees | Shrubs
    baseline: NDArray[np.float64]

    @classmethod
    def of(cls, estimator: Any) -> BoostingKernel:
        """The kernel of fitted boosted trees without a categorical feature."""
        found = list(boosted_trees(estimator))
        for tree in found:
            check_tree(tree, estimator.n_features_in_)
        trees = flatten(found, estimator.n_features_in_)
        return cls(estimator.classes_, trees, np.asarray(estimator._baseline_prediction, dtype=np.float64))

    @classmethod
    def read(cls, arrays: Arrays) -> BoostingKernel:
        """The kernel with these `arrays`."""
        trees, classes = _trees_of(arrays, {"classes_", "baseline"}), len(arrays["classes_"])
        columns = classes if classes > 2 else 1
        need_array("baseline", arrays["baseline"], np.float64, (1, columns))
        check_trees(trees, columns, shared=False)
        return cls(arrays["classes_"], trees, arrays["baseline"])

    @property
    def arrays(self) -> Arrays:
        """The content of the kernel's file: name -> array."""
        return {"classes_": self.classes_, "baseline": self.baseline} | _arrays_of(self.trees)

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
    """(pixel, column) `begin` plus every tree's value for X (pixel, feature); X by columns is quicker."""
    need(X.shape[1] == trees.n_features, f"{X.shape[1]} features, the kernel has {trees.n_features}")
    short = -len(X) % LANES
    columns = np.pad(X.T, ((0, 0), (0, short))) if short else X.T
    total = np.zeros((columns.shape[1], max(len(begin), trees.width)))
    total[:, : len(begin)] = begin
    add_up(trees, columns, total)
    return total[: len(X), : len(begin)]


def _arrays_of(trees: Trees | Shrubs) -> Arrays:
    return {field.name: np.asarray(getattr(trees, field.name)) for field in fields(trees)}


def _trees_of(arrays: Arrays, others: set[str]) -> Trees | Shrubs:
    kind = Trees if "nodes" in arrays else Shrubs
    need(arrays.keys() - others == {field.name for field in fields(kind)}, "arrays are missing or unknown")
    need_array("n_features", arrays["n_features"], np.int64, ())
    own: dict[str, Any] = {field.name: arrays[field.name] for field in fields(kind)}
    return kind(**own | {"n_features": int(own["n_features"])})
