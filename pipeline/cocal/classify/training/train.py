"""Samples with features -> a validated model with its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from cocal.classify.applicability import applicability_of
from cocal.classify.artefact import digest, pack
from cocal.classify.card import ModelCard, Provenance, TrainingData, as_json
from cocal.classify.contract import contract_of, self_test_of, stated_area
from cocal.classify.estimators import fit
from cocal.classify.model import ARTEFACT, Model
from cocal.classify.settings import AUTO, TrainSettings
from cocal.classify.training.distil import distil, student
from cocal.classify.training.sizes import size_curve
from cocal.classify.training.tune import choose
from cocal.classify.validation.validate import Fitted, block_design, problem_of, validate
from cocal.contracts import CLASSMAP, FEATURES
from cocal.errors import InputError
from cocal.scheme import ClassScheme
from cocal.store import library_versions

SELF_TEST_ROWS = 8
"""Rows of the samples, evenly spaced, whose probabilities are stored in the card."""

_REQUIRED = ("label", "sample_id", "epsg", "x", "y")


@dataclass(frozen=True, eq=False)
class Trained:
    """A model trained on all samples, and the models of the spatial folds that validated it."""

    model: Model
    fitted: Fitted


def train(
    samples: pd.DataFrame,
    settings: TrainSettings,
    *,
    scheme: ClassScheme,
    feature_names: Sequence[str],
    feature_settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Model:
    """A model trained on all samples, validated under spatial blocks beside the null models.

    The result does not depend on the order of the rows, nor on the number of threads.

    Parameters
    ----------
    samples : DataFrame
        One row per sample pixel or series: a float32 column per feature (NaN = missing), label (class key),
        sample_id, epsg, x, y (m).
    settings : TrainSettings
        Estimator, parameters, seed, validation.
    scheme : ClassScheme
        Gives the code of each class.
    feature_names : sequence of str
        The columns that the model takes, in order.
    feature_settings : mapping
        The settings that the features were made with; a run with other settings is refused.
    provenance : mapping
        source, licence, period, sample_sha256, simulated; further keys are kept in the model card.

    Returns
    -------
    Model; `card.validation` holds the scores of the model and of every null model.

    Raises
    ------
    InputError
        A column is missing or not finite, a label is not in the scheme, there is no target sample, or no
        other; a fold cannot be made; a parameter is refused.

    Examples
    --------
    See docs/api.md, "Model, map, hectares".
    """
    return train_and_validate(
        samples, settings, scheme=scheme, feature_names=feature_names, feature_settings=feature_settings,
        provenance=provenance,
    ).model  # fmt: skip


def train_and_validate(
    samples: pd.DataFrame,
    settings: TrainSettings,
    *,
    scheme: ClassScheme,
    feature_names: Sequence[str],
    feature_settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Trained:
    """As `train`, with the models of the folds, which the checks of the labels need."""
    _check(samples, feature_names, scheme)
    table, dropped = _usable(samples, settings, feature_names, scheme.target)
    problem = problem_of(table, scheme.target, feature_names)
    design = block_design(problem, settings)
    settings, selection = choose(settings, problem, design)
    fitted = validate(problem, design, settings)
    validation = fitted.scores | {"selection": selection, "sizes": size_curve(fitted, settings.seed)}
    codes = np.array([scheme.codes[label] for label in table["label"]], dtype=np.uint8)
    classifier = fit(settings, problem.values, codes)
    if settings.distil:
        classifier, settings, validation["distilled_from"] = _distilled(classifier, fitted, settings)
    classes = {key: code for key, code in scheme.codes.items() if key in problem.keys}
    area = applicability_of(classifier, problem.values, design.folds)
    stated = None if area is None else stated_area(area)
    contract = contract_of(feature_names, feature_settings, scheme.sha256, classes, stated)
    artefact = pack(classifier, contract, None if area is None else area.array)
    origin = Provenance.model_validate(as_json(provenance))
    rows = np.unique(np.linspace(0, len(table) - 1, SELF_TEST_ROWS).astype(int))
    card = ModelCard(
        id=settings.id,
        simulated=origin.simulated,
        contracts={"features": FEATURES, "classmap": CLASSMAP},
        features=tuple(feature_names),
        feature_settings=contract["feature_settings"],
        class_scheme=scheme,
        class_scheme_sha256=scheme.sha256,
        classes=classes,
        classes_not_in_training=tuple(key for key in scheme.keys if key not in classes),
        estimator=settings.chosen,
        parameters=dict(as_json(classifier.get_params())),
        seed=settings.seed,
        missing=settings.missing,
        training=TrainingData(
            provenance=origin,
            pixels=_counts(table["label"]),
            samples=_counts(table.drop_duplicates(["label", "sample_id"])["label"]),
            dropped_for_missing_features=_counts(dropped["label"]),
        ),
        validation=validation,
        applicability=stated,
        self_test=self_test_of(classifier, problem.values[rows]),
        cocal_version=metadata.version("cocal"),
        libraries=library_versions(),
        mlm=_mlm(settings, feature_names, classes),
        artefact=ARTEFACT,
        artefact_sha256=hashlib.sha256(artefact).hexdigest(),
        sha256=digest(artefact),
    )
    return Trained(Model(card, artefact), fitted)


def _distilled(
    teacher: Any, fitted: Fitted, settings: TrainSettings
) -> tuple[Any, TrainSettings, dict[str, Any]]:
    """(the student that replaces `teacher`, else `teacher`; its settings; the record of the students)."""
    kind, record = distil(fitted, settings)
    if kind is None:
        return teacher, settings, record
    record["sha256"] = digest(pack(teacher, {}))
    small = student(kind, teacher, fitted.problem.values, settings)
    return small, settings.model_copy(update={"estimator": kind[0], "parameters": kind[1]}), record


def _check(samples: pd.DataFrame, feature_names: Sequence[str], scheme: ClassScheme) -> None:
    columns = [*_REQUIRED, *feature_names]
    problems = [f"no column {name!r}" for name in columns if name not in samples]
    if not feature_names:
        problems.append("no feature")
    if not problems:
        strange = sorted({str(label) for label in samples["label"]} - set(scheme.keys))
        problems += [f"label {label!r} is not in the scheme {scheme.id}" for label in strange]
        infinite = [n for n in feature_names if np.isinf(samples[n].to_numpy(np.float32)).any()]
        problems += [f"feature {name!r} has infinite values" for name in infinite]
    if problems:
        raise InputError(
            "this table of samples cannot train a model", f"columns {', '.join(_REQUIRED)} and the features",
            "; ".join(problems), "fix the samples, or the list of features",
        )  # fmt: skip


def _usable(
    samples: pd.DataFrame, settings: TrainSettings, feature_names: Sequence[str], target: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows that train, rows dropped), in an order that depends on their content alone.

    A feature without any value is refused for boosting: scikit-learn's message would not name it.
    """
    table = samples.sort_values(["epsg", "y", "x", "sample_id"], kind="stable", ignore_index=True)
    missing = table[list(feature_names)].isna().any(axis=1)
    keep = ~missing if settings.missing == "drop" else pd.Series(data=True, index=table.index)
    used, dropped = table[keep].reset_index(drop=True), table[~keep]
    counts = _counts(used["label"])
    if target not in counts or len(counts) < 2:
        raise InputError(
            "a model needs samples of two classes",
            f"samples of {target!r} and of at least one other class",
            f"{counts or 'no samples'}; dropped for missing features: {_counts(dropped['label'])}",
            "add samples; or fill the features, or state `missing: native`",
        )
    blank = [name for name in feature_names if used[name].isna().all()]
    if blank and settings.estimator in ("hist_gradient_boosting", AUTO):
        raise InputError(
            "hist_gradient_boosting cannot train on features without a value", "a value in some sample",
            f"none in {len(used)} samples for {', '.join(blank)}",
            "leave these features out, fill them, or use a forest",
        )  # fmt: skip
    return used, dropped


def _counts(labels: pd.Series) -> dict[str, int]:
    return {str(key): int(n) for key, n in labels.value_counts().sort_index().items()}


def _mlm(settings: TrainSettings, features: Sequence[str], classes: Mapping[str, int]) -> dict[str, Any]:
    """The model under the names of the STAC Machine Learning Model extension, version 1.4."""

    def array(length: int, dimension: str, dtype: str) -> dict[str, Any]:
        return {"shape": [-1, length], "dim_order": ["batch", dimension], "data_type": dtype}

    return {
        "mlm:name": settings.id,
        "mlm:architecture": settings.estimator,
        "mlm:tasks": ["classification"],
        "mlm:framework": "scikit-learn",
        "mlm:framework_version": library_versions()["scikit-learn"],
        "mlm:input": [
            {"name": FEATURES, "bands": list(features), "input": array(len(features), "feature", "float32")}
        ],
        "mlm:output": [
            {
                "name": CLASSMAP,
                "tasks": ["classification"],
                "result": array(len(classes), "class", "float64"),
                "classification:classes": [{"value": code, "name": key} for key, code in classes.items()],
            }
        ],
    }
