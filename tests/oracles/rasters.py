"""Composites and features of a period in plain numpy; see `cocal.features.composites` and `stack`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.contracts import Period
from cocal.features import FeatureSettings
from cocal.features.composites import Composite
from cocal.features.indices import INDICES, compute_index
from cocal.features.names import percent_of
from cocal.features.windows import centre_days, composite_windows, period_days, select_features
from tests.oracles.windows import WindowStatistics, count_time, fill_gaps, pick_rank, sort_time

Array = NDArray[np.float32]


def reduce_dates(
    stacks: Mapping[str, NDArray[np.uint16]], clear: NDArray[np.bool_], settings: FeatureSettings
) -> Composite:
    """The composite of (time, ...) uint16 digital numbers over the dates that are `clear`."""
    percent, count = percent_of(settings.composite), count_time(clear)
    bands = {}
    for name, stack in stacks.items():
        if percent is not None:
            bands[name] = pick_rank(sort_time(stack, clear), count, percent) / np.float32(10_000)
        else:
            total = np.where(clear, stack, np.uint16(0)).sum(axis=0, dtype=np.uint32)
            with np.errstate(invalid="ignore"):
                bands[name] = (total / (count * 10_000.0)).astype(np.float32)
    return Composite(bands, count)


def features(composites: Sequence[Mapping[str, Array]], settings: FeatureSettings, period: Period) -> Array:
    """(feature, ...) values from the composites' bands by window; terrain features stay NaN."""
    windows = composite_windows(settings, period)
    names, days = [window.name for window in windows], centre_days(windows, period)
    chosen = select_features(settings, period)
    out = np.full((len(chosen), *next(iter(composites[0].values())).shape), np.nan, dtype=np.float32)
    for i, feature in enumerate(chosen):
        if feature.is_terrain:
            continue
        series = np.stack([_variable(own, feature.variable) for own in composites])
        rule = settings.find_rule(feature.name)
        assert rule is not None
        filled = fill_gaps(series, days, rule)
        if feature.window is not None:
            value = filled[names.index(feature.window)]
        else:
            assert feature.statistic is not None
            value = WindowStatistics(filled, days, period_days(period)).statistic(feature.statistic)
        out[i] = np.where(np.isnan(value), np.float32(np.nan), value)
    return out


def _variable(bands: Mapping[str, Array], name: str) -> Array:
    """A band, or an index computed from its bands."""
    return compute_index(name, bands) if name in INDICES else bands[name]
