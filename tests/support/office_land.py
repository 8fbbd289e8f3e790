"""Two regions with an office's own polygons of three years, and the configuration of a run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
import yaml

from tests.support.small_world import SCHEME

EPSG, X, Y = 32719, 460_000, 8_450_000
PERIODS = [
    {"name": year, "start": f"{year}-01-01", "end": f"{year}-12-31"} for year in ("2022", "2023", "2024")
]


def box(x: float, y: float, width: float, height: float) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x + width, Y + y + height)


REGIONS = {"PE-1": box(0, 0, 600, 600), "BO-1": box(600, 0, 600, 600)}
DRAWN: list[tuple[shapely.Polygon, str, str]] = [
    (box(13, 17, 35, 42), "C", "2022-05-01"),
    (box(100, 100, 60, 60), "C", "2023-05-01"),
    # the first plot again, 7 m further east; a forest plot over a part of it
    (box(20, 17, 35, 42), "C", "2024-05-01"),
    (box(48, 17, 35, 42), "F", "2024-07-01"),
    # across the common side of the regions, which is an edge of pixels; half of it outside all regions
    (box(590, 300, 25, 25), "C", "2024-05-01"),
    (box(1180, 500, 40, 20), "C", "2024-05-01"),
]


def write_land(folder: Path, drawn: list[Any] = DRAWN, **own: Any) -> Path:
    regions = gpd.GeoDataFrame({"code": list(REGIONS)}, geometry=list(REGIONS.values()), crs=EPSG)
    regions.assign(country=[code[:2] for code in REGIONS]).to_file(folder / "regions.gpkg")
    columns = {"kind": [kind for _, kind, _ in drawn], "seen": [day for *_, day in drawn]}
    gpd.GeoDataFrame(columns, geometry=[g for g, *_ in drawn], crs=EPSG).to_file(folder / "census.gpkg")
    layer = {"path": "census.gpkg", "class_column": "kind", "classes": {"C": "coca", "F": "forest"}}
    drawn_map = {
        "id": "office", "source": "drawn by eye in a test", "licence": "none", "simulated": True,
        "layers": [{**layer, "date_column": "seen"}], "elsewhere": "pasture", "observed": "all",
    }  # fmt: skip
    region = {"path": "regions.gpkg", "id": "code", "name": "code", "country": "country"}
    content = {
        "name": "own", "runs": "runs", "scheme": str(SCHEME), "periods": PERIODS,
        "regions": {"sources": [region], "sliver_m": 0}, "grid": {"tile_px": 150, "block_px": 50},
        "density": {"cell_m": 300, "plot_ha": 0.05, "min_plots": 2}, "left_out": {"polygons": 0.6},
        "classify": {"map": drawn_map | own},
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / "run.yaml"
