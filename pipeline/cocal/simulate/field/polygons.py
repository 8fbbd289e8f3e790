"""Plots as polygons: those that are there, and those that an invented office draws by eye on images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.affinity import translate
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cocal.grid import Window, lattice_cells
from cocal.simulate.land.history import census, is_coca, state
from cocal.simulate.land.kinds import KINDS
from cocal.simulate.land.mosaic import SAMPLES, Land
from cocal.simulate.land.patches import COCA, Patches
from cocal.simulate.land.plots import STATES, plot_facts
from cocal.simulate.noise import normal, uniform
from cocal.simulate.settings import EPSG, reference_day

RECOGNISED = {"nursery": 0.60, "abandoned_coca": 0.40, "eradicated": 0.50}
"""Share of such plots that the office draws as what they are (assumption); some of the rest it takes for
coca, see `history.MISTAKEN`."""
SHEET_M, SHIFT_M, EDGE_M, TOLERANCE_M, SMALLEST_M2 = 2_000, 2.0, 1.5, 3.0, 100.0
"""Side of an image; standard deviations of its shift, in each direction, and of the distance from a drawn
edge to the true one; detail that is not drawn; smallest part that is (assumptions)."""
FIRST_IMAGE, IMAGE_DAYS = (11, 1), 60
"""First day of the images of a year, and the days in which they were taken: the two months before 31
December, the day that surveys refer to."""

KEY = ["layer", "column", "row"]


def plots_of(land: Land, block: Window, whole: Window, years: Sequence[int]) -> pd.DataFrame:
    """Plots of coca at the end of each of the `years`, and whatever the office takes for one.

    `layer`, `column`, `row` of the patch, `year`, `there` (a plot in any state), `class`, `state`, `shade`,
    `mixture`, `age` (whole years since it was opened, NaN where there is no plot), `drawn_class`,
    `drawn_state` (empty where the office draws nothing), `x`, `y`, `geometry` (m, on squares of 2.5 m).

    Each patch is in one block: that of its centre or, where this is not in `whole`, of the nearest place
    in it.
    """
    table = land.table
    x = np.clip(table.x, whole.left, whole.right - 1)
    y = np.clip(table.y, whole.bottom + 1, whole.top)
    mine = (x >= block.left) & (x < block.right) & (y > block.bottom) & (y <= block.top)
    wanted = np.flatnonzero(mine & ((table.use == COCA) | _ever_drawn(table, years)))
    outline = _outlines(land, wanted)
    rows = np.array(sorted(outline), dtype=np.int64)
    parts = [_in_year(table, rows, year) for year in years]
    found = pd.concat(parts, ignore_index=True)
    return found.assign(geometry=found.pop("patch").map(outline))


def _ever_drawn(table: Patches, years: Sequence[int]) -> NDArray[np.bool_]:
    return np.asarray(np.any([census(table, reference_day(year)) for year in years], axis=0))


def _outlines(land: Land, patches: NDArray[np.int64]) -> dict[int, shapely.MultiPolygon]:
    """Patch -> what of it lies open: all squares of 2.5 m that hold it."""
    window, side = land.window, land.window.resolution / SAMPLES
    wanted = np.zeros(len(land.table), dtype=bool)
    wanted[patches] = True
    parts: dict[int, list[Any]] = {}
    transform = Affine(side, 0, window.left, 0, -side, window.top)
    for outline, value in shapes(land.ids, mask=wanted[land.ids], transform=transform, connectivity=4):
        parts.setdefault(int(value), []).append(shape(outline))
    return {patch: shapely.normalize(shapely.MultiPolygon(own)) for patch, own in parts.items()}


def _in_year(table: Patches, patches: NDArray[np.int64], year: int) -> pd.DataFrame:
    """The rows of `plots_of` of one year; `patch` in place of `geometry`."""
    own, day = table.take(patches), reference_day(year)
    kind, facts = state(own, day)[0], plot_facts(own, day)
    name = np.array(list(KINDS))[kind]
    keys = np.array([KINDS[n].class_key for n in name])
    true_state = np.array(STATES)[facts.state]
    mapped = census(own, day)
    known = own.luck >= 1 - np.array([RECOGNISED.get(n, 0.0) for n in name])
    found = pd.DataFrame(
        {
            **{column: getattr(own, column) for column in KEY},
            "year": year,
            "there": true_state != "",
            "class": keys,
            "state": true_state,
            "shade": np.where(facts.shaded, "shaded", "open"),
            "mixture": np.where(facts.mixed, "mixed", "alone"),
            "age": np.floor(facts.age),
            "drawn_class": np.where(mapped, "coca", np.where(known, keys, "")),
            "drawn_state": np.where(mapped & ~is_coca(kind), "productive", true_state),
            "x": own.x,
            "y": own.y,
            "patch": patches,
        }
    )
    return found[found["there"] | (found["drawn_class"] != "")]


def truth_polygons(plots: pd.DataFrame) -> gpd.GeoDataFrame:
    """Every plot that is there, in any state, as it is."""
    rows = _from_north(plots[plots["there"]])
    return _table(rows, "P", rows["class"], rows["state"], "SIMULATED truth")


def census_polygons(plots: pd.DataFrame, seed: int) -> gpd.GeoDataFrame:
    """What the office draws: some plots missed or mistaken, images a little off, edges a little beside.

    A plot is drawn in the same way every year. `date`: the day of the image.
    """
    rows = _from_north(plots[plots["drawn_class"] != ""])
    column, row = lattice_cells(rows["x"].to_numpy(), rows["y"].to_numpy(), SHEET_M)
    shift = [SHIFT_M * normal(seed, f"census/{axis}", column, row) for axis in "xy"]
    edge = EDGE_M * normal(seed, "census/edge", rows["column"] * 8 + rows["layer"], rows["row"])
    outline = shapely.simplify(rows["geometry"].to_numpy(), TOLERANCE_M)
    outline = shapely.buffer(outline, edge, join_style="mitre", mitre_limit=2.0)
    moved = [translate(_large(one), *by) for one, *by in zip(outline, *shift, strict=True)]
    days = np.floor(uniform(seed, "census/day", column, row) * IMAGE_DAYS).astype(int)
    drawn = rows.assign(geometry=pd.Series(moved, dtype=object))
    table = _table(drawn, "C", rows["drawn_class"], rows["drawn_state"], "SIMULATED interpretation")
    first = [date(year, *FIRST_IMAGE) for year in rows["year"]]
    table["date"] = [(d + timedelta(days=int(n))).isoformat() for d, n in zip(first, days, strict=True)]
    return table[~table.geometry.is_empty].reset_index(drop=True)


def _large(outline: BaseGeometry) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([part for part in shapely.get_parts(outline) if part.area >= SMALLEST_M2])


def _from_north(plots: pd.DataFrame) -> pd.DataFrame:
    return plots.sort_values(["year", "y", "x"], ascending=[True, False, True], ignore_index=True)


def _table(
    rows: pd.DataFrame, letter: str, keys: pd.Series[str], states: pd.Series[str], source: str
) -> gpd.GeoDataFrame:
    plot = rows.groupby(KEY).ngroup() + 1
    columns = {
        "polygon_id": [f"SIM-{letter}{n:05d}" for n in plot],
        "period": rows["year"].astype(str),
        "class": keys,
        "state": states,
        **{name: rows[name] for name in ("shade", "mixture", "age")},
        "source": source,
    }
    return gpd.GeoDataFrame(columns, geometry=list(rows["geometry"]), crs=f"EPSG:{EPSG}")
