"""Labelled polygons and points -> labelled pixels of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from cocal.checksums import sha256_file
from cocal.classify.settings import PointSamples, PolygonSamples, SampleSettings
from cocal.errors import InputError
from cocal.grid import (
    Window,
    lattice_cells,
    owned_by_zone,
    pixel_centres,
    pixel_zones,
    project,
    transformer,
    zones,
)
from cocal.notes.account import part, record
from cocal.scheme import ClassScheme
from cocal.user_tables import clean_text, read_vector

EDGE_TOLERANCE_M = 0.01
"""A pixel may extend beyond its polygon by this much: polygons drawn along pixel edges keep their pixels."""

MOST_DEGREES = 0.5
"""About 55 km: no labelled plot spans more."""

_CELL = ["epsg", "row", "col"]
PIXEL_COLUMNS = ("epsg", "row", "col", "x", "y", "label", "sample_id")

_GEOMETRIES = {"polygons": {"Polygon", "MultiPolygon"}, "points": {"Point"}}


@dataclass(frozen=True)
class Samples:
    """Labelled polygons or points of a file.

    `table` has sample_id (str), label (class key) and geometry in the file's own CRS, in the file's order.
    """

    table: gpd.GeoDataFrame
    settings: PolygonSamples | PointSamples
    sha256: str


def map_labels(
    labels: pd.Series, settings: SampleSettings, scheme: ClassScheme
) -> tuple[pd.Series, list[str]]:
    """(class key of each label, problems): each label without a class of the scheme is a problem."""
    text = labels.astype("string").str.normalize("NFC").str.strip()
    given = settings.labels if settings.labels is not None else {key: key for key in scheme.keys}
    keys = text.map({clean_text(label): key for label, key in given.items()})
    problems = []
    if text.isna().any():
        problems.append(f"{int(text.isna().sum())} rows have no label")
    unmapped = sorted(set(text[keys.isna()].dropna()))
    if unmapped:
        problems.append(f"labels without a class: {', '.join(unmapped)}")
    unknown = sorted({str(k) for k in keys.dropna()} - set(scheme.keys))
    if unknown:
        problems.append(f"classes that the scheme {scheme.id} does not have: {', '.join(unknown)}")
    return keys.astype(object), problems


def refuse(settings: SampleSettings, scheme: ClassScheme, problems: list[str]) -> None:
    """Raise InputError with every problem of the label file, if there is one."""
    if problems:
        raise InputError(
            f"the labels in {settings.path} cannot be used",
            f"labels in column {settings.label_column!r} for the classes {', '.join(scheme.keys)}",
            "; ".join(problems),
            "fix the file, or `samples:` in the config (`labels:` maps labels to classes)",
        )


def read_samples(settings: PolygonSamples | PointSamples, scheme: ClassScheme) -> Samples:
    """The labelled polygons or points of a vector file.

    Raises
    ------
    InputError
        The file cannot be read, a column or the CRS is missing, a label has no class, a geometry is empty,
        invalid or of another kind, an id occurs twice; all of these at once.

    Examples
    --------
    See docs/api.md, "Model, map, hectares".
    """
    table = read_vector(settings.path, settings.layer).reset_index(drop=True)
    columns = [c for c in (settings.label_column, settings.id_column, *settings.carried.values()) if c]
    problems = [f"no column {c!r} (there are {', '.join(table.columns)})" for c in columns if c not in table]
    if not isinstance(table, gpd.GeoDataFrame):
        problems.append("no geometry")
    refuse(settings, scheme, problems)
    keys, problems = map_labels(table[settings.label_column], settings, scheme)
    names = (table[settings.id_column] if settings.id_column else pd.Series(range(len(table)))).astype(str)
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
        bounds = geometry.to_crs(4326).bounds
        spans = np.maximum(bounds["maxx"] - bounds["minx"], bounds["maxy"] - bounds["miny"])
        vast = spans > MOST_DEGREES
        if vast.any():
            rows = ", ".join(map(str, np.flatnonzero(vast)[:10]))
            problems.append(f"rows that span more than {MOST_DEGREES} degrees (a wrong corner?): {rows}")
        west, south, east, north = geometry.to_crs(4326).total_bounds
        if not (west >= -180 and east <= 180 and south >= -80 and north <= 84):
            problems.append(f"places outside 80 S to 84 N ({west}, {south}, {east}, {north}): wrong CRS?")
    return problems


def sample_pixels(samples: Samples, resolution: int) -> pd.DataFrame:
    """The labelled pixels, a row each, in the order of the samples and then from north-west to south-east.

    A polygon labels the pixels whose centre lies in it, or only those that lie wholly in it
    (`edge_pixels: drop`); a point labels the pixel that holds it. A pixel in two samples of one class
    belongs to the first of them. Samples that label no pixel are recorded (`cocal.notes.account`).

    Parameters
    ----------
    samples : Samples
        From `read_samples`.
    resolution : int
        Pixel size, m. Pixels lie on the absolute lattice of each UTM zone.

    Returns
    -------
    DataFrame: epsg (zone that owns the pixel's centre); row, col (int, lattice indices: the pixel covers
    [col, col + 1) x (row, row + 1] times `resolution`, row counting northward); x, y (its centre, m);
    label (class key); sample_id; the columns that the settings add (`groups`, `labelled_on`, `origin`).

    Raises
    ------
    InputError
        Samples of different classes hold the same pixel, or no sample holds any.

    Examples
    --------
    A polygon of 30 m x 20 m, drawn along the edges of pixels of 10 m, labels six of them:

    >>> import geopandas, shapely
    >>> from cocal.classify.settings import PolygonSamples
    >>> settings = PolygonSamples(
    ...     kind="polygons", path="plots.gpkg", label_column="class", edge_pixels="drop",
    ...     source="me", licence="CC0"
    ... )
    >>> plot = shapely.box(500_000, 8_430_000, 500_030, 8_430_020)
    >>> table = geopandas.GeoDataFrame({"sample_id": ["P1"], "label": ["coca"]}, geometry=[plot], crs=32719)
    >>> pixels = sample_pixels(Samples(table, settings, sha256=""), 10)
    >>> pixels[["epsg", "x", "y", "label"]].head(2).values.tolist()
    [[32719, 500005.0, 8430015.0, 'coca'], [32719, 500015.0, 8430015.0, 'coca']]
    >>> len(pixels)
    6
    """
    table, settings = samples.table, samples.settings
    if isinstance(settings, PointSamples):
        pixels = _pixels_of_points(table, resolution)
    else:
        inner = settings.edge_pixels == "drop"
        parts = [
            part.assign(label=row.label, sample_id=row.sample_id)
            for row in table.itertuples()
            for part in _pixels_of_polygon(row.geometry, table.crs, resolution, inner=inner)
        ]
        pixels = pd.concat(parts, ignore_index=True)
    pixels["col"], pixels["row"] = lattice_cells(pixels["x"], pixels["y"], resolution)
    holding = set(pixels["sample_id"])
    bare = [name for name in table["sample_id"] if name not in holding]
    if pixels.empty:
        raise InputError(
            f"no sample of {settings.path} holds a pixel of {resolution} m", "polygons larger than a pixel",
            f"{len(bare)} polygons without a pixel", "give larger polygons, or `edge_pixels: keep`",
        )  # fmt: skip
    _refuse_contradictions(pixels, settings)
    pixels = pixels.drop_duplicates(_CELL).reset_index(drop=True)[list(PIXEL_COLUMNS)]
    ids = table["sample_id"]
    if not (used := ids.isin(pixels["sample_id"])).all():
        bare = ids[~used]
        record("labels_unused", **part(bare, len(ids)), bare=len(bare), unseen=0, partly=0)
    return pixels.join(table.set_index("sample_id")[list(settings.carried)], on="sample_id")


def _joined(values: pd.Series) -> str:
    return " / ".join(sorted(set(values)))


def _refuse_contradictions(pixels: pd.DataFrame, settings: PolygonSamples | PointSamples) -> None:
    classes = pixels.groupby(_CELL)["label"].transform("nunique")
    if (classes > 1).any():
        clash = pixels[classes > 1].groupby(_CELL)[["label", "sample_id"]]
        pairs = clash.agg(_joined).drop_duplicates("sample_id").head(10)
        raise InputError(
            f"samples of {settings.path} give different classes to the same pixel",
            "one class per pixel",
            f"{clash.ngroups} pixels; samples "
            + ", ".join(f"{pair.sample_id} ({pair.label})" for pair in pairs.itertuples()),
            "cut the overlap, or remove one of the samples",
        )


def _pixels_of_polygon(
    geometry: BaseGeometry, crs: CRS, resolution: int, *, inner: bool
) -> Iterator[pd.DataFrame]:
    """epsg, x, y of the zones' own pixels whose centre lies in a polygon; `inner`: of those wholly in it."""
    code, densify = crs.to_wkt(), 0.001 if crs.is_geographic else 100.0
    for epsg in zones(project(geometry, code, 4326)):
        local = project(geometry, code, epsg, densify)
        west, south, east, north = (int(v) for v in (*np.floor(local.bounds[:2]), *np.ceil(local.bounds[2:])))
        box = Window(epsg, west, north, east - west, north - south, 1).snapped(resolution).at(resolution)
        xx, yy = np.meshgrid(box.x, box.y)
        shapely.prepare(local)
        within = shapely.contains_xy(local, xx, yy) & owned_by_zone(box)
        x, y = xx[within], yy[within]
        if inner:
            half = resolution / 2 - EDGE_TOLERANCE_M
            whole = shapely.contains(local, shapely.box(x - half, y - half, x + half, y + half))
            x, y = x[whole], y[whole]
        yield pd.DataFrame({"epsg": epsg, "x": x, "y": y})


def _pixels_of_points(table: gpd.GeoDataFrame, resolution: int) -> pd.DataFrame:
    """epsg, x, y, label, sample_id of the pixel that holds each point, in the zone of `grid.pixel_zones`."""
    code, points = table.crs.to_wkt(), shapely.get_coordinates(table.geometry.to_numpy())
    epsg = pixel_zones(*transformer(code, 4326).transform(*points.T), resolution)
    x, y = np.empty(len(points)), np.empty(len(points))
    for zone in np.unique(epsg).tolist():
        own = epsg == zone
        east, north = transformer(code, zone).transform(*points[own].T)
        x[own], y[own] = pixel_centres(east, north, resolution)
    columns = {"label": table["label"].to_numpy(), "sample_id": table["sample_id"].to_numpy()}
    return pd.DataFrame({"epsg": epsg, "x": x, "y": y, **columns})
