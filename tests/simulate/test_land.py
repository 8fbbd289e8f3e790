"""The land is the same wherever a window was cut, and looks like a border valley."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.grid import Window
from cocal.scheme import read_scheme
from cocal.simulate.land.character import character
from cocal.simulate.land.kinds import CODES, KINDS, NUMBER
from cocal.simulate.land.mosaic import SAMPLES, Land, class_codes, counts, land, majority
from cocal.simulate.land.patches import LAYERS, patches
from cocal.simulate.land.terrain import SPAN_M, Terrain, mirrored

SCHEME = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
TERRAIN = Terrain(7, 498_720.0, 8_425_440.0)
WHOLE = Window(32719, 497_760, 8_426_400, 120, 120)


@pytest.fixture(scope="module")
def whole() -> Land:
    return land(TERRAIN, WHOLE)


def identity(here: Land) -> np.ndarray:
    """(place of the pixel, y, x, 3) layer, column and row of the patch at every place."""
    table = here.table
    return np.stack([table.layer, table.column, table.row], axis=1)[here.places()]


@settings(max_examples=6, deadline=None)
@given(column=st.integers(0, 80), row=st.integers(0, 80), width=st.integers(2, 40), height=st.integers(2, 40))
def test_a_part_of_the_land_is_the_land_of_the_part(
    whole: Land, column: int, row: int, width: int, height: int
) -> None:
    part = Window(32719, WHOLE.left + 10 * column, WHOLE.top - 10 * row, width, height)
    rows, columns = WHOLE.slices_of(part)
    here = land(TERRAIN, part)
    assert np.array_equal(identity(here), identity(whole)[:, rows, columns])
    assert np.array_equal(here.elevation, whole.elevation[rows, columns])


def test_the_codes_of_the_truth_are_those_of_the_scheme() -> None:
    assert read_scheme(SCHEME).codes == CODES
    assert {kind.class_key for kind in KINDS.values()} == set(CODES)


def test_places_of_a_pixel_add_up_to_sixteen(whole: Land) -> None:
    code = class_codes(np.maximum(whole.table.kind, 0), CODES)
    found = counts(whole.places(), code, CODES)
    assert (sum(c.astype(int) for c in found.values()) == SAMPLES**2).all()


def places(**given: int) -> dict[str, np.ndarray]:
    return {key: np.array([[given.get(key, 0)]], dtype=np.uint8) for key in CODES}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"coca": 16}, "coca"),
        ({"coca": 8, "forest": 8}, "coca"),
        ({"coca": 7, "forest": 9}, "forest"),
        ({"coca": 7, "water": 3, "pasture": 3, "bare": 3}, "pasture"),
        ({"forest": 8, "regrowth": 8}, "forest"),
        ({"water": 10, "bare": 6}, "water"),
    ],
)
def test_a_pixel_is_coca_where_coca_covers_half_of_it_else_what_covers_most(
    given: dict, expected: str
) -> None:
    assert majority(places(**given), CODES)[0, 0] == CODES[expected]


@pytest.mark.parametrize(
    ("value", "expected"), [(-1, 1), (0, 0), (3, 3), (10, 10), (12, 8), (20, 0), (21, 1)]
)
def test_values_are_folded_back_and_forth(value: float, expected: float) -> None:
    assert mirrored(value, 10.0) == expected


def test_the_land_runs_from_lowland_to_puna_and_the_river_lies_below_its_banks() -> None:
    side = np.arange(-SPAN_M / 2, SPAN_M / 2, 60.0)
    height = TERRAIN.elevation_grid(TERRAIN.centre_x + side, TERRAIN.centre_y - side)
    assert 250 < height.min() < 400
    assert 3_900 < height.max() < 4_700
    y = TERRAIN.centre_y + np.arange(-5000.0, 5001.0, 500.0)
    river = TERRAIN.elevation(TERRAIN.river_x(y), y)
    assert (TERRAIN.elevation(TERRAIN.river_x(y) + 800.0, y) > river).all()
    assert (TERRAIN.elevation(TERRAIN.river_x(y) - 800.0, y) > river).all()


def test_a_road_is_as_wide_as_it_says() -> None:
    """Where the distance (first order) to the middle is under 4.5 m, and nowhere else by more than a
    metre.
    """
    x, y = 497_760 + 5 * np.arange(800.0), 8_426_400 - 5 * np.arange(800.0)
    drawn = TERRAIN.on_road(x, y)
    away = TERRAIN.road_distance(x[None, :], y[:, None])
    assert drawn.sum() > 100
    assert away[drawn].max() < 5.5
    assert away[~drawn].min() > 3.5


def test_coca_is_not_planted_above_its_range_nor_on_cliffs() -> None:
    table, _ = patches(TERRAIN, Window(32719, 492_480, 8_431_680, 1248, 1248))
    sites = table.take(table.form >= 0)
    used = sites.take(sites.use == 2)
    assert len(used) > 300
    assert TERRAIN.elevation(used.x, used.y).max() < 1_950
    assert TERRAIN.elevation(used.x, used.y).min() > 330
    assert TERRAIN.slope(used.x, used.y).max() < 1.10


def test_plots_measure_from_a_tenth_of_a_hectare_to_three() -> None:
    table, starts = patches(TERRAIN, Window(32719, 492_480, 8_431_680, 1248, 1248))
    for number, layer in enumerate(LAYERS):
        if layer.area_ha is None or layer.name == "village":
            continue
        part = table.take(np.arange(starts[number], starts[number + 1]))
        area = 4 * part.half_width * part.half_height / 1e4
        assert area.min() >= layer.area_ha[0] - 1e-9
        assert area.max() <= layer.area_ha[1] + 1e-9
    assert LAYERS[2].area_ha[0] < 0.16 < 0.25 < LAYERS[2].area_ha[1]


def test_shade_is_the_way_of_the_east_and_open_fields_of_the_west() -> None:
    y = np.full(2, TERRAIN.centre_y)
    west, east = character(TERRAIN, np.array([-3_000.0, 3_000.0]) + TERRAIN.centre_x, y).shade
    assert west < 0.15 < 0.25 < east


def test_the_names_of_kinds_have_numbers_in_order() -> None:
    assert list(NUMBER.values()) == list(range(len(KINDS)))
    assert date(2000, 1, 1).year == 2000
