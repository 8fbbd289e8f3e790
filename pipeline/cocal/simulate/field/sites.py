"""Sites of field work: pixels of a probability sample, and places beside roads that missions choose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.grid import Window, lattice_cells
from cocal.simulate.land.history import is_coca
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.plots import BEARING, STATES, PlotFacts
from cocal.simulate.land.terrain import Terrain
from cocal.simulate.noise import uniform
from cocal.simulate.settings import STRATA

ROADSIDE_M = 120.0
MISSION_SHARE = 0.004
"""Share of the pixels beside roads that a mission could stop at."""

UNREACHABLE_SLOPE, UNREACHABLE_ROAD_M = 1.0, 1_500.0


def sample_sites(
    terrain: Terrain,
    block: Window,
    stratum: NDArray[np.uint8],
    code: NDArray[np.uint8],
    counts: Mapping[str, NDArray[np.uint8]],
    sizes: Mapping[str, int],
) -> pd.DataFrame:
    """The pixels of each stratum with the lowest draws, as many as the whole sample needs."""
    draw = _draws(terrain.seed, "sample", block)
    tables = []
    for number, name in enumerate(STRATA, start=1):
        rows, columns = np.nonzero(stratum == number)
        first = np.argsort(draw[rows, columns], kind="stable")[: sizes[name]]
        r, c = rows[first], columns[first]
        held = np.select([code[r, c] == k for k in CODES.values()], [counts[key][r, c] for key in CODES], 0)
        tables.append(_sites(terrain, block, r, c, code, draw).assign(stratum=name, cover=held * (100 / 16)))
    return pd.concat(tables, ignore_index=True)


def with_facts(
    sites: pd.DataFrame,
    block: Window,
    places: NDArray[np.int32],
    facts: PlotFacts,
    code: NDArray[np.uint8],
) -> pd.DataFrame:
    """`sites` with state, shade, mixture and age of the coca of each pixel; "" and NaN where there is none.

    `code` (y, x) is as from `pixel_states`; the other facts are those of the patch with most places of it.
    """
    r, c, _ = block.locate(sites["x"].to_numpy(), sites["y"].to_numpy())
    own, found = places[:, r, c], code[r, c]
    here = facts.state[own]
    match = (here == found) | (np.isin(here, BEARING) & np.isin(found, BEARING))
    alike = ((own[:, None] == own[None, :]) & match).sum(axis=1)
    patch = np.take_along_axis(own, alike.argmax(axis=0)[None, :], axis=0)[0]
    there = found > 0
    return sites.assign(
        state=np.array(STATES)[found],
        shade=np.where(there, np.where(facts.shaded[patch], "shaded", "open"), ""),
        mixture=np.where(there, np.where(facts.mixed[patch], "mixed", "alone"), ""),
        age=np.where(there, np.round(facts.age[patch], 1), np.nan),
    )


def mission_sites(
    terrain: Terrain,
    block: Window,
    owner: NDArray[np.int32],
    code: NDArray[np.uint8],
    kind: NDArray[np.int64],
    places: NDArray[np.int32],
) -> pd.DataFrame:
    """Candidates of purposive missions: pixels beside roads whose whole ground is of one kind of use."""
    draw = _draws(terrain.seed, "mission", block)
    rows, columns = np.nonzero((draw < MISSION_SHARE * 20) & (owner >= 0))
    near = terrain.road_distance(block.x[columns], block.y[rows]) < ROADSIDE_M
    rows, columns = rows[near], columns[near]
    pure = (places[:, rows, columns] == places[0, rows, columns]).all(axis=0)
    r, c = rows[pure], columns[pure]
    return _sites(terrain, block, r, c, code, draw).assign(coca=is_coca(kind[places[0, r, c]]))


def _draws(seed: int, stream: str, block: Window) -> NDArray[np.float64]:
    column, row = lattice_cells(block.x, block.y, block.resolution)
    return uniform(seed, stream, column[None, :], row[:, None])


def _sites(
    terrain: Terrain,
    block: Window,
    r: NDArray[np.int64],
    c: NDArray[np.int64],
    code: NDArray[np.uint8],
    draw: NDArray[np.float64],
) -> pd.DataFrame:
    """draw, x, y (m), class and far of the pixels (r, c)."""
    x, y = block.x[c], block.y[r]
    keys = np.array(list(CODES))[np.searchsorted(list(CODES.values()), code[r, c])]
    return pd.DataFrame({"draw": draw[r, c], "x": x, "y": y, "class": keys, "far": is_far(terrain, x, y)})


def is_far(terrain: Terrain, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for points (m) that are hard to reach: steep ground, or no road within 1.5 km."""
    steep = terrain.slope(x, y) > UNREACHABLE_SLOPE
    return np.asarray(steep | (terrain.road_distance(x, y) > UNREACHABLE_ROAD_M))


def lowest(tables: Iterable[pd.DataFrame], by: str, sizes: Mapping[Any, int]) -> pd.DataFrame:
    """The rows with the lowest `draw` of each group `by`, `sizes` many, in a fixed order."""
    whole = pd.concat(tables, ignore_index=True).sort_values([by, "draw", "x", "y"], kind="stable")
    rank = whole.groupby(by).cumcount()
    most = whole[by].map(sizes).astype("float64")  # of no rows, pandas keeps the texts' dtype
    return whole[rank < most].reset_index(drop=True)
