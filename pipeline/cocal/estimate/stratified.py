"""Areas and accuracies per domain and class from one stratified sample.

One set of formulas serves all designs of this package: strata that are the map's classes (Card 1982; Olofsson
et al. 2014, doi:10.1016/j.rse.2014.02.015), strata that are not (Stehman 2014,
doi:10.1080/01431161.2014.930207), regions as domains, simple random samples (one stratum) and
post-strata (another variance factor). Regions use the stratified expansion estimator, so they add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cocal.estimate.design import Cells
from cocal.estimate.intervals import Interval
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Floats, Ints, Tally, ratios, tally, totals, variances


@dataclass(frozen=True)
class Domains:
    """Which part of the sample each result speaks of.

    `of_cell` is the domain of each cell of counts; `region` is each domain's region code, -1 = the whole.
    """

    of_cell: Ints
    region: Ints

    @property
    def n(self) -> int:
        return int(self.region.size)


def whole(cells: Cells) -> Domains:
    """One domain: the whole frame."""
    return Domains(np.zeros_like(cells.region), np.array([-1]))


def region_domains(cells: Cells, n_regions: int) -> Domains:
    """One domain per region."""
    return Domains(cells.region, np.arange(n_regions))


def area_tally(cells: Cells, domains: Domains, n_classes: int) -> Tally:
    """Points by domain x reference class and stratum."""
    group = domains.of_cell * n_classes + cells.reference
    return tally(group, cells.stratum, np.ones_like(cells.count), cells.count, n_groups=domains.n * n_classes)


def class_areas(
    cells: Cells, strata: Strata, domains: Domains, *, n_classes: int, interval: Interval, confidence: float
) -> pd.DataFrame:
    """area_ha, standard_error_ha, ci_low_ha, ci_high_ha: a row per domain x class."""
    sums = area_tally(cells, domains, n_classes)
    area, error = totals(sums, strata), np.sqrt(variances(sums, strata))
    scope = np.repeat(domains.region, n_classes)
    low, high = interval(sums, strata, scope, confidence)
    return pd.DataFrame({"area_ha": area, "standard_error_ha": error, "ci_low_ha": low, "ci_high_ha": high})


def class_accuracies(cells: Cells, strata: Strata, domains: Domains, *, n_classes: int) -> pd.DataFrame:
    """users_accuracy, producers_accuracy and their _se: a row per domain x class, NaN without points."""
    right = (cells.mapped == cells.reference).astype(np.float64)
    columns: dict[str, Floats] = {}
    for name, margin in (("users", cells.mapped), ("producers", cells.reference)):
        group = domains.of_cell * n_classes + margin
        value, error = ratios(
            group, cells.stratum, right, cells.count, strata=strata, n_groups=domains.n * n_classes
        )
        columns |= {f"{name}_accuracy": value, f"{name}_accuracy_se": error}
    return pd.DataFrame(columns)


def overall_accuracy(cells: Cells, strata: Strata, domains: Domains) -> tuple[Floats, Floats]:
    """(n_domains,) overall accuracy and its standard error."""
    right = (cells.mapped == cells.reference).astype(np.float64)
    return ratios(domains.of_cell, cells.stratum, right, cells.count, strata=strata, n_groups=domains.n)
