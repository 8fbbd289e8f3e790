"""The null models: predictions without skill, or with less, whose scores stand beside the model's.

A new null model is one more row of `NULLS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.estimators import fit, one_thread
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.scoring import Prediction
from cocal.errors import InputError

Rows = NDArray[np.intp]
Predictor = Callable[[Rows, Rows], Prediction]
"""(row numbers that train, row numbers that are tested) -> the prediction for the tested rows."""

BEST = "best"
PREVIOUS = "previous_map_"
"""Columns of earlier maps, class key or None; `previous_map_1` is that of the last map."""

NO_MAPS = "no earlier map was given (`train.previous_maps`)"
PLAIN_TREES = 100


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples as arrays: `values` (row, feature), `labels` (row); classes `keys`, one the `target`."""

    table: pd.DataFrame
    values: NDArray[np.float32]
    labels: NDArray[Any]
    keys: tuple[str, ...]
    target: str
    names: tuple[str, ...]

    @property
    def codes(self) -> NDArray[np.uint8]:
        """(row) index of each label in `keys`."""
        return np.searchsorted(np.array(self.keys), self.labels.astype(str)).astype(np.uint8)


def best_threshold(values: NDArray[np.float32], is_target: NDArray[np.bool_]) -> tuple[float, bool, float]:
    """(threshold, above, F1) of the rule on one feature that has the highest F1 for the target.

    `above` True means target where value >= threshold, False where value <= threshold. NaN is never
    target; where all is NaN the threshold is NaN. Of equal rules the one that predicts the target least
    often, `above` first.
    """
    known = ~np.isnan(values)
    best = (float("nan"), True, 0.0)
    if not known.any():
        return best
    for above in (True, False):
        order = np.argsort(-values[known] if above else values[known], kind="stable")
        ranked, hits = values[known][order], is_target[known][order]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        f1 = 2 * np.cumsum(hits)[last] / (last + 1 + is_target.sum())
        at = int(f1.argmax())
        if f1[at] > best[2]:
            best = (float(ranked[last[at]]), above, float(f1[at]))
    return best


def commonest(labels: NDArray[Any]) -> Any:
    """The class of most rows; of equals the first by name."""
    names, counts = np.unique(labels.astype(str), return_counts=True)
    return names[np.argmax(counts)]


def model_predictor(problem: Problem, settings: TrainSettings) -> Predictor:
    """The estimator of `settings`, fitted in each fold."""
    names, target = np.array(problem.keys, dtype=object), problem.keys.index(problem.target)

    def predict(train: Rows, test: Rows) -> Prediction:
        estimator = fit(settings, problem.values[train], problem.codes[train])
        with one_thread():
            shares = estimator.predict_proba(problem.values[test])
        column = np.flatnonzero(estimator.classes_ == target)[0]
        labels = names[estimator.classes_[shares.argmax(axis=1)]]
        return Prediction(labels, shares[:, column], estimator=estimator)

    return predict


def plain_forest(problem: Problem, settings: TrainSettings) -> Predictor:
    """scikit-learn's random forest with its defaults: 100 trees."""
    plain = {"estimator": "random_forest", "parameters": {"n_estimators": PLAIN_TREES}}
    return model_predictor(problem, settings.model_copy(update=plain))


def majority(problem: Problem, _settings: TrainSettings) -> Predictor:
    """Always the commonest class of the rows that train."""

    def predict(train: Rows, test: Rows) -> Prediction:
        share = float((problem.labels[train] == problem.target).mean())
        return Prediction(np.full(test.size, commonest(problem.labels[train])), np.full(test.size, share))

    return predict


def prevalence_draw(problem: Problem, settings: TrainSettings) -> Predictor:
    """Classes drawn at random with their shares among the rows that train."""
    random = np.random.default_rng(settings.seed)

    def predict(train: Rows, test: Rows) -> Prediction:
        share = np.array([(problem.labels[train] == key).mean() for key in problem.keys])
        drawn = random.choice(np.array(problem.keys, dtype=object), size=test.size, p=share / share.sum())
        return Prediction(drawn, None)

    return predict


def one_index(problem: Problem, settings: TrainSettings) -> Predictor:
    """The target beyond the threshold of best F1 on one feature, the commonest other class elsewhere.

    Raises
    ------
    InputError
        `train.null_index` is not a feature of the model.
    """
    wanted, names = settings.null_index, problem.names
    if wanted != BEST and wanted not in names:
        raise InputError(
            "the one-index null model names a feature that the model does not have",
            f"{BEST!r} or one of {', '.join(names)}", wanted, "fix `train.null_index`",
        )  # fmt: skip
    columns = range(len(names)) if wanted == BEST else [names.index(wanted)]

    def predict(train: Rows, test: Rows) -> Prediction:
        is_target = problem.labels[train] == problem.target
        rules = [(column, *best_threshold(problem.values[train, column], is_target)) for column in columns]
        column, threshold, above, f1 = max(rules, key=lambda rule: (rule[3], -rule[0]))
        rule = {
            "feature": names[column], "threshold": None if np.isnan(threshold) else round(threshold, 6),
            "above": above, "training_f1": round(f1, 6),
        }  # fmt: skip
        tested = problem.values[test, column]
        chosen = tested >= np.float32(threshold) if above else tested <= np.float32(threshold)
        other = commonest(problem.labels[train][~is_target])
        return Prediction(np.where(chosen, problem.target, other).astype(object), None, rule=rule)

    return predict


def _earlier_maps(problem: Problem) -> NDArray[Any]:
    """(row, map) class key on each earlier map, the last map first."""
    columns = [str(name) for name in problem.table if str(name).startswith(PREVIOUS)]
    columns.sort(key=lambda name: int(name.removeprefix(PREVIOUS)))
    return problem.table[columns].to_numpy(dtype=object)


def persistence(problem: Problem, _settings: TrainSettings) -> Predictor | str:
    """The class on the last map; the commonest class where it has none of the samples' classes."""
    maps = _earlier_maps(problem)

    def predict(train: Rows, test: Rows) -> Prediction:
        other = commonest(problem.labels[train])
        labels = np.array([v if v in problem.keys else other for v in maps[test, 0]], dtype=object)
        return Prediction(labels, (labels == problem.target).astype(np.float64))

    return predict if maps.size else NO_MAPS


def historical_mean(problem: Problem, _settings: TrainSettings) -> Predictor | str:
    """The target where at least half of the earlier maps show it, the commonest other class elsewhere."""
    maps = _earlier_maps(problem)

    def predict(train: Rows, test: Rows) -> Prediction:
        share = (maps[test] == problem.target).mean(axis=1)
        labels = problem.labels[train]
        other = commonest(labels[labels != problem.target])
        return Prediction(np.where(share >= 0.5, problem.target, other).astype(object), share)

    return predict if maps.size else NO_MAPS


NULLS: Mapping[str, Callable[[Problem, TrainSettings], Predictor | str]] = {
    "persistence": persistence,
    "historical_mean": historical_mean,
    "majority": majority,
    "prevalence_draw": prevalence_draw,
    "one_index": one_index,
    "plain_forest": plain_forest,
}
"""The null models by name, in the order of tables: each gives its predictor, or why it is not measured."""
