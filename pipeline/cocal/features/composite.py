"""Composites: one value per pixel and band for each window of days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.contracts import NO_DATA
from cocal.features.mask import clear_mask
from cocal.features.ordering import STRIP_PIXELS, Ranks, count_time, percent_of, pick, ranks, sort_time
from cocal.features.settings import FeatureSettings, bands_needed

REFLECTANCE_SCALE = 10_000
"""Digital numbers of scenes/1 per reflectance of 1."""


@dataclass(frozen=True)
class Composite:
    """One window's composite: reflectance per band, and how many clear dates made it.

    `bands` float32 (y, x) reflectance by STAC common name, NaN = no clear date; `n_clear` uint16 (y, x);
    `inputs` the ids of the scenes; `simulated` True if any of them is.
    """

    bands: Mapping[str, NDArray[np.float32]]
    n_clear: NDArray[np.uint16]
    inputs: tuple[str, ...] = ()
    simulated: bool = False


def row_strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis that together are the whole, each of about 4,096 pixels."""
    row_pixels = max(1, int(np.prod(shape[1:])))
    rows = max(1, STRIP_PIXELS // row_pixels)
    yield from (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def composite(scenes: xr.Dataset, settings: FeatureSettings, *, reference: bool = False) -> Composite:
    """The composite of all dates in `scenes`: the dates of one window.

    A pixel-date counts if every band of `settings.reflectance_bands` is valid and the mask calls it clear, so
    all bands of a composite speak of the same dates. Percentiles (the median is p50) interpolate linearly
    between the ordered digital numbers, in float32; the mean is the exact sum over the count.

    Parameters
    ----------
    scenes
        scenes/1 with dims (time, y, x), numpy or dask; zero dates are allowed.
    settings
        Mask, composite and the features, which say what bands are needed.
    reference
        Compute with numpy alone; the result is the same to the bit.

    Returns
    -------
    Composite on the same pixels as `scenes`. Where the mask dilates, pixels within `dilate_px` of the edge
    saw only a part of their surroundings: read scenes on `window.expanded(halo_px(settings))`.
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
    return reduce_dates(stacks, clear, settings, reference=reference, inputs=inputs, simulated=simulated)


def empty_composite(settings: FeatureSettings, shape: tuple[int, ...]) -> Composite:
    """The composite of a window in which nothing was acquired: NaN everywhere, `n_clear` 0."""
    missing = {name: np.full(shape, np.nan, dtype=np.float32) for name in settings.reflectance_bands}
    return Composite(missing, np.zeros(shape, dtype=np.uint16))


def reduce_dates(
    stacks: Mapping[str, NDArray[np.uint16]],
    clear: NDArray[np.bool_],
    settings: FeatureSettings,
    *,
    reference: bool = False,
    **origin: Any,
) -> Composite:
    """The composite of (time, ...) uint16 digital numbers over the dates that are `clear`."""
    percent = percent_of(settings.composite)
    if percent is not None and not reference:
        from cocal.features.kernels import percentiles_of_dates  # numba is 60 MB: a download does without

        found, n_clear = percentiles_of_dates(stacks, clear, percent, np.float32(REFLECTANCE_SCALE))
        return Composite(found, n_clear, **origin)
    shape = clear.shape[1:]
    bands = {name: np.empty(shape, dtype=np.float32) for name in stacks}
    n_clear = np.empty(shape, dtype=np.uint16)
    for rows in row_strips(shape):
        there = clear[:, rows]
        count = count_time(there)
        n_clear[rows] = count
        where = None if percent is None else ranks(count, percent, len(there))
        for name, stack in stacks.items():
            bands[name][rows] = _reduce(stack[:, rows], there, count, where)
    return Composite(bands, n_clear, **origin)


def _reduce(
    stack: NDArray[np.uint16], there: NDArray[np.bool_], count: NDArray[np.uint16], where: Ranks | None
) -> NDArray[np.float32]:
    if where is not None:
        return np.asarray(pick(sort_time(stack, there), where) / np.float32(REFLECTANCE_SCALE))
    total = np.zeros(count.shape, dtype=np.uint32)
    for plane, seen in zip(stack, there, strict=True):
        total += plane * seen
    with np.errstate(invalid="ignore"):
        return np.asarray((total / (count * float(REFLECTANCE_SCALE))).astype(np.float32))
