"""public/: what of a run may be given to anyone, under the disclosure rule (`cocal.estimate.disclosure`).

The folder of the run is restricted as a whole: class maps show plots, records.csv the places of field work,
and hectares of regions tell, less the published squares, what the others hold. So public/ holds one
geography: squares with enough plots and their sums; or regions with enough plots, their sums and estimates.
The page has these figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cocal.content import Place
from cocal.contracts import AREA_COLUMNS, COMPARISON_COLUMNS, UNOBSERVED
from cocal.errors import UsageError
from cocal.estimate import public_squares
from cocal.estimate.settings import DensitySettings, LegalSettings
from cocal.notes import note_rows, with_text
from cocal.regions import Regions
from cocal.report.content import Accuracy, ReportContent
from cocal.report.page import report
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.results.audit import audit
from cocal.run.results.content import PageTask, page_content, page_task
from cocal.run.results.facts import RunFacts
from cocal.run.results.files import regions_layer, write_for_others
from cocal.run.results.pictures import public_overview, read_squares
from cocal.run.results.public_tables import KEYS, Places, public_tables
from cocal.run.results.redaction import without_folders
from cocal.run.state import Run
from cocal.run.tables import read_own_csv, read_staged_csv, write_own_csv
from cocal.store import LocalStore, Manifest

FOLDER = "public"

_AREAS_STATED = {"merged_at_different_rates"}
"""Warnings that state hectares of strata, which are those of the map."""

_GUESSABLE = {"records", "strata"}
"""Inputs so short that a guess of their content could be checked by their checksum."""


@dataclass(frozen=True)
class PublicTask:
    """The page, the geography and the disclosure rule, the groups, the law and its zones.

    The texts name files from `home`, and none of the other `folders`.
    """

    page: PageTask
    geography: Literal["squares", "regions"]
    density: DensitySettings
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    legal: tuple[LegalSettings, Regions] | None
    home: Place[Path | None]
    folders: Place[tuple[Path, ...]]


def publish_stage(run: Run) -> Stage:
    """public/, if the configuration says `publish: squares` or `publish: regions`.

    Raises
    ------
    UsageError
        public/ holds another geography, or squares of another grid: two of one map give differences.
    """
    config, home = run.config, None if run.config_path is None else run.config_path.resolve().parent
    assert config.density is not None, "checked with the configuration"
    assert config.publish is not None
    _check_geography(run.store, config.publish, config.density.cell_m)
    legal = None
    if config.legal is not None and run.zones is not None:
        legal = (config.legal.model_copy(update={"zones": None}), run.zones)
    private = (run.store.root, config.archive, Path.home(), home)
    folders = tuple(path for path in private if path is not None)
    groups = tuple(config.groups.items())
    task = PublicTask(
        page_task(run), config.publish, config.density, groups, legal, Place(home), Place(folders)
    )
    recipe = Recipe(":publish", task, write_public, where="client")
    yield Batch("publish", (recipe,), on_failure="stop", after=partial(remove_others, run.store))


def remove_others(store: LocalStore) -> None:
    """Remove what is in public/ and not of the unit that was committed, such as tables of another rule."""
    manifest = Manifest.read(store.manifest_path(":publish"))
    kept = set(manifest.files) if manifest else set()
    for path in sorted((store.root / FOLDER).rglob("*")):
        if path.is_file() and path.relative_to(store.root).as_posix() not in kept:
            path.unlink()


def _check_geography(store: LocalStore, geography: str, cell_m: int) -> None:
    manifest, public = Manifest.read(store.manifest_path(":publish")), store.root / FOLDER
    before = {} if manifest is None else manifest.inputs.get("task", {})
    own, side = before.get("geography", "squares"), before.get("density", {}).get("cell_m", cell_m)
    unless = f"or, if nothing of {public} was ever given away, remove manifests/publish.json"
    if before and own != geography:
        raise UsageError(
            f"{public} holds {own}: squares and regions of one map give differences",
            f"publish: {own}", geography, f"keep {own} {unless}",
        )  # fmt: skip
    if geography == "squares" and side != cell_m:
        raise UsageError(
            f"{public} holds squares of another size: two grids of one map give differences",
            f"density.cell_m: {side}", f"{cell_m}", f"keep {side} {unless}",
        )  # fmt: skip


def write_public(folder: Path, _: list[Any], task: PublicTask) -> None:
    """Write public/ into `folder`, and check what was written against the disclosure rule."""
    out, run = folder / FOLDER, task.page.run
    out.mkdir()
    places, squares = _places(run, task)
    tables = public_tables(run, places)
    for name, table in tables.items():
        write_own_csv(out / f"{name}.csv", table)
    if squares is not None:
        write_own_csv(out / "density.csv", squares.assign(simulated=run.simulated))
    notes = [note_rows(tables[name], name, keys) for name, keys in KEYS.items() if name in tables]
    write_own_csv(out / "notes.csv", pd.concat(notes, ignore_index=True))
    audit(out, places)
    shown = None if squares is None else with_text(squares)
    own = {name: read_staged_csv(out / f"{name}.csv") for name in tables}
    hectares = own["hectares"].get("estimated_ha", own["hectares"]["shown_ha"])
    figures = own["hectares"].assign(hectares=hectares.fillna(own["hectares"]["shown_ha"]))
    write_for_others(out, run, own, regions_layer(run, figures), shown)
    page = _public_content(page_content(task.page), tables, run, shown)
    report(out, without_folders(page, task.home.value, task.folders.value))
    (out / "README.txt").write_text(_read_me(run, task), encoding="utf-8")


def _places(run: RunFacts, task: PublicTask) -> tuple[Places, pd.DataFrame | None]:
    """The places of the geography that is published, and its squares; None where it has none."""
    groups, min_plots = dict(task.groups), task.density.min_plots
    name = "density.csv" if task.geography == "squares" else "shown_regions.csv"
    path = run.path(name)
    assert path is not None, "the measure stage writes it where `density:` and `publish:` are configured"
    if task.geography == "regions":
        return Places.of_regions(run, groups, read_own_csv(path), min_plots), None
    squares = public_squares(read_squares(path), min_plots)
    return Places.of(run, squares, groups, task.legal, min_plots), squares


def _public_content(
    content: ReportContent, tables: dict[str, pd.DataFrame], run: RunFacts, squares: pd.DataFrame | None
) -> ReportContent:
    """The page of the figures of public/; what states more of the map, or exact estimates, is left out."""
    reproduce, records, target = content.reproduce, content.records_summary, run.scheme.target
    legal, groups, compared = (tables.get(name) for name in ("legal", "groups", "comparison"))
    estimated = squares is None
    return replace(
        content,
        areas=as_areas(tables["hectares"], target),
        countries=as_areas(tables["countries"], target),
        groups=None if groups is None else as_areas(groups, target),
        comparison=None if compared is None else compared.reindex(columns=list(COMPARISON_COLUMNS)),
        official=None if compared is None else content.official,
        model_card=_without_sums(content.model_card),
        legal=None if legal is None else legal.rename(columns={"shown_ha": "mapped_ha"}),
        map_overview=public_overview(run, squares),
        records_summary=None if records is None else replace(records, by_stratum={}),
        accuracy=None if content.accuracy is None else _of_points(content.accuracy, users=estimated),
        reproduce=replace(
            reproduce, hashes={k: v for k, v in reproduce.hashes.items() if k not in _GUESSABLE}
        ),
        warnings=tuple(
            (p, note) for p, note in content.warnings if estimated and note.code not in _AREAS_STATED
        ),
        truth=None,
        caveats=None,
        tilt=None,
        change=None,
        definitions=None,
        eradication=None,
        operation_sums=None,
        applicability=None,
        minimum_unit=None,
        calibration=None,
        profile="public",
        geography="regions" if estimated else "squares",
    )


def _without_sums(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The card without what it states of all polygons: those of regions that are not shown are among them."""
    if "census" not in card:
        return card
    return {"census": {key: card["census"][key] for key in ("id", "source", "licence")}}


def as_areas(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """areas/1 of a public table: `mapped_ha` is the sum of its published places, or not observed ground."""
    unseen = table.assign(mapped_ha=table["unobserved_ha"])
    unseen[["estimated_ha", "ci_low_ha", "ci_high_ha", "small_area_ha", "last_ha"]] = float("nan")
    both = [
        table.rename(columns={"shown_ha": "mapped_ha"}).assign(**{"class": target}),
        unseen.assign(**{"class": UNOBSERVED}),
    ]
    return pd.concat(both, ignore_index=True).reindex(columns=list(AREA_COLUMNS))


def _of_points(accuracy: Accuracy, *, users: bool) -> Accuracy:
    """Counts of points and, with `users`, user's accuracies: the others need areas of the map."""
    left_out = ["producers", "producers_se", *([] if users else ["users", "users_se"])]
    scores = accuracy.by_class.assign(**dict.fromkeys(left_out, float("nan")))
    return replace(accuracy, proportions=None, by_class=scores, overall=None, overall_se=None)


def _read_me(run: RunFacts, task: PublicTask) -> str:
    mark = (
        "SIMULATED: an invented landscape. No figure here speaks of a real place.\n" if run.simulated else ""
    )
    facts = json.dumps({"run": run.name, "scheme": run.scheme.id}, ensure_ascii=False)
    rule = task.density
    plots = f"{rule.min_plots} plots of {rule.plot_ha:g} ha or more"
    text = _READ_ME[task.geography].format(plots=plots, cell_m=rule.cell_m)
    return f"{mark}Public outputs of the run {facts}\n\n{text}"


_READ_ME = {
    "squares": (
        "density.csv: squares of {cell_m} m. A square is shown if it holds {plots}, in whole hectares. "
        "All others are alike: few plots, or none.\n"
        "shown_ha: the sum of the squares shown of a region, country, group or zone. It is not all that the "
        "map holds there, and the hectares of the rest are nowhere in this folder.\n"
        "hectares.csv, countries.csv, groups.csv, legal.csv: these figures by place; as Excel and GeoPackage "
        "in hectares.xlsx and hectares.gpkg. index.html: the page.\n"
        "Not here: totals of the map, estimates of the field sample, other classes, change, class maps, "
        "field records and their strata. They are in the folder of the run, for those who may see plots.\n"
    ),
    "regions": (
        "hectares.csv: regions. A region is shown if it holds {plots}, and 1 ha of the map or more. All "
        "others are alike: few plots, or none.\n"
        "shown_ha: hectares of the map in a region shown, or in the regions shown of a country or group.\n"
        "estimated_ha: the estimate of the field sample for the same regions, in whole hectares; its "
        "interval is rounded outwards. Nothing of a region that is not shown is in any figure.\n"
        "comparison.csv: official figures beside the estimates. countries.csv, groups.csv: figures by place; "
        "as Excel and GeoPackage in hectares.xlsx and hectares.gpkg. index.html: the page.\n"
        "Not here: squares, zones of the law, other classes, change, class maps, field records and their "
        "strata. They are in the folder of the run, for those who may see plots.\n"
    ),
}
"""README.txt of each geography."""
