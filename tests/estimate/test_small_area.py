"""The interval of small regions: what it is made of, what it adds up to, and when it is not offered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from cocal.estimate.regional import small_area
from cocal.estimate.regional.small_area import (
    BELIEVED_EMPTY,
    ENOUGH_HITS,
    SEEN,
    UNSEEN,
    Ends,
    SmallArea,
    SmallCells,
    missed_strata,
    small_area_intervals,
)


def cells(*rows: tuple[int, int, bool, float, float, float]) -> SmallCells:
    """Entries of stratum, region, mapped, hectares, points, hits."""
    stratum, region, mapped, area, points, hits = (np.array(column) for column in zip(*rows, strict=True))
    whole = np.bincount(stratum, area) / np.maximum(np.bincount(stratum, points), 1)
    values = (area, points, hits, whole[stratum])
    return SmallCells(stratum, region, mapped, *(v.astype(float) for v in values))


def alone(area: list[float], error: float = 0.0) -> Ends:
    """What the sample alone has, with an interval from the estimate upwards."""
    values = np.array(area, dtype=float)
    return Ends(values, np.full(values.shape, error), values, np.full(values.shape, 1e6))


def estimate(found: SmallCells, design: Ends) -> SmallArea:
    return small_area_intervals(found, design, confidence=0.95)


def test_the_odds_of_unmapped_ground_rise_with_what_the_map_shows_there() -> None:
    """50 of 200 ha are mapped, all in region 0: z = (1 + 0.5 / 0.25) / 2, in steps of sqrt 2; else 1 / 2."""
    ground = cells(
        (0, 0, True, 50.0, 30, 0), (0, 0, False, 50.0, 30, 1), (0, 1, False, 100.0, 60, 0)
    )  # fmt: skip
    pooled = small_area._pooled(ground)
    odds = dict(zip(zip(pooled.pool.tolist(), pooled.region.tolist(), strict=True), pooled.lift, strict=True))
    assert odds == {(1, 0): 0, (0, 0): 1, (0, 1): -2}


def test_a_region_with_all_the_points_has_their_share() -> None:
    """20 hits of a million points on 1,000 ha are 0.02 ha, whatever the other region is believed to hold."""
    found = estimate(cells((0, 0, True, 1_000.0, 1e6, 20), (0, 1, True, 0.001, 0, 0)), alone([0.02, 0.0]))
    assert found.area_ha[0] == pytest.approx(0.02, rel=0.02)
    assert found.low_ha[0] <= 0.02 <= found.high_ha[0]


counts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans(), st.integers(1, 400), st.integers(0, 40)),
    min_size=1, max_size=25,
)  # fmt: skip


def ground_of(rows: list[tuple[int, int, bool, int, int]], seed: int) -> tuple[SmallCells, Ends]:
    rng = np.random.default_rng(seed)
    entries = [(h, r, m, float(a), n, rng.binomial(n, 0.5 if m else 0.02)) for h, r, m, a, n in rows]
    ground = cells(*entries)
    n = int(ground.region.max()) + 1
    size = np.bincount(ground.region, ground.area_ha, n)
    area = size * rng.random(n) * 0.3
    return ground, Ends(area, area / 3, area / 2, np.minimum(area * 3 + 1, size))


@given(counts, st.integers(0, 1_000))
@settings(max_examples=60, deadline=None)
def test_offered_regions_add_up_and_their_ends_hold_the_estimate_within_the_ground(rows, seed) -> None:
    ground, design = ground_of(rows, seed)
    found = estimate(ground, design)
    n = design.area_ha.size
    size, hits = (np.bincount(ground.region, v, n) for v in (ground.area_ha, ground.hits))
    offered = found.offered
    whole = found.area_ha[offered].sum()
    assert whole == pytest.approx(design.area_ha[offered].sum(), abs=1e-9)
    assert (hits[offered] < ENOUGH_HITS).all()
    assert np.isnan(found.area_ha[~offered]).all()
    assert np.isnan(found.low_ha[~offered]).all()
    for low, area, high, ha, seen in zip(
        *(v[offered] for v in (found.low_ha, found.area_ha, found.high_ha, size, hits)), strict=True
    ):
        assert 0 <= low <= area <= high <= ha * (1 + 1e-12)
        assert seen > 0 or low == 0


@given(counts, st.integers(0, 1_000), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_entries_and_splitting_one_change_nothing(rows, seed, random) -> None:
    ground, design = ground_of(rows, seed)
    order = list(range(ground.region.size))
    random.shuffle(order)
    turned = SmallCells(*(getattr(ground, name)[order] for name in ground.__dataclass_fields__))
    half = replace(ground, **{k: getattr(ground, k) / 2 for k in ("area_ha", "points", "hits")})
    twice = SmallCells(*(np.concatenate([getattr(half, k)] * 2) for k in half.__dataclass_fields__))
    first = estimate(ground, design)
    for other in (estimate(turned, design), estimate(twice, design)):
        for name in ("area_ha", "low_ha", "high_ha"):
            np.testing.assert_allclose(getattr(other, name), getattr(first, name), rtol=1e-9, atol=1e-9)


@given(counts, st.integers(0, 1_000))
@settings(max_examples=30, deadline=None)
def test_hectares_scale_with_the_ground(rows, seed) -> None:
    ground, design = ground_of(rows, seed)
    wide = replace(ground, area_ha=ground.area_ha * 8, per_point_ha=ground.per_point_ha * 8)
    larger = Ends(*(v * 8 for v in (design.area_ha, design.standard_error_ha, design.low_ha, design.high_ha)))
    first, second = estimate(ground, design), estimate(wide, larger)
    np.testing.assert_allclose(second.high_ha, first.high_ha * 8, rtol=1e-9)
    np.testing.assert_allclose(second.area_ha, first.area_ha * 8, rtol=1e-9)


def test_from_thirty_hits_on_a_region_has_the_interval_of_the_sample_alone() -> None:
    found = estimate(
        cells((0, 0, True, 100.0, 40, ENOUGH_HITS), (0, 1, True, 100.0, 40, ENOUGH_HITS - 1)),
        alone([75, 72.5]),
    )
    assert found.offered.tolist() == [False, True]
    assert found.area_ha[1] == pytest.approx(72.5)


def test_the_upper_end_allows_for_the_sample_s_error_and_neither_end_is_above_the_sample_s() -> None:
    """20 ha with a standard error of 50 ha, nearly normal: 20 + 1.96 x 50; down to the sample's 3 ha."""
    ground = cells(*((0, r, True, 1_000.0, 1_000, 20) for r in range(2)))
    design = Ends(
        np.array([20.0, 20.0]), np.array([50.0, 0.1]), np.array([3.0, 19.9]), np.array([200.0, 200.0])
    )
    found = estimate(ground, design)
    capped = estimate(ground, replace(design, high_ha=np.array([30.0, 25.0])))
    assert capped.high_ha.tolist() == [30.0, 25.0]
    assert found.high_ha[0] == pytest.approx(20 + 1.959963985 * 50, rel=2e-3)
    assert found.low_ha[0] == 3.0
    assert found.low_ha[1] < 19.9
    assert 28 < found.high_ha[1] < 40


def test_the_variance_expected_at_the_rates_stands_in_where_the_sample_shows_none() -> None:
    """1,000 points on 1,000 ha, 20 hits: variance 1000 x 0.02 x 0.98 x 1 ha a point = 19.6 ha2, third
    cumulant 1000 x 0.02 x 0.98 x 0.96 = 18.8 ha3, both to the 3 % that the model adds to the rate.
    """
    ground = cells((0, 0, True, 1_000.0, 1_000, 20), (0, 1, True, 1_000.0, 1_000, 20))
    _, error = small_area._cumulants(small_area._pooled(ground), 2, (UNSEEN, SEEN))
    np.testing.assert_allclose(error.variance, 19.6, rtol=0.03)
    np.testing.assert_allclose(error.third, 18.8, rtol=0.03)


def test_without_any_hit_nothing_is_estimated_and_more_points_leave_less_room() -> None:
    few, many = (
        estimate(cells((0, 0, False, 100.0, n, 0), (0, 1, False, 100.0, n, 0)), alone([0, 0]))
        for n in (20, 200)
    )
    assert few.area_ha.tolist() == [0, 0]
    assert few.low_ha.tolist() == [0, 0]
    assert 0 < many.high_ha[0] < few.high_ha[0] < 100


def test_rare_mapped_ground_of_several_strata_shares_one_rate() -> None:
    """Three strata expect 5 points each of mapped ground; the two hits of one raise the rate of another."""
    rows = [
        row
        for h in range(3)
        for row in ((h, 0, True, 5.0, 5, 4 if h == 0 else 0), (h, h, False, 95.0, 95, 0))
    ]
    ground = cells(*rows, (2, 1, True, 0.0001, 0, 0))
    joined = small_area._pooled(ground)
    assert np.unique(joined.pool).size == 4
    dense = small_area._pooled(replace(ground, points=ground.points * 3))
    assert np.unique(dense.pool).size == 6


@pytest.mark.parametrize(
    ("points", "hits", "speaks"),
    [(300, 1, False), (300, 2, True), (355, 2, True), (356, 2, False), (51, 1, True), (52, 1, False)],
)
def test_a_stratum_believed_empty_may_have_as_many_hits_as_one_in_a_thousand(points, hits, speaks) -> None:
    """P(Bin(355, 0.001) >= 2) = 0.0499, with 356 0.0502; one hit: 1 - 0.999^51 = 0.0497, ^52 0.0507."""
    assert (binom.sf(hits - 1, points, 0.001) < 0.05) == speaks
    ground = cells((0, 0, False, 100.0, points, hits), (1, 1, True, 100.0, 100, 20), (1, 1, False, 1.0, 1, 1))
    assert missed_strata(ground).tolist() == [speaks, False]
    found = estimate(ground, alone([1.0, 20.0]))
    assert found.offered.tolist() == [not speaks, True]


def test_a_stratum_in_which_the_map_shows_one_percent_is_not_believed_empty() -> None:
    share = 100 * BELIEVED_EMPTY
    exactly = cells((0, 0, True, share, 9, 9), (0, 0, False, 100 - share, 300, 9))
    below = cells((0, 0, True, share / 2, 9, 9), (0, 0, False, 100 - share / 2, 300, 9))
    assert not missed_strata(exactly)[0]
    assert missed_strata(below)[0]


def test_a_region_that_would_exceed_its_ground_is_not_offered_and_the_others_still_add_up() -> None:
    """The design has 9 ha on 10 ha where the model has all of it in the smaller region."""
    ground = cells((0, 0, True, 1.0, 20, 20), (0, 1, True, 9.0, 20, 1))
    found = estimate(ground, alone([0.1, 6.0]))
    assert found.offered.tolist() == [False, True]
    assert found.area_ha[1] == pytest.approx(6.0)
