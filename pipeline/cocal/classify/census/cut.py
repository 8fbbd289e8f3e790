"""Polygons in degrees -> the edges that reach a tile, in whole steps of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.classify.census.edges import STEPS, ring_edges
from cocal.grid import Window, transformer, zone_box

Ints = NDArray[np.int64]
Shapes = NDArray[np.object_]

_EDGE_DEGREES = 0.001
"""Edges are cut to about 110 m before they are projected: straight to 0.1 mm at 15 degrees of latitude."""

_REACH_DEGREES = 15.0
"""Polygons are cut this far from their zone, where its projection still has a place for them."""

_LARGE = 2_000
"""Corners from which a polygon is projected once per zone, not once per tile."""


class Cutter:
    """Cuts polygons (degrees) to the tiles of one zone."""

    def __init__(self, shapes: Shapes, epsg: int, resolution: int) -> None:
        west, _, east, _ = zone_box(epsg).bounds
        near = west - _REACH_DEGREES, -80.0, east + _REACH_DEGREES, 84.0
        bounds = shapely.bounds(shapes)
        far = (bounds[:, :2] < near[:2]).any(axis=1) | (bounds[:, 2:] > near[2:]).any(axis=1)
        shapes = shapes.copy()
        shapes[far] = shapely.intersection(shapes[far], shapely.box(*near))
        self.shapes, self.epsg, self.resolution = shapes, epsg, resolution
        self.corners = shapely.get_num_coordinates(shapes)
        self.large: dict[int, Ints] = {}

    def edges(self, window: Window, chosen: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
        """((k, 5) edges as `coverage` takes them on the window, (k,) position in `chosen` of their polygon).

        Edges that add nothing to the window are left out.
        """
        is_large = self.corners[chosen] > _LARGE
        small = np.flatnonzero(~is_large)
        edges, polygon = self._edges(self.shapes[chosen[small]])
        found, of = [edges], [small[polygon]]
        for place in np.flatnonzero(is_large):
            own = self._of_large(int(chosen[place]))
            found.append(own)
            of.append(np.full(len(own), place))
        edges, polygon = np.concatenate(found), np.concatenate(of)
        edges[:, [0, 2]] -= window.left * STEPS // self.resolution
        edges[:, [1, 3]] += window.top * STEPS // self.resolution
        there = (edges[:, 1] < window.height * STEPS) & (edges[:, 3] > 0)
        there &= np.minimum(edges[:, 0], edges[:, 2]) < window.width * STEPS
        return edges[there], polygon[there]

    def _of_large(self, shape: int) -> Ints:
        if shape not in self.large:
            self.large[shape] = self._edges(self.shapes[[shape]])[0]
        return self.large[shape].copy()

    def _edges(self, shapes: Shapes) -> tuple[Ints, Ints]:
        """Edges in steps east and south of the zone's origin, and the position of their polygon."""
        parts, shape = shapely.get_parts(shapely.segmentize(shapes, _EDGE_DEGREES), return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        xy, ring = shapely.get_coordinates(rings, return_index=True)
        if not len(xy):
            return np.empty((0, 5), dtype=np.int64), np.empty(0, dtype=np.int64)
        x, y = transformer(4326, self.epsg).transform(xy[:, 0], xy[:, 1])
        steps = np.rint(np.column_stack([x, np.negative(y)]) * (STEPS / self.resolution)).astype(np.int64)
        is_hole = np.append(False, part[1:] == part[:-1])
        edges, edge_ring = ring_edges(steps, ring, is_hole)
        return edges, shape[part[edge_ring]]
