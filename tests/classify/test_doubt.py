"""Where a map is least sure of the target, spread over the ground."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.classify.doubt import doubt_of, most_doubtful_pixels, most_doubtful_places, worth_of
from cocal.grid import Window

AT = Window(32719, 500_000, 8_500_040, 4, 4)
"""Four squares of 20 m, each of four pixels."""


def test_one_pixel_of_each_square_is_taken_the_least_sure_first():
    probability = np.array(
        [[0.5, 0.1, 0.0, 0.3], [0.2, 0.4, 0.2, 0.9], [np.nan, np.nan, 1.0, 1.0], [np.nan, np.nan, 1.0, 1.0]]
    )
    places = most_doubtful_places(most_doubtful_pixels(doubt_of(probability), AT, 20), 10)
    assert places["doubt"].round(9).tolist() == [1.0, 0.6, 0.0]  # 0.5, 0.3, and certainty; none where NaN
    assert places[["x", "y"]].to_numpy().tolist() == [
        [500_005.0, 8_500_035.0],
        [500_035.0, 8_500_035.0],
        [500_025.0, 8_500_015.0],  # of equal ones the north-westernmost
    ]
    assert len(most_doubtful_places(places, 2)) == 2


def test_nothing_observed_gives_no_place():
    assert most_doubtful_places(most_doubtful_pixels(np.full((4, 4), np.nan), AT, 20), 5).empty


@settings(max_examples=30, deadline=None)
@given(
    cut=st.integers(1, 11),
    side=st.sampled_from([10, 30, 70]),
    number=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_the_places_do_not_depend_on_how_the_ground_is_cut(cut, side, number, seed):
    """Beside a plain search: of each square its best pixel, and the best squares of all."""
    window = Window(32719, 500_010, 8_500_050, 12, 9)
    doubt = np.random.default_rng(seed).integers(0, 5, window.shape) / 4.0
    whole = most_doubtful_places(most_doubtful_pixels(doubt, window, side), number)
    west, east = (
        Window(32719, 500_010, 8_500_050, cut, 9),
        Window(32719, 500_010 + 10 * cut, 8_500_050, 12 - cut, 9),
    )
    parts = [
        most_doubtful_pixels(doubt[:, :cut], west, side),
        most_doubtful_pixels(doubt[:, cut:], east, side),
    ]
    pd.testing.assert_frame_equal(most_doubtful_places(pd.concat(parts), number), whole)
    best: dict[tuple[int, int], float] = {}
    for (row, column), value in np.ndenumerate(doubt):
        square = (int(window.x[column] // side), int(window.y[row] // side))
        best[square] = max(best.get(square, 0.0), value)
    assert whole["doubt"].tolist() == sorted(best.values(), reverse=True)[:number]
    assert not whole.duplicated(["column", "row"]).any()


def test_near_a_label_doubt_is_worth_less_and_beyond_the_reach_all_of_it():
    labelled = np.zeros((5, 9), dtype=bool)
    labelled[2, 1] = labelled[4, 8] = True
    found = worth_of(np.full(labelled.shape, 0.5), labelled, 3)
    rows, columns = np.nonzero(labelled)
    for (row, column), worth in np.ndenumerate(found):
        nearest = np.hypot(rows - row, columns - column).min()
        assert np.isclose(worth, 0.5 * min(1, nearest / 3))
    assert found[2, 1] == 0
    assert found[2, 4] == 0.5  # exactly at the reach
    assert (worth_of(found, np.zeros_like(labelled), 3) == found).all()
