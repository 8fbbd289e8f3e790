"""Rasters of users, opened in one way; and what a raster states of itself, compared with its file's size.

A few altered bytes can state 65,535 bands, a block of 2 GB or 2e9 rows: GDAL takes minutes and gigabytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from pyproj.exceptions import ProjError
from rasterio._err import CPLE_BaseError
from rasterio.enums import Interleaving
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from cocal.errors import InputError
from cocal.grid import transformer

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

MOST_PIXELS = 1 << 26
"""Pixels of a part that is read at once."""


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
def open_raster(path: str | Path, what: str, remedy: str, *, whole: bool = False) -> Iterator[DatasetReader]:
    """An open raster of a user that lies on the ground.

    Parameters
    ----------
    what
        What the raster is, with its path.
    remedy
        What to do if it cannot be read.
    whole
        As for `check_layout`.

    Raises
    ------
    InputError
        It cannot be read, here or in the body; it has no coordinate reference system that leads to degrees,
        or no geotransform; or it states more than its file can hold.
    """
    try:
        # a worker's GDAL looks for no files beside a raster; masks and tags of a user's may stand in one
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path)
        with source:
            check_layout(source, whole=whole)
            _check_place(source, what)
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
    try:
        transformer(source.crs.to_wkt(), 4326)
        placed = math.isfinite(source.transform.determinant) and source.transform.determinant != 0
        problem = "" if placed else f"the geotransform {tuple(source.transform)[:6]}"
    except (ProjError, ValueError) as err:
        problem = f"a CRS that leads to no degrees: {err}"
    if problem:
        raise InputError(f"{what} lies nowhere", expected, problem, "warp it with gdalwarp")
