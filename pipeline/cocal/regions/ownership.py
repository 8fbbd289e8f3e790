"""Regions + window -> which region owns each pixel.

Pixels are decided on fixed chunks of an absolute lattice and then cut to the window, so that a ground
pixel has the same owner in every window, tile and block that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.enums import MergeAlg
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cocal.grid import Window, owned_by_zone, project, windows_holding, zone_box
from cocal.regions.read import Regions

OUTSIDE = -1

_CHUNK_PX = 1536
_MARGIN_DEGREES = 3
_EDGE_DEGREES = 0.001
"""Edges are cut to about 110 m before they are projected: straight to 0.1 mm at 15 degrees of latitude."""


@dataclass(frozen=True, eq=False)
class _Zone:
    """Regions in the metres of one UTM zone. `edges` is (n, 4): x0, y0, x1, y1 of the outlines."""

    shapes: NDArray[np.object_]
    tree: shapely.STRtree
    edges: NDArray[np.float64]
    edge_region: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Owners in the smallest type, and the flat indices that were given away: chunks are kept."""

    owner: NDArray[np.signedinteger]
    given: NDArray[np.intp]

    @property
    def sliver(self) -> NDArray[np.bool_]:
        found = np.zeros(self.owner.shape, dtype=bool)
        found.ravel()[self.given] = True
        return found


def owners(regions: Regions, window: Window) -> NDArray[np.int32]:
    """(y, x) row of `regions.table` that owns each pixel, -1 outside.

    The owner is the first region, in the stated order, that holds the pixel's centre. A centre in no
    region that lies between two of them (see `slivers`) belongs to the nearest region.
    """
    found = np.full(window.shape, OUTSIDE, dtype=np.int32)
    for into, chunk, cut in _chunks(regions, window):
        found[into] = chunk.owner[cut]
    return found


def slivers(regions: Regions, window: Window) -> NDArray[np.bool_]:
    """(y, x) True where a pixel in no region is given to the nearest one.

    It lies between regions of two groups (`Regions.groups`): the directions to their nearest points are
    more than a right angle apart (negative scalar product), and the two distances together, the width of
    the gap, are at most `sliver_m` (metres of the grid). So a gap is given away across its whole width or
    not at all. Distances are compared in whole millimetres; at the same distance the first region in the
    stated order wins.
    """
    found = np.zeros(window.shape, dtype=bool)
    for into, chunk, cut in _chunks(regions, window):
        found[into] = chunk.sliver[cut]
    return found


def owned(regions: Regions, window: Window) -> NDArray[np.int32]:
    """(y, x) `owners` where the window's zone owns the pixel, else -1: the pixels that hectares count."""
    return np.where(owned_by_zone(window), owners(regions, window), np.int32(OUTSIDE))


def owners_at(
    regions: Regions, epsg: int, x: NDArray[np.float64], y: NDArray[np.float64], *, resolution: int
) -> NDArray[np.int32]:
    """(n,) `owners` of the pixels that hold the points (m, zone `epsg`; edges: see `cocal.grid`)."""
    found = np.full(len(x), OUTSIDE, dtype=np.int32)
    for chunk, here in windows_holding(epsg, x, y, _CHUNK_PX, resolution):
        row, column, _ = chunk.locate(x[here], y[here])
        found[here] = _chunk(regions, chunk).owner[row, column]
    return found


def _chunks(
    regions: Regions, window: Window
) -> Iterator[tuple[tuple[slice, slice], _Chunk, tuple[slice, slice]]]:
    """(place in the window, chunk, place in the chunk) for every chunk of the lattice that it touches."""
    side = _CHUNK_PX * window.resolution
    east, north = window.left % window.resolution, window.top % window.resolution
    for i in range((window.left - east) // side, (window.right - east - 1) // side + 1):
        for j in range((window.bottom - north) // side, (window.top - north - 1) // side + 1):
            cell = replace(
                window, left=i * side + east, top=(j + 1) * side + north, width=_CHUNK_PX, height=_CHUNK_PX
            )
            common = window.intersection(cell)
            if common is not None:
                yield window.slices_of(common), _chunk(regions, cell), cell.slices_of(common)


@lru_cache(maxsize=4)
def _zone(regions: Regions, epsg: int) -> _Zone:
    west, south, east, north = zone_box(epsg).bounds
    m = _MARGIN_DEGREES
    around = shapely.box(west - m, max(south - m, -85), east + m, min(north + m, 85))
    shapes = np.array(
        [
            project(shapely.intersection(g, around), 4326, epsg, densify=_EDGE_DEGREES)
            for g in regions.raw_geometries
        ],
        dtype=object,
    )
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(shapes[broken])
    rings, region = shapely.get_parts(shapely.boundary(shapes), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    edges = np.column_stack([points[:-1], points[1:]])[joined]
    return _Zone(shapes, shapely.STRtree(shapes), edges, region[ring[:-1][joined]])


@lru_cache(maxsize=8)
def _chunk(regions: Regions, window: Window) -> _Chunk:
    zone = _zone(regions, window.epsg)
    owner = np.full(window.shape, OUTSIDE, dtype=np.int32)
    last_first = [(shape, region) for region, shape in _clipped(zone, window, 10)][::-1]
    if last_first:
        rasterize(last_first, out=owner, transform=window.transform)
    sliver = np.zeros(window.shape, dtype=bool)
    if regions.sliver_m and (owner == OUTSIDE).any():
        sliver = _give_slivers(regions, zone, window, owner)
    small = owner.astype(np.min_scalar_type(-len(regions)))
    small.setflags(write=False)
    return _Chunk(small, np.flatnonzero(sliver))


def _clipped(zone: _Zone, window: Window, margin_m: float) -> list[tuple[int, BaseGeometry]]:
    """(region, its part in the window and a margin), in order of priority."""
    west, south, east, north = window.bounds
    box = shapely.box(west - margin_m, south - margin_m, east + margin_m, north + margin_m)
    near = np.sort(zone.tree.query(box, predicate="intersects"))
    parts = shapely.intersection(zone.shapes[near], box)
    return [(int(i), g) for i, g in zip(near, parts, strict=True) if shapely.get_dimensions(g) == 2]


def _give_slivers(
    regions: Regions, zone: _Zone, window: Window, owner: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Fill the gaps in `owner`; (y, x) True where that was done."""
    given = np.zeros(window.shape, dtype=bool)
    rows, columns = np.nonzero((owner == OUTSIDE) & _near_two(regions, zone, window))
    if not rows.size:
        return given
    x, y = window.x[columns], window.y[rows]
    near, dx, dy = _nearest_points(zone, window, regions.sliver_m, x, y)
    distance_mm = np.rint(1000 * np.sqrt(dx * dx + dy * dy))
    between = np.zeros(rows.size, dtype=bool)
    for a in range(len(near)):
        for b in range(a + 1, len(near)):
            if regions.groups[near[a]] != regions.groups[near[b]]:
                narrow = distance_mm[a] + distance_mm[b] <= 1000 * regions.sliver_m
                between |= narrow & (dx[a] * dx[b] + dy[a] * dy[b] < 0)
    nearest = near[np.argmin(np.where(np.isnan(distance_mm), np.inf, distance_mm), axis=0)]
    owner[rows[between], columns[between]] = nearest[between]
    given[rows[between], columns[between]] = True
    return given


def _near_two(regions: Regions, zone: _Zone, window: Window) -> NDArray[np.bool_]:
    """(y, x) True wherever two groups of regions are within `sliver_m`, and on a little more ground."""
    reach = 1.01 * regions.sliver_m + window.resolution
    parts = _clipped(zone, window, 2 * reach)
    group = np.array([regions.groups[i] for i, _ in parts])
    shapes = np.array([g for _, g in parts], dtype=object)
    kinds = np.unique(group)
    if len(kinds) < 2:
        return np.zeros(window.shape, dtype=bool)
    grown = [(shapely.union_all(shapely.buffer(shapes[group == k], reach)), 1) for k in kinds]
    count = rasterize(grown, window.shape, transform=window.transform, merge_alg=MergeAlg.add, dtype="int32")
    return np.asarray(count >= 2)


def _nearest_points(
    zone: _Zone, window: Window, reach: float, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Regions (k,) and the way (k, n) from each point to their outlines, m; NaN beyond `reach`."""
    west, south, east, north = window.bounds
    x0, y0, x1, y1 = zone.edges.T
    here = np.flatnonzero(
        (np.maximum(x0, x1) >= west - reach)
        & (np.minimum(x0, x1) <= east + reach)
        & (np.maximum(y0, y1) >= south - reach)
        & (np.minimum(y0, y1) <= north + reach)
    )
    near = np.unique(zone.edge_region[here])
    points = shapely.points(x, y)
    dx, dy = np.full((2, len(near), len(x)), np.nan)
    for k, region in enumerate(near):
        edges = zone.edges[here[zone.edge_region[here] == region]]
        tree = shapely.STRtree(shapely.linestrings(edges.reshape(-1, 2, 2)))
        point, edge = tree.query_nearest(points, max_distance=reach, all_matches=False)
        dx[k, point], dy[k, point] = _way_to_edge(x[point], y[point], edges[edge])
    return near, dx, dy


def _way_to_edge(
    x: NDArray[np.float64], y: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(dx, dy) from points to the nearest point of one edge each, m."""
    x0, y0, x1, y1 = edges.T
    ex, ey = x1 - x0, y1 - y0
    length = ex * ex + ey * ey
    along = ((x - x0) * ex + (y - y0) * ey) / np.where(length > 0, length, 1)
    along = np.clip(along, 0, 1)
    return x0 + along * ex - x, y0 + along * ey - y
