from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import shapely.affinity
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cocal.errors import InputError
from cocal.grid import Window, cell_area_units, hectares, project, tiles, transformer, zone_box
from cocal.notes import render
from cocal.regions import (
    Regions,
    RegionSettings,
    RegionSource,
    owned,
    owners,
    owners_at,
    read_regions,
    slivers,
)

ZONE = 32719
LEFT, TOP = 499_200, 8_448_000
"""Corner of a chunk of the lattice (multiples of 15,360 m) in zone 19S, near Apolo."""

BOUNDARIES = (
    Path(os.environ.get("COCAL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "boundaries"
)
real_boundaries = pytest.mark.skipif(
    not BOUNDARIES.is_dir(), reason="needs the boundary files; set COCAL_TEST_DATA to the test data"
)

Write = Callable[..., RegionSource]


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A rectangle in metres from the corner (LEFT, TOP); north of it is positive."""
    return shapely.box(LEFT + west, TOP + south, LEFT + east, TOP + north)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write polygons, in zone metres, as a region file; give its source."""

    def write(file: str, shapes: dict[str, shapely.Geometry], crs: int | None = ZONE, **more) -> RegionSource:
        frame = gpd.GeoDataFrame(
            {"code": list(shapes), "title": [f"Name of {k}" for k in shapes], "land": "BO"},
            geometry=list(shapes.values()),
            crs=crs,
        )
        path = tmp_path / file
        pyogrio.write_dataframe(frame, path) if crs else write_without_crs(frame, path)
        source = {"id": "code", "name": "title", "country": "land"} | more
        return RegionSource(path=path, **source)

    return write


def write_without_crs(frame: gpd.GeoDataFrame, path: Path) -> None:
    frame.set_crs(ZONE).to_file(path)
    path.with_suffix(".prj").unlink()


def read(*sources: RegionSource, sliver_m: float = 0) -> Regions:
    return read_regions(RegionSettings(sources=sources, sliver_m=sliver_m))


def window(width: int, height: int, west: int = 0, north: int = 0) -> Window:
    return Window(ZONE, LEFT + west, TOP + north, width, height, 10)


# --- who owns a pixel ---------------------------------------------------------------------------------


def test_a_pixel_belongs_to_the_region_that_holds_its_centre(write: Write) -> None:
    # pixel centres at 5, 15, 25 m: the border at 14 m leaves one pixel to A, the border at 16 m would two
    regions = read(write("a.gpkg", {"A": box(0, -30, 14, 0), "B": box(14, -30, 30, 0)}))
    np.testing.assert_array_equal(owners(regions, window(4, 1)), [[0, 1, 1, -1]])


def test_where_regions_overlap_the_first_in_the_stated_order_owns_the_ground(write: Write) -> None:
    bolivia = write("bo.gpkg", {"A": box(0, -30, 30, 0)})
    peru = write("pe.gpkg", {"B": box(20, -30, 60, 0)})
    np.testing.assert_array_equal(owners(read(bolivia, peru), window(7, 1)), [[0, 0, 0, 1, 1, 1, -1]])
    np.testing.assert_array_equal(owners(read(peru, bolivia), window(7, 1)), [[1, 1, 0, 0, 0, 0, -1]])


def test_the_exclusive_polygon_has_lost_the_overlap_to_earlier_regions(write: Write) -> None:
    regions = read(write("a.gpkg", {"A": box(0, -1000, 1000, 0), "B": box(500, -1000, 2000, 0)}))
    # 1500 m x 1000 m = 150 ha and 1000 m x 1000 m = 100 ha of grid; 0.08 % more on the ground at 69 W
    np.testing.assert_allclose(regions.table["polygon_ha"], [100, 150], rtol=1e-3)
    np.testing.assert_allclose(regions.table["exclusive_ha"], [100, 100], rtol=1e-3)
    assert shapely.area(shapely.intersection(*regions.geometries)) == 0


def test_a_hole_in_a_region_belongs_to_the_region_in_it_and_else_to_nobody(write: Write) -> None:
    ring = shapely.difference(box(0, -50, 50, 0), box(10, -40, 40, -10))
    regions = read(write("a.gpkg", {"ring": ring, "core": box(20, -30, 30, -20)}), sliver_m=0)
    np.testing.assert_array_equal(owners(regions, window(5, 1, north=-20)), [[0, -1, 1, -1, 0]])


@given(
    west=st.integers(0, 1640),
    north=st.integers(0, 1640),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
)
@settings(max_examples=30, deadline=None)
def test_a_ground_pixel_has_the_same_owner_in_every_window(
    west: int, north: int, width: int, height: int
) -> None:
    regions = star_regions()
    large = window(1700, 1700, west=-500, north=500)
    small = Window(ZONE, large.left + west * 10, large.top - north * 10, width, height)
    rows, columns = large.slices_of(small)
    np.testing.assert_array_equal(owners(regions, small), owners(regions, large)[rows, columns])
    np.testing.assert_array_equal(slivers(regions, small), slivers(regions, large)[rows, columns])


_STARS: list[Regions] = []


def star_regions() -> Regions:
    """Twelve ragged regions of two sources with gaps and overlaps, around a corner of four chunks."""
    if not _STARS:
        rng = np.random.default_rng(7)
        shapes = []
        for _ in range(12):
            turn = np.sort(rng.uniform(0, 2 * np.pi, 40))
            reach = rng.uniform(1000, 3500, 40)
            x, y = rng.uniform(0, 8000, 2)
            ring = shapely.Polygon(np.column_stack([x + reach * np.cos(turn), y - reach * np.sin(turn)]))
            placed = shapely.transform(ring.buffer(0), lambda xy: np.add(xy, (LEFT, TOP - 8000)))
            shapes.append(project(placed, ZONE, 4326))
        table = pd.DataFrame({"region_id": [f"r{i}" for i in range(12)], "source": [0] * 6 + [1] * 6})
        raw = np.array(shapes, dtype=object)
        _STARS.append(Regions(table, raw, raw, table["source"].to_numpy(), 300.0, "stars", ()))
    return _STARS[0]


def test_ownership_is_the_same_as_asking_shapely_about_each_pixel_centre() -> None:
    regions = replace(star_regions(), sliver_m=0.0, sha256="stars without slivers")
    asked = window(300, 300, west=-500, north=500)
    xx, yy = np.meshgrid(asked.x, asked.y)
    points = shapely.points(*transformer(ZONE, 4326).transform(xx.ravel(), yy.ravel()))
    expected = np.full(points.size, -1)
    for i in reversed(range(len(regions))):
        expected[shapely.contains(regions.raw_geometries[i], points)] = i
    np.testing.assert_array_equal(owners(regions, asked).ravel(), expected)


def test_windows_off_the_lattice_of_ten_metres_get_their_own_pixel_centres(write: Write) -> None:
    regions = read(write("a.gpkg", {"A": box(0, -30, 14, 0)}))
    # shifted by 3 m the centres lie at 8 and 18 m, by 9 m at 14 and 24 m (on the border) ...
    np.testing.assert_array_equal(owners(regions, replace(window(2, 1), left=LEFT + 3)), [[0, -1]])
    # ... and by -3 m at 2 and 12 m
    np.testing.assert_array_equal(owners(regions, replace(window(2, 1), left=LEFT - 3)), [[0, 0]])


def test_points_have_the_owner_of_the_pixel_that_holds_them() -> None:
    regions = star_regions()
    asked = window(400, 400, west=-1500, north=1500)
    rng = np.random.default_rng(3)
    row, column = rng.integers(0, 400, (2, 500))
    x = asked.left + 10 * (column + rng.uniform(0, 0.999, 500))
    y = asked.top - 10 * (row + 1 - rng.uniform(0, 0.999, 500))
    found = owners_at(regions, ZONE, x, y, resolution=10)
    np.testing.assert_array_equal(found, owners(regions, asked)[row, column])
    assert (found >= 0).any()
    assert (found == -1).any()


def test_across_a_zone_meridian_each_hectare_counts_once(write: Write) -> None:
    meridian = shapely.box(-72.05, -13.05, -71.95, -13.0)
    regions = read(write("a.gpkg", {"A": meridian}, crs=4326))
    units = 0
    for tile in tiles(regions.area, 384):
        mine = owned(regions, tile.window) == 0
        units += int(cell_area_units(tile.window)[mine].sum())
    assert {t.window.epsg for t in tiles(regions.area, 384)} == {32718, 32719}
    # 60 km2 with an outline of about 33 km: whole pixels are off by less than 0.1 %
    assert abs(hectares(units) / regions.table["polygon_ha"][0] - 1) < 1e-3


def test_owned_leaves_pixels_of_another_zone_to_that_zone(write: Write) -> None:
    regions = read(write("a.gpkg", {"A": shapely.box(-72.02, -13.02, -71.98, -13.0)}, crs=4326))
    x, y = transformer(4326, 32719).transform(-72.0, -13.01)
    across = Window(32719, int(x) // 10 * 10 - 1000, int(y) // 10 * 10, 200, 10)
    assert (owners(regions, across) == 0).all()
    lon, _ = transformer(32719, 4326).transform(*np.meshgrid(across.x, across.y))
    west = zone_box(32719).bounds[0]
    np.testing.assert_array_equal(owned(regions, across), np.where(lon >= west, 0, -1))


# --- slivers ------------------------------------------------------------------------------------------


def test_a_gap_between_two_sources_goes_to_the_nearest_region(write: Write) -> None:
    bolivia = write("bo.gpkg", {"A": box(0, -300, 100, 300)})
    peru = write("pe.gpkg", {"B": box(160, -300, 300, 300)})
    regions = read(bolivia, peru, sliver_m=60)
    # centres in the gap: 105 ... 155 m. 105, 115, 125 are nearer to A (at 100), 135 ... to B (at 160)
    asked = window(8, 1, west=90)
    np.testing.assert_array_equal(owners(regions, asked), [[0, 0, 0, 0, 1, 1, 1, 1]])
    np.testing.assert_array_equal(slivers(regions, asked), [[0, 1, 1, 1, 1, 1, 1, 0]])


def test_between_two_regions_at_the_same_distance_the_first_in_order_wins() -> None:
    # two equal squares mirrored about the central meridian of zone 19S: projected x is exactly 500,000 +- d
    sides = [shapely.box(-69.01, -14.02, -69.0005, -14.0), shapely.box(-68.9995, -14.02, -68.99, -14.0)]
    raw = np.array(sides, dtype=object)
    table = pd.DataFrame({"region_id": ["west", "east"], "source": [0, 1]})
    x, y = transformer(4326, ZONE).transform(-69.0, -14.01)
    # one row of 13 pixels of 10 m: the middle one's centre lies on the meridian
    row = Window(ZONE, round(x) - 65, round(y), 13, 1, 10)
    west_first = owners(Regions(table, raw, raw, np.arange(2), 120.0, "west first", ()), row)
    east_first = owners(Regions(table, raw[::-1], raw[::-1], np.arange(2), 120.0, "east first", ()), row)
    np.testing.assert_array_equal(west_first, [[0] * 7 + [1] * 6])
    np.testing.assert_array_equal(east_first, [[1] * 6 + [0] * 7])


def test_a_gap_wider_than_stated_stays_outside_across_its_whole_width(write: Write) -> None:
    # A's side is straight at 100 m; B's recedes from 160 m in the south to 220 m in the north
    bolivia = write("bo.gpkg", {"A": box(0, -900, 100, 900)})
    steps = shapely.union(box(160, -900, 300, 0), box(220, -900, 300, 900))
    peru = write("pe.gpkg", {"B": steps})
    regions = read(bolivia, peru, sliver_m=100)
    narrow, wide = window(14, 1, west=90, north=-400), window(14, 1, west=90, north=400)
    np.testing.assert_array_equal(owners(regions, narrow), [[0] * 4 + [1] * 10])
    np.testing.assert_array_equal(owners(regions, wide), [[0] + [-1] * 12 + [1]])
    np.testing.assert_array_equal(owners(read(bolivia, peru), narrow), [[0] + [-1] * 6 + [1] * 7])


def test_ground_beside_two_regions_but_not_between_them_stays_outside(write: Write) -> None:
    bolivia = write("bo.gpkg", {"A": box(0, -300, 100, 0)})
    peru = write("pe.gpkg", {"B": box(100, -300, 300, 0)})
    regions = read(bolivia, peru, sliver_m=200)
    above = window(30, 10, north=100)
    assert (owners(regions, above) == -1).all()


def test_a_gap_inside_one_of_several_sources_is_given_away_only_when_that_is_asked(write: Write) -> None:
    bolivia = write("bo.gpkg", {"A": box(0, -300, 100, 300), "C": box(120, -300, 200, 300)})
    peru = write("pe.gpkg", {"B": box(900, -300, 1000, 300)})
    asked = window(4, 1, west=90)
    np.testing.assert_array_equal(owners(read(bolivia, peru, sliver_m=60), asked), [[0, -1, -1, 1]])
    np.testing.assert_array_equal(owners(read(bolivia, sliver_m=60), asked), [[0, 0, 1, 1]])
    anywhere = RegionSettings(sources=(bolivia, peru), sliver_m=60, sliver_between="regions")
    np.testing.assert_array_equal(owners(read_regions(anywhere), asked), [[0, 0, 1, 1]])


def test_slivers_do_not_change_pixels_that_a_region_holds() -> None:
    regions = star_regions()
    without = replace(regions, sliver_m=0.0, sha256="stars without slivers")
    asked = window(800, 800)
    given_away = slivers(regions, asked)
    assert given_away.any()
    assert (owners(without, asked)[given_away] == -1).all()
    np.testing.assert_array_equal(owners(without, asked)[~given_away], owners(regions, asked)[~given_away])


def test_slivers_agree_with_distances_measured_by_shapely() -> None:
    regions = star_regions()
    shapes = [project(g, 4326, ZONE, densify=0.001) for g in regions.raw_geometries]
    asked = window(1000, 1000)
    rows, columns = np.nonzero(slivers(regions, asked))
    pick = np.random.default_rng(1).choice(rows.size, 60, replace=False)
    for row, column in zip(rows[pick], columns[pick], strict=True):
        distances = shapely.distance(shapes, shapely.Point(asked.x[column], asked.y[row]))
        assert int(np.argmin(distances)) == owners(regions, asked)[row, column]
        assert distances.min() > 0
        assert distances[:6].min() + distances[6:].min() <= regions.sliver_m + 1e-3


def test_the_area_to_be_covered_holds_every_owned_pixel() -> None:
    regions = star_regions()
    asked = window(1000, 1000)
    xx, yy = np.meshgrid(asked.x, asked.y)
    mine = owners(regions, asked) >= 0
    points = shapely.points(*transformer(ZONE, 4326).transform(xx[mine], yy[mine]))
    shapely.prepare(regions.area)
    assert shapely.intersects(regions.area, points).all()


# --- identity -----------------------------------------------------------------------------------------


def test_a_copy_in_another_process_is_equal_and_owns_the_same() -> None:
    regions = star_regions()
    copy = pickle.loads(pickle.dumps(regions))
    assert copy == regions
    assert hash(copy) == hash(regions)
    np.testing.assert_array_equal(owners(copy, window(20, 20)), owners(regions, window(20, 20)))


def test_the_content_decides_the_checksum_and_the_path_does_not(write: Write) -> None:
    shapes = {"A": box(0, -300, 100, 0), "B": box(100, -300, 300, 0)}
    first = read(write("a.gpkg", shapes)).sha256
    assert read(write("elsewhere.gpkg", shapes)).sha256 == first
    assert read(write("a2.gpkg", shapes), sliver_m=1).sha256 != first
    assert read(write("a3.gpkg", dict(reversed(shapes.items())))).sha256 != first
    assert read(write("a4.gpkg", shapes | {"A": box(0, -300, 99, 0)})).sha256 != first
    assert read(write("a5.gpkg", shapes, country=None, country_code="PE")).sha256 != first


# --- reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.shp"])
def test_any_vector_format_gives_the_same_ground(write: Write, name: str) -> None:
    crs = 4326 if name.endswith("geojson") else ZONE
    shapes = {"A": box(0, -300, 144, 0), "B": box(144, -300, 300, 0)}
    if crs == 4326:
        shapes = {k: project(g, ZONE, 4326) for k, g in shapes.items()}
    regions = read(write(name, shapes, crs=crs))
    assert regions.table["region_id"].tolist() == ["A", "B"]
    assert regions.table["region_name"].tolist() == ["Name of A", "Name of B"]
    assert regions.table["country"].tolist() == ["BO", "BO"]
    np.testing.assert_array_equal(owners(regions, window(31, 1))[0], [0] * 14 + [1] * 16 + [-1])


def test_rows_are_kept_by_where_and_ids_joined_and_prefixed(write: Write) -> None:
    shapes = {"A": box(0, -30, 10, 0), "B": box(10, -30, 20, 0), "C": box(20, -30, 30, 0)}
    source = write("a.gpkg", shapes, id=["land", "code"], id_prefix="x-", where={"code": ["C", "A"]})
    assert read(source).table["region_id"].tolist() == ["x-BOA", "x-BOC"]


def test_numeric_ids_lose_the_point_that_a_nullable_column_gave_them(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"n": [1.0, 20.0]}, geometry=[box(0, -9, 9, 0), box(9, -9, 20, 0)], crs=ZONE)
    frame.to_file(tmp_path / "n.gpkg")
    source = RegionSource(path=tmp_path / "n.gpkg", id="n", name="n", country_code="BO")
    assert read(source).table["region_id"].tolist() == ["1", "20"]


def test_an_id_that_looks_like_a_path_or_markup_is_only_text(write: Write) -> None:
    hostile = "../../etc/<script>alert(1)</script>"
    regions = read(write("a.gpkg", {hostile: box(0, -30, 30, 0)}))
    assert regions.table["region_id"][0] == hostile
    assert (owners(regions, window(3, 3)) == 0).all()


def test_an_invalid_polygon_is_made_valid_and_noted(write: Write) -> None:
    bow = shapely.Polygon([(LEFT, TOP), (LEFT + 100, TOP), (LEFT, TOP - 100), (LEFT + 100, TOP - 100)])
    regions = read(write("a.gpkg", {"bow": bow}))
    # two triangles of 100 m x 50 m / 2 each: 5,000 m2
    assert regions.table["polygon_ha"][0] == pytest.approx(0.5, rel=1e-3)
    (note,) = regions.notes  # its ring runs round the two in opposite directions
    assert (note.code, note.values["region"]) == ("region_area_repaired", "bow")
    assert note.values["before_ha"] == pytest.approx(0, abs=1e-6)
    assert note.values["share"] == pytest.approx(1)
    assert note.values["after_ha"] == pytest.approx(0.5, rel=1e-3)


def test_a_repair_that_changes_no_area_is_noted_with_its_hectares(write: Write) -> None:
    path = [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 1),
        (2, 2),
        (1, 2),
        (1, 1),
        (0, 1),
    ]
    ring = shapely.Polygon([(LEFT + 100 * x, TOP - 300 + 100 * y) for x, y in path])
    (note,) = read(write("a.gpkg", {"A": ring, "B": box(1000, -100, 1100, 0)})).notes
    assert (note.code, note.values["n"], note.values["which"]) == ("region_polygons_repaired", 1, ("A",))
    assert note.values["ha"] == pytest.approx(2, rel=1e-3)


def test_parts_that_overlap_are_united_and_the_change_is_noted(write: Write) -> None:
    nested = shapely.MultiPolygon([box(0, -1000, 1000, 0), box(100, -500, 500, -100)])
    crossing = shapely.MultiPolygon([box(2000, -1000, 3000, 0), box(2500, -1000, 3500, 0)])
    holed = shapely.MultiPolygon([box(5000, -1000, 6000, 0) - box(5400, -600, 5600, -400)])
    regions = read(write("a.gpkg", {"nested": nested, "crossing": crossing, "holed": holed}))
    # 100 ha with 16 ha inside; 1,500 m x 1,000 m; 100 ha less 4 ha (a UTM scale of 0.9996 at the centre)
    assert regions.table["polygon_ha"].tolist() == pytest.approx([100, 150, 96], rel=1e-3)
    nested_note, crossing_note = regions.notes
    assert "region nested: invalid polygon repaired; area 116.0" in render(nested_note, "en")
    assert nested_note.values["share"] == pytest.approx(0.16, rel=1e-3)
    assert "region crossing: invalid polygon repaired; area 200.1" in render(crossing_note, "en")
    assert crossing_note.values["share"] == pytest.approx(1 / 3, rel=1e-3)


def test_the_overlap_of_regions_is_noted_and_common_edges_are_not(write: Write) -> None:
    apart = read(write("a.gpkg", {"A": box(0, -1000, 1000, 0), "B": box(1000, -1000, 2000, 0)}))
    assert apart.notes == ()
    shared = read(write("b.gpkg", {"A": box(0, -1000, 1000, 0), "B": box(900, -1000, 1900, 0)}))
    (note,) = shared.notes  # B loses 100 m x 1,000 m to A, of 200 ha in all
    assert (note.code, note.values["n"], note.values["which"]) == ("regions_overlap", 1, ("B",))
    assert note.values["ha"] == pytest.approx(10, rel=1e-2)
    assert note.values["share"] == pytest.approx(0.05, rel=1e-2)


@pytest.mark.parametrize("stated", [None, "ISO-8859-1"])
def test_a_shapefile_in_utf8_is_read_as_such_or_refused(tmp_path: Path, stated: str | None) -> None:
    frame = gpd.GeoDataFrame({"n": ["Ñuñoa del Río"]}, geometry=[box(0, -9, 9, 0)], crs=ZONE)
    frame.to_file(tmp_path / "n.shp", encoding="utf-8")
    (tmp_path / "n.cpg").unlink()
    source = RegionSource(path=tmp_path / "n.shp", id="n", name="n", country_code="BO")
    if stated is None:
        assert read(source).table["region_name"].tolist() == ["Ñuñoa del Río"]
        return
    (tmp_path / "n.cpg").write_text(stated)
    with pytest.raises(InputError, match="UTF-8 read in another encoding"):
        read(source)


def test_a_shapefile_in_latin1_without_cpg_is_read_as_before(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"n": ["Ñuñoa del Río"]}, geometry=[box(0, -9, 9, 0)], crs=ZONE)
    frame.to_file(tmp_path / "n.shp", encoding="ISO-8859-1")
    (tmp_path / "n.cpg").unlink(missing_ok=True)
    source = RegionSource(path=tmp_path / "n.shp", id="n", name="n", country_code="BO")
    assert read(source).table["region_name"].tolist() == ["Ñuñoa del Río"]


def test_the_direction_of_rings_does_not_change_an_area(write: Write) -> None:
    outer, inner, island = box(0, -1000, 1000, 0), box(0, -500, 500, 0), box(2000, -1000, 3000, 0)
    inner = shapely.affinity.translate(inner, 100, -100)
    for hole in (inner.exterior.coords, inner.exterior.coords[::-1]):
        for other in (island, island.reverse()):
            shape = shapely.MultiPolygon([shapely.Polygon(outer.exterior.coords, [hole]), other])
            # 100 ha - 25 ha + 100 ha of grid
            assert read(write("a.gpkg", {"A": shape})).table["polygon_ha"][0] == pytest.approx(175, rel=1e-3)


def test_all_problems_of_all_files_are_told_at_once(write: Write, tmp_path: Path) -> None:
    square = box(0, -30, 30, 0)
    with pytest.raises(InputError) as caught:
        read(
            RegionSource(path=tmp_path / "absent.gpkg", id="a", name="b", country_code="BO"),
            write("no_crs.shp", {"A": square}, crs=None),
            write("columns.gpkg", {"A": square}, id="ubigeo", name="nombre"),
            write("points.gpkg", {"P": shapely.Point(LEFT, TOP)}),
            write("none.gpkg", {"A": square}, where={"code": ["Z"]}),
            write("metres.gpkg", {"A": square}, crs=4326),
            write("empty.gpkg", {"E": shapely.Polygon()}),
            write("blank.gpkg", {"": square}),
        )
    text = str(caught.value)
    for words in (
        "absent.gpkg: no such file",
        "no_crs.shp: has no CRS",
        "columns.gpkg: has no column 'ubigeo', 'nombre'; its columns are 'code', 'title', 'land'",
        "points.gpkg: not polygons but Point: region 'P'",
        "none.gpkg: `where`: no row has 'Z' in 'code'",
        "metres.gpkg: coordinates that are not on the Earth",
        "empty.gpkg: no geometry in region 'E'",
        "blank.gpkg: no id in feature 1",
    ):
        assert words in text


def test_an_id_used_twice_in_a_file_or_in_two_files_is_refused(tmp_path: Path, write: Write) -> None:
    twice = gpd.GeoDataFrame(
        {"n": ["A", "A", "B"]}, geometry=[box(i, -9, i + 9, 0) for i in (0, 9, 18)], crs=ZONE
    )
    twice.to_file(tmp_path / "twice.gpkg")
    source = RegionSource(path=tmp_path / "twice.gpkg", id="n", name="n", country_code="BO")
    with pytest.raises(InputError, match="ids used more than once: 'A'"):
        read(source)
    one, other = write("a.gpkg", {"A": box(0, -9, 9, 0)}), write("b.gpkg", {"A": box(9, -9, 18, 0)})
    with pytest.raises(InputError, match="more than one file: 'A'; give each its `id_prefix`"):
        read(one, other)
    ids = read(one, other.model_copy(update={"id_prefix": "PE-"})).table["region_id"]
    assert ids.tolist() == ["A", "PE-A"]


def test_a_region_wholly_inside_earlier_ones_is_refused(write: Write) -> None:
    with pytest.raises(InputError, match="wholly inside regions that come before: 'B'"):
        read(write("a.gpkg", {"A": box(0, -90, 90, 0), "B": box(10, -50, 50, -10)}))


def test_a_file_that_is_no_vector_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.gpkg"
    path.write_bytes(b"SQLite format 3\0 and then nothing")
    with pytest.raises(InputError, match=r"torn\.gpkg: cannot be read as a vector file"):
        read(RegionSource(path=path, id="a", name="a", country_code="BO"))


def test_a_file_with_several_layers_needs_its_layer_named(write: Write) -> None:
    source = write("a.gpkg", {"A": box(0, -9, 9, 0)})
    gpd.read_file(source.path).to_file(source.path, layer="second")
    with pytest.raises(InputError, match="has the layers 'a', 'second'"):
        read(source)
    assert len(read(source.model_copy(update={"layer": "second"}))) == 1
    with pytest.raises(InputError, match="has no layer 'third', only 'a', 'second'"):
        read(source.model_copy(update={"layer": "third"}))


def test_exactly_one_of_country_and_country_code_is_stated() -> None:
    for country in ({}, {"country": "a", "country_code": "BO"}):
        with pytest.raises(ValidationError, match="exactly one"):
            RegionSource(path=Path("x"), id="a", name="a", **country)


# --- the real border ----------------------------------------------------------------------------------


def border(bolivia: dict[str, list[str]], peru: dict[str, list[str]], sliver_m: float) -> Regions:
    return read(
        RegionSource(
            path=BOUNDARIES / "bolivia_municipios_2024.geojson",
            id=["idep", "iprov", "imun"],
            name="nombre_mun",
            country_code="BO",
            id_prefix="BO-",
            where=bolivia,
        ),
        RegionSource(
            path=BOUNDARIES / "peru_distritos_1891.gpkg",
            id="COD_DISTRITO",
            name="DISTRITO",
            country_code="PE",
            id_prefix="PE-",
            where=peru,
        ),
        sliver_m=sliver_m,
    )


def check_border(regions: Regions) -> None:
    """No pixel in two regions; each region's pixels are its exclusive polygon, to 0.1 %."""
    units, pixels = np.zeros((2, len(regions)), dtype=np.int64)
    all_owned = 0
    for tile in tiles(regions.area, 1536):
        owner = owned(regions, tile.window)
        held = np.where(slivers(regions, tile.window), -1, owner)
        area = cell_area_units(tile.window)
        for i in np.unique(owner[owner >= 0]):
            pixels[i] += np.count_nonzero(owner == i)
            units[i] += area[held == i].sum()
        all_owned += np.count_nonzero(owner >= 0)
    assert pixels.sum() == all_owned
    large = regions.table["exclusive_ha"] > 2000
    assert large.sum() >= 2
    ratio = units / 10**10 / regions.table["exclusive_ha"]
    assert (ratio[large] - 1).abs().max() < 1e-3


@real_boundaries
def test_along_the_real_border_no_pixel_has_two_owners_and_areas_hold() -> None:
    regions = border(
        {"nombre_mun": ["Curva"]},
        {
            "DISTRITO": ["Sina", "Ananea", "Yanahuaya", "San Juan del Oro"],
            "PROVINCIA": ["Sandia", "San Antonio de Putina"],
        },
        800,
    )
    check_border(regions)


@real_boundaries
@pytest.mark.slow
def test_in_four_provinces_of_each_country_no_pixel_has_two_owners_and_areas_hold() -> None:
    regions = border(
        {"nombre_dep": ["La Paz"], "nombre_prov": ["Franz Tamayo", "Abel Iturralde", "Bautista Saavedra"]},
        {"PROVINCIA": ["Sandia", "Carabaya", "San Antonio de Putina", "Tambopata"]},
        800,
    )
    assert len(regions) == 35
    check_border(regions)
