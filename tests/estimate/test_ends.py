"""Ends of calibrated figures: the residual curve beside loops and scipy, the guarantee by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cocal.estimate import estimate_areas
from cocal.estimate.intervals import gamma
from cocal.estimate.regional.calibration import Crossed, pooled, regression_totals, regression_variances
from cocal.estimate.regional.ends import OWN_STRATUM, guaranteed_ends, residual_ends
from cocal.estimate.strata import Strata
from cocal.estimate.tally import tally

AREA = np.array([900.0, 4_000.0])
N = np.array([90, 80])


def crossed_table() -> tuple[Crossed, Strata]:
    """Two strata, two groups each (map classes 0 and 1), two places, two classes."""
    strata = Strata(("a", "b"), ("", ""), AREA, np.full(2, np.nan), N, np.full(2, -1))
    width = 3
    post = np.repeat([0, 1, width, width + 1], 2)
    hits = np.array([[30, 2], [12, 1], [3, 20], [0, 22], [15, 0], [14, 1], [2, 30], [1, 17]], dtype=float)
    area = np.array([350, 130, 200, 220, 800, 700, 1_600, 900], dtype=float)
    return Crossed(post, np.tile([0, 1], 4), area, hits.sum(axis=1), hits, 2), strata


def by_loops(table: Crossed, strata: Strata, place: int, k: int, total: float, linear: float) -> list[float]:
    """The formulas of `residual_ends`, cell by cell."""
    cells = list(zip(table.post, table.place, table.area_ha, table.n, table.hits[:, k], strict=True))
    everywhere = {
        g: sum(c[4] for c in cells if c[0] % 3 == g) / sum(c[3] for c in cells if c[0] % 3 == g)
        for g in (0, 1)
    }
    variance = third = unseen = 0.0
    for h in range(2):
        e1 = e2 = e3 = there = 0.0
        for post, where, area, n, y in cells:
            if post // 3 != h or where != place:
                continue
            n_hg = sum(c[3] for c in cells if c[0] == post)
            y_hg = sum(c[4] for c in cells if c[0] == post)
            p = (y_hg + 0.5 * (everywhere[post % 3] + 1 / 8)) / (n_hg + 1)
            q = (y + 4 * p) / (n + 4)
            w = area / AREA[h]
            e1 += w * (q - p)
            e2 += w * (1 + 1 / n_hg) * (q * (1 - q) + (q - p) ** 2)
            e3 += w * (q * (1 - p) ** 3 - (1 - q) * p**3)
            there += area
        variance += AREA[h] ** 2 / N[h] * (e2 - e1**2)
        third += AREA[h] ** 3 / N[h] ** 2 * (e3 - 3 * e1 * e2 + 2 * e1**3)
        unseen = max(unseen, min(AREA[h] / N[h], there))
    variance = max(variance, linear) + 0.1 * unseen**2
    skew = third / variance**1.5
    return [float(stats.pearson3.ppf(at, skew, total, variance**0.5)) for at in (0.025, 0.975)]


def test_residual_ends_are_those_of_loops_and_of_scipy() -> None:
    table, strata = crossed_table()
    post = pooled(table, strata, -1)
    total, _ = regression_totals(table, post)
    variance = regression_variances(table, post, strata)
    found = residual_ends(table, post, strata, total=total, variance=variance, confidence=0.95)
    for place in (0, 1):
        limit = table.area_ha[table.place == place].sum()
        for k in (0, 1):
            low, high = by_loops(table, strata, place, k, total[place, k], variance[place, k])
            assert 0 < low < high < limit
            assert found.low_ha[place, k] == pytest.approx(low, rel=1e-9)
            assert found.high_ha[place, k] == pytest.approx(high, rel=1e-9)


def test_two_classes_have_mirrored_ends() -> None:
    table, strata = crossed_table()
    post = pooled(table, strata, -1)
    total, _ = regression_totals(table, post)
    variance = regression_variances(table, post, strata)
    found = residual_ends(table, post, strata, total=total, variance=variance, confidence=0.9)
    assert found.low_ha[:, 0] + found.high_ha[:, 1] == pytest.approx(total.sum(axis=1), rel=1e-3)


@pytest.mark.parametrize(("expected", "own"), [(OWN_STRATUM, True), (OWN_STRATUM - 0.001, False)])
def test_a_part_of_a_stratum_counts_by_itself_from_30_expected_points_on(expected: float, own: bool) -> None:
    """Of 100 points in 1,000 ha, 28 fell into a place of 300 ha, 5 of them are coca.

    By itself: 5 of 28 points of 300 ha; as a domain: 5 of 100 points of 1,000 ha, cut at the place's area.
    """
    area = expected * 10
    table = Crossed(
        np.zeros(2, np.int64), np.array([0, 1]), np.array([area, 1_000 - area]), np.array([28.0, 72.0]),
        np.array([[5.0, 23.0], [0.0, 72.0]]), 2,
    )  # fmt: skip
    strata = Strata(("a",), ("",), np.array([1_000.0]), np.array([np.nan]), np.array([100]), np.array([-1]))
    post = pooled(table, strata, -1)
    total, _ = regression_totals(table, post)
    found = guaranteed_ends(table, post, strata, total=total, interval=gamma, confidence=0.95)
    size = (area, 28) if own else (1_000.0, 100)
    alone = Strata(
        ("a",), ("",), np.array([size[0]]), np.array([np.nan]), np.array([size[1]]), np.array([-1])
    )
    one = np.zeros(1, np.int64)
    sums = tally(one, one, np.ones(1), np.array([5.0]), n_groups=1)
    low, high = gamma(sums, alone, np.array([-1]), 0.95)
    assert found.low_ha[0, 0] == pytest.approx(min(low[0], total[0, 0]), rel=1e-9)
    assert found.high_ha[0, 0] == pytest.approx(min(max(high[0], total[0, 0]), area), rel=1e-9)


def test_a_region_without_a_hit_reads_zero_to_what_its_own_strata_could_hide() -> None:
    """Stratum b, 50 ha a point, does not reach into R1: what counts there is a, 880 ha in 97 points.

    In R2, of 20 ha, no end lies beyond the 20 ha.
    """
    sample = pd.DataFrame(
        {
            "stratum": ["a"] * 110 + ["b"] * 100, "region": ["R1"] * 97 + ["R2"] * 13 + ["R3"] * 100,
            "map_class": "land", "reference_class": ["land"] * 209 + ["coca"],
        }
    )  # fmt: skip
    known = pd.DataFrame({"stratum": ["a", "a", "b"], "region": ["R1", "R2", "R3"], "map_class": "land"})
    known["area_ha"] = [880.0, 20.0, 5_000.0]
    strata = known.groupby("stratum")["area_ha"].sum().reset_index()
    found = estimate_areas(
        sample, strata, classes=None, estimator="calibrated", interval="gamma", confidence=0.95,
        by_region=True, known=known, rare=("coca",),
    ).regions  # fmt: skip
    assert found is not None
    coca = found[found["class"] == "coca"].set_index("region")
    assert coca.loc["R1", "ci_low_ha"] == 0
    assert coca.loc["R1", "ci_high_ha"] == pytest.approx(3.09 * 880 / 97, rel=0.02)
    assert coca.loc["R2", "ci_high_ha"] == 20
