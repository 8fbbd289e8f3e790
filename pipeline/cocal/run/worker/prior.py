"""How probable the target is before the images are looked at, pixel by pixel, from an earlier map."""

from __future__ import annotations

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.classify.settings import PriorSettings
from cocal.contracts import NO_DATA
from cocal.errors import InputError
from cocal.grid import Window, transformer


def prior_of(window: Window, settings: PriorSettings) -> NDArray[np.float64]:
    """(y, x) prior probability of the target; each pixel takes the earlier map's pixel that holds its centre.

    Raises
    ------
    InputError
        The map cannot be read, or has no coordinate reference system.
    """
    if settings.map is None:
        return np.full(window.shape, settings.elsewhere)
    codes = _codes(window, settings)
    return np.select(
        [codes == NO_DATA, codes == settings.code],
        [float(settings.unseen or 0), float(settings.where_mapped or 0)],
        settings.elsewhere,
    )


def _codes(window: Window, settings: PriorSettings) -> NDArray[np.int64]:
    out = np.full(window.shape, NO_DATA, dtype=np.int64)
    try:
        with rasterio.open(settings.map) as source:
            if source.crs is None:
                raise InputError(f"earlier map {settings.map}", "a CRS", "none", "give it one")
            to_pixel = ~source.transform
            x, y = transformer(window.epsg, source.crs.to_wkt()).transform(*np.meshgrid(window.x, window.y))
            column = np.floor(to_pixel.a * x + to_pixel.b * y + to_pixel.c).astype(np.int64)
            row = np.floor(to_pixel.d * x + to_pixel.e * y + to_pixel.f).astype(np.int64)
            inside = (row >= 0) & (row < source.height) & (column >= 0) & (column < source.width)
            if inside.any():
                top, left = int(row[inside].min()), int(column[inside].min())
                ends = (top, int(row[inside].max()) + 1), (left, int(column[inside].max()) + 1)
                part = source.read(1, window=rasterio.windows.Window.from_slices(*ends), masked=True)
                out[inside] = part.filled(NO_DATA)[row[inside] - top, column[inside] - left]
    except RasterioError as err:
        raise InputError(
            f"earlier map {settings.map}", "a readable raster", str(err), "mend `classify.prior.map`"
        ) from err
    return out
