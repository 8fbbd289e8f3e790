"""A small model fitted to the probabilities of a large one, and kept instead if its scores are as good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.estimators import PERCEPTRON, USUAL, EstimatorName, build, fit_perceptron, one_thread
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.validate import Fitted

Student = tuple[EstimatorName, dict[str, Any]]
"""The kind of a small model, and its parameters."""

TOLERANCE = 0.005
"""Accepted loss of accuracy under the blocks, and of the target's F1, which accuracy hardly reflects."""

_LEAST_SHARE = 0.02
"""Probabilities of a class below this give no training row."""


def _perceptron(units: int) -> Student:
    return PERCEPTRON, dict(USUAL[PERCEPTRON]) | {"hidden_layer_sizes": [units]}


def _forest(trees: int, depth: int) -> Student:
    return "random_forest", {
        "n_estimators": trees, "max_depth": depth, "min_samples_leaf": 2, "max_features": 0.3
    }  # fmt: skip


STUDENTS = (
    _perceptron(8),
    _forest(10, 9),
    _perceptron(32),
    _forest(25, 9),
    _forest(25, 12),
    _forest(50, 12),
    _forest(50, 18),
    _forest(100, 18),
)
"""Ordered by cost: the first that is good enough is taken."""


def student(kind: Student, teacher: Any, values: NDArray[np.float32], settings: TrainSettings) -> Any:
    """A model of `kind` fitted to the probabilities that `teacher` gives for `values`.

    Each row trains once for each class that is at all probable, weighted with the probability of that class.
    """
    name, parameters = kind
    small = build(settings.model_copy(update={"estimator": name, "parameters": parameters}))
    with one_thread():
        shares = teacher.predict_proba(values)
        rows, columns = np.nonzero(shares > _LEAST_SHARE)
        weighted = values[rows], teacher.classes_[columns], shares[rows, columns]
        if name == PERCEPTRON:
            return fit_perceptron(small, *weighted)
        return small.set_params(n_jobs=-1).fit(*weighted).set_params(n_jobs=1)


def distil(fitted: Fitted, settings: TrainSettings) -> tuple[Student | None, dict[str, Any]]:
    """(the cheapest student within `TOLERANCE` of the teacher or None; the record of those tried).

    Each fold's student is fitted to that fold's model, on the rows that trained it, and tested on the rows
    that tested it. Perceptrons are skipped where features may be missing.
    """
    values, folds = fitted.problem.values, fitted.design.folds
    with one_thread():
        teacher, tried, chosen = _scores(fitted, fitted.estimators), [], None
        for kind in STUDENTS:
            if settings.missing == "native" and kind[0] == PERCEPTRON:
                continue
            students = [
                student(kind, model, values[fold.train], settings)
                for model, fold in zip(fitted.estimators, folds, strict=True)
            ]
            scores = _scores(fitted, students)
            tried.append({"estimator": kind[0], "parameters": kind[1], **scores})
            if all(scores[measure] >= teacher[measure] - TOLERANCE for measure in teacher):
                chosen = kind
                break
    return chosen, {
        "estimator": settings.estimator,
        "parameters": settings.parameters,
        **teacher,
        "students": tried,
        "kept": chosen is not None,
        "note": "under the spatial blocks; a student is kept if it loses at most 0.005 of accuracy and "
        "of the target's F1; all other scores of this card are the teacher's",
    }


def _scores(fitted: Fitted, models: Sequence[Any]) -> dict[str, float]:
    """Accuracy and F1 of the target that the models of the folds have on the rows that tested them."""
    problem, codes = fitted.problem, range(len(fitted.problem.keys))
    matrix = np.zeros((len(codes), len(codes)), dtype=np.int64)
    for model, fold in zip(models, fitted.design.folds, strict=True):
        predicted = model.classes_[model.predict_proba(problem.values[fold.test]).argmax(axis=1)]
        matrix += accuracy.confusion(problem.codes[fold.test], predicted, codes)
    target_f1 = accuracy.f1(matrix)[problem.keys.index(problem.target)]
    return {
        "overall_accuracy": round(accuracy.overall_accuracy(matrix), 6),
        "target_f1": round(float(target_f1), 6),
    }
