"""Elevation and slope from a supplied elevation model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from shapely.geometry.base import BaseGeometry

from cocal.errors import InputError
from cocal.grid import Window, geodesic_hectares
from cocal.notes.account import record
from cocal.rasters import CHECKED_POINTS, lattice, open_raster, positions, read_valid

ELEVATION_M = (-500, 9000)
"""No ground on Earth lies outside; the Dead Sea's shore is at -430 m, Everest at 8,849 m."""

METRES_PER_UNIT = dict.fromkeys(("", "m", "metre", "metres", "meter", "meters"), 1.0) | {
    "dm": 0.1, "cm": 0.01, "mm": 0.001, "km": 1000.0, "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
    "us survey foot": 1200 / 3937, "us-ft": 1200 / 3937, "ftus": 1200 / 3937,
}  # fmt: skip
"""Units of a raster band by their names in GDAL; none stated are metres."""

LIKELY_VOIDS, CLIFF_M = (0, -1, -99), 300
"""Values that mark voids, and how far below all other ground they are no elevation."""

_PART_PX = 1024
"""Side of the parts that a model is scanned in."""

ABSURD_SHARE = 0.05
"""Largest share of a model's values outside ELEVATION_M that are taken for voids."""


def slope_degrees(dem: NDArray[Any], resolution: float) -> NDArray[np.float32]:
    """(y, x) float32 slope in degrees, 0 = level, by Horn's weighted differences over 3 x 3 pixels.

    Horn 1981, Hill shading and the reflectance map, doi:10.1109/PROC.1981.11918.

    Parameters
    ----------
    dem
        (y, x) elevation in metres, NaN = missing.
    resolution
        Pixel side in metres.

    Returns
    -------
    NaN where one of the nine pixels is missing, and so along the array's edge: give one pixel more per side.
    """
    out = np.full(dem.shape, np.nan, dtype=np.float32)
    if min(dem.shape) < 3:
        return out
    z = dem.astype(np.float64)
    nw, n, ne = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    w, e = z[1:-1, :-2], z[1:-1, 2:]
    sw, s, se = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    eastward = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * resolution)
    northward = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / (8 * resolution)
    missing = np.isnan(z[1:-1, 1:-1])
    slope = np.degrees(np.arctan(np.sqrt(eastward * eastward + northward * northward)))
    out[1:-1, 1:-1] = np.where(missing, np.nan, slope)
    return out


def read_dem(path: str | Path, window: Window) -> NDArray[np.float32]:
    """(y, x) float32 elevation in metres at the pixel centres of `window`, NaN outside the model.

    Each centre is projected on its own and the four elevations around it are weighted bilinearly, so a pixel
    has the same value in every window that holds it. (A raster warper approximates the projection over its
    chunks, and its values depend on them.) A model finer than the window is sampled, not averaged.

    The band's scale, offset, unit, mask and no data count. A value outside ELEVATION_M is missing too: it is
    a void that was not declared. Longitudes may run from 0 to 360.

    Raises
    ------
    InputError
        The file cannot be read, has no coordinate reference system, no geotransform or an unknown unit.
    """
    with _open_dem(path) as source:
        return _bilinear(source, *_position(source, window.epsg, *np.meshgrid(window.x, window.y)))


def check_dem(path: str | Path, area: BaseGeometry) -> None:
    """Check a model on `area` (degrees); record the share without elevation, and voids.

    Raises
    ------
    InputError
        As `read_dem`; no point has an elevation; too many values cannot be elevations in metres; or a usual
        mark of voids lies CLIFF_M or more below all ground around it.
    """
    x, y = lattice(area)
    with _open_dem(path) as source:
        voids = _scanned(source, path, area)
        row, column = (np.floor(p + 0.5).astype(int) for p in _position(source, 4326, x, y))
        stated = np.full(x.size, np.nan)
        for i in np.flatnonzero((row >= 0) & (row < source.height) & (column >= 0) & (column < source.width)):
            part = (int(row[i]), int(row[i]) + 1), (int(column[i]), int(column[i]) + 1)
            stated[i] = _stated_metres(source, *part)[0, 0]
    absurd = _is_absurd(stated)
    share, lacking = float(absurd.mean()), float((np.isnan(stated) | absurd).mean())
    if share > ABSURD_SHARE:
        raise InputError(
            f"elevation model {path}",
            f"metres above the sea, from {ELEVATION_M[0]} to {ELEVATION_M[1]}",
            f"{stated[absurd].min():g} to {stated[absurd].max():g} at {share:.0%} of the regions' ground",
            "give it its no data, unit, scale or offset, for instance with gdal_edit, or correct `dem:`",
        )
    if lacking == 1:
        raise InputError(
            f"elevation model {path}",
            "elevations on the regions' ground",
            f"none: it holds {', '.join(f'{v:.4f}' for v in area.bounds)} (degrees) nowhere",
            "correct `dem:`, or the model's coordinate reference system",
        )
    if lacking:
        record("elevation_short", file=Path(path).name, share=lacking, ha=lacking * geodesic_hectares(area))
    if voids:
        record("elevation_voids", file=Path(path).name, n=voids)


def _scanned(source: DatasetReader, path: str | Path, area: BaseGeometry) -> int:
    """Number of pixels in the box around `area` that are no elevations; each part is checked for voids."""
    west, south, east, north = area.bounds
    corners = np.meshgrid(np.linspace(west, east, CHECKED_POINTS), np.linspace(south, north, CHECKED_POINTS))
    row, column = _position(source, 4326, *(v.ravel() for v in corners))
    top, bottom = (int(np.clip(v, 0, source.height)) for v in (np.floor(row.min()), np.ceil(row.max()) + 1))
    left, right = (
        int(np.clip(v, 0, source.width)) for v in (np.floor(column.min()), np.ceil(column.max()) + 1)
    )
    voids, ends = 0, [np.empty(0)]
    for r in range(top, bottom, _PART_PX):
        for c in range(left, right, _PART_PX):
            z = _stated_metres(source, (r, min(r + _PART_PX, bottom)), (c, min(c + _PART_PX, right)))
            absurd = _is_absurd(z)
            voids += int(absurd.sum())
            known = z[~absurd & ~np.isnan(z)]
            _check_voids(path, known)
            ends.append(_ends(known))
    _check_voids(path, np.concatenate(ends))
    return voids


def _ends(metres: NDArray[np.float64]) -> NDArray[np.float64]:
    """The marks of voids among the values, and the lowest other value."""
    marks = np.isin(metres, LIKELY_VOIDS)
    return np.concatenate([np.unique(metres[marks]), [metres[~marks].min()] if not marks.all() else []])


def _check_voids(path: str | Path, metres: NDArray[np.float64]) -> None:
    """Raise if a usual mark of voids lies CLIFF_M or more below all other elevations."""
    marks = np.isin(metres, LIKELY_VOIDS)
    if marks.any() and not marks.all() and metres[~marks].min() - metres[marks].max() >= CLIFF_M:
        raise InputError(
            f"elevation model {path}", "elevations, and voids declared as no data",
            f"{metres[marks].max():g} m beside ground of at least {metres[~marks].min():g} m",
            f"declare the voids: gdal_edit -a_nodata {metres[marks].max():g}",
        )  # fmt: skip


@contextmanager
def _open_dem(path: str | Path) -> Iterator[DatasetReader]:
    """The open model; InputError if it cannot be read, or its place or unit is unknown."""
    with open_raster(path, f"elevation model {path}", "correct `dem:`", single=True) as source:
        if _unit(source) not in METRES_PER_UNIT:
            known = ", ".join(filter(None, METRES_PER_UNIT))
            raise InputError(
                f"elevation model {path}", f"elevations in {known}", f"the unit {_unit(source)!r}",
                "correct its unit, for instance with gdal_edit",
            )  # fmt: skip
        if not source.scales[0] or not np.isfinite((source.scales[0], source.offsets[0])).all():
            raise InputError(
                f"elevation model {path}", "a scale that is not 0 and a finite offset",
                f"scale {source.scales[0]:g}, offset {source.offsets[0]:g}",
                "correct them, for instance with gdal_edit",
            )  # fmt: skip
        yield source


def _unit(source: DatasetReader) -> str:
    return str(source.units[0] or source.tags(1).get("units") or "").strip().lower()


def _position(source: DatasetReader, epsg: int, x: Any, y: Any) -> tuple[Any, Any]:
    """(row, column) of places, counted from the centre of the source's first pixel."""
    x, y = positions(source, epsg, x, y)
    t = ~source.transform
    return t.e * y + t.f - 0.5, t.a * x + t.c - 0.5


def _is_absurd(metres: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (metres < ELEVATION_M[0]) | (metres > ELEVATION_M[1])


def _stated_metres(
    source: DatasetReader, rows: tuple[int, int], columns: tuple[int, int]
) -> NDArray[np.float64]:
    """(y, x) elevations of a part as the file states them, m; NaN where it declares no data."""
    raw, missing = read_valid(source, rows, columns)
    values = np.where(missing, np.nan, raw.astype(np.float64))
    metres = (values * source.scales[0] + source.offsets[0]) * METRES_PER_UNIT[_unit(source)]
    return np.asarray(metres)


def _bilinear(
    source: DatasetReader, row: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Elevation at positions counted from the centre of the source's first pixel, NaN outside the source."""
    out = np.full(row.shape, np.nan, dtype=np.float32)
    top, left = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    r0, r1 = max(0, int(top.min())), min(source.height, int(top.max()) + 2)
    c0, c1 = max(0, int(left.min())), min(source.width, int(left.max()) + 2)
    if r0 >= r1 or c0 >= c1:
        return out
    z = _stated_metres(source, (r0, r1), (c0, c1))
    z = np.where(_is_absurd(z), np.nan, z)
    down, right = row - top, column - left
    total = np.zeros(row.shape)
    for i, weight_y in ((0, 1 - down), (1, down)):
        for j, weight_x in ((0, 1 - right), (1, right)):
            weight = weight_y * weight_x
            rr, cc = top + i - r0, left + j - c0
            inside = (rr >= 0) & (rr < z.shape[0]) & (cc >= 0) & (cc < z.shape[1])
            value = np.full(row.shape, np.nan)
            value[inside] = z[rr[inside], cc[inside]]
            total += np.where(weight == 0, 0.0, weight * value)
    return np.asarray(total.astype(np.float32))
