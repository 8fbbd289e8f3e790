"""A small forest that learns what a large model says, and takes its place where it is as good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.estimators import one_thread
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.validate import Fitted

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

STUDENTS = ((10, 9), (25, 9), (25, 12), (50, 12), (50, 18), (100, 18))
"""Trees and depth of the students, from cheap to dear: the first that is good enough is taken."""
AS_GOOD = 0.005
"""Accuracy under the blocks that a student may lose."""
_SPECK = 0.02
"""Shares of a class below this are not worth a row."""


def student(
    teacher: Any, values: NDArray[np.float32], *, trees: int, depth: int, seed: int
) -> RandomForestClassifier:
    """A forest fitted to the probabilities that `teacher` gives for `values`: each row once per likely class."""
    from sklearn.ensemble import RandomForestClassifier

    with one_thread():
        shares = teacher.predict_proba(values)
    rows, columns = np.nonzero(shares > _SPECK)
    forest = RandomForestClassifier(
        trees, max_depth=depth, min_samples_leaf=2, max_features=0.3, random_state=seed, n_jobs=-1
    )
    with one_thread():
        forest.fit(values[rows], teacher.classes_[columns], sample_weight=shares[rows, columns])
    return forest.set_params(n_jobs=1)


def distil(fitted: Fitted, settings: TrainSettings) -> tuple[dict[str, int] | None, dict[str, Any]]:
    """(trees and depth of the smallest student that is as good; None if none is, what was tried).

    Each fold's student learns from that fold's model, on the rows that trained it, and is tested on the
    rows that tested it.
    """
    problem, folds = fitted.problem, fitted.design.folds
    rows = np.concatenate([fold.test for fold in folds])
    truth = problem.codes[rows]

    def share_right(models: list[Any]) -> float:
        said = [
            m.classes_[m.predict_proba(problem.values[fold.test]).argmax(axis=1)]
            for m, fold in zip(models, folds, strict=True)
        ]
        return float((np.concatenate(said) == truth).mean())

    with one_thread():
        wanted, tried, chosen = share_right(fitted.estimators), [], None
        for trees, depth in STUDENTS:
            made = [
                student(model, problem.values[fold.train], trees=trees, depth=depth, seed=settings.seed)
                for model, fold in zip(fitted.estimators, folds, strict=True)
            ]
            found = share_right(made)
            tried.append({"trees": trees, "depth": depth, "overall_accuracy": round(found, 6)})
            if found >= wanted - AS_GOOD:
                chosen = {"trees": trees, "depth": depth}
                break
    record = {
        "estimator": settings.estimator, "parameters": settings.parameters,
        "overall_accuracy": round(wanted, 6), "students": tried, "kept": chosen is not None,
        "note": "accuracies under the spatial blocks; a student is kept if it loses at most 0.005",
    }  # fmt: skip
    return chosen, record
