"""The disclosure rule: which figures of the target may leave the office, and the audit of those that do.

A square kilometre that holds one plot identifies its owner. So hectares of the map are published of squares
that hold a stated number of plots, in whole hectares, and as sums of those published figures: no sum holds
anything of another square. What is published is a function of the published squares alone, so nothing of
another square follows from it, not even whether it is empty. A total of the map would break this: less the
published squares it is what the others hold (differencing; Hundepool et al. 2012, Statistical Disclosure
Control), which suppressing further squares only blurs.

Subtracting the published squares from the estimate of a place gives, within its error, the hectares of the
squares that are not published. So no estimate is published together with squares; with regions, estimates
are published of the regions that are shown, and of no others.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd

from cocal.errors import UsageError
from cocal.notes import Note, note_column

STEP_HA = 1
"""Hectares are published to this; no published square is rounded to 0."""

_ROUNDED = {
    "estimated_ha": np.rint, "ci_low_ha": np.floor, "ci_high_ha": np.ceil, "last_ha": np.rint,
    "small_area_ha": np.rint, "small_area_low_ha": np.floor, "small_area_high_ha": np.ceil,
}  # fmt: skip
"""Columns of estimates -> how they are rounded."""


def public_squares(table: pd.DataFrame, min_plots: int) -> pd.DataFrame:
    """`density_table` as it may be published: every square, its hectares in whole hectares or missing.

    A square is shown if it holds `min_plots` plots and its hectares round to 1 or more. All others have
    the same note, whether they hold a plot or none. `plots`, owned and observed ground are left out: with
    them the empty ones could be guessed.
    """
    hectares = shown_hectares(table, min_plots)
    notes = note_column([not_shown(min_plots) if gone else () for gone in hectares.isna()], table.index)
    kept = table[["cell_id", "epsg", "x", "y", "side_m", "period", "region_id", "country"]]
    return kept.assign(mapped_ha=hectares, notes=notes)


def shown_hectares(table: pd.DataFrame, min_plots: int) -> pd.Series[float]:
    """The whole hectares of each square or region with `min_plots` plots and 1 ha or more; NaN of the others.

    `table` has mapped_ha and plots.

    Raises
    ------
    UsageError : `min_plots` below 2 protects nobody.
    """
    if min_plots < 2:
        raise UsageError(
            "density.min_plots", "2 or more", str(min_plots), "state how many plots hide each other"
        )
    whole = [Decimal(str(ha)).quantize(Decimal(STEP_HA), ROUND_HALF_EVEN) for ha in table["mapped_ha"]]
    hectares = pd.Series(whole, table.index, dtype=float)
    return hectares.where((table["plots"] >= min_plots) & (hectares >= STEP_HA))


def not_shown(min_plots: int) -> tuple[Note, ...]:
    """The note of every figure that is not published."""
    return (Note("not_shown", plots=min_plots),)


def rounded_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with its estimates in whole hectares, the ends of their intervals outwards."""
    rounded = {
        name: STEP_HA * step(table[name].astype(float) / STEP_HA)
        for name, step in _ROUNDED.items()
        if name in table
    }
    return table.assign(**rounded)
