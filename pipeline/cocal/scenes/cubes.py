"""What a NetCDF cube states: its variables, times, and the grid of its coordinates (CF 1.11)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from pyproj import CRS
from pyproj.exceptions import CRSError

from cocal.errors import InputError
from cocal.scenes.settings import NetcdfImport
from cocal.scenes.source import (
    BandSource,
    SourceGrid,
    cube_dtype,
    cube_invalid,
    cube_nodata,
    cube_valid,
    work_dtype,
)

GEOTRANSFORM_PX = 0.05
"""Largest difference between the coordinates of a cube and its GeoTransform, in pixels."""


def cube_variables(settings: NetcdfImport, cube: xr.Dataset) -> dict[str, xr.DataArray]:
    """The variable of each band, (time, y, x); one error for all that are missing or have other dims."""
    wrong = []
    for name in settings.bands.values():
        if name not in cube.data_vars:
            wrong.append(f"no variable {name!r}")
        elif cube[name].ndim != 3 or cube[name].dims[0] != settings.time:
            wrong.append(f"{name!r} has dims {cube[name].dims}, not ({settings.time!r}, y, x)")
        elif _runs_along(cube, cube[name].dims[1], "X") or _runs_along(cube, cube[name].dims[2], "Y"):
            wrong.append(f"{name!r} has x before y: {cube[name].dims}, not ({settings.time!r}, y, x)")
    if wrong:
        raise InputError(
            f"{settings.path} lacks bands",
            ", ".join(settings.bands.values()),
            "; ".join(wrong) + f"; it holds {', '.join(map(str, cube.data_vars))}",
            "fix `bands:` and `time:`",
        )
    return {band: cube[name] for band, name in settings.bands.items()}


def _runs_along(cube: xr.Dataset, name: Any, axis: str) -> bool:
    """Whether a coordinate says that it runs along the axis X or Y (CF 1.11, 4 and 5)."""
    attrs = cube[name].attrs if name in cube.coords else {}
    standard = {"X": ("projection_x_coordinate", "longitude"), "Y": ("projection_y_coordinate", "latitude")}
    return attrs.get("axis") == axis or attrs.get("standard_name") in standard[axis]


def _cube_crs(settings: NetcdfImport, cube: xr.Dataset, variable: xr.DataArray) -> str:
    """The CRS as WKT: of the variable's grid mapping (CF 1.11, 5.6), else as stated in the settings."""
    mapping = str(variable.attrs.get("grid_mapping", "spatial_ref")).split(":")[0]
    attrs = cube[mapping].attrs if mapping in cube.variables else {}
    wkt = attrs.get("crs_wkt", attrs.get("spatial_ref"))
    try:
        own = CRS.from_wkt(str(wkt)) if wkt else CRS.from_cf(attrs) if "grid_mapping_name" in attrs else None
        stated = CRS.from_user_input(settings.crs) if settings.crs else None
    except CRSError as err:
        raise InputError(f"the CRS of {settings.path}", "WKT or EPSG:code", str(err), "fix `crs:`") from err
    crs = own or stated
    if crs is None or (own and stated and not own.equals(stated, ignore_axis_order=True)):
        raise InputError(
            f"the CRS of {settings.path}",
            "a CRS in the file, or `crs:` where the file has none",
            f"in the file {own.name if own else 'none'}, `crs:` is {settings.crs}",
            "fix `crs:`",
        )
    return str(crs.to_wkt())


def _axis(cube: xr.Dataset, name: str, path: Path) -> tuple[float, float, bool]:
    """(lowest pixel edge, pixel size, True if it ascends) of an evenly spaced coordinate of cell centres."""
    values = np.asarray(cube[name].values, dtype=np.float64) if name in cube.coords else np.empty(0)
    steps = np.diff(values)
    if not steps.size or not np.allclose(steps, steps[0], rtol=1e-3, atol=0):
        raise InputError(
            f"coordinate {name!r} of {path}", "at least two evenly spaced cell centres", f"{values[:4]}", ""
        )
    unit = str(cube[name].attrs.get("units", "m"))
    if not unit.startswith(("degree", "metre", "meter")) and unit != "m":
        raise InputError(
            f"coordinate {name!r} of {path}", "metres or degrees", f"units {unit!r}", "convert it"
        )
    step = abs(float(values[-1] - values[0])) / steps.size
    return float(values.min()) - step / 2, step, bool(values[0] < values[-1])


def cube_source(settings: NetcdfImport, cube: xr.Dataset, band: str, variable: xr.DataArray) -> BandSource:
    """The first time step of a variable; the others differ in `index` only."""
    _, y, x = (str(d) for d in variable.dims)
    west, dx, eastward = _axis(cube, x, settings.path)
    south, dy, northward = _axis(cube, y, settings.path)
    height, width = cube.sizes[y], cube.sizes[x]
    transform = (dx, 0.0, west, 0.0, -dy, south + height * dy)
    grid = SourceGrid(_cube_crs(settings, cube, variable), transform, width, height)
    dtype, nodata = work_dtype(cube_dtype(variable).name), cube_nodata(variable)
    _check_geotransform(settings.path, cube, variable, grid)
    turned = northward, not eastward
    return BandSource(
        band, settings.path, grid, dtype, nodata, 0, str(variable.name), turned,
        invalid=cube_invalid(variable), valid=cube_valid(variable),
    )  # fmt: skip


def _check_geotransform(path: Path, cube: xr.Dataset, variable: xr.DataArray, grid: SourceGrid) -> None:
    """Raise if the grid mapping's GeoTransform is not that of the coordinates."""
    mapping = str(variable.attrs.get("grid_mapping", "spatial_ref")).split(":")[0]
    text = cube[mapping].attrs.get("GeoTransform") if mapping in cube.variables else None
    if text is None:
        return
    try:
        left, dx, turned_x, top, turned_y, dy = (float(part) for part in str(text).split())
    except ValueError:
        left, dx, turned_x, top, turned_y, dy = (np.nan,) * 6
    left, top = left + min(dx, 0) * grid.width, top + max(dy, 0) * grid.height
    stated = np.array([abs(dx), turned_x, left, turned_y, -abs(dy), top])
    pixel = np.array([grid.transform[0], 1, 1, 1, -grid.transform[4], 1])
    limit = GEOTRANSFORM_PX * np.where(pixel == 1, grid.transform[0], pixel / max(grid.width, grid.height))
    if not (np.abs(stated - np.array(grid.transform)) <= limit).all():
        raise InputError(
            f"the coordinates of {path} contradict the GeoTransform of {mapping}",
            " ".join(f"{grid.transform[i]:.10g}" for i in (2, 0, 1, 5, 3, 4)) + ", if they are cell centres",
            f"GeoTransform {text}",
            "write the coordinates of cell centres, not corners, or drop the attribute that is wrong",
        )


def cube_times(settings: NetcdfImport, cube: xr.Dataset) -> list[datetime]:
    """The times of the steps, UTC; InputError where one has none."""
    try:
        values = xr.decode_cf(cube[[settings.time]])[settings.time].values.astype("datetime64[ns]")
    except (KeyError, ValueError, TypeError) as err:
        raise InputError(
            f"time axis {settings.time!r} of {settings.path}", "CF times", str(err), "fix `time:`"
        ) from err
    if np.isnat(values).any():
        steps = ", ".join(map(str, np.flatnonzero(np.isnat(values))[:5]))
        raise InputError(
            f"time axis {settings.time!r} of {settings.path}", "a time for every step",
            f"none for step {steps}, counted from 0", "write the cube with their times, or without them",
        )  # fmt: skip
    return [stamp.to_pydatetime().replace(tzinfo=UTC) for stamp in pd.DatetimeIndex(values).round("s")]
