"""The land is the same wherever a window was cut, and looks like a border valley."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.grid import Window
from cocal.scheme import read_scheme
from cocal.simulate.cover import BANDS, CODES, KINDS, NUMBER, green_cover, reflectance
from cocal.simulate.land import Land, land, majority
from cocal.simulate.terrain import Terrain

SCHEME = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
TERRAIN = Terrain(6, 498_720.0, 8_425_440.0)
WHOLE = Window(32719, 497_760, 8_426_400, 160, 160)


@pytest.fixture(scope="module")
def whole() -> Land:
    return land(TERRAIN, WHOLE)


def identity(here: Land) -> np.ndarray:
    """(sample, y, x, 3) layer, column and row of the patch of every sample."""
    table = here.table
    return np.stack([table.layer, table.column, table.row], axis=1)[here.ids]


@settings(max_examples=8, deadline=None)
@given(
    column=st.integers(0, 120), row=st.integers(0, 120), width=st.integers(2, 40), height=st.integers(2, 40)
)
def test_a_part_of_the_land_is_the_land_of_the_part(
    whole: Land, column: int, row: int, width: int, height: int
) -> None:
    part = Window(32719, WHOLE.left + 10 * column, WHOLE.top - 10 * row, width, height)
    rows, columns = WHOLE.slices_of(part)
    here = land(TERRAIN, part)
    assert np.array_equal(identity(here), identity(whole)[:, rows, columns])
    assert np.array_equal(here.elevation, whole.elevation[rows, columns])
    assert np.array_equal(here.census(), whole.census()[rows, columns])


def test_the_codes_of_the_truth_are_those_of_the_scheme() -> None:
    assert read_scheme(SCHEME).codes == CODES
    assert {kind.class_key for kind in KINDS.values()} == set(CODES)


def test_samples_of_a_pixel_add_up_to_four(whole: Land) -> None:
    assert (sum(c.astype(int) for c in whole.counts(CODES).values()) == 4).all()


def samples(**given: int) -> dict[str, np.ndarray]:
    return {key: np.array([[given.get(key, 0)]], dtype=np.uint8) for key in CODES}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"coca": 4}, "coca"),
        ({"coca": 2, "forest": 2}, "coca"),
        ({"coca": 2, "forest": 1, "bare": 1}, "coca"),
        ({"coca": 1, "forest": 3}, "forest"),
        ({"coca": 1, "water": 1, "pasture": 1, "bare": 1}, "pasture"),
        ({"forest": 2, "regrowth": 2}, "forest"),
        ({"water": 3, "bare": 1}, "water"),
    ],
)
def test_a_pixel_is_coca_where_coca_covers_half_of_it_else_what_covers_most(
    given: dict, expected: str
) -> None:
    assert majority(samples(**given), CODES)[0, 0] == CODES[expected]


def test_the_river_runs_through_the_middle_below_all_other_ground() -> None:
    y = TERRAIN.centre_y + np.arange(-2000.0, 2001.0, 100.0)
    river = TERRAIN.elevation(TERRAIN.river_x(y), y)
    beside = TERRAIN.elevation(TERRAIN.river_x(y) + 800.0, y)
    assert TERRAIN.river_x(TERRAIN.centre_y)[0] == TERRAIN.centre_x
    assert (beside > river).all()


def chance(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.random(n) for name in ("vigour", "phase", "pace", "depth")}


def test_coca_is_harvested_three_to_four_times_a_year_out_of_step() -> None:
    plots = chance(200)
    coca = np.full(200, NUMBER["coca"])
    course = np.stack([green_cover(coca, float(day), plots) for day in range(1, 366)])
    cuts = np.diff(course, axis=0) < -0.04
    per_year = cuts.sum(axis=0)
    assert per_year.min() >= 2
    assert per_year.max() <= 5
    assert 3 <= per_year.mean() <= 4.2
    days = cuts.argmax(axis=0)
    assert np.unique(days).size > 60


def test_forest_changes_less_over_the_year_than_pasture_crops_and_coca() -> None:
    plots = chance(300)
    spread = {
        name: np.ptp(
            [green_cover(np.full(300, NUMBER[name]), float(day), plots) for day in range(1, 366, 8)], axis=0
        ).mean()
        for name in ("forest", "pasture", "annual", "coca")
    }
    assert spread["forest"] < 0.05 < 0.2 < min(spread["pasture"], spread["annual"], spread["coca"])


def test_reflectance_mixes_leaf_and_ground_linearly() -> None:
    """Without tint on a day, river water is its own spectrum: green and ground are both water."""
    flat = {name: np.full(1, 0.5) for name in ("vigour", "phase", "pace", "depth")}
    wet = reflectance(np.array([NUMBER["river"]]), 40.0, flat, np.zeros((1, 4)))
    expected = [0.0480, 0.0620, 0.0560, 0.0450, 0.0340, 0.0330, 0.0290, 0.0270, 0.0130, 0.0090]
    assert wet.shape == (1, len(BANDS))
    assert np.allclose(wet[0], expected, rtol=1e-6)
