"""Choice of the estimator and its parameters under the folds of the validation, within a budget of fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.estimators import OF_TREES, SPACE, USUAL, EstimatorName
from cocal.classify.settings import AUTO, TrainSettings
from cocal.classify.validation.folds import Design
from cocal.classify.validation.nulls import Problem, model_predictor

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
    """(`settings` with the chosen estimator and parameters, the record of the choice or None if given).

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
        candidates, kept = (
            [_candidate(settings, problem, kind, USUAL.get(kind, {})) for kind in kinds],
            len(kinds),
        )
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
    drawn = [_candidate(settings, problem, kind, USUAL.get(kind, {})) for kind in kinds][:n]
    while len(drawn) < n:
        kind = kinds[len(drawn) % len(kinds)]
        parameters = {name: v[int(random.integers(len(v)))] for name, v in SPACE.get(kind, {}).items()}
        drawn.append(_candidate(settings, problem, kind, parameters))
    return drawn


def _candidate(
    settings: TrainSettings, problem: Problem, kind: EstimatorName, parameters: Mapping[str, Any]
) -> _Candidate:
    size = len(problem.keys)
    changed = {"estimator": kind, "parameters": dict(parameters)}
    return _Candidate(settings.model_copy(update=changed), np.zeros((size, size), dtype=np.int64))
