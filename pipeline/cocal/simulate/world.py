"""The whole invented landscape on disk: scenes, boundaries, labels, field records, official figures, truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import reduce
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray

from cocal.archive import band_profile
from cocal.grid import hectares, project, transformer
from cocal.regions import Regions, RegionSettings, RegionSource, owned, read_regions
from cocal.simulate.cover import CODES
from cocal.simulate.land import SAMPLES, land
from cocal.simulate.noise import normal, uniform
from cocal.simulate.places import PLACES, region_table
from cocal.simulate.scene import blocks
from cocal.simulate.scenes import TAGS, raster_part, write_archive
from cocal.simulate.settings import EPSG, SCENARIO, SimulateSettings
from cocal.simulate.survey import HALO_PX, STRATA, Surveyed, lowest, survey
from cocal.store import atomic_path, write_json

DEFINITION = "productive coca on at least half of a 10 m pixel"
BREAK = "SIMULATED series break: cultivated coca of any age until the year before, productive coca since"
BREAK_REGION = PLACES[1].region_id


def simulate(out: Path, settings: SimulateSettings) -> None:
    """Write the invented landscape below `out`; the same settings give the same bytes.

    - `archive/`: scenes/1, the year's acquisitions, each item with `cocal:simulated`
    - `regions.gpkg`: region_id, name, country (EPSG:4326)
    - `training.gpkg`: sample_id, class, source (EPSG:4326)
    - `records.csv`, `strata.csv`, `strata.tif`: a stratified random sample of pixels and its design
    - `official.csv`: what an office might have published
    - `truth.csv`, `truth/class.tif`, `truth/coca_percent.tif`: what is so
    - `dem.tif`: heights, m
    - `SIMULATED.json`: that all of this is invented, and the settings
    """
    out.mkdir(parents=True, exist_ok=True)
    write_json(
        out / "SIMULATED.json",
        {
            "notice": "SIMULATED. Every place, plot, scene, record and figure in this folder is invented.",
            "scenario": SCENARIO,
            "settings": settings.model_dump(mode="json"),
        },
    )
    write_vector(out / "regions.gpkg", region_table(settings.terrain, settings.window), "regions")
    source = RegionSource(path=out / "regions.gpkg", id=("region_id",), name="name", country="country")
    regions = read_regions(RegionSettings(sources=(source,), sliver_m=0))
    parts = _survey_all(out, settings, regions)
    truth = truth_table(parts)
    _write_csv(out / "truth.csv", truth)
    _write_csv(out / "official.csv", official_table(truth, settings))
    _write_csv(out / "strata.csv", strata_table(parts))
    _write_csv(out / "records.csv", record_table(parts, settings))
    write_vector(out / "training.gpkg", training_table(parts, settings), "training")
    write_archive(out / "archive", settings)


def _survey_all(out: Path, settings: SimulateSettings, regions: Regions) -> list[Surveyed]:
    """Survey block by block, writing the rasters; what stays in memory does not grow with the area."""
    window, terrain = settings.window, settings.terrain
    parts = []
    with ExitStack() as files:
        rasters = {
            name: files.enter_context(_raster(out / f"{name}.tif", settings, dtype))
            for name, dtype in (
                ("dem", "float32"), ("strata", "uint8"), ("truth/class", "uint8"), ("truth/coca_percent", "uint8"),
            )
        }  # fmt: skip
        for block in blocks(window):
            here = land(terrain, block.expanded(HALO_PX))
            part = survey(here, block, owned(regions, block), CODES, settings.sample_sizes)
            values = {
                "dem": here.elevation[here.window.slices_of(block)].astype(np.float32),
                "strata": part.stratum,
                "truth/class": part.code,
                "truth/coca_percent": part.coca_percent,
            }
            for name, array in values.items():
                rasters[name].write(array, 1, window=raster_part(window, block))
            parts.append(part)
    return parts


@contextmanager
def _raster(path: Path, settings: SimulateSettings, dtype: str) -> Iterator[rasterio.io.DatasetWriter]:
    profile = band_profile(settings.window, dtype, nodata=None)
    if dtype == "float32":
        profile["predictor"] = 3
    with atomic_path(path) as temporary, rasterio.open(temporary, "w", **profile) as target:
        target.update_tags(**TAGS, SEED=str(settings.seed))
        yield target


def _total(arrays: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    return reduce(np.add, arrays)


def truth_table(parts: list[Surveyed]) -> pd.DataFrame:
    """region_id, region_name, country, class, truth_ha, cover_ha: what is so, per region and class.

    `truth_ha` is the area of the pixels of the class by the scheme's definition; `cover_ha` the ground that
    the class covers, in parts of pixels. Each adds up to the region's owned area over the classes.
    """
    truth = _total(p.truth_units for p in parts)
    cover = _total(p.cover_units for p in parts)
    rows = [
        {
            "region_id": place.region_id,
            "region_name": place.name,
            "country": place.country,
            "class": key,
            "truth_ha": hectares(int(truth[r, c])),
            "cover_ha": hectares(int(cover[r, c])) / SAMPLES**2,
            "source": "SIMULATED",
        }
        for r, place in enumerate(PLACES)
        for c, key in enumerate(CODES)
    ]
    return pd.DataFrame(rows)


def strata_table(parts: list[Surveyed]) -> pd.DataFrame:
    """stratum, code on strata.tif, pixels, area_ha of the strata that the sample was drawn from."""
    units, pixels = _total(p.stratum_units for p in parts), _total(p.stratum_pixels for p in parts)
    return pd.DataFrame(
        {
            "stratum": STRATA,
            "code": range(1, len(STRATA) + 1),
            "pixels": pixels,
            "area_ha": [hectares(int(u)) for u in units],
            "source": "SIMULATED census of the year before",
        }
    )


def record_table(parts: list[Surveyed], settings: SimulateSettings) -> pd.DataFrame:
    """The field records: a simple random sample without replacement of the pixels of each stratum."""
    pixels = dict(zip(STRATA, _total(p.stratum_pixels for p in parts).tolist(), strict=True))
    table = lowest((p.sample for p in parts), "stratum", settings.sample_sizes)
    table = table.sort_values(["y", "x"], ascending=[False, True], kind="stable").reset_index(drop=True)
    drawn = table.groupby("stratum")["x"].size()
    place = np.arange(len(table))
    longitude, latitude = transformer(EPSG, 4326).transform(table["x"].to_numpy(), table["y"].to_numpy())
    days = np.floor(uniform(settings.seed, "visit", place, 0) * 150).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "record_id": [f"SIM-{number:04d}" for number in place + 1],
            "lon": np.round(longitude, 7),
            "lat": np.round(latitude, 7),
            "observed_on": np.datetime_as_string(np.datetime64(f"{settings.year}-06-01") + days, unit="D"),
            "class": table["class"],
            "cover": table["cover"],
            "positional_accuracy_m": np.round(3 + 5 * uniform(settings.seed, "accuracy", place, 0), 1),
            "source": "SIMULATED field visit",
            "stratum": table["stratum"],
            "inclusion_probability": [drawn[s] / pixels[s] for s in table["stratum"]],
            "visited": True,
            "split": "test",
        }
    )


def training_table(parts: list[Surveyed], settings: SimulateSettings) -> gpd.GeoDataFrame:
    """Labelled polygons of all classes from scattered clusters, on one land with the field records."""
    sizes = dict.fromkeys(CODES, settings.training_per_class)
    scene = shapely.box(*settings.window.bounds)
    table = lowest((p.training[shapely.within(p.training["geometry"], scene)] for p in parts), "class", sizes)
    shapes = [project(shape, EPSG, 4326) for shape in table["geometry"]]
    columns = {
        "sample_id": [f"SIM-T{number:04d}" for number in range(1, len(table) + 1)],
        "class": table["class"],
        "source": "SIMULATED interpretation",
    }
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def official_table(truth: pd.DataFrame, settings: SimulateSettings) -> pd.DataFrame:
    """Four years of invented official figures per region, to 10 ha, each with its own error.

    They wander from the truth of the last year backwards by about 8 % a year and err by about 9 %
    (assumptions). One region's definition changes in the last year.
    """
    coca = truth[truth["class"] == "coca"].set_index("region_id")["truth_ha"]
    rows = []
    for number, place in enumerate(PLACES):
        level = float(coca[place.region_id])
        for back in range(4):
            year = settings.year - back
            error = 1 + 0.09 * float(normal(settings.seed, "official/error", number, year)[0])
            broken = place.region_id == BREAK_REGION and back > 0
            value = level * error * (1.25 if broken else 1.0)
            rows.append(
                {
                    "region_id": place.region_id,
                    "year": year,
                    "coca_ha": 10 * round(value / 10),
                    "source": "SIMULATED survey office",
                    "definition": BREAK if place.region_id == BREAK_REGION else DEFINITION,
                    "reference_date": f"{year}-12-31",
                }
            )
            level *= 1 - 0.03 + 0.08 * float(normal(settings.seed, "official/trend", number, year)[0])
    return pd.DataFrame(rows).sort_values(["region_id", "year"]).reset_index(drop=True)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def write_vector(path: Path, table: gpd.GeoDataFrame, layer: str) -> None:
    """Write a GeoPackage whose bytes depend on its content only: its date of change is fixed."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        with atomic_path(path) as temporary:
            table.to_file(temporary, driver="GPKG", layer=layer, engine="pyogrio", metadata=dict(TAGS))
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
