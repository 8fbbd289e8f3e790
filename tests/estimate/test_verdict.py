"""Verdicts on figures beside estimates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocal.estimate.verdict import verdicts

HA = st.floats(0, 1e6).map(lambda v: round(v, 3))


def verdict(figure: float, low: float, estimate: float, high: float, rounded_to: float = 0.0):
    (word,), (width,) = verdicts([figure], [estimate], [low], [high], agreement=0.2, rounded_to=[rounded_to])
    return word, width


@pytest.mark.parametrize(
    ("figure", "low", "estimate", "high", "word"),
    [
        (100, 80, 100, 120, "agrees"),  # both ends exactly on the margin
        (100, 79.9, 100, 120, "cannot_tell"),
        (100, 80, 100, 120.1, "cannot_tell"),
        (100, 110, 115, 120, "agrees"),  # outside the interval, yet no difference that counts
        (100, 100, 150, 200, "cannot_tell"),  # exactly at the end
        (99.9, 100, 150, 200, "differs"),
        (200.1, 100, 150, 200, "differs"),
        (0, 0, 0, 82, "cannot_tell"),
        (0, 0.1, 1, 82, "differs"),
        (0, 0, 0, 0, "agrees"),
        (np.nan, 0, 0, 82, ""),
        (50, np.nan, 40, np.nan, "cannot_tell"),
        (50, np.nan, np.nan, np.nan, "cannot_tell"),
    ],
)
def test_the_interval_decides(figure, low, estimate, high, word) -> None:
    assert verdict(figure, low, estimate, high)[0] == word


def test_a_rounded_figure_differs_only_if_all_that_it_may_have_been_lies_outside() -> None:
    assert verdict(500, 460, 470, 495)[0] == "agrees"
    assert verdict(700, 460, 470, 690)[0] == "differs"
    assert verdict(700, 460, 470, 690, rounded_to=20)[0] == "cannot_tell"  # 690 to 710, and 690 is inside
    assert verdict(700, 460, 470, 689, rounded_to=20)[0] == "differs"


def test_the_width_needed_decides_and_any_wider_one_does_not() -> None:
    """0 ha, 0 to 82, beside 5: 0 to anything below 5 would differ."""
    assert verdict(5, 0, 0, 82) == ("cannot_tell", 5)
    assert np.isnan(verdict(0, 0, 0, 82)[1])


@given(HA, HA, st.floats(0.01, 1e5), st.floats(0.01, 1e5), st.sampled_from([0.0, 1.0, 100.0]))
def test_an_interval_of_the_width_needed_would_decide(figure, estimate, down, up, step) -> None:
    word, width = verdict(figure, estimate - down, estimate, estimate + up, step)
    if word != "cannot_tell" or np.isnan(width):
        return
    assert width <= (down + up) * (1 + 1e-9)
    for scale, decided in ((1 - 1e-6, True), (1 + 1e-6, False)):
        f = width / (down + up) * scale
        if f <= 1:
            assert (
                verdict(figure, estimate - f * down, estimate, estimate + f * up, step)[0] != word
            ) == decided
