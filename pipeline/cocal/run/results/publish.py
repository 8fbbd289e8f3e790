"""public/: what of a run may leave the office. Hectares of regions, no record, no plot.

The folder of the run is restricted as a whole: class maps show plots, records.csv says where crews went. Of
all that, public/ holds the tables by region, squares that pass the disclosure rule, and the page with those
squares in the place of the class map, and without the folders of this machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cocal.estimate import public_density
from cocal.estimate.settings import DensitySettings
from cocal.notes import with_text
from cocal.report import report
from cocal.run.results.content import PageInputs, page_content
from cocal.run.results.facts import RunFacts
from cocal.run.results.files import table_files, write_for_others
from cocal.run.results.pictures import public_overview, read_squares
from cocal.run.results.redaction import without_folders
from cocal.run.results.stage import page_inputs
from cocal.run.state import Run
from cocal.run.tables import write_own_csv
from cocal.store import sha256_file, source_digest

FOLDER = "public"


def publish_stage(run: Run) -> None:
    """Write public/, if the configuration says `publish: true`."""
    root, density = run.store.root, run.config.density
    home = None if run.config_path is None else run.config_path.resolve().parent
    folders = [root, run.config.archive, Path.home(), *([] if home is None else [home])]
    given = page_inputs(run)
    inputs = {
        "page": sha256_file(root / "report" / "index.html"),
        "tables": {name: sha256_file(path) for name, path in table_files(root).items()},
        "density": density and [density.model_dump(mode="json"), sha256_file(root / "density.csv")],
        "code": source_digest("estimate", "report", "run/results"),
    }
    run.one_unit(
        "publish", inputs, lambda folder: write_public(folder / FOLDER, given, density, home, folders)
    )


def write_public(
    out: Path, given: PageInputs, density: DensitySettings | None, home: Path | None, folders: Sequence[Path]
) -> None:
    """All of public/ in `out`; its page names no file by the `folders`, nor by paths from `home`."""
    out.mkdir()
    run, shown = given.run, None
    for path in table_files(run.root).values():
        shutil.copyfile(path, out / path.name)
    if density is not None:
        public = public_density(read_squares(run.root / "density.csv"), density.min_plots)
        write_own_csv(out / "density.csv", public.assign(simulated=run.simulated))
        shown = with_text(public)
    write_for_others(out, run, shown)
    page = replace(page_content(given), map_overview=public_overview(run, shown), profile="public")
    report(out, without_folders(page, home, folders))
    (out / "README.txt").write_text(_read_me(run, density), encoding="utf-8")


def _read_me(run: RunFacts, rule: DensitySettings | None) -> str:
    squares = "" if rule is None else (
        f"density.csv, and the layer density of hectares.gpkg: squares of {rule.cell_m} m. A square with coca and "
        f"fewer than {rule.min_plots} plots of {rule.plot_ha:g} ha is withheld, and "
        "where only one square of a region is, a second one.\n"
    )  # fmt: skip
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts = json.dumps({"run": run.name, "scheme": run.scheme.id}, ensure_ascii=False)
    return (
        f"{mark}Public outputs of the run {facts}\n\n"
        "Hectares by region, country, group and zone as CSV, Excel and GeoPackage; the page with a map of squares.\n"
        f"{squares}"
        "Not here: class maps (they show plots), field records and their strata, the grid with its counts of plots.\n"
    )
