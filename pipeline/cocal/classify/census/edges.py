"""The edges of polygons in whole steps, from which `coverage` sums the exact share of each pixel.

Positions are whole numbers of 1/`STEPS` of a pixel, and all sums are of whole numbers: no result depends on
the order of the polygons or on the window. Each edge adds to a pixel that it crosses the area to its right
within the pixel, and to the next pixel of the row the rest; the running sum along the row is twice the area
that is covered (signed-area accumulation: Catmull 1978, doi:10.1145/800248.807360; Levien 2016, font-rs). An
edge runs from its upper to its lower end whatever the direction of its ring, so that the common edge of two
polygons is cut at the same places: nothing is lost or counted twice between them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

STEPS = 1 << 14
"""Steps per side of a pixel: 0.6 mm of 10 m."""

FULL = 2 * STEPS * STEPS
"""The value of a pixel that is covered whole."""

_LARGE = 2.0**61
"""From here on the whole numbers of a ring's area run over, about 430,000 km2; its sign is sure without."""


def ring_edges(xy: Ints, rings: Ints, is_hole: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """((k, 5) edges of rings, (k,) their rings): x0, y0 (the upper end), x1, y1, and 1 or -1.

    1: the polygon lies to the right of the edge; -1: to its left. Level edges are left out.

    Parameters
    ----------
    xy : (n, 2) corners in steps, x to the east, y to the south; the last corner of a ring is its first.
    rings : (n,) number of each corner's ring, ascending from 0.
    is_hole : (rings,) True for inner rings. Rings may run in either direction.

    Examples
    --------
    A square of one pixel, x of the upper end and side of the polygon:

    >>> corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * STEPS
    >>> edges, _ = ring_edges(corners, np.zeros(5, dtype=np.int64), np.array([False]))
    >>> (edges[:, [0, 4]] // [STEPS, 1]).tolist()
    [[1, -1], [0, 1]]
    """
    joined = rings[1:] == rings[:-1]
    start, end, ring = xy[:-1][joined], xy[1:][joined], rings[:-1][joined]
    origin = xy[np.flatnonzero(np.diff(rings, prepend=-1))][ring]
    (x0, y0), (x1, y1) = (start - origin).T, (end - origin).T
    twice, rough = np.zeros(len(is_hole), dtype=np.int64), np.zeros(len(is_hole))
    np.add.at(twice, ring, x0 * y1 - x1 * y0)
    np.add.at(rough, ring, x0.astype(np.float64) * y1 - x1.astype(np.float64) * y0)
    turn = np.where(np.abs(rough) > _LARGE, np.sign(rough), np.sign(twice)).astype(np.int64)
    down = np.sign(end[:, 1] - start[:, 1])
    sign = -down * turn[ring] * np.where(is_hole, -1, 1)[ring]
    upper, lower = np.where(down[:, None] > 0, start, end), np.where(down[:, None] > 0, end, start)
    return np.column_stack([upper, lower, sign])[sign != 0], ring[sign != 0]
