"""Distance to the nearest of many points, fast and the same on every machine.

The points are grouped in balls (a k-means of a few rounds) and, within a ball, sorted by their distance to
its centre. The nearest ball is searched first. A ball is skipped when its nearest edge is farther than the
best point so far; of others only the shell that could hold a nearer point is searched (triangle inequality).

With a bound `within`, the search ends at the first point within it, or when no ball is so near. The result is
then the distance of a near point, not always of the nearest: on the same side of the bound as the true one,
and never smaller. Squared differences are added feature by feature in float32, so the distances do not depend
on the search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cocal.jit import njit

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_ROUNDS, _LANES = 4, 8
_SLACK = np.float32(1e-3)
_MORE = (np.float32(1.0) + _SLACK) ** 2
"""Margin of the triangle inequality: far more than float32 rounding, so that no nearer point is skipped."""


@dataclass(frozen=True, eq=False)
class Balls:
    """Points grouped in balls.

    `points` (feature, point) and `centres` (feature, ball); ball b holds the points start[b] to start[b + 1];
    `reach` (point) is their distance to its centre, ascending within a ball.
    """

    points: Floats
    reach: Floats
    start: Ints
    centres: Floats

    def distances(self, rows: Floats, within: float = float("inf")) -> Floats:
        """(row) distance of (row, feature) to the nearest point; with `within`, to a near one (see above)."""
        out = np.empty(len(rows), dtype=np.float32)
        where = (self.points, self.reach, self.start, self.centres)
        _search(_padded(rows), *where, np.float32(within), out)
        return out


def balls(points: Floats) -> Balls:
    """(point, feature) float32 points in about the square root of that many balls."""
    points, n = _padded(points), len(points)
    wanted = np.unique(np.linspace(0, n - 1, max(1, round(n**0.5))).astype(np.int64))
    centres = points[wanted].astype(np.float64)
    for _ in range(_ROUNDS):
        ball, _distance = _assign(points, centres.astype(np.float32).T.copy())
        total, count = np.zeros_like(centres), np.bincount(ball, minlength=len(centres))
        np.add.at(total, ball, points)
        centres = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres)
    kept = centres[np.unique(ball)].astype(np.float32).T.copy()
    ball, distance = _assign(points, kept)
    kept = kept[:, np.unique(ball)]
    ball = np.unique(ball, return_inverse=True)[1]
    order = np.lexsort((distance, ball))
    start = np.searchsorted(ball[order], np.arange(kept.shape[1] + 1)).astype(np.int64)
    return Balls(np.ascontiguousarray(points[order].T), distance[order], start, np.ascontiguousarray(kept))


def _padded(points: Floats) -> Floats:
    """`points` with features of 0 up to a multiple of eight; they add nothing to a distance."""
    return np.ascontiguousarray(np.pad(points, ((0, 0), (0, -points.shape[1] % _LANES))))


@njit(error_model="numpy")
def _squares(row: Floats, points: Floats, first: int, last: int, out: Floats) -> None:
    """Squared distances of `row` to the points `first` to `last`, into the head of `out`.

    Eight features per pass, written out: with one per pass, three quarters of the time is spent on memory.
    """
    near = out[: last - first]
    near[:] = 0.0
    for f in range(0, row.size, 8):
        x0, x1, x2, x3 = row[f], row[f + 1], row[f + 2], row[f + 3]
        x4, x5, x6, x7 = row[f + 4], row[f + 5], row[f + 6], row[f + 7]
        p0, p1 = points[f, first:last], points[f + 1, first:last]
        p2, p3 = points[f + 2, first:last], points[f + 3, first:last]
        p4, p5 = points[f + 4, first:last], points[f + 5, first:last]
        p6, p7 = points[f + 6, first:last], points[f + 7, first:last]
        for i in range(near.size):
            total = near[i]
            total += (x0 - p0[i]) * (x0 - p0[i])
            total += (x1 - p1[i]) * (x1 - p1[i])
            total += (x2 - p2[i]) * (x2 - p2[i])
            total += (x3 - p3[i]) * (x3 - p3[i])
            total += (x4 - p4[i]) * (x4 - p4[i])
            total += (x5 - p5[i]) * (x5 - p5[i])
            total += (x6 - p6[i]) * (x6 - p6[i])
            total += (x7 - p7[i]) * (x7 - p7[i])
            near[i] = total


@njit(error_model="numpy")
def _assign(points: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """(number of the nearest centre, distance to it) of each (point, feature)."""
    n, k = points.shape[0], centres.shape[1]
    ball, distance = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
    squares = np.empty(k, dtype=np.float32)
    for p in range(n):
        _squares(points[p], centres, 0, k, squares)
        best = 0
        for c in range(1, k):
            if squares[c] < squares[best]:
                best = c
        ball[p], distance[p] = best, np.sqrt(squares[best])
    return ball, distance


@njit(error_model="numpy")
def _search(
    rows: Floats,
    points: Floats,
    reach: Floats,
    start: Ints,
    centres: Floats,
    within: np.float32,
    out: Floats,
) -> None:
    """Distance of each row to the nearest point, or with a finite `within` to a near one, into `out`."""
    k, inf = centres.shape[1], np.float32(np.inf)
    away, squares = np.empty(k, dtype=np.float32), np.empty(points.shape[1], dtype=np.float32)
    outer = reach[start[1:] - 1]
    stop = within if within < inf else np.float32(0.0)
    for p in range(rows.shape[0]):
        row = rows[p]
        _squares(row, centres, 0, k, away)
        best, bound, home = inf, inf, 0
        for b in range(k):
            if away[b] < away[home]:
                home = b
        for turn in range(k + 1):
            b = home if turn == 0 else turn - 1
            edge = bound + outer[b]
            if turn > 0 and (b == home or away[b] > edge * edge * _MORE):
                continue
            low, high = start[b], start[b + 1]
            if best < inf:
                apart, shell = np.sqrt(away[b]), reach[low:high]
                slack = _SLACK * (apart + bound)
                high = low + np.searchsorted(shell, apart + bound + slack, side="right")
                low += np.searchsorted(shell, apart - bound - slack)
            _squares(row, points, low, high, squares)
            for i in range(high - low):
                best = min(best, squares[i])
            bound = min(np.sqrt(best), within)
            if np.sqrt(best) <= stop:
                break
        out[p] = np.sqrt(best)
