"""A small SIMULATED land for downloads: granules of five days, one region, a configuration for each
source.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import shapely
import yaml

from cocal.archive import Scene, list_scenes
from cocal.grid import project
from cocal.simulate import SimulateSettings
from cocal.simulate.sensor.scenes import write_archive
from tests.support.services.granules import RawGranule, five_days

SCHEME = Path(__file__).parents[3] / "configs" / "schemes" / "border-coca.yaml"
QUICK = {
    "attempts": 4, "first_wait": 0.05, "longest_wait": 2.0, "read_timeout": 3.0, "deadline": 4.0,
    "stop_after": 4,
}  # fmt: skip
"""Waits for a service next door."""


@dataclass(frozen=True)
class SmallLand:
    """What the stand-ins serve."""

    folder: Path
    scenes: tuple[Scene, ...]
    granules: tuple[RawGranule, ...]

    def copied(self, folder: Path) -> SmallLand:
        """The same land with granules of its own, below `folder`."""
        shutil.copytree(self.folder / "granules", folder / "granules")
        shutil.copy(self.folder / "region.geojson", folder)
        own = tuple(replace(granule, folder=folder / "granules") for granule in self.granules)
        return SmallLand(folder, self.scenes, own)


def make_land(folder: Path, size_px: int = 144) -> SmallLand:
    """Write the land below `folder`; the same every time."""
    settings = SimulateSettings(size_px=size_px, acquisitions_per_month=1)
    write_archive(folder / "simulated", settings, 1, lambda _done, _all: None)
    scenes = tuple(list_scenes(folder / "simulated"))
    write_region(folder / "region.geojson", scenes[0])
    return SmallLand(folder, scenes, tuple(five_days(scenes, folder / "granules")))


def write_region(path: Path, scene: Scene) -> None:
    """One rectangle, a little inside the scene."""
    west, south, east, north = scene.window.bounds
    box = project(shapely.box(west + 50, south + 50, east - 50, north - 50), scene.window.epsg, 4326)
    feature = {
        "type": "Feature",
        "properties": {"id": "S-1", "name": "SIMULATED"},
        "geometry": json.loads(shapely.to_geojson(box)),
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


def hub_source(url: str) -> dict[str, Any]:
    return {
        "type": "sentinelhub",
        "base_url": url,
        "token_url": f"{url}/token",
        "collection": "sentinel-2-l2a",
    }


def write_config(folder: Path, land: SmallLand, source: dict[str, Any], **download: Any) -> Path:
    """A configuration that downloads the land into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": "small", "runs": "runs", "archive": "archive", "scheme": str(SCHEME),
        "periods": [{"name": "2024", "start": "2024-01-01", "end": "2024-05-31"}],
        "regions": {"sliver_m": 0, "sources": [
            {"path": str(land.folder / "region.geojson"), "id": "id", "name": "name", "country_code": "XX"}]},
        "grid": {"tile_px": 96, "block_px": 48},
        "source": source,
        "download": {
            "state": "state", "name": "sim", "tile_px": 144, "margin_px": 6, "screen": "none",
            "simulated": True,
            "budget": {"requests": 100_000}, "limits": {"in_flight": 4, "per_minute": 100_000},
            "retry": QUICK,
            **download,
        },
        "index": {
            "mask": {"clear": ["vegetation", "bare"], "dilate": ["cloud_high"], "dilate_px": 2},
            "windows": "season", "composite": "median", "features": ["NDVI.median"], "fill": {"*": "none"},
        },
        "classify": {"model": "none", "min_clear": 1, "missing": "unobserved"},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
