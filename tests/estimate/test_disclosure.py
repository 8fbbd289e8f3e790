from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import UsageError
from cocal.estimate import public_squares
from cocal.estimate.disclosure import rounded_estimates
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


def test_estimates_go_to_whole_hectares_and_intervals_outwards() -> None:
    names = ["estimated_ha", "ci_low_ha", "ci_high_ha"]
    rows = [(368.3, 343.9, 458.1), (0.0, 0.0, 3.0), (7.6, np.nan, np.nan), (np.nan,) * 3]
    found = rounded_estimates(pd.DataFrame(rows, columns=names))
    wanted = [(368, 343, 459), (0, 0, 3), (8, np.nan, np.nan), (np.nan,) * 3]
    np.testing.assert_array_equal(found.to_numpy(), np.array(wanted, dtype=float))
    assert [*found] == names
