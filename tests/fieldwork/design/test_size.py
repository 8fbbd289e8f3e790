from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.errors import InputError
from cocal.fieldwork.design import (
    Cells,
    DesignSettings,
    allocate,
    allocation_weights,
    build_frame,
    plan_points,
    reserve_points,
    sample_size,
)
from cocal.fieldwork.design.size import smallest

# Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015), section 5.1: map proportions and anticipated user's
# accuracies of deforestation, forest gain, stable forest, stable non-forest
WEIGHT = np.array([0.02, 0.015, 0.32, 0.645])
ACCURACY = np.array([0.70, 0.60, 0.90, 0.95])
DEVIATION = np.sqrt(ACCURACY * (1 - ACCURACY))
MANY = np.full(4, 10**6)


def test_the_published_sample_size_of_olofsson_2014():
    n = sample_size(WEIGHT, DEVIATION, standard_error=0.01)
    assert n == pytest.approx(640.54, abs=0.005)


def test_neyman_gives_the_published_allocation_of_olofsson_2014():
    weight = allocation_weights("neyman", WEIGHT, np.zeros(4), accuracy=ACCURACY)
    assert np.rint(641 * weight / weight.sum()).tolist() == [23, 19, 243, 356]
    assert allocate(641, weight, least=0, most=MANY).tolist() == [23, 19, 243, 356]


def test_each_allocation_is_proportional_to_what_it_says():
    area, share = np.array([10.0, 90.0, 100.0]), np.array([0.5, 0.1, 0.02])
    find = lambda kind, **more: allocation_weights(kind, area, share, **more)  # noqa: E731
    assert find("proportional").tolist() == [10, 90, 100]
    assert find("equal").tolist() == [1, 1, 1]
    assert find("rare") == pytest.approx([10 * 0.5, 90 * 0.3, 100 * 0.14])
    region = np.array([0, 0, 1])  # expected areas 14 and 2
    assert find("power", group=region, power=1.0) == pytest.approx(find("rare"))
    assert find("power", group=region, power=0.0) == pytest.approx([5 / 14, 27 / 14, 14 / 2])


def test_power_zero_gives_regions_equal_relative_precision():
    """Within a region the best CV is sum W S / (Y sqrt n): with points by power 0 it is the same in both."""
    area, share = np.array([100.0, 9900.0, 10.0, 4990.0]), np.array([0.8, 0.002, 0.8, 0.0005])
    region = np.array([0, 0, 1, 1])
    n = allocation_weights("power", area, share, group=region, power=0.0)
    n = 5000 * n / n.sum()
    variance = area**2 * share * (1 - share) / n
    cv = np.sqrt(np.bincount(region, variance)) / np.bincount(region, area * share)
    ratio = np.bincount(region, n)
    spread = np.bincount(region, area * np.sqrt(share * (1 - share))) / np.bincount(region, area * share)
    assert cv == pytest.approx(spread / np.sqrt(ratio))
    assert ratio[0] / ratio[1] == pytest.approx(spread[0] / spread[1])


@given(
    st.lists(st.tuples(st.floats(0.001, 1e6), st.integers(2, 500)), min_size=1, max_size=12),
    st.integers(2, 30),
    st.floats(0, 1),
)
def test_points_add_up_and_keep_their_bounds(strata, least, at):
    weight, most = np.array([w for w, _ in strata]), np.array([m for _, m in strata])
    low = np.minimum(least, most)
    n = round(low.sum() + at * (most.sum() - low.sum()))
    points = allocate(n, weight, least=least, most=most)
    assert points.sum() == n
    assert (points >= low).all()
    assert (points <= most).all()
    free = (points > low) & (points < most)
    rate = points[free] / weight[free]
    assert ((rate[:, None] * weight[free] - points[free]) <= 1 + weight[free] / weight[free][:, None]).all()


def test_the_minimum_is_taken_from_the_others():
    points = allocate(100, np.array([1.0, 1.0, 98.0]), least=10, most=np.array([5, 1000, 1000]))
    assert points.tolist() == [5, 10, 85]


@pytest.mark.parametrize(
    ("n", "weight", "words"),
    [(5, [1, 1], "20 are the least"), (300, [1, 1], "only 200 pixels"), (150, [1, 0], "in stratum 'b'")],
)
def test_points_that_cannot_be_placed_are_refused(n, weight, words):
    with pytest.raises(InputError, match=words):
        allocate(n, np.array(weight, float), least=10, most=np.array([100, 100]), labels=["a", "b"])


@given(st.integers(5, 2000), st.integers(1, 3000))
def test_the_search_finds_the_smallest_number_that_reaches(edge, start):
    assert smallest(lambda n: n >= edge, start=start, least=5, most=2000) == edge


def design(**change) -> DesignSettings:
    content = {
        "unobserved": "left_out", "by_region": True, "allocation": "rare", "minimum": 2, "draw": "random",
        "strata": [{"stratum": "coca", "classes": ["coca"]}, {"stratum": "rest"}], "reserve": 0.15, "seed": 1,
        "size": {"half_width": 0.2, "per": "region"}, "confidence": 0.95, "interval": "wald",
        "expected": {"source": "stated", "share": {"coca": 0.8, "rest": 0.01}},
    }  # fmt: skip
    return DesignSettings.model_validate(content | change)


CELLS = Cells(
    ("R1", "R2"), ("coca", "rest"), np.array([[4_000, 96_000], [500, 99_500]]),
    np.array([[4_000, 96_000], [500, 99_500]]) * 10**8,
)  # fmt: skip
SHARE = np.array([[0.8, 0.01], [0.8, 0.01]])


def normal_half_width(area_ha, pixels, n, share):
    """1.96 SE at the expected shares: the sample size is then a formula."""
    return 1.959964 * np.sqrt((area_ha**2 * share * (1 - share) / n).sum())


def test_every_region_has_the_points_of_its_own_formula():
    frame = build_frame(CELLS, by_region=True, small=None, share=SHARE)
    n = plan_points(frame, design(), normal_half_width, 0.95)
    for region in (0, 1):
        strata, share = frame.domain(region)
        area = frame.area_ha[strata]
        truth = (area * share).sum()
        spread = (area * np.sqrt(share * (1 - share))).sum()
        assert n[strata].sum() == pytest.approx((1.959964 * spread / (0.2 * truth)) ** 2, abs=3)
        assert normal_half_width(area, None, n[strata], share) <= 0.2 * truth


def test_one_sample_for_all_regions_serves_the_one_that_needs_most():
    frame = build_frame(CELLS, by_region=False, small=None, share=SHARE)
    n = plan_points(frame, design(by_region=False), normal_half_width, 0.95)
    reached = []
    for region in (0, 1):
        strata, share = frame.domain(region)
        truth = (frame.area_ha[strata] * share).sum()
        reached.append(normal_half_width(frame.area_ha, None, n, share) / truth)
    assert max(reached) == pytest.approx(0.2, abs=0.002)
    whole = plan_points(frame, design(by_region=False, size={"half_width": 0.2, "per": "whole"}),
                        normal_half_width, 0.95)  # fmt: skip
    assert whole.sum() < n.sum()


def test_a_relative_target_needs_something_to_be_relative_to():
    frame = build_frame(CELLS, by_region=True, small=None, share=np.array([[0.8, 0.01], [0, 0]]))
    with pytest.raises(InputError, match="'R2'"):
        plan_points(frame, design(), normal_half_width, 0.95)


def test_more_points_than_pixels_are_refused():
    frame = build_frame(CELLS, by_region=True, small=None, share=SHARE)
    with pytest.raises(InputError, match="only 200000 pixels"):
        plan_points(frame, design(size={"points": 200_001}), normal_half_width, 0.95)


def test_reserves_are_a_share_of_the_points_as_far_as_there_are_pixels():
    assert reserve_points(np.array([20, 10, 9]), np.array([1000, 11, 9]), 0.15).tolist() == [3, 1, 0]
