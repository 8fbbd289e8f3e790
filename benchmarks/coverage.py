"""When an interval holds the truth too seldom: not by chance.

A share of draws is judged against its floor by the one-sided binomial error of 1 %, divided by the number of
cells that are judged together (Bonferroni): of intervals that hold exactly as often as the floor says, one
table in a hundred fails.
"""

from __future__ import annotations

from typing import Any

from scipy.stats import binom, norm

ERROR = 0.01
"""Chance of a table in which some share fails although all are at their floor."""


def floor(draws: Any, promise: float, cells: int) -> Any:
    """The fewest of `draws` that must hold for a cell not to fail, of `cells` judged together.

    Of 1,000 draws at 93 %, one cell alone fails below 911: P(Bin(1000, 0.93) < 911) = 0.009.
    """
    return binom.ppf(ERROR / max(cells, 1), draws, promise)


def beyond(cells: int) -> float:
    """Standard errors by which a mean of draws may pass its bound, of `cells` judged together, one-sided."""
    return float(norm.isf(ERROR / cells))
