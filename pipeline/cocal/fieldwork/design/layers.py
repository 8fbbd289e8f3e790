"""Files of the user -> arrays on a window: class rasters and zones. A ground pixel always gets the same value."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from rasterio.errors import RasterioError
from rasterio.features import rasterize

from cocal.archive import values_at_centres
from cocal.errors import InputError
from cocal.fieldwork.design.settings import Zones
from cocal.fieldwork.design.strata import NO_VALUE
from cocal.fieldwork.tables import only_layer
from cocal.grid import Window, project

_CHUNK_PX = 1536
_EDGE_DEGREES = 0.001


def read_class_raster(path: Path, window: Window) -> NDArray[np.int64]:
    """(y, x) value of the raster's pixel that holds each centre; `NO_VALUE` outside and where no data.

    Raises
    ------
    InputError
        It cannot be read, has no CRS or holds other than whole numbers.
    """
    try:
        with rasterio.open(path) as source:
            _check_raster(path, source)
            return values_at_centres(source, window, NO_VALUE)
    except RasterioError as err:
        raise InputError(
            f"raster {path} of design.strata", "a readable raster", str(err), "mend the path or the file"
        ) from err


def _check_raster(path: Path, source: rasterio.io.DatasetReader) -> None:
    problems = []
    if source.crs is None:
        problems.append("no CRS")
    if np.dtype(source.dtypes[0]).kind not in "iu":
        problems.append(f"values of type {source.dtypes[0]}")
    if problems:
        raise InputError(
            f"raster {path} of design.strata", "whole numbers in a stated CRS", ", ".join(problems),
            "export it again as a class raster",
        )  # fmt: skip


def zone_mask(zones: Zones, window: Window) -> NDArray[np.bool_]:
    """(y, x) True where a pixel's centre lies in a polygon of the file.

    Decided on fixed chunks of an absolute lattice, so that it does not depend on the window.
    """
    shapes = _shapes(zones, window.epsg)
    tree, side = shapely.STRtree(shapes), _CHUNK_PX * window.resolution
    out = np.zeros(window.shape, dtype=bool)
    for left in range(window.left // side * side, window.right, side):
        for top in range(window.bottom // side * side + side, window.top + side, side):
            chunk = replace(window, left=left, top=top, width=_CHUNK_PX, height=_CHUNK_PX)
            common = window.intersection(chunk)
            near = shapes[np.sort(tree.query(shapely.box(*chunk.bounds)))]
            if common is not None and near.size:
                burnt = rasterize(list(near), chunk.shape, transform=chunk.transform, dtype="uint8")
                out[window.slices_of(common)] = burnt[chunk.slices_of(common)]
    return out


@lru_cache(maxsize=8)
def _shapes(zones: Zones, epsg: int) -> NDArray[np.object_]:
    """The file's polygons in the metres of one UTM zone."""
    try:
        frame = pyogrio.read_dataframe(zones.path, layer=zones.layer or only_layer(zones.path), columns=[])
    except DataSourceError as err:
        raise InputError(
            f"zones {zones.path} of design.strata", "a vector file", str(err), "mend the path or the file"
        ) from err
    polygons = frame.geometry[frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
    if frame.crs is None or polygons.empty:
        found = "no CRS" if frame.crs is None else f"{len(frame)} features, none a polygon"
        raise InputError(
            f"zones {zones.path} of design.strata", "polygons in a stated CRS", found, "mend the file"
        )
    degrees = polygons.to_crs(4326).make_valid()
    return np.array([project(g, 4326, epsg, densify=_EDGE_DEGREES) for g in degrees], dtype=object)
