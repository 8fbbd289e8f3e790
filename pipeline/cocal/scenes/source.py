"""Source rasters: a band of a GeoTIFF or JP2, or one time step of a NetCDF variable, read in strips."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from shapely.geometry import Polygon

from cocal.errors import InputError, SceneReadError

STRIP_PX = 1152
"""Rows read at a time: three tiles of the archive's rasters."""

ReadRows = Callable[[slice, slice], NDArray[Any]]
"""(rows, columns) -> array (y, x), the north most row first."""

NC_FILL_USHORT, NC_FILL_SHORT = 65535, -32767
"""What unwritten cells of a NetCDF variable hold (netCDF-C, netcdf.h, NC_FILL_*)."""


@dataclass(frozen=True)
class SourceGrid:
    """Where a source's pixels lie: CRS as WKT, affine transform, size."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    @property
    def affine(self) -> Affine:
        return Affine(*self.transform)

    @property
    def outline(self) -> Polygon:
        """The edge in the source's own CRS."""
        corners = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return Polygon([self.affine @ corner for corner in corners])


@dataclass(frozen=True)
class BandSource:
    """One band's pixels: band `index` of a raster, or time step `index` of a NetCDF `variable`."""

    band: str
    path: Path
    grid: SourceGrid
    dtype: str
    nodata: float | None
    index: int
    variable: str | None = None
    turned_yx: tuple[bool, bool] = (False, False)
    """Whether the variable runs northward in y, westward in x, and is turned when read."""


def unreadable(path: Path, err: object) -> InputError:
    """The error for a source whose header cannot be read."""
    return InputError(
        f"cannot open {path}", "a readable, georeferenced raster", str(err), "fetch the file again"
    )


@contextmanager
def open_raster(path: Path) -> Iterator[Any]:
    """An open rasterio dataset that has a CRS; InputError naming the file otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
    except RasterioError as err:
        raise unreadable(path, err) from err
    with dataset:
        if dataset.crs is None:
            raise InputError(
                f"{path} has no coordinate reference system",
                "a georeferenced raster",
                "no CRS",
                "assign the CRS the raster was made in (gdal_edit -a_srs EPSG:...)",
            )
        yield dataset


def raster_grid(dataset: Any) -> SourceGrid:
    """The grid of an open rasterio dataset."""
    return SourceGrid(dataset.crs.to_wkt(), tuple(dataset.transform)[:6], dataset.width, dataset.height)


@contextmanager
def open_cube(path: Path) -> Iterator[xr.Dataset]:
    """An open NetCDF-4 file with nothing decoded; InputError naming the file if it cannot be opened."""
    try:
        cube = xr.open_dataset(path, engine="h5netcdf", decode_cf=False)
    except (OSError, ValueError, KeyError) as err:
        raise unreadable(path, err) from err
    with cube:
        yield cube


@contextmanager
def _open_hdf5(path: Path) -> Iterator[Any]:
    """An open HDF5 file: for pixels alone, as xarray decodes every variable's header at each opening."""
    import h5py  # few sources are NetCDF

    try:
        file = h5py.File(path)
    except OSError as err:
        raise unreadable(path, err) from err
    with file:
        yield file


def is_unsigned(variable: xr.DataArray) -> bool:
    """True if signed integers of the file stand for unsigned ones (`_Unsigned`, NetCDF users' guide)."""
    return variable.dtype.kind == "i" and str(variable.attrs.get("_Unsigned", "false")).lower() == "true"


def cube_dtype(variable: xr.DataArray) -> np.dtype[Any]:
    """The dtype the variable's values stand for."""
    return np.dtype(f"u{variable.dtype.itemsize}") if is_unsigned(variable) else variable.dtype


def cube_nodata(variable: xr.DataArray) -> float | None:
    """The no-data value of a NetCDF variable: declared, else NetCDF's own for 16-bit integers."""
    dtype = cube_dtype(variable)
    for name in ("_FillValue", "missing_value"):
        if name in variable.attrs:
            declared = np.asarray(variable.attrs[name]).reshape(-1)[:1]
            return float(declared.astype(variable.dtype).view(dtype)[0])
    defaults = {"uint16": NC_FILL_USHORT, "int16": NC_FILL_SHORT}
    return defaults.get(dtype.name)


def _cube_rows(variable: Any, source: BandSource) -> ReadRows:
    """Reads of one time step of an HDF5 variable (time, y, x), turned to north up and west left."""

    def turned(span: slice, size: int, turn: bool) -> slice:
        return slice(size - span.stop, size - span.start) if turn else span

    def read(rows: slice, columns: slice) -> NDArray[Any]:
        up, left = source.turned_yx
        rows, columns = turned(rows, source.grid.height, up), turned(columns, source.grid.width, left)
        values = variable[source.index, rows, columns].astype(source.dtype)
        return np.asarray(values[:: -1 if up else 1, :: -1 if left else 1])

    return read


def _named(read: ReadRows, source: BandSource) -> ReadRows:
    """`read`, its failures told as SceneReadError with the file's name."""

    def guarded(rows: slice, columns: slice) -> NDArray[Any]:
        try:
            return read(rows, columns)
        except (RasterioError, OSError) as err:
            raise SceneReadError(
                f"cannot read {source.path} ({source.band})",
                "a whole raster",
                f"{err} {err.__cause__ or ''}".strip(),
                "fetch the file again: it is truncated or damaged",
            ) from err

    return guarded


@contextmanager
def open_rows(source: BandSource) -> Iterator[ReadRows]:
    """Yield a function that reads rectangles of the source; it raises SceneReadError naming the file."""
    if source.variable is not None:
        with _open_hdf5(source.path) as file:
            yield _named(_cube_rows(file[source.variable], source), source)
    else:
        with open_raster(source.path) as dataset:
            yield _named(
                lambda rows, columns: dataset.read(
                    source.index, window=rasterio.windows.Window.from_slices(rows, columns)
                ),
                source,
            )


def spool(source: BandSource, path: Path) -> BandSource:
    """The source copied strip by strip into a plain GeoTIFF at `path`, every kind of no data made 0."""
    grid = source.grid
    dtype = np.dtype(source.dtype)
    profile = {
        "driver": "GTiff", "dtype": dtype.name, "count": 1, "height": grid.height, "width": grid.width,
        "crs": grid.crs, "transform": grid.affine, "nodata": 0,
    }  # fmt: skip
    with open_rows(source) as read, rasterio.open(path, "w", **profile) as target:
        for top in range(0, grid.height, STRIP_PX):
            rows = slice(top, min(top + STRIP_PX, grid.height))
            values = read(rows, slice(0, grid.width))
            values = np.where((values == source.nodata) | (values != values), dtype.type(0), values)
            target.write(values, 1, window=rasterio.windows.Window.from_slices(rows, (0, grid.width)))
    return BandSource(source.band, path, grid, source.dtype, 0, 1)


def has_valid_pixel(source: BandSource) -> bool:
    """True if any pixel is neither 0 nor no data; reads only until it finds one."""
    with open_rows(source) as read:
        for top in range(0, source.grid.height, STRIP_PX):
            rows = slice(top, min(top + STRIP_PX, source.grid.height))
            values = read(rows, slice(0, source.grid.width))
            if ((values != 0) & (values != source.nodata) & (values == values)).any():
                return True
    return False
