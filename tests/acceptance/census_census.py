"""An office's polygons as the map of a run: hectares on the invented border, in real regions, of many."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import yaml
from benchmarks import census as many

from cocal.config import read_config
from cocal.regions import read_regions
from cocal.regions.polygons import hectares_of
from cocal.run import run
from cocal.simulate import SimulateSettings, simulate
from tests.acceptance.job import border_settings

SCHEME = Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml"
COVER, TRUTH, REAL = 0.0005, 0.002, 0.002
"""Largest relative differences: from the ground that is covered; by pixels, from the true pixels; on real
regions, whose borders cut pixels."""


def truth_polygons_give_the_true_hectares_of_every_region() -> str:
    """By parts of pixels beside `cover_ha`, and by the class that each pixel shows beside `truth_ha`."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        simulate(folder / "land", SimulateSettings())
        truth = pd.read_csv(folder / "land" / "truth.csv")
        truth = truth[truth["class"] == "coca"].set_index("region_id")
        classes = {key: key for key in ("coca", "bare", "other_crops", "regrowth")}
        layer = {"path": "land/truth.gpkg", "class_column": "class", "classes": classes}
        source = {"path": "land/regions.gpkg", "id": "region_id", "name": "name", "country": "country"}
        mapped = _measured(
            folder, [layer | {"period_column": "period"}], {"sources": [source], "sliver_m": 0}
        )
        shown = _pixels(folder)
    cover = float((mapped / truth["cover_ha"] - 1).abs().max())
    pixels = float((shown / truth["truth_ha"] - 1).abs().max())
    assert cover <= COVER, cover
    assert pixels <= TRUTH, pixels
    return f"{len(truth)} regions: {cover:.5%} from cover_ha, by pixels {pixels:.3%} from truth_ha"


def polygons_in_the_real_regions_count_as_geodesic_intersections() -> str:
    """Plots of 0.3 ha over the districts and municipalities of both boundary files."""
    settings = border_settings()
    regions = read_regions(settings)
    west, south, east, north = shapely.total_bounds(regions.raw_geometries)
    random = np.random.default_rng(3)
    lon, lat = random.uniform(west, east, 40_000), random.uniform(south, north, 40_000)
    xy = np.column_stack([lon, lat])[:, None] + random.uniform(0, 5e-4, (40_000, 8, 2))
    plots = shapely.convex_hull(shapely.multipoints(xy))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        kept = plots[shapely.STRtree(plots).query(shapely.union_all(regions.geometries), "intersects")]
        gpd.GeoDataFrame(geometry=kept, crs=4326).to_file(folder / "census.gpkg")
        layer = {"path": "census.gpkg", "class": "coca", "period": "2024"}
        mapped = _measured(folder, [layer], settings.model_dump(mode="json"))
    wanted = []
    tree = shapely.STRtree(kept)
    for region in regions.geometries:
        near = shapely.union_all(kept[tree.query(region, "intersects")])
        wanted.append(float(hectares_of(np.array([shapely.intersection(near, region)], dtype=object))[0]))
    ids = regions.table["region_id"]
    whole = mapped.reindex(ids).to_numpy()
    large = np.array(wanted) > 50
    worst = float(np.abs(whole / np.array(wanted) - 1)[large].max())
    total = abs(whole.sum() / sum(wanted) - 1)
    assert worst <= REAL, worst
    return f"{large.sum()} of {len(ids)} regions with 50 ha and more: {worst:.3%} at most, in all {total:.4%}"


def a_million_polygons_in_500_regions_take_5_cpu_minutes_and_2_gib() -> str:
    with tempfile.TemporaryDirectory() as home:
        used = many.measured(many.write_land(Path(home), 1_000_000, 500))
        error = many.largest_error(Path(home))
    assert used["cpu_minutes"] <= many.CPU_MINUTES, used
    assert used["gib"] <= many.GIB, used
    assert error <= 1e-4, error
    return f"{used['cpu_minutes']:.2f} CPU minutes, {used['gib']:.2f} GiB, hectares within {error:.5%}"


def _measured(folder: Path, layers: list[dict[str, object]], regions: dict[str, object]) -> pd.Series[float]:
    """Region -> mapped hectares of coca of a run of these layers."""
    own = {
        "id": "own", "source": "invented", "licence": "none", "simulated": True, "layers": layers,
        "elsewhere": "forest", "observed": "all",
    }  # fmt: skip
    content = {
        "name": "own", "runs": "runs", "scheme": str(SCHEME), "regions": regions,
        "periods": [{"name": "2024", "start": "2024-01-01", "end": "2024-12-31"}], "classify": {"map": own},
        "left_out": {"polygons": 1},
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    areas = run(read_config(folder / "run.yaml"), last="measure").areas
    assert areas is not None
    coca = areas[areas["class"] == "coca"].set_index("region_id")["mapped_ha"]
    return coca.astype(float)


def _pixels(folder: Path) -> pd.Series[float]:
    """Region -> hectares of the pixels that show coca."""
    import rasterio

    from cocal.grid import cell_area_units, tiles
    from cocal.regions import owned

    config = read_config(folder / "run.yaml")
    regions = read_regions(config.regions)
    found = np.zeros(len(regions))
    for tile in tiles(regions.area, config.grid.tile_px):
        (path,) = (config.root / "maps" / "2024" / tile.id).glob("*/class.tif")
        with rasterio.open(path) as source:
            coca = source.read(1) == 1
        owner = owned(regions, tile.window)
        inside = coca & (owner >= 0)
        found += np.bincount(owner[inside], cell_area_units(tile.window)[inside], minlength=len(regions))
    return pd.Series(found / 1e10, index=regions.table["region_id"])


REQUIREMENTS = (
    truth_polygons_give_the_true_hectares_of_every_region,
    polygons_in_the_real_regions_count_as_geodesic_intersections,
    a_million_polygons_in_500_regions_take_5_cpu_minutes_and_2_gib,
)
