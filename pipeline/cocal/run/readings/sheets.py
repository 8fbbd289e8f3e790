"""What a reader sees of a point: the dates of the period as pictures, and the curve of an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.features import INDICES, compute_index
from cocal.grid import RESOLUTION_M, Window
from cocal.run.images import Looks, Shown, looks, marked, run_images, shown_of
from cocal.run.readings.campaign import Campaign

SIDE_PX = 65
"""Side of a picture; the assessment pixel is the one in the middle."""

PICTURES, INDEX = ("true", "false", "infrared"), "NDVI"
MOST_CLOUD = 0.9
"""Dates with more cloud around the point are left out, and counted."""


@dataclass(frozen=True)
class Sheet:
    """`facts` for JSON: side, days (day, cloud, value of the index), how many were left out. `pictures`:
    name -> (y, x, 3), the days side by side.
    """

    facts: Mapping[str, Any]
    pictures: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class SheetMaker:
    """Makes the sheets of a campaign's items."""

    campaign: Campaign

    @cached_property
    def _images(self) -> Any:
        return run_images(self.campaign.run.config)

    @cached_property
    def shown(self) -> tuple[Shown, ...]:
        """The two pictures that the archive's bands allow.

        Raises
        ------
        InputError
            They allow none.
        """
        bands = self._images.bands
        found = [shown_of(name) for name in PICTURES]
        able = tuple(s for s in found if {*s.bands} <= bands)[:2]
        if not able:
            raise InputError(
                f"no pictures of {self.campaign.period.name} can be made",
                "scenes with " + ", or ".join(", ".join(s.bands) for s in found),
                f"bands of all scenes: {', '.join(sorted(bands)) or 'none'}", "import these bands",
            )  # fmt: skip
        return able

    def sheet(self, item: str) -> Sheet:
        """The sheet of one item.

        Raises
        ------
        InputError, SceneReadError
            As `looks`.
        """
        point, period = self.campaign.points[item], self.campaign.period
        pixel = Window(int(point.epsg), round(point.x - 5), round(point.y + 5), 1, 1, RESOLUTION_M)
        window = pixel.expanded(SIDE_PX // 2)
        bands = [band for shown in self.shown for band in shown.bands]
        index = INDICES[INDEX].bands if {*INDICES[INDEX].bands} <= self._images.bands else ()
        scenes = self._images.within(window, period.start, period.end)
        found = looks(scenes, window, [*bands, *index], self._images.mask)
        use = np.flatnonzero((found.seen > 0) & ~(found.cloud > MOST_CLOUD))
        values = _curve(found) if index else np.full(len(found.days), np.nan)
        days = [
            {"day": str(found.days[i]), "cloud": _number(found.cloud[i], 2), "value": _number(values[i], 3)}
            for i in use
        ]
        facts = {
            "side": SIDE_PX, "days": days, "left_out": len(found.days) - len(use),
            "index": INDEX if index else None,
        }  # fmt: skip
        return Sheet(facts, {s.name: _row(s, found, use) for s in self.shown})


def _row(shown: Shown, found: Looks, use: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(y, x, 3) the days side by side, the assessment pixel framed; of no day one empty picture."""
    pixels = shown.colours({name: found.bands[name][use] for name in shown.bands})
    if not len(use):
        return np.full((SIDE_PX, SIDE_PX, 3), 255, dtype=np.uint8)
    return np.concatenate([marked(picture) for picture in pixels], axis=1)


def _curve(found: Looks) -> NDArray[np.float64]:
    """(day,) the index of the assessment pixel, NaN where it was not clear."""
    middle = SIDE_PX // 2
    pixel = {name: values[:, middle, middle] for name, values in found.bands.items()}
    values = compute_index(INDEX, {name: pixel[name] for name in INDICES[INDEX].bands}).astype(np.float64)
    return values if found.clear is None else np.where(found.clear[:, middle, middle], values, np.nan)


def _number(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)
