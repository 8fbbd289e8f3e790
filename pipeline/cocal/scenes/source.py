"""Source rasters: a band of a GeoTIFF or JP2, or one time step of a NetCDF variable, read in strips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon

from cocal import rasters
from cocal.checksums import read_back
from cocal.content import File
from cocal.contracts import NO_DATA
from cocal.errors import InputError, SceneReadError
from cocal.scenes.probe import broken

STRIP_PX = 1152
"""Rows read at a time: three tiles of the archive's rasters."""

HDF5_ERRORS = (OSError, ValueError, KeyError, RuntimeError, AttributeError, TypeError)
"""What h5py and xarray raise where a file is damaged."""

ReadRows = Callable[[slice, slice], NDArray[Any]]
"""(rows, columns) -> array (y, x), the northernmost row first."""

NOT_OFFERED = {"cloud_probability": 255}
"""No data of the quality bands where it is not 0."""

NC_FILL = {
    "int16": -32767.0, "uint16": 65535.0, "int32": -2147483647.0, "uint32": 4294967295.0,
    "float32": 9.969209968386869e36, "float64": 9.969209968386869e36,
}  # fmt: skip
"""Values of unwritten cells of a NetCDF variable, by dtype (netCDF-C, netcdf.h, NC_FILL_*)."""

NOT_NETCDF_4 = {
    b"CDF": ("a NetCDF-3 (classic) file", "convert it: nccopy -k nc4 OLD.nc NEW.nc"),
    b"GRIB": ("a GRIB file", "convert it: xarray.open_dataset(OLD, engine='cfgrib').to_netcdf(NEW)"),
    b"PK": ("a ZIP file, such as a zipped Zarr store", "convert it: xarray.open_zarr(OLD).to_netcdf(NEW)"),
}
"""First bytes of files that are taken for cubes: what they are, what to do."""


@dataclass(frozen=True)
class SourceGrid:
    """The grid of a source: CRS as WKT, affine transform, size."""

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

    masked: bool = False
    """Whether a mask or an alpha band, not a value, states where a raster has no data."""

    invalid: tuple[float, ...] = ()
    """Further values that are no data."""

    valid: tuple[float, float] = (-np.inf, np.inf)
    """Lowest and highest valid value; others are no data."""

    @property
    def no_data(self) -> int:
        """The band's no data in the archive."""
        return NOT_OFFERED.get(self.band, NO_DATA)

    @property
    def plain(self) -> bool:
        """True if `nodata` alone states where there is no data."""
        return not self.masked and not self.invalid and self.valid == (-np.inf, np.inf)

    def address_content(self) -> dict[str, Any]:
        """All fields; of the file its name and bytes, not its folder."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return own | {"path": (self.path.name, File.of(self.path))}


def unreadable(path: Path, err: object) -> InputError:
    """The error for a source whose header cannot be read."""
    return InputError(
        f"cannot open {path}", "a readable, georeferenced raster", str(err), "fetch the file again"
    )


@contextmanager
def reading(source: BandSource) -> Iterator[None]:
    """Raise failures to read pixels as SceneReadError with the name of the file."""
    try:
        yield
    except (*rasters.GDAL_ERRORS, OSError) as err:
        raise SceneReadError(
            f"cannot read {source.path} ({source.band})",
            "a whole raster",
            f"{err} {err.__cause__ or ''}".strip(),
            "fetch the file again: it is truncated or damaged",
        ) from err


def open_raster(path: Path) -> AbstractContextManager[Any]:
    """An open raster of which all pixels may be read; InputError naming the file otherwise."""
    return rasters.open_raster(path, str(path), "fetch the file again", whole=True)


def work_dtype(dtype: str) -> str:
    """The dtype that values are read as: one that holds every no data of the archive."""
    return "int16" if dtype == "int8" else dtype


def raster_grid(dataset: Any) -> SourceGrid:
    """The grid of an open rasterio dataset."""
    return SourceGrid(dataset.crs.to_wkt(), tuple(dataset.transform)[:6], dataset.width, dataset.height)


def _kind(path: Path) -> tuple[str, str]:
    """What a cube is that is no NetCDF-4 file, and what to do; empty if it may be one."""
    if path.is_dir():
        return "a folder, such as a Zarr store", "convert it: xarray.open_zarr(OLD).to_netcdf(NEW)"
    with suppress(OSError), path.open("rb") as file:
        head = file.read(4)
        return next((kind for start, kind in NOT_NETCDF_4.items() if head.startswith(start)), ("", ""))
    return "", ""


@contextmanager
def open_cube(path: Path) -> Iterator[xr.Dataset]:
    """An open NetCDF-4 file with nothing decoded; InputError naming it if it cannot be read to the end."""
    found, remedy = _kind(path)
    if found:
        raise InputError(f"{path} cannot be imported", "a NetCDF-4 file", found, remedy)
    if wrong := broken(path):
        raise unreadable(path, wrong)
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as cube:
            yield cube
    except HDF5_ERRORS as err:
        raise unreadable(path, err) from err


@contextmanager
def _open_hdf5(path: Path) -> Iterator[Any]:
    """An open HDF5 file, for pixels only: xarray would decode every variable's header at each opening."""
    import h5py  # few sources are NetCDF

    try:
        with h5py.File(path) as file:
            yield file
    except HDF5_ERRORS as err:
        raise unreadable(path, err) from err


def cube_dtype(variable: xr.DataArray) -> np.dtype[Any]:
    """The dtype of the values: signed integers may stand for unsigned ones (`_Unsigned`, NetCDF guide)."""
    unsigned = str(variable.attrs.get("_Unsigned", "false")).lower() == "true"
    return (
        np.dtype(f"u{variable.dtype.itemsize}") if unsigned and variable.dtype.kind == "i" else variable.dtype
    )


def cube_nodata(variable: xr.DataArray) -> float | None:
    """The no-data value of a NetCDF variable: declared, else that of unwritten cells of its dtype."""
    dtype = cube_dtype(variable)
    for name in ("_FillValue", "missing_value"):
        if name in variable.attrs:
            declared = np.asarray(variable.attrs[name]).reshape(-1)[:1]
            return float(declared.astype(variable.dtype).view(dtype)[0])
    return NC_FILL.get(dtype.name)


def _stored_values(variable: xr.DataArray, name: str) -> NDArray[np.float64]:
    """The values of an attribute that counts in stored values, as float64; empty if there is none."""
    values = np.asarray(variable.attrs.get(name, ())).reshape(-1)
    if values.dtype.kind not in "iuf":  # some writers state numbers as text
        texts = " ".join(map(str, values)).replace(",", " ").split()
        return np.array([float(text) for text in texts], dtype=np.float64)
    dtype = cube_dtype(variable)
    if values.dtype.kind in "iu" and dtype != variable.dtype:
        values = values.astype(variable.dtype).view(dtype)
    return values.astype(np.float64)


def cube_invalid(variable: xr.DataArray) -> tuple[float, ...]:
    """Every value that a NetCDF variable declares as missing (CF 1.11, 2.5.1)."""
    declared = [_stored_values(variable, name) for name in ("_FillValue", "missing_value")]
    return tuple(np.unique(np.concatenate(declared)).tolist())


def cube_valid(variable: xr.DataArray) -> tuple[float, float]:
    """(lowest, highest) valid stored value of a NetCDF variable (NetCDF Users Guide, appendix A).

    Limits are stored values; floats of a variable that is packed into integers are unpacked ones.
    """
    low, high = -np.inf, np.inf
    for name in ("valid_range", "valid_min", "valid_max"):
        limits = _stored_values(variable, name)
        if np.asarray(variable.attrs.get(name, 0)).dtype.kind == "f" and variable.dtype.kind in "iu":
            scale, offset = (
                float(variable.attrs.get(n, d)) for n, d in (("scale_factor", 1), ("add_offset", 0))
            )
            limits = np.rint((limits - offset) / scale)
        if limits.size:
            low = max(low, limits[0]) if name != "valid_max" else low
            high = min(high, limits[-1]) if name != "valid_min" else high
    return float(low), float(high)


def _cube_part(variable: Any, source: BandSource, rows: slice, columns: slice) -> NDArray[Any]:
    """A rectangle of one time step of an HDF5 variable (time, y, x), turned to north up and west left."""
    up, left = source.turned_yx
    height, width = source.grid.height, source.grid.width
    rows = slice(height - rows.stop, height - rows.start) if up else rows
    columns = slice(width - columns.stop, width - columns.start) if left else columns
    values = variable[source.index, rows, columns].astype(source.dtype)
    return np.asarray(values[:: -1 if up else 1, :: -1 if left else 1])


@contextmanager
def open_rows(source: BandSource) -> Iterator[ReadRows]:
    """Yield a function that reads rectangles of the source; it raises SceneReadError naming the file."""
    with open_raster(source.path) if source.variable is None else _open_hdf5(source.path) as file:

        def read(rows: slice, columns: slice) -> NDArray[Any]:
            with reading(source):
                part = rasterio.windows.Window.from_slices(rows, columns)
                if source.variable is not None:
                    values = _cube_part(file[source.variable], source, rows, columns)
                else:
                    values = np.asarray(file.read(source.index, window=part)).astype(source.dtype, copy=False)
                if source.plain:
                    return values
                missing = np.isin(values, source.invalid)
                missing |= (values < source.valid[0]) | (values > source.valid[1])
                if source.masked:
                    missing |= file.read_masks(source.index, window=part) == 0
                return np.where(missing, values.dtype.type(source.no_data), values)

        yield read


def _strips(source: BandSource) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of the source's strips, from north to south."""
    for top in range(0, source.grid.height, STRIP_PX):
        yield slice(top, min(top + STRIP_PX, source.grid.height)), slice(0, source.grid.width)


def spool(source: BandSource, path: Path) -> BandSource:
    """The source copied strip by strip into a plain GeoTIFF at `path`, every kind of no data as one value."""
    grid = source.grid
    dtype = np.dtype(source.dtype)
    profile = {
        "driver": "GTiff", "dtype": dtype.name, "count": 1, "height": grid.height, "width": grid.width,
        "crs": grid.crs, "transform": grid.affine, "nodata": source.no_data,
    }  # fmt: skip
    with open_rows(source) as read, rasterio.open(path, "w", **profile) as target:
        for strip in _strips(source):
            values = read(*strip)
            missing = (values == source.nodata) | ~np.isfinite(values)
            values = np.where(missing, dtype.type(source.no_data), values)
            target.write(values, 1, window=rasterio.windows.Window.from_slices(*strip))
    read_back(path, path.name)
    return BandSource(source.band, path, grid, source.dtype, source.no_data, 1)


def has_valid_pixel(source: BandSource) -> bool:
    """True if any pixel is neither 0 nor no data; stops at the first strip that holds one."""
    with open_rows(source) as read:
        values = (read(*strip) for strip in _strips(source))
        return any(((v != 0) & (v != source.nodata) & (v == v)).any() for v in values)
