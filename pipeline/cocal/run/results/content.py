"""What the page says, gathered from the committed tables and maps of a run."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

import pandas as pd

from cocal import accuracy
from cocal.contracts import UNOBSERVED
from cocal.notes import render
from cocal.report import (
    Accuracy,
    RecordsSummary,
    ReportContent,
    Reproduce,
)
from cocal.run.finished import FinishedRun
from cocal.run.results.evidence import calibration, confusion_shares, sample_points, weighted_points
from cocal.run.results.pictures import restricted_overview
from cocal.run.state import Run
from cocal.run.tables import read_given_csv, truth_table
from cocal.store import library_versions, sha256_file

_CARD = (
    "id", "estimator", "features", "classes", "training", "missing", "seed", "simulated", "sha256", "validation",
    "cocal_version", "libraries",
)  # fmt: skip


def report_content(run: Run) -> ReportContent:
    """Everything on the page; no coordinate of a field record is among it."""
    root, config = run.store.root, run.config
    made = FinishedRun(root)
    matched = made.optional_table("records") if config.records else None
    estimates = json.loads((root / "estimates.json").read_text(encoding="utf-8"))
    last = run.periods[-1]
    card = json.loads((run.require_model() / "card.json").read_text(encoding="utf-8"))
    own = None if matched is None else matched[matched["period"] == last.name]
    points = None if own is None or own.empty else sample_points(run, own, last)
    weighted = None if own is None or own.empty else weighted_points(run, own)
    return ReportContent(
        run_name=config.name,
        periods=tuple(run.periods),
        scheme=run.base.scheme,
        areas=made.areas,
        region_areas=made.table("regions"),
        countries=made.table("countries").fillna({"interval": "", "estimator": "", "notes": ""}),
        comparison=pd.read_parquet(root / "comparison.parquet"),
        truth=truth_table(run),
        model_card={key: card[key] for key in _CARD},
        map_overview=restricted_overview(run, points),
        records_summary=None if matched is None else records_summary(run, matched),
        accuracy=None if own is None else map_accuracy(run, own, estimates.get(last.name), weighted),
        failures=tuple(run.summary.failures),
        reproduce=reproduce(run),
        simulated=run.simulated,
        notes=_notes(run),
        caveats=made.optional_table("caveats"),
        observers=estimates.get(last.name, {}).get("observers") or None,
        groups=made.optional_table("groups"),
        change=made.optional_table("change"),
        legal=made.optional_table("legal"),
        eradication=made.optional_table("eradication"),
        applicability=made.optional_table("applicability"),
        minimum_unit=run.minimum_unit,
        official=official_series(run),
        calibration=_calibration(weighted, points, run.base.scheme.target),
    )


def _notes(run: Run) -> tuple[dict[str, str], ...]:
    """The notes on the regions in both languages."""
    return tuple({"es": render(note, "es"), "en": render(note, "en")} for note in run.base.regions.notes)


def _calibration(
    weighted: pd.DataFrame | None, points: pd.DataFrame | None, target: str
) -> pd.DataFrame | None:
    if weighted is None or points is None or weighted.empty:
        return None
    return calibration(weighted, points.set_index("record_id")["probability"], target)


def official_series(run: Run) -> pd.DataFrame | None:
    """region_id, when (years: 2024.0 is the first moment of 2024), official_ha of all that is given; None if nothing."""
    settings = run.config.comparison
    if settings is None or settings.official is None:
        return None
    table = read_given_csv(settings.official, "comparison.official")
    if "year" not in table.columns:
        return None
    day = pd.to_datetime(
        table["reference_date"] if "reference_date" in table.columns else table["year"] + "-12-31",
        errors="coerce", format="ISO8601",
    ).fillna(pd.to_datetime(table["year"] + "-12-31", errors="coerce"))  # fmt: skip
    when = day.dt.year + day.dt.day_of_year / 366
    found = table.assign(when=when, official_ha=table["coca_ha"].astype(float))
    return found.dropna(subset=["when"])[["region_id", "when", "official_ha"]]


def records_summary(run: Run, matched: pd.DataFrame) -> RecordsSummary:
    """Counts of records by status and stratum, and the stated design."""
    assert run.config.records is not None
    strata = matched["stratum"].fillna("").astype(str).value_counts().sort_index()
    design = {
        "probability": {"es": "muestra probabilística estratificada", "en": "stratified probability sample"},
        "purposive": {"es": "puntos elegidos a propósito (sin área)", "en": "purposive points (no area)"},
    }
    return RecordsSummary(
        {str(k): int(v) for k, v in matched["status"].value_counts().sort_index().items()},
        {str(k): int(v) for k, v in strata.items()},
        design[run.config.records.design],
    )


def map_accuracy(
    run: Run, own: pd.DataFrame, estimate: dict[str, Any] | None, weighted: pd.DataFrame | None
) -> Accuracy | None:
    """Map against the matched records of the headline period; proportions where points have weights."""
    rows = own[own["status"] == "matched"]
    if rows.empty:
        return None
    keys = list(run.base.scheme.keys)
    counts = accuracy.confusion(rows["reference_class"], rows["map_class"], keys)
    by_class = pd.DataFrame(
        index=keys, columns=["users", "users_se", "producers", "producers_se"], dtype=float
    )
    for key, figures in (estimate or {}).get("classes", {}).items():
        if key != UNOBSERVED:
            names = ("users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se")
            by_class.loc[key] = [figures[name] for name in names]
    unseen = UNOBSERVED in (estimate or {}).get("classes", {})
    overall = None if estimate is None or unseen else estimate["overall_accuracy"]
    return Accuracy(
        counts=pd.DataFrame(counts, index=keys, columns=keys),
        proportions=None if weighted is None else confusion_shares(weighted, tuple(keys)),
        by_class=by_class,
        overall=overall,
        overall_se=None if overall is None or estimate is None else estimate["overall_accuracy_se"],
        reference={"es": "registros de campo del período", "en": "field records of the period"},
    )


def reproduce(run: Run) -> Reproduce:
    """The command, the configuration, and what identifies its inputs."""
    config = run.config
    given = {
        "samples": None if config.train is None else config.train.samples.path,
        "records": None if config.records is None else config.records.path,
        "strata": None if config.records is None else config.records.strata,
        "official figures": None if config.comparison is None else config.comparison.official,
    }
    files = {role: path for role, path in given.items() if path is not None}
    hashes = {
        "regions": run.base.regions.sha256,
        "class scheme": run.base.scheme.sha256,
        "scenes": run.scenes_address,
        **{role: sha256_file(path) for role, path in files.items()},
    }
    inputs = [(source.path.name, "regions") for source in config.regions.sources]
    inputs += [(path.name, role) for role, path in files.items()]
    return Reproduce(
        command=f"cocal run {run.config_path.name}" if run.config_path else "cocal run CONFIG",
        config_text=run.config_path.read_text(encoding="utf-8")
        if run.config_path
        else config.model_dump_json(indent=2),
        hashes=hashes,
        versions={"cocal": metadata.version("cocal")} | library_versions(),
        inputs=tuple(inputs),
    )
