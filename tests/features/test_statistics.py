from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocal.features.harmonics import MIN_PIVOT, harmonic_terms
from cocal.features.names import STATISTICS
from cocal.features.statistics import WindowStatistics, fill_gaps

NAN = float("nan")
MONTHS = [30.5 * i + 15.25 for i in range(12)]
YEAR = 366

values = st.floats(-1, 1, width=32) | st.just(NAN)
courses = arrays(np.float32, (12, 4), elements=values)


def pixel(*windows: float) -> np.ndarray:
    return np.array(windows, dtype=np.float32).reshape(-1, 1)


def statistic(name: str, *windows: float, days: list[float] | None = None) -> float:
    days = days or [10.0 * (i + 1) for i in range(len(windows))]
    return float(WindowStatistics(pixel(*windows), days, 365).statistic(name)[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", 0.4), ("min", 0.2), ("max", 0.6), ("amplitude", 0.4), ("median", 0.4),
        ("std", math.sqrt((0.04 + 0 + 0.04) / 3)),
        ("p25", 0.3),  # rank 2 x 0.25 = 0.5: halfway from 0.2 to 0.4
        ("lowest_day", 30.0),
    ],
)  # fmt: skip
def test_statistics_of_three_windows_and_a_gap_by_hand(name: str, expected: float) -> None:
    assert statistic(name, 0.6, NAN, 0.2, 0.4) == pytest.approx(expected, rel=1e-6)


def test_the_trend_is_per_year_of_365_and_a_quarter_days() -> None:
    # 0.1 more every 36.525 days is 1.0 more a year, whatever is missing between
    days = [36.525 * i for i in range(5)]
    assert statistic("trend", 0.1, 0.2, NAN, 0.4, 0.5, days=days) == pytest.approx(1.0)


def test_the_earliest_of_equal_lows_is_the_lowest_day() -> None:
    assert statistic("lowest_day", 0.5, 0.1, 0.3, 0.1) == 20.0


def test_falls_are_summed_over_the_windows_that_are_there() -> None:
    # 0.7 to 0.3, a gap, up to 0.6, to 0.5, to 0.1: 0.4 + 0.1 + 0.4
    assert statistic("falls", 0.7, 0.3, NAN, 0.6, 0.5, 0.1) == pytest.approx(0.9)
    assert statistic("falls", NAN, 0.1, 0.1, NAN, 0.4) == 0.0
    assert math.isnan(statistic("falls", NAN, 0.4, NAN))


def test_a_course_stripped_three_times_falls_three_times_its_amplitude() -> None:
    course = [0.8, 0.3, 0.6, 0.8] * 3
    assert statistic("falls", *course) / statistic("amplitude", *course) == pytest.approx(3.0)


@settings(deadline=None)
@given(courses)
def test_falls_less_rises_are_what_lies_between_the_first_window_and_the_last(series: np.ndarray) -> None:
    falls, rises = (WindowStatistics(s, MONTHS, YEAR).falls() for s in (series, -series))
    for i, column in enumerate(series.T.astype(np.float64)):
        seen = column[~np.isnan(column)]
        if seen.size < 2:
            assert np.isnan(falls[i])
            continue
        assert falls[i] >= np.ptp(seen) * (seen.argmax() < seen.argmin()) - 1e-6
        assert falls[i] - rises[i] == pytest.approx(seen[0] - seen[-1], abs=1e-5)


@pytest.mark.parametrize("name", [*STATISTICS, "p10"])
def test_a_statistic_is_missing_below_the_windows_it_needs_and_there_from_them_on(name: str) -> None:
    needed = STATISTICS.get(name, 1)
    spread = [0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11]
    for n in range(13):
        series = np.full((12, 1), np.nan, dtype=np.float32)
        series[spread[:n], 0] = 0.1 * (1 + np.array(spread[:n]))
        found = WindowStatistics(series, MONTHS, YEAR).statistic(name)[0]
        if n < needed:
            assert np.isnan(found)
        if n >= needed + 1:
            assert np.isfinite(found)


@settings(deadline=None)
@given(courses)
def test_statistics_equal_numpy_in_double_precision(series: np.ndarray) -> None:
    statistics = WindowStatistics(series, MONTHS, YEAR)
    for i, column in enumerate(series.T.astype(np.float64)):
        seen = column[~np.isnan(column)]
        if not seen.size:
            assert np.isnan(statistics.mean()[i])
            continue
        expected = {
            "mean": seen.mean(), "std": seen.std(), "amplitude": np.ptp(seen), "median": np.median(seen),
            "p10": np.percentile(seen, 10), "p90": np.percentile(seen, 90),
        }  # fmt: skip
        for name, value in expected.items():
            assert statistics.statistic(name)[i] == pytest.approx(value, rel=1e-5, abs=2e-7), name
        assert statistics.lowest_day()[i] == np.float32(MONTHS[int(np.nanargmin(column))])


@settings(deadline=None)
@given(courses)
def test_the_trend_equals_numpys_line_fit(series: np.ndarray) -> None:
    found = WindowStatistics(series, MONTHS, YEAR).trend()
    for i, column in enumerate(series.T.astype(np.float64)):
        seen = ~np.isnan(column)
        if seen.sum() < 3:
            assert np.isnan(found[i])
        else:
            slope = np.polyfit(np.array(MONTHS)[seen], column[seen], 1)[0] * 365.25
            assert found[i] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_a_cosine_of_one_cycle_has_its_amplitude_in_h1_and_nothing_in_h2() -> None:
    wave = pixel(
        *[
            0.5 + 0.2 * math.cos(2 * math.pi * d / YEAR) - 0.1 * math.sin(2 * math.pi * d / YEAR)
            for d in MONTHS
        ]
    )
    first = harmonic_terms(wave, MONTHS, YEAR, 1)
    assert first["h1_cos"][0] == pytest.approx(0.2, abs=1e-6)
    assert first["h1_sin"][0] == pytest.approx(-0.1, abs=1e-6)
    wave[[2, 7]] = np.nan
    second = harmonic_terms(wave, MONTHS, YEAR, 2)
    assert second["h1_cos"][0] == pytest.approx(0.2, abs=1e-6)
    assert second["h2_cos"][0] == pytest.approx(0.0, abs=1e-6)
    assert second["h2_sin"][0] == pytest.approx(0.0, abs=1e-6)


@settings(deadline=None)
@given(courses, st.sampled_from([1, 2]))
def test_harmonics_equal_lapacks_least_squares(series: np.ndarray, order: int) -> None:
    found = harmonic_terms(series, MONTHS, YEAR, order)
    angle = 2 * np.pi * np.array(MONTHS) / YEAR
    design = np.column_stack(
        [np.ones(12)] + [f(k * angle) for k in range(1, order + 1) for f in (np.cos, np.sin)]
    )
    for i, column in enumerate(series.T.astype(np.float64)):
        seen = ~np.isnan(column)
        terms = [values[i] for values in found.values()]
        if seen.sum() < 2 * order + 1:
            assert np.isnan(terms).all()
        elif not np.isnan(terms[0]):
            expected = np.linalg.lstsq(design[seen], column[seen], rcond=None)[0][1:]
            np.testing.assert_allclose(terms, expected, rtol=1e-4, atol=1e-5)


def test_windows_crowded_into_one_corner_of_the_period_leave_harmonics_missing() -> None:
    crowded, spread = np.full((2, 12, 1), np.nan, dtype=np.float32)
    crowded[:3] = 0.5
    spread[[0, 4, 8]] = 0.5
    assert np.isnan(harmonic_terms(crowded, MONTHS, YEAR, 1)["h1_cos"][0])
    assert harmonic_terms(spread, MONTHS, YEAR, 1)["h1_cos"][0] == pytest.approx(0, abs=1e-9)
    assert 0 < MIN_PIVOT < 0.5  # 0.5 is the pivot of a full, regular period


def test_harmonics_hold_for_more_windows_than_one_pattern_code_has_bits() -> None:
    rng = np.random.default_rng(6)
    days = [float(d) for d in range(5, 5 + 10 * 90, 10)]
    series = rng.normal(size=(90, 40)).astype(np.float32)
    series[rng.random(series.shape) < 0.3] = np.nan
    whole = harmonic_terms(series, days, 905, 2)
    for i in range(40):
        alone = harmonic_terms(series[:, i : i + 1], days, 905, 2)
        assert all(whole[name][i] == alone[name][0] for name in whole)


@settings(deadline=None, max_examples=25)
@given(arrays(np.float32, (12, 6), elements=values), st.integers(1, 5))
def test_a_pixels_statistics_do_not_depend_on_its_neighbours(series: np.ndarray, cut: int) -> None:
    for name in (*STATISTICS, "p10", "p75"):
        whole = WindowStatistics(series, MONTHS, YEAR).statistic(name)
        parts = [
            WindowStatistics(p, MONTHS, YEAR).statistic(name) for p in (series[:, :cut], series[:, cut:])
        ]
        np.testing.assert_array_equal(whole, np.concatenate(parts), err_msg=name)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", [NAN, 0.2, NAN, NAN, 0.8, NAN]),
        ("linear", [NAN, 0.2, 0.4, 0.6, 0.8, NAN]),
        ("nearest", [0.2, 0.2, 0.2, 0.8, 0.8, 0.8]),
        ("median", [0.5, 0.2, 0.5, 0.5, 0.8, 0.5]),
    ],
)
def test_each_fill_rule_by_hand(rule: str, expected: list[float]) -> None:
    series = pixel(NAN, 0.2, NAN, NAN, 0.8, NAN)
    found = fill_gaps(series, [10, 20, 30, 40, 50, 60], rule)  # type: ignore[arg-type]
    np.testing.assert_allclose(found[:, 0], np.array(expected, dtype=np.float32), rtol=1e-6)


def test_linear_goes_by_days_and_not_by_windows_and_nearest_prefers_the_earlier() -> None:
    series = pixel(0.0, NAN, 1.0)
    assert fill_gaps(series, [0, 10, 40], "linear")[1, 0] == np.float32(0.25)
    assert fill_gaps(series, [0, 20, 40], "nearest")[1, 0] == 0.0
    assert fill_gaps(series, [0, 21, 40], "nearest")[1, 0] == 1.0


@settings(deadline=None)
@given(courses, st.sampled_from(["none", "linear", "nearest", "median"]))
def test_filling_changes_no_observed_window_and_invents_nothing_outside_their_range(
    series: np.ndarray, rule: str
) -> None:
    before = series.copy()
    found = fill_gaps(series, MONTHS, rule)  # type: ignore[arg-type]
    np.testing.assert_array_equal(series, before)
    seen = ~np.isnan(series)
    np.testing.assert_array_equal(found[seen], series[seen])
    for column, filled in zip(series.T, found.T, strict=True):
        if np.isnan(column).all():
            assert np.isnan(filled).all()
        else:
            there = filled[~np.isnan(filled)]
            assert there.min() >= np.nanmin(column) - 1e-6
            assert there.max() <= np.nanmax(column) + 1e-6
            assert rule not in ("nearest", "median") or not np.isnan(filled).any()


@settings(deadline=None)
@given(courses)
def test_linear_equals_numpys_interpolation_between_the_ends(series: np.ndarray) -> None:
    found = fill_gaps(series, MONTHS, "linear")
    for column, filled in zip(series.T, found.T, strict=True):
        seen = ~np.isnan(column)
        assume(seen.any())
        expected = np.interp(MONTHS, np.array(MONTHS)[seen], column[seen], left=np.nan, right=np.nan)
        np.testing.assert_allclose(filled, expected, rtol=1e-5, atol=1e-6)
