"""What may be asked for: estimators, intervals, levels."""

from __future__ import annotations

from cocal.errors import UsageError
from cocal.estimate.intervals import INTERVALS

ASSISTED = ("difference", "regression")
"""Estimators that need the map's class at every point, beside its mapped area."""

ESTIMATORS = ("stratified", "simple", "systematic", "poststratified", *ASSISTED)

MIN_REGION_POINTS = 10
"""A region with fewer points gets its estimate with the words "n too small" in place of an interval."""


def check_settings(estimator: str, interval: str, confidence: float) -> None:
    """Raise UsageError naming every setting that is not allowed."""
    problems = []
    if estimator not in ESTIMATORS:
        problems.append(f"estimator {estimator!r}; allowed: {', '.join(ESTIMATORS)}")
    if interval not in INTERVALS:
        problems.append(f"interval {interval!r}; allowed: {', '.join(INTERVALS)}")
    if not 0.5 <= confidence < 1:
        problems.append(f"confidence {confidence!r}; allowed: from 0.5 to below 1")
    if problems:
        raise UsageError(
            "the estimate cannot be made as asked", "", "; ".join(problems), "choose one allowed"
        )
