"""public/: what of a run may leave the office. Hectares of regions, no record, no plot.

The folder of the run is restricted as a whole: class maps show plots, records.csv says where crews went. Of
all that, public/ holds the tables by region, squares that pass the disclosure rule, and the page with those
squares in the place of the class map, and without the folders of this machine.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from cocal.estimate import public_density
from cocal.notes import with_text
from cocal.report import ReportContent, report
from cocal.run.results.content import report_content
from cocal.run.results.files import TABLES, write_for_others
from cocal.run.results.pictures import public_overview, read_squares
from cocal.run.results.redaction import without_folders
from cocal.run.state import Run
from cocal.run.tables import write_own_csv
from cocal.store import sha256_file, source_digest

FOLDER = "public"


def publish_stage(run: Run) -> None:
    """Write public/, if the configuration says `publish: true`."""
    root, density = run.store.root, run.config.density
    page = root / "report" / "index.html"
    tables = [f"{name}.csv" for name in TABLES if (root / f"{name}.csv").exists()]
    squares = root / "density.csv"
    inputs = {
        "page": sha256_file(page),
        "tables": {name: sha256_file(root / name) for name in tables},
        "density": density and [density.model_dump(mode="json"), sha256_file(squares)],
        "code": source_digest(
            "estimate",
            "report",
            "run/results/publish",
            "run/results/content",
            "run/results/pictures",
            "run/results/overview",
            "run/results/files",
            "run/results/redaction",
        ),
    }

    def write(folder: Path) -> None:
        out = folder / FOLDER
        out.mkdir()
        for name in tables:
            shutil.copyfile(root / name, out / name)
        shown = None
        if density is not None:
            public = public_density(read_squares(squares), density.min_plots)
            write_own_csv(out / "density.csv", public.assign(simulated=run.simulated))
            shown = with_text(public)
        write_for_others(run, out, shown)
        page = replace(report_content(run), map_overview=public_overview(run, shown), profile="public")
        report(out, _without_folders(run, page))
        (out / "README.txt").write_text(_read_me(run), encoding="utf-8")

    run.one_unit("publish", inputs, write)


def _without_folders(run: Run, page: ReportContent) -> ReportContent:
    home = None if run.config_path is None else run.config_path.resolve().parent
    known = [run.store.root, run.config.archive, Path.home()]
    return without_folders(page, home, [*known, *([] if home is None else [home])])


def _read_me(run: Run) -> str:
    rule = run.config.density
    squares = "" if rule is None else (
        f"density.csv, and the layer density of hectares.gpkg: squares of {rule.cell_m} m. A square with coca and fewer than {rule.min_plots} plots of {rule.plot_ha:g} ha is withheld, and "
        "where only one square of a region is, a second one.\n"
    )  # fmt: skip
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts: dict[str, Any] = {"run": run.config.name, "scheme": run.base.scheme.id}
    return (
        f"{mark}Public outputs of the run {json.dumps(facts, ensure_ascii=False)}\n\n"
        "Hectares by region, country, group and zone as CSV, Excel and GeoPackage; the page with a map of squares.\n"
        f"{squares}"
        "Not here: class maps (they show plots), field records and their strata, the grid with its counts of plots.\n"
    )
