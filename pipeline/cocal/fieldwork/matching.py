"""Records + regions + map -> one row per record: the map's class where the record was taken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from cocal.contracts import RECORDS, check_table
from cocal.errors import ContractError, InputError
from cocal.fieldwork.columns import listed
from cocal.fieldwork.settings import MatchSettings
from cocal.grid import geodesic_hectares, pixel_centres, pixel_zones, project, transformer
from cocal.regions import Regions, owners_at
from cocal.scheme import ClassScheme

log = logging.getLogger(__name__)

MATCHED, UNCERTAIN, UNOBSERVED = "matched", "uncertain", "unobserved"
OUTSIDE_MAP, OUTSIDE_REGIONS, NOT_VISITED = "outside_map", "outside_regions", "not_visited"

STATUSES = (MATCHED, UNCERTAIN, UNOBSERVED, OUTSIDE_MAP, OUTSIDE_REGIONS, NOT_VISITED)
"""What can become of a record; the last that holds, in this order, is its status."""

_UNOBSERVED_CODE, _OUTSIDE_CODE, _UNCERTAIN_CODE = 0, 255, -1

_MOST_NORTHERN = 80.0
"""Latitudes beyond, degrees, have no UTM zone."""

_QUARTER_SEGMENTS = 16
"""Segments of a quarter circle: the polygon's area is 0.16 % below the circle's."""

_FROM_RECORDS = (
    "record_id", "sample_id", "stratum", "second_class", "inclusion_probability", "role", "why_not", "split",
)  # fmt: skip

Lookup = Callable[[int, NDArray[np.float64], NDArray[np.float64]], NDArray[np.uint8]]
"""(EPSG, x, y of pixel centres, m) -> class codes; 0 = not observed, 255 = outside the map."""


def match(
    records: gpd.GeoDataFrame,
    regions: Regions,
    lookup: Lookup,
    *,
    scheme: ClassScheme,
    settings: MatchSettings,
    resolution: int,
) -> pd.DataFrame:
    """Return one row per record, in their order, with the map's class on its ground.

    Parameters
    ----------
    records
        records/1.
    regions
        Regions that own the ground.
    lookup
        Gives the map's class codes at pixel centres of one UTM zone.
    scheme
        Scheme that made the map and the records.
    settings
        The ground of a record, and the share that the map's class must exceed there.
    resolution
        Pixel side of the map, m.

    Returns
    -------
    DataFrame
        record_id, sample_id, region_id (that of the design where the record states it, else that of its
        position; null outside), located_in (region by position), stratum, map_class (null unless the map
        has one there), map_share (of the record's ground that the most frequent code has), reference_class,
        second_class, inclusion_probability, role, why_not, split and status, one of `STATUSES`. A record
        lies in the UTM zone of its point, or of an inner point of its plot (`cocal.grid.pixel_zones`).

    Raises
    ------
    InputError
        A region that the records state is none of the run's; or records lie in a region only with longitude
        and latitude exchanged.
    """
    check_table(records, RECORDS)
    n = len(records)
    owner, code, share = np.full(n, -1, np.int32), np.full(n, _OUTSIDE_CODE, np.int64), np.zeros(n)
    points = records.geometry.representative_point()
    zone = pixel_zones(points.x, points.y, resolution)
    accuracy = records["positional_accuracy_m"].to_numpy(dtype=np.float64)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        x, y = transformer(4326, epsg).transform(points.x[here].to_numpy(), points.y[here].to_numpy())
        owner[here] = owners_at(regions, epsg, x, y, resolution=resolution)
        shapes = np.array([project(s, 4326, epsg) for s in records.geometry[here]], dtype=object)
        ground = footprints(shapes, accuracy[here], settings, resolution=resolution)
        code[here], share[here] = _vote(ground, lookup(epsg, ground.x, ground.y), len(shapes), settings)
    _check_exchanged(records["record_id"], points[owner < 0], regions, resolution)
    located = _values_or_null(regions.table["region_id"], owner)
    stated = records["region_id"].reset_index(drop=True).astype("string")
    _check_regions(stated, regions)
    region = stated.fillna(located)
    table = pd.DataFrame(
        {name: records[name].to_numpy() for name in _FROM_RECORDS}
        | {
            "region_id": region,
            "located_in": located,
            "map_class": _class_names(code, scheme),
            "map_share": share,
            "reference_class": records["class"].to_numpy(),
            "status": _status(code, region.isna().to_numpy(), records["visited"].to_numpy(dtype=bool)),
        }
    )
    log.info("records matched: %s", ", ".join(f"{k} {v}" for k, v in status_counts(table).items()))
    return table


def status_counts(matched: pd.DataFrame) -> dict[str, int]:
    """Return the number of records of each status; together they are all records."""
    return {status: int((matched["status"] == status).sum()) for status in STATUSES}


def recorded_hectares(records: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return (n,) the area on the ellipsoid of each record's plot, ha; NaN for a point."""
    plots = (shape if shapely.get_dimensions(shape) == 2 else None for shape in records.geometry)
    return np.array([np.nan if plot is None else geodesic_hectares(plot) for plot in plots], dtype=np.float64)


def _vote(
    ground: Footprints, codes: NDArray[np.uint8], n: int, settings: MatchSettings
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the code with most of each record's ground, and its share; uncertain without a majority."""
    votes = np.zeros((n, 256))
    np.add.at(votes, (ground.record, codes), ground.shared_m2)
    total = votes.sum(axis=1)
    best = votes.argmax(axis=1)
    share = votes.max(axis=1) / total
    needed = 0.0 if settings.majority is None else settings.majority
    return np.where(share > needed, best, _UNCERTAIN_CODE), share


def _check_exchanged(ids: pd.Series, astray: gpd.GeoSeries, regions: Regions, resolution: int) -> None:
    """Refuse records outside all regions that lie in one with longitude and latitude exchanged."""
    astray = astray[astray.x.abs() < _MOST_NORTHERN]
    lon, lat = astray.y.to_numpy(), astray.x.to_numpy()
    zone, inside = pixel_zones(lon, lat, resolution), np.zeros(len(lon), dtype=bool)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        x, y = transformer(4326, epsg).transform(lon[here], lat[here])
        inside[here] = owners_at(regions, epsg, x, y, resolution=resolution) >= 0
    if inside.any():
        raise InputError(
            "records with longitude and latitude exchanged: they lie outside every region",
            "positions inside the regions, or outside them in either order",
            f"record_id {listed(ids[astray.index[inside]].tolist(), repr)}",
            "exchange the two in these rows (`cocal records check` proposes it)",
        )


def _check_regions(stated: pd.Series, regions: Regions) -> None:
    unknown = sorted(set(stated.dropna()) - set(regions.table["region_id"].astype(str)))
    if unknown:
        raise InputError(
            "the records state regions that the run does not have",
            "region ids of `regions:`",
            listed(unknown, repr),
            "correct the column that `records.columns.region_id` names, or leave that key out",
        )


def _values_or_null(values: pd.Series, index: NDArray[np.int32]) -> pd.Series:
    """Return values by position; null where the index is -1."""
    return pd.Series(pd.array([values.iloc[i] if i >= 0 else pd.NA for i in index], dtype="string"))


def _class_names(code: NDArray[np.int64], scheme: ClassScheme) -> pd.Series:
    names = {c.code: c.key for c in scheme.classes}
    unknown = set(np.unique(code).tolist()) - set(names) - {_UNOBSERVED_CODE, _OUTSIDE_CODE, _UNCERTAIN_CODE}
    if unknown:
        raise ContractError(
            "the map has class codes that the scheme does not have",
            ", ".join(f"{k} {v}" for k, v in names.items()),
            ", ".join(map(str, sorted(unknown))),
            f"read the map with the scheme that made it, not {scheme.id!r}",
        )
    return pd.Series(pd.array([names.get(c, pd.NA) for c in code.tolist()], dtype="string"))


def _status(
    code: NDArray[np.int64], homeless: NDArray[np.bool_], visited: NDArray[np.bool_]
) -> NDArray[np.str_]:
    return np.select(
        [~visited, homeless, code == _OUTSIDE_CODE, code == _UNOBSERVED_CODE, code == _UNCERTAIN_CODE],
        [NOT_VISITED, OUTSIDE_REGIONS, OUTSIDE_MAP, UNOBSERVED, UNCERTAIN],
        MATCHED,
    )


@dataclass(frozen=True)
class Footprints:
    """Pixels under records: (k,) row of the record, pixel centre (m), and ground that they share, m2."""

    record: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    shared_m2: NDArray[np.float64]


def footprints(
    shapes: NDArray[np.object_], accuracy_m: NDArray[np.float64], settings: MatchSettings, *, resolution: int
) -> Footprints:
    """Return every pixel of the absolute lattice under a record, with the ground that both share.

    Parameters
    ----------
    shapes : (n,) points or polygons in metres of one UTM zone.
    accuracy_m : (n,) radius of the error circle, m; NaN = `settings.unknown_accuracy_m`.
    settings : what the support is.
    resolution : pixel side, m.

    Raises
    ------
    InputError : the error circle is used and a record has no positional error, nor is one stated.
    """
    if settings.support == "plot":
        return _overlaps(shapes, resolution)
    if settings.positional_error == "majority":
        return _overlaps(_circles(shapes, accuracy_m, settings), resolution)
    half = 0 if settings.cluster_px is None else settings.cluster_px // 2
    steps = np.arange(-half, half + 1) * float(resolution)
    east, north = (a.ravel() for a in np.meshgrid(steps, steps))
    x, y = pixel_centres(shapely.get_x(shapes), shapely.get_y(shapes), resolution)
    return Footprints(
        np.repeat(np.arange(len(shapes)), east.size),
        np.add.outer(x, east).ravel(),
        np.add.outer(y, north).ravel(),
        np.full(len(shapes) * east.size, float(resolution**2)),
    )


def _circles(
    points: NDArray[np.object_], accuracy_m: NDArray[np.float64], settings: MatchSettings
) -> NDArray[np.object_]:
    unknown = np.isnan(accuracy_m)
    if unknown.any() and settings.unknown_accuracy_m is None:
        raise InputError(
            "records without a positional error have no error circle",
            "`positional_accuracy_m` of every record",
            f"{int(unknown.sum())} of {len(points)} records without it",
            "state `matching.unknown_accuracy_m:` for them, or `positional_error: ignore`",
        )
    radius = np.where(unknown, settings.unknown_accuracy_m or 0.0, accuracy_m)
    circles: NDArray[np.object_] = shapely.buffer(
        points, np.maximum(radius, 1e-3), quad_segs=_QUARTER_SEGMENTS
    )
    return circles


def _overlaps(shapes: NDArray[np.object_], resolution: int) -> Footprints:
    """Return the pixels that polygons share ground with."""
    low = np.floor(shapely.bounds(shapes)[:, :2] / resolution).astype(np.int64)
    high = np.ceil(shapely.bounds(shapes)[:, 2:] / resolution).astype(np.int64)
    wide, tall = (high - low).T
    pixels = wide * tall
    record = np.repeat(np.arange(len(shapes)), pixels)
    number = np.arange(len(record)) - np.repeat(np.cumsum(pixels) - pixels, pixels)
    column = low[record, 0] + number % wide[record]
    row = low[record, 1] + number // wide[record]
    west, south = column * float(resolution), row * float(resolution)
    cells = shapely.box(west, south, west + resolution, south + resolution)
    shared = shapely.area(shapely.intersection(cells, shapes[record]))
    touched = shared > 0
    middle = resolution / 2
    return Footprints(record[touched], west[touched] + middle, south[touched] + middle, shared[touched])
