"""The main job, end to end, on real Sentinel-2 imagery."""

from __future__ import annotations

import csv
import functools
import os
import subprocess
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from cocal.contracts import AREA_COLUMNS
from cocal.grid import tiles, transformer, zone_box
from cocal.regions import RegionSettings, owned, read_regions, slivers
from tests.acceptance.real import (
    amazon_scene_offset_guard_and_accuracy,
    t20lkp_across_the_border,
    worldcereal_cube_agreement,
)
from tests.acceptance.robust import (
    a_changed_input_reuses_exactly_what_does_not_depend_on_it,
    a_raster_across_a_zone_meridian_gives_one_answer,
    bad_input_is_refused_clearly,
    killed_with_sigkill_in_every_stage_and_restarted,
)

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("COCAL_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()
OUTPUTS = ("run.json", "hectares.csv", "comparison.csv", "report/index.html")


@functools.cache
def fresh_clone() -> Path:
    """The committed state in a new folder, with `make demo` and `make test` run there from nothing."""
    folder = Path(tempfile.mkdtemp(prefix="cocal-clone-"))
    clone = folder / "cocal"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment |= {"PIP_NO_CACHE_DIR": "1", "COCAL_TEST_DATA": str(DATA)}
    for target in ("demo", "test"):
        done = subprocess.run(["make", target], cwd=clone, env=environment, capture_output=True, text=True)
        print(done.stdout[-3000:], done.stderr[-1500:] if done.returncode else "", sep="\n")
        assert done.returncode == 0, f"make {target} exits {done.returncode}"
    return clone


def a_fresh_clone_runs_make_demo_and_make_test() -> str:
    run = fresh_clone() / "runs" / "demo"
    missing = [name for name in OUTPUTS if not (run / name).is_file()]
    assert not missing, f"missing: {missing}"
    sizes = ", ".join(f"{name} {(run / name).stat().st_size} B" for name in OUTPUTS)
    return f"make demo and make test exit 0; {sizes}"


def hectares_csv_is_areas_1_and_adds_up_exactly() -> str:
    run = fresh_clone() / "runs" / "demo"
    with (run / "hectares.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == AREA_COLUMNS, f"columns {tuple(rows[0])}"
    regions = pd.read_csv(run / "regions.csv", dtype=str)
    worst = 0.0
    for region in regions.to_dict("records"):
        parts = [Decimal(r["mapped_ha"]) for r in rows if r["region_id"] == region["region_id"]]
        assert sum(parts) == Decimal(region["owned_ha"]), f"{region['region_id']}: {sum(parts)}"
        if float(region["polygon_ha"]) > 2000:
            worst = max(worst, abs(float(region["difference_percent"])))
    assert worst < 0.1, f"{worst} %"
    return (
        f"{len(regions)} regions, {len(rows)} rows: exact sums; "
        f"largest difference from the geodesic area {worst:.5f} %"
    )


def border_settings() -> RegionSettings:
    """The districts and municipalities on both sides of the border around Apolo and Sandia."""
    folder = DATA / "boundaries"
    bolivia = {
        "path": folder / "bolivia_municipios_2024.geojson", "id": ["idep", "iprov", "imun"],
        "name": "nombre_mun",
        "country_code": "BO", "id_prefix": "BO-",
        "where": {"nombre_prov": ["Franz Tamayo", "Bautista Saavedra", "Camacho"]},
    }  # fmt: skip
    peru = {
        "path": folder / "peru_distritos_1891.gpkg", "id": "COD_DISTRITO", "name": "DISTRITO",
        "country_code": "PE", "id_prefix": "PE-",
        "where": {"PROVINCIA": ["Sandia", "San Antonio de Putina", "Huancané"]},
    }  # fmt: skip
    return RegionSettings.model_validate({"sources": [bolivia, peru], "sliver_m": 1000})


def no_pixel_of_the_real_border_is_in_two_regions() -> str:
    """Pixels along the border, each asked of every raw polygon alone, beside the one owner they got."""
    regions = read_regions(border_settings())
    border = shapely.union_all(regions.raw_geometries[regions.groups == 0]).buffer(0.01)
    other = shapely.union_all(regions.raw_geometries[regions.groups == 1]).buffer(0.01)
    strip = shapely.intersection(border, other)
    overlap = gap = pixels = 0
    for tile in tiles(strip, 384)[::4]:
        window = tile.window
        lon, lat = transformer(window.epsg, 4326).transform(*np.meshgrid(window.x, window.y))
        holds = np.zeros(window.shape, dtype=int)
        for polygon in regions.raw_geometries:
            if polygon.intersects(shapely.box(lon.min(), lat.min(), lon.max(), lat.max())):
                shapely.prepare(polygon)
                holds += shapely.contains_xy(polygon, lon, lat)
        owner, given = owned(regions, window), slivers(regions, window)
        inside = zone_box(window.epsg).contains(shapely.box(lon.min(), lat.min(), lon.max(), lat.max()))
        assert inside
        assert ((owner >= 0) == ((holds > 0) | given)).mean() > 0.99999, tile.id
        counts = np.bincount(owner[owner >= 0], minlength=len(regions))
        assert counts.sum() == (owner >= 0).sum()
        pixels, overlap, gap = pixels + owner.size, overlap + (holds > 1).sum(), gap + given.sum()
    assert overlap, "the test strip has no overlap to settle"
    assert gap, "the test strip has no gap to settle"
    assert (ROOT / "docs" / "images" / "slivers.png").is_file()
    return (
        f"{pixels} pixels along the border: {overlap} lie in two polygons and have one owner, {gap} in gaps "
        "given to "
        "the nearest region, none in two; docs/images/slivers.png shows the rule"
    )


REQUIREMENTS = (
    a_fresh_clone_runs_make_demo_and_make_test,
    hectares_csv_is_areas_1_and_adds_up_exactly,
    no_pixel_of_the_real_border_is_in_two_regions,
    amazon_scene_offset_guard_and_accuracy,
    worldcereal_cube_agreement,
    t20lkp_across_the_border,
    a_raster_across_a_zone_meridian_gives_one_answer,
    killed_with_sigkill_in_every_stage_and_restarted,
    a_changed_input_reuses_exactly_what_does_not_depend_on_it,
    bad_input_is_refused_clearly,
)
