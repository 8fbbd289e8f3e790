"""Which pixels are clear on a date, from the scene classification (SCL) and the cloud probability."""

from __future__ import annotations

from math import isqrt
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cocal.contracts import SCL_CLASSES
from cocal.features.names import unknown
from cocal.settings import Settings

NOT_OFFERED = 255
"""`cloud_probability` where the source has none; such pixels are judged by their class alone."""


class MaskSettings(Settings):
    """Which pixels count as clear."""

    clear: tuple[str, ...] = Field(min_length=1, description="SCL classes that are clear")
    dilate: tuple[str, ...] = Field(description="SCL classes whose surroundings are not clear either")
    dilate_px: int = Field(ge=0, le=200, description="radius of those surroundings, in pixels")
    max_cloud_probability: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="percent; a pixel above it is a cloud, and is dilated like one"
    )

    @model_validator(mode="after")
    def _consistent(self) -> MaskSettings:
        named = (*self.clear, *self.dilate)
        problems = [unknown("SCL class", name, SCL_CLASSES) for name in named if name not in SCL_CLASSES]
        if "nodata" in named:
            problems.append("'nodata' is neither clear nor a cloud: take it out of `clear` and `dilate`")
        if both := sorted(set(self.clear) & set(self.dilate)):
            problems.append(f"in `clear` and in `dilate`: {', '.join(both)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def dilate(flags: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """(y, x) True where a True of `flags` lies within `radius` pixels, centre to centre (Euclidean).

    The disc is built row by row: from its tip to its middle the rows widen, so each shift is made once.
    Pixels beyond the edge of the array count as False.
    """
    out, wide, reach = flags.copy(), flags.copy(), 0
    for rise in range(radius, -1, -1):
        half = isqrt(radius * radius - rise * rise)
        while reach < half:
            reach += 1
            wide[:, reach:] |= flags[:, :-reach]
            wide[:, :-reach] |= flags[:, reach:]
        if rise == 0:
            out |= wide
        else:
            out[rise:] |= wide[:-rise]
            out[:-rise] |= wide[rise:]
    return out


def is_one_of(scl: NDArray[np.uint8], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(...) True where the SCL class is one of `names`."""
    out = np.zeros(scl.shape, dtype=bool)
    for name in names:  # a comparison for each is five times as fast as a look-up table
        out |= scl == SCL_CLASSES.index(name)
    return out


def clear_mask(
    scl: NDArray[np.uint8], settings: MaskSettings, cloud_probability: NDArray[np.uint8] | None = None
) -> NDArray[np.bool_]:
    """(time, y, x) True where the ground is visible.

    Parameters
    ----------
    scl
        (time, y, x) uint8 scene class, 0 = no data. No data is not clear, and is not dilated.
    settings
        Clear classes, classes to dilate and how far.
    cloud_probability
        (time, y, x) uint8 percent, 255 = not offered; needed if `settings` limit it.

    Returns
    -------
    True where the class is a clear one, the probability is not above the limit, and no pixel of a class to
    dilate (or above the limit) lies within `dilate_px`. Clouds beyond the array's edge are not known: pixels
    within `dilate_px` of it may be wrongly True.
    """
    clear, spreads = is_one_of(scl, settings.clear), is_one_of(scl, settings.dilate)
    if settings.max_cloud_probability is not None:
        if cloud_probability is None:
            raise ValueError("max_cloud_probability is set, but no cloud_probability is given")
        cloudy = (cloud_probability > settings.max_cloud_probability) & (cloud_probability != NOT_OFFERED)
        spreads |= cloudy & (scl != SCL_CLASSES.index("nodata"))
    for plane, cloud in zip(clear, spreads, strict=True):
        if cloud.any():
            plane &= ~dilate(cloud, settings.dilate_px)
    return np.asarray(clear)
