"""A small model that learns what a large one says, and takes its place where it is as good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.estimators import build, fit_perceptron, one_thread
from cocal.classify.settings import PERCEPTRON, EstimatorName, TrainSettings
from cocal.classify.training.tune import USUAL
from cocal.classify.validation.validate import Fitted

Student = tuple[EstimatorName, dict[str, Any]]
"""The kind of a small model, and its parameters."""

AS_GOOD = 0.005
"""Accuracy under the blocks that a student may lose, and F1 of the target: of a rare one accuracy tells little."""
_SPECK = 0.02
"""Shares of a class below this are not worth a row."""


def _perceptron(units: int) -> Student:
    return PERCEPTRON, dict(USUAL[PERCEPTRON]) | {"hidden_layer_sizes": [units]}


def _forest(trees: int, depth: int) -> Student:
    return "random_forest", {
        "n_estimators": trees, "max_depth": depth, "min_samples_leaf": 2, "max_features": 0.3
    }  # fmt: skip


STUDENTS = (
    _perceptron(8), _forest(10, 9), _perceptron(32), _forest(25, 9), _forest(25, 12), _forest(50, 12), _forest(50, 18),
    _forest(100, 18),
)  # fmt: skip
"""From cheap to dear: the first that is good enough is taken."""


def student(kind: Student, teacher: Any, values: NDArray[np.float32], settings: TrainSettings) -> Any:
    """A model of `kind` fitted to the probabilities that `teacher` gives for `values`: each row once per likely class."""
    name, parameters = kind
    pupil = build(settings.model_copy(update={"estimator": name, "parameters": parameters}))
    with one_thread():
        shares = teacher.predict_proba(values)
        rows, columns = np.nonzero(shares > _SPECK)
        lesson = values[rows], teacher.classes_[columns], shares[rows, columns]
        if name == PERCEPTRON:
            return fit_perceptron(pupil, *lesson)
        return pupil.set_params(n_jobs=-1).fit(*lesson).set_params(n_jobs=1)


def distil(fitted: Fitted, settings: TrainSettings) -> tuple[Student | None, dict[str, Any]]:
    """(the cheapest student that is as good, of all classes and of the target; None if none is, what was tried).

    Each fold's student learns from that fold's model, on the rows that trained it, and is tested on the
    rows that tested it. Perceptrons do not learn where features are missing.
    """
    values, folds = fitted.problem.values, fitted.design.folds
    with one_thread():
        wanted, tried, chosen = _worth(fitted, fitted.estimators), [], None
        for kind in STUDENTS:
            if settings.missing == "native" and kind[0] == PERCEPTRON:
                continue
            made = [
                student(kind, model, values[fold.train], settings)
                for model, fold in zip(fitted.estimators, folds, strict=True)
            ]
            found = _worth(fitted, made)
            tried.append({"estimator": kind[0], "parameters": kind[1], **found})
            if all(found[measure] >= wanted[measure] - AS_GOOD for measure in wanted):
                chosen = kind
                break
    record = {
        "estimator": settings.estimator, "parameters": settings.parameters, **wanted, "students": tried,
        "kept": chosen is not None,
        "note": "under the spatial blocks; a student is kept if it loses at most 0.005 of accuracy and of the target's F1; "
        "all other scores of this card are the teacher's",
    }  # fmt: skip
    return chosen, record


def _worth(fitted: Fitted, models: Sequence[Any]) -> dict[str, float]:
    """What the models of the folds say of the rows that tested them: accuracy, and F1 of the target."""
    problem = fitted.problem
    matrix = np.zeros((len(problem.keys), len(problem.keys)), dtype=np.int64)
    for model, fold in zip(models, fitted.design.folds, strict=True):
        said = model.classes_[model.predict_proba(problem.values[fold.test]).argmax(axis=1)]
        np.add.at(matrix, (said, problem.codes[fold.test]), 1)
    target_f1 = accuracy.f1(matrix)[problem.keys.index(problem.target)]
    return {
        "overall_accuracy": round(accuracy.overall_accuracy(matrix), 6), "target_f1": round(float(target_f1), 6)
    }  # fmt: skip
