from dataclasses import replace

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cocal import grid
from cocal.grid import Window

WINDOWS = st.builds(
    Window,
    epsg=st.sampled_from([32718, 32719, 32720, 32631]),
    left=st.integers(20_000, 80_000).map(lambda v: v * 10),
    top=st.integers(800_000, 890_000).map(lambda v: v * 10),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
)


def test_a_cell_on_the_central_meridian_is_larger_on_the_ground_by_the_squared_scale():
    # Point scale on the central meridian of UTM is 0.9996, so 100 m2 of grid are 100 / 0.9996^2 m2.
    area = grid.cell_area(Window(32719, 500_000 - 10, 8_430_000, 2, 2))
    assert area == pytest.approx(100 / 0.9996**2, rel=1e-8)


@pytest.mark.parametrize("epsg", [32718, 32719, 32631])
@pytest.mark.parametrize("left", [190_000, 400_000, 833_000])
def test_cell_area_sums_to_the_geodesic_area_of_a_kilometre_square(epsg, left):
    window = Window(epsg, left, 8_430_000 if epsg > 32700 else 5_610_000, 100, 100)
    box = shapely.segmentize(shapely.box(*window.bounds), 10)
    outline = grid.project(box, epsg, 4326)
    oracle = abs(Geod(ellps="WGS84").geometry_area_perimeter(outline)[0])
    assert grid.cell_area(window).sum() == pytest.approx(oracle, rel=2e-8)


@given(WINDOWS, st.integers(0, 7))
@settings(max_examples=30, deadline=None)
def test_a_cell_has_the_same_area_in_every_window_that_holds_it(window, halo):
    outer = window.expanded(halo)
    inner = grid.cell_area_units(outer)[outer.slices_of(window)]
    np.testing.assert_array_equal(inner, grid.cell_area_units(window))


@given(WINDOWS)
@settings(max_examples=30, deadline=None)
def test_snapping_gives_the_smallest_aligned_window_that_holds_the_first(window):
    snapped = window.snapped(60)
    west, south, east, north = snapped.bounds
    assert all(v % 60 == 0 for v in snapped.bounds)
    assert west <= window.left < west + 60
    assert east - 60 < window.right <= east
    assert south <= window.bottom < south + 60
    assert north - 60 < window.top <= north


@given(st.integers(1, 40).map(lambda n: n * 6), st.integers(16, 300))
def test_blocks_partition_their_tile(tile_px, block_px):
    tile = grid.Tile(Window(32719, 0, 8_000_000 + tile_px * 10, tile_px, tile_px))
    seen = np.zeros(tile.window.shape, dtype=int)
    for block in tile.blocks(block_px):
        seen[tile.window.slices_of(block)] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("tile_px", [384, 768])
def test_every_pixel_on_a_zone_meridian_belongs_to_exactly_one_zone(tile_px):
    area = shapely.box(-72.02, -13.02, -71.98, -12.98)
    points = np.random.default_rng(1).uniform([-72.02, -13.02], [-71.98, -12.98], (400, 2))
    owners = np.zeros(len(points), dtype=int)
    for tile in grid.tiles(area, tile_px):
        w = tile.window
        x, y = grid.transformer(4326, w.epsg).transform(points[:, 0], points[:, 1])
        row, column, inside = w.locate(x, y)
        owned = grid.owned_by_zone(w)
        owners[inside] += owned[row[inside], column[inside]]
    # A point within half a pixel of the meridian may lie in a pixel whose centre is across it.
    clear = np.abs(points[:, 0] + 72) > 1e-4
    assert (owners[clear] == 1).all()


def test_owned_areas_of_two_zones_add_up_to_the_area_of_the_ground():
    area = shapely.box(-72.05, -13.05, -71.95, -12.95)
    total = 0
    for tile in grid.tiles(area, 384):
        inside = grid.project(shapely.segmentize(area, 0.001), 4326, tile.window.epsg)
        xx, yy = np.meshgrid(tile.window.x, tile.window.y)
        take = shapely.contains_xy(inside, xx, yy) & grid.owned_by_zone(tile.window)
        total += int(grid.cell_area_units(tile.window)[take].sum())
    assert grid.hectares(total) == pytest.approx(grid.geodesic_hectares(area), rel=2e-4)


@pytest.mark.parametrize("hole_reversed", [False, True])
@pytest.mark.parametrize("shell_reversed", [False, True])
def test_a_hole_is_subtracted_whatever_way_its_ring_runs(shell_reversed, hole_reversed):
    shell = shapely.box(-69.1, -14.1, -69.0, -14.0)
    hole = shapely.box(-69.06, -14.06, -69.04, -14.04)
    rings = [np.array(g.exterior.coords) for g in (shell, hole)]
    turned = [r[::-1] if flip else r for r, flip in zip(rings, (shell_reversed, hole_reversed), strict=True)]
    holed = shapely.Polygon(turned[0], [turned[1]])
    expected = grid.geodesic_hectares(shell) - grid.geodesic_hectares(hole)
    assert grid.geodesic_hectares(holed) == pytest.approx(expected, rel=1e-9)
    far = shapely.transform(holed, lambda xy: xy + np.array([0.5, 0.0]))
    both = shapely.MultiPolygon(
        [holed, shapely.Polygon(far.exterior.coords[::-1], [far.interiors[0].coords])]
    )
    assert grid.geodesic_hectares(both) == pytest.approx(2 * expected, rel=1e-9)


def test_the_zone_of_a_point_follows_its_meridian_and_hemisphere():
    assert grid.utm_epsg(-72.0, -13) == 32719
    assert grid.utm_epsg(-72.0001, -13) == 32718
    assert grid.utm_epsg(-66.0, -13) == 32720
    assert grid.utm_epsg(3.0, 50.0) == 32631
    assert grid.zones(shapely.box(-72.1, -13, -65.9, -12)) == [32718, 32719, 32720]


def test_a_point_exactly_on_a_meridian_or_the_equator_belongs_to_the_eastern_and_the_northern_zone():
    west, east = np.nextafter(-72.0, -180), np.nextafter(-72.0, 0)
    assert grid.utm_zones([west, -72.0, east], [-13.0] * 3).tolist() == [32718, 32719, 32719]
    assert grid.utm_zones([-72.0] * 3, [np.nextafter(0, -1), 0.0, 1.0]).tolist() == [32719, 32619, 32619]
    assert grid.utm_zones([-180.0, 180.0], [-13.0, -13.0]).tolist() == [32701, 32760]
    # every double beside a meridian, also where adding 180 would round it across
    for zone in range(2, 61):
        meridian = -180.0 + 6 * (zone - 1)
        beside = [np.nextafter(meridian, -200), meridian, np.nextafter(meridian, 200)]
        assert grid.utm_zones(beside, [-13.0] * 3).tolist() == [32699 + zone, 32700 + zone, 32700 + zone]


def test_a_pixel_whose_centre_is_exactly_on_the_meridian_belongs_to_the_eastern_zone(monkeypatch):
    class CentresOnTheMeridian:
        def transform(self, x, y):
            return np.full(np.shape(x), -72.0), np.full(np.shape(y), -13.0)

    monkeypatch.setattr(grid, "transformer", lambda source, target: CentresOnTheMeridian())
    monkeypatch.setattr(grid, "project", lambda shape, *rest, **named: shape)
    assert grid.owned_by_zone(Window(32719, 0, 20, 2, 2)).all()
    assert not grid.owned_by_zone(Window(32718, 0, 20, 2, 2)).any()


@given(WINDOWS, st.integers(0, 600), st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_a_pixel_owns_its_west_and_its_north_edge(window, metres_east, metres_south):
    x, y = window.left + metres_east, window.top - metres_south
    row, column, inside = window.locate(x, y)
    held = x < window.right and y > window.bottom
    assert bool(inside) == held
    assert (int(row), int(column)) == ((metres_south // 10, metres_east // 10) if held else (-1, -1))
    if held:
        assert window.left + 10 * column <= x < window.left + 10 * (column + 1)
        assert window.top - 10 * (row + 1) < y <= window.top - 10 * row


@pytest.mark.parametrize("turned", [0, 30])
@given(st.floats(-40, 140), st.floats(-40, 140))
@settings(max_examples=60, deadline=None)
def test_the_pixel_of_any_raster_is_the_one_that_its_transform_puts_around_the_point(turned, column, row):
    raster = Affine.translation(500_000, 8_430_000) * Affine.rotation(turned) * Affine.scale(20, -30)
    x, y = raster * (column, row)
    found = grid.locate(raster, (100, 100), x, y)
    back = np.array(~raster * (x, y))
    if (np.abs(back - np.rint(back)) > 1e-6).all():
        expected = np.floor(back).astype(int)
        assert bool(found.inside) == ((expected >= 0) & (expected < 100)).all()
        if found.inside:
            assert [int(found.column), int(found.row)] == expected.tolist()


def test_points_that_no_projection_reaches_are_outside():
    row, column, inside = Window(32719, 0, 20, 2, 2).locate([np.inf, np.nan, 5.0], [5.0, np.inf, 5.0])
    assert inside.tolist() == [False, False, True]
    assert (row.tolist(), column.tolist()) == ([-1, -1, 1], [-1, -1, 0])


@given(st.lists(st.tuples(st.integers(-2000, 2000), st.integers(-2000, 2000)), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_cells_of_a_lattice_follow_the_rule_of_pixels_and_hold_each_point_once(points):
    x, y = np.array(points, dtype=float).T
    seen = np.zeros(len(x), dtype=int)
    centre_x, centre_y = grid.pixel_centres(x, y, 10)
    for window, here in grid.windows_holding(32719, x, y, 7):
        row, column, inside = window.locate(x[here], y[here])
        assert inside.all()
        np.testing.assert_array_equal(window.x[column], centre_x[here])
        np.testing.assert_array_equal(window.y[row], centre_y[here])
        seen[here] += 1
    assert (seen == 1).all()


@given(st.floats(-2e-4, 2e-4), st.floats(-14, -13))
@settings(max_examples=60, deadline=None)
def test_the_pixel_of_a_point_beside_a_meridian_is_shown_by_its_zone_unless_neither_zone_shows_it(past, lat):
    lon = -72.0 + past
    shown = []
    for epsg in (32718, 32719):
        x, y = grid.transformer(4326, epsg).transform(lon, lat)
        window, _ = next(grid.windows_holding(epsg, [x], [y], 1))
        shown.append(bool(grid.owned_by_zone(window)[0, 0]))
    found = int(grid.pixel_zones(lon, lat))
    if any(shown):
        assert shown[[32718, 32719].index(found)]
    if all(shown):
        assert found == grid.utm_epsg(lon, lat)


def test_a_window_that_does_not_hold_whole_coarse_pixels_is_refused():
    with pytest.raises(ValueError, match="snap it first"):
        replace(Window(32719, 0, 60, 5, 6)).at(20)
