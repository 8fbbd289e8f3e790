"""Two phases: every point read on images, a part of them visited; hectares from the readings and the visits.

Double sampling for stratification within the design's strata (Cochran 1977, Sampling Techniques, section
12.2): the visits of each reading are a random part of the points that were read so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cocal.errors import InputError, UsageError
from cocal.estimate.collapse import merge_strata
from cocal.estimate.design import check_columns, refuse_no_answer, stratum_of_points
from cocal.estimate.expected import ExpectedInterval
from cocal.estimate.intervals import pearson3
from cocal.estimate.result import FIGURES, Estimate, strata_table
from cocal.estimate.strata import strata_from_table
from cocal.estimate.tally import Floats, Ints
from cocal.estimate.weights import check_purposive, check_weights
from cocal.notes import Note

UNSEEN = 0.25
"""Share of one unseen event of the heaviest visit that each end allows for. The guarantee allows for 3/4
(`intervals.PHANTOM`); a quarter assumes that a class which no visit of a reading found is rarer there than
elsewhere. It is an assumption of this estimator alone."""

CAMPAIGNS = 400


@dataclass(frozen=True)
class Phases:
    """Points of both phases; all but `area_ha` may have leading axes, of draws.

    `area_ha` (H,) of the strata; `read` (..., H, R) points by reading, `visited` those of them that were
    visited, `hits` those that were of the class.
    """

    area_ha: Floats
    read: Ints
    visited: Ints
    hits: Ints

    @property
    def parts(self) -> Floats:
        """(..., H, R) w_sr, the share of each reading in its stratum."""
        n = self.read.sum(axis=-1, keepdims=True)
        return np.asarray(self.read / np.maximum(n, 1))

    @property
    def shares(self) -> Floats:
        """(..., H, R) p_sr, the share of the class among the visits of each reading; 0 without a visit."""
        return np.asarray(self.hits / np.maximum(self.visited, 1))

    @property
    def weights(self) -> Floats:
        """(..., H, R) hectares that one visit stands for; 0 without a visit."""
        area = self.area_ha[:, None] * self.parts
        return np.where(self.visited > 0, area / np.maximum(self.visited, 1), 0.0)


def two_phase_moments(points: Phases) -> tuple[Floats, Floats, Floats]:
    """(...) estimated hectares, their variance, third cumulant of their confidence distribution.

    T = sum A_s sum_r w_sr p_sr; V = sum A_s^2 [sum_r w_sr^2 p_sr (1 - p_sr) / (n2_sr - 1) + sum_r w_sr (p_sr
    - p_s)^2 / n1_s] (Cochran 1977, eq. 12.32, for strata). The third cumulant is twice that of the sampling
    distribution, as in `intervals.gamma`.
    """
    w, p, area = points.parts, points.shares, points.area_ha
    n1, n2 = np.maximum(points.read.sum(axis=-1), 1), np.maximum(points.visited, 1)
    mean = (w * p).sum(axis=-1)
    apart = p - mean[..., None]
    within = (w**2 * p * (1 - p) / np.maximum(n2 - 1, 1)).sum(axis=-1)
    between = (w * apart**2).sum(axis=-1) / n1
    bent = (w**3 * p * (1 - p) * (1 - 2 * p) / n2**2).sum(axis=-1) + (w * apart**3).sum(axis=-1) / n1**2
    sums = (area * mean, area**2 * (within + between), 2 * area**3 * bent)
    total, variance, third = (part.sum(axis=-1) for part in sums)
    return total, variance, third


def two_phase_ends(points: Phases, confidence: float) -> tuple[Floats, Floats]:
    """(...) ends of the interval, ha, within 0 and the area of the strata.

    A Pearson type III curve with the moments above, after `UNSEEN` of one more visit of the class (one less)
    where it weighs most, as in `intervals.gamma`.
    """
    total, variance, third = two_phase_moments(points)
    weight, p = np.broadcast_arrays(points.weights, points.shares)
    tail = (1 - confidence) / 2
    ends = []
    for sign, shift, at in ((1, weight * (1 - p), 1 - tail), (-1, weight * p, tail)):
        flat = shift.reshape(*shift.shape[:-2], -1)
        place = flat.argmax(axis=-1)[..., None]
        most = np.take_along_axis(flat, place, -1)[..., 0]
        own = np.take_along_axis(weight.reshape(flat.shape), place, -1)[..., 0]
        ends.append(
            pearson3(
                total + sign * UNSEEN * most,
                variance + UNSEEN * most * own,
                third + sign * 2 * UNSEEN * most * own**2,
                at,
            )
        )
    high, low = ends
    return np.where(total > 0, np.clip(low, 0, total), 0.0), np.clip(high, total, points.area_ha.sum())


def draw_phases(
    area_ha: Floats, n1: Ints, n2: Ints, rates: tuple[Floats, Floats], rng: np.random.Generator, size: int
) -> Phases:
    """Return `size` campaigns.

    Parameters
    ----------
    area_ha, n1 : (H,) of the strata; points read in each.
    n2 : (H, 2) visits that are planned among the points read as the class, and read as another.
    rates : (H,) share of the points that are read as the class; (H, 2) share of the class in each reading.
    """
    part, share = rates
    first = rng.binomial(n1, part, (size, len(n1)))
    read = np.stack([first, n1 - first], axis=-1)
    visited = np.minimum(read, n2)
    return Phases(area_ha, read, visited, rng.binomial(visited, share))


def reading_rates(share: Floats, sensitivity: float, specificity: float) -> tuple[Floats, Floats]:
    """(H,) share of points read as the class, (H, 2) share of the class where read so and where not.

    Examples
    --------
    Of 1,000 points 100 are of the class; 95 of them and 45 of the others are read as it.

    >>> part, shares = reading_rates(np.array([0.1]), 0.95, 0.95)
    >>> round(float(part[0]), 3), [round(float(v), 4) for v in shares[0]]
    (0.14, [0.6786, 0.0058])
    """
    part = share * sensitivity + (1 - share) * (1 - specificity)
    inside = share * sensitivity / np.where(part > 0, part, 1)
    outside = share * (1 - sensitivity) / np.where(part < 1, 1 - part, 1)
    return part, np.stack([inside, outside], axis=-1)


def expected_two_phase(
    area_ha: Floats, n1: Ints, n2: Ints, rates: tuple[Floats, Floats], *, confidence: float, seed: int
) -> ExpectedInterval:
    """The interval to be expected of two phases; parameters as in `draw_phases`."""
    drawn = draw_phases(area_ha, n1, n2, rates, np.random.default_rng(seed), CAMPAIGNS)
    low, high = two_phase_ends(drawn, confidence)
    _, none = two_phase_ends(replace(drawn, hits=np.zeros_like(drawn.hits)), confidence)
    part, share = rates
    expected = area_ha * (part * share[:, 0] + (1 - part) * share[:, 1])
    half = (high - low) / 2
    return ExpectedInterval(
        float(expected.sum()), float(low.mean()), float(high.mean()), float(half.mean()),
        float(np.quantile(half, 0.9)), float(none.mean()),
    )  # fmt: skip


def two_phase_estimate(
    sample: pd.DataFrame,
    strata: pd.DataFrame,
    *,
    classes: Sequence[str] | None,
    interval: str,
    confidence: float,
    by_region: bool,
    collapse: Sequence[str | Sequence[str]] = (),
) -> Estimate:
    """Hectares of each class in the whole frame from readings and visits.

    Parameters
    ----------
    sample : stratum, reading_class, reference_class (empty: read, not visited) [, inclusion_probability]
        [, region]; the visits are a random part of the points of their stratum and reading.
    strata : stratum, area_ha (or pixels and pixel_area_m2) [, region].
    collapse : strata to merge, as in `estimate_areas`.

    Raises
    ------
    UsageError
        `by_region` is True, `interval` is not `gamma`, or points have no inclusion probability.
    InputError
        Points without a reading, or a reading in a stratum with points and fewer than two visits.
    """
    _check(sample, strata, interval, by_region)
    check_purposive(sample)
    texts = [key for key in ("stratum", "reading_class", "region") if key in sample.columns]
    named = sample.assign(**{key: sample[key].astype(str) for key in texts})
    table = strata_from_table(strata)
    stratum = stratum_of_points(named, table)
    warnings = check_weights(named, stratum, table)
    stratum, table, merged = merge_strata(stratum, table, collapse)
    table = table.with_points(stratum)
    table.check_points()
    visited = named["reference_class"].notna().to_numpy()
    truth = named["reference_class"].astype("str").to_numpy()
    if classes is None:
        refuse_no_answer(set(truth[visited]))
    readings = sorted(named["reading_class"].unique())
    known = list(classes) if classes is not None else sorted({*readings, *truth[visited]})
    place = stratum * len(readings) + np.searchsorted(readings, named["reading_class"])

    def counted(rows: np.ndarray) -> Ints:
        size = len(table.names) * len(readings)
        return np.bincount(place[rows], minlength=size).reshape(-1, len(readings))

    points = Phases(table.area_ha, counted(np.ones(len(named), bool)), counted(visited), np.zeros(0, int))
    _check_visits(points, table.labels, readings)
    hits = np.stack([counted(visited & (truth == name)) for name in known])
    figures = _figures(replace(points, hits=hits), known, confidence)
    right = counted(visited & (truth == named["reading_class"].to_numpy()))
    agreed, variance, _ = two_phase_moments(replace(points, hits=right))
    return Estimate(
        "two_phase", interval, confidence, len(named), float(agreed / table.total_ha),
        float(np.sqrt(variance) / table.total_ha), figures, None, strata_table(table),
        (*warnings, *merged, Note("two_phase_assumption", visits=int(visited.sum()), n=len(named))),
    )  # fmt: skip


def _figures(points: Phases, classes: Sequence[str], confidence: float) -> pd.DataFrame:
    area, variance, _ = two_phase_moments(points)
    low, high = two_phase_ends(points, confidence)
    found = {"area_ha": area, "standard_error_ha": np.sqrt(variance), "ci_low_ha": low, "ci_high_ha": high}
    table = pd.DataFrame({name: found.get(name, np.full(len(area), np.nan)) for name in FIGURES})
    table.insert(0, "class", list(classes))
    return table


def _check(sample: pd.DataFrame, strata: pd.DataFrame, interval: str, by_region: bool) -> None:
    if by_region or interval != "gamma":
        raise UsageError(
            "the estimator two_phase",
            "the whole frame and the interval gamma",
            "regions" if by_region else f"interval {interval!r}",
            "leave regions out, or use another estimator for the points that were visited",
        )
    check_columns(sample, strata, ("stratum", "reading_class", "reference_class"), by_region=False)
    if unread := int(sample["reading_class"].isna().sum()):
        raise InputError(
            "the sample is not one of two phases",
            "stratum and reading_class of every point, reference_class of those that were visited",
            f"{unread} points without a reading",
            "complete the table",
        )


def _check_visits(points: Phases, labels: Sequence[str], readings: Sequence[str]) -> None:
    few = (points.read > 0) & (points.visited < np.minimum(points.read, 2))
    if few.any():
        names = [f"{readings[r]} in {labels[h]}" for h, r in zip(*np.nonzero(few), strict=True)]
        raise InputError(
            "readings that were hardly visited say nothing of the ground",
            "two visits of each reading in each stratum, or all of its points",
            f"fewer for points read as {', '.join(names[:12])}",
            "visit points of that reading, the lowest `order` first",
        )
