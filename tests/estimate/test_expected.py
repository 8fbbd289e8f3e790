from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammaincinv

from cocal.estimate import Strata, expected_interval


def strata(area, n, pixels=None) -> Strata:
    h = len(n)
    pixels = np.full(h, np.nan) if pixels is None else np.array(pixels, float)
    return Strata(("s",) * h, ("",) * h, np.array(area, float), pixels, np.array(n), np.full(h, -1))


def test_the_mean_wald_half_width_is_the_sum_over_the_binomial_law():
    """n = 50, p = 0.04, A = 100: sum over k of P(k) 1.96 A sqrt(k/n (1 - k/n) / (n - 1))."""
    law = [math.comb(50, k) * 0.04**k * 0.96 ** (50 - k) for k in range(51)]
    half = [195.9964 * math.sqrt(k / 50 * (1 - k / 50) / 49) for k in range(51)]
    exact = sum(p * h for p, h in zip(law, half, strict=True))
    found = expected_interval(strata([100], [50]), np.array([0.04]), interval="wald", confidence=0.95, seed=1)
    assert found.half_width_ha == pytest.approx(exact, rel=0.03)
    assert found.area_ha == pytest.approx(4.0)
    straight = 195.9964 * math.sqrt(0.04 * 0.96 / 49)
    assert found.half_width_ha < 0.95 * straight


def test_many_points_give_the_half_width_of_the_normal_formula():
    area, n, share = np.array([50.0, 950.0]), np.array([4000, 6000]), np.array([0.8, 0.02])
    exact = 1.959964 * math.sqrt((area**2 * share * (1 - share) / n).sum())
    for interval in ("wald", "gamma"):
        found = expected_interval(strata(area, n), share, interval=interval, confidence=0.95, seed=1)
        assert found.half_width_ha == pytest.approx(exact, rel=0.02)
        assert found.low_ha < found.area_ha < found.high_ha
        assert found.half_width_90_ha > found.half_width_ha


def test_without_a_hit_the_interval_ends_at_three_points_of_the_heaviest_stratum():
    """ADR 10: the gamma quantile of 3/4 of a point of the heaviest stratum, 3.14 x 10 ha."""
    given = strata([100, 900], [50, 90]), np.array([0.1, 0.001])
    found = expected_interval(*given, interval="gamma", confidence=0.95, seed=1)
    assert found.no_hit_ha == pytest.approx(10 * gammaincinv(0.75, 0.975))
    small = expected_interval(*given, interval="gamma", confidence=0.95, seed=1, limit_ha=25.0)
    assert small.no_hit_ha == 25.0
    assert small.high_ha <= 25.0
    assert expected_interval(*given, interval="wald", confidence=0.95, seed=1).no_hit_ha == 0


def test_a_census_leaves_no_width():
    found = expected_interval(
        strata([10], [1000], [1000]), np.array([0.3]), interval="wald", confidence=0.95, seed=1
    )
    assert found.half_width_ha == 0
    assert (found.low_ha, found.high_ha) == pytest.approx((3.0, 3.0))


def test_the_same_seed_gives_the_same_figures():
    given = strata([10, 90], [20, 50]), np.array([0.5, 0.01])
    ask = {"interval": "gamma", "confidence": 0.95}
    assert expected_interval(*given, seed=1, **ask) == expected_interval(*given, seed=1, **ask)
    assert expected_interval(*given, seed=1, **ask) != expected_interval(*given, seed=2, **ask)


def test_strata_by_the_thousand_are_no_matter_of_memory():
    h = 60_000
    found = expected_interval(
        strata(np.ones(h), np.full(h, 5)), np.full(h, 0.01), interval="gamma", confidence=0.95, seed=1
    )
    assert found.area_ha == pytest.approx(600)
    assert found.half_width_ha == pytest.approx(1.96 * math.sqrt(h * 0.0099 / 5), rel=0.1)
