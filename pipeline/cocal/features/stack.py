"""The feature stack: composites of all windows -> variables -> gaps filled -> features by name.

A variable is a band of the composites, or an index computed from the composite's bands (the index of the
composite, not the composite of the index).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cocal.contracts import FEATURES, Period, check_features, check_scenes, grid_coords, window_of
from cocal.errors import InputError
from cocal.features.composites import Composite, composite, empty_composite
from cocal.features.indices import INDICES, compute_index
from cocal.features.names import Feature
from cocal.features.settings import FeatureSettings, FillRule, bands_needed, needs_dem
from cocal.features.terrain import slope_degrees
from cocal.features.windows import centre_days, composite_windows, period_days, select_features
from cocal.grid import Window

Array = NDArray[np.float32]

_STRIP_PIXELS = 4_096
"""Pixels of a strip of rows: bounds the memory, changes no result."""


def row_strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis that together are the whole, each of about 4,096 pixels."""
    row_pixels = max(1, int(np.prod(shape[1:])))
    rows = max(1, _STRIP_PIXELS // row_pixels)
    yield from (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def index(
    scenes: xr.Dataset,
    settings: FeatureSettings,
    period: Period,
    dem: NDArray[Any] | xr.DataArray | None = None,
) -> xr.Dataset:
    """The features of a period from all its scenes: the stage for a notebook.

    Parameters
    ----------
    scenes
        scenes/1 with dims (time, y, x), numpy or dask; dates outside the period are left aside.
    settings
        Mask, windows, composite, features, fill rules.
    period
        First and last day, both included.
    dem
        (y, x) elevation in metres on the pixels of `scenes`, or the same number of pixels more on each side;
        needed for elevation and slope.

    Returns
    -------
    features/1 on the pixels of `scenes`, in memory. Along the edge, clouds outside the array are not known,
    and slope is missing unless `dem` is larger than `scenes`.
    """
    check_scenes(scenes, bands_needed(settings))
    window = window_of(scenes)
    days = scenes["time"].values.astype("datetime64[D]")
    composites = []
    for _, start, end in composite_windows(settings, period):
        within = np.flatnonzero((days >= np.datetime64(start)) & (days <= np.datetime64(end)))
        chosen = (
            composite(scenes.isel(time=within), settings)
            if within.size
            else empty_composite(settings, window.shape)
        )
        composites.append(replace(chosen, inputs=()))
    heights = None if dem is None else np.asarray(dem, np.float32)
    dataset = features_from_composites(composites, settings, period, window, heights)
    dataset.attrs |= {
        "inputs": list(scenes.attrs.get("inputs", [])),
        "simulated": int(scenes.attrs.get("simulated", 0)),
    }
    return dataset


def features_from_composites(
    composites: Sequence[Composite],
    settings: FeatureSettings,
    period: Period,
    window: Window,
    dem: NDArray[Any] | None = None,
) -> xr.Dataset:
    """The features of a period on `window`.

    Parameters
    ----------
    composites
        One for each of `composite_windows(settings, period)`, in that order, all on `window.expanded(n)` for one n.
    settings, period
        As for `index`.
    window
        The pixels wanted.
    dem
        (y, x) elevation in metres on `window.expanded(n)`, n >= 1 for slope without missing edges.

    Returns
    -------
    features/1: `features` float32 (feature, y, x), NaN where nothing tells the value; `n_clear` uint16 (y, x),
    clear dates over the period.

    Raises
    ------
    InputError
        If elevation or slope is asked for and `dem` is None.
    """
    chosen = select_features(settings, period)
    out = np.empty((len(chosen), *window.shape), dtype=np.float32)
    for rows, values in feature_strips(composites, settings, period, window, dem):
        out[:, rows] = values
    mixed = {
        "long_name": "features by name; reflectance and indices unitless, days, metres, degrees",
        "units": "1",
    }
    found = seen_of(composites, settings, window).assign(features=(("feature", "y", "x"), out, mixed))
    return check_features(found.assign_coords(feature=[feature.name for feature in chosen]))


def feature_strips(
    composites: Sequence[Composite],
    settings: FeatureSettings,
    period: Period,
    window: Window,
    dem: NDArray[Any] | None = None,
) -> Iterator[tuple[slice, Array]]:
    """(rows, (feature, y, x) float32) of `features_from_composites`, strip by strip: no array holds the whole block."""
    if needs_dem(settings) and dem is None:
        raise InputError(
            "elevation or slope is asked for", "an elevation model", "none", "state `dem:`, or drop them"
        )
    chosen = select_features(settings, period)
    plan, surfaces = Plan.of(chosen, settings, period), {} if dem is None else _surfaces(chosen, dem, window)
    cropped = [crop(c, window.shape) for c in composites]
    for rows in row_strips(window.shape):
        strip = [{name: values[rows] for name, values in c.bands.items()} for c in cropped]
        found = plan.features(strip)
        for i, surface in surfaces.items():
            found[i] = surface[rows]
        yield rows, found


def seen_of(composites: Sequence[Composite], settings: FeatureSettings, window: Window) -> xr.Dataset:
    """What features/1 holds besides the features: `n_clear` (y, x), clear dates of all composites, and where from."""
    n_clear = np.zeros(window.shape, dtype=np.uint16)
    for one in composites:
        n_clear += _centre(one.n_clear, window.shape)
    described = {"long_name": "number of clear dates in the period", "units": "1"}
    return xr.Dataset(
        {"n_clear": (("y", "x"), n_clear, described)},
        coords=grid_coords(window),
        attrs={
            "contract": FEATURES,
            "cocal_version": metadata.version("cocal"),
            "feature_settings": settings.digest,
            "inputs": list(dict.fromkeys(i for c in composites for i in c.inputs)),
            "simulated": int(any(c.simulated for c in composites)),
        },
    )


def _surfaces(chosen: Sequence[Feature], dem: NDArray[Any], window: Window) -> dict[int, NDArray[Any]]:
    """(y, x) values of the terrain features, by their place among `chosen`."""
    return {
        i: _centre(slope_degrees(dem, window.resolution) if f.name == "slope" else dem, window.shape)
        for i, f in enumerate(chosen)
        if f.is_terrain
    }


@dataclass(frozen=True)
class Wanted:
    """One feature: its place, and its window's place, or the statistic over the windows."""

    place: int
    window: int | None
    statistic: str


@dataclass(frozen=True)
class Plan:
    """What is to be computed of each strip: features by variable and fill rule, so that each course is made once."""

    size: int
    days: list[float]
    length_days: int
    wanted: Mapping[str, Mapping[FillRule, Sequence[Wanted]]]

    @classmethod
    def of(cls, chosen: Sequence[Feature], settings: FeatureSettings, period: Period) -> Plan:
        """The plan of `chosen`; terrain features are not part of it."""
        windows = composite_windows(settings, period)
        position = {window.name: i for i, window in enumerate(windows)}
        wanted: dict[str, dict[FillRule, list[Wanted]]] = {v: {} for v in settings.variables}
        for i, feature in enumerate(chosen):
            if not feature.is_terrain:
                at = None if feature.window is None else position[feature.window]
                rule = settings.find_rule(feature.name) or "none"
                wanted[feature.variable].setdefault(rule, []).append(Wanted(i, at, feature.statistic or ""))
        return cls(len(chosen), centre_days(windows, period), period_days(period), wanted)

    def features(self, composites: Sequence[Mapping[str, Array]]) -> Array:
        """(feature, ...) float32 values from the composites' bands; terrain features are left for the caller to fill.

        Only one variable's windows are in memory at a time.
        """
        # numba is 60 MB: a download does without
        from cocal.features.kernels import copy_values
        from cocal.features.statistics import WindowStatistics, fill_gaps

        shape = next(iter(composites[0].values())).shape
        out = np.empty((self.size, int(np.prod(shape))), dtype=np.float32)
        bands = {
            name: np.stack([own[name] for own in composites]).reshape(len(composites), -1)
            for name in composites[0]
        }
        for variable, rules in self.wanted.items():
            series = variable_of(bands, variable)
            for rule, features in rules.items():
                filled = fill_gaps(series, self.days, rule)
                statistics = WindowStatistics(filled, self.days, self.length_days)
                for one in features:
                    value = statistics.statistic(one.statistic) if one.window is None else filled[one.window]
                    copy_values(value, out[one.place])
        return out.reshape(self.size, *shape)


def variable_of(bands: Mapping[str, Array], variable: str) -> Array:
    """A band, an index computed from its bands, or, where a band is not there, the index as supplied."""
    if variable in INDICES and all(band in bands for band in INDICES[variable].bands):
        return compute_index(variable, bands)
    return bands[variable]


def crop(wide: Composite, shape: tuple[int, ...]) -> Composite:
    """The middle `shape` (height, width) of a composite that has the same margin on each side."""
    bands = {name: _centre(values, shape) for name, values in wide.bands.items()}
    return replace(wide, bands=bands, n_clear=_centre(wide.n_clear, shape))


def _centre(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    margins = {(have - want) / 2 for have, want in zip(array.shape, shape, strict=True)}
    margin = margins.pop()
    if margins or margin < 0 or margin % 1:
        raise ValueError(f"an array of {array.shape} is not a window of {shape} with one margin on all sides")
    top = int(margin)
    return array[top : top + shape[0], top : top + shape[1]]
