"""Invented districts, provinces and departments on the two banks of the border river, and legal zones."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.grid import Window, project
from cocal.simulate.land.terrain import Terrain
from cocal.simulate.noise import fractal

Array = NDArray[np.float64]

LABEL = "(simulated)"
STEP_M = 30.0
MARGIN_SHARE, WAVE_SHARE = 0.006, 0.014
"""Distance of the outer border from the scene's edge, and height of its waves, as shares of the side."""


@dataclass(frozen=True)
class Place:
    """An invented district, with its province and department."""

    region_id: str
    name: str
    country: str
    province: str
    department: str


PLACES = (
    Place("SIM-PE-1", f"Chirimayuq {LABEL}", "PE", f"Wayrapata {LABEL}", f"Antakirma {LABEL}"),
    Place("SIM-PE-2", f"Tambo Kusisqa {LABEL}", "PE", f"Ñusta Urqu {LABEL}", f"Antakirma {LABEL}"),
    Place("SIM-PE-3", f"Ñanpallqa {LABEL}", "PE", f"Ñusta Urqu {LABEL}", f"Antakirma {LABEL}"),
    Place("SIM-BO-1", f"Suchuwara {LABEL}", "BO", f"Illawani {LABEL}", f"Qhanamarka {LABEL}"),
    Place("SIM-BO-2", f"Yunkapata Nueva {LABEL}", "BO", f"Puka Kunka {LABEL}", f"Qhanamarka {LABEL}"),
    Place("SIM-BO-3", f"Quebrada Achuma {LABEL}", "BO", f"Puka Kunka {LABEL}", f"Qhanamarka {LABEL}"),
)
"""West bank (PE) then east bank (BO), each from north to south. None is the name of a real place."""


@dataclass(frozen=True)
class Zone:
    """A zone with a legal status: a rounded shape within one district, by shares of the land's side."""

    zone_id: str
    name: str
    kind: str
    region_id: str
    east: float
    south: float
    radius: float
    legal_share: float | None = None


ZONES = (
    Zone(
        "SIM-ZA-1", f"Zona autorizada Puka Kunka {LABEL}", "authorised", "SIM-BO-2", 0.17, 0.50, 0.135, 0.045
    ),
    Zone("SIM-ZA-2", f"Zona autorizada Achuma {LABEL}", "authorised", "SIM-BO-3", 0.12, 0.73, 0.06, 0.02),
    Zone("SIM-AP-1", f"Parque Suchuwara {LABEL}", "protected", "SIM-BO-1", 0.22, 0.16, 0.15),
    Zone("SIM-AP-2", f"Reserva Ñanpallqa {LABEL}", "protected", "SIM-PE-3", -0.30, 0.84, 0.13),
)
"""`east` is from the border river, `south` from the northern edge. Authorised zones (Bolivian law) have coca
on `legal_share` of their ground; the limit in hectares is rounded to 5."""


def _wave(terrain: Terrain, stream: str, along: Array, side: float) -> Array:
    bends = fractal(terrain.seed, f"border/{stream}", along, 0.0, side / 4, 3)
    return np.asarray(np.clip(bends, -2.0, 2.0) * WAVE_SHARE * side / 2)


def _divide(terrain: Terrain, stream: str, x: Array, height: float, side: float) -> Array:
    """A line across one bank at about `height`, level near the river, so that it crosses the river once."""
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
    """region_id, name, country, province, department and polygon (degrees) of the districts."""
    shapes = [project(shape, window.epsg, 4326) for shape in outlines(terrain, window)]
    return gpd.GeoDataFrame(list(PLACES), geometry=shapes, crs="EPSG:4326")


def parent_table(districts: gpd.GeoDataFrame, level: str) -> gpd.GeoDataFrame:
    """region_id, name, country and polygon of the provinces or departments that the districts make up."""
    whole = districts.dissolve(by=["country", level], as_index=False)[["country", level, "geometry"]]
    number = whole.groupby("country").cumcount() + 1
    ids = [f"SIM-{c}-{level[0].upper()}{n}" for c, n in zip(whole["country"], number, strict=True)]
    columns = ["region_id", "name", "country", "geometry"]
    return whole.rename(columns={level: "name"}).assign(region_id=ids)[columns]


def zone_table(terrain: Terrain, window: Window) -> gpd.GeoDataFrame:
    """zone_id, name, kind (authorised, protected), country, limit_ha (null where none), polygon (degrees)."""
    districts = dict(zip([p.region_id for p in PLACES], outlines(terrain, window), strict=True))
    countries = {p.region_id: p.country for p in PLACES}
    side, angles, shapes, limits = (
        float(window.right - window.left),
        np.linspace(0, 2 * np.pi, 73)[:-1],
        [],
        [],
    )
    for number, zone in enumerate(ZONES):
        north = window.top - zone.south * side
        middle = np.array([float(terrain.river_x(north)[0]) + zone.east * side, north])
        wave = 1.0 + 0.12 * np.clip(
            fractal(terrain.seed, "zone", np.cos(angles), np.sin(angles) + 9.0 * number, 1.1, 2), -2, 2
        )
        ring = middle + zone.radius * side * wave[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        shape = shapely.intersection(shapely.Polygon(ring), districts[zone.region_id])
        share = np.nan if zone.legal_share is None else zone.legal_share
        limits.append(5 * np.rint(shape.area / 1e4 * share / 5))
        shapes.append(project(shape, window.epsg, 4326))
    table = gpd.GeoDataFrame(list(ZONES), geometry=shapes, crs="EPSG:4326")
    table["country"], table["limit_ha"] = table["region_id"].map(countries), limits
    return table[["zone_id", "name", "kind", "country", "limit_ha", "geometry"]]
