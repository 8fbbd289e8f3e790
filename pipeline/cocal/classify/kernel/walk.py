"""The compiled part of the forest kernel: values become keys, and pixels walk down trees, eight in step."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cocal.classify.kernel.prefetch import LINE, fetch_soon
from cocal.classify.kernel.trees import ABSENT, LANES, ROW, Shrubs, Trees
from cocal.jit import njit

TILE = 4096
"""Pixels whose keys stay in the cache while all trees are walked."""

TOGETHER = 4
"""Trees whose values are added at once."""

_ZERO, _ONE, _LEAF = np.uint64(0), np.uint64(1), np.uint64(ABSENT)
_I0, _I1, _I2, _I3, _I4, _I5, _I6, _I7 = (np.uint64(i) for i in range(LANES))
_MINUS_ZERO = np.uint32(1 << 31)
_EVERY, _BIT, _HIGHEST = np.uint32(ABSENT), np.uint32(0x077CB531), np.uint32(27)


def add_up(trees: Trees | Shrubs, columns: NDArray[np.float32], total: NDArray[np.float64]) -> None:
    """Add every tree's value for `columns` (feature, pixel), NaN = missing, to `total` (pixel, column).

    Trees are added in order; the number of pixels must be a multiple of eight.
    """
    room = np.empty(2 * len(columns) * min(TILE, columns.shape[1]), dtype=np.uint32)
    for first in range(0, columns.shape[1], TILE):
        tile, own = np.ascontiguousarray(columns[:, first : first + TILE]), total[first : first + TILE]
        missing = bool(np.isnan(tile.min()))
        lanes = LANES if isinstance(trees, Trees) else tile.shape[1]
        shape = (tile.shape[1] // lanes, len(tile) * (1 + missing), lanes)
        keys = room[: math.prod(shape)].reshape(shape)
        _keys(tile.view(np.uint32), missing, keys)
        if isinstance(trees, Trees):
            nodes = trees.nodes_missing if missing else trees.nodes
            leaves = trees.leaf, trees.values, trees.start, trees.sure, trees.into
            _walk(nodes, *leaves, keys.ravel(), shape[1], own)
        else:
            column, sums = trees.column_missing if missing else trees.column, np.ascontiguousarray(own.T)
            _evaluate(column, trees.cut, trees.keep, trees.value, trees.start, trees.into, keys[0], sums)
            own[:] = sums.T


@njit()
def _keys(bits: NDArray[np.uint32], missing: bool, out: NDArray[np.uint32]) -> None:
    """`keys_of` into (pixel / lanes, column, lane); with `missing` each column again, missing lowest."""
    features = len(bits)
    for f in range(features):
        own = bits[f]
        for group in range(out.shape[0]):
            row, begin = out[group, f], group * out.shape[2]
            for lane in range(row.size):
                b = own[begin + lane]
                b = np.uint32(0) if b == _MINUS_ZERO else b
                key = ~b if b >> np.uint32(31) else b | np.uint32(0x80000000)
                row[lane] = _EVERY if b & np.uint32(0x7FFFFFFF) > np.uint32(0x7F800000) else key
            if missing:
                second = out[group, features + f]
                for lane in range(row.size):
                    second[lane] = np.uint32(0) if row[lane] == _EVERY else row[lane]


@njit(error_model="numpy")
def _evaluate(
    column: NDArray[np.uint32],
    cut: NDArray[np.uint32],
    keep: NDArray[np.uint32],
    value: NDArray[np.float64],
    start: NDArray[np.int64],
    into: NDArray[np.int64],
    keys: NDArray[np.uint32],
    sums: NDArray[np.float64],
) -> None:
    """Add all `Shrubs` to `sums` (column, pixel): each node removes leaves from a pixel's set."""
    n = sums.shape[1]
    leaves = np.empty(n, dtype=np.uint32)
    for t in range(into.size):
        leaves[:] = _EVERY
        for node in range(start[t], start[t + 1]):
            own, limit, others = keys[column[node]], cut[node], keep[node]
            for p in range(n):
                leaves[p] &= others if own[p] > limit else _EVERY
        for p in range(n):
            lowest = leaves[p] & (~leaves[p] + np.uint32(1))
            leaves[p] = np.uint32(lowest * _BIT) >> _HIGHEST
        own_value, first = value[t], max(0, into[t])
        for c in range(own_value.shape[1]):
            total = sums[first + c]
            for p in range(n):
                total[p] += own_value[leaves[p], c]


@njit(error_model="numpy")
def _walk(
    nodes: NDArray[np.void],
    leaf: NDArray[np.uint32],
    values: NDArray[np.float64],
    start: NDArray[np.int64],
    sure: NDArray[np.int64],
    into: NDArray[np.int64],
    keys: NDArray[np.uint32],
    n_columns: int,
    total: NDArray[np.float64],
) -> None:
    """Add the values of all trees to `total` (pixel, column), tree after tree, in float64."""
    found = np.empty((TOGETHER, total.shape[0]), dtype=np.uint32)
    for first in range(0, into.size, TOGETHER):
        n = min(TOGETHER, into.size - first)
        for i in range(n):
            own = slice(start[first + i], start[first + i + 1])
            _descend(nodes[own], leaf[own], keys, n_columns, sure[first + i], found[i])
        if values.shape[1] > 1 and n == TOGETHER:
            _add_four(values, found, total)
            continue
        for i in range(n):
            if values.shape[1] > 1:
                _add(values, found[i], total)
            else:
                column = max(0, into[first + i])
                for p in range(total.shape[0]):
                    total[p, column] += values[found[i, p], 0]


@njit(error_model="numpy")
def _add_four(values: NDArray[np.float64], found: NDArray[np.uint32], total: NDArray[np.float64]) -> None:
    """`_add` of four trees, in order: each total is loaded once, not four times."""
    for p in range(total.shape[0]):
        a, b, c, d = found[0, p], found[1, p], found[2, p], found[3, p]
        for first in range(0, values.shape[1], ROW):
            for k in range(first, first + ROW):
                total[p, k] = (((total[p, k] + values[a, k]) + values[b, k]) + values[c, k]) + values[d, k]


@njit(error_model="numpy")
def _add(values: NDArray[np.float64], found: NDArray[np.uint32], total: NDArray[np.float64]) -> None:
    """Add rows of `values`, `ROW` columns at a time: with a constant the loop is twice as fast."""
    for p in range(total.shape[0]):
        for first in range(0, values.shape[1], ROW):
            for k in range(first, first + ROW):
                total[p, k] += values[found[p], k]


@njit(error_model="numpy")
def _descend(
    node: NDArray[np.void],
    leaf: NDArray[np.uint32],
    keys: NDArray[np.uint32],
    n_columns: int,
    sure: int,
    found: NDArray[np.uint32],
) -> None:
    """The row of `values` at the leaf of one tree for each pixel.

    Eight pixels descend `sure` levels, then two at a time until all are at leaves, which lead to themselves,
    while the keys of the next eight are fetched. Written out for eight pixels and in unsigned integers: a
    function call or signed integers make it ten times slower.
    """
    for p in range(0, found.size, 8):
        for place in range((p + 8) * n_columns, (p + 16) * n_columns, LINE // keys.itemsize):
            fetch_soon(keys, place)
        x = keys[p * n_columns : (p + 8) * n_columns]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = _ZERO
        levels, on_leaf = sure, _ZERO
        while on_leaf != _LEAF:
            for _ in range(levels):
                w = node[a0]
                a0 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I0] > w.key else _ZERO)
                w = node[a1]
                a1 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I1] > w.key else _ZERO)
                w = node[a2]
                a2 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I2] > w.key else _ZERO)
                w = node[a3]
                a3 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I3] > w.key else _ZERO)
                w = node[a4]
                a4 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I4] > w.key else _ZERO)
                w = node[a5]
                a5 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I5] > w.key else _ZERO)
                w = node[a6]
                a6 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I6] > w.key else _ZERO)
                w = node[a7]
                a7 = np.uint64(w.child) + (_ONE if x[np.uint64(w.column) + _I7] > w.key else _ZERO)
            on_leaf = np.uint64(node[a0].key & node[a1].key & node[a2].key & node[a3].key)
            on_leaf &= np.uint64(node[a4].key & node[a5].key & node[a6].key & node[a7].key)
            levels = 2
        for i, a in enumerate((a0, a1, a2, a3, a4, a5, a6, a7)):
            found[p + i] = leaf[a]
