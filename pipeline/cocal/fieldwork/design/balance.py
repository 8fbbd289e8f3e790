"""Samples spread over the ground, and a measure of how well they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_NEIGHBOURS = 12


def local_pivotal(points: Floats, n: int, rng: np.random.Generator) -> Ints:
    """(n,) indices of a well-spread sample: every point has the chance n / len(points), exactly n are taken.

    The local pivotal method, second kind (Grafström, Lundström and Schelin 2012,
    doi:10.1111/j.1541-0420.2011.01699.x): a point drawn at random and its nearest undecided neighbour play
    for their chances until one of them is in or out, so that neighbours are rarely both taken. Chances
    are kept as integers of 1/len(points), so that the size is exact.

    Parameters
    ----------
    points : (m, d) positions; equal distances are decided by the order of `points`.
    n : 0 to m.
    """
    size = len(points)
    chance = np.full(size, n, dtype=np.int64).tolist()
    if n in (0, size):
        return np.flatnonzero(np.array(chance))
    undecided = _Undecided(points)
    draws = iter(rng.random((size, 2)).tolist())
    while len(undecided) > 1:
        first_draw, second_draw = next(draws)
        i = undecided.pick(first_draw)
        j = undecided.nearest(i)
        chance[i], chance[j] = _play(chance[i], chance[j], size, second_draw)
        for k in (i, j):
            if chance[k] in (0, size):
                undecided.remove(k)
    return np.flatnonzero(np.array(chance) == size)


def _play(a: int, b: int, whole: int, draw: float) -> tuple[int, int]:
    """The chances of two points after their duel; their sum stays."""
    both = a + b
    if both < whole:
        return (both, 0) if draw * both < a else (0, both)
    return (whole, both - whole) if draw * (2 * whole - both) < whole - b else (both - whole, whole)


class _Undecided:
    """Points still in play: pick one at random, find the nearest other, remove."""

    def __init__(self, points: Floats) -> None:
        self._points = points
        self._members = list(range(len(points)))
        self._place: list[int] = list(range(len(points)))
        self._index()

    def __len__(self) -> int:
        return len(self._members)

    def pick(self, draw: float) -> int:
        return self._members[int(draw * len(self._members))]

    def remove(self, point: int) -> None:
        place, last = self._place[point], self._members.pop()
        if last != point:
            self._members[place], self._place[last] = last, place
        self._place[point] = -1
        if len(self._members) * 2 < len(self._order) and len(self._members) > _NEIGHBOURS:
            self._index()

    def nearest(self, point: int) -> int:
        for other in self._near[self._row[point]]:
            if other != point and self._place[other] >= 0:
                return int(other)
        return self._search(point)

    def _search(self, point: int) -> int:
        """The nearest member when all listed neighbours are decided."""
        k = 4 * _NEIGHBOURS
        while True:
            found = self._order[self._tree.query(self._points[point], k=min(k, len(self._order)))[1]]
            for other in found.tolist():
                if other != point and self._place[other] >= 0:
                    return int(other)
            k *= 4

    def _index(self) -> None:
        """A tree over the members alone, and each member's nearest neighbours in it."""
        from scipy.spatial import cKDTree  # slow to load, and few runs draw points

        self._order = np.sort(np.array(self._members, dtype=np.int64))
        self._tree = cKDTree(self._points[self._order])
        k = min(_NEIGHBOURS, len(self._order))
        near = self._tree.query(self._points[self._order], k=k)[1].reshape(len(self._order), k)
        self._near = self._order[near].tolist()
        self._row = dict(zip(self._order.tolist(), range(len(self._order)), strict=True))
