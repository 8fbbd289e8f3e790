"""A hand-made land of a few fields across the meridian 72 W, on disk, with everything a run needs.

    sources/20240105.tif ...   red, nir, swir16, scl; UTM 18S, half of it is zone 19's: one date, two items
    regions.geojson            four regions of two countries, two of them across the meridian
    labels.geojson             squares inside fields
    records.csv, strata.csv    a stratified sample of pixels and its design
    strata.tif                 the strata, for `records.strata_raster`, which config.yaml leaves out
    official.csv, truth.csv    invented figures
    dem.tif, scheme.yaml       heights in degrees, the border's class scheme
    config.yaml                all of it, to be run: runs/small, archive/

Fields are 15 px wide and hold one of four classes; clouds are discs that lie elsewhere on every date, but for
one place that is never seen. SIMULATED, and labelled so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import rasterio
import shapely
import yaml
from numpy.typing import NDArray
from rasterio.transform import from_origin

from cocal.grid import Window, project, transformer

EPSG, MERIDIAN, LATITUDE = 32718, -72.0, -12.5
FIELD_PX = 15
CLASSES = ("coca", "forest", "pasture", "bare")
SPECTRA = {"coca": (280, 3460, 1770), "forest": (240, 3100, 1630), "pasture": (430, 3080, 2300),
           "bare": (1120, 1880, 3050)}  # fmt: skip
CLOUD, VEGETATION, HIGH = 6000, 4, 9
SCHEME = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
REGIONS = (("PE-1", "PE"), ("PE-2", "PE"), ("BO-1", "BO"), ("BO-2", "BO"))
DAYS = ("20240105", "20240120", "20240210", "20240225")


@dataclass(frozen=True)
class SmallWorld:
    """The land on disk below `folder`."""

    folder: Path
    size_px: int

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def root(self) -> Path:
        """The folder of the run."""
        return self.folder / "runs" / "small"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def window(self) -> Window:
        return window_of(self.size_px)

    def copied(self, to: Path) -> SmallWorld:
        """The same land in another folder, with whatever was made from it so far."""
        shutil.copytree(self.folder, to)
        return SmallWorld(to, self.size_px)

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the configuration in place."""
        content = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        change(content)
        write_config(self.config, content)

    def source(self, day: str) -> Path:
        return self.folder / "sources" / f"{day}.tif"


def window_of(size_px: int) -> Window:
    """The square of pixels with the meridian through its middle."""
    x, y = transformer(4326, EPSG).transform(MERIDIAN, LATITUDE)
    half = size_px * 5
    return Window(EPSG, round((x - half) / 60) * 60, round((y + half) / 60) * 60, size_px, size_px)


def write_config(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def fields(window: Window) -> NDArray[np.int64]:
    """(y, x) index into CLASSES: one class per field, spread evenly."""
    row, column = (np.arange(n) // FIELD_PX for n in window.shape)
    return (row[:, None] * 5 + column[None, :] * 3 + (row[:, None] * column[None, :]) // 7) % len(CLASSES)


def make_world(folder: Path, size_px: int = 180, days: tuple[str, ...] = DAYS) -> SmallWorld:
    """Write the land; the same arguments give the same bytes."""
    world, rng = SmallWorld(folder, size_px), np.random.default_rng(11)
    folder.mkdir(parents=True)
    cover = fields(world.window)
    write_sources(world, cover, days, rng)
    write_dem(folder / "dem.tif", world.window)
    write_regions(folder / "regions.geojson", world.window)
    write_labels(folder / "labels.geojson", world.window, cover)
    write_survey(world, cover, rng)
    shutil.copyfile(SCHEME, folder / "scheme.yaml")
    write_config(world.config, config_of(days))
    return world


def write_sources(
    world: SmallWorld, cover: NDArray[np.int64], days: tuple[str, ...], rng: np.random.Generator
) -> None:
    window = world.window
    (world.folder / "sources").mkdir()
    spectra = np.array([SPECTRA[key] for key in CLASSES])
    row, column = np.mgrid[: window.height, : window.width]
    hidden = np.hypot(row - 0.62 * window.height, column - 0.45 * window.width) < 0.05 * window.width
    for day in days:
        values = spectra[cover].transpose(2, 0, 1) * rng.normal(1, 0.12, (3, *window.shape))
        centre = rng.uniform(0, window.width, (4, 2))
        cloud = hidden.copy()
        for y, x in centre:
            cloud |= np.hypot(row - y, column - x) < 0.12 * window.width
        values[:, cloud] = CLOUD
        bands = [*np.clip(np.rint(values), 1, 65535), np.where(cloud, HIGH, VEGETATION)]
        profile = {
            "driver": "GTiff", "dtype": "uint16", "count": 4, "nodata": 0, "crs": f"EPSG:{EPSG}",
            "width": window.width, "height": window.height, "transform": window.transform,
            "tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate",
        }  # fmt: skip
        with rasterio.open(world.source(day), "w", **profile) as target:
            target.descriptions = ("red", "nir", "swir16", "scl")
            target.update_tags(SIMULATED="yes")
            target.write(np.stack(bands).astype(np.uint16))


def write_dem(path: Path, window: Window, tilt: float = 900.0) -> None:
    """Rolling hills on a grid of degrees, so that it must be read across both zones."""
    corners = project(shapely.box(*window.expanded(80).bounds), EPSG, 4326).bounds
    west, south, east, north = corners
    step = 0.0003
    lon, lat = np.arange(west, east, step), np.arange(north, south, -step)
    height = 1500 + tilt * np.sin((lon[None, :] - MERIDIAN) * 300) * np.cos((lat[:, None] - LATITUDE) * 200)
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "crs": "EPSG:4326", "width": lon.size,
               "height": lat.size, "transform": from_origin(west, north, step, step),
               "blockysize": 64}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(height.astype(np.float32), 1)


def write_geojson(path: Path, rows: list[tuple[dict[str, Any], Any]]) -> None:
    features = [
        {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}
        for properties, shape in rows
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def write_regions(path: Path, window: Window, east_of_middle_m: float = 200.0, inset_m: float = 97.0) -> None:
    """Four rectangles that share edges; the inner upright edge lies `east_of_middle_m` off the middle."""
    west, south, east, north = window.bounds
    x, y = (west + east) / 2 + east_of_middle_m, (south + north) / 2 + 53.0
    west, south, east, north = west + inset_m, south + inset_m, east - inset_m, north - inset_m
    boxes = ((west, y, x, north), (west, south, x, y), (x, y, east, north), (x, south, east, y))
    rows = [
        (
            {"id": key, "name": f"{key} (simulated)", "country": country},
            project(shapely.box(*box), EPSG, 4326, densify=200),
        )
        for (key, country), box in zip(REGIONS, boxes, strict=True)
    ]
    write_geojson(path, rows)


def write_labels(path: Path, window: Window, cover: NDArray[np.int64], first: int = 0) -> None:
    """A square of 9 x 9 px in the middle of every second field, from field `first` on."""
    rows = []
    edges = range(0, window.height - FIELD_PX + 1, FIELD_PX)
    for number, (row, column) in enumerate((r, c) for r in edges for c in edges):
        if number % 2 or number < first:
            continue
        left, top = window.left + (column + 3) * 10, window.top - (row + 3) * 10
        square = project(shapely.box(left, top - 90, left + 90, top), EPSG, 4326)
        label = CLASSES[cover[row + 7, column + 7]]
        rows.append(({"id": f"L{number:04d}", "class": label}, square))
    write_geojson(path, rows)


def write_survey(world: SmallWorld, cover: NDArray[np.int64], rng: np.random.Generator) -> None:
    """records.csv, strata.csv, official.csv, truth.csv: strata are the classes coca and the rest."""
    window, folder = world.window, world.folder
    rows, coca = [], cover == CLASSES.index("coca")
    inner = np.zeros(window.shape, dtype=bool)
    inner[15:-15, 15:-15] = True
    strata = {"coca": coca & inner, "rest": ~coca & inner}
    lon_lat = transformer(EPSG, 4326).transform
    for name, inside in strata.items():
        row, column = np.nonzero(inside)
        chosen = rng.choice(row.size, 60, replace=False)
        for r, c in zip(row[chosen], column[chosen], strict=True):
            lon, lat = lon_lat(window.x[c], window.y[r])
            key = CLASSES[cover[r, c]]
            rows.append((f"R{len(rows):04d}", round(lon, 7), round(lat, 7), "2024-03-01", key, name,
                         60 / row.size))  # fmt: skip
    names = ["record_id", "lon", "lat", "observed_on", "class", "stratum", "inclusion_probability"]
    write_csv(folder / "records.csv", pd.DataFrame(rows, columns=names))
    area = [
        {"stratum": name, "code": code, "area_ha": inside.sum() / 100}
        for code, (name, inside) in enumerate(strata.items(), start=1)
    ]
    write_csv(folder / "strata.csv", pd.DataFrame(area))
    write_strata_raster(folder / "strata.tif", window, list(strata.values()))
    official = [{"region_id": key, "year": 2024, "coca_ha": 40 + n, "source": "SIMULATED office"}
                for n, (key, _) in enumerate(REGIONS)]  # fmt: skip
    write_csv(folder / "official.csv", pd.DataFrame(official))
    truth = [{"region_id": key, "class": "coca", "truth_ha": 40.5} for key, _ in REGIONS]
    write_csv(folder / "truth.csv", pd.DataFrame(truth))


def write_strata_raster(path: Path, window: Window, strata: list[NDArray[np.bool_]]) -> None:
    """The strata as codes 1, 2, ...; 0 is ground that the sample was not drawn from."""
    codes = np.zeros(window.shape, dtype=np.uint8)
    for code, inside in enumerate(strata, start=1):
        codes[inside] = code
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "crs": f"EPSG:{EPSG}", "nodata": 0,
               "width": window.width, "height": window.height, "transform": window.transform}  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(codes, 1)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


@contextmanager
def blank_pages() -> Iterator[None]:
    """Runs in this process leave the report's page, which costs most, blank."""
    # the stage first: it is loaded by its patch, and must not take the other one for the real page
    with (
        patch("cocal.run.results.publish.report", write_blank),
        patch("cocal.run.results.content.report", write_blank),
    ):
        yield


@contextmanager
def undrawn_pictures() -> Iterator[None]:
    """Pages of this process have figures that are made, and a blank picture in the place of each drawing."""
    with (
        patch("cocal.report.pictures.svg_uri", lambda _: "data:image/svg+xml;base64,PHN2Zy8+"),
        patch("cocal.report.pictures.png_uri", lambda _: "data:image/png;base64,iVBORw0KGgo="),
    ):
        yield


def write_blank(out: Path, content: object) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text("", encoding="utf-8")


def config_of(days: tuple[str, ...]) -> dict[str, Any]:
    bands = ("red", "nir", "swir16", "scl")
    imports = [
        {"kind": "multiband", "name": "small", "path": f"sources/{day}.tif",
         "date": f"{day[:4]}-{day[4:6]}-{day[6:]}", "bands": {b: b for b in bands}, "scale": 0.0001,
         "offset": 0, "platform": "simulated-a", "resampling": "nearest", "simulated": True}
        for day in days
    ]  # fmt: skip
    return {
        "name": "small", "runs": "runs", "archive": "archive", "scheme": "scheme.yaml", "dem": "dem.tif",
        "periods": [{"name": "2024", "start": "2024-01-01", "end": "2024-12-31"}],
        "regions": {"sliver_m": 0, "sources": [
            {"path": "regions.geojson", "id": "id", "name": "name", "country": "country"}]},
        "grid": {"tile_px": 96, "block_px": 48},
        "imports": imports,
        "index": {
            "mask": {"clear": ["vegetation", "bare"], "dilate": ["cloud_high"], "dilate_px": 2},
            "windows": "season", "composite": "median",
            "features": ["NDVI.median", "red.median", "swir16.median", "slope"], "fill": {"*": "none"},
        },
        "train": {
            "samples": {"kind": "polygons", "path": "labels.geojson", "label_column": "class",
                        "id_column": "id", "edge_pixels": "drop", "source": "SIMULATED squares",
                        "licence": "CC0-1.0", "simulated": True},
            "model": {"id": "small", "estimator": "random_forest",
                      "parameters": {"n_estimators": 10, "max_depth": 8}, "seed": 1, "missing": "drop",
                      "null_index": "NDVI.median",
                      "validation": {"block_m": 300, "folds": 2, "buffer_m": 0}},
        },
        "classify": {"min_clear": 1, "missing": "unobserved"},
        "records": {"path": "records.csv", "design": "probability", "matching": {"support": "pixel",
            "positional_error": "ignore"}, "strata": "strata.csv", "columns": {
            "record_id": "record_id", "lon": "lon", "lat": "lat", "observed_on": "observed_on",
            "class": "class", "stratum": "stratum", "inclusion_probability": "inclusion_probability"}},
        "estimate": {"estimator": "stratified", "interval": "gamma", "confidence": 0.95},
        "comparison": {
            "max_unobserved": 0.1, "agreement": 0.2, "official": "official.csv", "truth": "truth.csv"
        },
    }  # fmt: skip
