"""Map tiles: codes on a square of the Web Mercator grid.

A code is a byte; what it means depends on the layer (`palettes`). `NOTHING` is ground that no map shows, and ground that was not
observed: the page paints the regions grey below, so that what a map leaves open reads as "not observed".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rio_tiler.models import ImageData
from rio_tiler.reader import part
from shapely.geometry.base import BaseGeometry

from cocal.contracts import NO_DATA, PROBABILITY_SCALE
from cocal.errors import SceneReadError
from cocal.grid import Tile, windows_bounds

TILE_PX = 256
NOTHING = 255
LEAST_ZOOM, MOST_ZOOM = 7, 15
"""Below, one picture would take hundreds of maps; above, the browser enlarges pixels of 10 m."""

CLASS, PROBABILITY, LOOKS = "class.tif", "probability.tif", "n_clear.tif"
MOST_LOOKS = 60

_MERCATOR = CRS.from_epsg(3857)
_HALF_M = math.pi * 6378137.0
_GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_NUM_THREADS": 1}

Codes = NDArray[np.uint8]


class Square(NamedTuple):
    """A tile of the Web Mercator grid."""

    z: int
    x: int
    y: int

    @property
    def exists(self) -> bool:
        return 0 <= self.z <= MOST_ZOOM and 0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z

    @property
    def metres(self) -> tuple[float, float, float, float]:
        """West, south, east, north in EPSG:3857."""
        side = 2 * _HALF_M / 2**self.z
        west, north = self.x * side - _HALF_M, _HALF_M - self.y * side
        return west, north - side, west + side, north

    @property
    def outline(self) -> BaseGeometry:
        """In degrees."""
        x, y = np.array([self.x, self.x + 1]) / 2**self.z, np.array([self.y + 1, self.y]) / 2**self.z
        (west, east), (south, north) = (x * 360 - 180).tolist(), _latitude(y).tolist()
        outline: BaseGeometry = shapely.box(west, south, east, north)
        return outline

    def degrees(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude of the pixel columns' and latitude of the pixel rows' centres."""
        along = (np.arange(TILE_PX) + 0.5) / TILE_PX
        x, y = (self.x + along) / 2**self.z, (self.y + along) / 2**self.z
        return x * 360 - 180, _latitude(y)


def _latitude(down: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees at this share of the way from the top of the Mercator square to its bottom."""
    return np.asarray(np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * down)))))


class MapRasters:
    """The class maps of one run and period, found by place."""

    def __init__(self, maps: Mapping[Tile, Path]) -> None:
        self.folders = list(maps.values())
        self._outlines = [o for _, o in windows_bounds(t.window for t in maps)]

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._outlines)

    def codes(self, name: str, square: Square) -> Codes:
        """(y, x) codes of one raster on `square`: the nearest pixel, never a mixture.

        `CLASS`: the class. `PROBABILITY`: per cent. `LOOKS`: clear dates, at most 60. Where the maps of two zones meet, each shows
        the pixels that it owns.
        """
        out = np.full((TILE_PX, TILE_PX), NOTHING, dtype=np.uint8)
        near = np.sort(self._tree.query(square.outline, predicate="intersects"))
        with rasterio.Env(**_GDAL):
            for number in near.tolist():
                found = _read(self.folders[number] / name, name, square)
                np.copyto(out, found, where=found != NOTHING)
        return out


def warped(path: Path, square: Square, resampling: Literal["nearest", "bilinear"]) -> ImageData:
    """A GeoTIFF on `square`. Nothing else is opened: another format could name files of its own."""
    try:
        with rasterio.open(path, driver="GTiff") as source:
            return part(
                source, square.metres, height=TILE_PX, width=TILE_PX, dst_crs=_MERCATOR, bounds_crs=_MERCATOR,
                resampling_method=resampling, reproject_method=resampling,
            )  # fmt: skip
    except RasterioError as err:
        raise SceneReadError(f"cannot read {path}", "a GeoTIFF as it was committed", str(err)) from err


def _read(path: Path, name: str, square: Square) -> Codes:
    image = warped(path, square, "nearest")
    values, there = image.data[0], image.mask > 0
    if name == CLASS:
        return np.where(there & (values != NO_DATA), values, NOTHING).astype(np.uint8)
    if name == PROBABILITY:
        return np.where(there, np.rint(values * (100 * PROBABILITY_SCALE)), NOTHING).astype(np.uint8)
    return np.where(there, np.minimum(values, MOST_LOOKS), NOTHING).astype(np.uint8)
