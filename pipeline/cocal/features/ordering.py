"""The order in which a short time axis is sorted, and where percentiles lie in it.

A sorting network compares whole planes (one date, all pixels) with minimum and maximum, so a stack of uint16
is sorted without widening it, and no result depends on the layout of memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=512)
def comparators(length: int) -> NDArray[np.int64]:
    """(pair, 2) positions i < j of `length` items; comparing and exchanging them in turn sorts all.

    Batcher's merge exchange: Knuth 1998, The Art of Computer Programming 3, 5.2.2, algorithm M.
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (length - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(length - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


class RankTable(NamedTuple):
    """Where a percentile lies among n sorted values, for each n from 0 to the length of the stack.

    `low` and `high`: positions of the values below and above; `weight`: share of the upper one; `absent`: 0,
    or NaN for n = 0.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.float32]
    absent: NDArray[np.float32]


@lru_cache(maxsize=512)
def rank_table(percent: int, length: int) -> RankTable:
    """The ranks of a percentile in a stack of `length` values, by how many of them are present.

    Linear interpolation between order statistics (definition 7 of Hyndman and Fan 1996,
    doi:10.2307/2684934): rank (n - 1) * percent / 100, in whole hundredths, so without rounding. 50 is the
    median: the mean of the two middle values where n is even.
    """
    last = np.maximum(np.arange(length + 1) - 1, 0)
    whole, hundredths = np.divmod(last * percent, 100)
    absent = np.where(np.arange(length + 1) == 0, np.nan, 0.0).astype(np.float32)
    return RankTable(whole, np.minimum(whole + 1, last), (hundredths / 100).astype(np.float32), absent)
