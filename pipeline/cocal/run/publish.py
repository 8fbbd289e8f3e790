"""public/: what of a run may leave the office. Hectares of regions, no record, no plot.

The folder of the run is restricted as a whole: class maps show plots, records.csv says where crews went. Of
all that, public/ holds the tables by region, squares that pass the disclosure rule, and the page with those
squares in the place of the class map.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from cocal.estimate import public_density
from cocal.grid import project
from cocal.report import report
from cocal.run.content import report_content
from cocal.run.pictures import public_overview, read_squares
from cocal.run.tables import write_own_csv
from cocal.store import sha256_file, source_digest

if TYPE_CHECKING:
    from cocal.run.stages import Run

FOLDER, LAYER = "public", "density"
TABLES = (
    "hectares.csv", "regions.csv", "countries.csv", "groups.csv", "comparison.csv", "unmatched.csv", "caveats.csv",
    "change.csv", "legal.csv", "eradication.csv",
)  # fmt: skip
"""Tables that speak of regions, countries, groups and zones only."""


def publish_stage(run: Run) -> None:
    """Write public/, if the configuration says `publish: true`."""
    root, density = run.store.root, run.config.density
    page = root / "report" / "index.html"
    tables = [name for name in TABLES if (root / name).exists()]
    squares = root / "density.csv"
    inputs = {
        "page": sha256_file(page),
        "tables": {name: sha256_file(root / name) for name in tables},
        "density": density and [density.model_dump(mode="json"), sha256_file(squares)],
        "code": source_digest(
            "estimate", "report", "run/publish", "run/content", "run/pictures", "run/overview"
        ),
    }

    def write(folder: Path) -> None:
        out = folder / FOLDER
        out.mkdir()
        for name in tables:
            shutil.copyfile(root / name, out / name)
        shown = None
        if density is not None:
            shown = public_density(read_squares(squares), density.min_plots)
            write_own_csv(out / "density.csv", shown.assign(simulated=run.simulated))
            _write_geopackage(out / "density.gpkg", shown, simulated=run.simulated)
        page = replace(report_content(run), map_overview=public_overview(run, shown), profile="public")
        report(out, page)
        (out / "README.txt").write_text(_read_me(run), encoding="utf-8")

    run.one_unit("publish", inputs, write)


def _write_geopackage(path: Path, table: pd.DataFrame, *, simulated: bool) -> None:
    """The squares as polygons in degrees; bytes depend on the content only."""
    shapes = [
        project(shapely.box(x, y, x + side, y + side), epsg, 4326, densify=side / 4)
        for epsg, x, y, side in zip(table["epsg"], table["x"], table["y"], table["side_m"], strict=True)
    ]
    hectares = pd.to_numeric(table["mapped_ha"])
    frame = gpd.GeoDataFrame(table.assign(mapped_ha=hectares, simulated=simulated), geometry=shapes, crs=4326)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        pyogrio.write_dataframe(frame, path, driver="GPKG", layer=LAYER)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _read_me(run: Run) -> str:
    rule = run.config.density
    squares = "" if rule is None else (
        f"density.csv, density.gpkg: squares of {rule.cell_m} m. A square with coca and fewer than {rule.min_plots} plots of {rule.plot_ha:g} ha is withheld, and "
        "where only one square of a region is, a second one.\n"
    )  # fmt: skip
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts: dict[str, Any] = {"run": run.config.name, "scheme": run.base.scheme.id}
    return (
        f"{mark}Public outputs of the run {json.dumps(facts, ensure_ascii=False)}\n\n"
        "Hectares by region, country, group and zone; the page with a map of squares.\n"
        f"{squares}"
        "Not here: class maps (they show plots), field records and their strata, the grid with its counts of plots.\n"
    )
