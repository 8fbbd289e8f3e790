from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.classify.census.coverage import coverage
from cocal.classify.census.cut import Cutter
from cocal.classify.census.days import NO_DAY, NO_PERIOD
from cocal.classify.census.edges import FULL, STEPS, ring_edges
from cocal.classify.census.ground import exclusive
from cocal.classify.census.polygons import read_polygons
from cocal.classify.census.settings import MapSettings
from cocal.classify.census.shares import Shares, classes_of_pixels, common_ground, parts_of
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.grid import Window, project
from cocal.notes.account import recorded
from cocal.regions.polygons import hectares_of

PERIODS = (
    Period("2023", date(2023, 1, 1), date(2023, 12, 31)),
    Period("2024", date(2024, 1, 1), date(2024, 12, 31)),
)
CODES = {"coca": 1, "forest": 2}
EPSG, X, Y = 32719, 460_000, 8_450_000


def edges_of(polygon: shapely.Polygon, *, backwards: bool = False) -> np.ndarray:
    """Edges of a polygon in pixels, x to the east, y to the south."""
    rings = [polygon.exterior, *polygon.interiors]
    xy = [shapely.get_coordinates(ring)[:: -1 if backwards else 1] for ring in rings]
    number = np.repeat(np.arange(len(rings)), [len(own) for own in xy])
    steps = np.rint(np.concatenate(xy) * STEPS).astype(np.int64)
    return ring_edges(steps, number, np.arange(len(rings)) > 0)[0]


def shares_by_shapely(polygon: shapely.Polygon, height: int, width: int) -> np.ndarray:
    cells = [[shapely.box(x, y, x + 1, y + 1) for x in range(width)] for y in range(height)]
    return np.array([[polygon.intersection(cell).area for cell in row] for row in cells])


polygons = st.tuples(
    st.floats(-4, 9), st.floats(-4, 9), st.floats(0.05, 6), st.integers(1, 8), st.floats(0, 0.9)
)


@settings(max_examples=60, deadline=None)
@given(polygons)
def test_the_share_of_a_pixel_is_its_intersection_with_the_polygon(drawn: tuple[Any, ...]) -> None:
    x, y, radius, corners, hole = drawn
    polygon = shapely.Point(x, y).buffer(radius, quad_segs=corners)
    if hole > 0.1:
        polygon = polygon.difference(shapely.Point(x, y).buffer(hole * radius * 0.7, quad_segs=2))
    found = coverage(edges_of(polygon), (5, 6))
    # corners are rounded to 1/16384 of a pixel
    assert np.allclose(found / FULL, shares_by_shapely(polygon, 5, 6), atol=3e-4)
    assert (found == coverage(edges_of(polygon, backwards=True), (5, 6))).all()
    moved = edges_of(polygon) + np.array([7, 9, 7, 9, 0]) * STEPS
    assert (coverage(moved, (20, 20))[9:14, 7:13] == found).all(), "another window, other shares"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4 * STEPS), st.integers(0, 4 * STEPS)), min_size=2, max_size=5))
def test_two_polygons_with_a_common_edge_leave_no_gap_and_no_overlap(line: list[tuple[int, int]]) -> None:
    """A square cut in two along any line from its west to its east side: the halves make it whole."""
    inner = sorted(line)
    cut = [(0, inner[0][1]), *inner, (4 * STEPS, inner[-1][1])]
    north = np.array([(0, 0), *cut, (4 * STEPS, 0), (0, 0)])
    south = np.array([(0, 4 * STEPS), *cut, (4 * STEPS, 4 * STEPS), (0, 4 * STEPS)])
    whole = np.zeros((4, 4), dtype=np.int64)
    for ring in (north, south):
        edges, _ = ring_edges(ring, np.zeros(len(ring), dtype=np.int64), np.array([False]))
        whole += coverage(edges, (4, 4))
    assert (whole == FULL).all()


def test_a_mixed_pixel_counts_by_its_parts_and_shows_the_largest() -> None:
    units = np.full((1, 4), 1000, dtype=np.int64)
    # coca covers 0.6, 0.5, 1 and 0 of the pixels, forest 0.4, 0.2, 0 and 1; the last is not observed
    covered = {
        1: (np.array([[0.6, 0.5, 1, 0]]) * FULL).astype(np.int64),
        2: (np.array([[0.4, 0.2, 0, 1]]) * FULL).astype(np.int64),
    }
    covered[2][0, 0] = FULL - covered[1][0, 0]
    codes, shares = classes_of_pixels(covered, 4, units, np.array([[True, True, True, False]]))
    assert codes.tolist() == [[1, 1, 1, 0]]
    rows = list(zip(shares.pixel.tolist(), shares.code.tolist(), shares.units.tolist(), strict=True))
    assert rows == [(0, 1, 599), (0, 2, 401), (1, 1, 500), (1, 2, 199), (1, 4, 301)]
    index, code, ground = parts_of(codes, units, shares)
    sums = {key: int(ground[code == key].sum()) for key in (0, 1, 2, 4)}
    assert sums == {0: 1000, 1: 2099, 2: 600, 4: 301}
    assert np.bincount(index, ground).tolist() == [1000] * 4


def test_half_of_a_pixel_is_enough_for_the_class_that_comes_first() -> None:
    units, seen = np.full((1, 2), 1001, dtype=np.int64), np.array([[True, True]])
    half, less = FULL // 2, FULL // 2 - 1
    for covered, wanted in (({1: [[half, less]]}, [1, 4]), ({2: [[half, 0]], 1: [[half, half]]}, [2, 1])):
        drawn = {code: np.array(cover) for code, cover in covered.items()}
        assert classes_of_pixels(drawn, 4, units, seen)[0].tolist() == [wanted]


def test_overlay_tells_what_moved_within_a_pixel() -> None:
    """Coca on the west 0.3 of a pixel, then on its east 0.4: 0.3 cleared, 0.4 new, none stayed."""
    units, seen = np.full((1, 1), 10**8, dtype=np.int64), np.array([[True]])

    def drawn(share: float) -> tuple[Any, Any]:
        return classes_of_pixels({1: np.array([[round(share * FULL)]])}, 4, units, seen)

    for common, wanted in (
        (0.0, {(1, 4): 0.3, (4, 1): 0.4, (4, 4): 0.3}),
        (0.3, {(1, 1): 0.3, (4, 1): 0.1, (4, 4): 0.6}),
    ):
        both = {(1, 1): np.array([[round(common * FULL)]])}
        _, before, after, ground = common_ground(both, (drawn(0.3), drawn(0.4)), 4, units)
        found = dict(zip(zip(before.tolist(), after.tolist(), strict=True), ground.tolist(), strict=True))
        assert sum(found.values()) == 10**8
        assert {key: round(value / 10**8, 6) for key, value in found.items() if value > 9} == wanted
    nothing = (np.zeros((1, 1), np.uint8), Shares.none())
    assert len(common_ground({}, (drawn(0.3), nothing), 4, units)[0]) == 0


def test_a_cut_to_tiles_keeps_every_share() -> None:
    polygon = project(shapely.Point(X + 301, Y - 288).buffer(137.3), EPSG, 4326)
    cutter = Cutter(np.array([polygon], dtype=object), EPSG, 10)

    def share(left: int, top: int, size: int) -> np.ndarray:
        window = Window(EPSG, left, top, size, size)
        return coverage(cutter.edges(window, np.array([0]))[0], window.shape)

    whole = share(X, Y, 60)
    parts = [[share(X + 10 * c, Y - 10 * r, 20) for c in (0, 20, 40)] for r in (0, 20, 40)]
    assert (np.block(parts) == whole).all()
    # UTM near its meridian: grid metres are 1 - 4e-4 of true ones
    assert whole.sum() / FULL == pytest.approx(shapely.Point(0, 0).buffer(13.73).area, rel=1e-4)


def square(x: float, y: float, side: float = 100) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x + side, Y + y + side)


def settings_of(folder: Path, rows: list[tuple[Any, Any, Any]], crs: int = EPSG, **layer: Any) -> MapSettings:
    path = folder / "census.gpkg"
    columns = {"kind": [r[1] for r in rows], "seen": [r[2] for r in rows]}
    gpd.GeoDataFrame(columns, geometry=[r[0] for r in rows], crs=crs).to_file(path, driver="GPKG")
    named = {"class_column": "kind", "classes": {"C": "coca", "F": "forest"}, "date_column": "seen"}
    return MapSettings(
        id="own", source="office", licence="none", elsewhere="pasture", observed="all",
        layers=({"path": path, **named, **layer},),
    )  # fmt: skip


def test_what_is_left_out_is_named_with_its_hectares(tmp_path: Path) -> None:
    bow_tie = shapely.Polygon([(X, Y + 900), (X + 100, Y + 1000), (X + 100, Y + 900), (X, Y + 1000)])
    rows = [
        (square(0, 0), "C", "2023-05-01"), (square(0, 300), "F", "2024-05-01"), (square(500, 0), "C", None),
        (square(700, 0), "C", "2021-05-01"), (bow_tie, "C", "2024-06-30"), (None, "C", "2024-06-30"),
    ]  # fmt: skip
    with recorded() as notes:
        drawn = read_polygons(settings_of(tmp_path, rows), PERIODS, CODES)
    assert drawn.period.tolist() == [0, 1, 1]
    assert drawn.code.tolist() == [1, 2, 1]
    found = {note.code: note.values for note in notes}
    one_ha = pytest.approx(1.0, rel=2e-3)
    assert {code: (v["n"], v["which"]) for code, v in found.items()} == {
        "census_without_day": (1, ("3",)), "census_in_no_period": (1, ("4",)),
        "census_polygons_repaired": (1, ("5",)), "census_without_area": (1, ("6",)),
    }  # fmt: skip
    assert found["census_without_day"]["before_ha"] == one_ha
    assert found["census_in_no_period"]["after_ha"] == 0
    # two triangles of a quarter of a hectare each; along the ring they cancel
    assert found["census_polygons_repaired"]["after_ha"] == pytest.approx(0.5, rel=2e-3)
    assert (NO_PERIOD, NO_DAY) == (-1, -2)


def test_overlaps_count_once_for_the_first_and_are_listed(tmp_path: Path) -> None:
    days = ("2024-01-01", "2024-12-31", "2023-12-31")
    rows = [(square(0, 0), "C", days[0]), (square(50, 0), "F", days[1]), (square(50, 0), "F", days[2])]
    own = settings_of(tmp_path, rows)
    with recorded() as notes:
        drawn, overlaps = exclusive(read_polygons(own, PERIODS, CODES), own)
    assert drawn.hectares == pytest.approx([1.0, 0.5, 1.0], rel=2e-3)
    assert hectares_of(shapely.intersection(drawn.shapes[:1], drawn.shapes[1:2])) == pytest.approx(
        [0], abs=1e-9
    )
    assert overlaps[["row", "earlier_row"]].to_numpy().tolist() == [[2, 1]]
    assert overlaps["overlap_ha"].tolist() == pytest.approx([0.5], rel=2e-3)
    (note,) = notes
    assert (note.code, note.values["n"], note.values["which"]) == ("census_overlap", 1, ("census.gpkg: 2",))


def test_psad56_is_named_and_moved(tmp_path: Path) -> None:
    rows = [(square(0, 0), "C", "2024-01-01"), (square(0, 0), "C", "2023-01-01")]
    with recorded() as notes:
        drawn = read_polygons(settings_of(tmp_path, rows, crs=24879), PERIODS, CODES)
    (note,) = notes
    assert (note.code, note.values["datum"]) == ("census_datum", "PSAD56")
    # domain notes: 200 to 450 m in Peru and Bolivia
    assert 200 < note.values["shift_m"] < 450
    moved = project(shapely.Point(*shapely.get_coordinates(drawn.shapes[0]).mean(axis=0)), 4326, EPSG)
    assert 200 < moved.distance(square(0, 0).centroid) < 700


def test_a_plot_between_two_ways_from_psad56_is_not_torn(tmp_path: Path) -> None:
    """PROJ takes another one east of 68.96 degrees west, about E 504350: 24 m apart."""
    plots = [shapely.box(x, 8_427_000, x + 80, 8_427_060) for x in range(504_000, 504_700, 90)]
    rows = [(plot, "C", day) for day in ("2023-01-01", "2024-01-01") for plot in plots]
    drawn = read_polygons(settings_of(tmp_path, rows, crs=24879), PERIODS, CODES)
    # 80 m x 60 m, but for the scale of the projection
    assert np.allclose(drawn.hectares, 0.48, rtol=2e-3)


@pytest.mark.parametrize("west", [-81.4, -180.0])
def test_a_polygon_as_large_as_a_country_keeps_its_ground(west: float) -> None:
    """Twice the area of Peru's box in squared steps is more than 64 bits hold."""
    ground = np.array([shapely.box(west, -18.4, -68.6, 0)], dtype=object)
    window = Window(EPSG, 460_000, 8_450_000, 8, 8)
    edges, _ = Cutter(ground, EPSG, 10).edges(window, np.array([0]))
    assert (coverage(edges, window.shape) == FULL).all()


@pytest.mark.parametrize(
    ("rows", "layer", "words"),
    [
        ([(square(0, 0), "X", "2024-01-01")], {}, ["'X'", "add them to `classes`"]),
        ([(square(0, 0), "C", "2024-01-01")], {}, ["no polygon of the period '2023'"]),
        ([(shapely.Point(X, Y), "C", "2024-01-01")], {}, ["not polygons but Point"]),
        ([(square(0, 0), "C", "2024-01-01")], {"date_column": "day"}, ["no column 'day'"]),
        *(
            (
                [(square(0, 0), "C", "2024-01-01"), (square(20, 0), "C", day)],
                {},
                [f"'{day}'; row 2", "'seen' that are not written YYYY-MM-DD"],
            )
            for day in ("05/06/2024", "5.6.24", "2024/06/05", "05-jun-2024", "20240605", "2024-06-31")
        ),
    ],
)
def test_what_would_give_wrong_hectares_is_refused(
    tmp_path: Path, rows: list[tuple[Any, Any, Any]], layer: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        read_polygons(settings_of(tmp_path, rows, **layer), PERIODS, CODES)
    assert all(word in str(refused.value) for word in words)
