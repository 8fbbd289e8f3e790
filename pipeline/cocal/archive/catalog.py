"""Items of the archive: written by pystac, listed and checked as plain JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely

from cocal.checksums import difference
from cocal.content import digest
from cocal.contracts import BANDS, NO_DATA, QUALITY, SCENES
from cocal.errors import DamagedError, InputError, SceneReadError
from cocal.grid import Window, windows_bounds
from cocal.store import MANIFEST, LocalStore, Manifest, sweep_temporaries, write_json

COLLECTION = "scenes"
SIMULATED = "cocal:simulated"

DESCRIPTIONS = {
    "scl": "Sen2Cor scene classification",
    "cloud_probability": "cloud probability in percent, 255 = not offered",
}

TILE_M = 3840
"""Side of a raster's tile: a block of 384 px of 10 m needs one tile of each band, of 10 or 20 m."""


@dataclass(frozen=True)
class Band:
    """One raster of a scene, with the size and checksum of its file (none: they are not compared)."""

    path: Path
    resolution: int
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def address_content(self) -> int:
        return self.resolution


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

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that is stated of the scene, apart from the folders of its rasters."""
        return digest([(f.name, getattr(self, f.name)) for f in fields(self)])

    def address_content(self) -> dict[str, str]:
        return {"id": self.id, "digest": self.digest}


def tile_side(resolution: int) -> int:
    """Pixels along the side of a tile of rasters of this pixel size (m)."""
    return max(16, TILE_M // resolution // 16 * 16)


def band_profile(window: Window, dtype: str, nodata: int | None = NO_DATA) -> dict[str, Any]:
    """Rasterio profile of an archive raster: ZSTD level 1, predictor 2, tiles of the same ground."""
    side = tile_side(window.resolution)
    return {
        "driver": "GTiff", "dtype": dtype, "count": 1, "height": window.height, "width": window.width,
        "crs": f"EPSG:{window.epsg}", "transform": window.transform, "nodata": nodata,
        "tiled": True, "blockxsize": side, "blockysize": side, "compress": "zstd", "zstd_level": 1,
        "predictor": 2, "num_threads": 1,
    }  # fmt: skip


@contextmanager
def band_writer(path: Path, window: Window, dtype: str, **tags: Any) -> Iterator[Any]:
    """Yield an open single-band GeoTIFF on `window`, to be written whole or in strips."""
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
    import pystac  # 0.25 s that reading does without
    from pystac.extensions import eo, projection, raster

    outline = next(windows_bounds([window]))[1]
    item = pystac.Item(
        scene_id,
        json.loads(shapely.to_geojson(shapely.set_precision(outline, 1e-8))),
        [round(v, 8) for v in outline.bounds],
        acquired.astimezone(UTC).replace(microsecond=0),
        {
            "proj:code": f"EPSG:{window.epsg}",
            "cocal:contract": SCENES,
            "cocal:window": list(astuple(window))[1:],
            **properties,
        },
        stac_extensions=[eo.SCHEMA_URI, projection.SCHEMA_URI, raster.SCHEMA_URI],
        collection=COLLECTION,
    )
    for name, resolution in bands.items():
        own, quality = window.at(resolution), name in QUALITY
        stored = {"data_type": "uint8"} if quality else {"data_type": "uint16", "scale": 1e-4, "offset": 0.0}
        described = {
            "proj:shape": list(own.shape),
            "proj:transform": list(own.transform)[:6],
            "eo:bands": [{"name": name} | ({"common_name": name} if name in BANDS else {})],
            "raster:bands": [stored | {"nodata": NO_DATA, "spatial_resolution": resolution}],
        }
        roles = ["metadata" if quality else "data"]
        title = DESCRIPTIONS.get(name, name)
        asset = pystac.Asset(f"./{name}.tif", title, None, pystac.MediaType.GEOTIFF, roles, described)
        item.add_asset(name, asset)
    return _stac_dict(
        item, root="../../catalog.json", parent="../collection.json", collection="../collection.json"
    )


def _stac_dict(stac: Any, items: Iterable[str] = (), **links: str) -> dict[str, Any]:
    """A pystac object as a dict whose links are these relative paths: by relation, then of the items."""
    import pystac

    stac.clear_links()
    stac.add_links(pystac.Link(rel, path, pystac.MediaType.JSON) for rel, path in links.items())
    stac.add_links(pystac.Link("item", path, pystac.MediaType.GEOJSON) for path in items)
    found: dict[str, Any] = stac.to_dict(include_self_link=False, transform_hrefs=False)
    return found


def scene_store(archive: str | Path) -> LocalStore:
    """The store of the archive's items; an item's unit is its id."""
    return LocalStore(Path(archive) / COLLECTION)


def read_scene(folder: Path) -> Scene | None:
    """The committed scene in `folder`; None if its manifest is missing.

    Items are read as JSON, as pystac takes ten times as long; those of cocal 0.1 (STAC 1.0, `proj:epsg`) too.

    Raises
    ------
    DamagedError
        The manifest or the item is damaged; a file is missing or its size changed. (The content of rasters
        is compared with its checksum where pixels are read.)
    """
    manifest, name = Manifest.read(folder / MANIFEST), f"{folder.name}.json"
    if manifest is None:
        if (folder / MANIFEST).exists():
            raise _damaged(folder, f"{MANIFEST} cannot be read")
        return None
    if lacking := manifest.lacking(folder):
        raise _damaged(folder, f"missing or of another size: {', '.join(lacking)}")
    if difference(folder / name, manifest.files.get(name, {})):
        raise _damaged(folder, f"{name} has another content")
    item = json.loads((folder / name).read_text(encoding="utf-8"))
    if unlisted := {f"{band}.tif" for band in item["assets"]} - set(manifest.files):
        raise _damaged(folder, f"the manifest lists no {', '.join(sorted(unlisted))}")
    properties = item["properties"]
    epsg = properties.get("proj:epsg") or int(properties["proj:code"].removeprefix("EPSG:"))
    return Scene(
        item["id"],
        datetime.fromisoformat(properties["datetime"]),
        Window(epsg, *properties["cocal:window"]),
        {
            name: Band(
                folder / f"{name}.tif",
                int(asset["proj:transform"][0]),
                manifest.files[f"{name}.tif"],
            )
            for name, asset in item["assets"].items()
        },
        properties,
        manifest.address,
    )


def _damaged(folder: Path, found: str) -> DamagedError:
    return DamagedError(
        f"scene {folder.name} of the archive is damaged", "its files as they were committed", found,
        "`cocal run` moves it aside and imports, or downloads, it again", str(folder / MANIFEST),
    )  # fmt: skip


def list_scenes(archive: str | Path) -> list[Scene]:
    """All committed scenes of the archive, by acquisition time and id.

    Raises
    ------
    InputError
        There is no archive in this folder.
    DamagedError
        A file of a scene is missing or its size changed.

    Examples
    --------
    See docs/api.md.
    """
    home = Path(archive) / COLLECTION
    if not home.is_dir():
        raise InputError(
            f"no scene archive at {archive}",
            "a folder made by `cocal import` or `cocal simulate`",
            "nothing there",
            "run `cocal import` first, or fix `archive:` in the configuration",
        )
    found = (read_scene(path.parent) for path in sorted(home.glob(f"*/{MANIFEST}")))
    return sorted((s for s in found if s is not None), key=lambda s: (s.acquired, s.id))


def check_unchanged(scenes: Iterable[Scene]) -> None:
    """Raise if a scene is not the one that was listed any more: another run may import into the same archive.

    Raises
    ------
    SceneReadError
        Names the scenes that were replaced or removed.
    """
    changed = []
    for scene in scenes:
        folder = next(iter(scene.bands.values())).path.parent
        manifest = Manifest.read(folder / MANIFEST)
        if manifest is None or manifest.address != scene.address:
            changed.append(scene.id)
    if changed:
        raise SceneReadError(
            "scenes of the archive changed while they were read",
            "an archive that does not change during a run",
            ", ".join(changed[:6]) + (f" and {len(changed) - 6} more" if len(changed) > 6 else ""),
            "run again",
        )


def write_catalog(archive: str | Path) -> None:
    """Write catalog.json and collection.json over the committed scenes; unchanged files stay as they are."""
    import pystac

    archive, scenes = Path(archive), list_scenes(archive)
    sweep_temporaries(archive)
    outlines = [outline.bounds for _, outline in windows_bounds(s.window for s in scenes)]
    boxes = np.array(outlines or [(-180.0, -90.0, 180.0, 90.0)])
    bbox = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    times: list[datetime | None] = [s.acquired for s in scenes] or [None]
    simulated = any(s.simulated for s in scenes)
    label = "SIMULATED scenes, not observations" if simulated else "Sentinel-2 scenes"
    collection = pystac.Collection(
        COLLECTION,
        f"{label}: surface reflectance x 10000, offsets removed, 0 = no data",
        pystac.Extent(pystac.SpatialExtent([bbox]), pystac.TemporalExtent([[times[0], times[-1]]])),
        license="other",
    )
    items = [f"./{scene_id}/{scene_id}.json" for scene_id in sorted(s.id for s in scenes)]
    write_json(
        archive / COLLECTION / "collection.json", _stac_dict(collection, items, root="../catalog.json")
    )
    catalog = pystac.Catalog("cocal-archive", f"Scene archive of cocal ({label})")
    links = {"root": "./catalog.json", "child": f"./{COLLECTION}/collection.json"}
    write_json(archive / "catalog.json", _stac_dict(catalog, **links))


def baseline_rank(baseline: object) -> tuple[int, int]:
    """Newer baselines are greater; below all is a user's own processing (99.xx), and below it none."""
    match = re.fullmatch(r"(\d{1,2})\.(\d{1,2})", str(baseline))
    major, minor = (int(part) for part in match.groups()) if match else (-2, 0)
    return (-1, minor) if major == 99 else (major, minor)


def scenes_within(scenes: Iterable[Scene], window: Window, start: date, end: date) -> list[Scene]:
    """The scenes that touch `window` on a day from `start` to `end`, both included."""
    return [s for s in scenes if start <= s.day <= end and s.window.intersection(window) is not None]
