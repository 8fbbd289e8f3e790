"""The kernel of the minimum mapping unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cocal.jit import njit


@njit()
def area_opening(
    level: NDArray[np.int16], order: NDArray[np.intp], width: int, pixels: int
) -> NDArray[np.int16]:
    """Area opening of an image by union-find (Meijster and Wilkinson 2002, IEEE TPAMI 24:484).

    `level` is the flattened image, `width` pixels wide, `order` its pixels by falling level. A patch grows
    while it has fewer than `pixels` pixels; its last pixel, the lowest, has the level of all.
    """
    size = level.size
    root, count = np.full(size, -1, dtype=np.int32), np.zeros(size, dtype=np.int32)
    for at in order:
        root[at], count[at] = at, 1
        row, column = at // width, at % width
        for side in range(4):
            if side == 0 and row > 0:
                beside = at - width
            elif side == 1 and column > 0:
                beside = at - 1
            elif side == 2 and column < width - 1:
                beside = at + 1
            elif side == 3 and at + width < size:
                beside = at + width
            else:
                continue
            if root[beside] < 0:
                continue
            while root[beside] != beside:
                root[beside] = root[root[beside]]
                beside = root[beside]
            if beside == at:
                continue
            if level[beside] == level[at] or count[beside] < pixels:
                count[at] += count[beside]
                root[beside] = at
            else:
                count[at] = pixels
    out = np.empty_like(level)
    for place in range(size - 1, -1, -1):
        at = order[place]
        out[at] = level[at] if root[at] == at else out[root[at]]
    return out
