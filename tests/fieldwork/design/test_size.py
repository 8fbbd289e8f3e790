from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.errors import InputError
from cocal.estimate import Strata, expected_interval
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


# The strata of border-1 and the shares that an office would state: last year's coca, near it, open land, wild
BORDER_HA = np.array([395.256, 2834.296, 4040.250, 7133.773])
BORDER_SHARE = np.array([0.85, 0.017, 0.004, 0.0005])


def border_points(allocation: str, half_width, **size) -> np.ndarray:
    pixels = (BORDER_HA * 100).astype(np.int64)
    cells = Cells(("R",), ("a", "b", "c", "d"), pixels[None], pixels[None] * 10**8)
    frame = build_frame(cells, by_region=False, small=None, share=BORDER_SHARE[None])
    config = design(
        strata=[*({"stratum": k, "classes": ["coca"]} for k in "abc"), {"stratum": "d"}],
        by_region=False, allocation=allocation, minimum=20, interval="gamma", floor=0.0005,
        size=size or {"half_width": 0.2, "per": "whole"},
        expected={"source": "stated", "share": dict(zip("abcd", BORDER_SHARE.tolist(), strict=True))},
    )  # fmt: skip
    return plan_points(frame, config, half_width, 0.95)


def gamma_half_width(area_ha, pixels, n, share):
    h = len(n)
    strata = Strata(("s",) * h, ("",) * h, area_ha, pixels.astype(float), n, np.full(h, -1))
    return expected_interval(strata, share, interval="gamma", confidence=0.95, seed=1).half_width_ha


def test_the_interval_itself_needs_a_third_fewer_points_than_the_least_variance():
    """Border-1, gamma, 20 % of the whole: 1,257 points as `rare`, 841 by the interval."""
    rare, interval = (border_points(kind, gamma_half_width).sum() for kind in ("rare", "interval"))
    assert rare == pytest.approx(1257, rel=0.03)
    assert interval <= 870


def test_no_point_of_the_interval_allocation_is_much_heavier_than_the_others():
    n = border_points("interval", gamma_half_width, points=850, per="whole")
    assert n.sum() == 850
    weight, proportional = BORDER_HA / n, BORDER_HA.sum() / 850
    assert weight.max() < 1.6 * proportional
    rare = border_points("rare", gamma_half_width, points=850)
    assert (BORDER_HA / rare).max() > 2 * weight.max()


def test_where_only_the_variance_counts_the_interval_allocation_is_that_of_least_variance():
    """Under a normal interval at the expected shares nothing is narrower than Neyman's allocation."""
    given = {"points": 3000}
    rare = border_points("rare", normal_half_width, **given)
    assert border_points("interval", normal_half_width, per="whole", **given).tolist() == rare.tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"allocation": "interval"}, "floor: `allocation: interval` needs"),
        ({"allocation": "interval", "floor": 0.001, "size": {"points": 90}}, "size.per: goes with"),
        ({"size": {"points": 90, "per": "whole"}}, "size.per: goes with"),
        (
            {"allocation": "interval", "floor": 0.001, "size": {"points": 90, "per": "region"}},
            "state a half-width per region",
        ),
    ],
)
def test_settings_of_the_interval_allocation_that_do_not_fit_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        design(**change)


def test_a_floor_is_believed_where_nothing_is_expected():
    """Neyman with the floor 0.01 in the second stratum: 96,000 sqrt(.01 .99) to 4,000 sqrt(.8 .2)."""
    frame = build_frame(CELLS, by_region=False, small=None, share=np.array([[0.8, 0.0], [0.8, 0.0]]))
    n = plan_points(frame, design(by_region=False, size={"points": 1000}, floor=0.01), None, 0.95)
    spread = np.array([4_500 * 0.4, 195_500 * np.sqrt(0.0099)])
    assert n / n.sum() == pytest.approx(spread / spread.sum(), abs=0.001)


def test_strata_without_ground_in_a_region_count_there_only_where_areas_are_not_known():
    pixels = np.array([[100, 900], [0, 1000]])
    cells = Cells(("R1", "R2"), ("coca", "rest"), pixels, pixels * 10**8)
    for known, wanted in ((False, [0, 1]), (True, [1])):
        frame = build_frame(cells, by_region=False, small=None, share=np.full((2, 2), 0.1), known=known)
        strata, share = frame.domain(1)
        assert strata.tolist() == wanted
        assert share[-1] == pytest.approx(0.1 * 1000 / 1900)
        assert frame.area_of(1) == pytest.approx(1000 * 10**8 / 1e10)
