"""A small picture of a large map: class codes on a coarse longitude-latitude raster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.grid import Tile, transformer, utm_epsg


@dataclass(frozen=True)
class Overview:
    """Class codes (y, x) uint8 on a regular grid of degrees; `extent` is west, south, east, north."""

    codes: NDArray[np.uint8]
    extent: tuple[float, float, float, float]


def overview(
    maps: Mapping[Tile, Path], extent: tuple[float, float, float, float], *, longest_px: int = 1100
) -> Overview:
    """The class at the centre of each picture cell: nearest pixel of the tile that owns the point."""
    west, south, east, north = extent
    stretch = np.cos(np.radians((south + north) / 2))
    cell = max((east - west) * stretch, north - south) / longest_px
    width = max(1, round((east - west) * stretch / cell))
    height = max(1, round((north - south) / cell))
    longitude = west + (np.arange(width) + 0.5) * (east - west) / width
    latitude = north - (np.arange(height) + 0.5) * (north - south) / height
    lon, lat = np.meshgrid(longitude, latitude)
    codes = np.zeros((height, width), dtype=np.uint8)
    zone = np.array([utm_epsg(v, (south + north) / 2) for v in longitude])
    for epsg in sorted({t.window.epsg for t in maps}):
        columns = np.flatnonzero(zone == epsg)
        if columns.size == 0:
            continue
        x, y = transformer(4326, epsg).transform(lon[:, columns], lat[:, columns])
        for tile in (t for t in maps if t.window.epsg == epsg):
            codes[:, columns] = _fill(codes[:, columns], x, y, tile, maps[tile])
    return Overview(codes, extent)


def _fill(
    codes: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64], tile: Tile, path: Path
) -> NDArray[np.uint8]:
    w = tile.window
    column = np.floor((x - w.left) / w.resolution).astype(int)
    row = np.floor((w.top - y) / w.resolution).astype(int)
    inside = (column >= 0) & (column < w.width) & (row >= 0) & (row < w.height)
    if inside.any():
        values = read_raster(path, w, w.resolution, "uint8")
        codes[inside] = values[row[inside], column[inside]]
    return codes
