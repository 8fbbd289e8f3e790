"""Scenes on disk: the archive of an invented year, and plain GeoTIFFs to be imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as Part

from cocal.archive import SIMULATED, band_profile, band_writer, scene_item, scene_store, write_catalog
from cocal.code import code_of
from cocal.grid import Tile, Window
from cocal.simulate.land.mosaic import enlarged
from cocal.simulate.land.terrain import Terrain
from cocal.simulate.output import TAGS, in_order, no_cache
from cocal.simulate.sensor.canopy import BANDS
from cocal.simulate.sensor.exposure import expose, ground
from cocal.simulate.sensor.passes import Pass, passes
from cocal.simulate.sensor.sky import SCL, sky_of
from cocal.simulate.settings import SimulateSettings
from cocal.store import address, write_json

BATCH = 12
"""Scenes that are made together, at most: the land of a part is made once for all of them."""

PART_PX = 384
"""Side of the parts in which a block is computed, which limits the memory of temporary arrays."""

_SIZES = {**BANDS, "scl": 20}
_DTYPES = dict.fromkeys(BANDS, "uint16") | {"scl": "uint8"}
_CLOUDY = (SCL["cloud_medium"], SCL["cloud_high"], SCL["cirrus"])


def blocks(window: Window, side: int = 768) -> list[Window]:
    """`window` cut into blocks of at most `side` pixels: whole blocks of the rasters at 10 and 20 m."""
    return Tile(window).blocks(side)


@dataclass(frozen=True)
class Batch:
    """Some items to be made by one process."""

    archive: Path
    settings: SimulateSettings
    items: tuple[Pass, ...]
    code: str


def write_archive(
    archive: Path, settings: SimulateSettings, workers: int, report: Callable[[int, int], None]
) -> None:
    """Write every acquisition of the year into the archive, and its catalog. Scenes that exist are kept."""
    store, code = scene_store(archive), code_of(_fill)
    plan = passes(settings.seed, settings.window, settings.year, settings.acquisitions_per_month)
    due = [p for p in plan if store.find(p.scene_id, address(_inputs(settings, p, code))) is None]
    size = max(1, min(BATCH, -(-len(due) // workers)))
    batches = [Batch(archive, settings, tuple(due[k : k + size]), code) for k in range(0, len(due), size)]
    done = len(plan) - len(due)
    for number in in_order(_make, batches, workers):
        done += number
        report(done, len(plan))
    write_catalog(archive)


def _inputs(settings: SimulateSettings, item: Pass, code: str) -> dict[str, Any]:
    wanted = settings.model_dump(mode="json", include={"scenario", "seed", "size_px"})
    return {**wanted, "item": {**asdict(item), "acquired": item.acquired.isoformat()}, "code": code}


def _make(batch: Batch) -> int:
    """Make and commit the items of a batch, block by block; the number of items."""
    store, settings = scene_store(batch.archive), batch.settings
    with no_cache(), ExitStack() as commits:
        folders = [
            commits.enter_context(store.commit(p.scene_id, _inputs(settings, p, batch.code)))
            for p in batch.items
        ]
        _fill(dict(zip(batch.items, folders, strict=True)), settings)
    return len(batch.items)


def _fill(folders: dict[Pass, Path], settings: SimulateSettings) -> None:
    """Compute the items part by part into temporary files, then write them one by one to save memory."""
    window, terrain = settings.window, settings.terrain
    cloudy, valid = dict.fromkeys(folders, 0), dict.fromkeys(folders, 0)
    with ExitStack() as files:
        raw = {item: files.enter_context(TemporaryFile(dir=folder)) for item, folder in folders.items()}
        for part in (part for block in blocks(window) for part in blocks(block, PART_PX)):
            for item, values in _exposures(terrain, part, settings.seed, list(folders)):
                cloudy[item] += int(np.isin(values["scl"], _CLOUDY).sum())
                valid[item] += int((values["scl"] > 0).sum())
                for name in _SIZES:
                    values[name].tofile(raw[item])
        for item, folder in folders.items():
            _write_rasters(folder, raw[item], window)
            properties = _properties(item, settings.seed, cloudy[item] / max(valid[item], 1))
            found = scene_item(item.scene_id, item.acquired, window, _SIZES, properties)
            write_json(folder / f"{item.scene_id}.json", found)


def _write_rasters(folder: Path, raw: IO[bytes], window: Window) -> None:
    """Write the rasters of one item; `raw` holds all bands of a part, part after part."""
    raw.seek(0)
    with ExitStack() as files:
        targets = {
            name: files.enter_context(
                band_writer(folder / f"{name}.tif", window.at(size), _DTYPES[name], **TAGS)
            )
            for name, size in _SIZES.items()
        }
        for block in blocks(window):
            values = {name: np.empty(block.at(size).shape, _DTYPES[name]) for name, size in _SIZES.items()}
            for part in blocks(block, PART_PX):
                for name, size in _SIZES.items():
                    inside = values[name][block.at(size).slices_of(part.at(size))]
                    inside[:] = np.fromfile(raw, inside.dtype, inside.size).reshape(inside.shape)
            for name, size in _SIZES.items():
                targets[name].write(values[name], 1, window=raster_part(window.at(size), block.at(size)))


def _exposures(
    terrain: Terrain, part: Window, seed: int, items: list[Pass]
) -> Iterator[tuple[Pass, dict[str, NDArray[Any]]]]:
    """Values of each item in a part, 0 where nothing was seen. Datastrips of one day share one exposure."""
    below = ground(terrain, part)
    values: dict[str, NDArray[Any]] = {}
    day = None
    for item in items:
        if item.day != day:
            values, day = expose(below, sky_of(seed, item.day)), item.day
        if item.edge is None:
            yield item, values
            continue
        coarse = item.seen(part.at(20))
        seen = {20: coarse, 10: enlarged(coarse, 2)}
        yield item, {name: array * seen[_SIZES[name]] for name, array in values.items()}


def raster_part(whole: Window, part: Window) -> Part:
    """The window of `part` in a raster on `whole`."""
    return Part.from_slices(*whole.slices_of(part))


def _properties(item: Pass, seed: int, cloudy: float) -> dict[str, Any]:
    """Item properties. The values of the archive have no offset, whatever the invented product had."""
    sky = sky_of(seed, item.day)
    return {
        SIMULATED: True,
        "title": f"SIMULATED acquisition of {item.day.isoformat()}",
        "platform": item.platform,
        "s2:processing_baseline": item.baseline,
        "cocal:offset": item.offset,
        "eo:cloud_cover": round(100 * cloudy, 2),
        "view:sun_azimuth": round(float(np.degrees(sky.azimuth)) % 360, 3),
        "view:sun_elevation": round(90 - float(np.degrees(sky.zenith)), 3),
    }


def simulate_scenes(
    out: Path,
    window: Window,
    *,
    days: Sequence[date],
    seed: int,
    bands: Sequence[str] = ("blue", "red", "nir", "swir16"),
    offset: int = 0,
) -> list[Path]:
    """Write one plain multi-band GeoTIFF per day, to be imported like files of a third party in tests.

    Every band of `bands` and `scl` is on the window's own pixels of 10 m (uint16, reflectance x 10000 minus
    `offset`, as products of baseline 04.00 and later are delivered with an offset of -1000; 0 = no data,
    bands described by their STAC common names). The window may cross a zone meridian; its sides are whole
    pixels of 20 m. Returns the files, named `sim-YYYYMMDD.tif`.
    """
    terrain = Terrain(seed, (window.left + window.right) / 2, (window.bottom + window.top) / 2)
    names = [*bands, "scl"]
    paths = [out / f"sim-{day:%Y%m%d}.tif" for day in days]
    out.mkdir(parents=True, exist_ok=True)
    extra = {"count": len(names), "interleave": "band", "BIGTIFF": "IF_SAFER"}
    profile = band_profile(window, "uint16") | extra
    with ExitStack() as files:
        targets = [files.enter_context(rasterio.open(path, "w", **profile)) for path in paths]
        for target in targets:
            target.update_tags(**TAGS, OFFSET=str(offset))
            target.descriptions = tuple(names)
        for block in blocks(window):
            below = ground(terrain, block)
            for target, day in zip(targets, days, strict=True):
                values = expose(below, sky_of(seed, day), bands, native=False)
                for number, name in enumerate(names, start=1):
                    shift = 0 if name == "scl" else -offset
                    part = raster_part(window, block)
                    target.write(values[name].astype(np.uint16) + np.uint16(shift), number, window=part)
    return paths
