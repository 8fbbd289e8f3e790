"""Places, lengths, areas and counts, held against other ways to the same numbers."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from tests.support.shown_land import HOSTILE

from cocal.regions import read_regions
from cocal.serve import open_run
from cocal.serve.counting import MOST_HA, count_polygon
from cocal.serve.places import MOST_CORNERS, drawn_polygon, measured, place_facts, read_place

GEOD = Geod(ellps="WGS84")
SAME_PLACE = (
    "-12.5005, -72.0015", "-12,5005 -72,0015", "-12,5005; -72,0015", "-12,5005,-72,0015",
    "12.5005S 72.0015W", "72.0015 O, 12.5005 S", "12°30'1.8\"S 72°0'5.4\"O",
    "12° 30' 1,8\" s, 72° 0′ 5.4″ w", "12°30.03'S 72°0.09'W",
    "−12.5005 −72.0015",
)  # fmt: skip
NO_PLACE = (
    "", "Chirimayuq", "-12.5", "95, 10", "-12.5S -72W", "12.5S 12.5N", "72W 72W", "12.5S 72",
    "19I 500000 8618000", "61S 500000 8618000", "0N 500000 1", "19S 500000 10000001", "19S 50000 8618000",
    "1" * 81, "<img src=x>", "٣, ٣", "nan, inf", "1e3, 1",
)  # fmt: skip


@pytest.mark.parametrize("text", SAME_PLACE)
def test_a_place_is_read_however_it_is_written(text):
    assert read_place(text) == pytest.approx((-72.0015, -12.5005), abs=1e-9)


@pytest.mark.parametrize("text", NO_PLACE)
def test_a_text_that_is_no_place_is_none(text):
    assert read_place(text) is None


def test_utm_is_read_by_hemisphere_band_or_epsg_code():
    """The central meridian of zone 19 is 69 W; 10,000 km are the equator of the southern grid."""
    for text in ("19S 500000 10000000", "EPSG:32719 500000 10000000", "19N 500000 0", "32619, 500000; 0.0"):
        assert read_place(text) == pytest.approx((-69.0, 0.0), abs=1e-6)
    assert read_place("19L 500000 8618156.3") == read_place("19s 500000mE 8618156,3mN")
    assert read_place("18N 500000 100000")[1] > 0 > read_place("18M 500000 9900000")[1]


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 179.999), st.floats(-80, 83.9))
def test_a_place_comes_back_from_both_of_its_texts(longitude, latitude):
    facts = place_facts(longitude, latitude)
    for text, tolerance_m in ((facts["degrees"], 0.08), (facts["utm"], 0.08)):
        found = read_place(text)
        assert GEOD.inv(longitude, latitude, *found)[2] <= tolerance_m


def test_lengths_and_areas_are_those_of_the_ellipsoid():
    """A quarter of a meridian is 10,001,965.729 m (Vincenty 1975; WGS 84)."""
    assert measured(np.array([[-72.0, 0.0], [-72.0, 85.0]]))["length_m"] == pytest.approx(
        10_001_965.729 - GEOD.inv(0, 85, 0, 90)[2], abs=0.001
    )
    square = np.array([[-72.0, -12.5], [-71.99, -12.5], [-71.99, -12.51], [-72.0, -12.51]])
    found = measured(square)
    assert found["area_ha"] == pytest.approx(cells_ha(-72.0, -71.99, -12.51, -12.5), rel=1e-6)
    assert found == measured(square[::-1]) | {"length_m": found["length_m"]}
    assert measured(square[[0, 2, 1, 3]])["area_ha"] is None  # sides that cross
    assert measured(square[[0, 1, 0]])["area_ha"] is None
    assert measured(square[:1]) == {"length_m": 0.0, "perimeter_m": None, "area_ha": None}


def cells_ha(west: float, east: float, south: float, north: float) -> float:
    """Area between parallels on the ellipsoid, by its closed form (Snyder 1987, eq. 3-12)."""
    a, e = 6378137.0, math.sqrt(0.00669437999014)

    def q(latitude: float) -> float:
        s = e * math.sin(math.radians(latitude))
        return (1 - e * e) * (s / e / (1 - s * s) + math.atanh(s) / e)

    return a * a / 2 * math.radians(east - west) * (q(north) - q(south)) / 10_000


def asked(corners: np.ndarray) -> str:
    return "at=" + ",".join(f"{v:.9f}" for v in np.asarray(corners).ravel())


def pixels_inside(shown, polygon: shapely.Polygon) -> dict[int, float]:
    """Hectares by code: the centre of every pixel of every map on its own, area of its four corners."""
    found: dict[int, float] = {}
    for folder in open_run(shown.root, restricted=True).maps["all"].values():
        with rasterio.open(folder / "class.tif") as source:
            codes, t, to = (
                source.read(1),
                source.transform,
                Transformer.from_crs(source.crs, 4326, always_xy=True),
            )
        zone = source.crs.to_epsg() % 100
        for row, column in np.argwhere(codes >= 0):
            longitude, latitude = to.transform(*(t @ (column + 0.5, row + 0.5)))
            if math.floor((longitude + 180) / 6) + 1 == zone and polygon.contains(
                shapely.Point(longitude, latitude)
            ):
                corners = [t @ (column + i, row + j) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
                area = abs(
                    GEOD.polygon_area_perimeter(*zip(*(to.transform(*c) for c in corners), strict=True))[0]
                )
                found[int(codes[row, column])] = found.get(int(codes[row, column]), 0.0) + area / 10_000
    return found


TRIANGLE = np.array([[-72.0037, -12.4985], [-71.9989, -12.4988], [-72.0007, -12.5032]])
"""Across the meridian between two zones, over ground that was never seen."""


def test_the_hectares_of_a_polygon_are_its_pixels_counted_one_by_one(restricted, shown):
    said = restricted.ask(f"/data/small/all/count?{asked(TRIANGLE)}").json()
    expected = pixels_inside(shown, shapely.Polygon(TRIANGLE))
    run = open_run(shown.root, restricted=True)
    for c in run.scheme.classes:
        assert said["classes"][c.key] == pytest.approx(expected.get(c.code, 0.0), abs=1e-6)
    assert said["not_observed_ha"] == pytest.approx(expected[0], abs=1e-6)
    assert expected[0] > 1
    assert said["no_map_ha"] == 0
    total = sum(said["classes"].values()) + said["not_observed_ha"]
    assert total == pytest.approx(measured(TRIANGLE)["area_ha"], rel=0.02)


def test_the_outline_of_a_region_counts_what_its_table_has(shown):
    run = open_run(shown.root, restricted=True)
    regions = read_regions(run.config.regions)
    table = pd.read_csv(shown.root / "hectares.csv").set_index(["region_id", "period", "class"])["mapped_ha"]
    for name, shape in zip(regions.table["region_id"], regions.geometries, strict=True):
        found = count_polygon(run, "all", shape)
        for key, value in found["classes"].items():
            assert value == pytest.approx(table[name, "all", key], abs=1e-9)


def test_ground_without_a_map_is_said_apart(shown):
    run = open_run(shown.root, restricted=True)
    away = drawn_polygon(np.array([[-71.0, -12.5], [-70.99, -12.5], [-70.99, -12.51]]))
    found = count_polygon(run, "all", away)
    assert set(found["classes"].values()) == {0.0}
    assert found["no_map_ha"] == pytest.approx(cells_ha(-71.0, -70.99, -12.51, -12.5) / 2, rel=0.01)


def test_a_polygon_that_cannot_be_counted_is_refused(restricted):
    ask = restricted.ask
    for corners in (TRIANGLE[:2], TRIANGLE[[0, 1, 2, 0, 2, 1]], TRIANGLE * [1, 8]):
        assert ask(f"/data/small/all/count?{asked(corners)}").status == 400
    large = np.array([[-72, -12], [-71.6, -12], [-71.6, -12.4], [-72, -12.4]])
    assert measured(large)["area_ha"] > MOST_HA
    assert ask(f"/data/small/all/count?{asked(large)}").status == 400
    many = np.column_stack([np.linspace(-72, -71.99, MOST_CORNERS + 1), np.full(MOST_CORNERS + 1, -12.5)])
    for query in ("", "at=", "at=1", "at=1,2,3", "at=a,b", "at=nan,1,2,3", "at=0,89", asked(many)):
        assert ask(f"/data/measure?{query}").status == 400, query
    assert ask(f"/data/measure?{asked(many[1:])}").status == 200


def test_the_public_may_measure_but_not_count(public):
    assert public.ask(f"/data/small/all/count?{asked(TRIANGLE)}").status == 404
    assert public.ask(f"/data/measure?{asked(TRIANGLE)}").json()["area_ha"] > 10
    assert public.ask("/data/place?q=19S%20500000%208618156.3").json()["degrees"] == "-12.500000, -69.000000"
    assert public.ask("/data/place?q=nowhere").json() is None
    assert public.ask("/data/place?lng=1").status == 400


def test_a_regions_table_is_its_rows_as_they_stand_in_the_file_of_the_profile(restricted, public, shown):
    for server, path in ((restricted, shown.root), (public, shown.root / "public")):
        answer = server.ask("/data/small/all/table.csv?id=PE-1")
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == "attachment"
        lines = (path / "hectares.csv").read_text(encoding="utf-8").splitlines()
        assert answer.body.decode().splitlines() == [
            lines[0],
            *(n for n in lines if n.startswith(f"PE-1,{HOSTILE},PE,all")),
        ]
        assert len(pd.read_csv(io.BytesIO(answer.body))) > 0
        assert server.ask("/data/small/all/table.csv?id=none").status == 404
