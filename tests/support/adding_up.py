"""The small land with all that an estimate's hectares must add up over: regions, groups, zones, two periods.

Every pixel of the regions is in a stratum of strata.tif; the sample is visited in both periods, and eight of
its points change their class between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely

from cocal.config import read_config
from cocal.grid import project
from cocal.run import run
from cocal.run.measure.counts import COUNTS
from tests.support.small_world import EPSG, SmallWorld, make_world, write_csv, write_geojson

GONE, NEW = 5, 3
"""Points of the sample that are coca in the first period only, and in the second only."""


def adding_up_world(folder: Path, size_px: int = 96) -> SmallWorld:
    """The land, with its maps made and the areas of its strata counted; the estimator is `calibrated`."""
    world = make_world(folder, size_px)
    rewrite(world.folder / "strata.tif", lambda codes: np.where(codes == 1, 1, 2).astype(np.uint8))
    _write_zones(world)
    _write_records(world)
    world.edit(_settings)
    run(read_config(world.config), last="measure")
    counted_areas(world)
    world.edit(lambda content: content["estimate"].update(estimator="calibrated"))
    return world


def rewrite(path: Path, change: Any) -> None:
    """Change the codes of a raster in place."""
    with rasterio.open(path, "r+") as raster:
        raster.write(change(raster.read(1)), 1)


def newest_cells(world: SmallWorld) -> np.ndarray[Any, Any]:
    """The rows of strata that the run has counted last."""
    folders = sorted((world.root / "counts").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    found: np.ndarray[Any, Any] = np.load(folders[-1] / COUNTS)["strata"]
    return found


def counted_areas(world: SmallWorld) -> None:
    """strata.csv with the hectares that the run has counted last."""
    cells, path = newest_cells(world), world.folder / "strata.csv"
    table, first = pd.read_csv(path), cells[cells[:, 0] == 0]
    ha = [first[first[:, 3] == code, 5].sum() / 1e10 for code in table["code"]]
    write_csv(path, table.assign(area_ha=ha))


def _write_zones(world: SmallWorld) -> None:
    """Two zones that cut regions, and each other."""
    west, south, east, north = world.window.bounds
    boxes = {"Z-1": (west, south + 150, east - 300, south + 600), "Z-2": (west, south, west + 420, north)}
    rows = [
        ({"id": key, "name": key, "country": "PE"}, project(shapely.box(*box), EPSG, 4326, densify=200))
        for key, box in boxes.items()
    ]
    write_geojson(world.folder / "zones.geojson", rows)


def _write_records(world: SmallWorld) -> None:
    first = pd.read_csv(world.folder / "records.csv")
    first = first.assign(sample_id=first["record_id"], observed_on="2024-01-15")
    second = first.assign(record_id="b" + first["record_id"], observed_on="2024-02-15")
    second.loc[second.index[second["class"] == "coca"][:GONE], "class"] = "bare"
    second.loc[second.index[second["stratum"] == "rest"][:NEW], "class"] = "coca"
    write_csv(world.folder / "records.csv", pd.concat([first, second], ignore_index=True))


def _settings(content: dict[str, Any]) -> None:
    content["periods"] = [
        {"name": "a", "start": "2024-01-01", "end": "2024-01-31"},
        {"name": "b", "start": "2024-02-01", "end": "2024-02-29"},
    ]
    content["train"]["period"] = "a"
    content["groups"] = {"all": ["*"], "PE": ["PE-*"], "mixed": ["PE-1", "BO-*"]}
    source = {"path": "zones.geojson", "id": "id", "name": "name", "country": "country"}
    content["legal"] = {
        "zones": {"sliver_m": 0, "sources": [source]},
        "kinds": {"Z-1": "authorised", "Z-2": "protected"},
        "limits": [{"id": "L", "zones": ["Z-1"], "limit_ha": 3, "source": "SIMULATED law"}],
    }
    content["density"] = {"cell_m": 250, "min_plots": 2, "plot_ha": 0.02}
    content["publish"] = "regions"
    content["records"]["columns"]["sample_id"] = "sample_id"
    content["records"]["strata_raster"] = "strata.tif"
