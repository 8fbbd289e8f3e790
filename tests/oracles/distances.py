"""Distances in plain numpy; see `cocal.classify.nearest`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def nearest_distances(rows: Floats, points: Floats) -> Floats:
    """(row) distance of (row, feature) to the nearest of (point, feature): every pair, feature by feature."""
    total = np.zeros((len(rows), len(points)), dtype=np.float32)
    for feature in range(rows.shape[1]):
        apart = rows[:, feature, None] - points[None, :, feature]
        total += apart * apart
    return np.asarray(np.sqrt(total.min(axis=1)))
