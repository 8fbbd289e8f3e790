"""Rasters of users, opened in one way: place, no data, codes at places; and limits on what a file may state.

A few altered bytes can state 65,535 bands, a block of 2 GB or 2e9 rows: GDAL takes minutes and gigabytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Interleaving
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as Part
from shapely.geometry.base import BaseGeometry

from cocal.errors import InputError
from cocal.grid import geodesic_hectares, locate, transformer
from cocal.notes.account import first, record

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What rasterio raises where GDAL fails."""

MOST_BANDS = 4096
ENTRY_BYTES = 4
"""Fewest bytes that a TIFF holds of a block, even of an empty one: its place and its size."""

FREE_BYTES = 64 << 20
"""Bytes that a file may unpack to, whatever its size."""

BLOCK_RATIO, WHOLE_RATIO = 1 << 12, 1 << 14
"""Most further bytes of a block, and of a raster that is read as a whole, per byte of the file.

Deflate reaches 1032, LZW less than 3000; empty blocks of a raster take few bytes.
"""

FAR = 1e9
"""No coordinate of the Earth is larger, in metres, feet or degrees."""

MOST_PIXELS = 1 << 28
"""Pixels of a part that is read at once."""


AS_ON_DISK = {"GDAL_DISABLE_READDIR_ON_OPEN": "FALSE", "GDAL_PAM_ENABLED": "YES"}
"""What stands beside a raster (mask, tags, place) counts, whatever the environment or a worker has set."""

CHECKED_POINTS = 20
"""Per side of the lattice at which a raster is checked before it is used."""

STRIP_PX = 1024
"""Rows of a raster of codes that are read at a time."""


class LayoutError(ValueError):
    """A raster states more than its file can hold, or more is needed than can be read at once."""


def check_layout(source: DatasetReader, *, whole: bool = False) -> None:
    """Raise a LayoutError if an open GeoTIFF states more than its file can hold; other formats pass.

    Parameters
    ----------
    whole
        All pixels will be read, so that the size of the whole raster is limited too.
    """
    path = Path(source.name)
    if source.driver != "GTiff" or not path.is_file():
        return
    size, bands, item = path.stat().st_size, source.count, np.dtype(source.dtypes[0]).itemsize
    rows, columns = source.block_shapes[0]
    together = bands if source.interleaving == Interleaving.pixel else 1
    blocks = math.ceil(source.height / rows) * math.ceil(source.width / columns) * (bands // together)
    block, every = rows * columns * item * together, source.height * source.width * item * bands
    if (
        bands > MOST_BANDS
        or blocks * ENTRY_BYTES > size
        or block > FREE_BYTES + BLOCK_RATIO * size
        or (whole and every > FREE_BYTES + WHOLE_RATIO * size)
    ):
        raise LayoutError(
            f"{bands} bands of {source.height} x {source.width} pixels in {blocks} blocks of "
            f"{rows} x {columns}, which a file of {size} bytes cannot hold"
        )


def check_part(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """Raise a LayoutError if a part (first, one after the last) has more than `MOST_PIXELS`."""
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    if height * width > MOST_PIXELS:
        raise LayoutError(f"pixels so small that {height} x {width} of them are needed at once")


@contextmanager
def open_raster(
    path: str | Path, what: str, remedy: str, *, whole: bool = False, single: bool = False
) -> Iterator[DatasetReader]:
    """An open raster of a user that lies on the ground.

    Parameters
    ----------
    what
        What the raster is, with its path.
    remedy
        What to do if it cannot be read.
    whole
        As for `check_layout`.
    single
        Whether it must have one band, apart from alpha.

    Raises
    ------
    InputError
        It cannot be read, here or in the body; it has no coordinate reference system that leads to degrees,
        or no geotransform, or a rotated one; it holds complex numbers, or more bands than one; or it states
        more than its file can hold.
    """
    try:
        with rasterio.Env(**AS_ON_DISK), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path)
        with source:
            check_layout(source, whole=whole)
            _check_place(source, what)
            _check_bands(source, what, single)
            yield source
    except (*GDAL_ERRORS, LayoutError) as err:
        raise InputError(f"cannot read {what}", "a readable raster", str(err), remedy) from err


def _check_place(source: DatasetReader, what: str) -> None:
    expected = "a georeferenced raster"
    if source.crs is None:
        raise InputError(
            f"{what} has no coordinate reference system", expected,
            "ground control points alone" if source.gcps[0] else "no CRS",
            "warp it with gdalwarp, or assign the CRS it was made in (gdal_edit -a_srs EPSG:...)",
        )  # fmt: skip
    if source.transform.is_identity:
        raise InputError(
            f"{what} has no geotransform", expected, "a CRS without origin and pixel size",
            "warp it with gdalwarp, or assign its corners (gdal_edit -a_ullr)",
        )  # fmt: skip
    if source.transform.b or source.transform.d:
        raise InputError(
            f"{what} is rotated", expected, f"the geotransform {tuple(source.transform)[:6]}",
            "warp it to rows from west to east with gdalwarp",
        )  # fmt: skip
    try:
        transformer(source.crs.to_wkt(), 4326)
        corners = [value for corner in ((0, 0), source.shape[::-1]) for value in source.transform @ corner]
        placed = source.transform.determinant != 0 and all(abs(value) < FAR for value in corners)
        problem = "" if placed else f"the geotransform {tuple(source.transform)[:6]}"
    except (ProjError, ValueError) as err:
        problem = f"a CRS that leads to no degrees: {err}"
    if problem:
        raise InputError(f"{what} lies nowhere", expected, problem, "warp it with gdalwarp")


def _check_bands(source: DatasetReader, what: str, single: bool) -> None:
    if any(dtype.startswith("complex") for dtype in source.dtypes):
        found = ", ".join(source.dtypes)
        raise InputError(f"{what} holds complex numbers", "real numbers", found, "export it as real numbers")
    bands = sum(colour != ColorInterp.alpha for colour in source.colorinterp)
    if single and bands > 1:
        remedy = "take the band that is meant with gdal_translate -b"
        raise InputError(f"{what} has several bands", "one band", f"{bands} bands", remedy)


def positions(source: DatasetReader, epsg: int, x: ArrayLike, y: ArrayLike) -> tuple[Any, Any]:
    """(x, y) of places of the CRS `epsg` in that of the raster, whose longitudes may run from 0 to 360."""
    if source.crs.to_epsg() != epsg:
        x, y = transformer(epsg, source.crs.to_wkt()).transform(x, y)
    if source.crs.is_geographic:
        west, _, east, _ = source.bounds
        x = np.where(x < west, x + 360.0, np.where(x > east, x - 360.0, x))  # type: ignore[operator]
    return x, y


def read_valid(
    source: DatasetReader, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(y, x) stored values of the first band in a part of the raster, and where they are no data.

    No data is what its mask or its alpha band hides, its no-data value, and NaN: each on its own.

    Raises
    ------
    LayoutError
        The part is too large.
    """
    check_part(rows, columns)
    part = Part.from_slices(rows, columns)
    values = source.read(1, window=part)
    missing = source.read_masks(1, window=part) == 0
    return values, missing | (values == source.nodatavals[0]) | (values != values)


@contextmanager
def open_codes(path: str | Path, what: str) -> Iterator[DatasetReader]:
    """Yield the open raster of codes: one band of whole numbers.

    Raises
    ------
    InputError
        As `open_raster`; or its values are decimals, or have a scale or an offset.
    """
    with open_raster(path, f"{what} {path}", "correct the path, or the file", single=True) as source:
        scaled = (source.scales[0], source.offsets[0]) != (1.0, 0.0)
        if scaled or np.dtype(source.dtypes[0]).kind not in "iu":
            found = (
                f"values of type {source.dtypes[0]}, scale {source.scales[0]:g}, offset {source.offsets[0]:g}"
            )
            raise InputError(
                f"{what} {path} holds no codes", "whole numbers without scale and offset", found,
                "export it again as a raster of classes",
            )  # fmt: skip
        yield source


def codes_at(
    path: str | Path, what: str, epsg: int, xy: tuple[ArrayLike, ArrayLike], missing: int
) -> NDArray[np.int64]:
    """The code of the raster's pixel that holds each place; `missing` outside and where there is no data.

    Parameters
    ----------
    epsg, xy
        CRS and (x, y) of the places, any shape; the raster may be in another CRS.

    Raises
    ------
    InputError
        As `open_codes`.
    """
    with open_codes(path, what) as source:
        row, column, inside = locate(source.transform, source.shape, *positions(source, epsg, *xy))
        out = np.full(row.shape, missing, dtype=np.int64)
        strip = np.where(inside, row // STRIP_PX, -1)
        for number in np.unique(strip[inside]):
            own = strip == number
            top, left = int(row[own].min()), int(column[own].min())
            slices = (top, int(row[own].max()) + 1), (left, int(column[own].max()) + 1)
            values, none = read_valid(source, *slices)
            place = row[own] - top, column[own] - left
            out[own] = np.where(none[place], missing, values[place].astype(np.int64))
        return out


def lattice(area: BaseGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(longitudes, latitudes) of points spread evenly over `area` (degrees), one at least."""
    west, south, east, north = area.bounds
    steps = (np.arange(CHECKED_POINTS) + 0.5) / CHECKED_POINTS
    x, y = (v.ravel() for v in np.meshgrid(west + steps * (east - west), south + steps * (north - south)))
    inside, point = shapely.contains_xy(area, x, y), area.representative_point()
    return np.append(x[inside], point.x), np.append(y[inside], point.y)


def check_codes(
    path: str | Path, what: str, area: BaseGeometry, named: Collection[int] = (), *,
    sought: Collection[Collection[int]] = (),
) -> None:  # fmt: skip
    """Check a raster of codes before it is used; notes of what it does not say of `area` (degrees).

    Parameters
    ----------
    named
        Codes that have a meaning: others on the area are noted; none given: any code has one.
    sought
        Sets of codes: one of which the raster has none in the area's box is noted.

    Raises
    ------
    InputError
        As `open_codes`; or the raster reaches no point of the area.
    """
    with open_codes(path, what) as source:
        inside = locate(source.transform, source.shape, *positions(source, 4326, *lattice(area))).inside
        absent = _absent_codes(source, area, sought) if inside.any() else []
    name = Path(path).name
    if not inside.any():
        raise InputError(
            f"{what} {path} lies elsewhere", "pixels on the regions' ground",
            f"none within {', '.join(f'{v:.4f}' for v in area.bounds)} (degrees)",
            "correct the path, or the raster's coordinate reference system",
        )  # fmt: skip
    if not inside.all():
        share = float((~inside).mean())
        record("codes_short", file=name, share=share, ha=share * geodesic_hectares(area))
    if absent:
        record("codes_absent", file=name, codes=first(absent))
    if named:
        found = codes_at(path, what, 4326, lattice(area), _NONE)
        other = (found != _NONE) & ~np.isin(found, list(named))
        if other.any():
            share, codes = float(other.mean()), first(np.unique(found[other]).tolist())
            record("codes_unnamed", file=name, codes=codes, share=share, ha=share * geodesic_hectares(area))


_NONE = np.iinfo(np.int64).min


def _absent_codes(
    source: DatasetReader, area: BaseGeometry, sought: Collection[Collection[int]]
) -> list[int]:
    """The codes of those sets of which no pixel of the box around `area` has any."""
    west, south, east, north = area.bounds
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(west, east, 21), np.linspace(south, north, 21)))
    column, row = ~source.transform @ positions(source, 4326, x, y)
    top, bottom = (int(np.clip(v, 0, source.height)) for v in (row.min(), row.max() + 1))
    left, right = (int(np.clip(v, 0, source.width)) for v in (column.min(), column.max() + 1))
    left_over = [set(codes) for codes in sought]
    for strip in range(top, bottom, STRIP_PX):
        if not left_over or left >= right:
            break
        values, none = read_valid(source, (strip, min(strip + STRIP_PX, bottom)), (left, right))
        there = set(np.unique(values[~none]).tolist())
        left_over = [codes for codes in left_over if not codes & there]
    return sorted(set().union(*left_over))
