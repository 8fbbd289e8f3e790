"""Map tiles: codes or heights on a square of the Web Mercator grid.

A code is a byte; its meaning depends on the layer (`palettes`). `NOTHING` is ground outside all maps, and
ground that was not observed: the page paints the regions grey below, so that gaps of a map read as "not
observed".
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image
from rasterio.crs import CRS
from rio_tiler.models import ImageData
from rio_tiler.reader import part
from shapely.geometry.base import BaseGeometry

from cocal.contracts import CLASS_TIF, N_CLEAR_TIF, NO_DATA, PROBABILITY_SCALE, PROBABILITY_TIF
from cocal.errors import SceneReadError
from cocal.grid import Tile, Window, transformer, utm_zones, windows_bounds
from cocal.rasters import GDAL_ERRORS, check_layout
from cocal.run.results.pictures import square_codes
from cocal.store import proven

TILE_PX = 256
NOTHING = 255
LEAST_ZOOM, MOST_ZOOM = 7, 19
"""Below, one tile would read hundreds of maps. At the most a tile's pixel is one of the screen at the page's
largest zoom (18 in tiles of 512 px): edges of the map's pixels are drawn where they lie.
"""

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
    """The class maps of one run and period, with a spatial index."""

    def __init__(self, maps: Mapping[Tile, Path]) -> None:
        self.folders = list(maps.values())
        self._outlines = [o for _, o in windows_bounds(t.window for t in maps)]

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._outlines)

    def codes(self, name: str, square: Square) -> Codes:
        """(y, x) codes of one raster on `square`, by nearest neighbour.

        `CLASS_TIF`: the class. `PROBABILITY_TIF`: per cent. `N_CLEAR_TIF`: clear dates, at most 60. Others:
        their own steps. Where the maps of two zones meet, each shows the pixels that it owns.
        """
        out = np.full((TILE_PX, TILE_PX), NOTHING, dtype=np.uint8)
        with rasterio.Env(**_GDAL):
            for folder in self.near(square):
                found = _read(proven(folder / name), name, square)
                np.copyto(out, found, where=found != NOTHING)
        return out

    def near(self, square: Square) -> list[Path]:
        """The folders of the maps that touch `square`."""
        found = np.sort(self._tree.query(square.outline, predicate="intersects"))
        return [self.folders[number] for number in found.tolist()]


def warped(path: Path, square: Square, resampling: Literal["nearest", "bilinear"]) -> ImageData:
    """A GeoTIFF on `square`. No other format is opened, since such a file could reference other files."""
    try:
        with rasterio.open(path, driver="GTiff") as source:
            check_layout(source)
            return part(
                source, square.metres, height=TILE_PX, width=TILE_PX, dst_crs=_MERCATOR, bounds_crs=_MERCATOR,
                resampling_method=resampling, reproject_method=resampling,
            )  # fmt: skip
    except (*GDAL_ERRORS, ValueError, ArithmeticError) as err:  # the last two: an altered grid
        raise SceneReadError(f"cannot read {path}", "a GeoTIFF as it was committed", str(err)) from err


def _read(path: Path, name: str, square: Square) -> Codes:
    image = warped(path, square, "nearest")
    values, there = image.data[0], image.mask > 0
    if name == CLASS_TIF:
        return np.where(there & (values != NO_DATA), values, NOTHING).astype(np.uint8)
    if name == PROBABILITY_TIF:
        return np.where(there, np.rint(values * (100 * PROBABILITY_SCALE)), NOTHING).astype(np.uint8)
    most = MOST_LOOKS if name == N_CLEAR_TIF else NOTHING
    return np.where(there, np.minimum(values, most), NOTHING).astype(np.uint8)


class SquareRaster:
    """The squares of one period, as a raster per UTM zone."""

    def __init__(self, squares: pd.DataFrame) -> None:
        side = int(squares["side_m"].iloc[0])
        self._grids = {int(str(e)): _grid(rows, side, int(str(e))) for e, rows in squares.groupby("epsg")}

    def codes(self, square: Square) -> Codes:
        """(y, x) code of the square that holds each pixel's centre."""
        out = np.full((TILE_PX, TILE_PX), NOTHING, dtype=np.uint8)
        lon, lat = square.degrees()
        zone = utm_zones(lon, lat.mean())
        for epsg in np.unique(zone).tolist():
            if epsg in self._grids:
                columns = np.flatnonzero(zone == epsg)
                x, y = transformer(4326, epsg).transform(*np.meshgrid(lon[columns], lat))
                window, codes = self._grids[epsg]
                row, column, inside = window.locate(x, y)
                out[:, columns] = np.where(inside, codes[row, column], NOTHING)
        return out


def _grid(rows: pd.DataFrame, side: int, epsg: int) -> tuple[Window, Codes]:
    """The window whose pixels are the squares, and their codes (y, x); `NOTHING` where there is no square."""
    left, top = int(rows["x"].min()), int(rows["y"].max()) + side
    column, row = (rows["x"].to_numpy(int) - left) // side, (top - side - rows["y"].to_numpy(int)) // side
    codes = np.full((row.max() + 1, column.max() + 1), NOTHING, dtype=np.uint8)
    codes[row, column] = square_codes(rows, side)
    return Window(epsg, left, top, codes.shape[1], codes.shape[0], side), codes


def relief(path: Path, square: Square) -> bytes:
    """Heights as PNG in the Terrarium encoding, for the hill shading of the page; 0 m without data."""
    image = warped(path, square, "bilinear")
    return terrarium(np.where(image.mask > 0, np.nan_to_num(image.data[0].astype(np.float64)), 0.0))


def terrarium(heights: NDArray[np.float64]) -> bytes:
    """(y, x) metres as PNG, (red x 256 + green + blue / 256) - 32768 m (Mapzen, Terrarium)."""
    steps = np.rint((np.clip(heights, -11_000, 9_000) + 32_768) * 256).astype(np.uint32)
    rgb = np.stack([steps >> 16, (steps >> 8) & 255, steps & 255], axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "PNG", compress_level=1)
    return out.getvalue()
