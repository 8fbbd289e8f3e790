"""The grammar of feature names.

    NDVI@03      the composite of one window: monthly 01..12, quarterly q1..q4, season, d001
    NDVI@*       the same for every window of the period
    NDVI.p10     a statistic over the windows of the period
    elevation    terrain, from an elevation model; also slope

A variable is a band (STAC common name) or an index (Awesome Spectral Indices name).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cocal.contracts import BANDS
from cocal.features.indices import INDICES

TERRAIN = ("elevation", "slope")

STATISTICS = {
    "mean": 1, "std": 1, "amplitude": 1, "lowest_day": 1, "min": 1, "median": 1, "max": 1, "falls": 2,
    "trend": 3, "h1_cos": 3, "h1_sin": 3, "h2_cos": 5, "h2_sin": 5,
}  # fmt: skip
"""Statistics over the windows and how many windows with a value each needs; p00 to p99 need 1.

Their definitions are the methods of `statistics.WindowStatistics`.
"""

_NAME = re.compile(r"(?P<variable>[A-Za-z0-9_]+)(?:@(?P<window>\*|[A-Za-z0-9-]+)|\.(?P<statistic>\w+))")


@lru_cache(maxsize=512)
def percent_of(statistic: str) -> int | None:
    """The percentile that a statistic is: p10 -> 10, min -> 0, median -> 50, max -> 100; None for others."""
    named = {"min": 0, "median": 50, "max": 100}
    if statistic in named:
        return named[statistic]
    return int(statistic[1:]) if re.fullmatch("p[0-9]{2}", statistic) else None


@dataclass(frozen=True)
class Feature:
    """A parsed feature name; a terrain feature has neither window nor statistic."""

    name: str
    variable: str
    window: str | None = None
    statistic: str | None = None

    @property
    def is_terrain(self) -> bool:
        return self.variable in TERRAIN

    @property
    def windows_needed(self) -> int:
        """Number of windows with a value below which the feature is missing."""
        return STATISTICS.get(self.statistic or "", 1)


def unknown(kind: str, name: str, allowed: Iterable[str]) -> str:
    """The message for a name that is not among `allowed`: similar names, and all allowed ones."""
    allowed = list(allowed)
    lowered = {a.lower(): a for a in reversed(allowed)}
    near = [lowered[m] for m in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"unknown {kind} {name!r}{hint} (allowed: {', '.join(allowed)})"


def parse_feature(name: str) -> Feature:
    """The parts of a feature name.

    Raises
    ------
    ValueError
        `name` is not in the grammar, or its variable or statistic is unknown: with all that is allowed.
    """
    if name in TERRAIN:
        return Feature(name, name)
    match = _NAME.fullmatch(name)
    if match is None:
        forms = "VARIABLE@WINDOW, VARIABLE@*, VARIABLE.STATISTIC, elevation or slope"
        raise ValueError(f"{name!r} is not a feature name: {forms}")
    variable, statistic = match["variable"], match["statistic"]
    problems = []
    if variable not in BANDS and variable not in INDICES:
        problems.append(unknown("band or index", variable, (*BANDS, *INDICES)))
    if statistic is not None and statistic not in STATISTICS and percent_of(statistic) is None:
        problems.append(unknown("statistic", statistic, (*STATISTICS, "p00 to p99")))
    if problems:
        raise ValueError(f"{name}: " + "; ".join(problems))
    return Feature(name, variable, match["window"], statistic)
