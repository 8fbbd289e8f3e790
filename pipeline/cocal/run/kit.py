"""The field kit of a run's design: what crews take along, in one folder that works without a network.

It is no unit of the run: how many crews go, and which roads and images they want, is decided later than
the draw, and changes nothing of it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from cocal.config import RunConfig
from cocal.errors import InputError, UsageError
from cocal.fieldwork.design import write_geopackage
from cocal.fieldwork.design.draw import MAIN
from cocal.fieldwork.design.points import fixed_date
from cocal.fieldwork.design.texts import KIT
from cocal.fieldwork.kit import (
    PLAN_COLUMNS,
    Raster,
    plan_days,
    read_roads,
    road_distances,
    write_lists,
    write_project,
    write_squares,
)
from cocal.grid import RESOLUTION_M, Window
from cocal.regions import read_regions
from cocal.run.finished import FinishedRun
from cocal.run.images import RunImages, Shown, median_bands, run_images, shown_of
from cocal.run.tables import read_own_csv
from cocal.scheme import read_scheme

SAMPLE = "sample.csv"
_SEEN = ("point_id", "role", "region_id", "lon", "lat", "epsg", "x", "y")
"""What of the sample is in a kit: not the order, the stratum, its probability, the map's class."""


@dataclass(frozen=True)
class KitOptions:
    """`crews`: None = one per country; `roads`: file and layer; `show`: as `shown_of` names it, None = no
    pictures; `side_m` of a picture; `period`: None = the last.
    """

    crews: int | None = None
    per_day: int = 10
    roads: Path | None = None
    roads_layer: str | None = None
    show: str | None = "true"
    side_m: int = 1000
    period: str | None = None


@dataclass(frozen=True)
class KitMade:
    """Points by role, crews, days in all, points without a road within reach, points without a picture."""

    points: int
    reserves: int
    crews: int
    days: int
    roadless: tuple[str, ...]
    dark: tuple[str, ...]


def make_kit(run: FinishedRun, out: Path, options: KitOptions) -> KitMade:
    """Write the kit into the new folder `out`: all of it, or nothing.

    Raises
    ------
    UsageError
        An option cannot be used, or `out` exists.
    InputError
        The run has no design, the roads cannot be read, or there are no images of the period.
    """
    _check(options, out, run.folder)
    simulated = bool(run.committed("design").inputs["task"]["simulated"])
    sample = read_own_csv(run.folder / "design" / SAMPLE)[list(_SEEN)]
    scheme = read_scheme(run.config.scheme)
    planned = _planned(sample, run, options)
    roads = None if options.roads is None else read_roads(options.roads, options.roads_layer)
    if roads is not None:
        planned["road_m"] = road_distances(planned, roads.geometry.to_numpy()).round()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as staging:
        home = Path(staging) / "kit"
        home.mkdir()
        rasters, dark = _write_images(home, planned, run.config, options, simulated=simulated)
        write_geopackage(home / "sample.gpkg", planned, scheme, simulated=simulated)
        write_squares(home / "squares.gpkg", planned, simulated=simulated)
        if roads is not None:
            with fixed_date():
                pyogrio.write_dataframe(_near(roads, planned), home / "roads.gpkg", layer="roads")
        write_lists(home, planned, simulated=simulated)
        title = f"{'SIMULATED ' if simulated else ''}{' / '.join(KIT['title'].values())}: {run.config.name}"
        write_project(
            home / "kit.qgs", scheme, rasters, title=title, extent=_extent(planned), roads=roads is not None
        )
        os.replace(home, out)
    plan = planned[planned["crew"].notna()]
    roadless: list[str] = list(planned["point_id"][planned["road_m"].isna()]) if roads is not None else []
    return KitMade(
        len(plan), len(planned) - len(plan), plan["crew"].nunique(),
        len(plan[["crew", "crew_day"]].drop_duplicates()), tuple(roadless), dark,
    )  # fmt: skip


def _check(options: KitOptions, out: Path, run: Path) -> None:
    problems = []
    if out.resolve().is_relative_to(run.resolve()):
        problems.append("a folder outside that of the run, parts of which are published")
    if not RESOLUTION_M <= options.side_m <= 10_000:
        problems.append("pictures of 10 to 10,000 m")
    if out.exists():
        problems.append(f"a new folder, not {out}")
    if problems:
        raise UsageError("this kit cannot be made", "; ".join(problems), str(options), "fix the options")


def _planned(sample: pd.DataFrame, run: FinishedRun, options: KitOptions) -> pd.DataFrame:
    """The sample with crew, day and stop of its main points; reserves are visited when the office says so."""
    table = read_regions(run.config.regions).table
    country = dict(zip(table["region_id"].astype(str), table["country"].astype(str), strict=True))
    main = sample[sample["role"] == MAIN]
    if not len(main):
        raise InputError("the design has no points", "a main point", "none", "draw a sample")
    points = main.assign(country=main["region_id"].astype(str).map(country).fillna(""))
    plan = plan_days(points, crews=options.crews, per_day=options.per_day)
    joined = sample.merge(plan, on="point_id", how="left", validate="one_to_one")
    return joined.astype(dict.fromkeys(PLAN_COLUMNS[1:4], "Int64"))


def _extent(sample: pd.DataFrame) -> tuple[float, float, float, float]:
    lon, lat = sample["lon"], sample["lat"]
    return lon.min() - 0.01, lat.min() - 0.01, lon.max() + 0.01, lat.max() + 0.01


def _near(roads: gpd.GeoDataFrame, sample: pd.DataFrame) -> gpd.GeoDataFrame:
    """The roads around the points, cut off 0.1 degrees beyond them."""
    west, south, east, north = _extent(sample)
    return gpd.clip(roads, (west - 0.1, south - 0.1, east + 0.1, north + 0.1), keep_geom_type=True)


def _write_images(
    home: Path, sample: pd.DataFrame, config: RunConfig, options: KitOptions, *, simulated: bool
) -> tuple[list[Raster], tuple[str, ...]]:
    """image-EPSG.tif of each zone: the period's median around each point, nothing elsewhere."""
    if options.show is None:
        return [], ()
    periods = {p.name: p for p in config.periods}
    name = options.period or list(periods)[-1]
    if name not in periods:
        raise UsageError(f"no period {name!r}", ", ".join(periods), name, "choose one of these")
    images = run_images(config)
    scenes = [s for s in images.scenes if periods[name].start <= s.day <= periods[name].end]
    if not scenes:
        raise InputError(
            f"no images of {name}", "scenes in the archive", "none", "another --period, or --no-images"
        )
    shown = shown_of(options.show, images.bands)
    own = RunImages(tuple(scenes), images.mask)
    rasters, dark = [], []
    for epsg in sorted(sample["epsg"].unique().tolist()):
        rasters.append(Raster(f"image-{epsg}.tif", epsg))
        points = sample[sample["epsg"] == epsg].sort_values(["y", "x"], ascending=[False, True])
        tags = {"period": name, "shown": shown.name} | ({"SIMULATED": "yes"} if simulated else {})
        dark += _write_zone(home / rasters[-1].file, points, own, shown, options.side_m, tags)
    return rasters, tuple(sorted(dark))


def _windows(points: pd.DataFrame, side_m: int) -> list[Window]:
    """The square of pixels around each point, its own pixel in the middle."""
    half = side_m // (2 * RESOLUTION_M)
    corners = zip(points["epsg"], points["x"] - RESOLUTION_M / 2, points["y"] + RESOLUTION_M / 2, strict=True)
    return [Window(int(epsg), round(x), round(y), 1, 1).expanded(half) for epsg, x, y in corners]


def _write_zone(
    path: Path, points: pd.DataFrame, images: RunImages, shown: Shown, side_m: int, tags: dict[str, str]
) -> list[str]:
    """Red, green, blue and a mask; blocks without a point are left out of the file. Returns the points
    whose own pixel was never clear.
    """
    import rasterio  # slow to load, and a kit without pictures does without

    around = _windows(points, side_m)
    left, top = min(w.left for w in around), max(w.top for w in around)
    right, bottom = max(w.right for w in around), min(w.bottom for w in around)
    whole = Window.from_bounds(around[0].epsg, (left, bottom, right, top), RESOLUTION_M)
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 4, "width": whole.width, "height": whole.height,
        "crs": f"EPSG:{whole.epsg}", "transform": whole.transform, "tiled": True, "blockxsize": 128,
        "blockysize": 128, "compress": "deflate", "photometric": "RGB", "alpha": "yes", "sparse_ok": True,
    }  # fmt: skip
    dark = []
    with rasterio.open(path, "w", **profile) as target:
        target.update_tags(**tags)
        for point, window in zip(points["point_id"], around, strict=True):
            bands = median_bands(images.scenes, window, shown, images.mask)
            colours, seen = shown.colours(bands), ~np.any([np.isnan(b) for b in bands.values()], axis=0)
            if not seen[window.height // 2, window.width // 2]:
                dark.append(str(point))
            mask = np.where(seen, np.uint8(255), np.uint8(0))[..., None]
            rows, columns = whole.slices_of(window)
            place = ((rows.start, rows.stop), (columns.start, columns.stop))
            target.write(np.moveaxis(np.concatenate([colours, mask], axis=-1), -1, 0), window=place)
    return dark
