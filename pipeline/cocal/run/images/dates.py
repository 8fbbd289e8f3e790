"""The dates of a place as small pictures, each with its share of cloud; the period's median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.archive import Scene, list_scenes, read_scenes, scenes_within
from cocal.config import RunConfig
from cocal.contracts import NO_DATA, SCL_CLASSES
from cocal.features import FeatureSettings, MaskSettings, bands_needed, clear_mask, composite, halo_px
from cocal.grid import Window
from cocal.run.images.colours import Shown, common_bands

MASK = MaskSettings(
    clear=("dark", "vegetation", "bare", "water", "unclassified"),
    dilate=("cloud_shadow", "cloud_medium", "cloud_high", "cirrus"),
    dilate_px=2,
)
"""What is clear where a run states no mask: all but cloud, shadow, snow and saturated pixels."""

_SCALE = np.float32(10_000)


@dataclass(frozen=True)
class RunImages:
    """The scenes that a run's archive holds, and the mask by which the run judges what is clear."""

    scenes: tuple[Scene, ...]
    mask: MaskSettings

    @property
    def bands(self) -> set[str]:
        """The bands that all scenes have."""
        return common_bands(self.scenes)

    def within(self, window: Window, start: date, end: date) -> list[Scene]:
        """The scenes that touch `window` on a day from `start` to `end`."""
        return scenes_within(self.scenes, window, start, end)


def run_images(config: RunConfig) -> RunImages:
    """The images of a run.

    Raises
    ------
    UsageError
        The run has no archive.
    DamagedError
        A scene of the archive is damaged.
    """
    mask = config.index.mask if config.index else None
    return RunImages(tuple(list_scenes(config.require_archive())), mask or MASK)


@dataclass(frozen=True)
class Chips:
    """The dates of a place. `pixels` (day, y, x, 3); `cloud` (day,) share of the pixels with data that are
    not clear, NaN where none has data; `seen` (day,) share of the pixels that have data.
    """

    days: tuple[date, ...]
    pixels: NDArray[np.uint8]
    cloud: NDArray[np.float64]
    seen: NDArray[np.float64]


@dataclass(frozen=True)
class Looks:
    """The dates of a place. `bands`: name -> (day, y, x) reflectance, NaN = no data; `clear` (day, y, x): by
    the mask, None where it is not known; `cloud` and `seen`: as those of `Chips`.
    """

    days: tuple[date, ...]
    bands: Mapping[str, NDArray[np.float32]]
    clear: NDArray[np.bool_] | None
    cloud: NDArray[np.float64]
    seen: NDArray[np.float64]


def looks(scenes: Sequence[Scene], window: Window, bands: Sequence[str], mask: MaskSettings | None) -> Looks:
    """What was seen of `window` on every day of those `scenes` that touch it; scenes of one day are one.

    Raises
    ------
    InputError
        A scene lacks a band.
    SceneReadError
        A file is missing or truncated.
    """
    scenes, names = _touching(scenes, window), [*dict.fromkeys(bands)]
    if not scenes:
        none = np.empty((0, *window.shape), dtype=np.float32)
        return Looks((), dict.fromkeys(names, none), None, np.empty(0), np.empty(0))
    quality = _quality(scenes, mask)
    outer = window.expanded(mask.dilate_px if quality and mask else 0)
    cube = read_scenes(scenes, outer, [*names, *quality], window)
    rows, columns = outer.slices_of(window)
    found = {name: cube[name].values[:, rows, columns] for name in names}
    days = tuple(date.fromisoformat(str(day)[:10]) for day in cube["time"].values)
    has_data = ~np.logical_or.reduce([values == NO_DATA for values in found.values()])
    clear, cloud = None, np.full(len(days), np.nan)
    if quality and mask:
        clear = clear_mask(cube["scl"].values, mask, _offered(cube))[:, rows, columns]
        known = cube["scl"].values[:, rows, columns] != SCL_CLASSES.index("nodata")
        cloud = cloud_share(clear, known & has_data)
    return Looks(days, as_reflectance(found), clear, cloud, has_data.mean(axis=(1, 2)))


def chips(scenes: Sequence[Scene], window: Window, shown: Shown, mask: MaskSettings | None) -> Chips:
    """Pictures of `window` on the days of `looks`, and how much cloud each has.

    Without a mask, or without a scene class in the archive, the share of cloud is not known (NaN).

    Raises
    ------
    InputError, SceneReadError
        As `looks`.
    """
    found = looks(scenes, window, shown.bands, mask)
    return Chips(found.days, shown.colours(found.bands), found.cloud, found.seen)


def chip(scenes: Sequence[Scene], window: Window, shown: Shown) -> NDArray[np.uint8]:
    """(y, x, 3) picture of `window` of the scenes of one day; `MISSING` where there is none."""
    found = chips(scenes, window, shown, None)
    if len(found.days) > 1:
        raise ValueError("scenes of one day are wanted")
    return found.pixels[0] if found.days else shown.colours(_nothing(window, shown))


def cloud_share(clear: NDArray[np.bool_], has_data: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(time,) share of the pixels (time, y, x) with data that are not clear; NaN where none has data.

    Examples
    --------
    >>> clear = np.array([[[True, False]], [[True, True]], [[False, False]]])
    >>> data = np.array([[[True, True]], [[True, False]], [[False, False]]])
    >>> cloud_share(clear, data).tolist()
    [0.5, 0.0, nan]
    """
    hidden, known = (~clear & has_data).sum(axis=(1, 2)), has_data.sum(axis=(1, 2))
    return np.where(known > 0, hidden / np.maximum(known, 1), np.nan)


def median_bands(
    scenes: Sequence[Scene], window: Window, shown: Shown, mask: MaskSettings | None
) -> Mapping[str, NDArray[np.float32]]:
    """(y, x) reflectance of the bands of `shown`: the median of the clear dates; NaN = never clear.

    Raises
    ------
    InputError, SceneReadError
        As `chips`.
    """
    scenes = _touching(scenes, window)
    settings = FeatureSettings(
        mask=mask if _quality(scenes, mask) else None,
        windows="season",
        composite="median",
        features=tuple(f"{band}.median" for band in sorted({*shown.bands})),
        fill={"*": "none"},
    )
    if not scenes:
        return _nothing(window, shown)
    outer = window.expanded(halo_px(settings))
    rows, columns = outer.slices_of(window)
    found = composite(read_scenes(scenes, outer, bands_needed(settings), window), settings).bands
    return {name: found[name][rows, columns] for name in shown.bands}


def _touching(scenes: Sequence[Scene], window: Window) -> list[Scene]:
    return [s for s in scenes if s.window.intersection(window) is not None]


def _nothing(window: Window, shown: Shown) -> dict[str, NDArray[np.float32]]:
    return {name: np.full(window.shape, np.nan, dtype=np.float32) for name in shown.bands}


def as_reflectance(bands: Mapping[str, NDArray[np.uint16]]) -> dict[str, NDArray[np.float32]]:
    """Digital numbers of scenes/1 as reflectance, NaN where there is no data."""
    return {
        name: np.where(v == NO_DATA, np.float32(np.nan), v.astype(np.float32) / _SCALE)
        for name, v in bands.items()
    }


def _quality(scenes: Sequence[Scene], mask: MaskSettings | None) -> list[str]:
    """The variables that the mask needs; none where the scenes do not offer them."""
    needed = [] if mask is None else ["scl"]
    if mask is not None and mask.max_cloud_probability is not None:
        needed.append("cloud_probability")
    return needed if {*needed} <= common_bands(scenes) else []


def _offered(cube: xr.Dataset) -> NDArray[np.uint8] | None:
    return cube["cloud_probability"].values if "cloud_probability" in cube else None
