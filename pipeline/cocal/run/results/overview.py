"""A small picture of a large map: its pixels' values on a coarse longitude-latitude raster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.grid import Tile, transformer, utm_epsg


@dataclass(frozen=True)
class Overview:
    """Values (y, x) on a regular grid of degrees; `extent` is west, south, east, north."""

    values: NDArray[Any]
    extent: tuple[float, float, float, float]


def overview(
    maps: Mapping[Tile, Path],
    extent: tuple[float, float, float, float],
    *,
    dtype: str = "uint8",
    missing: int = 0,
    longest_px: int = 1100,
) -> Overview:
    """The value at the centre of each picture cell: nearest pixel of the tile that owns the point.

    `dtype` is that of the rasters; `missing` stands where no tile has the point.
    """
    west, south, east, north = extent
    stretch = np.cos(np.radians((south + north) / 2))
    cell = max((east - west) * stretch, north - south) / longest_px
    width = max(1, round((east - west) * stretch / cell))
    height = max(1, round((north - south) / cell))
    longitude = west + (np.arange(width) + 0.5) * (east - west) / width
    latitude = north - (np.arange(height) + 0.5) * (north - south) / height
    lon, lat = np.meshgrid(longitude, latitude)
    values = np.full((height, width), missing, dtype=dtype)
    zone = np.array([utm_epsg(v, (south + north) / 2) for v in longitude])
    for epsg in sorted({t.window.epsg for t in maps}):
        columns = np.flatnonzero(zone == epsg)
        if columns.size == 0:
            continue
        x, y = transformer(4326, epsg).transform(lon[:, columns], lat[:, columns])
        for tile in (t for t in maps if t.window.epsg == epsg):
            values[:, columns] = _fill(values[:, columns], x, y, tile, maps[tile])
    return Overview(values, extent)


def _fill(
    found: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64], tile: Tile, path: Path
) -> NDArray[Any]:
    w = tile.window
    column = np.floor((x - w.left) / w.resolution).astype(int)
    row = np.floor((w.top - y) / w.resolution).astype(int)
    inside = (column >= 0) & (column < w.width) & (row >= 0) & (row < w.height)
    if inside.any():
        values = read_raster(path, w, w.resolution, found.dtype.name)
        found[inside] = values[row[inside], column[inside]]
    return found


def values_at(
    maps: Mapping[Tile, Path],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    *,
    dtype: str,
    missing: int,
) -> NDArray[Any]:
    """(n,) value of the pixel that holds each point; `missing` where no tile of the point's zone has it."""
    values = np.full(len(lon), missing, dtype=dtype)
    zone = np.array([utm_epsg(x, y) for x, y in zip(lon, lat, strict=True)], dtype=np.int64)
    for epsg in sorted({t.window.epsg for t in maps}):
        here = np.flatnonzero(zone == epsg)
        x, y = transformer(4326, epsg).transform(lon[here], lat[here])
        for tile in (t for t in maps if t.window.epsg == epsg):
            values[here] = _fill(values[here], x, y, tile, maps[tile])
    return values
