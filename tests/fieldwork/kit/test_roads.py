"""The distance from points to the nearest road."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from cocal.errors import InputError
from cocal.fieldwork.kit import read_roads, road_distances
from cocal.grid import utm_zones

GEOD = Geod(ellps="WGS84")


def test_the_nearest_road_is_as_far_as_the_nearest_of_all_its_places() -> None:
    """On both sides of a zone's meridian, beside roads that cross it; places every 2 m along the roads."""
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(-72.05, -71.95, 20), rng.uniform(-12.55, -12.45, 20)
    points = pd.DataFrame({"lon": lon, "lat": lat, "epsg": utm_zones(lon, lat)})
    roads = np.array(
        [
            shapely.LineString([(-72.06, -12.46), (-71.99, -12.5), (-71.94, -12.46)]),
            shapely.MultiLineString(
                [[(-72.03, -12.56), (-72.03, -12.53)], [(-71.96, -12.55), (-71.94, -12.5)]]
            ),
        ]
    )
    along = shapely.get_coordinates(shapely.segmentize(roads, 2 / 111_000))
    n, m = len(lon), len(along)
    every = GEOD.inv(
        np.repeat(lon, m), np.repeat(lat, m), np.tile(along[:, 0], n), np.tile(along[:, 1], n)
    )[2].reshape(n, m)  # fmt: skip
    found = road_distances(points, roads)
    assert np.abs(found - every.min(axis=1)).max() < 1.5
    assert len(points["epsg"].unique()) == 2


def test_a_road_beyond_reach_is_no_road_and_a_point_on_a_road_is_at_0() -> None:
    points = pd.DataFrame({"lon": [-69.0, -69.0], "lat": [-14.0, -14.0], "epsg": 32719})
    here, far = shapely.LineString([(-69.1, -14), (-68.9, -14)]), shapely.LineString([(-60, -3), (-60, -4)])
    assert np.isnan(road_distances(points, np.array([far]))).all()
    assert road_distances(points, np.array([far, here])).max() < 0.5


def test_files_of_no_lines_are_refused_by_row(tmp_path: Path) -> None:
    line, point = shapely.LineString([(-69, -14), (-68, -14)]), shapely.Point(-69, -14)
    path = tmp_path / "roads.gpkg"
    gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[line, point], crs=4326).to_file(path)
    with pytest.raises(InputError, match="rows without a line: 2"):
        read_roads(path)
    gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=[line, None], crs=32719).to_file(path)
    with pytest.raises(InputError, match="rows without a line: 2"):
        read_roads(path)
    (tmp_path / "roads.csv").write_text("name\na\n")
    with pytest.raises(InputError, match="no geometry"):
        read_roads(tmp_path / "roads.csv")
    in_metres = gpd.GeoDataFrame(geometry=[line], crs=4326).to_crs(32719)
    in_metres.to_file(tmp_path / "m.gpkg")
    assert shapely.equals_exact(read_roads(tmp_path / "m.gpkg").geometry[0], line, 1e-6)
