"""A file of field records -> records/1; the table of the strata of its design."""

from __future__ import annotations

import logging
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from cocal.contracts import RECORD_COLUMNS, RECORDS, check_table
from cocal.crosswalk import TEXTS
from cocal.errors import InputError
from cocal.fieldwork.columns import Columns, listed
from cocal.fieldwork.settings import READ, RecordSettings
from cocal.fieldwork.tables import read_rows
from cocal.grid import transformer
from cocal.notes import Note
from cocal.scheme import ClassScheme

log = logging.getLogger(__name__)

_POINT, _POLYGON, _MULTIPOLYGON = 0, 3, 6
_WIDEST_PLOT, _LARGEST_ERROR_M = 0.1, 5_000
"""Degrees, and metres of positional error, beyond which a record is of no place on a map of 10 m."""

_OLDEST = 100
"""Years of a coca bush beyond which an age is none."""

UNREAD = ("visited", "role", "split")
"""Columns that decide which records count: a file has them for a purpose."""


def read_records(settings: RecordSettings, scheme: ClassScheme) -> gpd.GeoDataFrame:
    """Read field records as records/1, EPSG:4326, one row per row of the file in its order.

    With `sample` the rows are those of `read_returned`, one per point.

    `attrs` holds contract, design, the scheme's sha256, `unread`: the columns of `UNREAD` that the file has
    and `columns` does not name, and `asked`: notes on answers that must be confirmed. `cover` is in per
    cent, `observed_on` a day. `inclusion_probability` is NaN for purposive records. Nothing is corrected.

    Raises
    ------
    InputError
        With every problem at once, by row: columns that are missing, ids that are missing or used twice,
        labels without a class, positions that are not on the Earth, probabilities outside (0, 1], points
        of a probability sample without stratum. No message holds a position.
    """
    problems: list[str] = []
    asked: list[Note] = []
    if settings.sample is None:
        rows = read_rows(settings.path, settings.layer)
    else:
        from cocal.fieldwork.returned import read_returned  # scipy, which other records do without

        returned = read_returned(settings, scheme)
        rows, problems, asked = returned.rows, returned.problems, returned.asked
        settings = settings.model_copy(update={"columns": READ, "class_names": None, "crs": None})
    _check_columns(rows, settings, scheme)
    read = Columns(rows, problems)
    names = settings.columns
    visited = read.flags(names.visited)
    table = {
        "record_id": read.ids(str(names.record_id)),
        "observed_on": read.dates(names.observed_on),
        "class": read.classes(str(names.class_), settings.class_names, scheme.keys, visited),
        "cover": read.numbers(names.cover, 0, 100),
        "positional_accuracy_m": read.numbers(names.positional_accuracy_m, 0, _LARGEST_ERROR_M),
        "source": read.text(names.source),
        "stratum": read.text(names.stratum),
        "sample_id": read.text(names.sample_id or names.record_id),
        "region_id": read.text(names.region_id),
        "role": read.choices(names.role, ("main", "reserve")),
        "second_class": read.labels(names.second_class, settings.class_names, scheme.keys),
        "why_not": read.text(names.why_not),
        "inclusion_probability": read.numbers(names.inclusion_probability, 0, 1, open_low=True),
        "visited": visited,
        "split": read.text(names.split),
        **{name: read.text(getattr(names, name)) for name in TEXTS},
        "age": read.numbers(names.age, 0, _OLDEST),
    }
    if scheme.minimum_cover is not None:
        sparse = (table["class"] == scheme.target).fillna(False) & (table["cover"] < scheme.minimum_cover)
        least = f"{scheme.minimum_cover:g} % of the scheme's `minimum_cover`"
        read.problem(sparse, f"{scheme.target!r} with a {names.cover!r} below the {least}")
    if settings.design == "probability":
        for name in ("stratum", "inclusion_probability"):
            read.problem(table[name].isna(), f"a probability sample, but no {getattr(names, name)!r}")
    geometry = (_plots if settings.matching.support == "plot" else _positions)(rows, settings, read)
    if read.problems:
        _refuse(settings, read.problems)
    records = gpd.GeoDataFrame(table, geometry=geometry, crs=4326)[list(RECORD_COLUMNS)]
    records = records.set_geometry("geometry").reset_index(drop=True)
    unread = sorted(set(UNREAD) & {str(name).lower() for name in rows.columns} - _named(settings))
    records.attrs = {"contract": RECORDS, "design": settings.design, "class_scheme": scheme.sha256}
    records.attrs |= {"unread": unread, "asked": asked}
    log.info("records: %d rows, %d visited, %s", len(records), int(visited.sum()), settings.design)
    check_table(records, RECORDS)
    return records


def _named(settings: RecordSettings) -> set[str]:
    """The names that `records.columns` reads, in small letters, and what they are read as."""
    named = {key: name for key, name in settings.columns.model_dump().items() if name is not None}
    return {str(name).lower() for name in (*named, *named.values())}


def _refuse(settings: RecordSettings, problems: list[str]) -> None:
    raise InputError(
        f"the records in {settings.path} cannot be used",
        "every row as `records:` describes it",
        "\n    ".join(["", *problems]),
        "correct the rows (`cocal records check` proposes fixes), or `records:` in the configuration; "
        "nothing was dropped",
    )


def _check_columns(rows: pd.DataFrame, settings: RecordSettings, scheme: ClassScheme) -> None:
    problems = []
    there = [str(c) for c in rows.columns if c != "geometry"]
    wanted = {v for v in settings.columns.model_dump().values() if v is not None}
    missing = sorted(wanted - set(there))
    if missing:
        problems.append(f"no column {listed(missing, repr)}; the columns are {', '.join(map(repr, there))}")
    if rows.empty:
        problems.append("no rows")
    if settings.columns.position is None and (not isinstance(rows, gpd.GeoDataFrame) or rows.crs is None):
        problems.append("no geometry in a stated CRS; name the columns `lon` and `lat`, or `x` and `y`")
    unknown = sorted(set((settings.class_names or {}).values()) - set(scheme.keys))
    if unknown:
        keys = ", ".join(scheme.keys)
        problems.append(f"`class_names` names {listed(unknown, repr)}; the scheme's classes are {keys}")
    if problems:
        _refuse(settings, problems)


def _positions(rows: pd.DataFrame, settings: RecordSettings, read: Columns) -> NDArray[np.object_]:
    """Return (n,) points in degrees; rows without a position on the Earth are problems."""
    columns = settings.columns.position
    if columns is not None:
        x, y = (read.numbers(name, -np.inf, np.inf).to_numpy() for name in columns)
        crs = _crs(settings.crs or "EPSG:4326")
    else:
        x, y = _coordinates(rows, read)
        crs = CRS.from_user_input(rows.crs)
    absent = ~(np.isfinite(x) & np.isfinite(y))
    read.problem(absent, "no position")
    if crs.to_epsg() != 4326:
        x, y = transformer(crs.to_wkt(), 4326).transform(x, y)
    off = ~absent & ~((np.abs(x) <= 180) & (np.abs(y) <= 90))
    read.problem(off, f"a position that is not on the Earth in {crs.name!r}")
    return np.asarray(shapely.points(np.where(absent, 0, x), np.where(absent, 0, y)), dtype=object)


def _plots(rows: pd.DataFrame, settings: RecordSettings, read: Columns) -> NDArray[np.object_]:
    """Return (n,) polygons in degrees; rows without a valid one on the Earth are problems."""
    if settings.columns.position is not None or not isinstance(rows, gpd.GeoDataFrame):
        read.problems.append(
            "`support: plot`, but no polygons: give a vector file and no columns of coordinates"
        )
        return np.full(len(rows), None, dtype=object)
    shapes: NDArray[np.object_] = np.array(rows.geometry.to_crs(4326).array, dtype=object)
    polygon = np.isin(shapely.get_type_id(shapes), (_POLYGON, _MULTIPOLYGON)) & ~shapely.is_empty(shapes)
    read.problem(~polygon, "not the polygon of a plot")
    read.problem(polygon & ~shapely.is_valid(shapes), "a polygon that crosses itself")
    west, south, east, north = shapely.bounds(shapes).T
    off = polygon & ~((west >= -180) & (east <= 180) & (south >= -90) & (north <= 90))
    read.problem(off, f"a position that is not on the Earth in {rows.crs.name!r}")
    vast = polygon & ~off & (np.maximum(east - west, north - south) > _WIDEST_PLOT)
    read.problem(vast, f"a plot wider than {_WIDEST_PLOT} degrees, about 11 km")
    return shapes


def _coordinates(rows: gpd.GeoDataFrame, read: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of the rows' points; NaN where there is none."""
    shapes: NDArray[np.object_] = np.array(rows.geometry.array, dtype=object)
    other = ~shapely.is_missing(shapes) & (shapely.get_type_id(shapes) != _POINT)
    read.problem(other, "not a point")
    shapes[other] = None
    return shapely.get_x(shapes), shapely.get_y(shapes)


def _crs(text: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as err:
        raise InputError(
            "`records:` states a CRS", "for instance EPSG:32719", repr(text), "correct `crs:`"
        ) from err


def read_strata(path: Path, records: pd.DataFrame, *, coded: bool = False) -> pd.DataFrame:
    """Return stratum, area_ha, region_id (null where the file has none) of every stratum of the design.

    With `pixels` (and `pixel_area_m2`) where the file has them: then estimates have a finite-population
    correction. With `points`, those planned, where it has them. Where `coded`, with `code`, the stratum's
    value on a raster of the strata.

    Raises
    ------
    InputError
        With every problem at once: columns missing, a stratum (in a region) twice, an area that is not a
        positive number, strata of the records that the table does not have.
    """
    rows = read_rows(path)
    missing = sorted({"stratum", "area_ha", *(["code"] if coded else [])} - set(rows.columns))
    read = Columns(rows)
    if missing:
        there = ", ".join(repr(str(c)) for c in rows.columns)
        read.problems.append(f"no column {listed(missing, repr)}; the columns are {there}")
    else:
        table = _strata(read, "region_id" if "region_id" in rows.columns else None)
        for name in ("pixels", "pixel_area_m2", "points"):
            if name in rows.columns:
                table[name] = read.numbers(name, 0, np.inf, open_low=True).to_numpy()
                read.problem(table[name].isna(), f"no {name!r}")
        if coded:
            table["code"] = _raster_codes(read, table["stratum"])
        absent = sorted(set(records["stratum"].dropna()) - set(table["stratum"].dropna()))
        if absent:
            read.problems.append(f"records have strata that the table does not have: {listed(absent, repr)}")
    if read.problems:
        raise InputError(
            f"the strata in {path} cannot be used",
            "a CSV with stratum, area_ha, where strata are crossed with regions region_id, and beside a "
            "`strata_raster` its values as code",
            "\n    ".join(["", *read.problems]),
            "correct the table; the areas are those of the design",
        )
    return table


def _raster_codes(read: Columns, stratum: pd.Series) -> pd.Series:
    """Return the code of each row; a stratum has one in all regions, and no other stratum has it."""
    code = read.numbers("code", 0, 2**31)
    read.problem(code.isna() | (code % 1 != 0), "'code' is no whole number")
    pairs = pd.DataFrame({"code": code.to_numpy(), "stratum": stratum.to_numpy()}).drop_duplicates()
    for name in pairs:
        again = pairs[name][pairs[name].duplicated()]
        if len(again):
            read.problems.append(f"not one code per stratum: {name} {listed(sorted(set(again)))}")
    return code.reset_index(drop=True)


def _strata(read: Columns, region: str | None) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "stratum": read.text("stratum"),
            "area_ha": read.numbers("area_ha", 0, np.inf, open_low=True),
            "region_id": read.text(region),
        }
    )
    read.problem(table["stratum"].isna(), "no 'stratum'")
    read.problem(table["area_ha"].isna(), "no 'area_ha'")
    keys = ["stratum", "region_id"]
    read.problem(table.duplicated(keys, keep=False).to_numpy(), "a stratum that occurs twice")
    return table.reset_index(drop=True)
