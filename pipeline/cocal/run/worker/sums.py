"""Sums of one tile, as a worker returns them: arrays over all regions that are zero nearly everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sums:
    """An array by what is not zero in it: the results of all tiles are held until the last one is there."""

    shape: tuple[int, ...]
    position: Ints
    values: Ints

    @classmethod
    def of(cls, array: Ints) -> Sums:
        position = np.flatnonzero(array)
        return cls(array.shape, position, array.ravel()[position])

    def add_to(self, total: Ints) -> None:
        """Add to a contiguous array of the same shape, in place."""
        total.reshape(-1)[self.position] += self.values


def added(parts: Sequence[Sums]) -> Ints:
    """The sum of arrays of one shape."""
    total = np.zeros(parts[0].shape, dtype=np.int64)
    for part in parts:
        part.add_to(total)
    return total
