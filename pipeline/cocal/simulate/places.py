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
    return np.clip(bends, -2.0, 2.0) * WAVE_SHARE * side / 2


def outlines(terrain: Terrain, window: Window) -> list[BaseGeometry]:
    """The regions' polygons in metres, in the order of `PLACES`; neighbours share their edges exactly."""
    west, south, east, north = window.bounds
    side = float(east - west)
    inset = (MARGIN_SHARE + WAVE_SHARE) * side
    x, y = np.arange(west, east + STEP_M, STEP_M), np.arange(south, north + STEP_M, STEP_M)
    river = terrain.river_x(y)
    lines = [
        np.column_stack([river, y]),
        np.column_stack([west + inset + _wave(terrain, "west", y, side), y]),
        np.column_stack([east - inset + _wave(terrain, "east", y, side), y]),
        np.column_stack([x, south + inset + _wave(terrain, "south", x, side)]),
        np.column_stack([x, north - inset + _wave(terrain, "north", x, side)]),
    ]
    middle = float(terrain.river_x(terrain.centre_y)[0])
    for bank, columns in (("pe", x[x < middle + side / 5]), ("bo", x[x > middle - side / 5])):
        for third in (1, 2):
            height = south + inset + (side - 2 * inset) * third / 3
            line = np.column_stack([columns, height + _wave(terrain, f"{bank}{third}", columns, side)])
            lines.append(_on_one_bank(line, lines[0], bank == "pe"))
    strings = shapely.MultiLineString([shapely.LineString(line) for line in lines])
    faces = shapely.get_parts(shapely.polygonize([shapely.node(strings)]))
    return _in_order(terrain, list(faces))


def _on_one_bank(line: Array, river: Array, west: bool) -> Array:
    """The part of a line on one bank, with its first point beyond the river so that they cross."""
    bank = line[:, 0] - np.interp(line[:, 1], river[:, 1], river[:, 0])
    beyond = bank > STEP_M if west else bank < -STEP_M
    return (
        line[: int(np.argmax(beyond)) + 1] if west else line[len(line) - int(np.argmax(beyond[::-1])) - 1 :]
    )


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
