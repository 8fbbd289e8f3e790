"""How probable the target is before the images are looked at, pixel by pixel, from an earlier map."""

from __future__ import annotations

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.archive import values_at_centres
from cocal.classify.settings import PriorSettings
from cocal.contracts import NO_DATA
from cocal.errors import InputError
from cocal.grid import Window


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
    try:
        with rasterio.open(settings.map) as source:
            if source.crs is None:
                raise InputError(f"earlier map {settings.map}", "a CRS", "none", "give it one")
            return values_at_centres(source, window, NO_DATA)
    except RasterioError as err:
        raise InputError(
            f"earlier map {settings.map}", "a readable raster", str(err), "correct `classify.prior.map`"
        ) from err
