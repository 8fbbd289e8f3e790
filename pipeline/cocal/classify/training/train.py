"""Samples with features -> a validated model with its card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.applicability import Applicability, applicability_of
from cocal.classify.artefact import digest, pack
from cocal.classify.card import AreaOfApplicability, ModelCard, Provenance, TrainingData, as_json
from cocal.classify.estimators import Classifier, fit
from cocal.classify.model import ARTEFACT, Model, contract_of, self_test_of
from cocal.classify.settings import AUTO, TrainSettings
from cocal.classify.training.distil import distil, student
from cocal.classify.training.sizes import size_curve
from cocal.classify.training.tune import choose
from cocal.classify.validation.validate import Fitted, block_design, problem_of, validated
from cocal.contracts import CLASSMAP, FEATURES
from cocal.errors import InputError
from cocal.scheme import ClassScheme
from cocal.store import library_versions

SELF_TEST_ROWS = 8

_PLACE = ("label", "sample_id", "epsg", "x", "y")


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
        Gives the codes that the model answers with.
    feature_names : sequence of str
        The features the model sees, in order.
    feature_settings : mapping
        What made the features, whole; a run with other settings is refused.
    provenance : mapping
        source, licence, period, sample_sha256, simulated; further keys are kept in the model card.

    Returns
    -------
    Model, of which `card.validation` holds the scores of the model and of every null model.

    Raises
    ------
    InputError
        A column is missing or not finite, a label is not in the scheme, there is no target sample, or no
        other; a fold cannot be made; a parameter is refused.
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
    _refuse_blank(table, settings, feature_names)
    problem = problem_of(table, scheme.target, feature_names)
    design = block_design(table, settings, scheme.target)
    settings, selection = choose(settings, problem, design)
    validation, fitted = validated(table, settings, target=scheme.target, feature_names=feature_names)
    validation |= {"selection": selection, "sizes": size_curve(fitted, settings.seed)}
    codes = np.array([scheme.codes[label] for label in table["label"]], dtype=np.uint8)
    values, classifier = problem.values, fit(settings, problem.values, codes)
    if settings.distil:
        classifier, settings, told = _distilled(classifier, fitted, settings)
        validation |= {"distilled_from": told}
    present = set(table["label"])
    classes = {key: code for key, code in scheme.codes.items() if key in present}
    area = applicability_of(classifier, values, design.folds)
    stated = None if area is None else _stated(area)
    contract = contract_of(feature_names, feature_settings, scheme.sha256, classes, stated)
    artefact = pack(classifier, contract, None if area is None else area.array)
    origin = Provenance.model_validate(as_json(provenance))
    card = ModelCard(
        id=settings.id,
        simulated=origin.simulated,
        contracts={"features": FEATURES, "classmap": CLASSMAP},
        features=tuple(feature_names),
        feature_settings=contract["feature_settings"],
        class_scheme=scheme,
        class_scheme_sha256=scheme.sha256,
        classes=classes,
        classes_not_in_training=tuple(key for key in scheme.keys if key not in present),
        estimator=settings.chosen,
        parameters=_parameters(classifier),
        seed=settings.seed,
        missing=settings.missing,
        training=_training_data(table, dropped, origin),
        validation=validation,
        applicability=stated,
        self_test=self_test_of(classifier, _spread(values)),
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
    """(the student that takes the place of `teacher`, or `teacher`; the settings of that one; what was tried)."""
    kind, told = distil(fitted, settings)
    if kind is None:
        return teacher, settings, told
    told["sha256"] = digest(pack(teacher, {}))
    small = student(kind, teacher, fitted.problem.values, settings)
    return small, settings.model_copy(update={"estimator": kind[0], "parameters": kind[1]}), told


def _stated(area: Applicability) -> AreaOfApplicability:
    return AreaOfApplicability(mean_distance=area.scale, threshold=area.threshold, samples=len(area.samples))


def _check(samples: pd.DataFrame, feature_names: Sequence[str], scheme: ClassScheme) -> None:
    columns = [*_PLACE, *feature_names]
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
            "this table of samples cannot train a model", f"columns {', '.join(_PLACE)} and the features",
            "; ".join(problems), "mend the samples, or the features asked for",
        )  # fmt: skip


def _usable(
    samples: pd.DataFrame, settings: TrainSettings, feature_names: Sequence[str], target: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows that train, rows dropped), in an order that depends on their content alone."""
    table = samples.sort_values(["epsg", "y", "x", "sample_id"], kind="stable", ignore_index=True)
    missing = table[list(feature_names)].isna().any(axis=1)
    keep = ~missing if settings.missing == "drop" else pd.Series(data=True, index=table.index)
    used, dropped = table[keep].reset_index(drop=True), table[~keep]
    counts = _counts(used["label"])
    if target not in counts or len(counts) < 2:
        raise InputError(
            "there is nothing to tell apart",
            f"samples of {target!r} and of at least one other class",
            f"{counts or 'no samples'}; dropped for missing features: {_counts(dropped['label'])}",
            "add samples; or fill the features, or state `missing: native`",
        )
    return used, dropped


def _refuse_blank(table: pd.DataFrame, settings: TrainSettings, feature_names: Sequence[str]) -> None:
    """scikit-learn cannot bin a feature without any value; its own message would not name it."""
    blank = [name for name in feature_names if table[name].isna().all()]
    if blank and settings.estimator in ("hist_gradient_boosting", AUTO):
        raise InputError(
            "hist_gradient_boosting cannot train on features that no sample has", "a value in some sample",
            f"none in {len(table)} samples for {', '.join(blank)}",
            "leave these features out, fill them, or use a forest",
        )  # fmt: skip


def _training_data(table: pd.DataFrame, dropped: pd.DataFrame, origin: Provenance) -> TrainingData:
    return TrainingData(
        provenance=origin,
        pixels=_counts(table["label"]),
        samples=_counts(table.drop_duplicates(["label", "sample_id"])["label"]),
        dropped_for_missing_features=_counts(dropped["label"]),
    )


def _counts(labels: pd.Series) -> dict[str, int]:
    return {str(key): int(n) for key, n in labels.value_counts().sort_index().items()}


def _parameters(classifier: Classifier) -> dict[str, Any]:
    """Every parameter of the fitted estimator, those left at the library's default too."""
    named: Any = classifier
    return dict(as_json(named.get_params()))


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A few rows of `values`, from the first to the last."""
    return np.asarray(values[np.unique(np.linspace(0, len(values) - 1, SELF_TEST_ROWS).astype(int))])


def _mlm(settings: TrainSettings, features: Sequence[str], classes: Mapping[str, int]) -> dict[str, Any]:
    """The model under the names of the STAC Machine Learning Model extension, version 1.4."""
    return {
        "mlm:name": settings.id,
        "mlm:architecture": settings.estimator,
        "mlm:tasks": ["classification"],
        "mlm:framework": "scikit-learn",
        "mlm:framework_version": library_versions()["scikit-learn"],
        "mlm:input": [
            {
                "name": FEATURES,
                "bands": list(features),
                "input": {
                    "shape": [-1, len(features)],
                    "dim_order": ["batch", "feature"],
                    "data_type": "float32",
                },
            }
        ],
        "mlm:output": [
            {
                "name": CLASSMAP,
                "tasks": ["classification"],
                "result": {
                    "shape": [-1, len(classes)],
                    "dim_order": ["batch", "class"],
                    "data_type": "float64",
                },
                "classification:classes": [{"value": code, "name": key} for key, code in classes.items()],
            }
        ],
    }
