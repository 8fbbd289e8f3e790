"""Polygons that users give in vector files: opened and checked in one way, in degrees, valid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from pyproj import CRS, Transformer
from pyproj.transformer import TransformerGroup
from shapely.geometry.base import BaseGeometry

from cocal.errors import InputError
from cocal.grid import project, ring_hectares, transformer
from cocal.user_tables import read_vector

_SHOWN = 10
_EDGE_M = 200
_SAME_DEGREES = 1e-9


def listed(values: Iterable[Any]) -> str:
    """The first values, quoted, and how many more there are."""
    texts = [repr(v) for v in values]
    rest = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def open_layer(
    path: Path, layer: str | None, wanted: Sequence[str], problems: list[str], **options: Any
) -> gpd.GeoDataFrame | None:
    """The rows of a vector layer that has a CRS and the wanted columns; else None, with `problems` added.

    Parameters
    ----------
    layer : needed when the file has several.
    options : of `pyogrio.read_dataframe`.
    """
    if not path.exists():
        problems.append("no such file")
        return None
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
        if layer is None and len(layers) != 1:
            problems.append(f"has the layers {listed(layers)}; name one of them with `layer:`")
            return None
        if layer is not None and layer not in layers:
            problems.append(f"has no layer {layer!r}, only {listed(layers)}")
            return None
        frame = read_vector(path, layer or layers[0], **options)
    except (DataSourceError, InputError) as err:
        problems.append(f"cannot be read as a vector file: {getattr(err, 'found', err)}")
        return None
    if frame.crs is None:
        problems.append("has no CRS; write it into the file")
    there = [str(c) for c in frame.columns if c != "geometry"]
    missing = [c for c in dict.fromkeys(wanted) if c not in there]
    if missing:
        problems.append(f"has no column {listed(missing)}; its columns are {', '.join(map(repr, there))}")
    return None if problems else frame


def on_earth(shapes: NDArray[np.object_], crs: CRS) -> NDArray[np.bool_]:
    """(n,) whether every corner is at a longitude from -180 to 180 and a latitude from -90 to 90."""
    xy, shape = shapely.get_coordinates(shapes, return_index=True)
    x, y = xy.T
    lon, lat = (x, y) if crs.to_epsg() == 4326 else transformer(crs.to_wkt(), 4326).transform(x, y)
    off = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    return np.asarray(np.bincount(shape[off], minlength=len(shapes)) == 0)


def rings_hectares(geometry: BaseGeometry, crs: CRS) -> float:
    """Area of a polygon's outer rings less its inner ones, as they are given, ha; rings may cross."""

    def area(ring: BaseGeometry) -> float:
        return ring_hectares(in_degrees(ring, crs))

    parts = shapely.get_parts(geometry)
    inner = sum(area(ring) for part in parts for ring in part.interiors)
    return sum(area(part.exterior) for part in parts) - inner


def in_degrees(geometry: Any, crs: CRS, *, whole: bool = False) -> Any:
    """Return a geometry, or an array of them, in EPSG:4326; edges of a projected CRS are cut every 200 m.

    So they stay straight. `whole`: all corners of a polygon take one way to WGS 84. PROJ takes the best one
    of each corner, and those of PSAD56 lie up to 24 m apart at the border: a plot between two would be torn.
    """
    if crs.to_epsg() == 4326:
        return geometry
    step = _EDGE_M / crs.axis_info[0].unit_conversion_factor if crs.is_projected else 0.0
    ways = _ways(crs.to_wkt()) if whole else ()
    if len(ways) < 2:
        return project(geometry, crs.to_wkt(), 4326, densify=step)
    cut = shapely.segmentize(geometry, step) if step else geometry
    corners = shapely.get_num_coordinates(shapely.get_parts(cut))
    corners = corners[corners > 0]
    return shapely.transform(cut, lambda xy: _moved_whole(xy, corners, crs, ways))


@lru_cache
def _ways(wkt: str) -> tuple[Transformer, ...]:
    """The ways from a CRS to WGS 84, the preferred one first."""
    return tuple(TransformerGroup(wkt, 4326, always_xy=True, allow_ballpark=False).transformers)


def _moved_whole(
    xy: NDArray[np.float64], corners: NDArray[np.integer[Any]], crs: CRS, ways: Sequence[Transformer]
) -> NDArray[np.float64]:
    """Corners in degrees, each polygon by one way: the first in order that any of its corners takes."""
    found = np.column_stack(transformer(crs.to_wkt(), 4326).transform(*xy.T))
    moved = [np.column_stack(way.transform(*xy.T)) for way in ways]
    taken = np.full(len(xy), len(ways))
    for k in reversed(range(len(ways))):
        taken[(np.abs(moved[k] - found) < _SAME_DEGREES).all(axis=1)] = k
    starts = np.cumsum(corners) - corners
    first, last = (np.repeat(f.reduceat(taken, starts), corners) for f in (np.minimum, np.maximum))
    for k in range(len(ways)):
        torn = (first == k) & (last != k)
        found[torn] = moved[k][torn]
    return found


def valid_polygon(geometry: BaseGeometry) -> BaseGeometry:
    """Return the same ground as a valid polygon, rings in canonical order.

    Both matter: geodesic areas add rings by their direction, and cutting the edges of an invalid polygon
    loses parts of it (GEOS repairs the result with buffer(0)).
    """
    if not shapely.is_valid(geometry):
        # parts on their own: where they overlap they are united, not taken for holes
        sound = [shapely.make_valid(part) for part in shapely.get_parts(geometry)]
        geometry = shapely.union_all(sound) if len(sound) > 1 else sound[0]
    if shapely.get_type_id(geometry) not in (3, 6):
        parts = shapely.get_parts(shapely.get_parts(geometry))
        geometry = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapely.normalize(geometry)


def crossings(
    shapes: NDArray[np.object_], group: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(later, earlier) positions of all pairs of polygons that have common ground, by later.

    `group`: only pairs of one group count.
    """
    later, earlier = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = earlier < later
    if group is not None:
        pairs &= group[later] == group[earlier]
    later, earlier = later[pairs], earlier[pairs]
    common = ~shapely.touches(shapes[later], shapes[earlier])
    return later[common].astype(np.int64), earlier[common].astype(np.int64)


def without(
    shapes: NDArray[np.object_], later: NDArray[np.int64], earlier: NDArray[np.int64]
) -> NDArray[np.object_]:
    """(n,) each polygon less the polygons before it that it has common ground with, as from `crossings`."""
    exclusive = shapes.copy()
    order = np.argsort(later, kind="stable")
    losing, first = np.unique(later[order], return_index=True)
    for i, before in zip(losing, np.split(earlier[order], first[1:]), strict=False):
        exclusive[i] = valid_polygon(shapely.difference(shapes[i], shapely.union_all(shapes[before])))
    return exclusive


EQUAL_AREA = 6933
"""EASE-Grid 2.0 (Brodzik et al. 2012, doi:10.3390/ijgi1010032), on the WGS 84 ellipsoid."""


def hectares_of(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """(n,) area of polygons in degrees, ha, in an equal-area projection: for many polygons at once.

    Edges are straight in the projection; for edges below 1 km that is the geodesic area to 1e-6 of it.

    Examples
    --------
    >>> hectares_of(np.array([shapely.box(-69, -14.001, -68.999, -14)])).round(3).tolist()
    [1.195]
    """
    return np.asarray(shapely.area(project(shapes, 4326, EQUAL_AREA)) / 10_000)
