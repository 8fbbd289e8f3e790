"""Scenes on disk: the archive of an invented year, and plain GeoTIFFs to be imported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window as Part

from cocal.archive import SIMULATED, band_profile, band_writer, scene_item, scene_store, write_catalog
from cocal.grid import Window
from cocal.simulate.cover import BANDS
from cocal.simulate.land import land
from cocal.simulate.scene import acquisition_days, blocks, expose, ground
from cocal.simulate.settings import SCENARIO, SimulateSettings
from cocal.simulate.sky import SCL, Sky, sky_of
from cocal.simulate.terrain import Terrain
from cocal.store import address, source_digest, write_json

TAGS = {"SIMULATED": "yes", "DESCRIPTION": "SIMULATED scene, not an observation"}
BATCH = 24
"""Scenes that are open at once: the land of a block is made once for all of them."""

_CLOUDY = (SCL["cloud_medium"], SCL["cloud_high"], SCL["cirrus"])


def scene_id(day: date, window: Window) -> str:
    """The item id of a simulated acquisition."""
    return f"sim-{day:%Y%m%d}-{window.epsg}"


def write_archive(archive: Path, settings: SimulateSettings) -> None:
    """Write every acquisition of the year into the archive, and its catalog. Whole scenes are kept."""
    store, days = scene_store(archive), acquisition_days(settings.year, settings.acquisitions_per_month)
    inputs = {
        day: {
            "scenario": SCENARIO,
            "settings": settings.model_dump(mode="json"),
            "day": day.isoformat(),
            "code": source_digest("simulate", "archive", "grid"),
        }
        for day in days
    }
    due = [d for d in days if store.find(scene_id(d, settings.window), address(inputs[d])) is None]
    for first in range(0, len(due), BATCH):
        with ExitStack() as commits:
            folders = {
                day: commits.enter_context(store.commit(scene_id(day, settings.window), inputs[day]))
                for day in due[first : first + BATCH]
            }
            _write_batch(folders, settings)
    write_catalog(archive)


def _write_batch(folders: dict[date, Path], settings: SimulateSettings) -> None:
    """Fill the folders of some days, block by block."""
    window, terrain = settings.window, settings.terrain
    skies = [sky_of(settings.seed, day) for day in folders]
    cloudy = dict.fromkeys(folders, 0)
    sizes = {**BANDS, "scl": 20}
    with ExitStack() as files:
        targets = {
            (day, name): files.enter_context(
                band_writer(
                    folder / f"{name}.tif", window.at(size), "uint8" if name == "scl" else "uint16", **TAGS
                )
            )
            for day, folder in folders.items()
            for name, size in sizes.items()
        }
        for block in blocks(window):
            below = ground(terrain, land(terrain, block))
            for sky in skies:
                values = expose(below, sky)
                cloudy[sky.day] += int(np.isin(values["scl"], _CLOUDY).sum())
                for name, array in values.items():
                    targets[sky.day, name].write(
                        array, 1, window=raster_part(window.at(sizes[name]), block.at(sizes[name]))
                    )
    for sky in skies:
        share = cloudy[sky.day] / (window.at(20).width * window.at(20).height)
        item = scene_item(
            scene_id(sky.day, window), _overpass(sky.day), window, sizes, _properties(sky, share)
        )
        write_json(folders[sky.day] / f"{item['id']}.json", item)


def raster_part(whole: Window, part: Window) -> Part:
    """Where `part` lies in a raster on `whole`."""
    return Part.from_slices(*whole.slices_of(part))


def _overpass(day: date) -> datetime:
    return datetime.combine(day, time(14, 46), tzinfo=UTC)


def _properties(sky: Sky, cloudy: float) -> dict[str, Any]:
    """Item properties. The values of the archive have no offset, whatever the invented product had."""
    late = sky.day.month > 6
    return {
        SIMULATED: True,
        "title": f"SIMULATED acquisition of {sky.day.isoformat()}",
        "platform": "simulated-a" if sky.day.toordinal() % 2 else "simulated-b",
        "s2:processing_baseline": "05.11" if late else "03.01",
        "cocal:offset": -1000 if late else 0,
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
) -> list[Path]:
    """Write one plain multi-band GeoTIFF per day, to be imported like a third party's: a cheap test source.

    Every band of `bands` and `scl` is on the window's own pixels of 10 m (uint16, reflectance x 10000
    without offset, 0 = no data, bands described by their STAC common names). The window may cross a zone
    meridian. Cover is known per pixel, not within it. Returns the files, named `sim-YYYYMMDD.tif`.
    """
    terrain = Terrain(seed, (window.left + window.right) / 2, (window.bottom + window.top) / 2)
    names = [*bands, "scl"]
    paths = [out / f"sim-{day:%Y%m%d}.tif" for day in days]
    out.mkdir(parents=True, exist_ok=True)
    profile = band_profile(window, "uint16") | {
        "count": len(names),
        "interleave": "band",
        "BIGTIFF": "IF_SAFER",
    }
    with ExitStack() as files:
        targets = [files.enter_context(rasterio.open(path, "w", **profile)) for path in paths]
        for target in targets:
            target.update_tags(**TAGS)
            target.descriptions = tuple(names)
        for block in blocks(window):
            below = ground(terrain, land(terrain, block, samples=1))
            for target, day in zip(targets, days, strict=True):
                values = expose(below, sky_of(seed, day), bands, native=False)
                for number, name in enumerate(names, start=1):
                    target.write(values[name].astype(np.uint16), number, window=raster_part(window, block))
    return paths
