"""Items: a task's bands converted to scenes/1, their offset checked, written and committed to the archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject

from cocal.archive import band_writer, scene_item
from cocal.contracts import NO_DATA, QUALITY, SCL_CLASSES
from cocal.errors import InputError, OffsetError
from cocal.grid import Window
from cocal.notes.account import record
from cocal.scenes.plan import BandTask, ImportTask
from cocal.scenes.radiometry import (
    can_be_void,
    check_offset,
    check_plausible,
    is_missing,
    sample_step,
    stored_reflectance,
)
from cocal.scenes.source import STRIP_PX, open_rows, reading, spool
from cocal.store import write_json

CACHE_BYTES = 128 << 20
"""GDAL's cache of blocks: a strip of a source is decoded once."""

WARP_TOLERANCE_PX = 0.01
"""Largest error of the interpolated transformation, in source pixels."""

HIGHEST = {"scl": len(SCL_CLASSES) - 1, "cloud_probability": 100}
"""Highest values of the quality bands."""

SHORT_SHARE = 0.05
"""Largest share of the pixels with reflectance that may lack a scene class without a note."""

ReadWindow = Callable[[Window], NDArray[Any]]


def write_scene(folder: Path, results: Sequence[object], task: ImportTask) -> None:  # noqa: ARG001 - a recipe's finish
    """Convert the task's sources and write the item's rasters and JSON into `folder`.

    Strips of 1152 rows are read, converted and written, so memory does not grow with the scene.

    Raises
    ------
    SceneReadError
        A source cannot be read to its end.
    OffsetError
        The data contradict the scale or the offset.
    """
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        written = {band.source.band: _write_band(task, band, folder) for band in task.bands}
    samples = {name: sample for name, (sample, _) in written.items()}
    held = max(m2 for band, (_, m2) in written.items() if band not in QUALITY)
    if not held:
        record("scene_without_pixel", scene=task.unit)
    elif "scl" in written and (short := 1 - written["scl"][1] / held) > SHORT_SHARE:
        record("scene_without_class", scene=task.unit, share=short)
    try:
        check_plausible(samples, task.offset, task.scale)
        check_offset(samples, task.offset, task.scale)
    except OffsetError as err:
        raise OffsetError(f"{task.unit}: {err.what}", err.expected, err.found, err.remedy) from err
    sizes = {band.source.band: band.resolution for band in task.bands}
    item = scene_item(task.unit, task.acquired, task.window, sizes, task.properties)
    write_json(folder / f"{task.unit}.json", item)


def _strips(window: Window) -> Iterator[Window]:
    for row in range(0, window.height, STRIP_PX):
        height = min(STRIP_PX, window.height - row)
        yield replace(window, top=window.top - row * window.resolution, height=height)


def _write_band(task: ImportTask, band: BandTask, folder: Path) -> tuple[NDArray[Any], int]:
    """Write one band of the item; a sample of its DN, for `check_offset`, and the ground with data, m2."""
    source, window = band.source, task.window.at(band.resolution)
    quality = source.band in QUALITY
    sampled = (slice(None, None, sample_step(window.shape)),) * 2
    samples, held, voids = [], 0, 0
    with (
        _reader(task, band, folder) as read,
        band_writer(folder / f"{source.band}.tif", window, "uint8" if quality else "uint16") as target,
    ):
        for strip in _strips(window):
            dn = read(strip)
            if quality:
                values: NDArray[Any] = _quality(dn, band)
            else:
                values = stored_reflectance(dn, source.nodata, offset=task.offset, scale=task.scale)
                samples.append(dn[sampled][~is_missing(dn[sampled], source.nodata)])
                if can_be_void(dn.dtype, task.offset, task.scale):
                    voids += int(((values == NO_DATA) & ~is_missing(dn, source.nodata)).sum())
            held += int(np.count_nonzero(values != source.no_data)) * band.resolution**2
            target.write(values, 1, window=rasterio.windows.Window.from_slices(*window.slices_of(strip)))
    if voids:
        record("scene_voids", scene=task.unit, band=source.band, n=voids)
    return np.concatenate(samples) if samples else np.empty(0), held


def _quality(dn: NDArray[Any], band: BandTask) -> NDArray[np.uint8]:
    """A quality band as uint8, its no data as the archive writes it."""
    source = band.source
    missing = (dn == source.nodata) | (dn != dn)
    values, highest = np.where(missing, source.no_data, dn), HIGHEST[source.band]
    known = np.where(values == source.no_data, 0, values)
    if known.min() < 0 or known.max() > highest or (known != np.rint(known)).any():
        raise InputError(
            f"{source.path} ({source.band}) is no {source.band} band",
            f"whole numbers from 0 to {highest}",
            f"{known.min()} to {known.max()}" + (", decimals" if values.dtype.kind == "f" else ""),
            "fix `bands:`, or declare the no data of the file",
        )
    return values.astype(np.uint8)


@contextmanager
def _reader(task: ImportTask, band: BandTask, folder: Path) -> Iterator[ReadWindow]:
    """Yield a function that returns the source's DN on any window of the item's lattice."""
    source = band.source
    if not band.warped:
        with open_rows(source) as read:
            yield lambda window: _copied(read, band, window)
        return
    spooled = folder / f"{source.band}-spool.tif"
    # GDAL takes no value for no data that the file's dtype cannot hold; signed bytes are read as int16
    plain = source.plain and source.nodata in (None, source.no_data)
    plain &= not (source.no_data and source.dtype == "int16")
    raster = source if plain and source.variable is None else spool(source, spooled)
    try:
        with rasterio.open(raster.path) as dataset:
            yield lambda window: _warped(dataset, raster.index, task, band, window)
    finally:
        spooled.unlink(missing_ok=True)


def _copied(read: Any, band: BandTask, window: Window) -> NDArray[Any]:
    source = band.source
    out = np.full(window.shape, source.no_data, dtype=source.dtype)
    left, top = round(source.grid.transform[2]), round(source.grid.transform[5])
    whole = Window(window.epsg, left, top, source.grid.width, source.grid.height, window.resolution)
    part = window.intersection(whole)
    if part is not None:
        out[window.slices_of(part)] = read(*whole.slices_of(part))
    return out


def _warped(dataset: Any, index: int, task: ImportTask, band: BandTask, window: Window) -> NDArray[Any]:
    source = band.source
    missing = source.no_data
    out = np.full(window.shape, missing, dtype=source.dtype)
    how = "nearest" if source.band in QUALITY else str(task.resampling)
    nodata = dataset.nodatavals[index - 1]
    with reading(source):
        reproject(
            rasterio.band(dataset, index),
            out,
            src_nodata=missing if nodata is None else nodata,
            dst_transform=window.transform,
            dst_crs=f"EPSG:{window.epsg}",
            dst_nodata=missing,
            resampling=Resampling[how],
            tolerance=WARP_TOLERANCE_PX,
        )
    return out
