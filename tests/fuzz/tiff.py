"""Altered GeoTIFFs: what cocal reads is what GDAL reads, or is refused; nothing crashes or hangs.

GDAL's own reading (rasterio) of the same file is the oracle. Both run in a process of their own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.archive import band_profile, read_raster
from cocal.classify.settings import PriorSettings
from cocal.errors import CocalError, NotWrittenError, SceneReadError
from cocal.features.terrain import check_dem, read_dem
from cocal.fieldwork.design.strata import NO_VALUE, read_class_raster
from cocal.grid import Window
from cocal.run.stages.train import earlier_codes
from cocal.run.worker.prior import prior_of
from cocal.scenes.item import write_scene
from cocal.scenes.plan import plan_imports
from cocal.scenes.settings import MultibandImport
from cocal.serve.rasters import Square, relief
from cocal.store import read_back
from tests.fuzz.alterations import altered
from tests.fuzz.child import Child

SEEDS = (23, 54, 105, 111, 145, 180, 211, 219, 244, 284, 976, 995, 5877, 6491, 30151, 30463, 31363, 50390)

WINDOW = Window(32719, 480_000, 8_430_000, 120, 96)
MANY = Window(32719, 480_000, 8_430_000, 1000, 440)
PART = Window(32719, 479_960, 8_429_700, 70, 60)
AREA = shapely.box(-69.185, -14.208, -69.176, -14.2)
MOST = 1 << 24
"""Pixels of a raster that the oracle reads."""

CHILD = Child("tests.fuzz.tiff")


def one(seed: int, folder: Path) -> str:
    return CHILD.ask(seed, folder)


def prepare() -> None:
    """Write the sound files, and compile what reading them needs."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        for name, content in sound_files().items():
            (Path(folder) / name).mkdir()
            path = Path(folder) / name / "a.tif"
            path.write_bytes(content)
            assert KINDS[name].check(path) == ""


def examine(seed: int, folder: Path) -> str:
    """What is wrong with how cocal reads the altered file of this seed; in the process of `CHILD`."""
    rng = np.random.default_rng(seed)
    bases = sound_files()
    name = list(bases)[int(rng.integers(0, len(bases)))]
    path = folder / "a.tif"
    path.write_bytes(altered(bases[name], rng))
    wrong = KINDS[name].check(path)
    return wrong and f"{name}: {wrong}"


@dataclass(frozen=True)
class Kind:
    """A kind of file: how it is written, and what is wrong with the reading of an altered one."""

    write: Callable[[Path], None]
    check: Callable[[Path], str]


@cache
def sound_files() -> dict[str, bytes]:
    """The content of an unaltered file of each kind."""
    found = {}
    with TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            path = Path(folder) / f"{name}.tif"
            kind.write(path)
            found[name] = path.read_bytes()
    return found


def _values(shape: tuple[int, ...], dtype: str, most: int) -> NDArray[Any]:
    y, x = np.indices(shape[-2:])
    count = shape[0] if len(shape) > 2 else 1
    planes = [(3 * x + 5 * y + 11 * k + (x * y) % 7) % most + 1 for k in range(count)]
    return np.array(planes).reshape(shape).astype(dtype)


def _own(resolution: int, dtype: str, **changes: Any) -> Kind:
    """A band of the archive."""
    window = changes.pop("window", WINDOW).at(resolution)

    def write(path: Path) -> None:
        with rasterio.open(path, "w", **band_profile(window, dtype) | changes) as target:
            target.update_tags(SIMULATED="YES")
            target.write(_values(window.shape, dtype, 200), 1)

    return Kind(write, lambda path: _check_own(path, resolution, dtype))


def _map(dtype: str) -> Kind:
    """A raster of a class map."""

    def write(path: Path) -> None:
        from cocal.classify.product import write_cog

        write_cog(path, _values(WINDOW.shape, dtype, 6), WINDOW, {"period": "2024"})

    return Kind(write, lambda path: _check_own(path, 10, dtype))


def _check_own(path: Path, native: int, dtype: str) -> str:
    """What differs between `read_raster` and GDAL on two windows; "" where they agree, or cocal refuses."""
    found = {}
    for window in (WINDOW, PART):
        with suppress(SceneReadError):
            found[window] = read_raster(path, window, native, dtype)
    with suppress(NotWrittenError):
        read_back(path, path.name)
    for window, values in found.items():
        expected = _by_gdal(path, window, native, dtype)
        if isinstance(expected, str):
            return f"read, though GDAL {expected}"
        if not np.array_equal(values, expected):
            return f"differs from GDAL at {int((values != expected).sum())} pixels"
    return ""


def _by_gdal(path: Path, window: Window, native: int, dtype: str) -> NDArray[Any] | str:
    """GDAL's pixels of the first band on a window, 0 outside; or why there are none."""
    out = np.zeros(window.shape, dtype)
    try:
        with rasterio.open(path) as source:
            t, crs = source.transform, source.crs
            if crs is None or crs.to_epsg() != window.epsg:
                return f"gives the CRS {crs}"
            if (t.a, t.b, t.d, t.e) != (native, 0, 0, -native) or t.c % native or t.f % native:
                return f"gives the transform {tuple(t)[:6]}"
            if source.dtypes[0] != dtype:
                return f"gives {source.dtypes[0]}"
            row = np.floor((t.f - window.y) / native).astype(int)
            column = np.floor((window.x - t.c) / native).astype(int)
            rows = np.flatnonzero((row >= 0) & (row < source.height))
            columns = np.flatnonzero((column >= 0) & (column < source.width))
            if rows.size and columns.size:
                part = (row[rows[0]], row[rows[-1]] + 1), (column[columns[0]], column[columns[-1]] + 1)
                values = source.read(1, window=part)
                picked = np.ix_(row[rows] - part[0][0], column[columns] - part[1][0])
                out[np.ix_(rows, columns)] = values[picked]
    except (RasterioError, MemoryError) as err:
        return f"refuses: {err}"
    return out


def _users(shape: tuple[int, ...], dtype: str, check: Callable[[Path], str], **profile: Any) -> Kind:
    """A raster of a user: `most` is its highest value, `mask` asks for an internal mask."""
    degrees, most, mask = profile.pop("degrees", False), profile.pop("most", 6), profile.pop("mask", False)
    place = (
        {"crs": "EPSG:4326", "transform": rasterio.Affine(1 / 3600, 0, -69.19, 0, -1 / 3600, -14.19)}
        if degrees
        else {"crs": "EPSG:32719", "transform": rasterio.Affine(10, 0, 479_900, 0, -10, 8_430_100)}
    )
    stated = {"driver": "GTiff", "dtype": dtype, "count": shape[0], "height": shape[1], "width": shape[2]}

    def write(path: Path) -> None:
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", **stated | place | profile) as target,
        ):
            target.write(_values(shape, dtype, most))
            if mask:
                target.write_mask(np.eye(*shape[1:]) == 0)

    return Kind(write, check)


def _check_dem(path: Path) -> str:
    with suppress(CocalError):
        relief(path, Square(12, 1260, 2211))
    for read in (lambda: read_dem(path, WINDOW), lambda: check_dem(path, AREA)):
        with suppress(CocalError):
            read()
    return ""


def _check_strata(path: Path) -> str:
    try:
        found = read_class_raster(path, WINDOW)
        with rasterio.open(path) as source:
            t, crs = source.transform, source.crs
            if source.width * source.height > MOST or crs.to_epsg() != 32719 or t.b or t.d:
                return ""
            values = source.read(1, masked=True).astype(np.int64).filled(NO_VALUE)
    except (CocalError, RasterioError):
        return ""
    places = (WINDOW.y - t.f) / t.e, (WINDOW.x - t.c) / t.a
    row, column = (np.floor(np.nan_to_num(np.clip(place, -1, MOST), nan=-1)) for place in places)
    inside = ((row >= 0) & (row < len(values)))[:, None] & ((column >= 0) & (column < values.shape[1]))
    rows = np.clip(row, 0, len(values) - 1).astype(int)
    columns = np.clip(column, 0, values.shape[1] - 1).astype(int)
    different = int((found != np.where(inside, values[rows][:, columns], NO_VALUE)).sum())
    return f"differs from GDAL at {different} pixels" if different else ""


def _check_prior(path: Path) -> str:
    table = pd.DataFrame(
        {"epsg": [32719, 32718], "x": [480_005.0, 500_005.0], "y": [8_429_995.0, 8_429_995.0]}
    )
    with suppress(CocalError):
        earlier_codes(path, table)
    with suppress(CocalError):
        prior_of(WINDOW, PriorSettings(elsewhere=0.1, where_mapped=0.6, unseen=0.2, map=path, code=3))
    return ""


def _check_scene(path: Path) -> str:
    settings = MultibandImport(
        name="a", kind="multiband", path=path, date=datetime(2024, 5, 1, tzinfo=UTC), scale=0.0001, offset=0,
        bands={"red": 1, "nir": 2, "scl": 3}, resampling="nearest",
    )  # fmt: skip
    with suppress(CocalError):
        for number, task in enumerate(plan_imports([settings])):
            folder = path.parent / str(number)
            folder.mkdir()
            write_scene(folder, (), task)
    return ""


DEFLATE = {"compress": "deflate"}
SMALL = {"tiled": True, "blockxsize": 32, "blockysize": 32}

KINDS: Mapping[str, Kind] = {
    "band": _own(10, "uint16"),
    "coarse": _own(20, "uint16"),
    "classes": _own(20, "uint8"),
    "tiles": _own(20, "uint8", window=MANY),
    "big": _own(10, "uint16", bigtiff="yes"),
    "plain": _own(10, "uint16", predictor=1),
    "map": _map("uint8"),
    "share": _map("uint16"),
    "dem": _users((1, 90, 90), "int16", _check_dem, degrees=True, most=3000, nodata=-32768, **DEFLATE),
    "heights": _users(
        (1, 90, 90),
        "float32",
        _check_dem,
        degrees=True,
        most=3000,
        compress="lzw",
        predictor=3,
        endianness="big",
    ),
    "strata": _users((1, 120, 140), "uint8", _check_strata, nodata=255, compress="lzw", **SMALL),
    "prior": _users((1, 120, 140), "uint8", _check_prior),
    "bands": _users((3, 120, 140), "uint16", _check_scene, most=11, interleave="pixel", **DEFLATE),
    "masked": _users((3, 120, 140), "uint16", _check_scene, most=11, mask=True, interleave="band", **SMALL),
    "turned": _users((3, 60, 70), "uint16", _check_scene, degrees=True, most=11, bigtiff="yes", **DEFLATE),
}
