"""Exposures: any block alone equals the block of the whole; light spreads, clouds cast shadows, codes are
plausible.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from cocal.grid import Window
from cocal.simulate.land.kinds import NUMBER, SURFACE_SPECTRA
from cocal.simulate.land.terrain import Terrain
from cocal.simulate.sensor.canopy import BANDS, reflectance
from cocal.simulate.sensor.exposure import SPREAD, Ground, expose, ground, mixed
from cocal.simulate.sensor.passes import acquisition_days, passes
from cocal.simulate.sensor.scenes import blocks
from cocal.simulate.sensor.sky import SCL, opacity, shadow, sky_of

TERRAIN = Terrain(7, 498_720.0, 8_425_440.0)
WHOLE = Window(32719, 497_280, 8_426_880, 144, 144)
DAY = date(2024, 9, 20)


@pytest.fixture(scope="module")
def whole() -> Ground:
    return ground(TERRAIN, WHOLE)


@pytest.mark.parametrize("side", [72, 100])
def test_a_scene_made_in_blocks_equals_the_scene_made_at_once(whole: Ground, side: int) -> None:
    sky = sky_of(7, DAY)
    expected = expose(whole, sky)
    for block in blocks(WHOLE, side):
        part = expose(ground(TERRAIN, block), sky)
        for name, size in {**BANDS, "scl": 20}.items():
            rows, columns = WHOLE.at(size).slices_of(block.at(size))
            assert np.array_equal(part[name], expected[name][rows, columns]), name


def test_bands_are_valid_uint16_at_their_own_pixel_size_and_scl_is_known_codes(whole: Ground) -> None:
    values = expose(whole, sky_of(7, DAY))
    assert {name: array.shape for name, array in values.items()} == {
        name: WHOLE.at(size).shape for name, size in {**BANDS, "scl": 20}.items()
    }
    assert all(values[name].dtype == np.uint16 and values[name].min() >= 1 for name in BANDS)
    assert values["scl"].dtype == np.uint8
    assert set(np.unique(values["scl"])) <= set(SCL.values())


@pytest.mark.parametrize(("size", "shift"), [(10, (0, 0)), (10, (2, -1)), (20, (0, 0)), (20, (-2, 1))])
def test_mixing_is_the_weighted_sum_over_the_places_that_a_pixel_sees(
    whole: Ground, size: int, shift: tuple[int, int]
) -> None:
    """By hand, pixel by pixel: 6 x 6 places around the middle, weights of the point spread, moved by the
    shift.
    """
    spectra = np.random.default_rng(1).random((len(whole.table), 2), dtype=np.float32)
    found = mixed(whole, spectra, size, shift)
    step, across = size // 10, 4 * size // 10
    for row, column in [(0, 0), (3, 17), (40, 33), (71, 71)]:
        top = 8 + row * across + (across - 6 * step) // 2 + shift[1]
        left = 8 + column * across + (across - 6 * step) // 2 + shift[0]
        total = np.zeros(2)
        for i in range(6):
            for k in range(6):
                patch = whole.ids[top + i * step, left + k * step]
                total += SPREAD[i] * SPREAD[k] * spectra[patch]
        assert [float(plane[row, column]) for plane in found] == pytest.approx(total, rel=1e-5)


def test_the_weights_of_the_point_spread_add_up_to_one() -> None:
    assert SPREAD.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(SPREAD, SPREAD[::-1])


def test_geolocation_errs_by_half_a_pixel_at_most_and_not_always_alike() -> None:
    shifts = {sky_of(7, day).shift for day in acquisition_days(2024, 3)}
    assert {abs(s) for pair in shifts for s in pair} <= {0, 1, 2}
    assert len(shifts) > 8


def test_water_has_its_own_spectrum(whole: Ground) -> None:
    """The river is the first patch of every table; its light is not that of leaves, so that no season changes
    it.
    """
    table = whole.table.take(np.array([0]))
    table.tint[:] = 0
    assert table.kind[0] == NUMBER["river"]
    seen = reflectance(table, 1_000.0)[0]
    dry = 1.0 - 0.5 * (1 + np.cos(2 * np.pi * (np.mod(1_000.0, 365.25) + 1 - 40) / 365.25))
    assert seen == pytest.approx(np.array(SURFACE_SPECTRA["water"]) * (0.86 + 0.14 * dry), rel=1e-5)


def test_the_sun_stands_where_cooper_puts_it_at_the_june_solstice() -> None:
    """Declination 23.45 degrees, latitude -14.2, hour angle -21 degrees: arccos of the usual sum."""
    d, p, h = np.radians(23.45), np.radians(-14.2), np.radians(-21.0)
    zenith = np.degrees(np.arccos(np.sin(p) * np.sin(d) + np.cos(p) * np.cos(d) * np.cos(h)))
    sky = sky_of(7, date(2023, 6, 21))
    assert abs(np.degrees(sky.zenith) - zenith) < 0.02
    assert 0 < np.degrees(sky.azimuth) < 45
    assert sky.shadow_y < 0


def test_slopes_that_face_the_sun_are_brighter() -> None:
    """The morning sun stands in the north-east: east slopes against west slopes, on the same clear day."""
    clear = replace(sky_of(7, date(2024, 6, 21)), cover=1e-9)
    steep = ground(TERRAIN, Window(32719, 500_160, 8_422_080, 144, 144))
    nir = expose(steep, clear)["nir"].astype(float)
    east = steep.scales[10].east
    assert nir[east > 0.2].mean() > 1.1 * nir[east < -0.2].mean()


def test_a_shadow_is_the_cloud_moved_away_from_the_sun() -> None:
    sky, window = sky_of(7, date(2024, 5, 20)), WHOLE.at(20)
    moved = replace(window, left=window.left + sky.shadow_x, top=window.top + sky.shadow_y)
    assert np.array_equal(shadow(sky, moved), opacity(sky, window))


def test_wet_months_are_cloudier_than_dry_ones_over_many_years() -> None:
    def mean(months: tuple[int, ...]) -> float:
        days = [date(year, month, day) for year in range(2017, 2027) for month in months for day in (5, 20)]
        return float(np.mean([sky_of(7, day).cover for day in days]))

    assert 0.68 < mean((12, 1, 2)) < 0.90
    assert mean((6, 7, 8)) < 0.40


def test_the_scene_classification_errs_as_real_ones_do(whole: Ground) -> None:
    """Thin cloud is missed somewhere and clear ground is called cloud somewhere, over the days of a year."""
    missed = false = 0
    for day in acquisition_days(2024, 1):
        sky = sky_of(7, day)
        cloud, code = opacity(sky, WHOLE.at(20)), expose(whole, sky)["scl"]
        said = np.isin(code, [SCL["cirrus"], SCL["cloud_medium"], SCL["cloud_high"]])
        missed += int(((cloud > 0.05) & ~said).sum())
        false += int(((cloud < 0.02) & said).sum())
    assert missed > 100
    assert false > 0


def test_a_year_has_the_days_asked_for_every_month() -> None:
    days = acquisition_days(2024, 2)
    assert days[:3] == [date(2024, 1, 5), date(2024, 1, 20), date(2024, 2, 5)]
    assert len(days) == 24
    assert len(set(acquisition_days(2023, 6))) == 72


def test_a_year_has_whole_scenes_swath_edges_and_days_in_two_strips_that_overlap() -> None:
    items = passes(7, WHOLE, 2024, 3)
    assert len({item.scene_id for item in items}) == len(items) == 36 + 36 // 5
    by_day: dict[date, list] = {}
    for item in items:
        by_day.setdefault(item.day, []).append(item.seen(WHOLE))
    pairs = [seen for seen in by_day.values() if len(seen) == 2]
    assert len(pairs) == 7
    for north, south in pairs:
        assert (north | south).all()
        assert 0.05 < (north & south).mean() < 0.25
    single = [seen[0].mean() for seen in by_day.values() if len(seen) == 1]
    assert sum(share < 1 for share in single) >= 8
    assert min(single) > 0.3
    assert {(i.baseline, i.offset) for i in items} == {("03.01", 0), ("05.11", -1000)}
