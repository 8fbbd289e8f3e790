"""The exact share of each pixel that polygons enclose: a compiled sum over their edges.

Loads numba, 0.4 s: what reads a finished run does without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.census.edges import STEPS
from cocal.jit import njit

Ints = NDArray[np.int64]


def coverage(edges: NDArray[np.integer[Any]], shape: tuple[int, int]) -> Ints:
    """(y, x) twice the covered area of each pixel in squared steps: 0 to `FULL` for polygons without overlap.

    Parameters
    ----------
    edges : (k, 5) as from `ring_edges`, in steps from the upper left corner of the raster. Edges above, below
        or to the right of it may be left out, those to its left may not.
    shape : (height, width) of the raster.

    Examples
    --------
    A triangle over half of a pixel:

    >>> from cocal.classify.census.edges import FULL, ring_edges
    >>> corners = np.array([[0, 0], [1, 1], [0, 1], [0, 0]]) * STEPS
    >>> edges, _ = ring_edges(corners, np.zeros(4, dtype=np.int64), np.array([False]))
    >>> (coverage(edges, (1, 2)) / FULL).tolist()
    [[0.5, 0.0]]
    """
    out = np.zeros((shape[0], shape[1] + 2), dtype=np.int64)
    _accumulate(np.ascontiguousarray(edges, dtype=np.int64), out)
    np.cumsum(out, axis=1, out=out)
    return out[:, : shape[1]]


@njit(nogil=True)
def _accumulate(edges: Ints, out: Ints) -> None:
    """Add each edge's area to its right, in its pixel and in the next one of the row; two spare columns."""
    height = out.shape[0]
    for k in range(edges.shape[0]):
        x0, y0, x1, y1, sign = edges[k]
        top, bottom = max(y0, 0), min(y1, height * STEPS)
        while top < bottom:
            row = top // STEPS
            low = min(bottom, (row + 1) * STEPS)
            a = x0 + (x1 - x0) * (top - y0) // (y1 - y0)
            b = x0 + (x1 - x0) * (low - y0) // (y1 - y0)
            _cross(out, row, min(a, b), max(a, b), low - top, sign)
            top = low


@njit(nogil=True)
def _cross(out: Ints, row: int, left: int, right: int, fall: int, sign: int) -> None:
    """Add a part of an edge within one row, from `left` to `right`, over `fall` steps."""
    width = out.shape[1] - 2
    if right <= 0:
        out[row, 0] += 2 * STEPS * fall * sign
        return
    at, done = left, 0
    while True:
        column = at // STEPS
        if column >= width:
            return
        border = (column + 1) * STEPS
        if right <= border:
            upto, part = right, fall - done
        else:
            upto = border
            part = fall * (border - left) // (right - left) - done
        if column < 0:
            out[row, 0] += 2 * STEPS * part * sign
        else:
            within = part * ((at - column * STEPS) + (upto - column * STEPS))
            out[row, column] += (2 * STEPS * part - within) * sign
            out[row, column + 1] += within * sign
        done += part
        if right <= border:
            return
        at = upto
