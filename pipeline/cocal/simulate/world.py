"""The whole invented border on disk: scenes, boundaries, labels, field records, official figures, truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import rasterio
import shapely

from cocal.archive import band_profile
from cocal.errors import InputError
from cocal.grid import Window, project
from cocal.regions import Regions, RegionSettings, RegionSource, owned, read_regions
from cocal.simulate.faults import simulate_records, write_records
from cocal.simulate.field import official
from cocal.simulate.field.operations import operation_tables
from cocal.simulate.field.polygons import census_polygons, truth_polygons
from cocal.simulate.field.records import MISSIONS, mission_records, sample_records
from cocal.simulate.field.sites import lowest
from cocal.simulate.field.survey import HALO_PX, Surveyed, survey
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.mosaic import land
from cocal.simulate.land.places import outlines, parent_table, region_table, zone_table
from cocal.simulate.output import TAGS, in_order, no_cache, write_vector
from cocal.simulate.sensor.scenes import PART_PX, blocks, raster_part, write_archive
from cocal.simulate.settings import EPSG, SCENARIO, SimulateSettings
from cocal.store import atomic_path, write_json

RASTERS = {"dem": "float32", "strata": "uint8", "truth/class": "uint8", "truth/coca_percent": "uint8",
           "truth/state": "uint8"}  # fmt: skip

NOTICE = "SIMULATED.json"
PLACES = ("regions", "provinces", "departments", "zones")
POLYGONS = ("training", "census", "truth", "operations")
TABLES = ("truth", "strata", "official", "eradication", "records", "missions")

SUMS = ("truth", "coca", "cover", "found", "states", "stratum_units", "stratum_pixels")
"""Fields of a survey that are summed over blocks."""

Report = Callable[[str, int, int], None]
"""Called with the name of a step, how many of its parts are done, and how many there are."""


def simulate(
    out: Path,
    settings: SimulateSettings,
    *,
    images: bool = True,
    workers: int = 1,
    report: Report = lambda *_: None,
) -> None:
    """Write the invented border below `out`; equal settings give equal bytes for any number of `workers`.

    - `archive/`: scenes/1, the acquisitions of the last year, each item with `cocal:simulated`; left out
      without `images`
    - `regions.gpkg`: districts: region_id, name, country, province, department (EPSG:4326); `provinces.gpkg`,
      `departments.gpkg`
    - `zones.gpkg`: zone_id, name, kind (authorised, protected), country, limit_ha
    - `training.gpkg`: sample_id, class, source (EPSG:4326)
    - `census.gpkg`: the plots that an office draws by eye, of the last two years: polygon_id, period, class,
      state, shade, mixture, age, date (UTM); `truth.gpkg`: those that are there
    - `operations.gpkg`: ground that is claimed as eradicated in the last year: operation_id, first_day,
      last_day, claimed_ha (UTM)
    - `records.csv`, `strata.csv`, `strata.tif`: a stratified random sample of pixels and its design
    - `missions.csv`: purposive visits along roads; `crews/`: records with every usual fault, elsewhere
    - `official.csv`, `eradication.csv`: published figures, year by year
    - `dem.tif`: heights, m
    - `truth.csv`: hectares per region and class; `truth/`: rasters and tables of the truth
    - `SIMULATED.json`: a notice that all of this is invented, and the settings

    Raises
    ------
    InputError
        `out` holds anything else, or a landscape of other settings; nothing is written.
    """
    notice = {
        "notice": "SIMULATED. Every place, plot, scene, record and figure in this folder is invented.",
        "scenario": SCENARIO,
        "settings": settings.model_dump(mode="json"),
        "images_of": [settings.year] if images or (out / "archive").exists() else [],
        "truth_and_figures_of": settings.history,
    }
    _check_folder(out, notice)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / NOTICE, notice)
    regions = _write_places(out, settings)
    surveys = _survey_all(out, settings, regions, workers, report)
    _write_tables(out, reduce(partial(_joined, settings), surveys), settings)
    write_records(simulate_records(settings.seed, n=2_500), out / "crews")
    if images:
        write_archive(out / "archive", settings, workers, partial(report, "scenes"))


def _check_folder(out: Path, notice: dict[str, Any]) -> None:
    """Refuse a folder that holds something else than this landscape, whole or in part."""
    files = [*(f"{name}.gpkg" for name in (*PLACES, *POLYGONS)), *(f"{name}.csv" for name in TABLES)]
    own = {NOTICE, "archive", "crews", "truth", *files, *(f"{name}.tif" for name in RASTERS)}
    if out.exists() and not out.is_dir():
        raise InputError(f"simulate: {out}", "a folder", "a file", "choose another folder")
    names = sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) if out.exists() else []
    other = names if names and NOTICE not in names else [name for name in names if name not in own]
    if other:
        found = ", ".join(other[:10]) + (f" and {len(other) - 10} more" if len(other) > 10 else "")
    elif names and _settings_in(out / NOTICE) != notice["settings"]:
        found = f"a landscape of other settings, see {NOTICE}"
    else:
        return
    raise InputError(
        f"simulate: {out} holds what would be replaced or mixed with the landscape",
        "a new or empty folder, or one in which the same landscape was written", found,
        "choose another folder, or move what this one holds",
    )  # fmt: skip


def _settings_in(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_places(out: Path, settings: SimulateSettings) -> Regions:
    districts = region_table(settings.terrain, settings.window)
    write_vector(out / "regions.gpkg", districts, "regions")
    for level in ("province", "department"):
        write_vector(out / f"{level}s.gpkg", parent_table(districts, level), f"{level}s")
    write_vector(out / "zones.gpkg", zone_table(settings.terrain, settings.window), "zones")
    source = RegionSource(path=out / "regions.gpkg", id=("region_id",), name="name", country="country")
    return read_regions(RegionSettings(sources=(source,), sliver_m=0))


def _survey(settings: SimulateSettings, regions: Regions, block: Window) -> Surveyed:
    """The survey of one block, its tables cut to the places that can be chosen."""
    here = land(settings.terrain, block.expanded(HALO_PX))
    part = survey(here, settings, block, owned(regions, block))
    inside = part.training[shapely.within(part.training["geometry"], shapely.box(*settings.window.bounds))]
    return replace(
        part,
        training=lowest([inside], "class", _most(settings)),
        missions=lowest([part.missions], "coca", MISSIONS),
    )


def _survey_all(
    out: Path, settings: SimulateSettings, regions: Regions, workers: int, report: Report
) -> Iterator[Surveyed]:
    """The survey of each block, after its rasters are written."""
    window = settings.window
    whole = blocks(window, PART_PX)
    with no_cache(), ExitStack() as files:
        rasters = {
            name: files.enter_context(_raster(out / f"{name}.tif", settings, d))
            for name, d in RASTERS.items()
        }
        parts = in_order(partial(_survey, settings, regions), whole, workers)
        for done, part in enumerate(parts, start=1):
            for name, values in part.rasters.items():
                rasters[name].write(values, 1, window=raster_part(window, part.window))
            yield part
            report("land", done, len(whole))


def _joined(settings: SimulateSettings, a: Surveyed, b: Surveyed) -> Surveyed:
    """Two surveys as one: sums, and as many of the places to choose from as can be needed. No rasters."""
    sums = {name: getattr(a, name) + getattr(b, name) for name in SUMS}
    return replace(
        a, rasters={}, **sums,
        cleared=pd.concat([a.cleared, b.cleared], ignore_index=True),
        plots=pd.concat([a.plots, b.plots], ignore_index=True),
        sample=lowest([a.sample, b.sample], "stratum", settings.sample_sizes),
        missions=lowest([a.missions, b.missions], "coca", MISSIONS),
        training=lowest([a.training, b.training], "class", _most(settings)),
    )  # fmt: skip


def _most(settings: SimulateSettings) -> dict[str, int]:
    """The largest number of training polygons of each class."""
    return dict.fromkeys(CODES, settings.training_per_class)


@contextmanager
def _raster(path: Path, settings: SimulateSettings, dtype: str) -> Iterator[rasterio.io.DatasetWriter]:
    profile = band_profile(settings.window, dtype, nodata=None)
    if dtype == "float32":
        profile["predictor"] = 3
    with atomic_path(path) as temporary, rasterio.open(temporary, "w", **profile) as target:
        target.update_tags(**TAGS, SEED=str(settings.seed))
        yield target


def _write_tables(out: Path, whole: Surveyed, settings: SimulateSettings) -> None:
    records, record_truth = sample_records(whole, settings)
    missions, mission_truth = mission_records(whole, settings)
    claims, claim_truth = official.claims_table(whole, settings)
    operations, operation_truth = operation_tables(whole, settings)
    tables = {
        "truth": official.truth_table(whole),
        "strata": official.strata_table(whole),
        "official": official.official_table(whole, settings),
        "eradication": claims,
        "records": records,
        "missions": missions,
        "truth/records": record_truth,
        "truth/missions": mission_truth,
        "truth/eradication": claim_truth,
        "truth/operations": operation_truth,
        "truth/cleared_plots": official.cleared_table(whole),
        "truth/history": official.history_table(whole, settings),
        "truth/kinds": official.kinds_table(whole),
        "truth/states": official.states_table(whole),
    }
    for name, table in tables.items():
        with atomic_path(out / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
    write_vector(out / "training.gpkg", training_table(whole.training), "training")
    write_vector(out / "operations.gpkg", operations, "operations")
    ground = shapely.union_all(outlines(settings.terrain, settings.window))
    shapely.prepare(ground)
    plots = whole.plots[shapely.intersects(whole.plots["geometry"].to_numpy(), ground)]
    write_vector(out / "census.gpkg", census_polygons(plots, settings.seed), "census")
    write_vector(out / "truth.gpkg", truth_polygons(plots), "truth")


def training_table(table: pd.DataFrame) -> gpd.GeoDataFrame:
    """Labelled polygons of all classes from scattered clusters, in degrees."""
    shapes = [project(shape, EPSG, 4326) for shape in table["geometry"]]
    columns = {
        "sample_id": [f"SIM-T{number:04d}" for number in range(1, len(table) + 1)],
        "class": table["class"],
        "source": "SIMULATED interpretation",
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
