"""CPU seconds and memory of a census of many polygons in many regions, from the files to its hectares.

`python -m benchmarks.census [--polygons 1000000] [--regions 500]`; exit code 1 beyond `CPU_MINUTES` or `GIB`,
or where the hectares of a region are not those of its polygons.

The polygons are plots of 12 corners, 0.05 to 0.4 ha, one per square of 150 m; one in fifty is drawn twice.
Writing the land is not counted. One process, nothing of it kept from before but compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import yaml

CPU_MINUTES, GIB = 5.0, 2.0
SPACING_M, CORNERS, EPSG, WEST, NORTH = 150, 12, 32719, 300_000, 8_600_000
TWICE = 50
"""One polygon in so many is drawn a second time, 5 m beside the first."""

SCHEME = Path(__file__).parents[1] / "configs" / "schemes" / "border-coca.yaml"


def plots(n: int, seed: int) -> tuple[np.ndarray, float, float]:
    """(polygons in UTM metres, width and height of the land, m)."""
    random = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(n)))
    place = np.arange(n)
    x = WEST + SPACING_M * (place % columns + 0.5) + random.uniform(-30, 30, n)
    y = NORTH - SPACING_M * (place // columns + 0.5) + random.uniform(-30, 30, n)
    angle = 2 * np.pi * (np.arange(CORNERS) + random.uniform(0, 0.8, (n, CORNERS))) / CORNERS
    radius = np.sqrt(random.uniform(500, 4000, (n, 1)) / np.pi) * random.uniform(0.8, 1.2, (n, CORNERS))
    xy = np.stack([x[:, None] + radius * np.cos(angle), y[:, None] + radius * np.sin(angle)], axis=-1)
    shapes = shapely.polygons(xy)
    again = shapely.transform(shapes[::TWICE], lambda at: at + 5.0)
    rows = -(-n // columns)
    return np.concatenate([shapes, again])[:n], columns * SPACING_M, rows * SPACING_M


def write_land(folder: Path, n_polygons: int, n_regions: int) -> Path:
    """Polygons, regions and the configuration of a run without images; the path of the latter."""
    shapes, width, height = plots(n_polygons, 7)
    columns = int(np.sqrt(n_regions))
    while n_regions % columns:
        columns -= 1
    rows = n_regions // columns
    # on whole pixels, so that a polygon on a border is cut where the region ends
    x = WEST + 10 * np.rint(np.linspace(0, width, columns + 1) / 10)
    y = NORTH - 10 * np.rint(np.linspace(0, height, rows + 1) / 10)
    boxes = [shapely.box(x[c], y[r + 1], x[c + 1], y[r]) for r in range(rows) for c in range(columns)]
    ids = [f"R{i:04d}" for i in range(n_regions)]
    regions = gpd.GeoDataFrame({"id": ids}, geometry=shapely.segmentize(boxes, 100), crs=EPSG)
    regions.to_file(folder / "regions.gpkg")
    kinds = np.where(np.arange(len(shapes)) % 5, "C", "F")
    gpd.GeoDataFrame({"kind": kinds}, geometry=shapes, crs=EPSG).to_file(folder / "census.gpkg")
    layer = {"path": "census.gpkg", "class_column": "kind", "classes": {"C": "coca", "F": "forest"}}
    content = {
        "name": "census", "runs": "runs", "scheme": str(SCHEME),
        "periods": [{"name": "2024", "start": "2024-01-01", "end": "2024-12-31"}],
        "regions": {
            "sources": [{"path": "regions.gpkg", "id": "id", "name": "id", "country_code": "PE"}],
            "sliver_m": 0,
        },
        "classify": {
            "map": {
                "id": "census", "source": "invented", "licence": "none", "simulated": True,
                "layers": [layer | {"period": "2024"}], "elsewhere": "pasture", "observed": "all",
            }
        },
    }  # fmt: skip
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def measured(config: Path) -> dict[str, float]:
    """CPU minutes and GiB of a run up to its hectares, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.census", "--run", str(config)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _run(config: Path) -> None:
    from cocal.config import read_config
    from cocal.run import run

    run(read_config(config), last="measure")
    used = resource.getrusage(resource.RUSAGE_SELF)
    minutes, gib = (used.ru_utime + used.ru_stime) / 60, used.ru_maxrss / 2**20
    print(json.dumps({"cpu_minutes": minutes, "gib": gib}))


def largest_error(folder: Path) -> float:
    """Largest relative difference of a region's target hectares from those of its polygons, by shapely."""
    census = gpd.read_file(folder / "census.gpkg").to_crs(6933)
    regions = gpd.read_file(folder / "regions.gpkg").to_crs(6933)
    shapes, kinds = census.geometry.to_numpy(), census["kind"].to_numpy()
    later, earlier = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = earlier < later
    own = shapes.copy()
    for i, j in zip(later[pairs], earlier[pairs], strict=True):
        own[i] = shapely.difference(own[i], shapes[j])
    target = own[kinds == "C"]
    region, polygon = shapely.STRtree(target).query(regions.geometry.to_numpy(), predicate="intersects")
    inside = shapely.covers(regions.geometry.to_numpy()[region], target[polygon])
    area = shapely.area(target[polygon])
    cut = ~inside
    area[cut] = shapely.area(
        shapely.intersection(target[polygon[cut]], regions.geometry.to_numpy()[region[cut]])
    )
    wanted = np.bincount(region, area, minlength=len(regions)) / 1e4
    table = pd.read_csv(folder / "runs" / "census" / "hectares.csv")
    coca = table[table["class"] == "coca"].set_index("region_id")["mapped_ha"]
    found = coca.reindex(regions["id"]).to_numpy()
    return float(np.max(np.abs(found / wanted - 1)))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polygons", type=int, default=1_000_000)
    parser.add_argument("--regions", type=int, default=500)
    parser.add_argument("--run", type=Path)
    asked: Any = parser.parse_args(arguments)
    if asked.run:
        _run(asked.run)
        return 0
    with tempfile.TemporaryDirectory() as home:
        used = measured(write_land(Path(home), asked.polygons, asked.regions))
        error = largest_error(Path(home))
    print(
        f"{asked.polygons:,} polygons in {asked.regions} regions: {used['cpu_minutes']:.2f} CPU minutes, "
        f"{used['gib']:.2f} GiB; largest difference of a region's hectares {error:.5%}"
    )
    return int(used["cpu_minutes"] > CPU_MINUTES or used["gib"] > GIB or error > 1e-4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
