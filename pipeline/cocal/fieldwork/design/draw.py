"""Drawing points: every pixel has a random number of its own, in whatever tile or block it is read.

The pixels of a stratum in the order of their numbers are in random order, so that the first n_h are a simple
random sample without replacement and those that follow are reserves. Only pixels with low numbers are
kept while tiles are read: memory grows with the sample, not with the area.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.grid import Window, lattice_cells, transformer
from cocal.hashing import GOLDEN, MASK, STEP, lattice_hash, splitmix64

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Draw = Literal["random", "balanced"]

MAIN, RESERVE = "main", "reserve"
CANDIDATES = 20
"""Candidates per point of a balanced sample: a simple random sample of the stratum, thinned to be spread."""

_EARTH_M = 6_371_000.0
_NEIGHBOURS = 12
_ORDER = ["stratum", "number", "epsg", "row", "column"]


def pixel_numbers(seed: int, window: Window) -> NDArray[np.uint64]:
    """(y, x) uint64, the random number of every pixel: a hash of seed, zone, row and column of the lattice.

    See `hashing.lattice_hash`.
    """
    column, row = lattice_cells(window.x, window.y, window.resolution)
    key = np.array([(seed * GOLDEN + window.epsg * STEP + GOLDEN) & MASK], dtype=np.uint64)
    with np.errstate(over="ignore"):
        key = splitmix64(key)
    return lattice_hash(key, column[None, :], row[:, None])


@dataclass(frozen=True, eq=False)
class Sizes:
    """(H,) points, reserve points and pixels of each stratum."""

    points: Ints
    reserves: Ints
    pixels: Ints


def candidates_needed(sizes: Sizes, draw: Draw) -> Ints:
    """Return (H,) the number of pixels with the lowest random numbers that the draw needs."""
    each = CANDIDATES if draw == "balanced" else 1
    return np.asarray(np.minimum((sizes.points + sizes.reserves) * each, sizes.pixels))


def thresholds(needed: Ints, pixels: Ints, *, slack: float) -> NDArray[np.uint64]:
    """(H,) numbers up to which pixels are kept so that, `slack` deviations aside, there are enough."""
    with np.errstate(invalid="ignore"):
        part = (needed + slack * (np.sqrt(needed) + 1)) / np.maximum(pixels, 1)
    most = 2.0**64 - 4096
    return np.where(part < 1, np.minimum(part * 2.0**64, most), most).astype(np.uint64)


def candidates(
    stratum: Ints, window: Window, *, below: NDArray[np.uint64], seed: int, **beside: NDArray[Any]
) -> pd.DataFrame:
    """The window's pixels in a stratum whose number is not above the stratum's threshold.

    Columns stratum, number, epsg, row, column, and the values of the rasters `beside`. `stratum` (y, x),
    -1 = none.
    """
    number = pixel_numbers(seed, window)
    limit = below[np.maximum(stratum, 0)]
    full = limit >= np.uint64(2**64 - 4096)
    rows, columns = np.nonzero((stratum >= 0) & ((number <= limit) | full))
    column, row = lattice_cells(window.x, window.y, window.resolution)
    return pd.DataFrame(
        {
            "stratum": stratum[rows, columns].astype(np.int64),
            "number": number[rows, columns],
            "epsg": np.full(rows.size, window.epsg, dtype=np.int64),
            "row": row[rows],
            "column": column[columns],
            **{name: values[rows, columns] for name, values in beside.items()},
        }
    )


def enough(table: pd.DataFrame, needed: Ints) -> bool:
    """True if every stratum has the candidates that it needs."""
    return bool((np.bincount(table["stratum"], minlength=len(needed)) >= needed).all())


def draw_points(table: pd.DataFrame, sizes: Sizes, *, draw: Draw, resolution: int, seed: int) -> pd.DataFrame:
    """The sample: stratum, role, order, inclusion_probability, epsg, row, column, x, y, lon, lat.

    Parameters
    ----------
    table : candidates of all tiles, in any order.
    sizes : points to be drawn, reserve points and pixels of each stratum.
    draw : `random`, simple random within strata; `balanced`, the local pivotal method on the `CANDIDATES`
        candidates per point with the lowest numbers. Both take exactly n_h of N_h, each with n_h / N_h.
    resolution : pixel side, m.

    Returns
    -------
    DataFrame
        A row per point, by stratum, role and order, with all other columns of `table`. Reserves are to be
        used in their order within their stratum; with all of them the sample is one of n_h + m_h points of
        the same kind.
    """
    n, reserves, pixels = sizes.points, sizes.reserves, sizes.pixels
    needed = candidates_needed(sizes, draw)
    if not enough(table, needed):
        raise InputError(
            "the draw has too few candidates", str(needed), str(len(table)), "read the tiles again"
        )
    ordered = table.sort_values(_ORDER, kind="stable").reset_index(drop=True)
    start = np.searchsorted(ordered["stratum"], np.arange(len(n)))
    parts = []
    for h in range(len(n)):
        rows = ordered.iloc[start[h] : start[h] + needed[h]]
        chosen = np.arange(n[h] + reserves[h])
        if draw == "balanced":
            chosen = _balanced(
                rows, int(n[h]), int(reserves[h]), np.random.default_rng((seed, h)), resolution
            )
        roles = np.repeat([MAIN, RESERVE], [n[h], reserves[h]])
        order = np.concatenate([np.arange(1, n[h] + 1), np.arange(1, reserves[h] + 1)])
        parts.append(
            rows.iloc[chosen].assign(role=roles, order=order, inclusion_probability=n[h] / pixels[h])
        )
    return _placed(pd.concat(parts, ignore_index=True), resolution)


def _balanced(rows: pd.DataFrame, n: int, reserves: int, rng: np.random.Generator, resolution: int) -> Ints:
    """Places in `rows` of n spread points, then of the reserves, spread with them, in random order."""
    points = _on_sphere(rows, resolution, rng)
    both = local_pivotal(points, n + reserves, rng)
    main = both[local_pivotal(points[both], n, rng)]
    return np.concatenate([main, np.setdiff1d(both, main)])


def _on_sphere(rows: pd.DataFrame, resolution: int, rng: np.random.Generator) -> Floats:
    """Return (m, 3) positions in metres, anywhere in their pixel: no two neighbours are equally near."""
    columns, lines = (
        rows[name].to_numpy() + shift
        for name, shift in zip(("column", "row"), rng.random((2, len(rows))), strict=True)
    )
    lon, lat = _degrees(rows["epsg"].to_numpy(), columns * resolution, lines * resolution)
    a, b = np.radians(lon), np.radians(lat)
    return _EARTH_M * np.column_stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])


def _degrees(epsg: Ints, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    lon, lat = np.empty(len(x)), np.empty(len(x))
    for zone in np.unique(epsg).tolist():
        here = epsg == zone
        lon[here], lat[here] = transformer(zone, 4326).transform(x[here], y[here])
    return lon, lat


def _placed(table: pd.DataFrame, resolution: int) -> pd.DataFrame:
    """The points with the centre of their pixel, in metres of their zone and in degrees."""
    x, y = ((table[name].to_numpy() + 0.5) * resolution for name in ("column", "row"))
    lon, lat = _degrees(table["epsg"].to_numpy(), x, y)
    return table.drop(columns="number").assign(x=x, y=y, lon=np.round(lon, 7), lat=np.round(lat, 7))


def local_pivotal(points: Floats, n: int, rng: np.random.Generator) -> Ints:
    """(n,) indices of a well-spread sample: every point has the chance n / len(points), exactly n are taken.

    The local pivotal method, second kind (Grafström, Lundström and Schelin 2012,
    doi:10.1111/j.1541-0420.2011.01699.x): the chances of a point drawn at random and
    of its nearest undecided neighbour are moved to one of them, until one is in or out, so that neighbours
    are rarely both taken. Chances
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
        i = undecided.at_random(first_draw)
        j = undecided.nearest(i)
        chance[i], chance[j] = _updated_chances(chance[i], chance[j], size, second_draw)
        for k in (i, j):
            if chance[k] in (0, size):
                undecided.remove(k)
    return np.flatnonzero(np.array(chance) == size)


def _updated_chances(a: int, b: int, whole: int, draw: float) -> tuple[int, int]:
    """Return the chances of two points after one update; their sum stays."""
    both = a + b
    if both < whole:
        return (both, 0) if draw * both < a else (0, both)
    return (whole, both - whole) if draw * (2 * whole - both) < whole - b else (both - whole, whole)


class _Undecided:
    """Points that are neither in nor out: one at random, the nearest other, removal."""

    def __init__(self, points: Floats) -> None:
        self._points = points
        self._members = list(range(len(points)))
        self._place: list[int] = list(range(len(points)))
        self._index()

    def __len__(self) -> int:
        return len(self._members)

    def at_random(self, draw: float) -> int:
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
