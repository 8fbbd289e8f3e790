"""Change between two dates from points that were observed at both: gain, loss and net, with intervals.

Two areas estimated from two maps and subtracted carry both maps' errors; the same points seen twice carry
their own covariance, which makes the net change far more precise (Olofsson et al.
2014). Gain and loss are areas of changed points, not differences of totals: a stock on two days
does not tell what was cleared and planted again between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cocal.errors import InputError
from cocal.estimate.design import Cells, Design, build_design
from cocal.estimate.intervals import INTERVALS, net
from cocal.estimate.stratified import Domains, region_domains, whole
from cocal.estimate.tally import Ints, Tally, subtract, tally, totals, variances

QUANTITIES = ("before", "after", "gain", "loss", "net")


def estimate_change(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    interval: str,
    confidence: float,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
) -> pd.DataFrame:
    """Hectares before, after, gained, lost and net of each class, stratified estimator.

    Parameters
    ----------
    sample : a row per point: stratum, reference_before, reference_after [, region].
    strata, classes, interval, confidence, by_region, collapse : as in `estimate_areas`.

    Returns
    -------
    region ("" = all), class, quantity (one of `QUANTITIES`), area_ha, standard_error_ha, ci_low_ha,
    ci_high_ha. For each class after - before = gain - loss = net, in each region and in all.
    """
    missing = [name for name in ("reference_before", "reference_after") if name not in sample.columns]
    if missing:
        raise InputError(
            "the sample table has no paired observations",
            "columns reference_before and reference_after of the same points",
            f"no column {', '.join(missing)}",
            "give both observations of each point; points seen once only are listed apart",
        )
    paired = sample.assign(map_class=sample["reference_before"], reference_class=sample["reference_after"])
    design = build_design(
        paired, strata, estimator="stratified", classes=classes, by_region=by_region, collapse=collapse
    )
    parts = [_changes(design, whole(design.cells), [""], interval, confidence)]
    if by_region:
        domains = region_domains(design.cells, len(design.regions))
        parts.append(_changes(design, domains, design.regions, interval, confidence))
    return pd.concat(parts, ignore_index=True)


def _changes(
    design: Design, domains: Domains, names: Sequence[str], interval: str, confidence: float
) -> pd.DataFrame:
    k, strata = len(design.classes), design.strata
    before, after, gain, loss = _tallies(design.cells, domains, k)
    scope = np.repeat(domains.region, k)
    ends = {
        name: INTERVALS[interval](sums, strata, scope, confidence)
        for name, sums in zip(QUANTITIES, (before, after, gain, loss), strict=False)
    }
    ends["net"] = net(INTERVALS[interval], gain, loss, strata=strata, scope=scope, confidence=confidence)
    rows = []
    for name, sums in zip(QUANTITIES, (before, after, gain, loss, subtract(gain, loss)), strict=True):
        rows.append(
            pd.DataFrame(
                {
                    "region": np.repeat(np.array(names, dtype=object), k),
                    "class": list(design.classes) * domains.n,
                    "quantity": name,
                    "area_ha": totals(sums, strata),
                    "standard_error_ha": np.sqrt(variances(sums, strata)),
                    "ci_low_ha": ends[name][0],
                    "ci_high_ha": ends[name][1],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _tallies(cells: Cells, domains: Domains, n_classes: int) -> tuple[Tally, Tally, Tally, Tally]:
    """Points of each class before, after, and those that changed to it and from it."""
    changed = cells.mapped != cells.reference
    everywhere = np.ones_like(changed)

    def of(classes: Ints, keep: np.ndarray) -> Tally:
        group = (domains.of_cell * n_classes + classes)[keep]
        count = cells.count[keep]
        return tally(group, cells.stratum[keep], np.ones_like(count), count, n_groups=domains.n * n_classes)

    return (
        of(cells.mapped, everywhere),
        of(cells.reference, everywhere),
        of(cells.reference, changed),
        of(cells.mapped, changed),
    )
