"""The records of each period, and the class that its maps show at each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.content import Ref
from cocal.contracts import CLASS_TIF, Period
from cocal.errors import InputError
from cocal.fieldwork import match
from cocal.fieldwork.columns import listed
from cocal.grid import RESOLUTION_M, Tile
from cocal.notes.account import part, record
from cocal.run.measure.task import HectaresTask

NO_MAP = 255
_COARSE_SHARE = 0.1
"""Of the records; with five decimals one in ten thousand ends in 00 twice."""


def split_by_period(
    task: HectaresTask, records: gpd.GeoDataFrame
) -> tuple[list[gpd.GeoDataFrame], gpd.GeoDataFrame]:
    """The records observed within each period, and those in none.

    A point that was not visited and has no date belongs to the only period or, in a drawn sample, to the
    only one with records, if there is only one.
    """
    day = pd.to_datetime(records["observed_on"])
    undated = day.isna() & ~records["visited"].astype(bool)
    inside = [day.between(pd.Timestamp(p.start), pd.Timestamp(p.end)) for p in task.periods]
    joined = task.records is not None and task.records.sample is not None
    own = [i for i, dated in enumerate(inside) if len(inside) == 1 or (joined and dated.any())]
    if len(own) == 1:
        inside[own[0]] |= undated
    return [records[i] for i in inside], records[~np.logical_or.reduce(inside)]


def match_period(task: HectaresTask, records: gpd.GeoDataFrame, period: Period) -> pd.DataFrame:
    """One period's records beside the map's class there.

    Raises
    ------
    InputError : a point of a probability sample has two records in the period.
    """
    settings = task.records
    assert settings is not None
    twice = records["sample_id"][records["sample_id"].duplicated(keep=False)]
    if settings.design == "probability" and len(twice):
        raise InputError(
            f"points of the sample have several records in period {period.name}",
            "one record per point and period, else it counts twice",
            f"sample_id {listed(sorted(set(twice)), repr)}",
            "keep the record that counts; a second observer's label goes into `columns.second_class`",
        )
    matched = match(
        records,
        task.regions,
        lookup_of(task.maps_of(period.name)),
        scheme=task.scheme,
        settings=settings.matching,
        resolution=RESOLUTION_M,
    )
    region, located = matched["region_id"], matched["located_in"]
    _record_some("records_elsewhere", matched, located.notna() & (region != located), period)
    _record_some("records_outside", matched, region.isna(), period)
    if settings.design == "probability":
        _record_some("records_same_place", records, records.geometry.to_wkb().duplicated(), period)
    coarse = _is_coarse(records)
    if settings.matching.positional_error == "ignore" and coarse.mean() > _COARSE_SHARE:
        _record_some("records_coarse", records, coarse, period)
    outside = matched.loc[region.isna(), "record_id"]
    if len(outside) and settings.design == "probability" and settings.outside == "refused":
        raise InputError(
            f"points of the probability sample lie in no region, period {period.name}",
            "every point in a region: its stratum counts the ground of the regions",
            f"{len(outside)} of {len(matched)} outside: record_id {listed(outside.tolist(), repr)}",
            "correct their positions or, where the strata were drawn from more than the regions, state "
            "`records: {outside: allowed}`: then these points count for no region",
        )
    return matched


def _is_coarse(records: gpd.GeoDataFrame) -> pd.Series[bool]:
    """Records whose longitude and latitude have three decimals at most: 111 m."""
    point = records.geometry.representative_point()
    degrees = np.stack([point.x, point.y]) * 1000
    return pd.Series((np.abs(degrees - np.rint(degrees)) < 1e-6).all(axis=0), index=records.index)


def _record_some(code: str, matched: pd.DataFrame, rows: pd.Series[bool], period: Period) -> None:
    if rows.any():
        record(code, period=period.name, **part(matched.loc[rows, "record_id"], len(matched)))


def lookup_of(maps: Mapping[Tile, Ref]) -> Callable[..., NDArray[np.uint8]]:
    """A function (epsg, x, y) -> class codes of the maps; 0 not observed, 255 outside the map."""

    def lookup(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
        codes = np.full(len(x), NO_MAP, dtype=np.uint8)
        for tile, ref in maps.items():
            row, column, inside = tile.window.locate(x, y)
            if tile.window.epsg == epsg and inside.any():
                classes = 0 if ref.folder is None else _classes(tile, ref)[row[inside], column[inside]]
                codes[inside] = classes
        return codes

    return lookup


def _classes(tile: Tile, ref: Ref) -> NDArray[np.uint8]:
    return read_raster(ref.file(CLASS_TIF), tile.window, tile.window.resolution, "uint8")
