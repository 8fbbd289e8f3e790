"""What the arrays of a kernel must be before compiled code walks them: time linear in their size."""

from __future__ import annotations

import io
import math
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from numpy.typing import NDArray

from cocal.classify.kernel.trees import (
    ABSENT,
    FEW_LEAVES,
    LANES,
    NARROW,
    NODE,
    ROW,
    SURE,
    WIDE_NODE,
    Shrubs,
    Tree,
    Trees,
)  # fmt: skip

Arrays = dict[str, NDArray[Any]]


def read_arrays(data: bytes) -> Arrays:
    """The arrays of an .npz file as `numpy.savez` writes it: nothing is allocated beyond the file's size.

    Raises
    ------
    ValueError, KeyError, BadZipFile
        `data` is not such a file.
    """
    arrays: Arrays = {}
    with ZipFile(io.BytesIO(data)) as file:
        for info in file.infolist():
            name = info.filename.removesuffix(".npy")
            need(info.compress_type == ZIP_STORED and info.file_size <= len(data), f"{name} is compressed")
            need(name not in arrays, f"{name} is there twice")
            arrays[name] = read_array(file.read(info), name)
    return arrays


def read_array(content: bytes, name: str) -> NDArray[Any]:
    """The array in an .npy file of exactly the size that its header states.

    Raises
    ------
    ValueError
        `content` is not such a file.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    need(version == (1, 0), f"{name} is .npy of version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    size = math.prod(shape) * dtype.itemsize
    need(
        min(shape, default=0) >= 0 and not dtype.hasobject and dtype.itemsize > 0, f"{name}: {dtype} {shape}"
    )
    need(stream.tell() + size == len(content), f"{name}: {shape} does not fit {len(content)} bytes")
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def need(holds: Any, problem: str) -> None:
    """Raise a ValueError with `problem` unless it `holds`."""
    if not holds:
        raise ValueError(problem)


def need_array(name: str, values: Any, dtype: Any, shape: tuple[int | None, ...]) -> None:
    """Raise a ValueError unless `values` has this type and shape (None: any), and is finite."""
    fits = len(shape) == values.ndim and all(n in (None, m) for n, m in zip(shape, values.shape, strict=True))
    need(values.dtype == dtype and fits, f"{name} is {values.dtype} {values.shape}, not {dtype} {shape}")
    need(values.dtype.kind != "f" or np.isfinite(values).all(), f"{name} is not finite")


def check_classes(classes: NDArray[Any]) -> None:
    """Raise a ValueError unless the classes are ascending whole numbers."""
    whole = classes.ndim == 1 and len(classes) > 0 and classes.dtype.kind in "iu"
    need(whole and (classes[1:] > classes[:-1]).all(), "classes_ are not ascending whole numbers")


def check_trees(trees: Trees | Shrubs, columns: int, *, shared: bool) -> None:
    """Raise a ValueError unless the trees can be walked, and add only to `columns` of the total.

    `shared`: each tree adds to all columns, as in a forest; otherwise each to one, as in boosting.
    """
    n_trees = len(trees.into)
    need_array("into", trees.into, np.int64, (None,))
    need_array("start", trees.start, np.int64, (n_trees + 1,))
    need(1 <= trees.n_features <= ABSENT // (2 * LANES), f"n_features is {trees.n_features}")
    low, high = (-1, -1) if shared else (0, columns - 1)
    need(n_trees and ((trees.into >= low) & (trees.into <= high)).all(), "into is outside the columns")
    need(trees.start[0] == 0 and (np.diff(trees.start) >= 0).all(), "start does not ascend from 0")
    if isinstance(trees, Trees):
        _check_walked(trees, columns if shared else 1)
    else:
        _check_shrubs(trees, columns if shared else 1)


def _check_walked(trees: Trees, columns: int) -> None:
    nodes, start, size = trees.nodes, trees.start, np.diff(trees.start)
    n, wide = len(nodes), trees.nodes.dtype == WIDE_NODE
    need_array("nodes", nodes, WIDE_NODE if wide else NODE, (None,))
    need_array("missing_left", trees.missing_left, np.bool_, (n,))
    need_array("leaf", trees.leaf, np.uint32, (n,))
    need_array(
        "values", trees.values, np.float64, (None, columns if columns == 1 else -(-columns // ROW) * ROW)
    )
    need(trees.values.flags.c_contiguous, "values are not row by row")
    need_array("sure", trees.sure, np.int64, (len(size),))
    need(((trees.sure >= 0) & (trees.sure <= SURE)).all(), f"sure is outside 0 to {SURE}")
    need(start[-1] == n and (size > 0).all(), "start does not fit the nodes")
    need(wide or max(size.max(), 2 * trees.n_features * LANES) <= NARROW, "nodes are too narrow")
    child, own = nodes["child"].astype(np.int64), np.arange(n) - np.repeat(start[:-1], size)
    end, leaf = child == own, nodes["key"] == ABSENT
    need((nodes["key"] <= ABSENT).all() and (end == leaf).all(), "a leaf does not lead to itself")
    need(not (nodes["column"][leaf].any() or trees.missing_left[leaf].any()), "a leaf has a feature")
    need(((trees.leaf < len(trees.values)) & (leaf | (trees.leaf == 0))).all(), "leaf is outside the values")
    column = nodes["column"].astype(np.int64)
    need(not (column % LANES).any() and (column < trees.n_features * LANES).all(), "column is no feature")
    left = child[~leaf]
    need(
        (left > own[~leaf]).all() and (left + 1 < np.repeat(size, size)[~leaf]).all(),
        "child is outside its tree",
    )
    first = left + np.repeat(start[:-1], size)[~leaf]
    _check_parents(np.concatenate([first, first + 1]), n, start[:-1])


def _check_parents(children: NDArray[np.int64], n: int, roots: NDArray[np.int64]) -> None:
    parents = np.bincount(children, minlength=n)
    parents[roots] += 1
    need((parents == 1).all(), "a node has not exactly one parent")


def _check_shrubs(trees: Shrubs, columns: int) -> None:
    n = len(trees.column)
    for name, values in (("column", trees.column), ("cut", trees.cut), ("keep", trees.keep)):
        need_array(name, values, np.uint32, (n,))
    need_array("missing_left", trees.missing_left, np.bool_, (n,))
    need_array("value", trees.value, np.float64, (len(trees.into), FEW_LEAVES, columns))
    need(trees.value.flags.c_contiguous, "value is not row by row")
    need(trees.start[-1] == n and (np.diff(trees.start) < FEW_LEAVES).all(), "start does not fit the nodes")
    need((trees.column < trees.n_features).all(), "column is no feature")
    need((trees.cut != ABSENT).all(), "cut is no threshold")
    removed = ABSENT - trees.keep.astype(np.int64)
    run = removed + (removed & -removed)
    need(((removed > 0) & (run & removed == 0) & (run <= 1 << 31)).all(), "keep is no run of leaves")


def check_tree(tree: Tree, n_features: int) -> None:
    """Raise a ValueError unless a tree of scikit-learn can be walked: before it is flattened, or predicts."""
    n, inner = len(tree.left), tree.inner
    left, right, own = tree.left[inner], tree.right[inner], np.flatnonzero(inner)
    sizes = {len(a) for a in (tree.right, tree.feature, tree.threshold, tree.missing_left, tree.value)}
    need(n > 0 and sizes == {n}, "a tree's arrays differ in length")
    need(((left > own) & (right > own) & (left < n) & (right < n)).all(), "a child is outside its tree")
    _check_parents(np.concatenate([left, right]).astype(np.int64), n, np.zeros(1, dtype=np.int64))
    need(((tree.feature >= 0) & (tree.feature < n_features))[inner].all(), "a node has no feature")
    need(np.isfinite(tree.value).all() and not np.isnan(tree.threshold[inner]).any(), "a tree is not finite")
