from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import UsageError
from cocal.estimate import public_squares
from cocal.estimate.disclosure import (
    Figure,
    feasible,
    rounded_estimates,
    rounding_step,
    withheld_estimates,
)
from cocal.notes import Note


def squares(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    """(region, hectares, plots) of squares of 1 km in a row."""
    n = len(rows)
    return pd.DataFrame(
        {
            "cell_id": [f"E{i}" for i in range(n)], "epsg": 32719, "x": np.arange(n) * 1000, "y": 0,
            "side_m": 1000, "period": "2024", "region_id": [r for r, *_ in rows], "country": "PE",
            "owned_ha": 100.0, "observed_fraction": 1.0,
            "mapped_ha": [Decimal(ha) for _, ha, _ in rows], "plots": [plots for *_, plots in rows],
        }
    )  # fmt: skip


def test_a_square_is_shown_with_enough_plots_and_half_a_hectare_in_whole_hectares() -> None:
    rows = [
        ("N", "5.4999", 4),
        ("N", "0.5", 3),
        ("N", "0.5001", 3),
        ("N", "1.5", 3),
        ("N", "9", 2),
        ("N", "0", 0),
    ]
    public = public_squares(squares(rows), 3)
    # half a hectare rounds to the even 0, which no square may show
    assert public["mapped_ha"].tolist()[:1] == [5.0]
    assert public["mapped_ha"].tolist()[2:4] == [1.0, 2.0]
    assert public["mapped_ha"].isna().tolist() == [False, True, False, False, True, True]


def test_all_squares_that_are_not_shown_are_alike_in_every_column_but_their_place() -> None:
    public = public_squares(squares([("N", "9", 2), ("N", "0", 0), ("N", "0.4", 7)]), 3)
    told = public.drop(columns=["cell_id", "x"])
    assert told["notes"].tolist() == [(Note("not_shown", plots=3),)] * 3
    assert len(told.astype(str).drop_duplicates()) == 1
    assert not {"plots", "owned_ha", "observed_fraction"} & set(public)


def test_a_threshold_that_protects_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="min_plots"):
        public_squares(squares([("N", "1", 1)]), 1)


@given(
    st.lists(st.tuples(st.integers(0, 800), st.integers(0, 6)), min_size=1, max_size=12), st.integers(2, 5)
)
@settings(max_examples=60, deadline=None)
def test_emptying_every_square_that_is_not_shown_changes_nothing(
    rows: list[tuple[int, int]], min_plots: int
) -> None:
    table = squares([("N", f"{ha / 100}", plots) for ha, plots in rows])
    public = public_squares(table, min_plots)
    hidden = public["mapped_ha"].isna()
    emptied = table.assign(
        mapped_ha=table["mapped_ha"].mask(hidden, Decimal(0)), plots=table["plots"].mask(hidden, 0)
    )
    pd.testing.assert_frame_equal(public_squares(emptied, min_plots), public)


@pytest.mark.parametrize(
    ("estimate", "error", "step"),
    [(368.3, 16.0, 20), (16.6, 4.7, 5), (0.0, 0.0, 1), (62.0, 0.0, 5), (1000.0, 50.0, 50), (3.0, math.nan, 1),
     (20_000.0, 900.0, 1000), (40.0, 2.0, 2)],
)  # fmt: skip
def test_the_step_of_an_estimate_is_not_below_its_standard_error_a_twentieth_of_it_and_1_ha(
    estimate: float, error: float, step: int
) -> None:
    assert rounding_step(estimate, error) == step


def test_estimates_go_to_the_nearest_step_and_intervals_outwards() -> None:
    names = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
    rows = [
        (368.3, 16.0, 343.9, 458.1),
        (16.6, 4.7, 8.8, 99.2),
        (7.0, 1.0, math.nan, math.nan),
        (math.nan,) * 4,
    ]
    found = rounded_estimates(pd.DataFrame(rows, columns=names))
    assert found["step_ha"].tolist()[:3] == [20, 5, 1]
    assert found.loc[0, names[0]] == 360
    assert found.loc[0, ["ci_low_ha", "ci_high_ha"]].tolist() == [340, 460]
    assert found.loc[1, [names[0], *names[2:]]].tolist() == [15, 5, 100]
    assert found.loc[2, names[0]] == 7
    assert found.loc[2, names[2:]].isna().all()
    assert found.loc[3, ["step_ha", names[0]]].isna().all()


def test_estimates_of_regions_go_to_whole_hectares() -> None:
    names = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
    found = rounded_estimates(pd.DataFrame([(368.3, 16.0, 343.9, 458.1)], columns=names), 1)
    assert found.loc[0, ["step_ha", names[0], *names[2:]]].tolist() == [1, 368, 343, 459]


A, B, C = (frozenset({name}) for name in "abc")


def test_a_withheld_region_is_bounded_by_the_rounded_total_less_the_rounded_regions() -> None:
    # c = total - a - b: from 190 - 105 - 52.5 to 210 - 95 - 47.5
    figures = [Figure(A, 100, 10), Figure(B, 50, 5), Figure(A | B | C, 200, 20)]
    assert feasible(figures, C) == pytest.approx((32.5, 67.5))
    assert withheld_estimates(figures, [C]) == {2}
    # 160 - 10 - 105 - 52.5 is below 0: c may hold nothing
    closer = [*figures[:2], Figure(A | B | C, 160, 20)]
    assert feasible(closer, C) == pytest.approx((0, 27.5))
    assert withheld_estimates(closer, [C]) == set()


def test_a_total_that_leaves_a_withheld_region_nothing_is_withheld() -> None:
    # 10 + 0.4 less 10.4 leaves c 0.8 at most: that it is empty would be known
    figures = [Figure(A, 10.4, 0), Figure(A | C, 10.7, 1)]
    assert feasible(figures, C) == pytest.approx((0, 0.8))
    assert withheld_estimates(figures, [C]) == {1}


def test_overlapping_groups_and_zones_are_one_system() -> None:
    """Two groups that each hide c tell it together with a third: c = (a + c) + (b + c) - (a + b + c)."""
    figures = [Figure(A | C, 60, 1), Figure(B | C, 70, 1), Figure(A | B | C, 100, 1)]
    assert feasible(figures, C) == pytest.approx((28.5, 31.5))
    assert len(withheld_estimates(figures, [C])) >= 1
    assert withheld_estimates(figures[:2], [C]) == set()


def test_figures_that_no_hectares_agree_with_are_withheld() -> None:
    figures = [Figure(A, 100, 1), Figure(A | C, 50, 1)]
    assert all(map(math.isnan, feasible(figures, C)))
    assert withheld_estimates(figures, [C]) == {1}
