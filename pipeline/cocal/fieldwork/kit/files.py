"""The kit's vector files: squares of pixels, waypoints and days of each crew."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from cocal.fieldwork.design.points import fixed_date, write_gpx
from cocal.fieldwork.design.texts import KIT
from cocal.grid import RESOLUTION_M, project
from cocal.store import write_csv

SQUARES = "squares"


def pixel_squares(sample: pd.DataFrame) -> gpd.GeoDataFrame:
    """The square of the map's pixel around each point, degrees, with point_id; x and y are its centre, m."""
    half = RESOLUTION_M / 2
    x, y = (sample[name].to_numpy(np.float64) for name in ("x", "y"))
    shapes = shapely.box(x - half, y - half, x + half, y + half)
    for epsg in np.unique(sample["epsg"]).tolist():
        own = (sample["epsg"] == epsg).to_numpy()
        shapes[own] = project(shapes[own], epsg, 4326)
    return gpd.GeoDataFrame({"point_id": sample["point_id"].to_numpy()}, geometry=shapes, crs=4326)


def write_squares(path: Path, sample: pd.DataFrame, *, simulated: bool) -> None:
    """Write the GeoPackage of the squares."""
    mark = {"SIMULATED": "yes"} if simulated else None
    with fixed_date():
        pyogrio.write_dataframe(
            pixel_squares(sample), path, driver="GPKG", layer=SQUARES, layer_metadata=mark
        )


def write_lists(folder: Path, sample: pd.DataFrame, *, simulated: bool) -> None:
    """Write days.csv and the waypoints: crew-1.gpx ... in the order of the visits, reserves.gpx.

    `sample` has the columns of the plan; those of reserve points are empty. Restricted: positions.
    """
    columns = ["crew", "crew_day", "stop", "point_id", "role", "region_id", "lon", "lat", "leg_m"]
    planned = sample[sample["crew"].notna()].sort_values(["crew", "crew_day", "stop"])
    days = planned[[*columns, *(["road_m"] if "road_m" in sample else [])]]
    write_csv(folder / "days.csv", days.round({"leg_m": 0, "road_m": 0, "lon": 7, "lat": 7}))
    for crew, own in planned.groupby("crew"):
        words = [
            " / ".join(text.format(day=day, stop=stop) for text in KIT["stop"].values())
            for day, stop in zip(own["crew_day"], own["stop"], strict=True)
        ]
        write_gpx(folder / f"crew-{crew}.gpx", own, simulated=simulated, words=words)
    reserves = sample[sample["crew"].isna()]
    if len(reserves):
        write_gpx(folder / "reserves.gpx", reserves, simulated=simulated)
