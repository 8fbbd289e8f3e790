"""Reflectance of a window: items of the archive -> scenes/1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from cocal.archive.catalog import DESCRIPTIONS, Band, Scene, baseline_rank
from cocal.archive.geotiff import FAR_M, open_tiled
from cocal.checksums import difference
from cocal.contracts import NO_DATA, QUALITY, SCENES, check_scenes, grid_coords
from cocal.errors import DamagedError, InputError, SceneReadError
from cocal.grid import Window
from cocal.rasters import GDAL_ERRORS, check_layout
from cocal.store import MANIFEST


def read_raster(path: Path, window: Window, native: int, dtype: str, fill: int = NO_DATA) -> NDArray[Any]:
    """(y, x) values of a grid-aligned raster on `window`; `fill` outside; coarse pixels are repeated.

    Repeating is exact: coarse pixels are whole multiples of `window.resolution` on the same lattice.

    Raises
    ------
    SceneReadError
        The file is missing, truncated, or cannot be decompressed.
    """
    out = np.full(window.shape, fill, dtype=dtype)
    read_into(path, window, native, out, window)
    return out


def read_into(path: Path, window: Window, native: int, plane: NDArray[Any], whole: Window) -> None:
    """`read_raster` into the part `window` of `plane` (y, x; on `whole`); unchanged outside the file.

    Raises
    ------
    SceneReadError
        As `read_raster`.
    """
    rows, columns = whole.slices_of(window)
    tiled = open_tiled(path)
    try:
        if tiled is not None and tiled.fits(window, native, str(plane.dtype)):
            tiled.read(window, plane, (rows.start, rows.stop, columns.start, columns.stop))
        else:
            _read_by_gdal(path, window, native, plane[rows, columns])
    except (ValueError, OSError, *GDAL_ERRORS) as err:
        raise _unreadable(path, err) from err


def proven(band: Band) -> Path:
    """The file of a band, if its bytes are those that were committed.

    It is read as a whole and compared with its checksum once per process, and again when it has changed.

    Raises
    ------
    DamagedError
        The file is missing, or its bytes are others.
    """
    try:
        wrong = difference(band.path, band.facts) if band.facts else ""
    except OSError as err:
        raise _unreadable(band.path, err) from err
    if wrong:
        raise DamagedError(
            f"{band.path} is not as it was committed", "the bytes that its manifest states", wrong,
            "`cocal run` moves the scene aside and imports, or downloads, it again",
            str(band.path.with_name(MANIFEST)),
        )  # fmt: skip
    return band.path


def _unreadable(path: Path, err: object) -> SceneReadError:
    return SceneReadError(
        f"cannot read {path}", "a whole GeoTIFF as it was committed", str(err),
        "look whether the disk is at fault, then run again",
    )  # fmt: skip


def _read_by_gdal(path: Path, window: Window, native: int, out: NDArray[Any]) -> None:
    step = native * window.resolution // np.gcd(native, window.resolution)
    with rasterio.open(path) as source:
        left, top = _checked_corner(source, window, native, str(out.dtype))
        whole = Window(window.epsg, left, top, source.width, source.height, native)
        part = window.snapped(int(step)).at(native).intersection(whole)
        if part is None:
            return
        read = source.read(1, window=rasterio.windows.Window.from_slices(*whole.slices_of(part)))
    repeat = native // window.resolution
    if repeat > 1:
        read, part = np.repeat(np.repeat(read, repeat, axis=0), repeat, axis=1), part.at(window.resolution)
    common = part.intersection(window)
    if common is not None:
        out[window.slices_of(common)] = read[part.slices_of(common)]


def _checked_corner(source: DatasetReader, window: Window, native: int, dtype: str) -> tuple[int, int]:
    """(left, top) of an open raster in metres; ValueError unless its pixels are whole pixels of `window`."""
    check_layout(source)
    t, crs = source.transform, source.crs
    if crs is None or crs.to_epsg() != window.epsg or source.dtypes[0] != dtype:
        raise ValueError(
            f"{source.dtypes[0]} in {crs and crs.to_string()}, not {dtype} in EPSG:{window.epsg}"
        )
    apart = t.c - window.left, t.f - window.top, native
    if (
        (t.a, t.b, t.d, t.e) != (native, 0, 0, -native)
        or not max(abs(t.c), abs(t.f)) < FAR_M
        or t.c % native or t.f % native
        or any(metres % window.resolution for metres in apart)
    ):  # fmt: skip
        raise ValueError(f"a grid of {tuple(t)[:6]}, not pixels of {native} m on the lattice of {window}")
    return int(t.c), int(t.f)


def read_scenes(
    scenes: Sequence[Scene], window: Window, bands: Sequence[str], inner: Window | None = None
) -> xr.Dataset:
    """Reflectance x 10000 of `bands` on `window`, one time step per day, ascending (contract scenes/1).

    Scenes of one day are merged pixel by pixel: the newest processing baseline first, then the id. A
    pixel comes from the first scene in which every requested reflectance band is valid, so that its
    bands belong to one acquisition. Where there is none its bands are 0, and its class and cloud
    probability are those of the first scene that has a class: a cloud is one, and hides its
    surroundings, where a band is missing too.

    Parameters
    ----------
    scenes
        As `list_scenes` returns them; only those that touch the window need be given.
    window
        Pixels to read, on the lattice of 10 m; coarser bands are repeated.
    bands
        Common names (`cocal.contracts.BANDS`, `QUALITY`).
    inner
        Outside of it reflectance is not needed, only classes and cloud probabilities: it may be 0 there.

    Returns
    -------
    xarray.Dataset
        (time, y, x): uint16 per band, 0 = no data; uint8 `scl` and `cloud_probability`, 255 = not offered.

    Raises
    ------
    InputError
        A scene lacks a band.
    SceneReadError
        A file is missing or truncated.

    Examples
    --------
    See docs/api.md.
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
    shape, reflectance = (len(days), *window.shape), [name for name in bands if name not in QUALITY]
    stack = np.zeros((len(reflectance), *shape), dtype=np.uint16)
    stacks = dict(zip(reflectance, stack, strict=True))
    stacks |= {name: np.zeros(shape, dtype=np.uint8) for name in bands if name in QUALITY}
    for index, day in enumerate(days):
        _merge_day([s for s in scenes if s.day == day], window, stack, stacks, index, inner or window)
    variables = {
        name: (
            ("time", "y", "x"),
            values,
            {"long_name": DESCRIPTIONS.get(name, f"{name} surface reflectance x 10000"), "units": "1"},
        )
        for name, values in stacks.items()
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
    scenes: Sequence[Scene],
    window: Window,
    stack: NDArray[np.uint16],
    stacks: Mapping[str, NDArray[Any]],
    time: int,
    inner: Window,
) -> None:
    """Fill index `time` of `stack` (band, time, y, x) and of `stacks` by name, whose bands are views of it.

    Around `inner` bands are read only if a day has several scenes: all bands decide which one gives a pixel.
    """
    from cocal.archive.unpack import keep_whole  # numba is 60 MB: a download does without

    if len(scenes) > 1:
        inner = window
    best_first = sorted(scenes, key=lambda s: s.id)
    best_first.sort(key=lambda s: baseline_rank(s.properties.get("s2:processing_baseline")), reverse=True)
    out = {name: values[time] for name, values in stacks.items()}
    for name, plane in out.items():
        band = best_first[0].bands[name]
        read_into(proven(band), window if name in QUALITY else inner, band.resolution, plane, window)
    rows, columns = window.slices_of(inner)
    empty = ~keep_whole(stack, time, (rows.start, rows.stop, columns.start, columns.stop))
    for scene in best_first[1:]:
        if not empty.any():
            return
        empty &= ~_fill_empty(scene, window, out, empty)


def _fill_empty(
    scene: Scene, window: Window, out: Mapping[str, NDArray[Any]], empty: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Copy bands into `out` where the scene is whole and `empty`, classes there and where there is none yet.

    Returns the pixels (y, x) whose bands were copied.
    """
    values = {
        name: read_raster(proven(scene.bands[name]), window, scene.bands[name].resolution, str(plane.dtype))
        for name, plane in out.items()
    }
    whole: NDArray[np.bool_] = empty.copy()
    for band in (v for name, v in values.items() if name not in QUALITY):
        whole &= band != NO_DATA
    better = whole
    if "scl" in out:
        better = whole | ((out["scl"] == NO_DATA) & (values["scl"] != NO_DATA))
    for name, array in values.items():
        np.copyto(out[name], array, where=better if name in QUALITY else whole)
    return whole
