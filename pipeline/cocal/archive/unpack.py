"""The compiled part of reading: differences become pixels, repeated where they are coarse, in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def place(
    tile: NDArray[Any], width: int, differences: bool, repeat: int, top: int, left: int, out: NDArray[Any]
) -> None:
    """Put the first `width` columns of `tile` into `out` (y, x), its corner at (top, left), which may lie outside."""
    height, across = out.shape
    row = np.empty(width * repeat, dtype=out.dtype)
    first, last = max(left, 0), min(left + width * repeat, across)
    for r in range(tile.shape[0]):
        y0, y1 = max(top + r * repeat, 0), min(top + (r + 1) * repeat, height)
        if y0 >= y1 or first >= last:
            continue
        value = out.dtype.type(0)
        for c in range(width):
            value = out.dtype.type(value + tile[r, c]) if differences else tile[r, c]
            row[c] = value
        if repeat > 1:
            for c in range(width * repeat - 1, -1, -1):
                row[c] = row[c // repeat]
        for y in range(y0, y1):
            out[y, first:last] = row[first - left : last - left]
