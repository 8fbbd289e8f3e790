"""Compile every kernel once: numba keeps the result beside the source, or in the user's cache if that is read-only."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from cocal.classify.kernel import kernel_of
from cocal.classify.trees import flatten, forest_trees
from cocal.classify.walk import walk
from cocal.features.kernels import FastCourse, percentile_of_dates, put


def warm() -> float:
    """Seconds that it took: little where the kernels were compiled before."""
    began = time.monotonic()
    x, y = np.arange(16, dtype=np.float32).reshape(8, 2), np.arange(8) % 2
    forest = RandomForestClassifier(1, random_state=0).fit(x, y)
    kernel = kernel_of(forest)
    trees = flatten(list(forest_trees(forest)), 2)
    if kernel is not None and trees is not None:
        kernel.predict_proba(x)
        wide = replace(trees, ranks=replace(trees.ranks, dtype=np.dtype(np.uint32)))
        walk(wide, np.zeros((2, 8)), x.T)
    there = np.ones((2, 8), dtype=bool)
    percentile_of_dates(
        np.ones((2, 8), np.uint16), there, there.sum(axis=0).astype(np.uint16), 50, np.float32(1)
    )
    course = FastCourse(np.ones((2, 8), np.float32), [1.0, 2.0], 365)
    for name in ("median", "mean"):
        put(course.statistic(name), np.empty(8, np.float32))
    return time.monotonic() - began
