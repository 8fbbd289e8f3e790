"""Items: a task's bands converted to scenes/1, checked by the guard and committed to the archive."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from cocal.archive import SIMULATED, band_writer, scene_item, scene_store, write_catalog
from cocal.contracts import NO_DATA, QUALITY
from cocal.errors import InputError, OffsetError, SceneReadError
from cocal.grid import Window
from cocal.scenes.plan import BandTask, ImportTask, plan_imports
from cocal.scenes.radiometry import check_offset, stored_reflectance
from cocal.scenes.settings import SceneImport
from cocal.scenes.source import STRIP_PX, open_rows, spool
from cocal.store import address, sha256_file, source_digest, write_json

log = logging.getLogger(__name__)

CACHE_BYTES = 128 << 20
SAMPLE_PX = 1_000_000
"""The guard looks at about this many pixels per band, evenly spread."""

WARP_TOLERANCE_PX = 0.01
"""Largest error of the interpolated transformation, in source pixels."""

NOT_OFFERED = {"cloud_probability": 255}
"""No data of the quality bands where it is not 0."""

ReadWindow = Callable[[Window], NDArray[Any]]


@lru_cache(maxsize=4096)
def _file_sha256(path: Path, _size: int, _modified_ns: int) -> str:
    return sha256_file(path)


def _sha256(path: Path) -> str:
    try:
        facts = path.stat()
        return _file_sha256(path, facts.st_size, facts.st_mtime_ns)
    except OSError as err:
        raise InputError(f"cannot read {path}", "a readable file", str(err), "mend the path") from err


def import_address(task: ImportTask) -> dict[str, Any]:
    """What makes the item: sources by content, how they are read, radiometry, code. No paths."""
    bands = {
        band.source.band: {
            "sha256": _sha256(band.source.path),
            "index": band.source.index,
            "variable": band.source.variable,
            "resolution": band.resolution,
            "warped": band.warped,
        }
        for band in task.bands
    }
    window = task.window
    return {
        "unit": task.unit,
        "acquired": task.acquired.isoformat(),
        "window": [window.epsg, window.left, window.top, window.width, window.height, window.resolution],
        "bands": bands,
        "metadata": sorted(_sha256(path) for path in task.metadata_files),
        "properties": _properties(task),
        "code": source_digest("scenes", "archive", "grid"),
    }


def _properties(task: ImportTask) -> dict[str, Any]:
    """The item's own properties; file names only, never folders."""
    known = {"platform": task.platform, "s2:processing_baseline": task.baseline}
    if task.warped:
        known["cocal:resampling"] = task.resampling
    return {name: value for name, value in known.items() if value is not None} | {
        "cocal:offset_applied": task.offset,
        "cocal:scale": task.scale,
        "cocal:offset_source": task.offset_source,
        "cocal:source": sorted({band.source.path.name for band in task.bands}),
        "cocal:warped": task.warped,
        SIMULATED: task.simulated,
    }


def import_scene(task: ImportTask, archive: str | Path) -> bool:
    """Make one item of the archive; True if it was made, False if it was there already.

    Strips of 1152 rows are read, converted and written, so memory does not grow with the scene. Nothing is
    published unless every band was read whole and the guard let the offset pass.

    Raises
    ------
    SceneReadError
        A source cannot be read to its end.
    OffsetError
        The data contradict the offset.
    """
    store, inputs = scene_store(archive), import_address(task)
    if store.find(task.unit, address(inputs)) is not None:
        return False
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), store.commit(task.unit, inputs) as folder:
        samples = {band.source.band: _write_band(task, band, folder) for band in task.bands}
        try:
            check_offset(samples, task.offset, task.scale)
        except OffsetError as err:
            raise OffsetError(f"{task.unit}: {err.what}", err.expected, err.found, err.remedy) from err
        item = scene_item(
            task.unit,
            task.acquired,
            task.window,
            {band.source.band: band.resolution for band in task.bands},
            _properties(task),
        )
        write_json(folder / f"{task.unit}.json", item)
    return True


def import_scenes(imports: Sequence[SceneImport], archive: str | Path) -> list[str]:
    """Import one item after the other and write the catalog; the ids of all items, made and reused."""
    tasks, store = plan_imports(imports), scene_store(archive)
    with store.locked():
        store.sweep()
        for task in tasks:
            made = import_scene(task, archive)
            log.info("%s: %s", task.unit, "made" if made else "reused")
        write_catalog(archive)
    return [task.unit for task in tasks]


def _strips(window: Window) -> Iterator[Window]:
    for row in range(0, window.height, STRIP_PX):
        height = min(STRIP_PX, window.height - row)
        yield replace(window, top=window.top - row * window.resolution, height=height)


def _write_band(task: ImportTask, band: BandTask, folder: Path) -> NDArray[Any]:
    """Write one band of the item; returns a sample of its valid DN for the guard."""
    source, window = band.source, task.window.at(band.resolution)
    quality = source.band in QUALITY
    step = math.ceil(math.sqrt(window.width * window.height / SAMPLE_PX))
    samples = []
    target_path = folder / f"{source.band}.tif"
    with (
        _reader(task, band, folder) as read,
        band_writer(target_path, window, "uint8" if quality else "uint16") as target,
    ):
        for strip in _strips(window):
            dn = read(strip)
            place = rasterio.windows.Window.from_slices(*window.slices_of(strip))
            if quality:
                target.write(_quality(dn, band), 1, window=place)
                continue
            values = stored_reflectance(dn, source.nodata, offset=task.offset, scale=task.scale)
            target.write(values, 1, window=place)
            sampled = (slice(None, None, step),) * 2
            samples.append(dn[sampled][values[sampled] != NO_DATA])
    return np.concatenate(samples) if samples else np.empty(0)


def _quality(dn: NDArray[Any], band: BandTask) -> NDArray[np.uint8]:
    """A quality band as uint8, its no data as the archive writes it."""
    source = band.source
    missing = (dn == source.nodata) | (dn != dn)
    values = np.where(missing, NOT_OFFERED.get(source.band, NO_DATA), dn)
    if values.min() < 0 or values.max() > 255:
        raise InputError(
            f"{source.path} ({source.band}) is no {source.band} band",
            "whole numbers from 0 to 255",
            f"{values.min()} to {values.max()}",
            "mend `bands:`",
        )
    return values.astype(np.uint8)


@contextmanager
def _reader(task: ImportTask, band: BandTask, folder: Path) -> Iterator[ReadWindow]:
    """Yield a function that gives the source's DN on any window of the item's lattice."""
    source = band.source
    if not band.warped:
        with open_rows(source) as read:
            yield lambda window: _copied(read, band, window)
        return
    spooled = folder / f"{source.band}-spool.tif"
    plain = source.nodata in (None, NO_DATA) or source.band in QUALITY
    raster = source if plain and source.variable is None else spool(source, spooled)
    try:
        with rasterio.open(raster.path) as dataset:
            yield lambda window: _warped(dataset, raster.index, task, band, window)
    finally:
        spooled.unlink(missing_ok=True)


def _copied(read: Any, band: BandTask, window: Window) -> NDArray[Any]:
    source = band.source
    out = np.full(window.shape, NOT_OFFERED.get(source.band, NO_DATA), dtype=source.dtype)
    left, top = round(source.grid.transform[2]), round(source.grid.transform[5])
    whole = Window(window.epsg, left, top, source.grid.width, source.grid.height, window.resolution)
    part = window.intersection(whole)
    if part is not None:
        out[window.slices_of(part)] = read(*whole.slices_of(part))
    return out


def _warped(dataset: Any, index: int, task: ImportTask, band: BandTask, window: Window) -> NDArray[Any]:
    source = band.source
    missing = NOT_OFFERED.get(source.band, NO_DATA)
    out = np.full(window.shape, missing, dtype=source.dtype)
    how = "nearest" if source.band in QUALITY else str(task.resampling)
    nodata = dataset.nodatavals[index - 1]
    try:
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
    except RasterioError as err:
        raise SceneReadError(
            f"cannot read {source.path} ({source.band})",
            "a whole raster",
            f"{err} {err.__cause__ or ''}".strip(),
            "fetch the file again: it is truncated or damaged",
        ) from err
    return out
