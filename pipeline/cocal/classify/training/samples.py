"""Labelled polygons and points -> labelled pixels of the grid."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from cocal.classify.settings import PointSamples, PolygonSamples, SampleSettings
from cocal.errors import CocalWarning, InputError
from cocal.grid import Window, owned_by_zone, project, transformer, utm_epsg, zones
from cocal.scheme import ClassScheme
from cocal.store import sha256_file

EDGE_TOLERANCE_M = 0.01
"""A pixel may leave its polygon by this much: polygons drawn along pixel edges keep their pixels."""

PIXEL_COLUMNS = ("epsg", "row", "col", "x", "y", "label", "sample_id")

_GEOMETRIES = {"polygons": {"Polygon", "MultiPolygon"}, "points": {"Point"}}


class SampleWarning(CocalWarning):
    """Samples that give no pixel; they are named."""


@dataclass(frozen=True)
class Samples:
    """Labelled polygons or points as they were read.

    `table` has sample_id (str), label (class key) and geometry in the file's own CRS, in the file's order.
    """

    table: gpd.GeoDataFrame
    settings: PolygonSamples | PointSamples
    sha256: str


def map_labels(
    found: pd.Series, settings: SampleSettings, scheme: ClassScheme
) -> tuple[pd.Series, list[str]]:
    """(class key of each label, problems): each label that leads to no class of the scheme is a problem."""
    text = found.astype("string")
    rule = settings.labels if settings.labels is not None else {key: key for key in scheme.keys}
    keys = text.map(rule)
    problems = []
    if text.isna().any():
        problems.append(f"{int(text.isna().sum())} rows have no label")
    unmapped = sorted(set(text[keys.isna()].dropna()))
    if unmapped:
        problems.append(f"labels without a class: {', '.join(unmapped)}")
    strange = sorted({str(k) for k in keys.dropna()} - set(scheme.keys))
    if strange:
        problems.append(f"classes that the scheme {scheme.id} does not have: {', '.join(strange)}")
    return keys.astype(object), problems


def refuse(settings: SampleSettings, scheme: ClassScheme, problems: list[str]) -> None:
    """Raise InputError with every problem of the label file, if there is one."""
    if problems:
        raise InputError(
            f"the labels in {settings.path} cannot be used",
            f"labels in column {settings.label_column!r} for the classes {', '.join(scheme.keys)}",
            "; ".join(problems),
            "mend the file, or `samples:` in the config (`labels:` maps labels to classes)",
        )


def read_samples(settings: PolygonSamples | PointSamples, scheme: ClassScheme) -> Samples:
    """The labelled polygons or points of a vector file.

    Raises
    ------
    InputError
        The file cannot be read, a column or the CRS is missing, a label has no class, a geometry is empty,
        invalid or of another kind, an id occurs twice; all of these at once.
    """
    try:
        layer = {} if settings.layer is None else {"layer": settings.layer}
        table = gpd.read_file(settings.path, **layer)
    except (OSError, ValueError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as err:
        raise InputError(
            f"cannot read labels from {settings.path}", "a vector file (GeoPackage, GeoJSON, Shapefile)",
            str(err), "mend `samples.path` or `samples.layer`",
        ) from err  # fmt: skip
    columns = [
        c for c in (settings.label_column, settings.id_column, *settings.carried.values()) if c is not None
    ]
    problems = [f"no column {c!r} (there are {', '.join(table.columns)})" for c in columns if c not in table]
    if not isinstance(table, gpd.GeoDataFrame):
        problems.append("no geometry")
    refuse(settings, scheme, problems)
    keys, problems = map_labels(table[settings.label_column], settings, scheme)
    ids = pd.Series(range(len(table))) if settings.id_column is None else table[settings.id_column]
    names = ids.astype(str)
    problems += _geometry_problems(table, settings.kind)
    doubled = sorted(set(names[names.duplicated()]))
    if doubled:
        problems.append(f"ids that occur twice: {', '.join(doubled)}")
    refuse(settings, scheme, problems)
    kept = gpd.GeoDataFrame(
        {
            "sample_id": names.to_numpy(),
            "label": keys.to_numpy(),
            **{own: table[column].to_numpy() for own, column in settings.carried.items()},
        },
        geometry=table.geometry.to_numpy(),
        crs=table.crs,
    )
    return Samples(kept, settings, sha256_file(settings.path))


def _geometry_problems(table: gpd.GeoDataFrame, kind: str) -> list[str]:
    problems = [] if table.crs is not None else ["the file states no coordinate reference system"]
    if table.empty:
        return [*problems, "the file has no rows"]
    geometry = table.geometry
    empty = geometry.isna() | geometry.is_empty
    for bad, words in (
        (empty, "no geometry"),
        (~empty & ~geometry.geom_type.isin(_GEOMETRIES[kind]), f"a geometry that is not of {kind}"),
        (~empty & ~geometry.is_valid, "an invalid geometry"),
    ):
        if bad.any():
            problems.append(f"rows with {words}: {', '.join(map(str, np.flatnonzero(bad)[:10]))}")
    if not problems:
        west, south, east, north = geometry.to_crs(4326).total_bounds
        if not (west >= -180 and east <= 180 and south >= -80 and north <= 84):
            problems.append(f"places outside 80 S to 84 N ({west}, {south}, {east}, {north}): wrong CRS?")
    return problems


def sample_pixels(samples: Samples, resolution: int) -> pd.DataFrame:
    """The pixels that the samples label, one row per pixel, ordered by sample and then row and column.

    A polygon labels the pixels whose centre lies in it, or only those that lie wholly in it
    (`edge_pixels: drop`); a point labels the pixel that holds it. A pixel that two samples of one class
    hold belongs to the first of them.

    Parameters
    ----------
    samples : Samples
        As read by `read_samples`.
    resolution : int
        Pixel size, m. Pixels lie on the absolute lattice of each UTM zone.

    Returns
    -------
    DataFrame: epsg (zone that owns the pixel's centre); row, col (int, lattice indices: the pixel covers
    [col, col + 1) x [row, row + 1) times `resolution`, row counting northward); x, y (its centre, m);
    label (class key); sample_id; what the settings carry along (`groups`, `labelled_on`, `origin`).

    Raises
    ------
    InputError
        Samples of different classes hold the same pixel, or no sample holds any.

    Warns
    -----
    SampleWarning
        Names the samples that label no pixel.
    """
    table, settings = samples.table, samples.settings
    if isinstance(settings, PointSamples):
        pixels = _pixels_of_points(table, resolution)
    else:
        inner = settings.edge_pixels == "drop"
        pixels = pd.concat(
            [
                _pixels_of_polygon(row.geometry, table.crs, resolution, inner=inner).assign(
                    label=row.label, sample_id=row.sample_id
                )
                for row in table.itertuples()
            ],
            ignore_index=True,
        )
    pixels["row"] = np.floor(pixels["y"] / resolution).astype("int64")
    pixels["col"] = np.floor(pixels["x"] / resolution).astype("int64")
    holding = set(pixels["sample_id"])
    bare = [name for name in table["sample_id"] if name not in holding]
    if pixels.empty:
        raise InputError(
            f"no sample of {settings.path} holds a pixel of {resolution} m", "polygons larger than a pixel",
            f"{len(bare)} polygons without a pixel", "give larger polygons, or `edge_pixels: keep`",
        )  # fmt: skip
    if bare:
        warnings.warn(
            f"{len(bare)} samples of {settings.path} hold no whole pixel of {resolution} m and do not train: "
            + ", ".join(bare[:20]),
            SampleWarning,
            stacklevel=2,
        )
    cell = ["epsg", "row", "col"]
    _refuse_contradictions(pixels, cell, settings)
    pixels = pixels.drop_duplicates(cell).reset_index(drop=True)[list(PIXEL_COLUMNS)]
    return pixels.join(table.set_index("sample_id")[list(settings.carried)], on="sample_id")


def _joined(values: pd.Series) -> str:
    return " / ".join(sorted(set(values)))


def _refuse_contradictions(
    pixels: pd.DataFrame, cell: list[str], settings: PolygonSamples | PointSamples
) -> None:
    classes = pixels.groupby(cell)["label"].transform("nunique")
    if (classes > 1).any():
        clash = pixels[classes > 1].groupby(cell)[["label", "sample_id"]].agg(_joined)
        pairs = clash.drop_duplicates("sample_id")
        raise InputError(
            f"samples of {settings.path} give different classes to the same pixel",
            "one class per pixel",
            f"{len(clash)} pixels; samples "
            + ", ".join(f"{r.sample_id} ({r.label})" for r in pairs.head(10).itertuples()),
            "cut the overlap, or remove one of the samples",
        )


def _pixels_of_polygon(geometry: BaseGeometry, crs: CRS, resolution: int, *, inner: bool) -> pd.DataFrame:
    code, densify, parts = crs.to_wkt(), 0.001 if crs.is_geographic else 100.0, []
    for epsg in zones(project(geometry, code, 4326)):
        local = project(geometry, code, epsg, densify)
        x, y = _centres_within(local, epsg, resolution, inner=inner)
        parts.append(pd.DataFrame({"epsg": epsg, "x": x, "y": y}))
    return pd.concat(parts, ignore_index=True)


def _pixels_of_points(table: gpd.GeoDataFrame, resolution: int) -> pd.DataFrame:
    """The pixel that holds each point, in the zone that owns the point, or else that owns the pixel's centre."""
    code, points = table.crs.to_wkt(), shapely.get_coordinates(table.geometry.to_numpy())
    epsg = _zone_owners(points, np.full(len(points), code, dtype=object))
    for last in (False, True):
        centres = np.empty_like(points)
        for zone in np.unique(epsg):
            own = epsg == zone
            local = np.column_stack(transformer(code, int(zone)).transform(*points[own].T))
            centres[own] = (np.floor(local / resolution) + 0.5) * resolution
        if not last:
            epsg = _zone_owners(centres, epsg)
    return pd.DataFrame(
        {"epsg": epsg, "x": centres[:, 0], "y": centres[:, 1], "label": table["label"].to_numpy(),
         "sample_id": table["sample_id"].to_numpy()}
    )  # fmt: skip


def _zone_owners(points: NDArray[np.float64], crs: NDArray[Any]) -> NDArray[np.int64]:
    """(point) EPSG code of the zone that owns each point (x, y), given in the CRS of its own."""
    owners = np.empty(len(points), dtype=np.int64)
    for code in set(crs.tolist()):
        there = crs == code
        degrees = zip(*transformer(code, 4326).transform(*points[there].T), strict=True)
        owners[there] = [utm_epsg(*place) for place in degrees]
    return owners


def _centres_within(
    geometry: BaseGeometry, epsg: int, resolution: int, *, inner: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (x, y) of the zone's own pixels that a polygon holds; `inner`: holds whole."""
    west, south, east, north = (
        int(v) for v in (*np.floor(geometry.bounds[:2]), *np.ceil(geometry.bounds[2:]))
    )
    box = Window(epsg, west, north, east - west, north - south, 1).snapped(resolution).at(resolution)
    xx, yy = np.meshgrid(box.x, box.y)
    shapely.prepare(geometry)
    within = shapely.contains_xy(geometry, xx, yy) & owned_by_zone(box)
    x, y = xx[within], yy[within]
    if inner:
        half = resolution / 2 - EDGE_TOLERANCE_M
        whole = shapely.contains(geometry, shapely.box(x - half, y - half, x + half, y + half))
        x, y = x[whole], y[whole]
    return x, y
