"""A small land with two periods, squares for the public, and a region with a hostile name."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cocal.config import read_config
from cocal.run import run
from tests.support.small_world import DAYS, SmallWorld, blank_pages, make_world

HOSTILE = "<img src=x onerror=alert(1)>"


def two_periods(config: dict[str, Any]) -> None:
    """One period of a single date, in which no record lies, and one of all."""
    config["periods"] = [
        {"name": "january", "start": "2024-01-01", "end": "2024-01-31"},
        {"name": "all", "start": "2024-01-01", "end": "2024-12-31"},
    ]
    config["train"]["period"] = "all"
    config["density"] = {"cell_m": 200, "min_plots": 2, "plot_ha": 0.02}
    config["classify"]["margin"] = True
    config["publish"] = "squares"


def name_hostile(world: SmallWorld) -> None:
    path = world.folder / "regions.geojson"
    regions = json.loads(path.read_text(encoding="utf-8"))
    regions["features"][0]["properties"]["name"] = HOSTILE
    path.write_text(json.dumps(regions), encoding="utf-8")


def finished_land(folder: Path, size_px: int = 96, *, page: bool = False) -> SmallWorld:
    """The land with a finished run. The page, which the map does not read, is blank unless `page`."""
    world = make_world(folder, size_px, DAYS[1:3])
    world.edit(two_periods)
    name_hostile(world)
    config = read_config(world.config)
    with nullcontext() if page else blank_pages():
        assert run(config, config_path=world.config).failures == ()
    return world
