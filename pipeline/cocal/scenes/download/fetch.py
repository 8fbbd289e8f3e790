"""The tasks of a download: one screen, one tile-date. What they commit is whole and verified, or not there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
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
from cocal.scenes.download.gate import Gate
from cocal.scenes.download.settings import ScreenSettings
from cocal.scenes.download.units import Cost
from cocal.store import LocalStore, Manifest, address, write_json

SCREEN = "scl.tif"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class SceneSource(Protocol):
    """Where scenes come from: the same values whatever the source."""

    @property
    def facts(self) -> dict[str, Any]: ...

    def granules(self, bounds: Bounds, span: tuple[Any, Any], gate: Gate) -> list[Granule]: ...

    def opened(self, gate: Gate, share: bool) -> AbstractContextManager[SceneSource]: ...

    def screen_cost(self, window: Window, granules: int) -> Cost: ...

    def pixel_cost(self, window: Window, granules: int) -> Cost: ...

    def screen(self, request: SceneRequest, gate: Gate) -> NDArray[np.uint8]: ...

    def pixels(self, request: SceneRequest, gate: Gate) -> tuple[Pixels, dict[str, Any]]: ...


@dataclass(frozen=True)
class Fetch:
    """One thing to be fetched: from where, through which gate, into which folder."""

    request: SceneRequest
    source: SceneSource
    gate: Gate
    folder: Path
    """The archive for a tile-date, the folder of screens for a screen."""
    simulated: bool = False


def unit_inputs(request: SceneRequest, source: SceneSource) -> dict[str, Any]:
    """What makes a unit: place, day, granules by id, source. No host, no path, no code: only what is paid for.

    A granule that the catalogue lists anew (published late, or reprocessed) makes the unit another one.
    """
    window = request.window
    return {
        "unit": request.unit,
        "day": request.day.isoformat(),
        "window": [window.epsg, window.left, window.top, window.width, window.height, window.resolution],
        "granules": sorted(granule.id for granule in request.granules),
        "source": source.facts,
        "form": 1,
    }


def screen_store(state: Path) -> LocalStore:
    """Where screens are kept, so that none is paid for twice."""
    return LocalStore(state / "screens", timed=False)


def download_store(archive: Path) -> LocalStore:
    """The archive's store; the same download leaves the same bytes."""
    return LocalStore(scene_store(archive).root, timed=False)


def is_committed(store: LocalStore, request: SceneRequest, source: SceneSource) -> bool:
    """True if the unit is there, whole, and made of what the catalogue lists now.

    Files that nobody has touched since their manifest was written are judged by their sizes, others by their
    content: an archive of a season is too large to be read through at every start.
    """
    mark, home = store.manifest_path(request.unit), store.home(request.unit)
    manifest = Manifest.read(mark)
    if (
        manifest is None
        or manifest.address != address(unit_inputs(request, source))
        or manifest.lacking(home)
    ):
        return False
    touched = any((home / name).stat().st_mtime_ns > mark.stat().st_mtime_ns for name in manifest.files)
    return manifest.holds(home) if touched else True


def fetch_screen(task: Fetch) -> bool:
    """Fetch and commit one screen.

    Raises
    ------
    DownloadError
        It could not be brought.
    DownloadStoppedError
        None can be: budget, quota, credentials, disk.
    """
    with _disk(task.folder, task.source.screen_cost(task.request.window, len(task.request.granules)).bytes):
        scl = task.source.screen(task.request, task.gate)
        with screen_store(task.folder).commit(
            task.request.unit, unit_inputs(task.request, task.source)
        ) as folder:
            _write(folder / SCREEN, task.request.window, scl)
    return True


def clear_shares(state: Path, screen: Screen, settings: ScreenSettings) -> dict[str, float]:
    """Unit of each tile-date of a committed screen: share of the tile's pixels, 60 m, that are clear."""
    table = np.isin(np.arange(256), [SCL_CLASSES.index(name) for name in settings.clear])
    with rasterio.open(screen_store(state).home(screen.unit) / SCREEN) as dataset:
        clear = table[dataset.read(1)]
    return {
        tile_date.unit: float(
            clear[screen.window.slices_of(tile_date.tile.window.at(screen.window.resolution))].mean()
        )
        for tile_date in screen.tile_dates
    }


def fetch_tile_date(task: Fetch) -> bool:
    """Fetch one day of one cell and commit it as an item of the archive.

    Raises
    ------
    DownloadError
        It could not be brought, or it is not what it says.
    DownloadStoppedError
        None can be: budget, quota, credentials, disk.
    """
    request = task.request
    with _disk(task.folder, task.source.pixel_cost(request.window, len(request.granules)).bytes):
        pixels, said = task.source.pixels(request, task.gate)
        if not any(band.any() for band in pixels.bands.values()):
            said = said | {"cocal:empty": True}
        rasters: dict[str, NDArray[Any]] = {
            **pixels.bands,
            "scl": pixels.scl,
            "cloud_probability": pixels.cloud_probability,
        }
        with download_store(task.folder).commit(request.unit, unit_inputs(request, task.source)) as folder:
            for name, values in rasters.items():
                _write(folder / f"{name}.tif", request.window, values)
            sizes = dict.fromkeys(rasters, request.window.resolution)
            acquired = request.granules[0].acquired
            item = scene_item(request.unit, acquired, request.window, sizes, _properties(task, said))
            write_json(folder / f"{request.unit}.json", item)
    return True


def _properties(task: Fetch, said: Mapping[str, Any]) -> dict[str, Any]:
    first = task.request.granules[0]
    known = {"platform": first.platform, "s2:processing_baseline": first.baseline or None}
    return {name: value for name, value in known.items() if value is not None} | {
        "cocal:source": sorted(granule.id for granule in task.request.granules),
        "cocal:service": task.source.facts["type"],
        "cocal:scale": 1e-4,
        "cocal:warped": False,
        SIMULATED: task.simulated,
        **said,
    }


def _write(path: Path, window: Window, values: NDArray[Any]) -> None:
    """Write a raster and read it back: a disk that is full may only be noticed when it is closed."""
    with rasterio.Env(GDAL_CACHEMAX=NO_CACHE):
        with band_writer(path, window, str(values.dtype)) as target:
            target.write(values, 1)
        with rasterio.open(path) as written:
            if not np.array_equal(written.read(1), values):
                raise RasterioError(f"{path.name} holds other values than were written")


@contextmanager
def _disk(folder: Path, needed: int) -> Iterator[None]:
    """Stop where the disk is full: before anything is asked for, or when it shows while writing."""
    folder.mkdir(parents=True, exist_ok=True)
    remedy = "make room and run again; what is fetched is kept"
    room = f"{needed / 1e6:.0f} MB for the next unit"
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadStoppedError(
            f"the disk that holds {folder} is full", room, f"{free / 1e6:.0f} MB", remedy
        )
    try:
        yield
    except RasterioError as err:
        raise DownloadStoppedError(
            f"the disk that holds {folder} is full or damaged", room, str(err), remedy
        ) from err
    except OSError as err:
        if err.errno in _FULL:
            raise DownloadStoppedError(
                f"the disk that holds {folder} is full", room, str(err), remedy
            ) from err
        raise
