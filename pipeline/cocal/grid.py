"""Tiles and pixels: one grid per UTM zone, each ground point in one zone, true cell area.

Windows lie on an absolute lattice of whole metres, so two windows that overlap share the centres of
their pixels whatever tile or block they were cut from.

One rule for edges, used for every way from a position to a pixel (GDAL's): a pixel, and likewise a block, a
tile and a cell of a lattice, owns its west and its north edge: ``column = floor((x - left) / side)`` and
``row = floor((top - y) / side)``. A UTM zone owns its west meridian, the northern hemisphere the equator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import shapely
from affine import Affine
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Proj, Transformer
from shapely.geometry.base import BaseGeometry

RESOLUTION_M = 10
"""Side of a pixel of every map, metres."""
SNAP_M = 60
"""Windows of tiles start on multiples of 60 m: whole pixels of all Sentinel-2 bands (10, 20, 60 m)."""

AREA_UNIT_M2 = 1e-6
"""Cell areas are summed as integers of this unit, so that no order of addition changes a sum."""

_Geometry = TypeVar("_Geometry", BaseGeometry, NDArray[np.object_])

_LATTICE_M = 960
_GEOD = Geod(ellps="WGS84")
_MERIDIANS = np.arange(-180, 180, 6)


class Pixels(NamedTuple):
    """Row and column of the pixel that holds each point, -1 outside the raster; `inside` (bool)."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    inside: NDArray[np.bool_]


def locate(transform: Affine, shape: tuple[int, int], x: ArrayLike, y: ArrayLike) -> Pixels:
    """The pixels of a raster that hold the points.

    Parameters
    ----------
    transform : of the raster, from (column, row) to (x, y).
    shape : (height, width) of the raster, pixels.
    x, y : of the points, in the units and the CRS of the raster; any shape, the same for both.

    Examples
    --------
    Pixels of 10 m whose upper left corner is at (500000, 8430000). A point on the edge between two pixels
    lies in the eastern and in the southern one:

    >>> from affine import Affine
    >>> raster = Affine(10, 0, 500_000, 0, -10, 8_430_000)
    >>> x, y = [500_010, 500_010, 499_999], [8_429_980, 8_429_981, 8_429_999]
    >>> row, column, inside = locate(raster, (3, 3), x, y)
    >>> row.tolist(), column.tolist(), inside.tolist()
    ([2, 1, -1], [1, 1, -1], [True, True, False])
    """
    t = transform
    dx, dy = np.asarray(x, dtype=np.float64) - t.c, np.asarray(y, dtype=np.float64) - t.f
    if t.b == t.d == 0:
        column, row = np.floor(dx / t.a), np.floor(dy / t.e)
    else:
        column, row = (np.floor(v / t.determinant) for v in (t.e * dx - t.b * dy, t.a * dy - t.d * dx))
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    row, column = (np.where(inside, v, -1).astype(np.int64) for v in (row, column))
    return Pixels(row, column, inside)


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of pixels in one UTM zone: upper left corner in metres, size in pixels."""

    epsg: int
    left: int
    top: int
    width: int
    height: int
    resolution: int = RESOLUTION_M

    @property
    def right(self) -> int:
        return self.left + self.width * self.resolution

    @property
    def bottom(self) -> int:
        return self.top - self.height * self.resolution

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """(west, south, east, north) in metres."""
        return self.left, self.bottom, self.right, self.top

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width): the shape of an array (y, x)."""
        return self.height, self.width

    @property
    def transform(self) -> Affine:
        return Affine(self.resolution, 0, self.left, 0, -self.resolution, self.top)

    @property
    def x(self) -> NDArray[np.float64]:
        """Easting of the pixel centres, m, ascending."""
        return np.asarray(self.left + (np.arange(self.width) + 0.5) * self.resolution, dtype=np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """Northing of the pixel centres, m, descending."""
        return np.asarray(self.top - (np.arange(self.height) + 0.5) * self.resolution, dtype=np.float64)

    def locate(self, x: ArrayLike, y: ArrayLike) -> Pixels:
        """The pixels of this window that hold the points (m, in its zone): see `locate`."""
        return locate(self.transform, self.shape, x, y)

    @classmethod
    def from_bounds(cls, epsg: int, bounds: tuple[int, int, int, int], resolution: int) -> Window:
        """The window of (west, south, east, north), metres, whose sides are whole pixels."""
        west, south, east, north = bounds
        return cls(epsg, west, north, (east - west) // resolution, (north - south) // resolution, resolution)

    def expanded(self, pixels: int) -> Window:
        """This window with `pixels` more on each side."""
        grow, (west, south, east, north) = pixels * self.resolution, self.bounds
        return Window.from_bounds(
            self.epsg, (west - grow, south - grow, east + grow, north + grow), self.resolution
        )

    def snapped(self, metres: int) -> Window:
        """The smallest window on multiples of `metres` that holds this one."""
        west, south = (math.floor(v / metres) * metres for v in (self.left, self.bottom))
        east, north = (math.ceil(v / metres) * metres for v in (self.right, self.top))
        return Window.from_bounds(self.epsg, (west, south, east, north), self.resolution)

    def at(self, resolution: int) -> Window:
        """The same rectangle in pixels of another size; its sides must be whole pixels of that size."""
        if (self.right - self.left) % resolution or (self.top - self.bottom) % resolution:
            raise ValueError(f"{self} does not hold whole pixels of {resolution} m; snap it first")
        return Window.from_bounds(self.epsg, self.bounds, resolution)

    def slices_of(self, inner: Window) -> tuple[slice, slice]:
        """(rows, columns) of `inner` inside this window; both on the same lattice."""
        row = (self.top - inner.top) // self.resolution
        column = (inner.left - self.left) // self.resolution
        return slice(row, row + inner.height), slice(column, column + inner.width)

    def intersection(self, other: Window) -> Window | None:
        """The common rectangle, or None; both of one zone and one pixel size."""
        left, right = max(self.left, other.left), min(self.right, other.right)
        bottom, top = max(self.bottom, other.bottom), min(self.top, other.top)
        if self.epsg != other.epsg or left >= right or bottom >= top:
            return None
        return Window.from_bounds(self.epsg, (left, bottom, right, top), self.resolution)


@dataclass(frozen=True, order=True)
class Tile:
    """One cell of a zone's tiling. `id` is unique for one tile size."""

    window: Window

    @property
    def id(self) -> str:
        w = self.window
        side = w.width * w.resolution
        return f"{w.epsg}-{w.width}-{w.left // side:04d}-{w.bottom // side:04d}"

    def blocks(self, block_px: int) -> list[Window]:
        """The tile cut into blocks of at most `block_px`, row by row; together they are the tile."""
        w = self.window
        step = block_px * w.resolution
        return [
            Window.from_bounds(
                w.epsg, (left, max(top - step, w.bottom), min(left + step, w.right), top), w.resolution
            )
            for top in range(w.top, w.bottom, -step)
            for left in range(w.left, w.right, step)
        ]


def utm_zones(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.int64]:
    """EPSG code of the one UTM zone (WGS 84) that owns each point: [west meridian, east meridian).

    Examples
    --------
    >>> utm_zones([-72.0, -72.0001, 3.0], [-13.0, -13.0, 0.0]).tolist()
    [32719, 32718, 32631]
    """
    zone = np.searchsorted(_MERIDIANS, np.asarray(longitude, dtype=np.float64), side="right")
    return np.where(np.asarray(latitude) >= 0, 32600, 32700) + zone


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of the one UTM zone (WGS 84) that owns a point: see `utm_zones`."""
    return int(utm_zones(longitude, latitude))


def pixel_zones(
    longitude: ArrayLike, latitude: ArrayLike, resolution: int = RESOLUTION_M
) -> NDArray[np.int64]:
    """EPSG code of the zone whose pixels are looked up for each point.

    It is the zone that owns the point. Where the pixel that holds the point there has its centre across the
    meridian, so that no map of this zone shows it (`owned_by_zone`), it is the zone that owns the centre.
    `resolution` is the side of a pixel, m.
    """
    lon, lat = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (longitude, latitude)))
    epsg = np.asarray(utm_zones(lon, lat))
    reach = (
        resolution / 100_000
    )  # degrees of latitude; more than a pixel's diagonal from its edge to its centre
    near = np.abs((lon + 3) % 6 - 3) * np.cos(np.radians(lat)) < reach
    near |= np.abs(lat) < reach
    for zone in np.unique(epsg[near]).tolist():
        here = near & (epsg == zone)
        x, y = pixel_centres(*transformer(4326, zone).transform(lon[here], lat[here]), resolution)
        epsg[here] = utm_zones(*transformer(zone, 4326).transform(x, y))
    return epsg


def lattice_cells(x: ArrayLike, y: ArrayLike, side: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of the cells of an absolute lattice of `side` metres that hold the points.

    Column c is ``[c * side, (c + 1) * side)``, row r is ``(r * side, (r + 1) * side]`` and counts northward.

    Examples
    --------
    >>> columns, rows = lattice_cells([20, 29], [20, 29], 10)
    >>> columns.tolist(), rows.tolist()
    ([2, 2], [1, 2])
    """
    column = np.floor(np.asarray(x, dtype=np.float64) / side)
    row = np.ceil(np.asarray(y, dtype=np.float64) / side) - 1
    return column.astype(np.int64), row.astype(np.int64)


def pixel_centres(
    x: ArrayLike, y: ArrayLike, resolution: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (x, y), m, of the pixels of the absolute lattice that hold the points."""
    column, row = lattice_cells(x, y, resolution)
    return np.asarray((column + 0.5) * resolution), np.asarray((row + 0.5) * resolution)


def windows_holding(
    epsg: ArrayLike, x: ArrayLike, y: ArrayLike, size_px: int, resolution: int = RESOLUTION_M
) -> Iterator[tuple[Window, NDArray[np.intp]]]:
    """The windows of an absolute lattice that hold points, each with the indices of its points.

    Parameters
    ----------
    epsg : zone of all points, or (n,) of each.
    x, y : (n,) m, in their zone.
    size_px : width and height of a window, pixels of `resolution` m.
    """
    side = size_px * resolution
    keys = np.column_stack(np.broadcast_arrays(np.asarray(epsg, dtype=np.int64), *lattice_cells(x, y, side)))
    cells, cell, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(cell.reshape(-1), kind="stable"), np.cumsum(count)[:-1])
    for (zone, column, row), indices in zip(cells.tolist(), members, strict=True):
        yield Window(zone, column * side, (row + 1) * side, size_px, size_px, resolution), indices


def zone_box(epsg: int) -> BaseGeometry:
    """The zone's own part of the world as a polygon in degrees: 6 degrees wide, one hemisphere."""
    zone, south = epsg % 100, epsg >= 32700
    west = -180 + 6 * (zone - 1)
    return shapely.box(west, -80 if south else 0, west + 6, 0 if south else 84)


@lru_cache
def transformer(source: int | str, target: int | str) -> Transformer:
    """A cached transformer, x before y. Equal codes give the identity."""
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


def project(geometry: _Geometry, source: int | str, target: int | str, densify: float = 0.0) -> _Geometry:
    """A geometry, or an array of them, in another CRS.

    Edges longer than `densify` (source units, 0 = never) are cut first.
    """
    if densify:
        geometry = shapely.segmentize(geometry, densify)
    move = transformer(source, target).transform
    return shapely.transform(geometry, lambda xy: np.column_stack(move(xy[:, 0], xy[:, 1])))


def zones(area: BaseGeometry) -> list[int]:
    """EPSG codes of the zones that own a part of `area` (degrees), ascending."""
    west, south, east, north = area.bounds
    longitudes = np.arange(math.floor(west / 6) * 6 + 3, east + 6, 6)
    codes = {utm_epsg(lon, lat) for lon in longitudes for lat in (south, north)}
    return sorted(c for c in codes if shapely.intersection(area, zone_box(c)).area > 0)


def tiles(area: BaseGeometry, tile_px: int, resolution: int = RESOLUTION_M) -> list[Tile]:
    """The tiles that touch `area` (a polygon in degrees), ordered by zone, row, column.

    Each zone holds only the part of the area on its own side of the meridian.
    """
    side = tile_px * resolution
    found = []
    for epsg in zones(area):
        part = project(shapely.intersection(area, zone_box(epsg)), 4326, epsg, densify=0.01)
        shapely.prepare(part)
        west, south, east, north = part.bounds
        for row in range(math.floor(north / side), math.floor(south / side) - 1, -1):
            for column in range(math.floor(west / side), math.floor(east / side) + 1):
                box = shapely.box(column * side, row * side, (column + 1) * side, (row + 1) * side)
                if shapely.intersects(part, box) and not shapely.touches(part, box):
                    found.append(
                        Tile(Window(epsg, column * side, (row + 1) * side, tile_px, tile_px, resolution))
                    )
    return found


def owned_by_zone(window: Window) -> NDArray[np.bool_]:
    """(y, x) True where the pixel's centre lies in the window's own zone: one zone per ground point."""
    box = project(zone_box(window.epsg), 4326, window.epsg, densify=0.05)
    shapely.prepare(box)
    if shapely.contains_properly(box, shapely.box(*window.bounds)):
        return np.ones(window.shape, dtype=bool)
    longitude, latitude = transformer(window.epsg, 4326).transform(*np.meshgrid(window.x, window.y))
    return np.asarray(utm_zones(longitude, latitude) == window.epsg)


@lru_cache(maxsize=256)
def _lattice_areal_scale(epsg: int, column: int, row: int) -> float:
    """Areal scale (grid area / ellipsoid area) at a point of the absolute lattice."""
    proj = Proj(epsg)
    lon, lat = proj(column * _LATTICE_M, row * _LATTICE_M, inverse=True)
    return float(proj.get_factors(lon, lat).areal_scale)


@lru_cache(maxsize=2)
def cell_area(window: Window) -> NDArray[np.float64]:
    """(y, x) true area of each cell on the WGS 84 ellipsoid, m2; not to be written to, as it is kept.

    UTM is conformal, so the area is the grid area divided by the squared point scale factor (Snyder
    1987, USGS Professional Paper 1395, eqs. 8-11, 8-18). The scale is evaluated by PROJ on an absolute
    lattice of 960 m and interpolated bilinearly with + and * alone, so a cell has the same area in every
    window that holds it; the relative interpolation error is below 3e-9.
    """
    c0, c1 = math.floor(window.left / _LATTICE_M), math.ceil(window.right / _LATTICE_M)
    r0, r1 = math.floor(window.bottom / _LATTICE_M), math.ceil(window.top / _LATTICE_M)
    nodes = np.array(
        [[_lattice_areal_scale(window.epsg, c, r) for c in range(c0, c1 + 1)] for r in range(r0, r1 + 1)]
    )
    u, v = window.x / _LATTICE_M, window.y / _LATTICE_M
    i, j = np.floor(u).astype(int) - c0, np.floor(v).astype(int) - r0
    fu, fv = u - np.floor(u), (v - np.floor(v))[:, None]
    along = nodes[:, i] * (1 - fu) + nodes[:, i + 1] * fu
    area: NDArray[np.float64] = along[j] * (1 - fv)
    area += along[j + 1] * fv
    np.divide(window.resolution**2, area, out=area)
    area.setflags(write=False)
    return area


def cell_area_units(window: Window) -> NDArray[np.int64]:
    """(y, x) `cell_area` rounded to integers of 1e-6 m2: their sums do not depend on any order."""
    return np.rint(cell_area(window) / AREA_UNIT_M2).astype(np.int64)


def hectares(units: int) -> float:
    """Hectares of an integer sum of 1e-6 m2."""
    return units / 10**10


def geodesic_hectares(geometry: BaseGeometry) -> float:
    """Area of a polygon in degrees on the WGS 84 ellipsoid, ha (Karney 2013, doi:10.1007/s00190-012-0578-z).

    Rings may run in either direction: they are oriented first, so that holes are subtracted.
    """
    outline = shapely.segmentize(shapely.normalize(geometry), 0.01)
    return abs(_GEOD.geometry_area_perimeter(outline)[0]) / 10_000


def ring_hectares(ring: BaseGeometry) -> float:
    """Area of a ring in degrees on the WGS 84 ellipsoid, ha; where it crosses itself, loops cancel."""
    lon, lat = shapely.get_coordinates(shapely.segmentize(ring, 0.01)).T
    return abs(float(_GEOD.polygon_area_perimeter(lon, lat)[0])) / 10_000


def windows_bounds(windows: Iterable[Window]) -> Iterator[tuple[int, BaseGeometry]]:
    """(EPSG, outline in degrees) of each window, edges cut so that the outline holds on the ellipsoid."""
    for window in windows:
        box = shapely.segmentize(shapely.box(*window.bounds), window.width * window.resolution / 8)
        yield window.epsg, project(box, window.epsg, 4326)
