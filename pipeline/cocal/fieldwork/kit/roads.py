"""How far points are from the nearest road of a file that the user names."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from cocal.errors import InputError
from cocal.grid import project, transformer
from cocal.user_tables import read_vector

REACH_DEG = 1.0
"""Roads farther than this from all points of a zone are not looked at."""
_STEP_DEG = 0.005
_GEOD = Geod(ellps="WGS84")
_LINES = ("LineString", "LinearRing", "MultiLineString")


def read_roads(path: Path, layer: str | None = None) -> gpd.GeoDataFrame:
    """The roads of a vector file, geometry only, WGS 84.

    Raises
    ------
    InputError
        The file cannot be read, states no CRS, or has rows that are no lines.
    """
    frame = read_vector(path, layer)
    placed = isinstance(frame, gpd.GeoDataFrame)
    wrong = [] if not placed else frame.index[~frame.geometry.geom_type.isin(_LINES)].tolist()
    if not placed or frame.crs is None or wrong or frame.empty:
        what = "no geometry" if not placed else "no CRS" if frame.crs is None else "no row"
        found = f"rows without a line: {', '.join(map(str, wrong[:10]))}" if wrong else what
        raise InputError(
            f"roads {path}", "lines with a CRS", found, "leave out what is no line, or export it again"
        )
    return gpd.GeoDataFrame(geometry=frame.geometry.to_crs(4326).to_numpy(), crs=4326)


def road_distances(points: pd.DataFrame, roads: NDArray[np.object_]) -> NDArray[np.float64]:
    """(point,) geodesic m from each point to the nearest place on a road; NaN where none is within reach.

    A straight line over whatever is between: no way on foot. The nearest place is looked for in the plane
    of the point's UTM zone.

    Parameters
    ----------
    points : with lon, lat (degrees) and epsg.
    roads : lines in degrees, WGS 84.

    Examples
    --------
    A road along the equator, a point 0.01 degrees of latitude south of it (110.574 km per degree there):

    >>> points = pd.DataFrame({"lon": [-69.0], "lat": [-0.01], "epsg": [32719]})
    >>> road = shapely.LineString([(-69.2, 0), (-68.8, 0)])
    >>> road_distances(points, np.array([road])).round(1).tolist()
    [1105.7]
    """
    found = np.full(len(points), np.nan)
    lon, lat = (points[name].to_numpy(np.float64) for name in ("lon", "lat"))
    for epsg in np.unique(points["epsg"]).tolist():
        own = np.flatnonzero(points["epsg"] == epsg)
        west, east = lon[own].min() - REACH_DEG, lon[own].max() + REACH_DEG
        south, north = lat[own].min() - REACH_DEG, lat[own].max() + REACH_DEG
        near = shapely.clip_by_rect(roads, west, south, east, north)
        near = near[~shapely.is_empty(near)]
        if not len(near):
            continue
        lines = project(near, 4326, epsg, densify=_STEP_DEG)
        places = shapely.points(*transformer(4326, epsg).transform(lon[own], lat[own]))
        which = shapely.STRtree(lines).query_nearest(places, all_matches=False)[1]
        ends = shapely.get_point(shapely.shortest_line(places, lines[which]), 1)
        there = transformer(epsg, 4326).transform(shapely.get_x(ends), shapely.get_y(ends))
        found[own] = _GEOD.inv(lon[own], lat[own], *there)[2]
    return found
