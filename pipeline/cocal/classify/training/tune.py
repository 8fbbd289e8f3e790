"""Choice of the estimator and its parameters under the folds of the validation, within a budget of fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.settings import AUTO, PERCEPTRON, EstimatorName, TrainSettings
from cocal.classify.validation.folds import Design
from cocal.classify.validation.nulls import Problem, model_predictor

USUAL: Mapping[EstimatorName, Mapping[str, Any]] = {
    "extra_trees": {"n_estimators": 300, "max_features": 0.2},
    "random_forest": {"n_estimators": 300},
    "hist_gradient_boosting": {
        "max_iter": 150,
        "learning_rate": 0.08,
        "max_leaf_nodes": 15,
        "max_features": 0.3,
    },
    PERCEPTRON: {"hidden_layer_sizes": [32], "alpha": 1.0, "learning_rate_init": 0.005, "max_iter": 400},
}
"""The first candidate of each kind."""

OF_TREES: Sequence[EstimatorName] = ("extra_trees", "random_forest", "hist_gradient_boosting")
"""The kinds that `estimator: auto` tries, in this order; of equal ones the first is taken."""

_FOREST = {"n_estimators": (200,), "max_features": ("sqrt", 0.1, 0.2, 0.4), "min_samples_leaf": (1, 2, 4)}
SPACE: Mapping[EstimatorName, Mapping[str, Sequence[Any]]] = {
    "extra_trees": _FOREST,
    "random_forest": _FOREST,
    "hist_gradient_boosting": {
        "max_iter": (60, 120, 240), "learning_rate": (0.04, 0.08, 0.15), "max_leaf_nodes": (7, 15, 31),
        "max_features": (0.1, 0.3, 1.0), "l2_regularization": (0.0, 1.0), "min_samples_leaf": (5, 20),
    },
    PERCEPTRON: {
        "hidden_layer_sizes": ([8], [16], [32], [64]), "alpha": (0.1, 0.3, 1.0, 3.0, 10.0),
        "learning_rate_init": (0.001, 0.005), "max_iter": (400,),
    },
}  # fmt: skip
KEEP = 3
"""One candidate in so many goes on to the next fold."""


@dataclass
class _Candidate:
    """Settings that are tried, and their confusion matrix over the `folds` folds so far."""

    settings: TrainSettings
    matrix: NDArray[np.int64]
    folds: int = 0

    @property
    def score(self) -> float:
        return accuracy.macro_f1(self.matrix)

    @property
    def record(self) -> dict[str, Any]:
        """For the model card."""
        return {
            "estimator": self.settings.estimator,
            "parameters": self.settings.parameters,
            "macro_f1": round(self.score, 6),
            "folds": self.folds,
        }


def choose(
    settings: TrainSettings, problem: Problem, design: Design
) -> tuple[TrainSettings, dict[str, Any] | None]:
    """(`settings` with the estimator and the parameters to use, the record of the choice; None if they were
    given).

    Without `tune`, `auto` tries the three kinds of trees on all folds. With `tune`, candidates drawn with the
    seed (the usual one of each kind among them) are tried on one fold, the best third on the next one too,
    and so on, while the budget of fits lasts (successive halving, Jamieson and Talwalkar 2016, AISTATS). The
    score is the macro F1 over the folds tried; a candidate tried on more folds ranks before one tried on
    fewer.
    """
    if settings.tune is None and settings.estimator != AUTO:
        return settings, None
    kinds = list(OF_TREES) if settings.estimator == AUTO else [settings.chosen]
    folds = len(design.folds)
    if settings.tune is None:
        candidates, kept = [_candidate(settings, problem, kind, USUAL[kind]) for kind in kinds], len(kinds)
        budget = kept * folds
    else:
        budget = settings.tune.budget
        candidates = _drawn(settings, problem, kinds, _starters(budget, folds))
        kept = len(candidates)
    fits, going = 0, candidates
    for number in range(folds):
        if fits + len(going) > budget:
            break
        fold = design.folds[number]
        for candidate in going:
            predicted = model_predictor(problem, candidate.settings)(fold.train, fold.test).labels
            candidate.matrix += accuracy.confusion(problem.labels[fold.test], predicted, problem.keys)
            candidate.folds += 1
        fits += len(going)
        if settings.tune is not None:
            kept = max(1, kept // KEEP)
            going = sorted(going, key=lambda c: -c.score)[:kept]
    best = max(candidates, key=lambda c: (c.folds, c.score))
    tried = sorted(candidates, key=lambda c: (-c.folds, -c.score))
    return best.settings, {
        "fits": fits,
        "tried": [c.record for c in tried],
        "note": "chosen under the same blocks that validate: "
        "the scores of the chosen one are a little too good",
    }


def _starters(budget: int, folds: int) -> int:
    """The most candidates whose halving over the folds fits into the budget."""

    def fits(n: int) -> int:
        total = 0
        for _ in range(folds):
            total, n = total + n, max(1, n // KEEP)
        return total

    return max([n for n in range(1, budget + 1) if fits(n) <= budget], default=min(KEEP, budget))


def _drawn(
    settings: TrainSettings, problem: Problem, kinds: Sequence[EstimatorName], n: int
) -> list[_Candidate]:
    """The usual candidate of each kind, then candidates with parameters drawn from `SPACE`: `n` in all."""
    random = np.random.default_rng(settings.seed)
    drawn = [_candidate(settings, problem, kind, USUAL[kind]) for kind in kinds][:n]
    while len(drawn) < n:
        kind = kinds[len(drawn) % len(kinds)]
        parameters = {name: v[int(random.integers(len(v)))] for name, v in SPACE[kind].items()}
        drawn.append(_candidate(settings, problem, kind, parameters))
    return drawn


def _candidate(
    settings: TrainSettings, problem: Problem, kind: EstimatorName, parameters: Mapping[str, Any]
) -> _Candidate:
    size = len(problem.keys)
    changed = {"estimator": kind, "parameters": dict(parameters)}
    return _Candidate(settings.model_copy(update=changed), np.zeros((size, size), dtype=np.int64))
