"""Hectares per class and region from a sample and its strata, by the estimator and interval asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cocal.estimate.assisted import assisted_areas
from cocal.estimate.design import Cells, Design, build_design
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.regional.calibrated import Asked, calibrated_estimate
from cocal.estimate.result import SMALL_AREA, Estimate, limits_of, regional_rows, strata_table
from cocal.estimate.settings import ASSISTED, MIN_MAPPED_POINTS, TWO_PHASE, check_known, check_settings
from cocal.estimate.strata import Strata
from cocal.estimate.stratified import (
    Domains,
    class_accuracies,
    class_areas,
    overall_accuracy,
    region_domains,
    whole,
)
from cocal.estimate.two_phase import two_phase_estimate
from cocal.notes import Note, note_column


def estimate_areas(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    estimator: str,
    interval: str,
    confidence: float,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
    known: pd.DataFrame | None = None,
    rare: Sequence[str] | None = None,
) -> Estimate:
    """Estimated hectares and accuracies with their uncertainty.

    Parameters
    ----------
    sample : a row per point: stratum, map_class, reference_class [, region] [, inclusion_probability]
        [, unit: see `known`].
    strata : a row per stratum: stratum, area_ha (or pixels and pixel_area_m2; only then with a
        finite-population correction) [, region: the design stratum is then stratum x region].
    classes : keys of the class scheme, in the order of the result; None = those in the sample, by name.
    estimator : one of `settings.ESTIMATORS`.
    interval : one of `INTERVALS`.
    confidence : from 0.5 to below 1.
    by_region : regions as domains of the one design; they add up to the total.
    collapse : strata to merge, `"A+B"`.
    known : for the estimator `calibrated`, and for it alone: stratum, region, map_class, area_ha [, unit], a
        row per stratum, region and map class (`unobserved` where the map shows nothing). `unit`: the area in
        which classes are closed, where regions cut it or are made of several; left out, the region itself.
    rare : classes whose interval is `interval`, which holds by the design alone; the ends of the others allow
        for the known areas. None: those below `RARE` of the frame on the map. `calibrated` only.

    Raises
    ------
    UsageError, InputError : a setting, column or value that the design does not allow.

    Examples
    --------
    Of 60 points each in strata of 100 and 900 ha, 50 and 2 are coca: 100 x 50/60 + 900 x 2/60 ha.

    >>> sample = pd.DataFrame({
    ...     "stratum": ["a"] * 60 + ["b"] * 60,
    ...     "map_class": ["coca"] * 60 + ["other"] * 60,
    ...     "reference_class": ["coca"] * 50 + ["other"] * 10 + ["coca"] * 2 + ["other"] * 58,
    ... })
    >>> strata = pd.DataFrame({"stratum": ["a", "b"], "area_ha": [100.0, 900.0]})
    >>> design = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95}
    >>> found = estimate_areas(sample, strata, classes=None, by_region=False, **design)
    >>> round(float(found.classes.set_index("class").loc["coca", "area_ha"]), 1)
    113.3
    """
    check_settings(estimator, interval, confidence)
    check_known(estimator, known)
    if estimator == TWO_PHASE:
        return two_phase_estimate(
            sample, strata, classes=classes, interval=interval, confidence=confidence, by_region=by_region,
            collapse=collapse,
        )  # fmt: skip
    if known is not None:
        asked = Asked(interval, confidence, by_region, tuple(collapse), None if rare is None else tuple(rare))
        return calibrated_estimate(sample, strata, known, classes=classes, asked=asked)
    design = build_design(
        sample, strata, estimator=estimator, classes=classes, by_region=by_region, collapse=collapse
    )
    overall, overall_se = overall_accuracy(*for_accuracy(design), whole(design.cells))
    total = _figures(design, whole(design.cells), interval, confidence)
    regions, refused = None, list[Note]()
    if by_region:
        domains = region_domains(design.cells, len(design.regions))
        n = np.bincount(design.cells.region, weights=design.cells.count, minlength=domains.n)
        figures = _figures(design, domains, interval, confidence)
        regions = regional_rows(figures, design.regions, n.astype(np.int64), interval=interval)
        regions, refused = _with_refusals(regions, estimator)
    return Estimate(
        estimator,
        interval,
        confidence,
        design.n,
        float(overall[0]),
        float(overall_se[0]),
        total,
        regions,
        strata_table(design.strata),
        (*design.warnings, *limits_of(total, estimator, interval), *refused),
    )


def _figures(design: Design, domains: Domains, interval: str, confidence: float) -> pd.DataFrame:
    cells, k, interval_of = design.cells, len(design.classes), INTERVALS[interval]
    if design.estimator in ASSISTED:
        areas = assisted_areas(design, domains, interval=interval_of, confidence=confidence)
    else:
        areas = class_areas(
            cells, design.strata, domains, n_classes=k, interval=interval_of, confidence=confidence
        )
    cells, strata = for_accuracy(design)
    accuracies = class_accuracies(cells, strata, domains, n_classes=k)
    figures = pd.concat([areas, accuracies], axis=1).assign(**dict.fromkeys(SMALL_AREA, np.nan))
    figures.insert(0, "class", list(design.classes) * domains.n)
    return figures


def _with_refusals(regions: pd.DataFrame, estimator: str) -> tuple[pd.DataFrame, list[Note]]:
    """A note on each row without a figure, and one warning of all; see `assisted_areas`."""
    few = regions["area_ha"].isna()
    if not few.any():
        return regions, []
    note = Note("few_mapped_points", estimator=estimator, least=MIN_MAPPED_POINTS)
    cells = [(*own, note) if no else own for own, no in zip(regions["notes"], few, strict=True)]
    said = Note("no_figure_where_few_mapped", estimator=estimator, least=MIN_MAPPED_POINTS,
                n=int(few.sum()), of=len(few))  # fmt: skip
    return regions.assign(notes=note_column(cells, regions.index)), [said]


def for_accuracy(design: Design) -> tuple[Cells, Strata]:
    """Counts and strata of the accuracies; the assisted estimators have those of post-strata."""
    assisted = design.estimator in ASSISTED
    return design.cells, replace(design.strata, post=True) if assisted else design.strata
