"""Spatial blocks that are kept whole, dealt into folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.settings import ValidationSettings
from cocal.errors import InputError
from cocal.grid import transformer

EQUAL_AREA = 6933
"""EASE-Grid 2.0 (Brodzik et al. 2012, doi:10.3390/ijgi1010032): one lattice of equal areas for all zones."""

GEOCENTRIC = 4978

SAME_PLACES = ("year",)
"""What may be left out although the same places train and test: another time."""


@dataclass(frozen=True)
class Fold:
    """Row numbers of a table: what trains, what is tested, how many rows the buffer takes out."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    buffered: int


def _longitude_latitude(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    longitude, latitude = np.empty(len(table)), np.empty(len(table))
    for epsg, rows in table.groupby("epsg").indices.items():
        x, y = table["x"].to_numpy()[rows], table["y"].to_numpy()[rows]
        longitude[rows], latitude[rows] = transformer(int(str(epsg)), 4326).transform(x, y)
    return longitude, latitude


def spatial_blocks(table: pd.DataFrame, block_m: float) -> NDArray[np.int64]:
    """(row) number of the group of blocks that each sample pixel lies in, 0 to the number of groups - 1.

    Blocks are the cells of `block_m` x `block_m` of one equal-area lattice over all zones. Blocks that
    share a sample (a polygon across their border) make one group, so that no sample is ever parted.

    Parameters
    ----------
    table : DataFrame
        epsg, x, y (m), sample_id.
    block_m : float
        Side of a block, m.
    """
    from scipy.sparse import coo_array  # a tenth of a second that only training needs
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
    """(row) fold of each sample pixel; a group is never parted.

    The groups that hold most of a class come first (ties in an order drawn with `seed`); each goes to the
    fold that has least of the classes it brings, so that every fold gets its part of each class.
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


def spatial_folds(
    table: pd.DataFrame, settings: ValidationSettings, *, target: str, seed: int
) -> tuple[list[Fold], NDArray[np.int64]]:
    """The folds, and the (row) group of blocks of each sample pixel.

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
    group = spatial_blocks(table, settings.block_m)
    labels = table["label"].to_numpy()
    dealt = deal(group, pd.factorize(table["label"], sort=True)[0].astype(np.int64), settings.folds, seed)
    ecef = _geocentric(table)
    names = [str(number + 1) for number in range(settings.folds)]
    folds = [_fold(name, dealt == number, ecef, settings.buffer_m) for number, name in enumerate(names)]
    problems = _problems(folds, labels, target)
    if problems:
        holding = len(np.unique(group[labels == target]))
        raise InputError(
            "validation by spatial blocks is not possible with these samples",
            f"class {target!r} and at least one other in the training and test part of each fold",
            f"{'; '.join(problems)} ({group.max() + 1} groups of blocks, {holding} with {target!r})",
            "fewer folds, smaller blocks (`block_m`), a smaller buffer, or samples in more places",
        )
    return folds, group


def folds_by(
    table: pd.DataFrame, column: str, settings: ValidationSettings, *, target: str
) -> tuple[list[Fold], NDArray[np.int64]]:
    """One fold for each value of `column`: a region, a year, a side of the border; and the group of blocks.

    Rows nearer than `buffer_m` to a tested row do not train it, nor rows of a block that holds a tested row of
    the same time: where all values of `column` share their blocks, as years do, the place may train and test.

    Raises
    ------
    InputError
        There are fewer than two values, or a fold would train or test without the target or any other class.
    """
    group, labels, values = spatial_blocks(table, settings.block_m), table["label"].to_numpy(), table[column]
    ecef, folds = _geocentric(table), []
    names = sorted({str(v) for v in values.dropna()})
    for name in names:
        tested = (values.astype(str) == name).to_numpy()
        fold = _fold(name, tested, ecef, settings.buffer_m if column not in SAME_PLACES else 0.0)
        if column not in SAME_PLACES:
            own = np.isin(group[fold.train], group[fold.test])
            fold = Fold(name, fold.train[~own], fold.test, fold.buffered + int(own.sum()))
        folds.append(fold)
    problems = _problems(folds, labels, target)
    if len(names) < 2:
        problems.append(f"{len(names)} values: {', '.join(names)}")
    if problems:
        raise InputError(
            f"validation that leaves out one {column} at a time is not possible with these samples",
            f"class {target!r} and at least one other in the training and test part of each fold",
            "; ".join(problems),
            f"samples in each {column}, wider groups, or leave it out of `validation.leave_out`",
        )
    return folds, group


def _problems(folds: Sequence[Fold], labels: NDArray[np.object_], target: str) -> list[str]:
    return [
        f"fold {fold.name} {words} {_lacking(labels[rows], target)}"
        for fold in folds
        for words, rows in (("trains", fold.train), ("tests", fold.test))
        if _lacking(labels[rows], target)
    ]


def _geocentric(table: pd.DataFrame) -> NDArray[np.float64]:
    places = transformer(4326, GEOCENTRIC).transform(*_longitude_latitude(table), np.zeros(len(table)))
    return np.column_stack(places)


def _fold(name: str, tested: NDArray[np.bool_], ecef: NDArray[np.float64], buffer_m: float) -> Fold:
    from scipy.spatial import cKDTree  # as in `spatial_blocks`

    test, train = np.flatnonzero(tested), np.flatnonzero(~tested)
    if buffer_m and test.size and train.size:
        far = cKDTree(ecef[test]).query(ecef[train], distance_upper_bound=buffer_m)[0] >= buffer_m
        return Fold(name, train[far], test, int((~far).sum()))
    return Fold(name, train, test, 0)


def _lacking(labels: NDArray[np.object_], target: str) -> str:
    present = set(labels)
    if target not in present:
        return f"without {target!r}"
    return "" if present - {target} else f"with {target!r} alone"
