"""Trees of scikit-learn as flat arrays of what an estimator compares and adds up.

A float32 and a threshold are compared by their keys: unsigned integers of 32 bits in the same order, in which
a missing value is above all others. So a node is eight bytes, and missing values need no branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.jit import njit

LANES = 8
"""Pixels that walk down a tree in step."""

ROW = 4
"""Columns of a leaf that are added together: rows of more than one are padded with zeros to whole `ROW`s."""

NODE = np.dtype([("key", "<u4"), ("column", "<u2"), ("child", "<u2")])
"""A node: the key of its threshold, the column of its feature times `LANES`, its left child."""
WIDE_NODE = np.dtype([("key", "<u8"), ("column", "<u4"), ("child", "<u4")])
"""The same for trees of more nodes, or features, than 16 bits can count."""
NARROW = (1 << 16) - 1

SURE = 32
"""Most levels that pixels descend without a check: most leave a tree with one long branch early."""

KEY_BITS = 32
ABSENT = (1 << KEY_BITS) - 1
"""Key of a missing value, above all others; and of a leaf, so that no value goes right of it."""

FEW_LEAVES = 32
"""All nodes of trees with no more leaves are evaluated (see `Shrubs`)."""
_DE_BRUIJN = 0x077CB531
"""Times a single bit, its five highest bits are the bit's number (Leiserson, Prokop and Randall 1998)."""


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
class Trees:
    """Trees as flat arrays.

    `nodes` (n,) NODE or WIDE_NODE: children are counted within the tree, the two of a node are adjacent, and
    a leaf is its own child. `missing_left` (n,): True if a missing value goes left. `leaf` (n,): row of
    `values` (r, k) at a leaf; no two rows are equal, and k is 1 or whole `ROW`s. `start` (t + 1,): first node
    of each tree. `sure` (t,): levels that pixels descend before they are checked. `into` (t,): column of the
    total that a tree adds to, -1 = all.
    """

    n_features: int
    nodes: NDArray[np.void]
    missing_left: NDArray[np.bool_]
    leaf: NDArray[np.uint32]
    values: NDArray[np.float64]
    start: NDArray[np.int64]
    sure: NDArray[np.int64]
    into: NDArray[np.int64]

    @property
    def width(self) -> int:
        """Columns of the total that a tree may add to."""
        return int(self.values.shape[1])

    @cached_property
    def nodes_missing(self) -> NDArray[np.void]:
        """`nodes` for pixels with missing values: each feature has a second column, where they go left."""
        nodes = self.nodes.copy()
        nodes["column"] += (self.missing_left * self.n_features * LANES).astype(nodes["column"].dtype)
        return nodes


@dataclass(frozen=True, eq=False)
class Shrubs:
    """Trees of few leaves, whose nodes are all evaluated (Lucchese 2015, doi:10.1145/2766462.2767733).

    A set of leaves is a word of 32 bits, from left to right. Where a pixel goes right, it cannot reach the
    leaves on the node's left: `keep` (n,) is the set of the others. The first leaf that remains is the
    pixel's. `column`, `cut` (n,): the feature, the key of its threshold. `value` (t, 32, k): by the number
    that `_DE_BRUIJN` gives a leaf's bit.
    """

    n_features: int
    column: NDArray[np.uint32]
    cut: NDArray[np.uint32]
    keep: NDArray[np.uint32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    start: NDArray[np.int64]
    into: NDArray[np.int64]

    @property
    def width(self) -> int:
        """Columns of the total that a tree may add to."""
        return int(self.value.shape[2])

    @cached_property
    def column_missing(self) -> NDArray[np.uint32]:
        """`column` for pixels with missing values: each feature has a second one, where they go left."""
        return self.column + self.missing_left * np.uint32(self.n_features)


def forest_trees(estimator: Any) -> Iterable[Tree]:
    """The trees of a RandomForestClassifier or ExtraTreesClassifier with one output."""
    for one in estimator.estimators_:
        tree = one.tree_
        if tree.node_count != tree.capacity:
            raise ValueError(f"a tree of {tree.node_count} nodes in the place of {tree.capacity}")
        yield Tree(
            tree.children_left, tree.children_right, tree.feature, tree.threshold,
            tree.missing_go_to_left.astype(bool), tree.value[:, 0, :], -1,
        )  # fmt: skip


def boosted_trees(estimator: Any) -> Iterable[Tree]:
    """The trees of a HistGradientBoostingClassifier without categorical features."""
    for iteration in estimator._predictors:
        for column, predictor in enumerate(iteration):
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise ValueError("a node of categories in a tree without them")
            leaf = nodes["is_leaf"].astype(bool)
            yield Tree(
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                nodes["feature_idx"].astype(np.int64), nodes["num_threshold"],
                nodes["missing_go_to_left"].astype(bool), nodes["value"][:, None], column,
            )  # fmt: skip


def flatten(trees: Sequence[Tree], n_features: int) -> Trees | Shrubs:
    """The trees as flat arrays."""
    most = max(len(tree.left) for tree in trees)
    if most < 2 * FEW_LEAVES:
        return _shrubs(trees, n_features)
    node = NODE if max(most, 2 * n_features * LANES) <= NARROW else WIDE_NODE
    orders = [np.argsort(_side_by_side(tree.left, tree.right)) for tree in trees]
    pairs = list(zip(trees, orders, strict=True))
    nodes = np.concatenate([_pack(tree, order, node) for tree, order in pairs])
    is_leaf = np.concatenate([~tree.inner[order] for tree, order in pairs])
    values, row = np.unique(
        np.concatenate([tree.value[order] for tree, order in pairs])[is_leaf], axis=0, return_inverse=True
    )
    leaf = np.zeros(len(nodes), dtype=np.uint32)
    leaf[is_leaf] = row.ravel()
    return Trees(
        n_features,
        nodes,
        np.concatenate([(t.missing_left & t.inner)[o] for t, o in pairs]),
        leaf,
        np.pad(values, ((0, 0), (0, -values.shape[1] % ROW if values.shape[1] > 1 else 0))),
        np.cumsum([0, *(len(order) for order in orders)]),
        np.array([_mean_depth(tree.left, tree.right) for tree in trees], dtype=np.int64),
        np.array([tree.into for tree in trees], dtype=np.int64),
    )


def _pack(tree: Tree, order: NDArray[np.int64], node: np.dtype[np.void]) -> NDArray[np.void]:
    """The nodes of one tree in `order`."""
    inner, place = tree.inner, np.argsort(order)
    packed = np.empty(len(order), dtype=node)
    packed["key"] = np.where(inner, keys_of(not_above(tree.threshold)), ABSENT)
    packed["column"] = np.where(inner, tree.feature, 0) * LANES
    packed["child"] = np.where(inner, place[tree.left], place)
    return packed[order]


def _shrubs(trees: Sequence[Tree], n_features: int) -> Shrubs:
    value = np.zeros((len(trees), FEW_LEAVES, trees[0].value.shape[1]))
    place = np.array([((_DE_BRUIJN << bit) & ABSENT) >> (KEY_BITS - 5) for bit in range(FEW_LEAVES)])
    keep = []
    for number, tree in enumerate(trees):
        first, last, leaves = _spans(tree)
        value[number, place[: len(leaves)]] = tree.value[leaves]
        left = tree.left[tree.inner]
        keep.append([ABSENT & ~((1 << b) - (1 << a)) for a, b in zip(first[left], last[left], strict=True)])
    inner = [tree.inner for tree in trees]
    return Shrubs(
        n_features,
        np.concatenate([t.feature[i] for t, i in zip(trees, inner, strict=True)]).astype(np.uint32),
        np.concatenate([keys_of(not_above(t.threshold[i])) for t, i in zip(trees, inner, strict=True)]),
        np.concatenate(keep).astype(np.uint32),
        np.concatenate([t.missing_left[i] for t, i in zip(trees, inner, strict=True)]),
        value,
        np.cumsum([0, *(int(i.sum()) for i in inner)]),
        np.array([tree.into for tree in trees], dtype=np.int64),
    )


def _spans(tree: Tree) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(first, last, leaves): each node's leaves, from left to right, are leaves[first:last]."""
    first, last = (np.zeros(len(tree.left), dtype=np.int64) for _ in range(2))
    leaves: list[int] = []
    stack = [(0, False)]
    while stack:
        node, seen = stack.pop()
        if seen:
            last[node] = len(leaves)
            continue
        first[node] = len(leaves)
        stack.append((node, True))
        if tree.inner[node]:
            stack += [(int(tree.right[node]), False), (int(tree.left[node]), False)]
        else:
            leaves.append(node)
    return first, last, np.array(leaves)


def keys_of(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Unsigned integers in the order of `values`, -0.0 as 0.0; `ABSENT` for NaN."""
    bits = (values + np.float32(0.0)).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return np.where(np.isnan(values), np.uint32(ABSENT), ordered)


def not_above(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each threshold: `x <= t` for a float32 x is `x <=` this."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    below = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return np.asarray(below.astype(np.float32))


@njit()
def _mean_depth(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    """The mean depth of the leaves, rounded down, at most `SURE`; a parent comes before its children."""
    depth = np.zeros(left.size, dtype=np.int64)
    total, leaves = 0, 0
    for node in range(left.size):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
        else:
            total, leaves = total + depth[node], leaves + 1
    return min(total // leaves, SURE)


@njit()
def _side_by_side(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """New position of each node: the root first, the two children of a node adjacent, depth first."""
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
