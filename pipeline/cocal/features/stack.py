"""The features of rasters: composites of all windows -> variables -> gaps filled -> features by name.

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
from cocal.features.composites import Composite, composite
from cocal.features.indices import INDICES, compute_index
from cocal.features.names import Feature
from cocal.features.settings import FeatureSettings, FillRule, bands_needed, needs_dem
from cocal.features.terrain import slope_degrees
from cocal.features.windows import (
    centre_days,
    composite_windows,
    dates_by_window,
    period_days,
    select_features,
)
from cocal.grid import Window

Array = NDArray[np.float32]

STRIP_PIXELS = 4_096
"""Pixels of a strip of rows: bounds the memory, changes no result."""


def index(
    scenes: xr.Dataset,
    settings: FeatureSettings,
    period: Period,
    dem: NDArray[Any] | xr.DataArray | None = None,
) -> xr.Dataset:
    """The features of a period from all its scenes, in one call.

    Parameters
    ----------
    scenes
        scenes/1 with dims (time, y, x), numpy or dask; dates outside the period are not used.
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

    Raises
    ------
    ContractError
        `scenes` is not scenes/1, or lacks a band that `settings` need.
    ConfigError
        The features do not fit the period.
    InputError
        A feature is elevation or slope, and `dem` is None.

    Examples
    --------
    See "Scenes and features" in docs/api.md.
    """
    check_scenes(scenes, bands_needed(settings))
    window = window_of(scenes)
    composites = [
        replace(composite(scenes.isel(time=dates), settings), inputs=())
        for dates in dates_by_window(scenes["time"].values, settings, period)
    ]
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
    """features/1 of a period on `window`, from its composites.

    `composites`: one for each of `composite_windows(settings, period)`, in that order, and `dem`: (y, x)
    elevation in metres; all on `window.expanded(n)` for one n, n >= 1 for slope without missing edges.
    The rest is as for `index`.

    Raises
    ------
    InputError
        A feature is elevation or slope, and `dem` is None.
    """
    names = [feature.name for feature in select_features(settings, period)]
    out = np.empty((len(names), *window.shape), dtype=np.float32)
    for rows, values in feature_strips(composites, settings, period, window, dem):
        out[:, rows] = values
    described = {
        "long_name": "features by name; reflectance and indices unitless, days, metres, degrees",
        "units": "1",
    }
    found = seen_of(composites, settings, window).assign(features=(("feature", "y", "x"), out, described))
    return check_features(found.assign_coords(feature=names))


def feature_strips(
    composites: Sequence[Composite],
    settings: FeatureSettings,
    period: Period,
    window: Window,
    dem: NDArray[Any] | None = None,
) -> Iterator[tuple[slice, Array]]:
    """(rows, (feature, y, x) float32) of `features_from_composites`: no array holds the whole block."""
    if needs_dem(settings) and dem is None:
        raise InputError(
            "`features` has elevation or slope", "an elevation model", "none", "state `dem:`, or drop them"
        )
    plan = FeaturePlan.of(settings, period)
    terrain = {
        i: _centre(slope_degrees(dem, window.resolution) if f.name == "slope" else dem, window.shape)
        for i, f in enumerate(plan.features)
        if dem is not None and f.is_terrain
    }
    cropped = [{name: _centre(v, window.shape) for name, v in c.bands.items()} for c in composites]
    for rows in row_strips(window.shape):
        values = plan.compute([{name: v[rows] for name, v in bands.items()} for bands in cropped])
        for i, heights in terrain.items():
            values[i] = heights[rows]
        yield rows, values


def row_strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of the first axis that together are the whole, each of about `STRIP_PIXELS` pixels."""
    rows = max(1, STRIP_PIXELS // max(1, int(np.prod(shape[1:]))))
    yield from (slice(top, min(top + rows, shape[0])) for top in range(0, shape[0], rows))


def seen_of(composites: Sequence[Composite], settings: FeatureSettings, window: Window) -> xr.Dataset:
    """features/1 without the features: coords, attributes, `n_clear` (y, x) clear dates of all composites."""
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


@dataclass(frozen=True)
class FeaturePlan:
    """The features of a period, grouped so that each variable is computed and filled once.

    `groups`: variable -> fill rule -> (position among `features`, feature); terrain features are in none.
    """

    features: list[Feature]
    windows: list[str]
    days: list[float]
    length_days: int
    groups: Mapping[str, Mapping[FillRule, Sequence[tuple[int, Feature]]]]

    @classmethod
    def of(cls, settings: FeatureSettings, period: Period) -> FeaturePlan:
        features, windows = select_features(settings, period), composite_windows(settings, period)
        groups: dict[str, dict[FillRule, list[tuple[int, Feature]]]] = {v: {} for v in settings.variables}
        for i, feature in enumerate(features):
            if not feature.is_terrain:
                rule = settings.find_rule(feature.name) or "none"
                groups[feature.variable].setdefault(rule, []).append((i, feature))
        names = [window.name for window in windows]
        return cls(features, names, centre_days(windows, period), period_days(period), groups)

    def compute(self, composites: Sequence[Mapping[str, Array]]) -> Array:
        """(feature, ...) float32 from each window's bands; terrain features are not set.

        Only one variable's windows are in memory at a time.
        """
        # numba is 60 MB: a download does without
        from cocal.features.kernels import copy_values
        from cocal.features.statistics import WindowStatistics, fill_gaps

        shape = next(iter(composites[0].values())).shape
        out = np.empty((len(self.features), int(np.prod(shape))), dtype=np.float32)
        bands = {
            name: np.stack([own[name] for own in composites]).reshape(len(composites), -1)
            for name in composites[0]
        }
        for variable, rules in self.groups.items():
            # Where a table lacks a band, the index itself is among its bands.
            computed = variable in INDICES and all(band in bands for band in INDICES[variable].bands)
            series = compute_index(variable, bands) if computed else bands[variable]
            for rule, features in rules.items():
                filled = fill_gaps(series, self.days, rule)
                statistics = WindowStatistics(filled, self.days, self.length_days)
                for i, feature in features:
                    if feature.statistic is None:
                        value = filled[self.windows.index(feature.window or "")]
                    else:
                        value = statistics.statistic(feature.statistic)
                    copy_values(value, out[i])
        return out.reshape(-1, *shape)


def _centre(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The middle `shape` (height, width) of an array that has the same margin on each side."""
    margins = {(have - want) / 2 for have, want in zip(array.shape, shape, strict=True)}
    margin = margins.pop()
    if margins or margin < 0 or margin % 1:
        raise ValueError(f"an array of {array.shape} is not a window of {shape} with one margin on all sides")
    top = int(margin)
    return array[top : top + shape[0], top : top + shape[1]]
