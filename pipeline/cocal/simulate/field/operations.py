"""Invented operations of eradication: tracks of crews, some true, some of ground that was not cleared."""

from __future__ import annotations

from datetime import date, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from cocal.simulate.field.official import VALIDATED
from cocal.simulate.field.polygons import KEY
from cocal.simulate.field.survey import Surveyed
from cocal.simulate.land.places import PLACES
from cocal.simulate.noise import normal, uniform
from cocal.simulate.settings import EPSG, SimulateSettings

GPS_M, TOLERANCE_M = 3.0, 2.0
"""Standard deviation of a track's shift in each direction; detail that it does not hold (assumptions)."""
TOO_LARGE_SHARE = 0.15
"""Share of true operations whose track holds as much ground again beside the plot (assumption)."""

BEARING = ("productive", "pruned")


def operation_tables(whole: Surveyed, settings: SimulateSettings) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """(operations, their truth) of the last year.

    Operations: operation_id, first_day, last_day, claimed_ha, source, polygon (m). Of each bank about the
    share `VALIDATED` is true: a bearing plot of the year before that was eradicated on those days. The others
    are plots that still stand, or that stood no more. Truth: operation_id, cleared_share (of the polygon,
    within the year), cleared_ha.
    """
    rows = _claims(whole, settings)
    outline = np.array(rows["geometry"].tolist(), dtype=object)
    key = [rows["column"] * 8 + rows["layer"], rows["row"]]
    draw = uniform(settings.seed, "operation/size", *key)
    large = rows["true"].to_numpy() & (draw < TOO_LARGE_SHARE)
    outline[large] = [_doubled(shape) for shape in outline[large]]
    track = shapely.simplify(outline, TOLERANCE_M)
    moves = [GPS_M * normal(settings.seed, f"operation/{axis}", *key) for axis in "xy"]
    track = np.array([translate(one, *by) for one, *by in zip(track, *moves, strict=True)], dtype=object)
    track = np.array([shapely.make_valid(one) for one in track], dtype=object)
    cleared = shapely.union_all(np.array(rows.loc[rows["true"], "geometry"].tolist(), dtype=object))
    share = shapely.area(shapely.intersection(track, cleared)) / shapely.area(track)
    days = [date(2000, 1, 1) + timedelta(days=int(day)) for day in rows["day"]]
    ids = [f"SIM-E{number:04d}" for number in range(1, len(rows) + 1)]
    hectares = shapely.area(track) / 1e4
    table = gpd.GeoDataFrame(
        {
            "operation_id": ids,
            "first_day": [day.isoformat() for day in days],
            "last_day": [day.isoformat() for day in days],
            "claimed_ha": np.round(hectares, 2),
            "source": "SIMULATED eradication authority",
        },
        geometry=list(track),
        crs=f"EPSG:{EPSG}",
    )
    truth = pd.DataFrame(
        {
            "operation_id": ids, "cleared_share": share, "cleared_ha": share * hectares,
            "source": "SIMULATED truth",
        }
    )  # fmt: skip
    return table, truth


def _claims(whole: Surveyed, settings: SimulateSettings) -> pd.DataFrame:
    """The plots that are claimed, from north to south: `KEY`, geometry, day, true."""
    year, plots = settings.year, whole.plots
    before = plots[(plots["year"] == year - 1) & plots["there"]]
    own = whole.cleared[whole.cleared["year"] == year].drop_duplicates(KEY)
    country = np.array([place.country for place in PLACES])
    cleared = before.merge(own[[*KEY, "day", "region"]], on=KEY).assign(true=True)
    cleared["country"] = country[cleared["region"]]
    rest = before.merge(own[KEY], on=KEY, how="left", indicator=True)
    rest = rest[rest["_merge"] == "left_only"].drop(columns="_merge")
    rest = rest.assign(true=False, country=_bank(rest, settings))
    key = [rest["column"] * 8 + rest["layer"], rest["row"]]
    year_start = (date(year, 1, 1) - date(2000, 1, 1)).days
    rest["day"] = year_start + np.floor(365 * uniform(settings.seed, "operation/day", *key)).astype(int)
    # four in five of the false ones still bear, the others are nurseries or were left
    bears = rest["state"].isin(BEARING).to_numpy()
    draw = uniform(settings.seed, "operation/false", *key)
    rest["draw"] = np.where(bears, draw, 4 * draw + 0.05)
    parts = [cleared]
    for code, share in VALIDATED.items():
        n = round(int((cleared["country"] == code).sum()) * (1 - share) / share)
        parts.append(rest[rest["country"] == code].nsmallest(n, "draw"))
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["y", "x"], ascending=[False, True], ignore_index=True)


def _bank(rows: pd.DataFrame, settings: SimulateSettings) -> NDArray[np.str_]:
    """PE west of the river, BO east of it."""
    offset = settings.terrain.river_offset(rows["x"].to_numpy(), rows["y"].to_numpy())
    return np.where(offset > 0, "BO", "PE")


def _doubled(shape: BaseGeometry) -> BaseGeometry:
    """The plot and as much ground again beside it."""
    west, _, east, _ = shape.bounds
    return shapely.union(shape, translate(shape, east - west, 0.0))
