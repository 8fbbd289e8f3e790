"""Ground of the sample's strata by region and class of the map: sparse sums that an estimate knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cocal.grid import Window
from cocal.rasters import codes_at, open_codes

Ints = NDArray[np.int64]
Codes = Sequence[NDArray[np.uint8]]

RASTER = "records.strata_raster"
NO_STRATUM = np.iinfo(np.int64).min
"""Value where the raster has no pixel or no data: ground that the sample was not drawn from."""

CELL_COLUMNS = ("period", "region", "zone", "code", "map_class", "units")
"""Positions of the period, of the region, of the zone of the law (0: none); value of the raster; code of the
class; ground in 1e-6 m2."""

CHANGE_COLUMNS = ("pair", "region", "code", "before", "after", "units")
"""Position of the pair of successive periods; codes of the class in its first and in its second."""

_STRIP_PX = 256


def codes_of(paths: Sequence[Path], epsg: int, xy: tuple[ArrayLike, ArrayLike]) -> Ints:
    """The stratum's code at each place, `NO_STRATUM` where there is none.

    Of several rasters those in the zone `epsg` count, which have the very pixels; if none is in it, the first
    that has a code at the place.
    """
    own = [path for path in paths if _epsg_of(path) == epsg] or paths
    found = codes_at(own[0], RASTER, epsg, xy, NO_STRATUM)
    for path in own[1:]:
        found = np.where(found == NO_STRATUM, codes_at(path, RASTER, epsg, xy, NO_STRATUM), found)
    return found


def _epsg_of(path: Path) -> int | None:
    with open_codes(path, RASTER) as source:
        code: int | None = source.crs.to_epsg()
        return code


def strata_of(paths: Sequence[Path], window: Window) -> Ints:
    """(y, x) the stratum's code at each pixel centre."""
    out = np.empty(window.shape, dtype=np.int64)
    for rows in _strips(window.height):
        top = window.top - rows.start * window.resolution
        part = replace(window, top=top, height=rows.stop - rows.start)
        out[rows] = codes_of(paths, window.epsg, np.meshgrid(part.x, part.y))
    return out


def stratum_cells(codes: Codes, strata: Ints, owner: NDArray[np.int32], zone: Ints, units: Ints) -> Ints:
    """(k, 6) `CELL_COLUMNS` of a tile: exact sums of the regions' ground.

    Parameters
    ----------
    codes : (y, x) class codes of the map of each period.
    strata, owner, zone, units : (y, x), as from `strata_of`; region, -1 = none; zone, 0 = none; 1e-6 m2.
    """
    layers = [(code,) for code in codes]
    return _cells(layers, (zone, strata), owner, units)


def change_cells(codes: Codes, strata: Ints, owner: NDArray[np.int32], units: Ints) -> Ints:
    """(k, 6) `CHANGE_COLUMNS` of a tile; `codes` in the order of time."""
    return _cells(list(pairwise(codes)), (strata,), owner, units)


def _cells(
    layers: Sequence[Sequence[NDArray[Any]]], places: Sequence[Ints], owner: NDArray[np.int32], units: Ints
) -> Ints:
    """Number of the layer, region, `places`, values of the layer, sum of units: in strips, for memory."""
    parts = []
    for number, layer in enumerate(layers):
        for rows in _strips(len(owner)):
            there = owner[rows] >= 0
            own = (owner[rows][there], *(array[rows][there] for array in (*places, *layer, units)))
            parts.append(summed(np.full(own[0].size, number), *own))
    return summed(*np.concatenate(parts).T)


def _strips(height: int) -> Iterator[slice]:
    """Rows of a tile that are looked at together."""
    for top in range(0, height, _STRIP_PX):
        yield slice(top, min(top + _STRIP_PX, height))


def summed(*columns: NDArray[np.integer]) -> Ints:
    """(k, columns) the distinct rows of all columns but the last, in order, and the exact sum of the last.

    Examples
    --------
    >>> summed(np.array([2, 1, 2]), np.array([0, 0, 0]), np.array([10, 20, 30])).tolist()
    [[1, 0, 20], [2, 0, 40]]
    """
    *keys, values = (np.asarray(column, dtype=np.int64) for column in columns)
    if not values.size:
        return np.empty((0, len(columns)), dtype=np.int64)
    key, names = np.zeros(values.size, dtype=np.int64), []
    for column in keys:
        distinct, place = np.unique(column, return_inverse=True)
        key = key * len(distinct) + place
        names.append(distinct)
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    places = np.unravel_index(key[order][first], [len(distinct) for distinct in names])
    sums = np.add.reduceat(values[order], first)
    return np.column_stack([*(n[p] for n, p in zip(names, places, strict=True)), sums])
