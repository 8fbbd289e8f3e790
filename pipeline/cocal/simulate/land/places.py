"""Six invented regions on the two banks of the border river, and what their figures are called."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.grid import Window, project
from cocal.simulate.noise import fractal
from cocal.simulate.terrain import Terrain

Array = NDArray[np.float64]

LABEL = "(simulated)"
STEP_M = 30.0
MARGIN_SHARE, WAVE_SHARE = 0.006, 0.014
"""Distance of the outer border from the scene's edge, and height of its waves, as shares of the side."""


@dataclass(frozen=True)
class Place:
    """An invented region."""

    region_id: str
    name: str
    country: str


PLACES = (
    Place("SIM-PE-1", f"Chirimayuq {LABEL}", "PE"),
    Place("SIM-PE-2", f"Tambo Kusisqa {LABEL}", "PE"),
    Place("SIM-PE-3", f"Ñanpallqa {LABEL}", "PE"),
    Place("SIM-BO-1", f"Suchuwara {LABEL}", "BO"),
    Place("SIM-BO-2", f"Yunkapata Nueva {LABEL}", "BO"),
    Place("SIM-BO-3", f"Quebrada Achuma {LABEL}", "BO"),
)
"""West bank (PE) then east bank (BO), each from north to south. None is the name of a real district."""


def _wave(terrain: Terrain, stream: str, along: Array, side: float) -> Array:
    bends = fractal(terrain.seed, f"border/{stream}", along, 0.0, side / 4, 3)
    return np.asarray(np.clip(bends, -2.0, 2.0) * WAVE_SHARE * side / 2)


def _divide(terrain: Terrain, stream: str, x: Array, height: float, side: float) -> Array:
    """A line across one bank at about `height`: level near the river, so that they cross once."""
    river = float(terrain.river_x(height)[0])
    west = stream.startswith("pe")
    own = x[x < river + 2 * STEP_M] if west else x[x > river - 2 * STEP_M]
    level = np.clip((np.abs(own - river) / side - 0.03) / 0.03, 0.0, 1.0)
    return np.column_stack([own, height + 2.5 * level * _wave(terrain, stream, own, side)])


def outlines(terrain: Terrain, window: Window) -> list[BaseGeometry]:
    """The regions' polygons in metres, in the order of `PLACES`; neighbours share their edges exactly."""
    west, south, east, north = window.bounds
    side = float(east - west)
    inset = (MARGIN_SHARE + WAVE_SHARE) * side
    x, y = np.arange(west, east + STEP_M, STEP_M), np.arange(south, north + STEP_M, STEP_M)
    lines = [
        np.column_stack([terrain.river_x(y), y]),
        np.column_stack([west + inset + _wave(terrain, "west", y, side), y]),
        np.column_stack([east - inset + _wave(terrain, "east", y, side), y]),
        np.column_stack([x, south + inset + _wave(terrain, "south", x, side)]),
        np.column_stack([x, north - inset + _wave(terrain, "north", x, side)]),
    ]
    for bank in ("pe", "bo"):
        for third in (1, 2):
            height = south + inset + (side - 2 * inset) * third / 3
            lines.append(_divide(terrain, f"{bank}{third}", x, height, side))
    strings = shapely.MultiLineString([shapely.LineString(line) for line in lines])
    faces = shapely.get_parts(shapely.polygonize([shapely.node(strings)]))
    return _in_order(terrain, list(faces))


def _in_order(terrain: Terrain, faces: list[BaseGeometry]) -> list[BaseGeometry]:
    """West bank then east bank, each from north to south."""
    inner = [face.representative_point() for face in faces]
    east = [bool(terrain.river_offset(p.x, p.y)[0] > 0) for p in inner]
    order = sorted(range(len(faces)), key=lambda k: (east[k], -inner[k].y))
    return [faces[k] for k in order]


def region_table(terrain: Terrain, window: Window) -> gpd.GeoDataFrame:
    """region_id, name, country and polygon (degrees) of the six invented regions."""
    shapes = [project(shape, window.epsg, 4326) for shape in outlines(terrain, window)]
    columns = {
        "region_id": [p.region_id for p in PLACES],
        "name": [p.name for p in PLACES],
        "country": [p.country for p in PLACES],
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
