"""The period of each polygon, from what a layer states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.census.settings import MapLayer
from cocal.contracts import Period
from cocal.regions.polygons import listed

NO_PERIOD, NO_DAY = -1, -2
"""Values in the place of a period: another one, or none; what is stated is no period and no day."""

_LIKE_A_DAY = r"\s*\d{1,4}\s*[/.-]\s*(?:\d{1,2}|[A-Za-z]{3,})\.?\s*[/.-]\s*\d{1,4}\b.*|\s*\d{8}\s*"
"""What states a day in some order: 05/06/2024, 5.6.24, 05-jun-2024, 20240605."""


def words_of(values: pd.Series[Any]) -> pd.Series[str]:
    """Values as text; null becomes "", and a whole number stored as a float loses its '.0'."""
    whole = [isinstance(v, float) and v.is_integer() for v in values]
    texts = ["" if pd.isna(v) else str(int(v)) if w else str(v) for v, w in zip(values, whole, strict=True)]
    return pd.Series(texts, index=values.index, dtype=object)


def periods_of(
    frame: gpd.GeoDataFrame, layer: MapLayer, periods: Sequence[Period], problems: list[str]
) -> NDArray[np.int64]:
    """(n,) position of the period, `NO_PERIOD` or `NO_DAY`.

    Days in another form than ISO 8601 are a problem, not left out: of 05/06/2024 nobody can know whether it
    is of May or of June.
    """
    names = {p.name: i for i, p in enumerate(periods)}
    if layer.period is not None:
        return np.full(len(frame), names[layer.period], dtype=np.int64)
    if layer.period_column is not None:
        words = words_of(frame[layer.period_column])
        named = words.map(names).fillna(NO_PERIOD).to_numpy(np.int64)
        return np.asarray(np.where(words == "", NO_DAY, named), dtype=np.int64)
    words = words_of(frame[layer.date_column])
    days = pd.to_datetime(words.str[:10], format="%Y-%m-%d", errors="coerce")
    other = days.isna() & words.str.fullmatch(_LIKE_A_DAY)
    if other.any():
        problems.append(
            f"days of {layer.date_column!r} that are not written YYYY-MM-DD: "
            f"{listed(sorted(set(words[other])))}; row {listed(frame.index[other.to_numpy()])}; write them "
            "2024-06-05: which part is the day only the office knows"
        )
    found: NDArray[np.int64] = np.where(days.isna(), NO_DAY, NO_PERIOD).astype(np.int64)
    for i, period in reversed(list(enumerate(periods))):
        inside = (days >= pd.Timestamp(period.start)) & (days <= pd.Timestamp(period.end))
        found[inside.to_numpy()] = i
    return found
