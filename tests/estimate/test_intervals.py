"""The default interval covers, for rare classes, and what it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2
from scipy.stats import gamma as gamma_law

from cocal.estimate import intervals
from cocal.estimate.intervals import gamma, net, pearson3, wald
from cocal.estimate.strata import Strata
from cocal.estimate.tally import Tally, tally, totals, variances


def strata(area: list[float], n: list[int], region: list[int] | None = None) -> Strata:
    h = len(area)
    return Strata(
        tuple(f"s{i}" for i in range(h)),
        ("",) * h,
        np.array(area, dtype=float),
        np.full(h, np.nan),
        np.array(n, dtype=np.int64),
        np.full(h, -1) if region is None else np.array(region),
    )


def draws(counts: np.ndarray) -> Tally:
    """One group per row of `counts` (groups x strata)."""
    group, stratum = np.nonzero(counts)
    found = counts[group, stratum].astype(float)
    return tally(group, stratum, np.ones(found.size), found, n_groups=len(counts))


def everywhere(groups: int) -> np.ndarray:
    return np.full(groups, -1)


def exact_coverage(area: list[float], n: list[int], p: list[float], method=gamma) -> float:
    """Probability, over all outcomes of two binomials or one, that the interval holds the truth."""
    grids = np.meshgrid(*[np.arange(k + 1) for k in n], indexing="ij")
    counts = np.stack([g.ravel() for g in grids], axis=1)
    chance = np.prod([binom.pmf(counts[:, h], n[h], p[h]) for h in range(len(n))], axis=0)
    low, high = method(draws(counts), strata(area, n), everywhere(len(counts)), 0.95)
    truth = sum(a * q for a, q in zip(area, p, strict=True))
    return float(chance[(low <= truth) & (truth <= high)].sum())


@pytest.mark.parametrize("n", [100, 300, 1_000])
@pytest.mark.parametrize("expected", [0.5, 1, 3, 10, 30])
def test_one_stratum_is_covered_at_every_expected_count(n: int, expected: float) -> None:
    coverage = exact_coverage([1.0], [n], [expected / n])
    assert coverage >= 0.93
    if expected >= 10:
        assert coverage <= 0.97


@pytest.mark.parametrize("expected", [0.5, 1, 3, 10, 20])
def test_a_small_coca_stratum_beside_a_large_one_with_omissions_is_covered(expected: float) -> None:
    coverage = exact_coverage([500.0, 99_500.0], [50, 200], [0.7, expected / 200])
    assert coverage >= 0.93
    if expected >= 10:
        assert coverage <= 0.97


def test_between_the_cells_coverage_holds_too() -> None:
    """Every expected count from .02 to 30 in steps: 94 % at the worst, at 3.1."""
    worst = min(exact_coverage([1.0], [300], [x / 300]) for x in np.arange(0.02, 30, 0.08))
    assert worst >= 0.94


def test_wald_does_not_cover_which_is_why_it_is_not_the_default() -> None:
    assert exact_coverage([1.0], [300], [1 / 300], wald) < 0.70


def test_with_a_whole_unseen_event_it_is_garwoods_interval_of_a_poisson_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Garwood 1936: chi2(2x)/2 and chi2(2x + 2)/2; 5 events: 1.6235 and 11.6683."""
    monkeypatch.setattr(intervals, "PHANTOM", 1.0)
    n = 10**7
    low, high = gamma(draws(np.array([[5], [0]])), strata([float(n)], [n]), everywhere(2), 0.95)
    assert low[0] == pytest.approx(chi2.ppf(0.025, 10) / 2, rel=1e-5) == pytest.approx(1.6235, abs=1e-4)
    assert high[0] == pytest.approx(chi2.ppf(0.975, 12) / 2, rel=1e-5) == pytest.approx(11.6683, abs=1e-4)
    assert (low[1], high[1]) == (0.0, pytest.approx(-np.log(0.025), rel=1e-5))


def test_an_uneven_published_case_lies_between_the_published_exact_and_mid_p_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Down syndrome by maternal age (Fay and Feuer 1997, Table II), six strata of very unequal weight.

    R packages asht and dsrTest print per 100,000: 75.52901; gamma 67.70212 to 188.30017; mid-P upper end
    173.08170.
    """
    cases = np.array([[0, 8, 63, 112, 262, 295]])
    births = [327, 30_666, 123_419, 149_919, 104_088, 34_392]
    standard = np.array([319_933, 931_318, 786_511, 488_235, 237_863, 61_313])
    design = strata((1e5 * standard / standard.sum()).tolist(), births)
    assert totals(draws(cases), design)[0] == pytest.approx(75.52901, abs=1e-5)
    low, high = gamma(draws(cases), design, everywhere(1), 0.95)
    assert 173.08 < high[0] < 188.31
    assert low[0] == pytest.approx(67.70212, rel=0.01)
    monkeypatch.setattr(intervals, "PHANTOM", 1.0)
    assert gamma(draws(cases), design, everywhere(1), 0.95)[1][0] > 188.30


def test_no_point_of_the_class_gives_zero_and_what_the_heaviest_stratum_could_hide() -> None:
    """3.09 unseen points (gamma 0.75) of 9,900/99 = 100 ha each."""
    low, high = gamma(draws(np.array([[0, 0]])), strata([50.0, 9_900.0], [10, 99]), everywhere(1), 0.95)
    assert low[0] == 0
    assert high[0] == pytest.approx(100 * gamma_law.ppf(0.975, 0.75), rel=1e-9)


def test_a_region_is_widened_by_its_own_strata_and_by_those_of_no_region_only() -> None:
    """Strata of R0 (10 ha a point), R1 (1,000 ha a point) and of no region (20 ha a point)."""
    design = strata([100.0, 10_000.0, 200.0], [10, 10, 10], [0, 1, -1])
    _, high = gamma(draws(np.zeros((2, 3), int)), design, np.array([0, 1]), 0.95)
    hidden = gamma_law.ppf(0.975, 0.75)
    assert high == pytest.approx([20 * hidden, 1_000 * hidden])


def test_the_heaviest_absent_stratum_is_found_behind_those_that_hold_points() -> None:
    design = strata([900.0, 300.0, 500.0], [10, 10, 10])
    counts = np.array([[1, 0, 0], [1, 0, 2], [0, 1, 1], [1, 1, 1]])
    found = intervals._heaviest_absent(draws(counts), design, design.weight_ha, everywhere(4))
    assert found.tolist() == [50.0, 30.0, 90.0, 0.0]


@pytest.mark.parametrize("counts", [(1, 0, 0), (0, 1, 0)])
def test_strata_of_very_different_size_leave_no_interval_to_rounding(counts: tuple[int, ...]) -> None:
    """The other class holds all points of a stratum that weighs 300,000 times the others."""
    design, n = strata([1.0, 1.0, 316_911.31], [2, 3, 2]), np.array([2, 3, 2])
    low, high = gamma(draws(np.stack([counts, n - np.array(counts)])), design, everywhere(2), 0.95)
    assert np.isfinite([low, high]).all()
    assert high[1] == pytest.approx(design.total_ha, rel=1e-6)
    assert low[0] == pytest.approx(design.total_ha - high[1], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_a_class_and_its_complement_have_mirrored_intervals(data: st.DataObject, confidence: float) -> None:
    n = data.draw(st.lists(st.integers(2, 60), min_size=1, max_size=4))
    counts = np.array([data.draw(st.integers(0, k)) for k in n])
    area = data.draw(st.lists(st.floats(1, 1e6), min_size=len(n), max_size=len(n)))
    design = strata(area, n)
    low, high = gamma(draws(np.stack([counts, np.array(n) - counts])), design, everywhere(2), confidence)
    total = sum(area)
    assert low[0] == pytest.approx(total - high[1], abs=1e-6 * total)
    assert high[0] == pytest.approx(total - low[1], abs=1e-6 * total)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_interval_holds_the_estimate_lies_within_the_frame_and_has_width(data: st.DataObject) -> None:
    n = data.draw(st.lists(st.integers(2, 60), min_size=1, max_size=5))
    counts = np.array([[data.draw(st.integers(0, k)) for k in n]])
    area = data.draw(st.lists(st.floats(1e-3, 1e6), min_size=len(n), max_size=len(n)))
    design = strata(area, n)
    low, high = gamma(draws(counts), design, everywhere(1), 0.95)
    centre = totals(draws(counts), design)
    assert 0 <= low[0] <= centre[0] + 1e-9 * sum(area)
    assert centre[0] - 1e-9 * sum(area) <= high[0] <= sum(area) * (1 + 1e-12)
    assert high[0] > low[0]


def test_more_confidence_gives_a_wider_interval() -> None:
    counts, design = draws(np.array([[3, 1]])), strata([100.0, 1_000.0], [30, 60])
    widths = [np.subtract(*gamma(counts, design, everywhere(1), c)[::-1])[0] for c in (0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(widths)


def test_pearson3_is_the_gamma_law_the_normal_law_and_mirrored() -> None:
    one = np.array([1.0])
    assert pearson3(4 * one, 4 * one, 8 * one, 0.9) == pytest.approx(gamma_law.ppf(0.9, 4))
    assert pearson3(-4 * one, 4 * one, -8 * one, 0.1) == pytest.approx(-gamma_law.ppf(0.9, 4))
    assert pearson3(2 * one, 9 * one, 0 * one, 0.975) == pytest.approx(2 + 3 * 1.959963985)
    near = pearson3(0 * one, one, 2e-4 * one, 0.975)
    assert near == pytest.approx(1.959963985 + 2e-4 * (1.959963985**2 - 1) / 6, abs=1e-8)


def test_net_of_wald_intervals_is_the_wald_interval_of_the_difference() -> None:
    """Gain 6, loss 2 of 50 points, 100 ha: net 8 ha, V = 100^2 (.16 - .08^2)/49."""
    plus, minus, design = draws(np.array([[6]])), draws(np.array([[2]])), strata([100.0], [50])
    low, high = net(wald, plus, minus, strata=design, scope=everywhere(1), confidence=0.95)
    half = 1.959963985 * (100**2 * (8 / 50 - (4 / 50) ** 2) / 49) ** 0.5
    assert (low[0], high[0]) == (pytest.approx(8 - half), pytest.approx(8 + half))


def test_variances_are_those_of_the_textbook() -> None:
    """By hand: 100^2 (.3)(.7)/9 + 50^2 (.5)(.5)/19."""
    design = strata([100.0, 50.0], [10, 20])
    assert variances(draws(np.array([[3, 10]])), design)[0] == pytest.approx(
        100**2 * 0.21 / 9 + 50**2 * 0.25 / 19
    )
