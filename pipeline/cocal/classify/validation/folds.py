"""Folds of whole spatial blocks, or of one region, year or other group at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.settings import ValidationSettings
from cocal.errors import InputError
from cocal.grid import transformer

BLOCKS = "spatial blocks"

EQUAL_AREA = 6933
"""EASE-Grid 2.0 (Brodzik et al. 2012, doi:10.3390/ijgi1010032): one lattice of equal areas for all zones."""

GEOCENTRIC = 4978

SAME_PLACES = ("year",)
"""Groups whose folds differ in time, so that the same places may train and test."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of a table: those that train, those tested; how many rows the buffer takes out."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    buffered: int


@dataclass(frozen=True, eq=False)
class Design:
    """How rows are split: the folds, and the group of blocks of each row, 0 to the number of groups - 1."""

    kind: str
    folds: list[Fold]
    group: NDArray[np.int64]


def _longitude_latitude(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    longitude, latitude = np.empty(len(table)), np.empty(len(table))
    for epsg, rows in table.groupby("epsg").indices.items():
        x, y = table["x"].to_numpy()[rows], table["y"].to_numpy()[rows]
        longitude[rows], latitude[rows] = transformer(int(str(epsg)), 4326).transform(x, y)
    return longitude, latitude


def spatial_blocks(table: pd.DataFrame, block_m: float) -> NDArray[np.int64]:
    """(row) number of the group of blocks that each sample pixel lies in, 0 to the number of groups - 1.

    Blocks are the cells of `block_m` x `block_m` of one equal-area lattice over all zones. Blocks that
    share a sample (a polygon across their border) form one group, so that no sample is split.

    Parameters
    ----------
    table : DataFrame
        epsg, x, y (m), sample_id.
    block_m : float
        Side of a block, m.
    """
    from scipy.sparse import (
        coo_array,
    )  # imported here: it takes a tenth of a second, and only training needs it
    from scipy.sparse.csgraph import connected_components

    x, y = transformer(4326, EQUAL_AREA).transform(*_longitude_latitude(table))
    cells = np.column_stack([np.floor(x / block_m), np.floor(y / block_m)])
    block = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    sample = pd.factorize(table["sample_id"], sort=True)[0]
    size = int(block.max()) + 1 + int(sample.max()) + 1
    edges = (np.ones(len(table)), (block, sample + block.max() + 1))
    group = connected_components(coo_array(edges, shape=(size, size)), directed=False)[1]
    return np.asarray(np.unique(group[block], return_inverse=True)[1], dtype=np.int64)


def deal(group: NDArray[np.int64], classes: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """(row) fold of each sample pixel; all rows of a group are in one fold.

    The groups with the largest share of any class come first (ties in an order drawn with `seed`). Each goes
    to the fold that has least of the group's classes, so that every fold gets its share of each class.
    """
    counts = np.zeros((int(group.max()) + 1, int(classes.max()) + 1))
    np.add.at(counts, (group, classes), 1)
    totals = counts.sum(axis=0)
    share = counts / np.where(totals > 0, totals, 1)
    shuffled = np.random.default_rng(seed).permutation(len(share))
    order = shuffled[np.argsort(-share.max(axis=1)[shuffled], kind="stable")]
    load, fold_of_group = np.zeros((folds, counts.shape[1])), np.zeros(len(share), dtype=np.int64)
    for number in order:
        overlap = (load * share[number]).sum(axis=1)
        fold_of_group[number] = np.lexsort((load.sum(axis=1), overlap))[0]
        load[fold_of_group[number]] += share[number]
    return fold_of_group[group]


def spatial_folds(table: pd.DataFrame, settings: ValidationSettings, *, target: str, seed: int) -> Design:
    """Folds of whole groups of spatial blocks.

    Every row is tested in exactly one fold. Rows nearer than `buffer_m` to a tested row do not train it.

    Parameters
    ----------
    table : DataFrame
        epsg, x, y (m), sample_id, label.
    settings : ValidationSettings
        Block side, number of folds, buffer.
    target : str
        The class that every fold must hold, beside another.
    seed : int
        Breaks ties between groups of equal size.

    Raises
    ------
    InputError
        A fold would train or test without the target class, or without any other; all such folds.
    """
    group, labels, ecef = (
        spatial_blocks(table, settings.block_m),
        table["label"].to_numpy(),
        _geocentric(table),
    )
    dealt = deal(group, pd.factorize(table["label"], sort=True)[0].astype(np.int64), settings.folds, seed)
    folds = [_fold(str(k + 1), dealt == k, ecef, settings.buffer_m) for k in range(settings.folds)]
    if problems := _problems(folds, labels, target):
        holding = len(np.unique(group[labels == target]))
        raise InputError(
            "validation by spatial blocks is not possible with these samples", _EXPECTED.format(target),
            f"{'; '.join(problems)} ({group.max() + 1} groups of blocks, {holding} with {target!r})",
            "fewer folds, smaller blocks (`block_m`), a smaller buffer, or samples in more places",
        )  # fmt: skip
    return Design(BLOCKS, folds, group)


def folds_by(table: pd.DataFrame, column: str, settings: ValidationSettings, *, target: str) -> Design:
    """One fold for each value of `column`: a region, a year, a side of the border.

    Rows nearer than `buffer_m` to a tested row do not train it, nor do rows of its block. Neither rule holds
    for the columns of `SAME_PLACES`.

    Raises
    ------
    InputError
        There are fewer than two values, or a fold would train or test without the target or any other class.
    """
    group, values, ecef = spatial_blocks(table, settings.block_m), table[column], _geocentric(table)
    names, folds = sorted({str(v) for v in values.dropna()}), []
    for name in names:
        tested = (values.astype(str) == name).to_numpy()
        fold = _fold(name, tested, ecef, settings.buffer_m if column not in SAME_PLACES else 0.0)
        if column not in SAME_PLACES:
            own = np.isin(group[fold.train], group[fold.test])
            fold = Fold(name, fold.train[~own], fold.test, fold.buffered + int(own.sum()))
        folds.append(fold)
    problems = _problems(folds, table["label"].to_numpy(), target)
    if len(names) < 2:
        problems.append(f"{len(names)} values: {', '.join(names)}")
    if problems:
        raise InputError(
            f"validation that leaves out one {column} at a time is not possible with these samples",
            _EXPECTED.format(target), "; ".join(problems),
            f"samples in each {column}, wider groups, or leave it out of `validation.leave_out`",
        )  # fmt: skip
    return Design(f"one {column} left out", folds, group)


_EXPECTED = "class {!r} and at least one other in the training and test part of each fold"


def _problems(folds: Sequence[Fold], labels: NDArray[np.object_], target: str) -> list[str]:
    """The folds that lack the target, or any other class, in the rows that train or that are tested."""
    parts = [
        (f, verb, set(labels[rows])) for f in folds for verb, rows in (("trains", f.train), ("tests", f.test))
    ]
    return [
        f"fold {fold.name} {verb} "
        + (f"without {target!r}" if target not in present else f"with {target!r} alone")
        for fold, verb, present in parts
        if target not in present or len(present) == 1
    ]


def _geocentric(table: pd.DataFrame) -> NDArray[np.float64]:
    """(row, 3) position of each sample pixel on the ellipsoid, m from the centre of the earth."""
    return np.column_stack(
        transformer(4326, GEOCENTRIC).transform(*_longitude_latitude(table), np.zeros(len(table)))
    )


def _fold(name: str, tested: NDArray[np.bool_], ecef: NDArray[np.float64], buffer_m: float) -> Fold:
    from scipy.spatial import cKDTree  # imported here as in `spatial_blocks`

    test, train = np.flatnonzero(tested), np.flatnonzero(~tested)
    if buffer_m and test.size and train.size:
        far = cKDTree(ecef[test]).query(ecef[train], distance_upper_bound=buffer_m)[0] >= buffer_m
        return Fold(name, train[far], test, int((~far).sum()))
    return Fold(name, train, test, 0)
