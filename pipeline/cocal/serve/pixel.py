"""The year of one pixel: its indices on clear dates, beside those of the classes around it.

The curve of a class is the median, and the 10th and 90th percentile, of the clear pixels within 640 m that
the map of the same period assigns to the class. They share the pixel's dates, air and altitude, so the
difference is the cover. This compares with the map, not with the ground; the page states so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.archive import Scene, read_raster, read_scene, read_scenes, scene_store, scenes_within
from cocal.classify.census.shares import Shares
from cocal.contracts import (
    CLASS_TIF,
    N_CLEAR_TIF,
    NO_DATA,
    PROBABILITY_NO_DATA,
    PROBABILITY_SCALE,
    PROBABILITY_TIF,
    SHARES_NPZ,
    Period,
)
from cocal.errors import SceneReadError
from cocal.features import INDICES, FeatureSettings, bands_needed, clear_mask, compute_index, halo_px
from cocal.grid import Tile, Window, pixel_zones, project, transformer
from cocal.run.finished import MapInputs
from cocal.serve.runs import ShownRun
from cocal.store import proven

REACH_PX = 64
"""Distance to which pixels contribute to the curve of a class."""

LEAST_PIXELS = 5
"""A class with fewer clear pixels on a date has no value there."""

_SCALE = np.float32(10_000)


@dataclass(frozen=True)
class MappedPixel:
    """A pixel of 10 m, the tile of its map, and the folder of that map."""

    window: Window
    tile: Tile
    folder: Path


def find_pixel(run: ShownRun, period: str, longitude: float, latitude: float) -> MappedPixel | None:
    """The mapped pixel that holds a point; None where no map of the period does."""
    epsg = int(pixel_zones(longitude, latitude))
    x, y = transformer(4326, epsg).transform(longitude, latitude)
    for tile, folder in run.maps[period].items():
        w = tile.window
        row, column, inside = w.locate(x, y)
        if w.epsg == epsg and inside:
            left, top = w.left + int(column) * w.resolution, w.top - int(row) * w.resolution
            return MappedPixel(Window(epsg, left, top, 1, 1, w.resolution), tile, folder)
    return None


def pixel_facts(run: ShownRun, period: Period, pixel: MappedPixel) -> dict[str, Any]:
    """Class of the pixel on the map.

    Of an office's own map `shares` too; where a model made it probability, clear dates and `pixel_year`.
    """
    code = pixel_value(pixel, CLASS_TIF, "uint8")
    ring = shapely.get_coordinates(project(shapely.box(*pixel.window.bounds), pixel.window.epsg, 4326))
    facts: dict[str, Any] = {
        "class": next((c.key for c in run.scheme.classes if c.code == code), None),
        "outline": ring.tolist(),
    }
    if not run.by_model:
        return facts | {"shares": pixel_shares(run, pixel)}
    probability = pixel_value(pixel, PROBABILITY_TIF, "uint16")
    return facts | {
        "probability": None if probability == PROBABILITY_NO_DATA else probability * PROBABILITY_SCALE,
        "looks": pixel_value(pixel, N_CLEAR_TIF, "uint16"),
        "reach_m": REACH_PX * pixel.window.resolution,
        **pixel_year(run, period, pixel),
    }


def pixel_shares(run: ShownRun, pixel: MappedPixel) -> dict[str, float] | None:
    """Class -> its part of a mixed pixel of an office's own map; None where the pixel is of one class."""
    shares, whole = Shares.read(proven(pixel.folder / SHARES_NPZ)), pixel.tile.window
    row, column, _ = whole.locate(pixel.window.x, pixel.window.y)
    here = shares.pixel == row[0] * whole.width + column[0]
    units, keys = shares.units[here], {c.code: c.key for c in run.scheme.classes}
    parts = {
        keys[code]: int(u) / int(units.sum())
        for code, u in zip(shares.code[here].tolist(), units, strict=True)
    }
    return parts or None


def pixel_value(pixel: MappedPixel, name: str, dtype: str) -> int:
    """The value of a pixel on a raster of its map."""
    raster = read_raster(proven(pixel.folder / name), pixel.window, pixel.window.resolution, dtype)
    return int(raster[0, 0])


def pixel_year(run: ShownRun, period: Period, pixel: MappedPixel) -> dict[str, Any]:
    """Dates, and per index the values of the pixel and the curves of classes; None: not clear, or too few."""
    inputs = MapInputs.read(pixel.folder)
    settings = inputs.index
    around = pixel.window.expanded(REACH_PX)
    outer = around.expanded(halo_px(settings))
    scenes = scenes_within(
        _scenes(run.config.require_archive(), inputs.scenes), outer, period.start, period.end
    )
    cube = read_scenes(scenes, outer, bands_needed(settings))
    clear = _clear(cube, settings)
    near = slice(halo_px(settings), halo_px(settings) + around.height)
    clear = clear[:, near, near]
    codes = _codes(run, period, around)
    curves = {}
    for name in index_names(settings):
        bands = {b: cube[b].values[:, near, near].astype(np.float32) / _SCALE for b in INDICES[name].bands}
        values = np.where(clear, compute_index(name, bands), np.nan)
        curves[name] = {
            "pixel": _numbers(values[:, REACH_PX, REACH_PX]),
            "classes": {c.key: class_curve(values, codes == c.code) for c in run.scheme.classes},
        }
    return {
        "dates": [str(d)[:10] for d in cube["time"].values],
        "pixels": {c.key: int((codes == c.code).sum()) for c in run.scheme.classes},
        "indices": curves,
    }


def index_names(settings: FeatureSettings) -> list[str]:
    """The indices among the feature variables."""
    return [name for name in settings.variables if name in INDICES]


def class_curve(values: NDArray[np.floating[Any]], members: NDArray[np.bool_]) -> dict[str, list[Any]] | None:
    """Per date the 10th, 50th and 90th percentile of (time, y, x) `values` over (y, x) `members`.

    NaN is not clear; a date with fewer than `LEAST_PIXELS` members has none. None without any such date.
    """
    rows = []
    for plane in values:
        found = plane[members & ~np.isnan(plane)]
        few = found.size < LEAST_PIXELS
        rows.append([np.nan] * 3 if few else np.percentile(found.astype(np.float64), [10, 50, 90]).tolist())
    low, middle, high = np.array(rows, dtype=float).reshape(-1, 3).T
    if np.isnan(middle).all():
        return None
    return {"low": _numbers(low), "middle": _numbers(middle), "high": _numbers(high)}


def _clear(cube: Any, settings: FeatureSettings) -> NDArray[np.bool_]:
    """(time, y, x) clear and valid in every band, as the composites take it."""
    clear = np.ones(cube[settings.reflectance_bands[0]].shape, dtype=bool)
    if settings.mask is not None:
        offered = cube["cloud_probability"].values if "cloud_probability" in cube else None
        clear = clear_mask(cube["scl"].values, settings.mask, offered)
    for band in settings.reflectance_bands:
        clear &= cube[band].values != NO_DATA
    return clear


def _codes(run: ShownRun, period: Period, window: Window) -> NDArray[np.uint8]:
    """(y, x) classes of the period's maps on a window of one zone."""
    out = np.zeros(window.shape, dtype=np.uint8)
    for tile, folder in run.maps[period.name].items():
        common = window.intersection(tile.window)
        if common is not None:
            out[window.slices_of(common)] = read_raster(
                folder / CLASS_TIF, common, common.resolution, "uint8"
            )
    return out


def _scenes(archive: Path, digests: Mapping[str, str]) -> list[Scene]:
    """The scenes of a map, unchanged since it was made."""
    store = scene_store(archive)
    read = (read_scene(store.home(name)) for name in digests)
    found = [s for s in read if s is not None and s.digest == digests[s.id]]
    if len(found) < len(digests):
        raise SceneReadError(
            "scenes of the map are no longer in the archive", f"{len(digests)} scenes",
            f"{len(found)} of them",
            "import them again",
        )  # fmt: skip
    return found


def _numbers(values: Any) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 4) for v in values]
