"""Published worked examples, to their printed digits, with the interval that the papers print."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import (
    OLOFSSON,
    OLOFSSON_COUNTS,
    OLOFSSON_PIXELS,
    PIXEL_HA,
    olofsson,
    stehman,
)

from cocal.estimate import estimate_areas
from cocal.estimate.result import Estimate

Z = 1.96


def estimated(tables: tuple[pd.DataFrame, pd.DataFrame]) -> Estimate:
    return estimate_areas(
        *tables, classes=None, estimator="stratified", interval="wald", confidence=0.95, by_region=False
    )


def figures(estimate: Estimate) -> pd.DataFrame:
    return estimate.classes.set_index("class")


@pytest.mark.parametrize(
    ("name", "area", "half"),
    [
        ("deforestation", 21_158, 6_158),
        ("gain", 11_686, 3_756),
        ("forest", 285_770, 15_510),
        ("nonforest", 581_386, 16_282),
    ],
)
def test_olofsson_2014_areas_and_half_widths(name: str, area: float, half: float) -> None:
    row = figures(estimated(olofsson())).loc[name]
    assert round(row["area_ha"]) == area
    assert round((row["ci_high_ha"] - row["ci_low_ha"]) / 2) == pytest.approx(half, abs=1)
    assert round(Z * row["standard_error_ha"]) == half


@pytest.mark.parametrize(
    ("name", "users", "users_half", "producers"),
    [
        ("deforestation", 0.88, 0.07, 0.75),
        ("gain", 0.73, 0.10, 0.85),
        ("forest", 0.93, 0.04, 0.93),
        ("nonforest", 0.96, 0.02, 0.96),
    ],
)
def test_olofsson_2014_accuracies(name: str, users: float, users_half: float, producers: float) -> None:
    row = figures(estimated(olofsson())).loc[name]
    assert round(row["users_accuracy"], 2) == users
    assert round(Z * row["users_accuracy_se"], 2) == users_half
    assert round(row["producers_accuracy"], 2) == producers


def test_olofsson_2014_overall_accuracy_and_recomputed_deforestation() -> None:
    estimate = estimated(olofsson())
    assert round(estimate.overall_accuracy, 6) == 0.946512
    assert round(estimate.overall_accuracy_se, 6) == 0.009430
    row = figures(estimate).loc["deforestation"]
    assert round(row["area_ha"] / PIXEL_HA, 2) == 235_086.25
    assert round(row["standard_error_ha"] / PIXEL_HA, 2) == 34_907.22


@pytest.mark.parametrize(
    ("name", "half", "digits"),
    [("deforestation", 0.21, 2), ("gain", 0.254, 3), ("forest", 0.03, 2), ("nonforest", 0.0184, 4)],
)
def test_olofsson_2014_producers_half_widths_follow_the_papers_formula(
    name: str, half: float, digits: int
) -> None:
    """The paper prints .23 for gain and .01 for non-forest; its own equation 7 gives .254 and .0184."""
    row = figures(estimated(olofsson())).loc[name]
    assert round(Z * row["producers_accuracy_se"], digits) == half


def test_olofsson_2014_equations_written_out_agree() -> None:
    """The paper's formulas with loops over the matrix, as a second, independent reading."""
    n, pixels = OLOFSSON_COUNTS, OLOFSSON_PIXELS
    totals, result = n.sum(axis=1), figures(estimated(olofsson()))
    for j, name in enumerate(OLOFSSON):
        users = n[j, j] / totals[j]
        column = sum(pixels[i] * n[i, j] / totals[i] for i in range(4))
        producers = pixels[j] * users / column
        own = pixels[j] ** 2 * (1 - producers) ** 2 * users * (1 - users) / (totals[j] - 1)
        others = sum(
            pixels[i] ** 2 * n[i, j] / totals[i] * (1 - n[i, j] / totals[i]) / (totals[i] - 1)
            for i in range(4)
            if i != j
        )
        assert result.loc[name, "users_accuracy_se"] ** 2 == pytest.approx(
            users * (1 - users) / (totals[j] - 1)
        )
        assert result.loc[name, "producers_accuracy"] == pytest.approx(producers)
        assert result.loc[name, "producers_accuracy_se"] ** 2 == pytest.approx(
            (own + producers**2 * others) / column**2
        )


def test_stehman_2014_areas_and_accuracies() -> None:
    estimate = estimated(stehman())
    result, total = figures(estimate), 100_000
    assert result.loc["A", "area_ha"] / total == pytest.approx(0.35)
    assert round(result.loc["A", "standard_error_ha"] / total, 3) == 0.082
    assert result.loc["C", "area_ha"] / total == pytest.approx(0.20)
    assert round(result.loc["C", "standard_error_ha"] / total, 3) == 0.064
    assert estimate.overall_accuracy == pytest.approx(0.63)
    assert round(estimate.overall_accuracy_se, 3) == 0.085
    assert round(result.loc["B", "users_accuracy"], 3) == 0.574
    assert round(result.loc["B", "users_accuracy_se"], 3) == 0.125
    assert round(result.loc["B", "producers_accuracy"], 3) == 0.794


def test_stehman_2014_producers_standard_error_is_1165_not_the_printed_114() -> None:
    """The paper's .114 is an erratum: its own formula with its own Table 2 gives .1165.

    Here with units as pixels, so with the paper's (1 - n_h/N_h); without it .1166.
    """
    sample, strata = stehman()
    strata = strata.rename(columns={"area_ha": "pixels"}).assign(pixel_area_m2=10_000.0)
    x = (sample["reference_class"] == "B").to_numpy(float)
    y = x * (sample["map_class"] == "B")
    ratio, variance, total = 0.27 / 0.34, 0.0, 34_000.0
    for name, size in zip(strata["stratum"], strata["pixels"], strict=True):
        own = (sample["stratum"] == name).to_numpy()
        (syy, sxy), (_, sxx) = np.cov(y[own], x[own])
        residual = syy + ratio**2 * sxx - 2 * ratio * sxy
        variance += size**2 * (1 - 10 / size) * residual / 10 / total**2
    assert round(variance**0.5, 4) == 0.1165
    assert figures(estimated((sample, strata))).loc["B", "producers_accuracy_se"] == pytest.approx(
        variance**0.5
    )


def test_stehman_2014_proportion_mapped_b_and_reference_c() -> None:
    """.08, as the area of a class of its own: points that are both."""
    sample, strata = stehman()
    both = (sample["map_class"] == "B") & (sample["reference_class"] == "C")
    marked = sample.assign(reference_class=both.map({True: "BC", False: "rest"}), map_class="rest")
    assert figures(estimated((marked, strata))).loc["BC", "area_ha"] / 100_000 == pytest.approx(0.08)


def test_a_finite_population_correction_only_with_pixel_counts() -> None:
    """Stehman's strata given as pixels: every stratum's variance shrinks by 1 - 10/N_h."""
    sample, strata = stehman()
    pixels = pd.DataFrame(
        {"stratum": strata["stratum"], "pixels": [400, 300, 200, 100], "pixel_area_m2": 10_000.0}
    )
    variance = 0.0
    for name, size in zip(pixels["stratum"], pixels["pixels"], strict=True):
        y = (sample.loc[sample["stratum"] == name, "reference_class"] == "A").to_numpy(float)
        variance += size**2 * (1 - 10 / size) * y.var(ddof=1) / 10
    assert figures(estimated((sample, pixels))).loc["A", "standard_error_ha"] == pytest.approx(variance**0.5)
