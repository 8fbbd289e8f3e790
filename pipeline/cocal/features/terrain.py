"""Elevation and slope from a supplied elevation model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.errors import InputError
from cocal.grid import Window, transformer


def slope_degrees(dem: NDArray[Any], resolution: float) -> NDArray[np.float32]:
    """(y, x) float32 slope in degrees, 0 = level, by Horn's weighted differences over 3 x 3 pixels.

    Horn 1981, Hill shading and the reflectance map, doi:10.1109/PROC.1981.11918.

    Parameters
    ----------
    dem
        (y, x) elevation in metres, NaN = missing.
    resolution
        Pixel side in metres.

    Returns
    -------
    NaN where one of the nine pixels is missing, and so along the array's edge: give one pixel more per side.
    """
    out = np.full(dem.shape, np.nan, dtype=np.float32)
    if min(dem.shape) < 3:
        return out
    z = dem.astype(np.float64)
    nw, n, ne = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    w, e = z[1:-1, :-2], z[1:-1, 2:]
    sw, s, se = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    eastward = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * resolution)
    northward = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / (8 * resolution)
    missing = np.isnan(z[1:-1, 1:-1])
    slope = np.degrees(np.arctan(np.sqrt(eastward * eastward + northward * northward)))
    out[1:-1, 1:-1] = np.where(missing, np.nan, slope)
    return out


def read_dem(path: str | Path, window: Window) -> NDArray[np.float32]:
    """(y, x) float32 elevation in metres at the pixel centres of `window`, NaN outside the model.

    Each centre is projected on its own and the four elevations around it are weighted bilinearly, so a pixel
    has the same value in every window that holds it. (A raster warper approximates the projection over its
    chunks, and its values depend on them.) A model finer than the window is sampled, not averaged.

    Raises
    ------
    InputError
        The file cannot be read, or has no coordinate reference system.
    """
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise InputError(
                    f"elevation model {path}", "a CRS", "none", "give it one, for instance with gdal_edit"
                )
            x, y = transformer(window.epsg, source.crs.to_wkt()).transform(*np.meshgrid(window.x, window.y))
            t = ~source.transform
            row, column = t.d * x + t.e * y + t.f - 0.5, t.a * x + t.b * y + t.c - 0.5
            return _bilinear(source, row, column)
    except RasterioError as err:
        raise InputError(f"elevation model {path}", "a readable raster", str(err), "correct `dem:`") from err


def _bilinear(source: Any, row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float32]:
    """Elevation at positions counted from the centre of the source's first pixel, NaN outside the source."""
    out = np.full(row.shape, np.nan, dtype=np.float32)
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    r0, r1 = max(0, int(top.min())), min(source.height, int(top.max()) + 2)
    c0, c1 = max(0, int(left.min())), min(source.width, int(left.max()) + 2)
    if r0 >= r1 or c0 >= c1:
        return out
    part = rasterio.windows.Window.from_slices((r0, r1), (c0, c1))
    z = source.read(1, window=part, masked=True).astype(np.float64).filled(np.nan)
    down, right = row - top, column - left
    total = np.zeros(row.shape)
    for i, weight_y in ((0, 1 - down), (1, down)):
        for j, weight_x in ((0, 1 - right), (1, right)):
            weight = weight_y * weight_x
            rr, cc = top + i - r0, left + j - c0
            inside = (rr >= 0) & (rr < z.shape[0]) & (cc >= 0) & (cc < z.shape[1])
            value = np.full(row.shape, np.nan)
            value[inside] = z[rr[inside], cc[inside]]
            total += np.where(weight == 0, 0.0, weight * value)
    return np.asarray(total.astype(np.float32))
