"""The windows that a period is cut into, and the features they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cocal.contracts import Period
from cocal.errors import ConfigError
from cocal.features.names import Feature, unknown
from cocal.features.settings import FeatureSettings


class CompositeWindow(NamedTuple):
    """The days from `start` to `end`, both included, that make one composite."""

    name: str
    start: date
    end: date


def composite_windows(settings: FeatureSettings, period: Period) -> list[CompositeWindow]:
    """The period cut into windows in order of time; together they are the period, none overlaps.

    - `monthly`: calendar months, cut at the period's ends; named `01` to `12`, or `2024-03` where the period
      touches a calendar month of the year twice.
    - `quarterly`: calendar quarters in the same way; `q1` to `q4`, or `2024-q1`.
    - `season`: the period itself, named `season`.
    - a number of days: windows of that many days from the period's first day, the last one may be shorter;
      named by their first day, counted from 1: `d001`, `d011`, `d021`.
    """
    first, last = period.start, period.end
    if settings.windows == "season":
        return [CompositeWindow("season", first, last)]
    if isinstance(settings.windows, int):
        offsets, length = (
            range(0, period_days(period), settings.windows),
            timedelta(days=settings.windows - 1),
        )
        starts = [first + timedelta(days=offset) for offset in offsets]
        return [CompositeWindow(f"d{(s - first).days + 1:03d}", s, min(s + length, last)) for s in starts]
    quarterly = settings.windows == "quarterly"
    cut = list(_calendar(period, 3 if quarterly else 1))
    names = [f"q{(start.month + 2) // 3}" if quarterly else f"{start.month:02d}" for start, _ in cut]
    if len(set(names)) < len(names):
        names = [f"{start.year}-{name}" for (start, _), name in zip(cut, names, strict=True)]
    return [CompositeWindow(name, *days) for name, days in zip(names, cut, strict=True)]


def _calendar(period: Period, months: int) -> Iterator[tuple[date, date]]:
    """The parts of the period that lie in one calendar month, or one quarter (3 months)."""
    start = period.start
    while start <= period.end:
        years, month = divmod((start.month - 1) // months * months + months, 12)
        following = date(start.year + years, month + 1, 1)
        yield start, min(following - timedelta(days=1), period.end)
        start = following


def centre_days(windows: Sequence[CompositeWindow], period: Period) -> list[float]:
    """Days from the start of the period's first day to the middle of each window."""
    return [((w.start - period.start).days + (w.end - period.start).days + 1) / 2 for w in windows]


def period_days(period: Period) -> int:
    """Number of days in the period, first and last included."""
    return (period.end - period.start).days + 1


def dates_by_window(
    times: NDArray[np.datetime64], settings: FeatureSettings, period: Period
) -> list[NDArray[np.intp]]:
    """Positions of the `times` that lie in each window of the period."""
    days, windows = times.astype("datetime64[D]"), composite_windows(settings, period)
    return [
        np.flatnonzero((days >= np.datetime64(w.start)) & (days <= np.datetime64(w.end))) for w in windows
    ]


def select_features(settings: FeatureSettings, period: Period) -> list[Feature]:
    """The features in order, `@*` expanded to the period's windows.

    Raises
    ------
    ConfigError
        A window does not exist in the period, a statistic needs more windows than there are, a name comes
        twice, or no fill rule matches: all problems at once.
    """
    windows = [window.name for window in composite_windows(settings, period)]
    found: list[Feature] = []
    for feature in settings.parsed:
        names = windows if feature.window == "*" else [feature.window]
        found += [replace(feature, name=feature.name.replace("*", n or ""), window=n) for n in names]
    problems = []
    for feature in found:
        if feature.window is not None and feature.window not in windows:
            problems.append(f"{feature.name}: " + unknown("window", feature.window, windows))
        if feature.windows_needed > len(windows):
            problems.append(
                f"{feature.name} needs {feature.windows_needed} windows, the period has {len(windows)}"
            )
        if not feature.is_terrain and settings.find_rule(feature.name) is None:
            problems.append(f"`fill` has no pattern for {feature.name}")
    chosen = [feature.name for feature in found]
    problems += [f"{name!r} comes twice" for name in dict.fromkeys(chosen) if chosen.count(name) > 1]
    if problems:
        raise ConfigError(
            f"the features do not fit the period {period.name} ({period.start} to {period.end})",
            "windows " + ", ".join(windows),
            "; ".join(problems),
            "change `features:`, `windows:` or the period",
        )
    return found


def feature_names(settings: FeatureSettings, period: Period) -> list[str]:
    """Names of the features in order, `@*` expanded to the period's windows.

    Raises
    ------
    ConfigError
        The features do not fit the period (see `select_features`).

    Examples
    --------
    >>> from datetime import date
    >>> from cocal import FeatureSettings, Period, feature_names
    >>> settings = FeatureSettings(
    ...     mask=None,
    ...     windows="quarterly",
    ...     composite="median",
    ...     features=("NDVI@*", "red.p10"),
    ...     fill={"*": "none"},
    ... )
    >>> feature_names(settings, Period("first half", date(2024, 1, 1), date(2024, 6, 30)))
    ['NDVI@q1', 'NDVI@q2', 'red.p10']
    """
    return [feature.name for feature in select_features(settings, period)]
