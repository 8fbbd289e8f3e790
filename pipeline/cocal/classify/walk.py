"""The compiled part of the forest kernel: values become ranks, and pixels walk down trees, eight in step."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cocal.classify.trees import CHILD_SHIFT, COLUMN_BITS, RANK_BITS, Ranks, Trees

TILE = 2048
"""Pixels whose ranks stay in the cache while all trees are walked."""

_CHILD, _RANK = np.uint64(CHILD_SHIFT), np.uint64(RANK_BITS)
_COLUMNS, _RANKS = np.uint64((1 << COLUMN_BITS) - 1), np.uint64((1 << RANK_BITS) - 1)
_ZERO, _ONE, _THREE = np.uint64(0), np.uint64(1), np.uint64(3)
_I0, _I1, _I2, _I3, _I4, _I5, _I6, _I7 = (np.uint64(i) for i in range(8))


def walk(trees: Trees, total: NDArray[np.float64], columns: NDArray[np.float32]) -> None:
    """Add every tree's value for `columns` (feature, pixel), NaN = missing, to `total` (row, pixel).

    The number of pixels is a multiple of eight.
    """
    for first in range(0, columns.shape[1], TILE):
        tile = np.ascontiguousarray(columns[:, first : first + TILE])
        ranks, missing = rank(trees.ranks, tile)
        nodes = trees.nodes
        if missing:
            nodes = trees.nodes_missing
            absent = np.iinfo(ranks.dtype).max
            ranks = np.concatenate([ranks, np.where(ranks == absent, ranks.dtype.type(0), ranks)], axis=1)
        own = np.ascontiguousarray(total[:, first : first + TILE])
        _walk(nodes, trees.leaf, trees.values, trees.start, trees.into, ranks.ravel(), ranks.shape[1], own)
        total[:, first : first + TILE] = own


def rank(ranks: Ranks, columns: NDArray[np.float32]) -> tuple[NDArray[np.unsignedinteger], bool]:
    """(pixel / 8, feature, 8) how many thresholds of its feature lie below each value; if any is missing.

    A missing value has the largest number of the type, and so goes right everywhere.
    """
    out = np.empty((columns.shape[1] // 8, len(columns), 8), dtype=ranks.dtype)
    missing = _rank(
        ranks.cuts, ranks.first, ranks.low, ranks.scale, ranks.start, ranks.table, ranks.steps, columns, out
    )
    return out, bool(missing)


@njit(cache=True, error_model="numpy")
def _rank(
    cuts: NDArray[np.float32],
    first: NDArray[np.int64],
    low: NDArray[np.float32],
    scale: NDArray[np.float32],
    start: NDArray[np.uint32],
    table: NDArray[np.int64],
    steps: NDArray[np.int64],
    columns: NDArray[np.float32],
    out: NDArray[np.unsignedinteger],
) -> bool:
    """Rank by rank table, then by halving, without a branch that depends on a value."""
    n, missing = columns.shape[1], False
    below = np.empty(n, dtype=np.uint32)
    for f in range(columns.shape[0]):
        own, begin, column = cuts[first[f] : first[f + 1]], start[table[f] : table[f + 1]], columns[f]
        zero, last = np.float32(0), np.float32(begin.size - 2)
        base, factor = low[f], scale[f]
        for p in range(n):
            z = (column[p] - base) * factor
            below[p] = begin[np.uint32(min(z, last) if z > zero else zero)]
        for step in range(steps[f] - 1, -1, -1):
            half = np.uint32(1 << step)
            for p in range(n):
                below[p] += half * np.uint32(own[below[p] + half - np.uint32(1)] < column[p])
        for p in range(n):
            gone = column[p] != column[p]
            missing |= gone
            out[p >> 3, f, p & 7] = below[p] | np.uint32(-np.int64(gone))
    return missing


@njit(cache=True, error_model="numpy")
def _walk(
    nodes: NDArray[np.uint64],
    leaf: NDArray[np.uint32],
    values: NDArray[np.float64],
    start: NDArray[np.int64],
    into: NDArray[np.int64],
    ranks: NDArray[np.unsignedinteger],
    n_columns: int,
    total: NDArray[np.float64],
) -> None:
    """Add the values of all trees to `total`, tree after tree, in float64."""
    n = total.shape[1]
    found = np.empty(n, dtype=np.uint32)
    for t in range(into.size):
        _descend(nodes[start[t] : start[t + 1]], leaf[start[t] : start[t + 1]], ranks, n_columns, found)
        for row in range(values.shape[0]):
            sums, own = total[max(row, into[t])], values[row]
            for p in range(n):
                sums[p] += own[found[p]]


@njit(cache=True, error_model="numpy")
def _descend(
    node: NDArray[np.uint64],
    leaf: NDArray[np.uint32],
    ranks: NDArray[np.unsignedinteger],
    n_columns: int,
    found: NDArray[np.uint32],
) -> None:
    """The place in `values` at the leaf of one tree for each pixel; pixels go on until all eight stand on leaves.

    Written out for eight, and in unsigned integers: a called step, or signed ones, make it ten times slower.
    """
    for p in range(0, found.size, 8):
        x = ranks[p * n_columns : (p + 8) * n_columns]
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = _ZERO
        on_leaf = _ZERO
        while on_leaf != _RANKS:
            w = node[a0]
            on_leaf = w
            a0 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I0] > w & _RANKS else _ZERO
            )
            w = node[a1]
            on_leaf = on_leaf & w
            a1 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I1] > w & _RANKS else _ZERO
            )
            w = node[a2]
            on_leaf = on_leaf & w
            a2 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I2] > w & _RANKS else _ZERO
            )
            w = node[a3]
            on_leaf = on_leaf & w
            a3 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I3] > w & _RANKS else _ZERO
            )
            w = node[a4]
            on_leaf = on_leaf & w
            a4 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I4] > w & _RANKS else _ZERO
            )
            w = node[a5]
            on_leaf = on_leaf & w
            a5 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I5] > w & _RANKS else _ZERO
            )
            w = node[a6]
            on_leaf = on_leaf & w
            a6 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I6] > w & _RANKS else _ZERO
            )
            w = node[a7]
            on_leaf = on_leaf & w
            a7 = (w >> _CHILD) + (
                _ONE if x[((w >> _RANK & _COLUMNS) << _THREE) + _I7] > w & _RANKS else _ZERO
            )
            on_leaf &= _RANKS
        for i, a in enumerate((a0, a1, a2, a3, a4, a5, a6, a7)):
            found[p + i] = leaf[a]
