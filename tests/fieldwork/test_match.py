from __future__ import annotations

import logging

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from cocal.contracts import RECORD_COLUMNS
from cocal.errors import ContractError, InputError
from cocal.fieldwork import STATUSES, MatchSettings, recorded_hectares, status_counts
from cocal.fieldwork import match as match_records
from cocal.fieldwork.matching import footprints
from cocal.grid import transformer, utm_epsg
from cocal.regions import Regions
from cocal.scheme import ClassScheme

SCHEME = ClassScheme(
    id="test",
    target="coca",
    definition={"unit": "pixel"},
    classes=[
        {"code": 1, "key": "coca", "name_es": "coca", "name_en": "coca", "colour": "#ff0000"},
        {"code": 2, "key": "forest", "name_es": "bosque", "name_en": "forest", "colour": "#00ff00"},
    ],
)


def two_regions() -> Regions:
    """West and east of 69.0 W, 0.02 degrees high, either side of the middle of zone 19S."""
    shapes = [shapely.box(-69.05, -14.02, -69.0, -14.0), shapely.box(-69.0, -14.02, -68.95, -14.0)]
    raw = np.array(shapes, dtype=object)
    table = pd.DataFrame({"region_id": ["W", "E"], "source": [0, 0]})
    return Regions(table, raw, raw, np.arange(2), 0.0, "two regions", ())


def records(lon: list[float], lat: list[float], **more: list) -> gpd.GeoDataFrame:
    n = len(lon)
    columns = {name: pd.array([None] * n, dtype="string") for name in RECORD_COLUMNS if name != "geometry"}
    texts = {"role": ["main"] * n, "sample_id": [f"r{i}" for i in range(n)]}
    numbers = {
        name: np.full(n, np.nan) for name in ("cover", "positional_accuracy_m", "inclusion_probability")
    }
    table = (
        columns | texts | numbers | {"record_id": [f"r{i}" for i in range(n)], "visited": [True] * n} | more
    )
    return gpd.GeoDataFrame(table, geometry=shapely.points(lon, lat), crs=4326)


def map_of_stripes(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A map in 10 m columns: 0, 1, 2, 255, 0, 1, ..."""
    return np.array([0, 1, 2, 255], dtype=np.uint8)[(x // 10).astype(int) % 4]


PIXEL = MatchSettings(support="pixel", positional_error="ignore")


def match(*given, settings: MatchSettings = PIXEL, **named) -> pd.DataFrame:
    return match_records(*given, settings=settings, **named)


def degrees(x: float, y: float) -> tuple[float, float]:
    return transformer(32719, 4326).transform(x, y)


def at(*points: tuple[float, float]) -> tuple[list[float], list[float]]:
    lon, lat = zip(*(degrees(*p) for p in points), strict=True)
    return list(lon), list(lat)


Y = round(transformer(4326, 32719).transform(-69.0, -14.01)[1])


def test_each_record_gets_the_class_of_the_pixel_that_holds_it_and_one_status() -> None:
    # columns of 10 m from 500,000 (68.999 W is east): 500000 // 10 % 4 = 0 -> codes 0, 1, 2, 255, 0 ...
    lon, lat = at(
        (500_003, Y),
        (500_013, Y),
        (500_023, Y),
        (500_033, Y),
        (499_973, Y),
        (500_013, Y + 9000),
        (500_013, Y),
    )
    table = match(
        records(lon, lat, **{"class": ["coca"] * 6 + [None], "visited": [True] * 6 + [False]}),
        two_regions(),
        map_of_stripes,
        scheme=SCHEME,
        resolution=10,
    )
    assert table["status"].tolist() == [
        "unobserved", "matched", "matched", "outside_map", "matched", "outside_regions", "not_visited",
    ]  # fmt: skip
    assert table["region_id"].fillna("-").tolist() == ["E", "E", "E", "E", "W", "-", "E"]
    # 499,970 // 10 % 4 = 1
    assert table["map_class"].fillna("-").tolist() == ["-", "coca", "forest", "-", "coca", "coca", "coca"]
    assert table["reference_class"].fillna("-").tolist() == ["coca"] * 6 + ["-"]
    counts = status_counts(table)
    assert counts == dict(zip(STATUSES, (3, 0, 1, 1, 1, 1), strict=True))
    assert sum(counts.values()) == len(table)


def test_the_design_travels_with_the_record() -> None:
    lon, lat = at((500_013, Y), (500_023, Y))
    more = {"stratum": ["a", "b"], "inclusion_probability": [0.5, 0.25], "class": ["coca", "forest"]}
    table = match(records(lon, lat, **more), two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    assert table["stratum"].tolist() == ["a", "b"]
    assert table["inclusion_probability"].tolist() == [0.5, 0.25]


def test_each_record_is_looked_up_at_its_pixel_centre_in_the_zone_that_owns_it() -> None:
    asked = []

    def lookup(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
        asked.append((epsg, x.copy(), y.copy()))
        return np.ones(len(x), dtype=np.uint8)

    lon, lat = [-72.001, -71.999, -71.998], [-13.0, -13.0, -13.01]
    match(records(lon, lat), two_regions(), lookup, scheme=SCHEME, resolution=20)
    assert [(epsg, len(x)) for epsg, x, _ in asked] == [(32718, 1), (32719, 2)]
    for epsg, x, y in asked:
        mine = [p for p in zip(lon, lat, strict=True) if utm_epsg(*p) == epsg]
        true_x, true_y = transformer(4326, epsg).transform(*zip(*mine, strict=True))
        assert (np.abs(x - true_x) <= 10).all()
        assert (np.abs(y - true_y) <= 10).all()
        assert (x % 20 == 10).all()
        assert (y % 20 == 10).all()


def test_matching_one_by_one_and_all_at_once_is_the_same() -> None:
    rng = np.random.default_rng(5)
    found = records(list(rng.uniform(-69.06, -68.94, 60)), list(rng.uniform(-14.03, -13.99, 60)))
    whole = match(found, two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    single = [
        match(found.iloc[[i]], two_regions(), map_of_stripes, scheme=SCHEME, resolution=10) for i in range(60)
    ]
    pd.testing.assert_frame_equal(pd.concat(single, ignore_index=True), whole)
    assert set(whole["status"]) >= {"matched", "outside_regions"}


def test_a_class_code_that_the_scheme_does_not_have_is_refused() -> None:
    lon, lat = at((500_013, Y))
    with pytest.raises(ContractError, match="found: 9"):
        match(
            records(lon, lat),
            two_regions(),
            lambda epsg, x, y: np.full(len(x), 9, np.uint8),
            scheme=SCHEME,
            resolution=10,
        )


def test_the_log_counts_records_and_tells_no_position(caplog: pytest.LogCaptureFixture) -> None:
    lon, lat = at((500_013, Y))
    with caplog.at_level(logging.DEBUG):
        match(records(lon, lat), two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    assert "matched 1" in caplog.text
    assert "14.0" not in caplog.text
    assert "500" not in caplog.text


def circle(majority: float = 0.5, unknown: float | None = None) -> MatchSettings:
    return MatchSettings(
        support="pixel", positional_error="majority", majority=majority, unknown_accuracy_m=unknown
    )


def test_the_class_of_a_displaced_record_is_that_of_most_of_its_error_circle_or_uncertain() -> None:
    # columns: 500,010 to 500,020 coca, then 500,020 to 500,030 forest; a circle of 4 m about x = 500,014 lies
    # in coca alone; about x = 500,019 the part beyond the edge, 1 m from the middle, is
    # (16 acos(1/4) - sqrt(15)) / (16 pi) = 34 %
    y = Y // 10 * 10 + 5
    lon, lat = at((500_014, y), (500_019, y), (500_019, y), (500_021, y))
    found = records(lon, lat, positional_accuracy_m=[4.0, 4.0, 4.0, 4.0], **{"class": ["coca"] * 4})
    table = match(found, two_regions(), map_of_stripes, scheme=SCHEME, settings=circle(), resolution=10)
    assert table["map_class"].tolist() == ["coca", "coca", "coca", "forest"]
    expected = 1 - (16 * np.arccos(1 / 4) - np.sqrt(15)) / (16 * np.pi)
    np.testing.assert_allclose(table["map_share"], [1, expected, expected, expected], atol=0.003)
    strict = match(found, two_regions(), map_of_stripes, scheme=SCHEME, settings=circle(0.7), resolution=10)
    assert strict["status"].tolist() == ["matched", "uncertain", "uncertain", "uncertain"]
    assert strict["map_class"].isna().tolist() == [False, True, True, True]


def test_a_record_without_positional_error_needs_a_stated_one() -> None:
    lon, lat = at((500_013, Y))
    with pytest.raises(InputError, match="1 of 1 records without it"):
        match(
            records(lon, lat), two_regions(), map_of_stripes, scheme=SCHEME, settings=circle(), resolution=10
        )
    table = match(
        records(lon, lat, **{"class": ["coca"]}), two_regions(), map_of_stripes,
        scheme=SCHEME, settings=circle(unknown=2.0), resolution=10,
    )  # fmt: skip
    assert table["status"].tolist() == ["matched"]


def plot(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.Polygon(
        [degrees(x, y) for x, y in ((west, south), (east, south), (east, north), (west, north))]
    )


def test_a_plot_has_the_class_of_most_of_its_ground() -> None:
    # 6 m of coca and 9 m of forest: 60 %; 5 m of no map and 2 m of coca; 5 m of forest and 5 m off the map
    y = Y // 10 * 10
    shapes = [
        plot(500_014, y, 500_029, y + 20),
        plot(500_005, y, 500_012, y + 20),
        plot(500_025, y, 500_035, y + 20),
    ]
    found = records([-69.0] * 3, [-14.01] * 3, **{"class": ["coca"] * 3}).set_geometry(shapes, crs=4326)
    plots = MatchSettings(support="plot", positional_error="ignore", majority=0.5)
    table = match(found, two_regions(), map_of_stripes, scheme=SCHEME, settings=plots, resolution=10)
    np.testing.assert_allclose(table["map_share"], [0.6, 5 / 7, 0.5], atol=1e-3)
    assert table["status"].tolist()[:2] == ["matched", "unobserved"]
    assert table["map_class"].fillna("-").tolist()[:2] == ["forest", "-"]
    np.testing.assert_allclose(recorded_hectares(found), [0.03, 0.014, 0.02], rtol=2e-3)


def test_a_hole_is_no_part_of_a_plot_whatever_way_its_ring_runs() -> None:
    # On the central meridian a square of 1,092.87 m of grid is 119.436 / 0.9996^2 = 119.53 ha, one of 655.71
    # m 43.03 ha: 76.50 ha in the ring, 162.56 ha if the hole is added.
    outer, hole = plot(500_000, Y, 501_092.87, Y + 1_092.87), plot(500_200, Y + 200, 500_855.71, Y + 855.71)
    rings = [np.array(g.exterior.coords) for g in (outer, hole)]
    shapes = [shapely.Polygon(rings[0], [rings[1][::step]]) for step in (1, -1)]
    found = records([-69.0] * 2, [-14.01] * 2).set_geometry(shapes, crs=4326)
    expected = (1_092.87**2 - 655.71**2) / 0.9996**2 / 1e4
    assert round(expected, 2) == 76.50
    np.testing.assert_allclose(recorded_hectares(found), [expected] * 2, rtol=1e-5)


def test_a_cluster_is_a_square_of_pixels_around_the_point() -> None:
    # three columns around 500,013: unobserved, coca, forest: a third each; around 500,053: the same
    lon, lat = at((500_013, Y))
    three = MatchSettings(support="cluster", cluster_px=3, positional_error="ignore", majority=0.5)
    found = records(lon, lat, **{"class": ["coca"]})
    table = match(found, two_regions(), map_of_stripes, scheme=SCHEME, settings=three, resolution=10)
    assert table["status"].tolist() == ["uncertain"]
    assert table["map_share"].tolist() == [1 / 3]
    coca = match(
        found, two_regions(), lambda epsg, x, y: np.ones(len(x), np.uint8),
        scheme=SCHEME, settings=three, resolution=10,
    )  # fmt: skip
    assert coca["map_class"].tolist() == ["coca"]


@given(
    x=st.floats(500_000, 500_400), y=st.floats(Y, Y + 400), wide=st.floats(1, 90), tall=st.floats(1, 90),
    turn=st.floats(0, 3.1),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_pixels_under_a_plot_share_all_of_its_ground(
    x: float, y: float, wide: float, tall: float, turn: float
) -> None:
    shape = shapely.affinity.rotate(shapely.box(x, y, x + wide, y + tall), turn, use_radians=True)
    plots = MatchSettings(support="plot", positional_error="ignore", majority=0.5)
    ground = footprints(np.array([shape], dtype=object), np.array([np.nan]), plots, resolution=10)
    assert abs(ground.shared_m2.sum() - wide * tall) < 1e-6 * wide * tall + 1e-6
    assert (ground.shared_m2 <= 100 + 1e-9).all()
    assert ((ground.x % 10 == 5) & (ground.y % 10 == 5)).all()


def test_a_point_stays_in_the_region_that_it_was_drawn_in() -> None:
    lon, lat = at((499_973, Y), (500_013, Y + 9000))
    found = records(lon, lat, region_id=["E", "W"], **{"class": ["coca"] * 2})
    table = match(found, two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    assert table["region_id"].tolist() == ["E", "W"]
    assert table["located_in"].fillna("-").tolist() == ["W", "-"]
    assert table["status"].tolist() == ["matched", "matched"]
    with pytest.raises(InputError, match="'X'"):
        match(
            records(lon, lat, region_id=["X", "W"]), two_regions(), map_of_stripes,
            scheme=SCHEME, resolution=10,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"support": "cluster", "positional_error": "ignore", "majority": 0.5}, "cluster_px"),
        ({"support": "cluster", "cluster_px": 4, "positional_error": "ignore", "majority": 0.5}, "odd"),
        ({"support": "plot", "positional_error": "majority", "majority": 0.5}, "its own extent"),
        ({"support": "plot", "positional_error": "ignore"}, "`majority` goes with"),
        ({"support": "pixel", "positional_error": "ignore", "majority": 0.5}, "`majority` goes with"),
        ({"support": "pixel", "positional_error": "ignore", "unknown_accuracy_m": 5}, "goes with"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(given_settings: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MatchSettings(**given_settings)


def test_records_with_longitude_and_latitude_exchanged_are_refused_by_id() -> None:
    lon, lat = at((500_013, Y), (500_023, Y))
    exchanged = records([lon[0], lat[1]], [lat[0], lon[1]], **{"class": ["coca"] * 2, "visited": [True] * 2})
    with pytest.raises(InputError, match=r"(?s)longitude and latitude exchanged.*record_id '[^',]+'\n"):
        match(exchanged, two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
