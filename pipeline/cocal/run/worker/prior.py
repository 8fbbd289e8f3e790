"""How probable the target is before the images are looked at, pixel by pixel, from an earlier map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cocal.classify.settings import PriorSettings
from cocal.contracts import NO_DATA
from cocal.grid import Window
from cocal.rasters import codes_at

EARLIER_MAP = "earlier map"


def prior_of(window: Window, settings: PriorSettings) -> NDArray[np.float64]:
    """(y, x) prior probability of the target; each pixel takes the earlier map's pixel that holds its centre.

    Raises
    ------
    InputError
        The map is no readable, georeferenced raster of codes.
    """
    if settings.map is None:
        return np.full(window.shape, settings.elsewhere)
    codes = codes_at(settings.map, EARLIER_MAP, window.epsg, np.meshgrid(window.x, window.y), NO_DATA)
    return np.select(
        [codes == NO_DATA, codes == settings.code],
        [float(settings.unseen or 0), float(settings.where_mapped or 0)],
        settings.elsewhere,
    )
