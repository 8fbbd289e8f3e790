"""Trees of scikit-learn as flat arrays: whatever an estimator compares and adds up, and nothing else.

A feature is compared with nothing but the thresholds of its own. So a value may stand for its rank among them, the number
of thresholds below it: `x > threshold[j]` exactly if `rank(x) > j`. Ranks fit 16 bits where no feature has more than
65,534 distinct thresholds, and that holds for every forest of a usual size: half the memory of the features, exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 8
"""Pixels that walk together."""

RANK_BITS, COLUMN_BITS = 32, 11
"""A node is its left child, then the column of its feature, then the rank of its threshold."""

CHILD_SHIFT = RANK_BITS + COLUMN_BITS
_MOST_COLUMNS, _MOST_NODES = 1 << COLUMN_BITS, 1 << (64 - CHILD_SHIFT)
_LEAF_RANK = (1 << RANK_BITS) - 1
_BUCKETS_PER_CUT = 4


@dataclass(frozen=True)
class Tree:
    """One tree as scikit-learn holds it; `left` is -1 at a leaf. `into`: the column it adds to, -1 = all."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    into: int

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        return self.left >= 0


@dataclass(frozen=True, eq=False)
class Ranks:
    """The distinct thresholds of each feature, and a table that leads near the rank of a value.

    `cuts` float32, ascending per feature, those of feature f from `first[f]` to `first[f + 1]`, infinities at the end. Bucket
    b of feature f is where (value - low[f]) * scale[f] rounds down to b; `start[table[f] + b]` cuts lie in buckets before
    it, and no bucket of f holds 2 ** steps[f] cuts. `dtype` is the smallest unsigned type that holds every rank and, beyond
    them, the mark of a missing value.
    """

    cuts: NDArray[np.float32]
    first: NDArray[np.int64]
    low: NDArray[np.float32]
    scale: NDArray[np.float32]
    start: NDArray[np.uint32]
    table: NDArray[np.int64]
    steps: NDArray[np.int64]
    dtype: np.dtype[Any]


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees as flat arrays.

    `nodes` (n,) uint64: left child (within the tree), column of the feature, rank of the threshold; the two children
    of a node lie side by side, and a leaf is its own child. `missing_left` (n,): where a missing value goes. `leaf` (n,):
    place in `values` (k, r) at a leaf, those of a tree side by side. `start` (t + 1,): first node of each tree. `into` (t,):
    the row of the total that a tree adds to, -1 = all k.
    """

    ranks: Ranks
    nodes: NDArray[np.uint64]
    missing_left: NDArray[np.bool_]
    leaf: NDArray[np.uint32]
    values: NDArray[np.float64]
    start: NDArray[np.int64]
    into: NDArray[np.int64]

    @cached_property
    def nodes_missing(self) -> NDArray[np.uint64]:
        """`nodes` for pixels with missing values: each feature has a second column, in which they go left."""
        second = np.uint64((len(self.ranks.first) - 1) << RANK_BITS)
        return self.nodes + self.missing_left * second


def forest_trees(estimator: Any) -> Iterable[Tree]:
    """The trees of a RandomForestClassifier or ExtraTreesClassifier with one output."""
    for one in estimator.estimators_:
        tree = one.tree_
        yield Tree(
            tree.children_left, tree.children_right, tree.feature, tree.threshold,
            tree.missing_go_to_left.astype(bool), tree.value[:, 0, :], -1,
        )  # fmt: skip


def boosted_trees(estimator: Any) -> Iterable[Tree]:
    """The trees of a HistGradientBoostingClassifier without categorical features."""
    for iteration in estimator._predictors:
        for column, predictor in enumerate(iteration):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            yield Tree(
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                nodes["feature_idx"].astype(np.int64), nodes["num_threshold"],
                nodes["missing_go_to_left"].astype(bool), nodes["value"][:, None], column,
            )  # fmt: skip


def flatten(trees: Sequence[Tree], n_features: int) -> Trees | None:
    """The trees as flat arrays; None if they have too many features or nodes for 64 bits a node."""
    if 2 * n_features > _MOST_COLUMNS or max(len(tree.left) for tree in trees) > _MOST_NODES:
        return None
    ranks = _ranks(trees, n_features)
    orders = [np.argsort(_side_by_side(tree.left, tree.right)) for tree in trees]
    pairs = list(zip(trees, orders, strict=True))
    leaves = [np.unique(t.value[o], axis=0, return_inverse=True) for t, o in pairs]
    begin = np.cumsum([0, *(len(own) for own, _ in leaves)])
    row = np.concatenate([b + own.ravel() for b, (_, own) in zip(begin[:-1], leaves, strict=True)])
    values = np.concatenate([own for own, _ in leaves])
    return Trees(
        ranks,
        np.concatenate([_pack(tree, order, ranks) for tree, order in pairs]),
        np.concatenate([(t.missing_left & t.inner)[o] for t, o in pairs]),
        row.astype(np.uint32),
        np.ascontiguousarray(values.T),
        np.cumsum([0, *(len(order) for order in orders)]),
        np.array([tree.into for tree in trees], dtype=np.int64),
    )


def _pack(tree: Tree, order: NDArray[np.int64], ranks: Ranks) -> NDArray[np.uint64]:
    """The nodes of one tree in `order`."""
    inner, place = tree.inner, np.argsort(order)
    feature = np.where(inner, tree.feature, 0)
    rank = np.full(len(order), _LEAF_RANK, dtype=np.uint64)
    cut = not_above(tree.threshold)
    for f in np.unique(feature[inner]):
        at = inner & (feature == f)
        rank[at] = np.searchsorted(ranks.cuts[ranks.first[f] : ranks.first[f + 1]], cut[at])
    child = np.where(inner, place[tree.left], place)
    packed = child.astype(np.uint64) << np.uint64(CHILD_SHIFT) | feature.astype(np.uint64) << np.uint64(
        RANK_BITS
    )
    return np.asarray((packed | rank)[order])


def _ranks(trees: Sequence[Tree], n_features: int) -> Ranks:
    feature = np.concatenate([tree.feature[tree.inner] for tree in trees])
    cut = not_above(np.concatenate([tree.threshold[tree.inner] for tree in trees]))
    order = np.argsort(feature, kind="stable")
    feature, cut = feature[order], cut[order]
    ends = np.searchsorted(feature, np.arange(n_features + 1))
    cuts = [np.unique(cut[a:b]) for a, b in itertools.pairwise(ends)]
    tables = [_buckets(own) for own in cuts]
    steps = [int(np.diff(start).max()).bit_length() for _, _, start in tables]
    cuts = [np.pad(c, (0, 1 << s), constant_values=np.inf) for c, s in zip(cuts, steps, strict=True)]
    return Ranks(
        np.concatenate(cuts),
        np.cumsum([0, *map(len, cuts)]),
        np.array([low for low, _, _ in tables], dtype=np.float32),
        np.array([scale for _, scale, _ in tables], dtype=np.float32),
        np.concatenate([start for _, _, start in tables]),
        np.cumsum([0, *(len(start) for _, _, start in tables)]),
        np.array(steps),
        np.dtype(np.uint16 if max(map(len, cuts)) < 65_535 else np.uint32),
    )


def _buckets(cuts: NDArray[np.float32]) -> tuple[np.float32, np.float32, NDArray[np.uint32]]:
    """(low, scale, cuts before each bucket): buckets between the 1st and 99th percentile of the cuts."""
    n = 1 << max(1, _BUCKETS_PER_CUT * len(cuts) - 1).bit_length()
    finite = cuts[np.isfinite(cuts)]
    low, scale = np.float32(0), np.float32(0)
    with np.errstate(all="ignore"):
        if len(finite):
            low, high = finite[len(finite) // 100], finite[-1 - len(finite) // 100]
            scale = np.float32(n) / (high - low) if high > low else np.float32(0)
        scale = scale if np.isfinite(scale) else np.float32(0)
        z = (cuts - low) * scale
        bucket = np.where(z > 0, np.minimum(z, np.float32(n - 1)), 0).astype(np.int64)
    return low, scale, np.searchsorted(bucket, np.arange(n + 1)).astype(np.uint32)


def not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each threshold: `x <= t` for a float32 x is `x <=` this."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    below = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return np.asarray(below.astype(np.float32) + np.float32(0.0))


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
