"""What a map omits of a class, and what it shows as the class and is not, with intervals.

Both are ratios of two totals of one sample, whose strata need not be the classes of the map: so one sample
serves several maps (Stehman 2014, doi:10.1080/01431161.2014.930207, eqs. 27 and 28). A stratum of much ground
holds few points of a rare class, where twice the standard error is too little; the ends are therefore those
of the two totals, carried to their ratio (MOVER-R: Donner and Zou 2012, doi:10.1177/0962280210383082).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate.areas import for_accuracy
from cocal.estimate.design import Cells, build_design
from cocal.estimate.intervals import INTERVALS, Interval, correlation
from cocal.estimate.settings import CALIBRATED, MIN_REGION_POINTS
from cocal.estimate.strata import Strata
from cocal.estimate.stratified import Domains, region_domains, whole
from cocal.estimate.tally import Floats, Tally, sum_by, tally, totals


class Total(NamedTuple):
    """A total and the ends of its interval, one of each per group."""

    value: Floats
    low: Floats
    high: Floats


def map_errors(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    target: str,
    *,
    estimator: str,
    interval: str,
    confidence: float,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
) -> pd.DataFrame:
    """Omission and commission of a class by one map.

    Parameters
    ----------
    sample, strata, interval, confidence, by_region, collapse : as for `estimate_areas`.
    estimator : as there; the shares of `calibrated` are those of `stratified`.
    target : key of the class.

    Returns
    -------
    A row for the whole frame (region `""`) and, if asked for, one per region: omission and commission, each
    with its ends `_low` and `_high`, n_reference, n_mapped. Omission is the share of the class that the map
    does not show, commission the share of what it shows as the class that is not; NaN where no point is of
    the class (`n_reference`), or none is mapped as it (`n_mapped`). A region with fewer than
    `MIN_REGION_POINTS` points has no ends.

    Examples
    --------
    Of 60 points in a stratum of 100 ha, 40 are coca and mapped, 10 are coca and missed, 10 mapped wrongly:

    >>> sample = pd.DataFrame({
    ...     "stratum": "a",
    ...     "map_class": ["coca"] * 40 + ["other"] * 10 + ["coca"] * 10,
    ...     "reference_class": ["coca"] * 50 + ["other"] * 10,
    ... })
    >>> strata = pd.DataFrame({"stratum": ["a"], "area_ha": [100.0]})
    >>> design = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95, "by_region": False}
    >>> found = map_errors(sample, strata, "coca", **design)
    >>> found[["omission", "omission_low", "omission_high", "commission"]].round(2).values.tolist()
    [[0.2, 0.1, 0.34, 0.2]]
    """
    design = build_design(
        sample,
        strata,
        estimator="stratified" if estimator == CALIBRATED else estimator,
        classes=None,
        by_region=by_region,
        collapse=collapse,
    )
    cells, own = for_accuracy(design)
    domains = [whole(cells)]
    if by_region:
        domains.append(region_domains(cells, len(design.regions)))
    code = design.classes.index(target) if target in design.classes else -1
    how: dict[str, Any] = {"target": code, "interval": INTERVALS[interval], "confidence": confidence}
    table = pd.concat([_errors(cells, own, part, **how) for part in domains])
    table = table.reset_index(drop=True)
    table.insert(0, "region", ["", *design.regions])
    return table


def _errors(
    cells: Cells, strata: Strata, domains: Domains, *, target: int, interval: Interval, confidence: float
) -> pd.DataFrame:
    is_class, shown = cells.reference == target, cells.mapped == target
    right = _tally(cells, domains, is_class & shown)
    found: dict[str, Floats] = {}
    for name, rows in (("omission", is_class & ~shown), ("commission", shown & ~is_class)):
        wrong = _tally(cells, domains, rows)
        a, b = (
            Total(totals(sums, strata), *interval(sums, strata, domains.region, confidence))
            for sums in (wrong, right)
        )
        odds = ratio(a, b, correlation(wrong, right, strata))
        with np.errstate(invalid="ignore"):
            value, low, high = (np.where(np.isinf(odd), 1.0, odd / (1 + odd)) for odd in odds)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    few = (domains.region >= 0) & (sum_by(domains.of_cell, cells.count, domains.n) < MIN_REGION_POINTS)
    table = pd.DataFrame(found)
    table.loc[few, ["omission_low", "omission_high", "commission_low", "commission_high"]] = np.nan
    for name, points, rows in (("omission", "n_reference", is_class), ("commission", "n_mapped", shown)):
        table[points] = sum_by(domains.of_cell[rows], cells.count[rows], domains.n).astype(np.int64)
        table.loc[table[points] == 0, [name, f"{name}_low", f"{name}_high"]] = np.nan
    return table


def _tally(cells: Cells, domains: Domains, rows: NDArray[np.bool_]) -> Tally:
    one = np.ones(int(rows.sum()))
    return tally(domains.of_cell[rows], cells.stratum[rows], one, cells.count[rows], n_groups=domains.n)


def ratio(a: Total, b: Total, rho: Floats) -> Total:
    """A / b with its ends; infinite where b, or its lower end, is 0.

    The ends are those values R at which the interval of a - R b just holds 0; `rho` is the correlation of a
    and b. With the ends of `wald` they are Fieller's (1954).

    Examples
    --------
    Without an error in b the ends are those of a over b:

    >>> one = np.ones(1)
    >>> [float(v[0]) for v in ratio(Total(2 * one, one, 4 * one), Total(2 * one, 2 * one, 2 * one), 0 * one)]
    [1.0, 0.5, 2.0]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = a.value * b.value - rho * (a.value - a.low) * (b.high - b.value)
        square, rest = b.high * (2 * b.value - b.high), a.low * (2 * a.value - a.low)
        low = np.where(rest > 0, rest / (middle + np.sqrt(np.maximum(middle**2 - square * rest, 0))), 0.0)
        middle = a.value * b.value - rho * (a.high - a.value) * (b.value - b.low)
        square, rest = b.low * (2 * b.value - b.low), a.high * (2 * a.value - a.high)
        root = middle + np.sqrt(np.maximum(middle**2 - square * rest, 0))
        high = np.where(square > 0, root / square, np.inf)
        return Total(np.where(b.value > 0, a.value / b.value, np.inf), low, high)
