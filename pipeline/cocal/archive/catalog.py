"""Scenes as items of the archive: written, listed, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely

from cocal.contracts import BANDS, NO_DATA, QUALITY, SCENES
from cocal.errors import InputError, SceneReadError
from cocal.grid import Window, windows_bounds
from cocal.store import LocalStore, Manifest, sweep_temporaries, write_json

COLLECTION = "scenes"
SIMULATED = "cocal:simulated"

DESCRIPTIONS = {
    "scl": "Sen2Cor scene classification",
    "cloud_probability": "cloud probability in percent, 255 = not offered",
}


@dataclass(frozen=True)
class Band:
    """One raster of a scene."""

    path: Path
    resolution: int


@dataclass(frozen=True)
class Scene:
    """One acquisition in one UTM zone, as the archive holds it."""

    id: str
    acquired: datetime
    window: Window
    bands: Mapping[str, Band]
    properties: Mapping[str, Any]
    address: str

    @property
    def day(self) -> date:
        return self.acquired.date()

    @property
    def simulated(self) -> bool:
        return bool(self.properties.get(SIMULATED, False))


TILE_M = 3840
"""Side of a raster's tile: a block of 384 px of 10 m needs one of each band, and not a quarter of one of 20 m."""


def band_profile(window: Window, dtype: str, nodata: int | None = NO_DATA) -> dict[str, Any]:
    """Rasterio profile of an archive raster: ZSTD level 1, horizontal predictor, tiles of the same ground in every band."""
    side = max(16, TILE_M // window.resolution // 16 * 16)
    return {
        "driver": "GTiff", "dtype": dtype, "count": 1, "height": window.height, "width": window.width,
        "crs": f"EPSG:{window.epsg}", "transform": window.transform, "nodata": nodata,
        "tiled": True, "blockxsize": side, "blockysize": side, "compress": "zstd", "zstd_level": 1,
        "predictor": 2, "num_threads": 1,
    }  # fmt: skip


@contextmanager
def band_writer(path: Path, window: Window, dtype: str, **tags: Any) -> Iterator[Any]:
    """Yield an open single-band GeoTIFF on `window`; the caller writes it, whole or in strips."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **band_profile(window, dtype)) as target:
        target.update_tags(**tags)
        yield target


def scene_item(
    scene_id: str,
    acquired: datetime,
    window: Window,
    bands: Mapping[str, int],
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The STAC item of one scene as a dict. `bands` gives each band's pixel size in metres."""
    outline = next(windows_bounds([window]))[1]
    assets = {}
    for name, resolution in bands.items():
        own = window.at(resolution)
        quality = name in QUALITY
        assets[name] = {
            "href": f"./{name}.tif",
            "type": "image/tiff; application=geotiff",
            "roles": ["metadata" if quality else "data"],
            "title": DESCRIPTIONS.get(name, name),
            "proj:shape": list(own.shape),
            "proj:transform": list(own.transform)[:6],
            "eo:bands": [{"name": name, "common_name": name}] if name in BANDS else [{"name": name}],
            "raster:bands": [
                {
                    "data_type": "uint8" if quality else "uint16",
                    "nodata": NO_DATA,
                    "spatial_resolution": resolution,
                    **({} if quality else {"scale": 1e-4, "offset": 0.0}),
                }
            ],
        }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ],
        "id": scene_id,
        "collection": COLLECTION,
        "bbox": [round(v, 8) for v in outline.bounds],
        "geometry": json.loads(shapely.to_geojson(shapely.set_precision(outline, 1e-8))),
        "properties": {
            "datetime": acquired.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "proj:epsg": window.epsg,
            "cocal:contract": SCENES,
            "cocal:window": [window.left, window.top, window.width, window.height, window.resolution],
            **properties,
        },
        "links": [
            {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "../collection.json", "type": "application/json"},
            {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        ],
        "assets": assets,
    }


def scene_store(archive: str | Path) -> LocalStore:
    """The store of the archive's items; an item's unit is its id."""
    return LocalStore(Path(archive) / COLLECTION)


def read_scene(folder: Path) -> Scene | None:
    """The committed scene in `folder`; None if its manifest is missing.

    Raises
    ------
    SceneReadError
        A file of it is missing or has not its size any more. (Content is checked where pixels are read.)
    """
    manifest = Manifest.read(folder / "manifest.json")
    if manifest is None:
        return None
    lacking = manifest.lacking(folder)
    if lacking:
        raise SceneReadError(
            f"scene {folder.name} of the archive is damaged",
            "its files as they were committed",
            f"missing or of another size: {', '.join(lacking)}",
            f"delete the folder {folder} and run `cocal import` again",
        )
    item = json.loads((folder / f"{folder.name}.json").read_text(encoding="utf-8"))
    properties = item["properties"]
    left, top, width, height, resolution = properties["cocal:window"]
    return Scene(
        item["id"],
        datetime.fromisoformat(properties["datetime"]),
        Window(properties["proj:epsg"], left, top, width, height, resolution),
        {
            name: Band(folder / f"{name}.tif", asset["raster:bands"][0]["spatial_resolution"])
            for name, asset in item["assets"].items()
        },
        properties,
        manifest.address,
    )


def list_scenes(archive: str | Path) -> list[Scene]:
    """All committed scenes of the archive, by acquisition time and id."""
    home = Path(archive) / COLLECTION
    if not home.is_dir():
        raise InputError(
            f"no scene archive at {archive}",
            "a folder made by `cocal import` or `cocal simulate`",
            "nothing there",
            "run `cocal import` first, or mend `archive:` in the config",
        )
    found = (read_scene(path.parent) for path in sorted(home.glob("*/manifest.json")))
    return sorted((s for s in found if s is not None), key=lambda s: (s.acquired, s.id))


def check_unchanged(scenes: Iterable[Scene]) -> None:
    """Pass if every scene is still the one that was listed: another run may import into the same archive.

    Raises
    ------
    SceneReadError
        Names the scenes that were made anew or removed: what was read of them may be of either kind.
    """
    changed = []
    for scene in scenes:
        folder = next(iter(scene.bands.values())).path.parent
        manifest = Manifest.read(folder / "manifest.json")
        if manifest is None or manifest.address != scene.address:
            changed.append(scene.id)
    if changed:
        raise SceneReadError(
            "scenes of the archive changed while they were worked on",
            "an archive that stays as it is during a run",
            ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else ""),
            "run again",
        )


def write_catalog(archive: str | Path) -> None:
    """Write catalog.json and collection.json over the committed scenes; unchanged files stay as they are."""
    archive, scenes = Path(archive), list_scenes(archive)
    sweep_temporaries(archive)
    items = [
        {"rel": "item", "href": f"./{s.id}/{s.id}.json", "type": "application/geo+json"}
        for s in sorted(scenes, key=lambda s: s.id)
    ]
    outlines = [outline.bounds for _, outline in windows_bounds(s.window for s in scenes)]
    boxes = np.array(outlines or [(-180.0, -90.0, 180.0, 90.0)])
    extent = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    times = [s.properties["datetime"] for s in scenes] or [None]
    simulated = any(s.simulated for s in scenes)
    label = "SIMULATED scenes, not observations" if simulated else "Sentinel-2 scenes"
    collection = {
        "type": "Collection",
        "id": COLLECTION,
        "stac_version": "1.0.0",
        "description": f"{label}: surface reflectance x 10000, offsets removed, 0 = no data",
        "license": "other",
        "extent": {"spatial": {"bbox": [extent]}, "temporal": {"interval": [[times[0], times[-1]]]}},
        "links": [{"rel": "root", "href": "../catalog.json", "type": "application/json"}, *items],
    }
    catalog = {
        "type": "Catalog",
        "id": "cocal-archive",
        "stac_version": "1.0.0",
        "description": f"Scene archive of cocal ({label})",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "child", "href": f"./{COLLECTION}/collection.json", "type": "application/json"},
        ],
    }
    write_json(archive / COLLECTION / "collection.json", collection)
    write_json(archive / "catalog.json", catalog)


def scenes_within(scenes: Iterable[Scene], window: Window, start: date, end: date) -> list[Scene]:
    """The scenes that touch `window` on a day from `start` to `end`, both included."""
    return [s for s in scenes if start <= s.day <= end and s.window.intersection(window) is not None]
