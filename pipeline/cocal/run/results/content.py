"""The content of the page, from the committed tables and maps of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from cocal import accuracy
from cocal.checksums import sha256_file
from cocal.content import File, Stated, stated
from cocal.contracts import UNOBSERVED
from cocal.crosswalk import Definition
from cocal.fieldwork import MATCHED, RecordSettings
from cocal.notes import Note
from cocal.report.content import Accuracy, RecordsSummary, ReportContent, Reproduce
from cocal.report.page import report
from cocal.run.measure.definitions import stated_definitions
from cocal.run.measure.domains import TOTAL
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.results.evidence import calibration, confusion_shares, sample_points, weighted_points
from cocal.run.results.facts import RunFacts, run_facts
from cocal.run.results.pictures import read_squares, restricted_overview
from cocal.run.state import BESIDE, Run
from cocal.run.tables import (
    estimate_warnings,
    read_given_csv,
    read_own_csv,
    read_own_parquet,
    read_truth,
    with_notes,
)
from cocal.scheme import ClassScheme
from cocal.store import library_versions, proven
from cocal.user_tables import local_times

_CARD_KEYS = (
    "id", "estimator", "features", "classes", "training", "missing", "seed", "simulated", "sha256",
    "validation", "cocal_version", "libraries",
)  # fmt: skip
_OF_MAPS = ("map_errors", "hectares", "countries")
_FIGURES = ("mapped_ha", "estimated_ha", "ci_low_ha", "ci_high_ha")
_OPTIONAL = (
    "caveats",
    "groups",
    "change",
    "legal",
    "eradication",
    "applicability",
    "minimum_unit",
    "states",
    "operation_sums",
    "definitions",
)
_DESIGNS = {
    "probability": {"es": "muestra probabilística estratificada", "en": "stratified probability sample"},
    "purposive": {"es": "puntos elegidos a propósito (sin área)", "en": "purposive points (no area)"},
}
_REFERENCE = {"es": "registros de campo del período", "en": "field records of the period"}


@dataclass(frozen=True)
class PageTask:
    """All that the page is made from: a run, and given files with how they are read."""

    run: RunFacts
    records: Stated[RecordSettings] | None
    official: File | None
    truth: File | None
    failures: tuple[tuple[str, str], ...]
    left_out: tuple[Note, ...]
    reproduce: Reproduce
    definitions: tuple[Definition, ...] = ()


def page_task(run: Run) -> PageTask:
    """The page of a run that has measured and compared."""
    records, settings = run.config.records, run.config.comparison
    official, truth = (None, None) if settings is None else (settings.official, settings.truth)
    defined = stated_definitions(run.config.definitions, run.base.scheme)
    return PageTask(
        run_facts(run),
        None if records is None else stated(records, "records"),
        None if official is None else File.of(official, "comparison.official"),
        File.of(truth, "comparison.truth") if truth and run.simulated else None,
        tuple(run.summary.failures),
        tuple(run.summary.left_out),
        how_to_reproduce(run),
        () if defined is None else tuple(defined.crosswalk[name] for name in defined.use),
    )


def report_stage(run: Run) -> Stage:
    """report/index.html: the page, in Spanish and English."""
    recipe = Recipe(":report", page_task(run), write_page, where="client")
    yield Batch("report", (recipe,), on_failure="stop")


def write_page(folder: Path, _: list[Any], task: PageTask) -> None:
    """Write report/index.html into `folder`."""
    report(folder / "report", page_content(task))


def how_to_reproduce(run: Run) -> Reproduce:
    """The command, the configuration, and what identifies its inputs."""
    config = run.config
    given = {
        "samples": None if config.train is None else config.train.samples.path,
        "records": None if config.records is None else config.records.path,
        "strata": None if config.records is None else config.records.strata,
        "official figures": None if config.comparison is None else config.comparison.official,
    }
    if config.classify.map is not None:
        given |= {f"own map ({path.name})": path for path in config.classify.map.paths}
    files = {role: path for role, path in given.items() if path is not None}
    hashes = {
        "regions": run.base.regions.sha256,
        "class scheme": run.base.scheme.sha256,
        **({"scenes": run.scenes_address} if run.scenes else {}),
        **{role: sha256_file(path) for role, path in files.items()},
    }
    inputs = [(source.path.name, "regions") for source in config.regions.sources]
    inputs += [(path.name, role) for role, path in files.items()]
    path = run.config_path
    return Reproduce(
        command=f"cocal run {path.name if path else 'CONFIG'}",
        config_text=path.read_text(encoding="utf-8") if path else config.model_dump_json(indent=2),
        hashes=hashes,
        versions={"cocal": metadata.version("cocal")} | library_versions(),
        inputs=tuple(inputs),
    )


def page_content(task: PageTask) -> ReportContent:
    """Everything on the page; no coordinate of a field record is among it."""
    run, root, last = task.run, task.run.root.value, task.run.periods[-1].name
    estimates = json.loads(proven(root / "estimates.json").read_text(encoding="utf-8")).get(last, {})
    records, path = task.records.settings if task.records else None, run.path("records.csv")
    matched = read_own_csv(path) if records and path else None
    own = points = weighted = None
    if matched is not None and records is not None:
        own = matched[matched["period"] == last]
        if not own.empty:
            points = sample_points(own, records, run)
            weighted = weighted_points(own, records, run)
    optional: dict[str, Any] = {
        name: with_notes(read_own_csv(path), name, root)
        for name, path in run.tables.items()
        if name in _OPTIONAL
    }
    density = run.path("density.csv")
    squares = None if density is None else read_squares(density)
    return ReportContent(
        run_name=run.name,
        periods=run.periods,
        scheme=run.scheme,
        areas=with_notes(read_own_parquet(root / "hectares.parquet"), "hectares", root),
        region_areas=read_own_csv(root / "regions.csv"),
        countries=read_own_csv(root / "countries.csv"),
        comparison=with_notes(read_own_parquet(root / "comparison.parquet"), "comparison", root),
        truth=None if task.truth is None else read_truth(task.truth.path),
        model_card=_card(run),
        map_overview=restricted_overview(run, squares, points),
        records_summary=None if matched is None else _summary(matched, records),
        accuracy=None if own is None else _accuracy(own, estimates, weighted, run.scheme),
        failures=task.failures,
        reproduce=task.reproduce,
        simulated=run.simulated,
        map_errors=_maps_side_by_side(run),
        left_out=task.left_out,
        warnings=estimate_warnings(root),
        definition_words=tuple((d.id, dict(d.name), dict(d.text)) for d in task.definitions),
        tilt=_tilt(estimates.get("missing")),
        observers=estimates.get("observers") or None,
        official=official_series(task.official.path if task.official else None),
        calibration=_calibration(weighted, points, run.scheme.target),
        **optional,
    )


def _maps_side_by_side(run: RunFacts) -> pd.DataFrame | None:
    """The errors of each map beside its figures: map, place, period, mapped_ha, estimate, `map_errors`.

    None without an estimate.
    """
    parts = []
    for name, below in zip(run.map_names, ("", f"{BESIDE}/"), strict=False):
        errors, regions, countries = (run.path(f"{below}{table}.csv") for table in _OF_MAPS)
        if errors is None or regions is None or countries is None:
            continue
        figures = pd.concat([
            read_own_csv(regions).assign(level="region").rename(columns={"region_id": "id"}),
            read_own_csv(countries).assign(level="country").rename(columns={"country": "id"}),
        ])  # fmt: skip
        figures.loc[figures["id"] == TOTAL, "level"] = TOTAL
        wanted = figures[["level", "id", "period", "class", *_FIGURES]]
        table = read_own_csv(errors).drop(columns=["confidence", "interval"])
        parts.append(table.merge(wanted, on=["level", "id", "period", "class"]).assign(map=name))
    return pd.concat(parts, ignore_index=True) if parts else None


def _card(run: RunFacts) -> Mapping[str, Any]:
    """What the page shows of the model's card, or of an office's own map."""
    if run.card is None:
        return {"census": dict(run.own_map)}
    card = json.loads(run.card.path.read_text(encoding="utf-8"))
    return {key: card[key] for key in _CARD_KEYS}


def _tilt(missing: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    """Odds ratio and ends of the total; None where no point is missing."""
    if missing is None or missing["missing_low_ha"] == missing["missing_high_ha"]:
        return None
    return missing["odds"], missing["tilt_low_ha"], missing["tilt_high_ha"]


def _calibration(
    weighted: pd.DataFrame | None, points: pd.DataFrame | None, target: str
) -> pd.DataFrame | None:
    if weighted is None or points is None or weighted.empty or points["probability"].isna().all():
        return None
    return calibration(weighted, points.set_index("record_id")["probability"], target)


def official_series(path: Path | None) -> pd.DataFrame | None:
    """region_id, when (years: 2024.0 is the first moment of 2024), official_ha; None without years."""
    if path is None:
        return None
    table = read_given_csv(path, "comparison.official")
    if "year" not in table.columns:
        return None
    end = pd.to_datetime(table["year"] + "-12-31", errors="coerce")
    day = end
    if "reference_date" in table.columns:
        day = local_times(table["reference_date"]).fillna(end)
    when = day.dt.year + day.dt.day_of_year / 366
    found = table.assign(when=when, official_ha=table["coca_ha"].astype(float))
    return found.dropna(subset=["when"])[["region_id", "when", "official_ha"]]


def _summary(matched: pd.DataFrame, records: RecordSettings | None) -> RecordsSummary:
    """Counts of records by status and stratum, and the stated design."""
    assert records is not None
    status, stratum = (
        {str(k): int(v) for k, v in column.value_counts().sort_index().items()}
        for column in (matched["status"], matched["stratum"].fillna("").astype(str))
    )
    return RecordsSummary(status, stratum, _DESIGNS[records.design])


def _accuracy(
    own: pd.DataFrame, estimate: Mapping[str, Any], weighted: pd.DataFrame | None, scheme: ClassScheme
) -> Accuracy | None:
    """Map against the matched records of the headline period; proportions where points have weights."""
    rows, keys = own[own["status"] == MATCHED], list(scheme.keys)
    if rows.empty:
        return None
    scores = {
        key: [figures[f"{name}_accuracy{end}"] for name in ("users", "producers") for end in ("", "_se")]
        for key, figures in estimate.get("classes", {}).items()
    }
    by_class = pd.DataFrame.from_dict(
        scores, orient="index", columns=["users", "users_se", "producers", "producers_se"], dtype=float
    )
    known = bool(estimate) and UNOBSERVED not in scores
    return Accuracy(
        counts=pd.DataFrame(
            accuracy.confusion(rows["reference_class"], rows["map_class"], keys), index=keys, columns=keys
        ),
        proportions=None if weighted is None else confusion_shares(weighted, tuple(keys)),
        by_class=by_class.reindex([*keys, *(k for k in scores if k not in (*keys, UNOBSERVED))]),
        overall=estimate["overall_accuracy"] if known else None,
        overall_se=estimate["overall_accuracy_se"] if known else None,
        reference=_REFERENCE,
    )
