"""The band between "at random" and the worst case for points that were not visited."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.estimate import missing_tilt


def points(*cells: tuple[int, int, int, int, int, int]):
    """stratum, mapped, place, hit of cells (stratum, mapped, place, hits, others, missing)."""
    parts = [
        (s, m, r, value)
        for s, m, r, hits, others, missing in cells
        for value, n in ((1.0, hits), (0.0, others), (np.nan, missing))
        for _ in range(n)
    ]
    columns = np.array(parts, dtype=float).T
    return *(columns[:3].astype(np.int64)), columns[3]


def test_a_cell_without_a_hit_has_half_a_hit_at_the_upper_end_only() -> None:
    """1,000 ha, none of 50, 10 missing of 60: 1/100 becomes 2/101 at odds 2."""
    random, low, high = missing_tilt(*points((0, 0, 0, 0, 50, 10)), area_ha=np.array([1000.0]), odds=2)
    assert random.tolist() == low.tolist() == [0]
    assert high[0] == pytest.approx(1000 * 10 / 60 * (2 / 101 - 1 / 100))


def test_each_stratum_and_what_the_map_shows_has_its_own_share() -> None:
    """Mapped target: 30 of 40, 3/4 becomes 9/10; elsewhere 4 of 40, 1/10 becomes 3/12. Place 1: no loss."""
    cells = points((0, 1, 0, 30, 10, 5), (0, 0, 0, 4, 36, 5), (1, 0, 1, 3, 27, 0))
    random, low, high = missing_tilt(*cells, area_ha=np.array([90.0, 30.0]), odds=3)
    assert random == pytest.approx([34 + 5 * 3 / 4 + 5 / 10, 3])
    assert high == pytest.approx([34 + 5 * 9 / 10 + 5 * 3 / 12, 3])
    assert low == pytest.approx([34 + 5 * 1 / 2 + 5 / 28, 3])


def test_a_cell_without_a_visit_has_the_share_of_its_stratum_or_of_all() -> None:
    """Stratum 0: mapped 6 of 12, elsewhere none visited; stratum 1: none visited at all. 1/2 becomes 3/4."""
    cells = points((0, 1, 0, 6, 6, 0), (0, 0, 0, 0, 0, 4), (1, 0, 1, 0, 0, 2))
    random, _, high = missing_tilt(*cells, area_ha=np.array([16.0, 8.0]), odds=3)
    assert random == pytest.approx([6 + 4 / 2, 8 / 2])
    assert high == pytest.approx([6 + 4 * 3 / 4, 8 * 3 / 4])


def test_ground_that_the_map_does_not_show_dilutes_and_adds_nothing() -> None:
    random, low, high = missing_tilt(
        *points((0, 0, 0, 5, 5, 5), (0, -1, 0, 1, 2, 2)), area_ha=np.array([20.0]), odds=3
    )
    assert random == pytest.approx([5 + 5 / 2])
    assert high == pytest.approx([5 + 5 * 3 / 4])
    assert low == pytest.approx([5 + 5 / 4])


CELL = st.tuples(
    st.integers(0, 2), st.integers(-1, 1), st.integers(0, 3), st.integers(0, 9), st.integers(0, 40),
    st.integers(0, 9),
)  # fmt: skip


@given(
    st.lists(CELL, min_size=1, max_size=12).filter(lambda c: sum(sum(x[3:]) for x in c) > 0), st.floats(1, 50)
)
def test_a_band_widens_with_the_odds_from_nothing_at_random_to_less_than_the_worst_case(cells, odds) -> None:
    own, area = points(*cells), np.array([100.0, 300.0, 50.0])
    random, *ends = missing_tilt(*own, area_ha=area, odds=1)
    assert all(np.abs(end - random).max() < 1e-9 for end in ends)
    again, low, high = missing_tilt(*own, area_ha=area, odds=odds)
    _, lower, higher = missing_tilt(*own, area_ha=area, odds=2 * odds)
    stratum, mapped, place, hit = own
    stands_for = (area / np.maximum(np.bincount(stratum, minlength=3), 1))[stratum] * (mapped >= 0)
    none, every = (
        np.bincount(place, np.where(np.isnan(hit), value, hit) * stands_for) for value in (0.0, 1.0)
    )
    assert (again == random).all()
    in_order = [none, lower, low, random, high, higher, every + stands_for.max() / 2]
    for less, more in pairwise(in_order):
        assert (less <= more + 1e-9).all()


@given(st.integers(1, 99), st.floats(1.0, 30), st.floats(0.01, 0.9))
def test_the_odds_are_the_ratio_of_the_odds_of_being_lost(percent, odds, others_lost) -> None:
    """Oracle: a whole population of `percent` % target, lost at odds ratio `odds`; the tilt restores it."""
    n = 1e6
    target_lost = odds * others_lost / (1 - others_lost + odds * others_lost)
    y, rest = n * percent / 100, n * (1 - percent / 100)
    visited = np.array([y * (1 - target_lost), rest * (1 - others_lost)])
    share, lost = visited[0] / visited.sum(), n - visited.sum()
    true_lost_share = y * target_lost / lost
    hits = round(share * 10_000)
    if not 0 < hits < 10_000:
        return
    cells = points((0, 0, 0, hits, 10_000 - hits, 100))
    _, _, high = missing_tilt(*cells, area_ha=np.array([10_100.0]), odds=odds)
    assert (high[0] - hits) / 100 == pytest.approx(true_lost_share, abs=2e-3)
