"""Forests and boosted trees of scikit-learn, predicted by a kernel of our own: the same bits, several times faster.

The trees of an estimator become flat arrays: 8 bytes a node (threshold and, in one integer, feature and left child), the
two children of a node side by side, leaves that point at themselves, equal leaf values stored once. Eight pixels walk
down a tree in step. Thresholds are float64 in scikit-learn and features float32, so `x <= t` is decided by the largest
float32 that is not above t. Values are added tree by tree in float64, in the estimator's order: that is why the result is
equal to the bit. Pixels with a missing feature are left to the estimator.

`predict_proba` of the estimator itself is the reference (`tests/classify/test_kernel.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from cocal.classify.estimators import Classifier

log = logging.getLogger(__name__)

_FEATURE_BITS = 10
_MOST_FEATURES, _MOST_NODES = 1 << _FEATURE_BITS, 1 << (32 - _FEATURE_BITS)
_SHIFT, _MASK = np.uint64(_FEATURE_BITS), np.uint64(_MOST_FEATURES - 1)
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_LANES, _BLOCK = 8, 1024
"""Pixels that walk together, and pixels whose features stay in the cache while all trees are walked."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees as flat arrays.

    `nodes` (2 n,) uint32: per node the bits of its float32 threshold; its left child (within the tree) and feature. `row`
    (n,) uint32: row of `values` (r, k) float64 at a leaf. `start` (t + 1,): first node of each tree. `into` (t,): the
    column that a tree adds to, -1 = all k.
    """

    nodes: NDArray[np.uint32]
    row: NDArray[np.uint32]
    values: NDArray[np.float64]
    start: NDArray[np.int64]
    into: NDArray[np.int64]

    def add_to(self, total: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
        """`total` (pixel, column) plus every tree's value for `features` (pixel, feature) without NaN."""
        n, short = len(features), -len(features) % _LANES
        padded = np.ascontiguousarray(np.pad(features, ((0, short), (0, 0))))
        sums = np.pad(total, ((0, short), (0, 0)))
        thresholds = self.nodes.view(np.float32)
        args = (self.nodes, thresholds, self.row, self.values, self.start, self.into)
        _walk(*args, padded.ravel(), features.shape[1], sums)
        return sums[:n]


@dataclass(frozen=True, eq=False)
class ForestKernel:
    """A `Classifier` that averages trees, as RandomForestClassifier and ExtraTreesClassifier do."""

    classes_: NDArray[Any]
    trees: Trees

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.trees.add_to(np.zeros((len(X), len(self.classes_))), X) / len(self.trees.into)


@dataclass(frozen=True, eq=False)
class BoostingKernel:
    """A `Classifier` that adds up trees and turns the sums into probabilities, as HistGradientBoostingClassifier does."""

    classes_: NDArray[Any]
    trees: Trees
    baseline: NDArray[np.float64]
    loss: Any

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        total = self.trees.add_to(np.repeat(self.baseline, len(X), axis=0), X)
        # Columns one after the other, as scikit-learn has them: the last bit of a softmax depends on it.
        sums = total[:, 0] if total.shape[1] == 1 else np.asfortranarray(total)
        found: NDArray[np.float64] = self.loss.predict_proba(sums)
        return found


def fast(estimator: Any) -> Classifier | None:
    """A kernel that answers as `estimator` does; None if it is not one that the kernel can take.

    Taken are RandomForestClassifier, ExtraTreesClassifier and HistGradientBoostingClassifier with one output, fewer than
    1,024 features, up to 4 million nodes a tree, and no categorical feature.
    """
    if isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier):
        trees = _flatten(_forest_trees(estimator)) if estimator.n_outputs_ == 1 else None
        return None if trees is None else ForestKernel(estimator.classes_, trees)
    if isinstance(estimator, HistGradientBoostingClassifier) and estimator.is_categorical_ is None:
        trees = _flatten(_boosted_trees(estimator))
        baseline = np.asarray(estimator._baseline_prediction, dtype=np.float64)
        return None if trees is None else BoostingKernel(estimator.classes_, trees, baseline, estimator._loss)
    return None


@dataclass(frozen=True, eq=False)
class Accelerated:
    """A `Classifier` that leaves pixels with a missing feature to the estimator, and the others to its kernel."""

    estimator: Classifier
    kernel: Classifier

    @property
    def classes_(self) -> NDArray[Any]:
        return self.estimator.classes_

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        missing = np.isnan(X).any(axis=1)
        if missing.all():
            return self.estimator.predict_proba(X)
        if not missing.any():
            return self.kernel.predict_proba(X)
        found = np.empty((len(X), len(self.classes_)))
        found[missing] = self.estimator.predict_proba(X[missing])
        found[~missing] = self.kernel.predict_proba(X[~missing])
        return found


def accelerated(estimator: Classifier) -> Classifier:
    """`estimator` with its kernel; itself, and a line in the log, where the kernel cannot take it."""
    kernel = fast(estimator)
    if kernel is None:
        log.warning("no kernel for %s: scikit-learn predicts, which is slower", type(estimator).__name__)
        return estimator
    return Accelerated(estimator, kernel)


@dataclass(frozen=True)
class _Tree:
    """One tree as scikit-learn holds it; `left` is -1 at a leaf."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    into: int


def _forest_trees(estimator: Any) -> Iterable[_Tree]:
    for one in estimator.estimators_:
        tree = one.tree_
        yield _Tree(
            tree.children_left, tree.children_right, tree.feature, tree.threshold, tree.value[:, 0, :], -1
        )


def _boosted_trees(estimator: Any) -> Iterable[_Tree]:
    for iteration in estimator._predictors:
        for column, predictor in enumerate(iteration):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            yield _Tree(
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                nodes["feature_idx"].astype(np.int64),
                nodes["num_threshold"],
                nodes["value"][:, None],
                column,
            )


def _flatten(trees: Iterable[_Tree]) -> Trees | None:
    """The trees as flat arrays; None if one is too large."""
    nodes, rows, into = [], [], []
    values: list[NDArray[np.float64]] = []
    start = [0]
    for tree in trees:
        if len(tree.left) > _MOST_NODES or int(tree.feature.max()) >= _MOST_FEATURES:
            return None
        place = _side_by_side(tree.left, tree.right)
        leaf, old = tree.left < 0, np.empty(len(place), dtype=np.int64)
        old[place] = np.arange(len(place))
        child = np.where(leaf, place, place[tree.left])
        threshold = np.where(leaf, np.float32(np.inf), _not_above(tree.threshold))
        feature = np.where(leaf, 0, tree.feature)
        packed = np.empty((len(place), 2), dtype=np.uint32)
        packed[:, 0] = threshold.astype(np.float32).view(np.uint32)
        packed[:, 1] = child << _FEATURE_BITS | feature
        nodes.append(packed[old])
        rows.append(start[-1] + np.arange(len(place)))
        values.append(tree.value[old])
        start.append(start[-1] + len(place))
        into.append(tree.into)
    unique, row = np.unique(np.concatenate(values), axis=0, return_inverse=True)
    return Trees(
        np.concatenate(nodes).ravel(),
        row[np.concatenate(rows)].astype(np.uint32),
        np.ascontiguousarray(unique, dtype=np.float64),
        np.array(start, dtype=np.int64),
        np.array(into, dtype=np.int64),
    )


def _not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each threshold."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


@njit(cache=True)
def _side_by_side(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """New place of each node: the root first, the two children of a node beside each other, depth first."""
    place = np.zeros(left.size, dtype=np.int64)
    stack = np.empty(left.size + 1, dtype=np.int64)
    stack[0] = 0
    top, free = 1, 1
    while top > 0:
        top -= 1
        node = stack[top]
        if left[node] >= 0:
            place[left[node]] = free
            place[right[node]] = free + 1
            free += 2
            stack[top] = right[node]
            stack[top + 1] = left[node]
            top += 2
    return place


@njit(cache=True, error_model="numpy")
def _walk(
    nodes: NDArray[np.uint32],
    thresholds: NDArray[np.float32],
    row: NDArray[np.uint32],
    values: NDArray[np.float64],
    start: NDArray[np.int64],
    into: NDArray[np.int64],
    features: NDArray[np.float32],
    n_features: int,
    total: NDArray[np.float64],
) -> None:
    """Add the values of all trees to `total`; its rows are a multiple of eight.

    Written out for eight pixels, and in unsigned integers: a called step, or signed ones, make it ten times slower.
    """
    n, k, wide = total.shape[0], values.shape[1], np.uint64(n_features)
    for first in range(0, n, _BLOCK):
        last = min(first + _BLOCK, n)
        for t in range(into.size):
            b = np.uint64(start[t])
            for p in range(first, last, 8):
                x0 = np.uint64(p) * wide
                x1 = x0 + wide
                x2 = x1 + wide
                x3 = x2 + wide
                x4 = x3 + wide
                x5 = x4 + wide
                x6 = x5 + wide
                x7 = x6 + wide
                a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = b
                while True:
                    w = np.uint64(nodes[_TWO * a0 + _ONE])
                    c0 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x0 + (w & _MASK)] > thresholds[_TWO * a0] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a1 + _ONE])
                    c1 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x1 + (w & _MASK)] > thresholds[_TWO * a1] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a2 + _ONE])
                    c2 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x2 + (w & _MASK)] > thresholds[_TWO * a2] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a3 + _ONE])
                    c3 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x3 + (w & _MASK)] > thresholds[_TWO * a3] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a4 + _ONE])
                    c4 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x4 + (w & _MASK)] > thresholds[_TWO * a4] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a5 + _ONE])
                    c5 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x5 + (w & _MASK)] > thresholds[_TWO * a5] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a6 + _ONE])
                    c6 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x6 + (w & _MASK)] > thresholds[_TWO * a6] else _ZERO)
                    )
                    w = np.uint64(nodes[_TWO * a7 + _ONE])
                    c7 = (
                        b
                        + (w >> _SHIFT)
                        + (_ONE if features[x7 + (w & _MASK)] > thresholds[_TWO * a7] else _ZERO)
                    )
                    moved = (a0 ^ c0) | (a1 ^ c1) | (a2 ^ c2) | (a3 ^ c3)
                    moved |= (a4 ^ c4) | (a5 ^ c5) | (a6 ^ c6) | (a7 ^ c7)
                    if moved == _ZERO:
                        break
                    a0, a1, a2, a3, a4, a5, a6, a7 = c0, c1, c2, c3, c4, c5, c6, c7
                for i, a in enumerate((a0, a1, a2, a3, a4, a5, a6, a7)):
                    leaf = row[a]
                    if into[t] >= 0:
                        total[p + i, into[t]] += values[leaf, 0]
                    else:
                        for c in range(k):
                            total[p + i, c] += values[leaf, c]
