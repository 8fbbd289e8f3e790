"""Drawing points: every pixel has a random number of its own, whatever tile or block it is read in.

The pixels of a stratum in the order of their numbers are in random order, so that the first n_h are a simple
random sample without replacement and those that follow are reserves. Only pixels with low numbers are
kept while tiles are read: memory grows with the sample, not with the area.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.fieldwork.design.balance import local_pivotal
from cocal.grid import Window, lattice_cells, transformer
from cocal.hashing import GOLDEN, MASK, STEP, lattice_hash, splitmix64

Ints = NDArray[np.int64]
Draw = Literal["random", "balanced"]

MAIN, RESERVE = "main", "reserve"
CANDIDATES = 20
"""Candidates per point of a balanced sample: a simple random sample of the stratum, thinned to be spread."""

_EARTH_M = 6_371_000.0
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


def candidates_needed(n: Ints, reserves: Ints, pixels: Ints, draw: Draw) -> Ints:
    """(H,) pixels with the lowest numbers that the draw has to see."""
    each = CANDIDATES if draw == "balanced" else 1
    return np.asarray(np.minimum((n + reserves) * each, pixels))


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


def draw_points(
    table: pd.DataFrame, n: Ints, reserves: Ints, *, pixels: Ints, draw: Draw, resolution: int, seed: int
) -> pd.DataFrame:
    """The sample: stratum, role, order, inclusion_probability, epsg, row, column, x, y, lon, lat.

    Parameters
    ----------
    table : candidates of all tiles, in any order.
    n, reserves, pixels : (H,) points, reserve points, pixels per stratum.
    draw : `random`, simple random within strata; `balanced`, the local pivotal method on the `CANDIDATES`
        candidates per point with the lowest numbers. Both take exactly n_h of N_h, each with n_h / N_h.
    resolution : pixel side, m.

    Returns
    -------
    DataFrame
        A row per point, by stratum, role and order, with all other columns of `table`. Reserves are to be used in their order within their
        stratum; with all of them the sample is one of n_h + m_h points of the same kind.
    """
    needed = candidates_needed(n, reserves, pixels, draw)
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


def _on_sphere(rows: pd.DataFrame, resolution: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(m, 3) positions in metres, anywhere in their pixel: no two neighbours are equally near."""
    columns, lines = (
        rows[name].to_numpy() + shift
        for name, shift in zip(("column", "row"), rng.random((2, len(rows))), strict=True)
    )
    lon, lat = _degrees(rows["epsg"].to_numpy(), columns * resolution, lines * resolution)
    a, b = np.radians(lon), np.radians(lat)
    return _EARTH_M * np.column_stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])


def _degrees(
    epsg: Ints, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
