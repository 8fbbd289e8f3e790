from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.classify.settings import PointSamples, PolygonSamples
from cocal.classify.training.samples import Samples, read_samples, sample_pixels
from cocal.errors import InputError
from cocal.grid import project, transformer, utm_epsg
from cocal.notes import Note
from cocal.notes.account import recorded
from cocal.scheme import ClassScheme

ZONE = 32719


def polygons(
    shapes: list[shapely.Polygon], labels: list[str], edge_pixels: str = "drop", crs: int = ZONE
) -> Samples:
    rule = PolygonSamples(
        kind="polygons", path=Path("x"), label_column="c", source="t", licence="t", edge_pixels=edge_pixels
    )
    ids = [str(i) for i in range(len(shapes))]
    return Samples(gpd.GeoDataFrame({"sample_id": ids, "label": labels}, geometry=shapes, crs=crs), rule, "0")


def test_a_polygon_drawn_along_pixel_edges_keeps_all_its_pixels() -> None:
    box = shapely.box(500_000, 8_500_000, 500_030, 8_500_020)
    pixels = sample_pixels(polygons([box], ["coca"]), 10)
    assert len(pixels) == 3 * 2
    assert sorted(set(pixels["x"])) == [500_005, 500_015, 500_025]
    assert sorted(set(pixels["row"])) == [850_000, 850_001]
    assert set(pixels["col"]) == {50_000, 50_001, 50_002}
    assert set(pixels["epsg"]) == {ZONE}


def test_dropping_edge_pixels_leaves_those_that_lie_wholly_in_the_polygon() -> None:
    # 54 m x 34 m, 2 m inside the lattice at each side: 6 x 4 centres lie in it, 4 x 2 pixels lie whole in it
    box = shapely.box(500_002, 8_500_002, 500_058, 8_500_038)
    assert len(sample_pixels(polygons([box], ["coca"], "keep"), 10)) == 6 * 4
    assert len(sample_pixels(polygons([box], ["coca"], "drop"), 10)) == 4 * 2


def test_a_polygon_without_a_whole_pixel_is_recorded() -> None:
    big = shapely.box(500_000, 8_500_000, 500_030, 8_500_020)
    small = shapely.box(501_001, 8_500_001, 501_009, 8_500_009)
    with recorded() as notes:
        pixels = sample_pixels(polygons([big, small], ["coca", "forest"]), 10)
    assert notes == [Note("labels_unused", n=1, of=2, share=0.5, which=["1"], bare=1, unseen=0, partly=0)]
    assert set(pixels["sample_id"]) == {"0"}


def test_a_polygon_whose_pixels_all_belong_to_an_earlier_one_is_recorded() -> None:
    big, inner = (shapely.box(500_000, 8_500_000, 500_000 + side, 8_500_000 + side) for side in (50, 30))
    with recorded() as notes:
        sample_pixels(polygons([big, inner], ["coca", "coca"]), 10)
    assert [(note.code, note.values["which"]) for note in notes] == [("labels_unused", ("1",))]


def test_samples_without_any_pixel_are_an_error() -> None:
    with pytest.raises(InputError, match="no sample of x holds a pixel"):
        sample_pixels(polygons([shapely.box(500_001, 8_500_001, 500_009, 8_500_009)], ["coca"]), 10)


def test_two_classes_on_one_pixel_are_refused_with_the_samples_named() -> None:
    one = shapely.box(500_000, 8_500_000, 500_030, 8_500_020)
    two = shapely.box(500_020, 8_500_000, 500_060, 8_500_020)
    with pytest.raises(InputError, match=r"2 pixels; samples 0 / 1 \(coca / forest\)"):
        sample_pixels(polygons([one, two], ["coca", "forest"]), 10)


def test_a_pixel_of_two_samples_of_one_class_is_used_once() -> None:
    one = shapely.box(500_000, 8_500_000, 500_030, 8_500_020)
    two = shapely.box(500_020, 8_500_000, 500_060, 8_500_020)
    pixels = sample_pixels(polygons([one, two], ["coca", "coca"]), 10)
    assert len(pixels) == 12
    assert pixels["sample_id"].value_counts().to_dict() == {"0": 6, "1": 6}


def test_a_polygon_over_a_zone_meridian_gives_each_ground_point_once() -> None:
    # 72 W parts the zones 18S and 19S; a square of 0.002 degrees across it
    square = shapely.box(-72.001, -15.0, -71.999, -14.998)
    pixels = sample_pixels(polygons([square], ["coca"], "keep", crs=4326), 10)
    assert set(pixels["epsg"]) == {32718, 32719}
    for row in pixels.itertuples():
        point = project(shapely.Point(row.x, row.y), row.epsg, 4326)
        assert utm_epsg(point.x, point.y) == row.epsg
    # 0.002 x 0.002 degrees at 15 S: 2 x 107.55 m by 221.3 m; pixels of 100 m2, border pixels apart
    assert len(pixels) == pytest.approx(2 * 107.55 * 221.3 / 100, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 100), st.floats(0, 100), st.floats(12, 90), st.floats(0, 90))
def test_kept_pixels_lie_in_the_polygon_and_dropping_edges_gives_a_subset(
    dx: float, dy: float, side: float, turn: float
) -> None:
    square = shapely.box(500_000 + dx, 8_500_000 + dy, 500_000 + dx + side, 8_500_000 + dy + side)
    shape = shapely.affinity.rotate(square, turn)
    try:
        every = sample_pixels(polygons([shape], ["coca"], "keep"), 10)
        inner = sample_pixels(polygons([shape], ["coca"], "drop"), 10)
    except InputError:
        return
    assert all(shape.contains(shapely.Point(r.x, r.y)) for r in every.itertuples())
    cells = set(zip(every["row"], every["col"], strict=True))
    assert set(zip(inner["row"], inner["col"], strict=True)) <= cells
    whole = shape.buffer(0.02)
    assert all(whole.contains(shapely.box(r.x - 5, r.y - 5, r.x + 5, r.y + 5)) for r in inner.itertuples())


def test_a_point_labels_the_pixel_that_holds_it(tmp_path: Path, scheme: ClassScheme) -> None:
    # the second point is on the corner of four pixels: a pixel owns its west and its north edge
    path = tmp_path / "points.gpkg"
    gpd.GeoDataFrame(
        {"what": ["C", "F"], "code": ["a", "b"]},
        geometry=[shapely.Point(500_012, 8_500_009), shapely.Point(500_000, 8_500_010)],
        crs=ZONE,
    ).to_file(path)
    rule = PointSamples(
        kind="points", path=path, label_column="what", labels={"C": "coca", "F": "forest"},
        id_column="code", source="t", licence="t",
    )  # fmt: skip
    samples = read_samples(rule, scheme)
    pixels = sample_pixels(samples, 10)
    expected = pd.DataFrame(
        {
            "epsg": [ZONE, ZONE], "row": [850_000, 850_000], "col": [50_001, 50_000],
            "x": [500_015.0, 500_005.0], "y": [8_500_005.0, 8_500_005.0],
            "label": ["coca", "forest"], "sample_id": ["a", "b"],
        }
    )  # fmt: skip
    pd.testing.assert_frame_equal(pixels, expected, check_dtype=False)


def test_points_at_a_meridian_and_the_equator_label_a_pixel_of_the_zone_that_owns_its_centre() -> None:
    random = np.random.default_rng(3)
    # 72 W parts zones 18 and 19; within 40 m of it and of the equator, so that all four zones come up
    longitude, latitude = -72 + random.uniform(-4e-4, 4e-4, 2000), random.uniform(-4e-4, 4e-4, 2000)
    table = gpd.GeoDataFrame(
        {"sample_id": [str(n) for n in range(2000)], "label": "coca"},
        geometry=gpd.points_from_xy(longitude, latitude),
        crs=4326,
    )
    rule = PointSamples(kind="points", path=Path("t"), label_column="label", source="t", licence="t")
    pixels = sample_pixels(Samples(table, rule, ""), 10)
    assert set(pixels["epsg"]) == {32618, 32619, 32718, 32719}
    for zone, group in pixels.groupby("epsg"):
        east, north = transformer(4326, zone).transform(longitude, latitude)
        x, y = group["x"].to_numpy(), group["y"].to_numpy()
        own = group["sample_id"].astype(int).to_numpy()
        assert (np.abs(east[own] - x) <= 5).all()
        assert (np.abs(north[own] - y) <= 5).all()
        centres = zip(*transformer(zone, 4326).transform(x, y), strict=True)
        assert {utm_epsg(*centre) for centre in centres} == {zone}


def test_every_problem_of_a_label_file_is_told_at_once(tmp_path: Path, scheme: ClassScheme) -> None:
    path = tmp_path / "bad.geojson"
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    gpd.GeoDataFrame(
        {"what": ["coca", "maize", None], "id": ["a", "a", "b"]},
        geometry=[shapely.box(0, 0, 1, 1), bow, shapely.Point(0, 0)],
        crs=4326,
    ).to_file(path)
    rule = PolygonSamples(
        kind="polygons", path=path, label_column="what", id_column="id", source="t", licence="t",
        edge_pixels="drop",
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        read_samples(rule, scheme)
    for words in (
        "1 rows have no label", "labels without a class: maize", "not of polygons: 2",
        "an invalid geometry: 1",
        "ids that occur twice: a",
    ):  # fmt: skip
        assert words in str(caught.value)


def test_a_missing_column_and_a_missing_file_are_refused(tmp_path: Path, scheme: ClassScheme) -> None:
    path = tmp_path / "p.geojson"
    rule = PolygonSamples(
        kind="polygons", path=path, label_column="what", source="t", licence="t", edge_pixels="drop"
    )
    with pytest.raises(InputError, match=r"p.geojson\n.*a vector file"):
        read_samples(rule, scheme)
    gpd.GeoDataFrame({"other": ["coca"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(path)
    with pytest.raises(InputError, match=r"no column 'what' \(there are other, geometry\)"):
        read_samples(rule, scheme)


def test_a_file_without_a_reference_system_is_refused(tmp_path: Path, scheme: ClassScheme) -> None:
    path = tmp_path / "p.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame({"what": ["coca"]}, geometry=[shapely.box(0, 0, 1, 1)]).to_file(path)
    rule = PolygonSamples(
        kind="polygons", path=path, label_column="what", source="t", licence="t", edge_pixels="drop"
    )
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_samples(rule, scheme)


def test_coordinates_that_do_not_fit_the_stated_reference_system_are_refused(
    tmp_path: Path, scheme: ClassScheme
) -> None:
    path = tmp_path / "p.gpkg"
    metres = shapely.box(500_000, 8_500_000, 500_030, 8_500_020)
    gpd.GeoDataFrame({"what": ["coca"]}, geometry=[metres], crs=4326).to_file(path)
    rule = PolygonSamples(
        kind="polygons", path=path, label_column="what", source="t", licence="t", edge_pixels="drop"
    )
    with pytest.raises(InputError, match="wrong CRS"):
        read_samples(rule, scheme)
