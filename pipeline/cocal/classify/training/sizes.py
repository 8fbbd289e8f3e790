"""Accuracy of smaller forests against their cost per pixel, computed from the trees of the validation.

A smaller forest is the first trees of the large one; a shallower one is the same trees cut at a depth, with
the class shares of their inner nodes. So one validation gives the whole curve without another fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.validation.scoring import draws
from cocal.classify.validation.validate import Fitted

TREES = (5, 10, 25, 50, 100, 200, 300, 500, 1000)
DEPTHS = (6, 9, 12, 18)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Size:
    """One size of forest: its confusion matrix in each block, and the mean number of nodes a pixel passes."""

    trees: int
    depth: int | None
    matrices: NDArray[np.int64]
    nodes: float

    @property
    def macro_f1(self) -> float:
        return accuracy.macro_f1(self.matrices.sum(axis=0))

    @property
    def record(self) -> dict[str, Any]:
        """For the model card."""
        return {
            "trees": self.trees,
            "depth": self.depth,
            "nodes_per_pixel": round(self.nodes, 1),
            "overall_accuracy": round(accuracy.overall_accuracy(self.matrices.sum(axis=0)), 6),
            "macro_f1": round(self.macro_f1, 6),
        }


def size_curve(fitted: Fitted, seed: int) -> dict[str, Any] | None:
    """Accuracy and cost of every size, the cheapest within one standard error of the best; None if no forest.

    The cost is the number of nodes that a pixel passes in all trees, the same on every machine; CPU time is
    proportional to it. The standard error is that of the best size's macro F1 over blocks drawn with
    replacement (Breiman et al. 1984, Classification and Regression Trees, 3.4.3: the one-SE rule).
    """
    if not hasattr(fitted.estimators[0], "estimators_"):
        return None
    sizes = sorted(_sizes(fitted), key=lambda size: size.nodes)
    best = max(sizes, key=lambda size: size.macro_f1)
    chosen = draws(np.arange(len(best.matrices)), seed)
    replicates = np.tensordot(chosen, best.matrices, axes=1)
    error = float(np.std(accuracy.macro_f1s(replicates), ddof=1))
    smallest = next(size for size in sizes if size.macro_f1 >= best.macro_f1 - error)
    return {
        "standard_error": round(error, 6),
        "best": best.record,
        "smallest_within_one_standard_error": smallest.record,
        "curve": [size.record for size in sizes],
    }


def _sizes(fitted: Fitted) -> list[_Size]:
    """Every size, its matrices and nodes pooled over the folds."""
    problem, design = fitted.problem, fitted.design
    blocks = int(design.group.max()) + 1
    matrices: dict[tuple[int, int | None], NDArray[np.int64]] = {}
    nodes: dict[tuple[int, int | None], float] = {}
    for fold, estimator in zip(design.folds, fitted.estimators, strict=True):
        truth, group = problem.codes[fold.test], design.group[fold.test]
        for key, total, passed in _prefixes(estimator, problem.values[fold.test]):
            predicted = estimator.classes_[total.argmax(axis=1)]
            empty = np.zeros((blocks, len(problem.keys), len(problem.keys)), np.int64)
            np.add.at(matrices.setdefault(key, empty), (group, predicted, truth), 1)
            nodes[key] = nodes.get(key, 0.0) + passed / len(problem.labels)
    return [_Size(*key, matrix, nodes[key]) for key, matrix in matrices.items()]


def _prefixes(
    forest: Any, values: NDArray[np.float32]
) -> Iterator[tuple[tuple[int, int | None], Floats, float]]:
    """((trees, depth), summed probabilities (row, class), nodes passed by all rows) of each size."""
    depths: list[int | None] = [*DEPTHS, None]
    totals = {depth: np.zeros((len(values), len(forest.classes_))) for depth in depths}
    passed = dict.fromkeys(depths, 0.0)
    wanted = {n for n in TREES if n < len(forest.estimators_)} | {len(forest.estimators_)}
    for number, tree in enumerate(forest.estimators_, 1):
        for depth, share, steps in _cut(tree.tree_, values, depths):
            totals[depth] += share
            passed[depth] += steps
        if number in wanted:
            for depth in depths:
                yield (number, depth), totals[depth], passed[depth]


def _cut(
    tree: Any, values: NDArray[np.float32], depths: Sequence[int | None]
) -> Iterator[tuple[int | None, Floats, float]]:
    """(depth, shares of the classes (row, class), nodes passed) of one tree cut at each depth."""
    shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    left, right = tree.children_left, tree.children_right
    node, rows = np.zeros(len(values), dtype=np.intp), np.arange(len(values))
    lost = tree.missing_go_to_left.astype(bool)
    steps, level = 0.0, 0
    while (inner := left[node] >= 0).any():
        if level in depths:
            yield level, shares[node], steps
        at = node[inner]
        seen = values[rows[inner], tree.feature[at]]
        low = np.where(np.isnan(seen), lost[at], seen.astype(np.float64) <= tree.threshold[at])
        node[inner] = np.where(low, left[at], right[at])
        steps, level = steps + float(inner.sum()), level + 1
    for depth in depths:
        if depth is None or depth >= level:
            yield depth, shares[node], steps
