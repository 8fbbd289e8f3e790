"""A small picture of a large map: its pixels' values on a coarse longitude-latitude raster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.grid import Tile, pixel_zones, transformer

Extent = tuple[float, float, float, float]
"""West, south, east, north, degrees."""


def picture_cells(extent: Extent, longest_px: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x,) longitudes and (y,) latitudes of the cell centres of a picture; cells are square on the ground."""
    west, south, east, north = extent
    stretch = float(np.cos(np.radians((south + north) / 2)))
    cell = max((east - west) * stretch, north - south) / longest_px
    width, height = max(1, round((east - west) * stretch / cell)), max(1, round((north - south) / cell))
    longitude = west + (np.arange(width) + 0.5) * (east - west) / width
    return longitude, north - (np.arange(height) + 0.5) * (north - south) / height


def picture_values(
    maps: Mapping[Tile, Path],
    extent: Extent,
    *,
    dtype: str = "uint8",
    missing: int = 0,
    longest_px: int,
) -> NDArray[Any]:
    """(y, x) value of the pixel that holds the centre of each cell of a picture, see `picture_cells`.

    `dtype` is that of the rasters; `missing` stands where no tile has the point.
    """
    lon, lat = np.meshgrid(*picture_cells(extent, longest_px))
    return values_at(maps, lon.ravel(), lat.ravel(), dtype=dtype, missing=missing).reshape(lon.shape)


def values_at(
    maps: Mapping[Tile, Path],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    *,
    dtype: str,
    missing: int,
) -> NDArray[Any]:
    """(n,) value of the pixel that holds each point, see `grid.pixel_zones`; `missing` outside all tiles."""
    values = np.full(len(lon), missing, dtype=dtype)
    zone = pixel_zones(lon, lat)
    for epsg in sorted({t.window.epsg for t in maps}):
        here = np.flatnonzero(zone == epsg)
        x, y = transformer(4326, epsg).transform(lon[here], lat[here])
        for window, path in ((t.window, maps[t]) for t in maps if t.window.epsg == epsg):
            row, column, inside = window.locate(x, y)
            if inside.any():
                raster = read_raster(path, window, window.resolution, dtype)
                values[here[inside]] = raster[row[inside], column[inside]]
    return values
