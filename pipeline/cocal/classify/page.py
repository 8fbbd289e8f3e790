"""The card of a model as a page: one HTML file without links to others, all text of the card escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cocal.assets import asset
from cocal.classify.card import ModelCard
from cocal.classify.validation.validate import score_tables


@dataclass(frozen=True)
class Section:
    """A table of the page; the first cell of a row is its name."""

    title: str
    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()
    note: str = ""


def card_page(card: ModelCard) -> str:
    """The page as HTML text; equal cards give equal text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(asset("classify/assets")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("card.html.j2").render(card=card, sections=card_sections(card)) + "\n"


def card_sections(card: ModelCard) -> list[Section]:
    """The card as tables: the model, its samples, its scores, the inputs that it needs."""
    training, validation = card.training, card.validation
    origin = training.provenance.model_dump(mode="json")
    names = list(dict.fromkeys([*training.pixels, *training.dropped_for_missing_features]))
    counts = (training.pixels, training.samples, training.dropped_for_missing_features)
    return [
        Section("Qué es / What it is", _facts(_what(card))),
        Section(
            "Muestras / Samples",
            [[name, *(str(count.get(name, 0)) for count in counts)] for name in names],
            ("clase / class", "píxeles / pixels", "muestras / samples", "sin datos / dropped"),
        ),
        Section("Origen / Origin", _facts(origin)),
        *_distilled(validation.get("distilled_from")),
        *_scores(validation),
        Section("Validación / Validation", _facts(validation.get("design", {}))),
        Section("Variables / Features", [[str(i), name] for i, name in enumerate(card.features, start=1)]),
        Section("Ajustes / Settings", _facts(card.feature_settings)),
        Section("Parámetros / Parameters", _facts(card.parameters)),
        Section("Identidad / Identity", _facts(_identity(card))),
    ]


def _what(card: ModelCard) -> dict[str, Any]:
    scheme = card.class_scheme
    return {
        "id": card.id,
        "estimator": card.estimator,
        "class scheme": scheme.id,
        "target": scheme.target,
        "classes": ", ".join(card.classes),
        "classes not in training": ", ".join(card.classes_not_in_training),
        "missing features": card.missing,
        "seed": card.seed,
    }


def _identity(card: ModelCard) -> dict[str, Any]:
    return {
        "sha256 of the model": card.sha256,
        f"sha256 of {card.artefact}": card.artefact_sha256,
        "class scheme": card.class_scheme_sha256,
        "cocal": card.cocal_version,
        **card.libraries,
    }


def _distilled(record: Mapping[str, Any] | None) -> list[Section]:
    """The teacher and the students that were tried, the last of which is the model if it was kept."""
    if record is None:
        return []
    students = [(f"student {i}", student) for i, student in enumerate(record["students"], start=1)]
    columns = ("estimator", "parameters", "overall_accuracy", "target_f1")
    return [
        Section(
            "Destilado / Distilled: "
            + ("the last student is the model" if record["kept"] else "no student was kept"),
            [[name, *(_cell(row.get(c)) for c in columns)] for name, row in [("teacher", record), *students]],
            ("model", *columns),
            record["note"],
        )
    ]


def _scores(validation: Mapping[str, Any]) -> list[Section]:
    note = str(validation.get("prevalence_note", ""))
    sections = []
    for table in score_tables(dict(validation)):
        summary = table.summary
        rows = [[_cell(value) for value in row] for row in summary.itertuples(index=False)]
        title = f"Aciertos / Scores: {table.validation['design']['kind']}"
        sections.append(Section(title, rows, [str(c) for c in summary.columns], note))
    return sections


def _facts(values: Mapping[str, Any], path: str = "") -> list[list[str]]:
    """One row per value, nested ones by their path."""
    rows: list[list[str]] = []
    for key, value in values.items():
        name = f"{path}{key}"
        rows += _facts(value, f"{name}.") if isinstance(value, Mapping) else [[name, _cell(value)]]
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value))
    if isinstance(value, Mapping):
        return " ".join(f"{key}: {_cell(one)}" for key, one in value.items())
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
