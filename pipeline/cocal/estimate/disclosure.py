"""The disclosure rule: which figures of the target may leave the office, and the audit of those that do.

A square kilometre that holds one plot identifies its owner. So hectares of the map are published of squares
that hold a stated number of plots, in whole hectares, and as sums of those published figures: no sum holds
anything of another square. What is published is a function of the published squares alone, so nothing of
another square follows from it, not even whether it is empty. A total of the map would break this: less the
published squares it is what the others hold (differencing; Hundepool et al. 2012, Statistical Disclosure
Control), which suppressing further squares only blurs.

Estimates of countries are rounded to their standard error, and `withheld_estimates` bounds those that are not
published by linear programming, as an attacker would (Fischetti and Salazar 2001, Management Science 47(7),
1008-1027).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd

from cocal.errors import UsageError
from cocal.notes import Note, note_column

STEP_HA = 1
"""Hectares of squares are published to this; no published square is rounded to 0."""

_LEAST_SHARE = 0.05
_NEARLY = 1e-6


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


def rounding_step(estimate: float, standard_error: float) -> int:
    """The step that an estimate is published to, ha: 1, 2 or 5 times a power of ten.

    The least that is not below its standard error, a twentieth of it, and 1 ha.

    Examples
    --------
    >>> rounding_step(368.3, 16.0), rounding_step(16.6, 4.7), rounding_step(0.0, 0.0)
    (20, 5, 1)
    """
    least = max(1.0, 0.0 if math.isnan(standard_error) else standard_error, _LEAST_SHARE * abs(estimate))
    power = 10 ** math.floor(math.log10(least))
    return int(next(m * power for m in (1, 2, 5, 10) if m * power >= least - 1e-9))


def rounded_estimates(table: pd.DataFrame, step_ha: int | None = None) -> pd.DataFrame:
    """`table` with `step_ha`, its estimates to the nearest step, the ends of their intervals outwards.

    The step is that of `rounding_step` where none is given.
    """
    values = table[["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]].to_numpy(float)
    rows = []
    for estimate, error, low, high in values.tolist():
        if math.isnan(estimate):
            rows.append((math.nan,) * 4)
            continue
        step = step_ha or rounding_step(estimate, error)
        down, up = (
            f(v / step) if not math.isnan(v) else v for f, v in ((math.floor, low), (math.ceil, high))
        )
        rows.append((step, step * round(estimate / step), step * down, step * up))
    steps, estimates, lows, highs = np.array(rows, dtype=float).reshape(-1, 4).T
    return table.assign(step_ha=steps, estimated_ha=estimates, ci_low_ha=lows, ci_high_ha=highs)


@dataclass(frozen=True)
class Figure:
    """An estimate that is to be published: the regions of its place, the rounded hectares and their step."""

    regions: frozenset[str]
    hectares: float
    step_ha: float


def withheld_estimates(
    figures: Sequence[Figure], protected: Iterable[frozenset[str]], *, step_ha: float = STEP_HA
) -> set[int]:
    """Positions of `figures` that must stay in the office, so that no protected place follows from the rest.

    All figures are one linear system over the regions: each figure lies within half a step of the sum of
    its regions. A place is protected if by that system its hectares may be 0, and `step_ha` or more. While
    one is not, the smallest figure that holds ground of it is withheld.
    """
    kept = dict(enumerate(figures))
    for regions in protected:
        while kept and not _hidden(list(kept.values()), regions, step_ha):
            near = [i for i, own in kept.items() if own.regions & regions] or list(kept)
            del kept[min(near, key=lambda i: (len(kept[i].regions), i))]
    return set(range(len(figures))) - set(kept)


def _hidden(figures: Sequence[Figure], regions: frozenset[str], step_ha: float) -> bool:
    low, high = feasible(figures, regions)
    return low <= _NEARLY and high >= step_ha - _NEARLY


def feasible(figures: Sequence[Figure], regions: frozenset[str]) -> tuple[float, float]:
    """Least and most hectares of `regions` that agree with all figures; (nan, nan) if no hectares do."""
    from scipy.optimize import linprog  # slow to load, and most runs publish nothing

    names = sorted({a for own in figures for a in own.regions} | regions)
    sums = np.array([[name in own.regions for name in names] for own in figures], dtype=float)
    sums = sums.reshape(-1, len(names))
    middle = np.array([own.hectares for own in figures])
    half = np.array([own.step_ha for own in figures]) / 2
    wanted = np.array([name in regions for name in names], dtype=float)
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(
            sign * wanted, A_ub=np.vstack([sums, -sums]),
            b_ub=np.concatenate([middle + half, half - middle]), bounds=(0, None),
        )  # fmt: skip
        unbounded = found.status == 3
        ends.append(math.inf if unbounded else sign * found.fun if found.status == 0 else math.nan)
    return ends[0], ends[1]
