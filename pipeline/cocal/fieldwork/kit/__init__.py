"""What crews take along, beyond the list of points: who goes where on which day, roads, a QGIS project.

    crews     points -> crew, day and stop, by distance      roads    distance to the nearest road
    files     GeoPackages, waypoints and the list of days    project  the project for QGIS and QField

Positions are restricted; strata, probabilities and map classes are in none of these files.
"""

from __future__ import annotations

from cocal.fieldwork.kit.crews import PLAN_COLUMNS, plan_days, shortest_path
from cocal.fieldwork.kit.files import pixel_squares, write_lists, write_squares
from cocal.fieldwork.kit.project import Raster, write_project
from cocal.fieldwork.kit.roads import read_roads, road_distances

__all__ = [
    "PLAN_COLUMNS", "Raster", "pixel_squares", "plan_days", "read_roads", "road_distances",
    "shortest_path", "write_lists", "write_project", "write_squares",
]  # fmt: skip
