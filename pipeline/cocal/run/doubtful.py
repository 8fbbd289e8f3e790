"""The places where the maps of a run are least sure of the target: to look at, and to label next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.classify import read_samples, sample_pixels
from cocal.classify.doubt import doubt_of, most_doubtful_pixels, most_doubtful_places, worth_of
from cocal.classify.settings import PointSamples, PolygonSamples
from cocal.config import RunConfig, read_config
from cocal.contracts import PROBABILITY_NO_DATA, PROBABILITY_SCALE, PROBABILITY_TIF
from cocal.errors import InputError, UsageError
from cocal.fieldwork.design.points import fixed_date
from cocal.grid import RESOLUTION_M, Tile, Window, transformer
from cocal.regions import Regions, owned, read_regions
from cocal.run.finished import FinishedRun
from cocal.scheme import read_scheme
from cocal.store import atomic_path, proven

LAYER, PURPOSIVE = "label_next", "purposive"


def doubtful_places(
    maps: Mapping[Tile, Path],
    regions: Regions,
    number: int,
    apart_m: int,
    labelled: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The least sure observed pixels of the regions, one of each square of `apart_m`, least sure first.

    `maps`: tile -> folder of a model's map of one period. Columns: lon, lat (degrees), epsg, x, y (m, centre
    of the pixel), probability of the target, doubt (see `classify.doubt`). With pixels that are `labelled`
    (epsg, x, y) doubt counts less up to `apart_m` from them.
    """
    found = []
    for tile, folder in maps.items():
        window = tile.window
        steps = read_raster(proven(folder / PROBABILITY_TIF), window, window.resolution, "uint16")
        unknown = (steps == PROBABILITY_NO_DATA) | (owned(regions, window) < 0)
        doubt = doubt_of(np.where(unknown, np.nan, steps * PROBABILITY_SCALE))
        if labelled is not None:
            doubt = _worth(doubt, window, labelled, apart_m)
        pixels = most_doubtful_pixels(doubt, window, apart_m)
        row, column, _ = window.locate(pixels["x"].to_numpy(), pixels["y"].to_numpy())
        found.append(pixels.assign(probability=steps[row, column] * PROBABILITY_SCALE))
    places = most_doubtful_places(pd.concat(found), number) if found else pd.DataFrame()
    lon, lat = np.full(len(places), np.nan), np.full(len(places), np.nan)
    for epsg in places["epsg"].unique() if len(places) else ():
        own = (places["epsg"] == epsg).to_numpy()
        lon[own], lat[own] = transformer(int(epsg), 4326).transform(places["x"][own], places["y"][own])
    return places.assign(lon=lon, lat=lat)


def _worth(
    doubt: NDArray[np.float64], window: Window, labelled: pd.DataFrame, apart_m: int
) -> NDArray[np.float64]:
    """`worth_of` on a window, with the labels around it."""
    reach = apart_m / window.resolution
    outer = window.expanded(math.ceil(reach))
    own = labelled[labelled["epsg"] == window.epsg]
    row, column, inside = outer.locate(own["x"].to_numpy(), own["y"].to_numpy())
    there, around = np.zeros(outer.shape, dtype=bool), np.full(outer.shape, np.nan)
    there[row[inside], column[inside]] = True
    cut = outer.slices_of(window)
    around[cut] = doubt
    return worth_of(around, there, reach)[cut]


def _labelled(config: RunConfig) -> pd.DataFrame | None:
    """The pixels that trained the run's model; None where it was not trained on places of the run's file."""
    samples = config.train.samples if config.train else None
    if not isinstance(samples, PointSamples | PolygonSamples):
        return None
    return sample_pixels(read_samples(samples, read_scheme(config.scheme)), RESOLUTION_M)


def label_next(run: Path, out: Path, *, points: int, apart_m: int, period: str | None) -> int:
    """Write the places of a finished run whose labels help its model most; how many there are.

    `out` is a new GeoPackage of points for `train.samples` (`kind: points`), with an empty column `label`.
    The places are chosen by doubt: they have no inclusion probability and never give an area.

    Raises
    ------
    UsageError
        `out` exists, the run has no model's map, or no such period.
    InputError
        The run is not finished or altered, or no pixel was observed.
    """
    if out.exists():
        raise UsageError(f"{out} exists", "a new file", "one that exists", "name another")
    finished = FinishedRun(read_config(run).root if run.is_file() else run)
    config, maps = finished.config, finished.checked_maps()
    if not config.has_model or config.classify.lead == "map":
        raise UsageError(
            f"the maps of {finished.folder}", "a model's: only they have probabilities", "an office's own",
            "name a run whose maps a model made",
        )  # fmt: skip
    chosen = list(maps)[-1] if period is None else period
    if chosen not in maps:
        raise UsageError("--period", ", ".join(maps), repr(period), "name one of them")
    regions = read_regions(config.regions)
    places = doubtful_places(maps[chosen], regions, points, apart_m, _labelled(config))
    if places.empty:
        raise InputError(
            f"the maps of {finished.folder}, {chosen}", "observed pixels in the regions", "none", "map them"
        )
    _write(out, places, chosen, simulated=finished.simulated)
    return len(places)


def _write(out: Path, places: pd.DataFrame, period: str, *, simulated: bool) -> None:
    """By place, north to south: neither order nor columns tell a reader what the model supposes."""
    ordered = places.sort_values(["epsg", "y", "x"], ascending=[True, False, True])
    digits = max(4, len(str(len(ordered))))
    table = pd.DataFrame(
        {
            "place_id": [f"L{number:0{digits}d}" for number in range(1, len(ordered) + 1)],
            "label": pd.Series(None, index=range(len(ordered)), dtype="string"),
            "period": period,
            "design": PURPOSIVE,
            "simulated": "yes" if simulated else "no",
        }
    )
    geometry = gpd.points_from_xy(ordered["lon"], ordered["lat"])
    with fixed_date(), atomic_path(out) as path:
        pyogrio.write_dataframe(
            gpd.GeoDataFrame(table, geometry=geometry, crs="EPSG:4326"), path, driver="GPKG", layer=LAYER
        )
