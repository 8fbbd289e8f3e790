"""public/: outputs of a run that may be given to anyone: hectares of regions, no record, no plot.

The folder of the run is restricted as a whole: class maps show plots, records.csv the places of field work.
public/ holds the tables by region, squares that pass the disclosure rule, and the page with those squares in
the place of the class map, without the folders of this machine.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cocal.content import Place
from cocal.estimate import public_density
from cocal.estimate.settings import DensitySettings
from cocal.notes import with_text
from cocal.report.page import report
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.results.content import PageTask, page_content, page_task
from cocal.run.results.facts import RunFacts
from cocal.run.results.files import write_for_others
from cocal.run.results.pictures import public_overview, read_squares
from cocal.run.results.redaction import without_folders
from cocal.run.state import Run
from cocal.run.tables import write_own_csv

FOLDER = "public"


@dataclass(frozen=True)
class PublicTask:
    """The page and the disclosure rule. Its texts name files from `home`, and none of the other `folders`."""

    page: PageTask
    density: DensitySettings | None
    home: Place[Path | None]
    folders: Place[tuple[Path, ...]]


def publish_stage(run: Run) -> Stage:
    """public/, if the configuration says `publish: true`."""
    home = None if run.config_path is None else run.config_path.resolve().parent
    folders = (run.store.root, run.config.archive, Path.home(), *([] if home is None else [home]))
    task = PublicTask(page_task(run), run.config.density, Place(home), Place(folders))
    yield Batch("publish", (Recipe(":publish", task, write_public, where="client"),), on_failure="stop")


def write_public(folder: Path, _: list[Any], task: PublicTask) -> None:
    """Write public/ into `folder`."""
    out, run, shown = folder / FOLDER, task.page.run, None
    out.mkdir()
    for path in run.tables.values():
        shutil.copyfile(path, out / path.name)
    squares = run.path("density.csv")
    if task.density is not None and squares is not None:
        public = public_density(read_squares(squares), task.density.min_plots)
        write_own_csv(out / "density.csv", public.assign(simulated=run.simulated))
        shown = with_text(public)
    write_for_others(out, run, shown)
    page = replace(page_content(task.page), map_overview=public_overview(run, shown), profile="public")
    report(out, without_folders(page, task.home.value, task.folders.value))
    (out / "README.txt").write_text(_read_me(run, task.density), encoding="utf-8")


def _read_me(run: RunFacts, rule: DensitySettings | None) -> str:
    squares = "" if rule is None else (
        f"density.csv, and the layer density of hectares.gpkg: squares of {rule.cell_m} m. A square with "
        f"coca and fewer than {rule.min_plots} plots of {rule.plot_ha:g} ha is withheld, and "
        "where only one square of a region is, a second one.\n"
    )  # fmt: skip
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts = json.dumps({"run": run.name, "scheme": run.scheme.id}, ensure_ascii=False)
    return (
        f"{mark}Public outputs of the run {facts}\n\n"
        "Hectares by region, country, group and zone as CSV, Excel and GeoPackage; "
        "the page with a map of squares.\n"
        f"{squares}"
        "Not here: class maps (they show plots), field records and their strata, "
        "the grid with its counts of plots.\n"
    )
