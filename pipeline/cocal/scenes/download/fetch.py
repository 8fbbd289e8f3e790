"""Fetching of one screen or one tile-date: verified and committed whole, or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.archive import SIMULATED, band_writer, scene_item, scene_store
from cocal.contracts import SCL_CLASSES
from cocal.errors import DownloadStoppedError
from cocal.grid import Window
from cocal.scenes.download.body import NO_CACHE, Pixels
from cocal.scenes.download.catalogue import Bounds, Granule, SceneRequest, Screen
from cocal.scenes.download.coverage import MISSING, missing_share
from cocal.scenes.download.gate import Gate
from cocal.scenes.download.settings import ScreenSettings
from cocal.scenes.download.units import Cost
from cocal.scenes.radiometry import QUANTIFICATION
from cocal.store import LocalStore, Manifest, address, proven, write_json

SCREEN_FILE = "scl.tif"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class SceneSource(Protocol):
    """A service that scenes are fetched from; the values do not depend on which."""

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the pixels besides the granules; no host, so a service or mirror may move."""
        ...

    def granules(self, bounds: Bounds, span: tuple[date, date], gate: Gate) -> list[Granule]:
        """The granules of some days (both included) that touch `bounds` (degrees)."""
        ...

    def opened(self, gate: Gate, share: bool) -> AbstractContextManager[SceneSource]:
        """This source, ready for requests; with `share`, its token is shared with other processes."""
        ...

    def screen_cost(self, window: Window, granules: int) -> Cost:
        """At most what `screen` costs."""
        ...

    def pixel_cost(self, window: Window, granules: int) -> Cost:
        """At most what `pixels` costs."""
        ...

    def screen(self, request: SceneRequest, gate: Gate) -> NDArray[np.uint8]:
        """The classification (y, x) on the window."""
        ...

    def pixels(self, request: SceneRequest, gate: Gate) -> tuple[Pixels, dict[str, Any]]:
        """The day on the window, and its radiometry as properties of the item."""
        ...


@dataclass(frozen=True)
class Fetch:
    """One request, its source and gate, and the folder that its result is committed to."""

    request: SceneRequest
    source: SceneSource
    gate: Gate
    folder: Path
    """The archive for a tile-date, the folder of screens for a screen."""
    simulated: bool = False


def unit_inputs(request: SceneRequest, source: SceneSource) -> dict[str, Any]:
    """What identifies a unit, as it is paid for: window, day, granules by id, source; no host, path or code.

    If the catalogue lists another granule later (published late, or reprocessed), it is another unit.
    """
    return {
        "unit": request.unit,
        "day": request.day.isoformat(),
        "window": list(astuple(request.window)),
        "granules": sorted(granule.id for granule in request.granules),
        "source": source.facts,
        "form": 1,
    }


def screen_store(state: Path) -> LocalStore:
    """The store of screens, so that none is paid for twice."""
    return LocalStore(state / "screens", timed=False)


def download_store(archive: Path) -> LocalStore:
    """The archive's store; the same download leaves the same bytes."""
    return LocalStore(scene_store(archive).root, timed=False)


def is_committed(
    store: LocalStore, request: SceneRequest, source: SceneSource, *, read: bool = False
) -> bool:
    """True if the unit is committed, whole, and of the granules that the catalogue lists now.

    Without `read`, files that were not modified since their manifest was written are judged by their sizes,
    others by their content: an archive of a season is too large to be read through at every start.
    """
    mark, home = store.manifest_path(request.unit), store.home(request.unit)
    manifest = Manifest.read(mark)
    if (
        manifest is None
        or manifest.address != address(unit_inputs(request, source))
        or manifest.lacking(home)
    ):
        return False
    modified = any((home / name).stat().st_mtime_ns > mark.stat().st_mtime_ns for name in manifest.files)
    return manifest.holds(home) if modified or read else True


def fetch_screen(task: Fetch) -> None:
    """Fetch and commit one screen.

    Raises
    ------
    DownloadError
        It could not be fetched.
    DownloadStoppedError
        None can be: budget, quota, credentials, disk.
    """
    request = task.request
    with _disk(task.folder, task.source.screen_cost(request.window, len(request.granules)).bytes):
        scl = task.source.screen(request, task.gate)
        with screen_store(task.folder).commit(request.unit, unit_inputs(request, task.source)) as folder:
            _write_raster(folder / SCREEN_FILE, request.window, scl)


def clear_shares(state: Path, screen: Screen, settings: ScreenSettings) -> dict[str, float]:
    """Unit of each tile-date of a committed screen: share of the tile's pixels, 60 m, that are clear."""
    table = np.isin(np.arange(256), [SCL_CLASSES.index(name) for name in settings.clear])
    with rasterio.open(proven(screen_store(state).home(screen.unit) / SCREEN_FILE)) as dataset:
        clear = table[dataset.read(1)]
    window = screen.window
    return {
        tile_date.unit: float(clear[window.slices_of(tile_date.tile.window.at(window.resolution))].mean())
        for tile_date in screen.tile_dates
    }


def fetch_tile_date(task: Fetch) -> None:
    """Fetch one tile-date and commit it as an item of the archive.

    Raises
    ------
    DownloadError
        It could not be fetched, or its pixels contradict its metadata.
    DownloadStoppedError
        None can be: budget, quota, credentials, disk.
    """
    request, source = task.request, task.source
    with _disk(task.folder, source.pixel_cost(request.window, len(request.granules)).bytes):
        pixels, radiometry = source.pixels(request, task.gate)
        rasters: dict[str, NDArray[Any]] = {
            **pixels.bands,
            "scl": pixels.scl,
            "cloud_probability": pixels.cloud_probability,
        }
        missing = missing_share(request.window, request.granules, pixels.has_data)
        first = request.granules[0]
        known = {"platform": first.platform, "s2:processing_baseline": first.baseline or None}
        properties = {name: value for name, value in known.items() if value is not None} | {
            "cocal:source": sorted(granule.id for granule in request.granules),
            "cocal:service": source.facts["type"],
            "cocal:scale": QUANTIFICATION,
            "cocal:warped": False,
            SIMULATED: task.simulated or any(granule.simulated for granule in request.granules),
            **radiometry,
            **({} if pixels.has_data.any() else {"cocal:empty": True}),
            **({MISSING: round(missing, 3)} if missing else {}),
        }
        with download_store(task.folder).commit(request.unit, unit_inputs(request, source)) as folder:
            for name, values in rasters.items():
                _write_raster(folder / f"{name}.tif", request.window, values)
            sizes = dict.fromkeys(rasters, request.window.resolution)
            item = scene_item(request.unit, first.acquired, request.window, sizes, properties)
            write_json(folder / f"{request.unit}.json", item)


def _write_raster(path: Path, window: Window, values: NDArray[Any]) -> None:
    """Write a raster and read it back: a full disk may only show when the file is closed."""
    with rasterio.Env(GDAL_CACHEMAX=NO_CACHE):
        with band_writer(path, window, str(values.dtype)) as target:
            target.write(values, 1)
        with rasterio.open(path) as written:
            if not np.array_equal(written.read(1), values):
                raise RasterioError(f"{path.name} holds other values than were written")


@contextmanager
def _disk(folder: Path, needed: int) -> Iterator[None]:
    """Stop if the disk is full: before anything is requested, or when it shows while writing."""

    def stopped(problem: str, state: object) -> DownloadStoppedError:
        what, free = f"the disk that holds {folder} is {problem}", f"{needed / 1e6:.0f} MB for the next unit"
        return DownloadStoppedError(
            what, free, str(state), "free space and run again; what is fetched is kept"
        )

    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise stopped("full", f"{free / 1e6:.0f} MB")
    try:
        yield
    except RasterioError as err:
        raise stopped("full or damaged", err) from err
    except OSError as err:
        if err.errno in _FULL:
            raise stopped("full", err) from err
        raise
