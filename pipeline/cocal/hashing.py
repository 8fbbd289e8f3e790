"""Chance as a function of a key and a place: the same value in whatever order or block it is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN, STEP, MASK = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFFFFFFFFFFFFFFFF
"""Odd multipliers of the first and the second key, and the largest number of 64 bits."""


def splitmix64(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195), elementwise."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def lattice_hash(key: np.uint64 | NDArray[np.uint64], column: Any, row: Any) -> NDArray[np.uint64]:
    """uint64 random numbers of integer (column, row), which broadcast: SplitMix64 once per coordinate."""
    columns, rows = (np.asarray(v, dtype=np.int64).astype(np.uint64) for v in (column, row))
    with np.errstate(over="ignore"):
        state = splitmix64(np.atleast_1d(columns * np.uint64(GOLDEN) + key))
        return splitmix64(state + rows * np.uint64(STEP))
