"""Features of time series: the same functions as for rasters, with one sample in place of a pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cocal.contracts import SCL_CLASSES, Period
from cocal.errors import InputError
from cocal.features.composites import REFLECTANCE_SCALE, reduce_dates
from cocal.features.indices import INDICES
from cocal.features.mask import is_one_of
from cocal.features.settings import FeatureSettings
from cocal.features.stack import FeaturePlan
from cocal.features.windows import dates_by_window

Array = NDArray[np.float32]


def series_features(series: xr.Dataset, settings: FeatureSettings, period: Period) -> pd.DataFrame:
    """A table (sample x feature, float32) of the features of time series.

    An index is computed from its bands where the series have them all; else a variable of the index's own
    name is composited as it is. Reflectance is first rounded to the digital numbers of scenes/1 (x 10000, 1
    to 65535), so that a model is trained on the values that rasters have.

    Parameters
    ----------
    series
        Dims (time, sample): reflectance 0 to 1 by STAC common name, or indices by their name, NaN = missing;
        `scl` (time, sample) if the mask is to be applied (samples have no neighbours, so nothing is dilated),
        else every value counts as clear. `elevation`, `slope` (sample) if `settings` have them.
    settings, period
        As for rasters; dates outside the period are not used.

    Raises
    ------
    InputError
        Names every variable that is neither present nor can be computed.
    ConfigError
        The features do not fit the period.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np, xarray as xr
    >>> from cocal import FeatureSettings, Period, series_features
    >>> series = xr.Dataset(
    ...     {"red": (("time", "sample"), [[0.04]]), "nir": (("time", "sample"), [[0.36]])},
    ...     coords={"time": np.array(["2024-05-01"], "datetime64[ns]"), "sample": ["green"]},
    ... )
    >>> settings = FeatureSettings(
    ...     mask=None, windows="season", composite="median", features=("NDVI@season",), fill={"*": "none"}
    ... )
    >>> year = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
    >>> table = series_features(series, settings, year)
    >>> print(f"{table.loc['green', 'NDVI@season']:.3f}")
    0.800
    """
    plan, (bands, supplied) = FeaturePlan.of(settings, period), _sources(series, settings)
    composites = [
        _composite(series.isel(time=dates), settings, bands, supplied)
        for dates in dates_by_window(series["time"].values, settings, period)
    ]
    out = plan.compute(composites)
    for i, feature in enumerate(plan.features):
        if feature.is_terrain:
            out[i] = series[feature.name].values
    samples, names = pd.Index(series["sample"].values, name="sample"), [f.name for f in plan.features]
    return pd.DataFrame(out.T, index=samples, columns=names)


def _sources(series: xr.Dataset, settings: FeatureSettings) -> tuple[list[str], list[str]]:
    """Names of the bands to composite, and of the variables that are taken as supplied."""
    bands: dict[str, None] = {}
    supplied, missing = [], [f.name for f in settings.parsed if f.is_terrain and f.name not in series]
    for variable in settings.variables:
        wanted = INDICES[variable].bands if variable in INDICES else (variable,)
        absent = [band for band in wanted if band not in series]
        if not absent:
            bands |= dict.fromkeys(wanted)
        elif variable in series:
            supplied.append(variable)
        else:
            missing.append(variable if absent == [variable] else f"{variable} (needs {', '.join(absent)})")
    if missing:
        raise InputError(
            "the time series lack what the features need",
            "a column for each band, or for the index itself",
            "no " + "; no ".join(missing),
            "add the columns, or choose other features",
        )
    return list(bands), supplied


def _composite(
    part: xr.Dataset, settings: FeatureSettings, bands: Sequence[str], supplied: Sequence[str]
) -> dict[str, Array]:
    """One window's composite of each band and supplied index: float32 (sample)."""
    from cocal.features.statistics import WindowStatistics  # numba is 60 MB: a download does without

    values = {
        name: part[name].transpose("time", "sample").values.astype(np.float64) for name in (*bands, *supplied)
    }
    clear = np.ones((part.sizes["time"], part.sizes["sample"]), dtype=bool)
    if settings.mask is not None and "scl" in part:
        scl = np.nan_to_num(part["scl"].transpose("time", "sample").values, nan=SCL_CLASSES.index("nodata"))
        clear = is_one_of(scl.astype(np.uint8), settings.mask.clear)
    seen = clear.copy()
    for name in bands:
        seen &= ~np.isnan(values[name])
    stacks = {
        name: np.clip(np.rint(np.nan_to_num(values[name]) * REFLECTANCE_SCALE), 1, 65535).astype(np.uint16)
        for name in bands
    }
    found = dict(reduce_dates(stacks, seen, settings).bands)
    for name in supplied:
        supplied_values = np.where(clear, values[name].astype(np.float32), np.float32(np.nan))
        found[name] = WindowStatistics(supplied_values, [], 0).statistic(settings.composite)
    return found
