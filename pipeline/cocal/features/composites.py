"""Composites: one value per pixel and band for each window of days."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.contracts import NO_DATA
from cocal.features.mask import clear_mask
from cocal.features.names import percent_of
from cocal.features.settings import FeatureSettings, bands_needed

REFLECTANCE_SCALE = 10_000
"""Digital numbers of scenes/1 per reflectance of 1."""


@dataclass(frozen=True)
class Composite:
    """One window's composite.

    `bands`: float32 (y, x) reflectance by STAC common name, NaN = no clear date; `n_clear`: uint16 (y, x)
    clear dates; `inputs`: ids of the scenes; `simulated`: True if any of them is.
    """

    bands: Mapping[str, NDArray[np.float32]]
    n_clear: NDArray[np.uint16]
    inputs: tuple[str, ...] = ()
    simulated: bool = False


def composite(scenes: xr.Dataset, settings: FeatureSettings) -> Composite:
    """Reflectance per band, and the number of clear dates, of all dates in `scenes`: those of one window.

    A pixel counts on a date if every band of `settings.reflectance_bands` is valid and the mask is clear, so
    all bands of a composite are of the same dates. Percentiles (the median is p50) interpolate linearly
    between the ordered digital numbers, in float32; the mean is the exact sum over the count.

    Parameters
    ----------
    scenes
        scenes/1 with dims (time, y, x), numpy or dask; zero dates are allowed.
    settings
        Mask, composite, and the features, which determine the bands.

    Returns
    -------
    Composite on the same pixels as `scenes`. Where the mask dilates, clouds beyond the edge are not known:
    read scenes on `window.expanded(halo_px(settings))`.

    Examples
    --------
    See "Scenes and features" in docs/api.md.
    """
    names = list(bands_needed(settings))
    scenes = scenes[names].load() if any(scenes[n].chunks for n in names) else scenes[names]
    stacks = {name: scenes[name].values for name in settings.reflectance_bands}
    clear = np.ones(next(iter(stacks.values())).shape, dtype=bool)
    if settings.mask is not None:
        offered = scenes["cloud_probability"].values if "cloud_probability" in names else None
        clear = clear_mask(scenes["scl"].values, settings.mask, offered)
    for stack in stacks.values():
        clear &= stack != NO_DATA
    inputs = tuple(str(i) for i in scenes.attrs.get("inputs", ()))
    simulated = bool(scenes.attrs.get("simulated"))
    return reduce_dates(stacks, clear, settings, inputs=inputs, simulated=simulated)


def empty_composite(settings: FeatureSettings, shape: tuple[int, ...]) -> Composite:
    """The composite of a window without scenes: NaN everywhere, `n_clear` 0."""
    missing = {name: np.full(shape, np.nan, dtype=np.float32) for name in settings.reflectance_bands}
    return Composite(missing, np.zeros(shape, dtype=np.uint16))


def reduce_dates(
    stacks: Mapping[str, NDArray[np.uint16]],
    clear: NDArray[np.bool_],
    settings: FeatureSettings,
    **origin: Any,
) -> Composite:
    """The composite of (time, ...) uint16 digital numbers over the dates that are `clear`."""
    from cocal.features import kernels  # numba is 60 MB: a download does without

    dates, shape, percent = len(clear), clear.shape[1:], percent_of(settings.composite)
    n, bands = math.prod(shape), {}
    present, count = np.ascontiguousarray(clear).reshape(dates, n), np.empty(n, dtype=np.uint16)
    kernels.count_present(present, count)
    if percent is None:
        for name, stack in stacks.items():
            total = np.zeros(shape, dtype=np.uint32)
            for numbers, seen in zip(stack, clear, strict=True):
                total += numbers * seen
            with np.errstate(invalid="ignore"):
                mean = total / (count.reshape(shape) * float(REFLECTANCE_SCALE))
            bands[name] = mean.astype(np.float32)
        return Composite(bands, count.reshape(shape), **origin)
    table, scale = kernels.rank_table(percent, dates), np.float32(REFLECTANCE_SCALE)
    low, high = np.empty((2, n), dtype=np.uint16)
    weight, absent = np.empty((2, n), dtype=np.float32)
    kernels.look_up(count, table.low, low)
    kernels.look_up(count, table.high, high)
    kernels.look_up(count, table.weight, weight)
    kernels.look_up(count, table.absent, absent)
    for name, stack in stacks.items():
        numbers, out = np.ascontiguousarray(stack).reshape(dates, n), np.empty(n, dtype=np.float32)
        kernels.percentile_of_dates(
            numbers, present, kernels.comparators(dates), low, high, weight, absent, scale, out
        )
        bands[name] = out.reshape(shape)
    return Composite(bands, count.reshape(shape), **origin)
