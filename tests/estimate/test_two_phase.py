"""Readings of all points, visits to a part of them: Cochran (1977), section 12.2."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.errors import InputError, UsageError
from cocal.estimate import estimate_areas, expected_two_phase, reading_rates
from cocal.estimate.two_phase import Phases, draw_phases, two_phase_ends, two_phase_moments

STRATA = pd.DataFrame({"stratum": ["s"], "area_ha": [100.0]})


def sample(read_coca=(40, 20, 15), read_other=(60, 10, 1)) -> pd.DataFrame:
    """Points by reading: read, visited, of coca."""
    rows = []
    for reading, (read, visited, hits) in (("coca", read_coca), ("other", read_other)):
        truth = ["coca"] * hits + ["other"] * (visited - hits) + [None] * (read - visited)
        rows += [{"stratum": "s", "reading_class": reading, "reference_class": t} for t in truth]
    return pd.DataFrame(rows).assign(inclusion_probability=0.01)


def estimate(table: pd.DataFrame, strata=STRATA, **change):
    asked = {"estimator": "two_phase", "interval": "gamma", "confidence": 0.95, "by_region": False}
    return estimate_areas(table, strata, classes=None, **(asked | change))


def test_the_estimate_and_its_variance_are_those_of_a_sum_by_hand():
    """100 x (0.4 x 15/20 + 0.6 x 1/10) = 36 ha; within and between readings by eq. 12.32."""
    row = estimate(sample()).classes.set_index("class").loc["coca"]
    assert row["area_ha"] == pytest.approx(36)
    within = 0.4**2 * 0.75 * 0.25 / 19 + 0.6**2 * 0.1 * 0.9 / 9
    between = (0.4 * (0.75 - 0.36) ** 2 + 0.6 * (0.1 - 0.36) ** 2) / 100
    assert row["standard_error_ha"] == pytest.approx(100 * np.sqrt(within + between))
    assert 0 < row["ci_low_ha"] < 36 < row["ci_high_ha"] < 100


def test_classes_add_up_and_the_accuracy_is_that_of_the_readings():
    """Read rightly: 0.4 x 15/20 + 0.6 x 9/10 of the ground."""
    found = estimate(sample())
    assert found.classes["area_ha"].sum() == pytest.approx(100)
    assert found.overall_accuracy == pytest.approx(0.4 * 0.75 + 0.6 * 0.9)
    assert [w.code for w in found.warnings if w.code.startswith("two")] == ["two_phase_assumption"]


def test_strata_that_are_merged_are_one_stratum():
    """The sample by hand, its first 50 points drawn in one half of the ground and the others in the other."""
    halves = pd.DataFrame({"stratum": ["s", "t"], "area_ha": [50.0, 50.0]})
    table = sample().assign(stratum=["s"] * 50 + ["t"] * 50)
    found = estimate(table, halves, collapse=("s+t",))
    assert found.classes.set_index("class").loc["coca", "area_ha"] == pytest.approx(36)
    assert found.strata["stratum"].tolist() == ["s+t"]


def test_strata_of_regions_need_the_region_of_each_point():
    with pytest.raises(InputError, match="no column 'region'"):
        estimate(sample(), STRATA.assign(region="R"))
    found = estimate(sample().assign(region="R"), STRATA.assign(region="R"))
    assert found.classes.set_index("class").loc["coca", "area_ha"] == pytest.approx(36)


def test_readings_of_one_kind_with_every_point_visited_are_one_phase():
    table = sample(read_coca=(0, 0, 0), read_other=(50, 50, 7))
    row = estimate(table).classes.set_index("class").loc["coca"]
    assert row["area_ha"] == pytest.approx(14)
    assert row["standard_error_ha"] == pytest.approx(100 * np.sqrt(0.14 * 0.86 / 49))


def test_the_variance_is_that_of_20000_campaigns():
    area, share = np.array([400.0, 9_600.0]), np.array([0.8, 0.02])
    rates = reading_rates(share, 0.9, 0.95)
    n1, n2 = np.array([300, 1_500]), np.array([[90, 60], [150, 250]])
    drawn = draw_phases(area, n1, n2, rates, np.random.default_rng(1), 20_000)
    total, variance, _ = two_phase_moments(drawn)
    truth = float((area * share).sum())
    assert total.mean() == pytest.approx(truth, abs=4 * total.std() / np.sqrt(20_000))
    assert variance.mean() == pytest.approx(total.var(), rel=0.05)
    low, high = two_phase_ends(drawn, 0.95)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93


@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4), min_size=1, max_size=5))
def test_ends_hold_the_estimate_within_nothing_and_all(rows):
    area = np.arange(1, len(rows) + 1) * 100.0
    a, b, c, d = (np.array(column) for column in zip(*rows, strict=True))
    visited = np.stack([np.minimum(a, b), np.minimum(c, d)], axis=-1)
    points = Phases(area, np.stack([a, c], axis=-1), visited, visited // 2)
    total, variance, _ = two_phase_moments(points)
    low, high = two_phase_ends(points, 0.95)
    assert 0 <= low <= total + 1e-9
    assert total - 1e-9 <= high <= area.sum() + 1e-9
    assert variance >= 0


def test_without_a_hit_the_lower_end_is_zero_and_the_upper_a_quarter_event():
    """Pearson III of a quarter of an event: the gamma quantile of shape 1/4, times 100 x 0.6 / 10 ha."""
    from scipy.special import gammaincinv

    points = Phases(np.array([100.0]), np.array([[40, 60]]), np.array([[20, 10]]), np.array([[0, 0]]))
    low, high = two_phase_ends(points, 0.95)
    assert low == 0
    assert high == pytest.approx(6 * gammaincinv(0.25, 0.975))


def test_a_design_of_readings_expects_what_campaigns_give():
    area, share = np.array([400.0, 9_600.0]), np.array([0.8, 0.02])
    rates = reading_rates(share, 0.95, 0.95)
    found = expected_two_phase(
        area, np.array([300, 1_500]), np.array([[90, 60], [150, 250]]), rates, confidence=0.95, seed=1
    )
    assert found.area_ha == pytest.approx(320 + 192)
    assert found.low_ha < found.area_ha < found.high_ha
    assert found.half_width_ha == pytest.approx((found.high_ha - found.low_ha) / 2)


@pytest.mark.parametrize(
    ("table", "change", "error", "words"),
    [
        (sample(read_other=(60, 1, 0)), {}, InputError, "other in s"),
        (sample(read_coca=(40, 0, 0)), {}, InputError, "coca in s"),
        (sample().drop(columns="reading_class"), {}, InputError, "no column 'reading_class'"),
        (sample().assign(class_scheme=["A"] + ["B"] * 99), {}, InputError, "mixes class schemes"),
        (sample(), {"collapse": ("s+t",)}, InputError, "no stratum t"),
        (sample().assign(reading_class=[None] + ["coca"] * 99), {}, InputError, "1 points without"),
        (sample().assign(inclusion_probability=np.nan), {}, UsageError, "inclusion probability"),
        (sample().assign(stratum="t"), {}, InputError, "strata table does not have"),
        (sample().assign(region="R"), {"by_region": True}, UsageError, "whole frame"),
        (sample(), {"interval": "wald"}, UsageError, "interval gamma"),
    ],
)
def test_what_two_phases_cannot_give_is_refused(table, change, error, words):
    with pytest.raises(error, match=words):
        estimate(table, **change)
