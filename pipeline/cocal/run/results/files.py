"""files/: the run's results in the forms that others use: Excel, GeoPackage, Parquet, a STAC catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from cocal.contracts import UNOBSERVED
from cocal.grid import project
from cocal.report.geopackage import Graduated, write_geopackage
from cocal.report.workbook import write_workbook
from cocal.run.results.pictures import read_squares
from cocal.run.results.stac import write_stac
from cocal.run.state import Run
from cocal.run.tables import read_own_csv
from cocal.store import address, atomic_path, sha256_file, source_digest

FOLDER = "files"
TABLES = (
    "hectares", "regions", "countries", "groups", "comparison", "unmatched", "caveats", "change", "legal",
    "eradication", "applicability", "minimum_unit",
)  # fmt: skip
"""Tables that speak of regions, countries, groups and zones only."""

NOTE_TABLES = ("notes", "comparison_notes")
"""The notes of these tables, for programs."""

_STEPS = (0.0, 1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 1e9)
_COLOURS = ("#f3efe6", "#fee8c8", "#fdd49e", "#fdbb84", "#fc8d59", "#d7301f", "#7f0000")
_DENSITY = Graduated(
    "ha_per_km2",
    (0.0, 0.0001, 1.0, 5.0, 20.0, 100.0),
    ("#f3efe6", "#fdd0a2", "#fd8d3c", "#d94801", "#7f2704"),
)


def files_stage(run: Run) -> None:
    """Write files/: restricted, like the folder of the run."""
    root = run.store.root
    names = [n for n in (*TABLES, *NOTE_TABLES) if (root / f"{n}.csv").exists()]
    inputs = {
        "tables": {name: sha256_file(root / f"{name}.csv") for name in names},
        "density": run.config.density and sha256_file(root / "density.csv"),
        "regions": run.base.regions.sha256,
        "model": run.require_model().name,
        "maps": {f"{p}/{t.id}": ref.address for (p, t), ref in run.maps.items()},
        "scheme": run.base.scheme.sha256,
        "code": source_digest(
            "report", "run/results/files", "run/results/stac", "run/results/pictures", "run/tables"
        ),
        "periods": address([str(p) for p in run.periods]),
    }

    def write(folder: Path) -> None:
        out = folder / FOLDER
        out.mkdir()
        squares = read_squares(root / "density.csv") if run.config.density else None
        write_for_others(run, out, squares)
        for name in names:
            with atomic_path(out / f"{name}.parquet") as temporary:
                read_own_csv(root / f"{name}.csv").to_parquet(temporary, index=False)
        write_stac(run, out / "stac")

    run.one_unit("files", inputs, write)


def write_for_others(run: Run, out: Path, squares: pd.DataFrame | None) -> None:
    """hectares.xlsx and hectares.gpkg in `out`; `squares` are those that may be in it."""
    write_workbook(out / "hectares.xlsx", _tables(run), notes=_notes(run))
    layers = {"regions": _regions_layer(run)}
    styles = {"regions": Graduated("hectares", _STEPS, _COLOURS)}
    if squares is not None and len(squares):
        layers["density"], styles["density"] = squares_layer(run, squares), _DENSITY
    write_geopackage(out / "hectares.gpkg", layers, styles)


def _tables(run: Run) -> dict[str, pd.DataFrame]:
    paths = {name: run.store.root / f"{name}.csv" for name in TABLES}
    return {name: read_own_csv(path) for name, path in paths.items() if path.exists()}


def _notes(run: Run) -> list[tuple[str, str]]:
    scheme, config = run.base.scheme, run.config
    mark = "SIMULATED: an invented landscape. No figure here speaks of a real place. / SIMULADO: paisaje inventado."
    estimate = config.estimate
    how = "no estimate: mapped areas only" if estimate is None else (
        f"estimator {estimate.estimator}, interval {estimate.interval}, confidence {estimate.confidence:g}"
    )  # fmt: skip
    return [
        *([("SIMULATED", mark)] if run.simulated else []),
        ("run", config.name),
        ("periods", "; ".join(f"{p.name}: {p.start} to {p.end}" for p in run.periods)),
        ("class scheme", f"{scheme.id} (sha256 {scheme.sha256})"),
        *((f"{scheme.target}: {key}", text) for key, text in scheme.definition.items()),
        *((f"{scheme.target} (es): {key}", text) for key, text in scheme.definition_es.items()),
        ("estimates", how),
        ("mapped_ha", "count of the map's pixels by their true area; not corrected for errors of the map"),
        ("estimated_ha", "estimate from the probability sample, with standard error and interval"),
        ("class unobserved", "ground without enough observations; it is never absence of the class"),
        ("sums", "per region and period the classes and unobserved add up to owned_ha of the sheet regions"),
        ("law", "presence of coca is not illegality; no sheet says anything of the status of a plot"),
    ]


def _regions_layer(run: Run) -> gpd.GeoDataFrame:
    """The regions with the target's figures of every period; `hectares` is the estimate or the map's count."""
    regions, target = run.base.regions, run.base.scheme.target
    table = read_own_csv(run.store.root / "hectares.csv")
    own = table[table["class"] == target].copy()
    unseen = table[table["class"] == UNOBSERVED][["region_id", "period", "mapped_ha"]]
    own = own.merge(
        unseen.rename(columns={"mapped_ha": "unobserved_ha"}), on=["region_id", "period"], how="left"
    )
    own["hectares"] = own["estimated_ha"].fillna(own["mapped_ha"])
    own["interval_width_ha"] = own["ci_high_ha"] - own["ci_low_ha"]
    shapes = dict(zip(regions.table["region_id"].astype(str), regions.geometries, strict=True))
    geometry = [shapely.multipolygons(list(shapely.get_parts(shapes[i]))) for i in own["region_id"]]
    return gpd.GeoDataFrame(own.assign(simulated=run.simulated), geometry=geometry, crs=4326)


def squares_layer(run: Run, table: pd.DataFrame) -> gpd.GeoDataFrame:
    """The squares of the density as polygons in degrees."""
    shapes = [
        project(shapely.box(x, y, x + side, y + side), epsg, 4326, densify=side / 4)
        for epsg, x, y, side in zip(table["epsg"], table["x"], table["y"], table["side_m"], strict=True)
    ]
    hectares = pd.to_numeric(table["mapped_ha"])
    per_km2 = hectares.astype(float) / (table["side_m"] / 1000) ** 2
    columns: dict[str, Any] = {"mapped_ha": hectares, "ha_per_km2": per_km2, "simulated": run.simulated}
    return gpd.GeoDataFrame(table.assign(**columns), geometry=shapes, crs=4326)
