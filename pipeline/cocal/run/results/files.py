"""files/: the run's results in the forms that others use: Excel, GeoPackage, Parquet, a STAC catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from cocal.contracts import UNOBSERVED
from cocal.grid import project
from cocal.report.geopackage import Graduated, write_geopackage
from cocal.report.workbook import write_workbook
from cocal.run.measure.exchange import retire_bundle
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.results.facts import TABLES, RunFacts, run_facts
from cocal.run.results.pictures import read_squares
from cocal.run.results.stac import write_stac
from cocal.run.state import Run
from cocal.run.tables import read_own_csv
from cocal.store import atomic_path

FOLDER = "files"
_STEPS = (0.0, 1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 1e9)
_COLOURS = ("#f3efe6", "#fee8c8", "#fdd49e", "#fdbb84", "#fc8d59", "#d7301f", "#7f0000")
_DENSITY = Graduated(
    "ha_per_km2",
    (0.0, 0.0001, 1.0, 5.0, 20.0, 100.0),
    ("#f3efe6", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"),
)


_MODEL = {
    "small_area_ha": "by a model of small regions, with its interval; it assumes that the map misses as much "
    "in this region as elsewhere, which the interval ci_low_ha to ci_high_ha does not",
    "last_ha": "the last earlier figure of the place (last_source); the difference is no estimate of change",
}
_ABOUT = {
    "mapped_ha": "count of the map's pixels by their true area; not corrected for errors of the map",
    "estimated_ha": "estimate from the probability sample, with standard error and interval",
    **_MODEL,
    "class unobserved": "ground without enough observations; it is never absence of the class",
    "sums": "per region and period the classes and unobserved add up to owned_ha of the sheet regions",
}
"""What columns and rows of the workbook are."""

_ABOUT_PUBLIC = {
    "shown_ha": "sum of the squares or regions shown, in whole hectares; not all that the map holds there",
    "estimated_ha": "estimate from the probability sample for the regions shown, in whole hectares",
    **_MODEL,
    "unobserved_ha": _ABOUT["class unobserved"],
}


def files_stage(run: Run) -> Stage:
    """files/: restricted, like the folder of the run."""
    recipe = Recipe(":files", run_facts(run), write_files, where="client")
    yield Batch("files", (recipe,), on_failure="stop")
    retire_bundle(run.store.root)


def write_files(folder: Path, _: list[Any], run: RunFacts) -> None:
    """Write files/ into `folder`."""
    out, density = folder / FOLDER, run.path("density.csv")
    out.mkdir()
    tables = {name: read_own_csv(path) for name, path in run.tables.items() if name in TABLES}
    regions = regions_layer(run, _figures_of_regions(run, tables["hectares"]))
    write_for_others(out, run, tables, regions, None if density is None else read_squares(density))
    for name, path in run.tables.items():
        with atomic_path(out / f"{name}.parquet") as temporary:
            read_own_csv(path).to_parquet(temporary, index=False)
    write_stac(out / "stac", run)


def write_for_others(
    out: Path,
    run: RunFacts,
    tables: Mapping[str, pd.DataFrame],
    regions: gpd.GeoDataFrame,
    squares: pd.DataFrame | None,
) -> None:
    """hectares.xlsx and hectares.gpkg in `out`, of the tables, regions and squares that may be in them."""
    write_workbook(out / "hectares.xlsx", tables, notes=_notes(run, {*tables["hectares"]}))
    layers, styles = {"regions": regions}, {"regions": Graduated("hectares", _STEPS, _COLOURS)}
    if squares is not None and len(squares):
        layers["density"], styles["density"] = squares_layer(squares, simulated=run.simulated), _DENSITY
    write_geopackage(out / "hectares.gpkg", layers, styles)


def _notes(run: RunFacts, columns: set[str]) -> list[tuple[str, str]]:
    """(about, text) of the first sheet, beside hectares with these columns."""
    scheme, estimate = run.scheme, run.estimate
    mark = (
        "SIMULATED: an invented landscape. No figure here is of a real place. / SIMULADO: paisaje inventado."
    )
    how = "no estimate: mapped areas only" if estimate is None else (
        f"estimator {estimate.estimator}, interval {estimate.interval}, confidence {estimate.confidence:g}"
    )  # fmt: skip
    about = _ABOUT_PUBLIC if "shown_ha" in columns else _ABOUT
    figures = [(name, text) for name, text in about.items() if name in columns or not name.endswith("_ha")]
    return [
        *([("SIMULATED", mark)] if run.simulated else []),
        ("run", run.name),
        ("periods", "; ".join(f"{p.name}: {p.start} to {p.end}" for p in run.periods)),
        ("class scheme", f"{scheme.id} (sha256 {scheme.sha256})"),
        *((f"{scheme.target}: {key}", text) for key, text in scheme.definition.items()),
        *((f"{scheme.target} (es): {key}", text) for key, text in scheme.definition_es.items()),
        *([("estimates", how)] if "estimated_ha" in columns else []),
        *figures,
        ("law", "presence of coca is not illegality; no sheet states the legal status of a plot"),
    ]


def _figures_of_regions(run: RunFacts, table: pd.DataFrame) -> pd.DataFrame:
    """The target's figures by region and period; `hectares` is the estimate or the map's count."""
    own = table[table["class"] == run.scheme.target].copy()
    unseen = table[table["class"] == UNOBSERVED][["region_id", "period", "mapped_ha"]]
    own = own.merge(
        unseen.rename(columns={"mapped_ha": "unobserved_ha"}), on=["region_id", "period"], how="left"
    )
    own["hectares"] = own["estimated_ha"].fillna(own["mapped_ha"])
    own["interval_width_ha"] = own["ci_high_ha"] - own["ci_low_ha"]
    return own


def regions_layer(run: RunFacts, own: pd.DataFrame) -> gpd.GeoDataFrame:
    """The regions with the figures of each row of `own`."""
    regions = run.regions
    shapes = dict(zip(regions.table["region_id"].astype(str), regions.geometries, strict=True))
    geometry = [shapely.multipolygons(list(shapely.get_parts(shapes[i]))) for i in own["region_id"]]
    return gpd.GeoDataFrame(own.assign(simulated=run.simulated), geometry=geometry, crs=4326)


def squares_layer(table: pd.DataFrame, *, simulated: bool) -> gpd.GeoDataFrame:
    """The squares of the density as polygons in degrees."""
    shapes = [
        project(shapely.box(x, y, x + side, y + side), epsg, 4326, densify=side / 4)
        for epsg, x, y, side in zip(table["epsg"], table["x"], table["y"], table["side_m"], strict=True)
    ]
    hectares = pd.to_numeric(table["mapped_ha"])
    per_km2 = hectares.astype(float) / (table["side_m"] / 1000) ** 2
    columns: dict[str, Any] = {"mapped_ha": hectares, "ha_per_km2": per_km2, "simulated": simulated}
    return gpd.GeoDataFrame(table.assign(**columns), geometry=shapes, crs=4326)
