from __future__ import annotations

import logging

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from numpy.typing import NDArray

from cocal.contracts import RECORD_COLUMNS
from cocal.errors import ContractError
from cocal.fieldwork import STATUSES, match, status_counts
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
    numbers = {
        name: np.full(n, np.nan) for name in ("cover", "positional_accuracy_m", "inclusion_probability")
    }
    table = columns | numbers | {"record_id": [f"r{i}" for i in range(n)], "visited": [True] * n} | more
    return gpd.GeoDataFrame(table, geometry=shapely.points(lon, lat), crs=4326)


def map_of_stripes(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A map in 10 m columns: 0, 1, 2, 255, 0, 1, ..."""
    return np.array([0, 1, 2, 255], dtype=np.uint8)[(x // 10).astype(int) % 4]


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
        "unobserved", "matched", "matched", "outside map", "matched", "outside regions", "not visited",
    ]  # fmt: skip
    assert table["region_id"].fillna("-").tolist() == ["E", "E", "E", "E", "W", "-", "E"]
    # 499,970 // 10 % 4 = 1
    assert table["map_class"].fillna("-").tolist() == ["-", "coca", "forest", "-", "coca", "coca", "coca"]
    assert table["reference_class"].fillna("-").tolist() == ["coca"] * 6 + ["-"]
    counts = status_counts(table)
    assert counts == dict(zip(STATUSES, (3, 1, 1, 1, 1), strict=True))
    assert sum(counts.values()) == len(table)


def test_the_design_travels_with_the_record() -> None:
    lon, lat = at((500_013, Y), (500_023, Y))
    more = {"stratum": ["a", "b"], "inclusion_probability": [0.5, 0.25], "class": ["coca", "forest"]}
    table = match(records(lon, lat, **more), two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    assert table["stratum"].tolist() == ["a", "b"]
    assert table["inclusion_probability"].tolist() == [0.5, 0.25]


def test_the_position_is_good_where_the_whole_error_circle_lies_in_the_pixel() -> None:
    # 3 m from the pixel's west edge: a circle of 2.9 m lies inside, one of 3.1 m does not
    lon, lat = at(*[(500_013, Y // 10 * 10 + 5)] * 3)
    found = records(lon, lat, positional_accuracy_m=[2.9, 3.1, np.nan])
    table = match(found, two_regions(), map_of_stripes, scheme=SCHEME, resolution=10)
    assert table["positional_ok"].tolist()[:2] == [True, False]
    assert table["positional_ok"].isna().tolist() == [False, False, True]


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
    assert set(whole["status"]) >= {"matched", "outside regions"}


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
