"""The estimator `calibrated`: regions whose classes add up to their area, from tables to an `Estimate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.errors import UsageError
from cocal.estimate.design import Cells, Design, build_design, classes_found
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.regional.calibrated_small import with_small_area
from cocal.estimate.regional.calibration import (
    Crossed,
    PostStrata,
    at_places,
    calibrated_totals,
    crossed,
    pooled,
    regression_variances,
    rows_by,
)
from cocal.estimate.regional.ends import Ends, guaranteed_ends, residual_ends
from cocal.estimate.regional.known import Known, known_ground, seen_alike, with_atoms
from cocal.estimate.result import SMALL_AREA, Estimate, limits_of, regional_rows, strata_table
from cocal.estimate.settings import CALIBRATED
from cocal.estimate.strata import Strata
from cocal.estimate.stratified import Domains, class_accuracies, overall_accuracy, whole
from cocal.estimate.tally import Floats, Ints, sum_by

RARE = 0.05
"""Share of the map's observed ground below which a class is rare unless the rare classes are stated."""


@dataclass(frozen=True)
class Asked:
    """Settings of a calibrated estimate; the fields are arguments of `estimate_areas`, described there."""

    interval: str
    confidence: float
    by_region: bool
    collapse: tuple[str | Sequence[str], ...]
    rare: tuple[str, ...] | None


@dataclass(frozen=True)
class Basis:
    """All that the figures of any set of places follow from; `totals` are those of the atoms."""

    table: Crossed
    post: PostStrata
    strata: Strata
    totals: Floats
    rare: NDArray[np.bool_]
    asked: Asked


def calibrated_estimate(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    known: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    asked: Asked,
) -> Estimate:
    """The estimate of `estimate_areas` with the known areas; arguments and errors are described there."""
    sample = seen_alike(sample)
    scheme = list(classes) if classes is not None else classes_found(sample, known)
    if UNOBSERVED not in scheme and (known.get("map_class", pd.Series(dtype=str)) == UNOBSERVED).any():
        scheme.append(UNOBSERVED)
    if strange := sorted(set(asked.rare or ()) - set(scheme)):
        raise UsageError(
            "rare classes that are not of the class scheme", ", ".join(scheme), ", ".join(strange), "fix them"
        )
    design = build_design(
        with_atoms(sample, known, by_region=asked.by_region),
        strata,
        estimator=CALIBRATED,
        classes=scheme,
        by_region=True,
        collapse=asked.collapse,
    )
    ground, atom, warnings = known_ground(
        known, strata, design, by_region=asked.by_region, collapse=asked.collapse
    )
    basis = basis_of(design.cells, design.strata, ground, atom, classes=design.classes, asked=asked)
    frame = Domains(np.zeros_like(atom), np.array([-1]))
    total = _figures(design, basis, np.zeros_like(ground.region), frame)
    regions = None
    if asked.by_region:
        domains = Domains(ground.region[atom], np.arange(len(ground.regions)))
        n = np.bincount(domains.of_cell, weights=design.cells.count, minlength=domains.n)
        figures = _figures(design, basis, ground.region, domains)
        figures, model = with_small_area(
            figures, design, ground, atom, rare=basis.rare, confidence=asked.confidence
        )
        warnings += model
        regions = regional_rows(figures, ground.regions, n.astype(np.int64), interval=asked.interval)
    seen = _seen(design.cells, basis.post.dark)
    overall, error = overall_accuracy(seen, design.strata, whole(seen))
    return Estimate(
        CALIBRATED,
        asked.interval,
        asked.confidence,
        design.n,
        float(overall[0]),
        float(error[0]),
        total,
        regions,
        strata_table(design.strata),
        (*design.warnings, *warnings, *limits_of(total, CALIBRATED, asked.interval)),
    )


def _seen(cells: Cells, dark: int) -> Cells:
    """The points on ground that the map shows, of which alone an accuracy can be stated."""
    seen = cells.mapped != dark
    return Cells(*(getattr(cells, field.name)[seen] for field in fields(Cells)))


@dataclass(frozen=True)
class Areas:
    """Hectares, their linearised variance and the ends of their interval, (places, classes)."""

    area_ha: Floats
    variance: Floats
    ends: Ends


def basis_of(
    cells: Cells, strata: Strata, ground: Known, atom: Ints, *, classes: Sequence[str], asked: Asked
) -> Basis:
    """Rates, post-strata and the atoms' hectares of one sample.

    Parameters
    ----------
    cells, strata : the sample as counts, and its strata with their points.
    ground, atom : known hectares, and the atom of each cell.
    """
    k = len(classes)
    area = sum_by(ground.stratum, ground.area_ha, len(strata.names))
    strata = replace(strata, area_ha=area)
    dark = classes.index(UNOBSERVED) if UNOBSERVED in classes else -1
    table = crossed(ground, cells, atom, strata=strata, n_classes=k, dark=dark)
    post = pooled(table, strata, dark)
    totals = calibrated_totals(table, post, ground.unit, len(ground.units))
    mapped = sum_by(ground.mapped, ground.area_ha, k)
    seen = mapped.sum() - (mapped[dark] if dark >= 0 else 0.0)
    stated = None if asked.rare is None else [name in asked.rare for name in classes]
    rare = mapped < RARE * seen if stated is None else np.array(stated)
    return Basis(table, post, strata, totals, rare, asked)


def areas_at(basis: Basis, place_of: Ints, n_places: int) -> Areas:
    """Hectares and ends of places; `place_of` is the place of each atom."""
    table = at_places(basis.table, place_of, n_places)
    total = rows_by(place_of, basis.totals, n_places)
    variance = regression_variances(table, basis.post, basis.strata)
    return Areas(total, variance, _ends(basis, table, total, variance))


def _figures(design: Design, basis: Basis, place_of: Ints, domains: Domains) -> pd.DataFrame:
    """`FIGURES` by place and class; `place_of` is the place of each atom."""
    k = len(design.classes)
    found = areas_at(basis, place_of, domains.n)
    seen = design.cells.mapped != basis.post.dark
    points = Domains(domains.of_cell[seen], domains.region)
    accuracies = class_accuracies(_seen(design.cells, basis.post.dark), design.strata, points, n_classes=k)
    areas = {
        "class": list(design.classes) * domains.n,
        "area_ha": found.area_ha.ravel(),
        "standard_error_ha": np.sqrt(found.variance).ravel(),
        "ci_low_ha": found.ends.low_ha.ravel(),
        "ci_high_ha": found.ends.high_ha.ravel(),
    }
    return pd.concat([pd.DataFrame(areas), accuracies], axis=1).assign(**dict.fromkeys(SMALL_AREA, np.nan))


def _ends(basis: Basis, table: Crossed, total: Floats, variance: Floats) -> Ends:
    """Wald's ends where asked for; else the design's own for rare classes, those of residuals for others."""
    asked, own = basis.asked, (table, basis.post, basis.strata)
    if asked.interval == "wald":
        from scipy.special import ndtri  # slow to load, and not every run has a sample

        half = ndtri((1 + asked.confidence) / 2) * np.sqrt(variance)
        return Ends(total - half, total + half)
    common = residual_ends(*own, total=total, variance=variance, confidence=asked.confidence)
    interval = INTERVALS[asked.interval]
    rare = guaranteed_ends(*own, total=total, interval=interval, confidence=asked.confidence)
    low, high = (
        np.where(basis.rare, getattr(rare, end), getattr(common, end)) for end in ("low_ha", "high_ha")
    )
    if (dark := basis.post.dark) >= 0:
        low[:, dark] = high[:, dark] = total[:, dark]
    return Ends(low, high)
