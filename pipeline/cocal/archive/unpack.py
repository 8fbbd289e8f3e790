"""The compiled part of reading: undo the predictor, repeat coarse pixels, write them into the array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.jit import njit

Box = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


@njit()
def write_tile(
    tile: NDArray[Any],
    width: int,
    differences: bool,
    repeat: int,
    top: int,
    left: int,
    box: Box,
    out: NDArray[Any],
) -> None:
    """Write the first `width` columns of `tile`, its corner at (top, left), into the `box` of `out` (y, x).

    What lies outside the box is left out.
    """
    row, wide = np.empty(width, dtype=out.dtype), np.empty(width * repeat, dtype=out.dtype)
    first, last = max(left, box[2]), min(left + width * repeat, box[3])
    for r in range(tile.shape[0]):
        y0, y1 = max(top + r * repeat, box[0]), min(top + (r + 1) * repeat, box[1])
        if y0 >= y1 or first >= last:
            continue
        _undo(tile[r], differences, row)
        _widen(row, repeat, wide)
        seen = wide[first - left : last - left]
        for y in range(y0, y1):
            line = out[y, first:last]
            for x in range(seen.size):
                line[x] = seen[x]


@njit()
def _undo(packed: NDArray[Any], differences: bool, row: NDArray[Any]) -> None:
    if differences:
        value = row.dtype.type(0)
        for c in range(row.size):
            value = row.dtype.type(value + packed[c])
            row[c] = value
    else:
        for c in range(row.size):
            row[c] = packed[c]


@njit()
def _widen(row: NDArray[Any], repeat: int, wide: NDArray[Any]) -> None:
    """Each value `repeat` times; twice is written out because the compiler vectorises that."""
    if repeat == 1:
        for c in range(row.size):
            wide[c] = row[c]
    elif repeat == 2:
        for c in range(row.size):
            wide[2 * c] = row[c]
            wide[2 * c + 1] = row[c]
    else:
        for c in range(row.size):
            for k in range(c * repeat, (c + 1) * repeat):
                wide[k] = row[c]


@njit()
def keep_whole(stack: NDArray[np.uint16], time: int, box: Box) -> NDArray[np.bool_]:
    """(y, x) True where every band of `stack` (band, time, y, x) has data in `box`; others become 0."""
    whole = np.empty((box[1] - box[0], box[3] - box[2]), dtype=np.bool_)
    for y in range(box[0], box[1]):
        row = whole[y - box[0]]
        for x in range(row.size):
            row[x] = True
        for b in range(stack.shape[0]):
            values = stack[b, time, y, box[2] : box[3]]
            for x in range(values.size):
                row[x] &= values[x] != 0
        if not row.all():
            for b in range(stack.shape[0]):
                values = stack[b, time, y, box[2] : box[3]]
                for x in range(values.size):
                    values[x] = values[x] if row[x] else np.uint16(0)
    return whole
