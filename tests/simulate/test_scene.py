"""Scenes: any block alone equals the block of the whole; clouds have shadows; codes are plausible."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from cocal.grid import Window
from cocal.simulate.cover import BANDS
from cocal.simulate.land import land
from cocal.simulate.scene import acquisition_days, blocks, expose, ground
from cocal.simulate.sky import SCL, opacity, shadow, sky_of
from cocal.simulate.terrain import Terrain

TERRAIN = Terrain(6, 498_720.0, 8_425_440.0)
WHOLE = Window(32719, 497_280, 8_426_880, 144, 144)
DAY = date(2024, 9, 20)


@pytest.mark.parametrize("side", [72, 100])
def test_a_scene_made_in_blocks_equals_the_scene_made_at_once(side: int) -> None:
    sky = sky_of(6, DAY)
    whole = expose(ground(TERRAIN, land(TERRAIN, WHOLE)), sky)
    for block in blocks(WHOLE, side):
        part = expose(ground(TERRAIN, land(TERRAIN, block)), sky)
        for name, size in {**BANDS, "scl": 20}.items():
            rows, columns = WHOLE.at(size).slices_of(block.at(size))
            assert np.array_equal(part[name], whole[name][rows, columns]), name


def test_bands_are_valid_uint16_at_their_own_pixel_size_and_scl_is_known_codes() -> None:
    values = expose(ground(TERRAIN, land(TERRAIN, WHOLE)), sky_of(6, DAY))
    assert {name: array.shape for name, array in values.items()} == {
        name: WHOLE.at(size).shape for name, size in {**BANDS, "scl": 20}.items()
    }
    assert all(values[name].dtype == np.uint16 and values[name].min() >= 1 for name in BANDS)
    assert values["scl"].dtype == np.uint8
    assert set(np.unique(values["scl"])) <= set(SCL.values())


def test_the_sun_stands_where_cooper_puts_it_at_the_june_solstice() -> None:
    """Declination 23.45 degrees, latitude -14.2, hour angle -21 degrees: arccos of the usual sum."""
    d, p, h = np.radians(23.45), np.radians(-14.2), np.radians(-21.0)
    zenith = np.degrees(np.arccos(np.sin(p) * np.sin(d) + np.cos(p) * np.cos(d) * np.cos(h)))
    sky = sky_of(6, date(2023, 6, 21))
    assert abs(np.degrees(sky.zenith) - zenith) < 0.02
    assert 0 < np.degrees(sky.azimuth) < 45
    assert sky.shadow_y < 0


def test_a_shadow_is_the_cloud_moved_away_from_the_sun() -> None:
    sky = sky_of(6, date(2024, 5, 20))
    moved = Window(32719, WHOLE.left + sky.shadow_x, WHOLE.top + sky.shadow_y, WHOLE.width, WHOLE.height)
    assert np.array_equal(shadow(sky, moved), opacity(sky, WHOLE))


def test_wet_months_are_cloudier_than_dry_ones_over_many_years() -> None:
    def mean(months: tuple[int, ...]) -> float:
        days = [date(year, month, day) for year in range(2017, 2027) for month in months for day in (5, 20)]
        return float(np.mean([sky_of(6, day).cover for day in days]))

    assert 0.68 < mean((12, 1, 2)) < 0.90
    assert mean((6, 7, 8)) < 0.40


def test_a_year_has_the_days_asked_for_every_month() -> None:
    days = acquisition_days(2024, 2)
    assert days[:3] == [date(2024, 1, 5), date(2024, 1, 20), date(2024, 2, 5)]
    assert len(days) == 24
    assert len(set(acquisition_days(2023, 6))) == 72
