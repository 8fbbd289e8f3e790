"""Compile every kernel once; `cocal.jit` keeps the result on disk."""

from __future__ import annotations

import time

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from cocal.archive.unpack import write_tile
from cocal.classify.kernel import kernel_of
from cocal.classify.minimum import kept_levels
from cocal.features import FeatureSettings
from cocal.features.composites import reduce_dates
from cocal.features.kernels import copy_values
from cocal.features.names import STATISTICS
from cocal.features.statistics import WindowStatistics, fill_gaps


def warm() -> float:
    """Seconds that it took: little where the kernels were compiled before."""
    began = time.monotonic()
    x, y = np.arange(160, dtype=np.float32).reshape(80, 2), np.arange(80) % 2
    for leaves in (2, None):
        kernel = kernel_of(RandomForestClassifier(1, max_leaf_nodes=leaves, random_state=0).fit(x, y))
        assert kernel is not None
        kernel.predict_proba(x)
    dates = np.ones((2, 8), np.uint16)
    for composite in ("median", "mean"):
        settings = FeatureSettings(
            mask=None, windows="season", composite=composite, features=("red.mean",), fill={"*": "none"}
        )
        reduce_dates({"red": dates}, dates > 0, settings)
    gaps = np.array([[1.0, np.nan], [np.nan, 1.0]], dtype=np.float32)
    for rule in ("linear", "median"):
        fill_gaps(gaps, [1.0, 2.0], rule)
    statistics = WindowStatistics(gaps, [1.0, 2.0], 365)
    for name in STATISTICS:
        copy_values(statistics.statistic(name), np.empty(2, np.float32))
    for dtype in (np.uint8, np.uint16):
        tile, whole = np.frombuffer(bytes(8), dtype).reshape(2, -1), (0, 2, 0, 2)
        write_tile(tile, 2, True, 1, 0, 0, whole, np.zeros((2, 2), dtype))
    kept_levels(np.zeros((2, 2), dtype=np.int16), 2)
    return time.monotonic() - began
