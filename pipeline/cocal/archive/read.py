"""Window + items -> scenes/1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.archive.catalog import DESCRIPTIONS, Scene
from cocal.archive.geotiff import open_tiled
from cocal.contracts import NO_DATA, QUALITY, SCENES, check_scenes, grid_coords
from cocal.errors import InputError, SceneReadError
from cocal.grid import Window


def read_raster(path: Path, window: Window, native: int, dtype: str, fill: int = NO_DATA) -> NDArray[Any]:
    """(y, x) values of a grid-aligned raster on `window`; `fill` outside; coarse pixels are repeated.

    Repeating is exact: coarse pixels are whole multiples of `window.resolution` on the same lattice.

    Raises
    ------
    SceneReadError
        The file is missing, cut short, or cannot be unpacked.
    """
    tiled = open_tiled(path)
    if tiled is not None and tiled.takes(window, native, dtype):
        out = np.full(window.shape, fill, dtype=dtype)
        try:
            tiled.read(window, out)
        except (ValueError, OSError) as err:
            raise _damaged(path, err) from err
        return out
    try:
        return _read_by_gdal(path, window, native, dtype, fill)
    except RasterioError as err:
        raise _damaged(path, err) from err


def _damaged(path: Path, err: Exception) -> SceneReadError:
    return SceneReadError(
        f"cannot read {path}", "a whole GeoTIFF as it was committed", str(err),
        "delete the item's folder and run `cocal import` again",
    )  # fmt: skip


def _read_by_gdal(path: Path, window: Window, native: int, dtype: str, fill: int) -> NDArray[Any]:
    step = native * window.resolution // np.gcd(native, window.resolution)
    outer = window.snapped(int(step))
    coarse = outer.at(native)
    out = np.full(coarse.shape, fill, dtype=dtype)
    with rasterio.open(path) as source:
        left, top = round(source.transform.c), round(source.transform.f)
        whole = Window(window.epsg, left, top, source.width, source.height, native)
        part = coarse.intersection(whole)
        if part is not None:
            rows, columns = whole.slices_of(part)
            read = source.read(1, window=rasterio.windows.Window.from_slices(rows, columns))
            out[coarse.slices_of(part)] = read
    repeat = native // window.resolution
    if repeat > 1:
        out = np.repeat(np.repeat(out, repeat, axis=0), repeat, axis=1)
    return out[outer.slices_of(window)]


def read_scenes(
    scenes: Sequence[Scene], window: Window, bands: Sequence[str], inner: Window | None = None
) -> xr.Dataset:
    """scenes/1 on `window`: `bands` by name, one time step per day, ascending.

    Scenes of one day are merged pixel by pixel: the newest processing baseline first, then the id. A
    pixel comes from the first scene in which every reflectance band asked for is valid, so that its
    bands belong to one acquisition. Where there is none its bands are 0, and its class and cloud probability are those of
    the first scene that has a class: a cloud is one, and hides its surroundings, where a band is missing too.

    Around `inner` only classes and cloud probabilities are wanted: reflectance may be 0 there.
    """
    missing = sorted({f"{name} in {s.id}" for s in scenes for name in bands if name not in s.bands})
    if missing:
        raise InputError(
            "bands are missing in the archive",
            f"{', '.join(bands)} in every scene",
            "no " + ", ".join(missing[:6]),
            "import the bands, or choose features that do not need them",
        )
    days = sorted({s.day for s in scenes})
    stacks = {
        name: np.zeros((len(days), *window.shape), dtype="uint8" if name in QUALITY else "uint16")
        for name in bands
    }
    for index, day in enumerate(days):
        out = {n: a[index] for n, a in stacks.items()}
        _merge_day([s for s in scenes if s.day == day], window, out, inner or window)
    variables = {
        name: (
            ("time", "y", "x"),
            stack,
            {"long_name": DESCRIPTIONS.get(name, f"{name} surface reflectance x 10000"), "units": "1"},
        )
        for name, stack in stacks.items()
    }
    dataset = xr.Dataset(
        variables,
        coords={"time": np.array(days, dtype="datetime64[ns]"), **grid_coords(window)},
        attrs={
            "contract": SCENES,
            "inputs": [s.id for s in scenes],
            "simulated": int(any(s.simulated for s in scenes)),
        },
    )
    return check_scenes(dataset, bands)


def _merge_day(
    scenes: Sequence[Scene], window: Window, out: Mapping[str, NDArray[Any]], inner: Window
) -> None:
    """Fill the (y, x) arrays of one day in place, best scene first.

    Around `inner` bands are read only where several scenes meet: which of them a pixel is of depends on all its bands.
    """
    if len(scenes) > 1:
        inner = window
    best_first = sorted(scenes, key=lambda s: s.id)
    best_first.sort(key=lambda s: str(s.properties.get("s2:processing_baseline", "")), reverse=True)
    quality = [name for name in out if name in QUALITY]
    part = {name: array if name in quality else array[window.slices_of(inner)] for name, array in out.items()}
    empty = np.ones(inner.shape, dtype=bool)
    for scene in best_first:
        values = {name: _read_band(scene, name, window if name in quality else inner, part) for name in part}
        whole = empty.copy()
        for name in part:
            if name not in quality:
                whole &= values[name] != NO_DATA
        _take(values, part, quality, whole, window.slices_of(inner))
        empty &= ~whole
        if not empty.any():
            return


def _read_band(scene: Scene, name: str, window: Window, out: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    band = scene.bands[name]
    return read_raster(band.path, window, band.resolution, str(out[name].dtype))


def _take(
    values: Mapping[str, NDArray[Any]],
    out: Mapping[str, NDArray[Any]],
    quality: Sequence[str],
    whole: NDArray[np.bool_],
    inside: tuple[slice, slice],
) -> None:
    """Put what one scene holds into `out`: bands where it is whole, classes there and where none was known."""
    for name, array in values.items():
        if name not in quality:
            np.copyto(out[name], array, where=whole)
    if quality:
        better = np.zeros(out[quality[0]].shape, dtype=bool)
        if "scl" in quality:
            better |= (out["scl"] == NO_DATA) & (values["scl"] != NO_DATA)
        better[inside] |= whole
        for name in quality:
            np.copyto(out[name], values[name], where=better)
