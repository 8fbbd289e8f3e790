"""Areas with the map's known totals as help: the difference and the regression estimator.

From one simple random sample: Y = b X + A mean(y - b x), with y the reference indicator of a class, x the
map's, X the known mapped area. b = 1 is the difference estimator, b = s_xy / s2_x the regression estimator
(Cochran 1977, ch. 7; Stehman 2013, doi:10.1016/j.rse.2013.01.016).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from cocal.errors import InputError
from cocal.estimate.design import Cells, Design
from cocal.estimate.intervals import Interval, net
from cocal.estimate.settings import MIN_MAPPED_POINTS
from cocal.estimate.stratified import Domains
from cocal.estimate.tally import Floats, Ints, Tally, subtract, sum_by, tally, totals, variances


def known_areas(design: Design, domains: Domains) -> Floats:
    """(n_domains * n_classes,) mapped hectares per domain and class, from the design's strata table.

    Raises
    ------
    InputError : the rows are not the map's classes, or regions are asked for without totals by region.
    """
    strata, classes = design.strata, {name: code for code, name in enumerate(design.classes)}
    strange = sorted(set(strata.names) - set(classes))
    code = np.array([classes.get(name, -1) for name in strata.names])
    astray = int(design.cells.count[code[design.cells.stratum] != design.cells.mapped].sum())
    if strange or astray:
        raise InputError(
            f"the estimator {design.estimator!r} needs the known mapped area of each class",
            "strata named as the map's classes, and every point in the stratum of its map_class",
            f"strata {', '.join(strange)} are no classes"
            if strange
            else f"{astray} points in another stratum",
            "give the map's classes and their areas as strata, or use `stratified`",
        )
    if (domains.region >= 0).any() and (strata.region < 0).any():
        raise InputError(
            f"the estimator {design.estimator!r} needs the mapped areas of each region",
            "a strata table with a column region",
            "totals of the whole frame only",
            "add the mapped areas by region, or use `stratified`, or leave regions out",
        )
    domain = strata.region if (domains.region >= 0).any() else np.zeros_like(strata.region)
    return sum_by(domain * len(classes) + code, strata.area_ha, domains.n * len(classes))


def assisted_areas(
    design: Design, domains: Domains, *, interval: Interval, confidence: float
) -> pd.DataFrame:
    """area_ha, standard_error_ha, ci_low_ha, ci_high_ha: a row per domain x class.

    NaN in a region with fewer than `MIN_MAPPED_POINTS` points where the map shows the class.
    """
    known = known_areas(design, domains)
    frame = design.strata.pooled()
    cells = replace(design.cells, stratum=np.zeros_like(design.cells.stratum))
    if design.estimator == "difference":
        slope, correction = np.ones_like(known), 1.0
    else:
        n = _enough(int(frame.n[0]))
        slope, correction = _slopes(cells, domains, known.size, n), (n - 1) / (n - 2)
    plus, minus = _residuals(cells, domains, slope)
    error = np.sqrt(correction * variances(subtract(plus, minus), frame))
    low, high = net(
        interval,
        plus,
        minus,
        strata=frame,
        scope=np.repeat(domains.region, known.size // domains.n),
        confidence=confidence,
    )
    wider, base = np.sqrt(correction), totals(plus, frame) - totals(minus, frame)
    found = pd.DataFrame(
        {
            "area_ha": slope * known + base,
            "standard_error_ha": error,
            "ci_low_ha": slope * known + base + wider * (low - base),
            "ci_high_ha": slope * known + base + wider * (high - base),
        }
    )
    few = sum_by(_groups(cells, domains, known.size)[0], cells.count, known.size) < MIN_MAPPED_POINTS
    found.loc[few & np.repeat(domains.region >= 0, known.size // domains.n)] = np.nan
    return found


def _enough(n: int) -> int:
    if n < 3:
        raise InputError(
            "the regression estimator cannot be used", "three points or more", str(n), "add points"
        )
    return n


def _groups(cells: Cells, domains: Domains, n_groups: int) -> tuple[Ints, Ints]:
    """(group of the map class, group of the reference class) of each cell."""
    k = n_groups // domains.n
    return domains.of_cell * k + cells.mapped, domains.of_cell * k + cells.reference


def _slopes(cells: Cells, domains: Domains, n_groups: int, n: int) -> Floats:
    """B = s_xy / s2_x per group; 0 where no point or every point has the map class."""
    mapped, reference = _groups(cells, domains, n_groups)
    x, y = (sum_by(g, cells.count, n_groups) for g in (mapped, reference))
    agree = mapped == reference
    xy = sum_by(mapped[agree], cells.count[agree], n_groups)
    spread = x - x**2 / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 0, (xy - x * y / n) / spread, 0.0))


def _residuals(cells: Cells, domains: Domains, slope: Floats) -> tuple[Tally, Tally]:
    """Y - b x as two tallies, of its positive and of its negative values."""
    mapped, reference = _groups(cells, domains, slope.size)
    agree = mapped == reference
    group = np.concatenate([reference, mapped[~agree]])
    value = np.concatenate([np.where(agree, 1 - slope[reference], 1.0), -slope[mapped[~agree]]])
    stratum = np.concatenate([cells.stratum, cells.stratum[~agree]])
    count = np.concatenate([cells.count, cells.count[~agree]])
    parts = []
    for sign in (1, -1):
        keep = sign * value > 0
        parts.append(tally(group[keep], stratum[keep], sign * value[keep], count[keep], n_groups=slope.size))
    return parts[0], parts[1]
