"""Granules on disk for the stand-ins: raw DN per band at its own pixel size, as a product would hold them.

Made from the SIMULATED archive of `cocal simulate`: baseline 04.00 and later gets the offset of +1000 back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes

from cocal.archive import Scene
from cocal.grid import Window, project

NAMES = {
    "blue": "B02", "green": "B03", "red": "B04", "rededge071": "B05", "rededge075": "B06",
    "rededge078": "B07",
    "nir": "B08", "nir08": "B8A", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
EARTH_SEARCH = {
    "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2", "B07": "rededge3",
    "B08": "nir", "B8A": "nir08", "B11": "swir16", "B12": "swir22", "SCL": "scl",
}  # fmt: skip
SIZES = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B05": 20, "B06": 20, "B07": 20, "B8A": 20, "B11": 20,
    "B12": 20,
         "SCL": 20}  # fmt: skip


@cache
def _outline(path: Path, _modified_ns: int) -> Any:
    with rasterio.open(path) as dataset:
        seen = (dataset.read(1) > 0).astype(np.uint8)
        found = [shapely.geometry.shape(g) for g, v in shapes(seen, transform=dataset.transform) if v]
        return project(shapely.union_all(found).simplify(20), dataset.crs.to_epsg(), 4326, densify=1000)


@dataclass(frozen=True)
class RawGranule:
    """One product: where its rasters are and what metadata say of it."""

    id: str
    acquired: datetime
    baseline: str
    window: Window
    folder: Path
    tile: str = "19LDF"

    @property
    def offset(self) -> int:
        return -1000 if self.baseline >= "04.00" else 0

    @property
    def outline(self) -> Any:
        """The ground with data, in degrees, as coarse as a catalogue states it."""
        return _outline(self.path("B05"), self.path("B05").stat().st_mtime_ns)

    def path(self, band: str) -> Path:
        return self.folder / self.id / f"{band}.tif"

    def read(self, band: str) -> NDArray[Any]:
        with rasterio.open(self.path(band)) as dataset:
            return dataset.read(1)

    def feature(self, **more: Any) -> dict[str, Any]:
        """The product as a STAC feature without assets."""
        return {
            "type": "Feature", "stac_version": "1.0.0", "id": self.id, "collection": "sentinel-2-l2a",
            "geometry": json.loads(shapely.to_geojson(self.outline)), "bbox": list(self.outline.bounds),
            "properties": {
                "datetime": self.acquired.strftime("%Y-%m-%dT%H:%M:%SZ"), "platform": "sentinel-2a",
                "eo:cloud_cover": 12.0, "title": "SIMULATED", **more,
            },
            "links": [], "assets": {}, "stac_extensions": [],
        }  # fmt: skip

    def item(self, base_url: str) -> dict[str, Any]:
        """The product as an item of Earth Search, its rasters below `base_url`."""
        applied = {"earthsearch:boa_offset_applied": False} if self.offset else {}
        item = self.feature(**{"s2:processing_baseline": self.baseline, "grid:code": f"MGRS-{self.tile}",
                               "proj:epsg": self.window.epsg}, **applied)  # fmt: skip
        for band, name in EARTH_SEARCH.items():
            item["assets"][name] = {
                "href": f"{base_url}/{self.id}/{band}.tif", "roles": ["data"],
                "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            }  # fmt: skip
        return item


def write_granule(granule: RawGranule, values: dict[str, NDArray[Any]]) -> RawGranule:
    """Write the rasters: `values` by name of the band, DN, at the band's own pixel size."""
    (granule.folder / granule.id).mkdir(parents=True)
    for band, array in values.items():
        window = granule.window.at(SIZES[band])
        profile = {
            "driver": "GTiff", "dtype": array.dtype.name, "count": 1, "nodata": 0,
            "crs": f"EPSG:{window.epsg}",
            "height": window.height, "width": window.width, "transform": window.transform,
            "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2,
        }  # fmt: skip
        with rasterio.open(granule.path(band), "w", **profile) as target:
            target.update_tags(SIMULATED="yes")
            target.write(array, 1)
    return granule


def product_name(moment: datetime, baseline: str, tile: str, made: int = 1) -> str:
    """A name as ESA gives it."""
    discriminator = moment + timedelta(hours=made)
    return (f"S2A_MSIL2A_{moment:%Y%m%dT%H%M%S}_N{baseline.replace('.', '')}_R096_T{tile}_"
            f"{discriminator:%Y%m%dT%H%M%S}")  # fmt: skip


def granule_from(
    scene: Scene,
    folder: Path,
    day: date,
    baseline: str,
    *,
    left_px: int = 0,
    minute: int = 0,
    tile: str = "19LDF",
) -> RawGranule:
    """A product seen like `scene` on `day`; its window may begin `left_px` (even) further east."""
    moment = datetime(day.year, day.month, day.day, 14, 46 + minute, tzinfo=UTC)
    whole = scene.window
    window = replace(whole, left=whole.left + left_px * 10, width=whole.width - left_px)
    granule = RawGranule(product_name(moment, baseline, tile), moment, baseline, window, folder, tile)
    values = {}
    for name, band in (*NAMES.items(), ("scl", "SCL")):
        with rasterio.open(scene.bands[name].path) as dataset:
            stored = dataset.read(1)[:, left_px * 10 // SIZES[band] :]
        raw = np.where(stored == 0, 0, stored.astype(int) - granule.offset)
        values[band] = stored if band == "SCL" else raw.astype(np.uint16)
    return write_granule(granule, values)


def darken(granule: RawGranule, rows: slice, columns: slice, dn: int) -> None:
    """Set a part (20 m pixels) of every band to one DN: below zero, or 0 for no data."""
    for band, size in SIZES.items():
        if band == "SCL" and dn:
            continue
        step = 20 // size
        part = slice(rows.start * step, rows.stop * step), slice(columns.start * step, columns.stop * step)
        with rasterio.open(granule.path(band), "r+") as dataset:
            values = dataset.read(1)
            values[part] = dn
            dataset.write(values, 1)


def five_days(scenes: Sequence[Scene], folder: Path) -> list[RawGranule]:
    """Five days: two baselines, same-day overlap, below zero, no data, and the clouds that the scenes
    have.
    """
    days = [scene.day for scene in scenes[:5]]
    made = [granule_from(scenes[n], folder, day, "05.10" if n % 2 else "03.01") for n, day in enumerate(days)]
    half = scenes[1].window.width // 4 * 2
    made.append(granule_from(scenes[2], folder, days[1], "05.10", left_px=half, minute=1, tile="19LEF"))
    darken(made[1], slice(4, 20), slice(4, 20), 930)
    darken(made[3], slice(20, 40), slice(0, 12), 0)
    darken(made[0], slice(0, 30), slice(30, 50), 0)
    return made
