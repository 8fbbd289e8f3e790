"""What polygons of a map hold: each less the earlier ones, the ground that two periods have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.classify.census.settings import MapSettings
from cocal.notes.account import first, record
from cocal.regions.polygons import crossings, hectares_of, valid_polygon, without

Shapes = NDArray[np.object_]

_NOISE = 1e-4
"""Share of the smaller polygon; less overlap is that of common edges: it counts once, and is not listed."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Polygons by row: valid, in degrees, none without area.

    `code`: of the class; `period`: position of the period; `layer`: position of the layer; `row` of its
    file, from 1; `hectares` as drawn.
    """

    shapes: Shapes
    code: NDArray[np.uint8]
    period: NDArray[np.int64]
    layer: NDArray[np.int64]
    row: NDArray[np.int64]
    hectares: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.shapes)

    def of(self, rows: NDArray[Any]) -> Drawn:
        """The polygons of those positions."""
        return Drawn(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def with_shapes(self, shapes: Shapes, changed: NDArray[np.bool_]) -> Drawn:
        """Other shapes, with their hectares; those without area are left out."""
        hectares = self.hectares.copy()
        hectares[changed] = hectares_of(shapes[changed])
        new = Drawn(shapes, self.code, self.period, self.layer, self.row, hectares)
        return new.of(np.flatnonzero(hectares > 0))


def exclusive(drawn: Drawn, settings: MapSettings) -> tuple[Drawn, pd.DataFrame]:
    """(the polygons less what earlier ones of their period hold, the overlaps).

    With `country`, layers of several countries do not compete: each counts on its own country's ground. The
    hectares that later polygons lose are recorded. The overlaps: file, row, earlier_file, earlier_row,
    overlap_ha of each pair.
    """
    group = groups_of(settings)[drawn.layer] + len(settings.layers) * drawn.period
    later, earlier = crossings(drawn.shapes, group)
    common = hectares_of(shapely.intersection(drawn.shapes[later], drawn.shapes[earlier]))
    there = common > 0
    later, earlier, common = later[there], earlier[there], common[there]
    files = np.array([layer.path.name for layer in settings.layers], dtype=object)
    listed_pair = common > _NOISE * np.minimum(drawn.hectares[later], drawn.hectares[earlier])
    losing, holding = later[listed_pair], earlier[listed_pair]
    overlaps = pd.DataFrame(
        {
            "file": files[drawn.layer[losing]], "row": drawn.row[losing],
            "earlier_file": files[drawn.layer[holding]], "earlier_row": drawn.row[holding],
            "overlap_ha": common[listed_pair],
        }
    )  # fmt: skip
    changed = np.zeros(len(drawn), dtype=bool)
    changed[later] = True
    found = drawn.with_shapes(without(drawn.shapes, later, earlier), changed)
    before, after = float(drawn.hectares.sum()), float(found.hectares.sum())
    if listed_pair.any():
        names = [f"{files[drawn.layer[i]]}: {drawn.row[i]}" for i in np.unique(losing)]
        record(
            "census_overlap", n=len(names), before_ha=before, after_ha=after,
            share=(before - after) / before, which=first(names),
        )  # fmt: skip
    return found, overlaps


def groups_of(settings: MapSettings) -> NDArray[np.int64]:
    """(layers,) number of the country that each layer states, by name; 0 for all where none does."""
    names = [layer.country or "" for layer in settings.layers]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def countries_of(settings: MapSettings) -> tuple[str, ...]:
    """Country of each group of layers, "" where layers state none: see `groups_of`."""
    groups = groups_of(settings).tolist()
    names = {group: layer.country or "" for group, layer in zip(groups, settings.layers, strict=True)}
    return tuple(names[i] for i in range(len(names)))


def common_parts(first_of: Drawn, second: Drawn, group: NDArray[np.int64]) -> tuple[Shapes, Any, Any]:
    """(common ground, position in the first, in the second) of every pair of polygons of one group.

    `group`: by position of the layer, see `groups_of`.
    """
    one, other = shapely.STRtree(second.shapes).query(first_of.shapes, predicate="intersects")
    same = group[first_of.layer[one]] == group[second.layer[other]]
    one, other = one[same], other[same]
    shapes = shapely.intersection(first_of.shapes[one], second.shapes[other])
    there = shapely.area(shapes) > 0
    return polygonal(shapes[there]), one[there], other[there]


def polygonal(shapes: Shapes) -> Shapes:
    """The same without the points and lines that an intersection leaves."""
    shapes = shapes.copy()
    for i in np.flatnonzero(~np.isin(shapely.get_type_id(shapes), (3, 6))):
        shapes[i] = valid_polygon(shapes[i])
    return shapes
