"""The null models: what a model must beat before it is worth anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.estimators import fit, one_thread
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.scoring import Answers
from cocal.errors import InputError

Rows = NDArray[np.intp]
Predictor = Callable[[Rows, Rows], Answers]
"""From the row numbers that train and those that are tested: what is said of the tested."""

BEST = "best"
PREVIOUS = "previous_map_"
"""Columns of earlier maps, class key or None: `previous_map_1` is the last one, `previous_map_2` that before."""

NULLS = ("persistence", "historical_mean", "majority", "prevalence_draw", "one_index", "plain_forest")
NO_MAPS = "no earlier map was given (`train.previous_maps`)"
PLAIN_TREES = 100


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples as arrays: `values` (row, feature), `labels` (row), the classes `keys` and the target among them."""

    table: pd.DataFrame
    values: NDArray[np.float32]
    labels: NDArray[Any]
    keys: tuple[str, ...]
    target: str
    names: tuple[str, ...]

    @property
    def codes(self) -> NDArray[np.uint8]:
        """(row) place of each label among `keys`."""
        return np.searchsorted(np.array(self.keys), self.labels.astype(str)).astype(np.uint8)


def best_threshold(values: NDArray[np.float32], is_target: NDArray[np.bool_]) -> tuple[float, bool, float]:
    """(threshold, above, F1): the rule on one feature that has the highest F1 for the target.

    `above` True means target where value >= threshold, False where value <= threshold. NaN is never
    target; where all is NaN the threshold is NaN. Of equal rules the one that calls fewest, `above` first.
    """
    known = ~np.isnan(values)
    best = (float("nan"), True, 0.0)
    if not known.any():
        return best
    for above in (True, False):
        order = np.argsort(-values[known] if above else values[known], kind="stable")
        ranked, hits = values[known][order], is_target[known][order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        f1 = 2 * np.cumsum(hits)[ends] / (ends + 1 + is_target.sum())
        at = int(f1.argmax())
        if f1[at] > best[2]:
            best = (float(ranked[ends[at]]), above, float(f1[at]))
    return best


def commonest(labels: NDArray[Any]) -> Any:
    """The class of most rows; of equals the first by name."""
    names, counts = np.unique(labels.astype(str), return_counts=True)
    return names[np.argmax(counts)]


def model_predictor(problem: Problem, settings: TrainSettings, kept: list[Any] | None = None) -> Predictor:
    """An estimator fitted in each fold; `kept` receives the fitted estimators, fold by fold."""
    names, target = np.array(problem.keys, dtype=object), problem.keys.index(problem.target)

    def predict(train: Rows, test: Rows) -> Answers:
        estimator = fit(settings, problem.values[train], problem.codes[train])
        if kept is not None:
            kept.append(estimator)
        with one_thread():
            found = estimator.predict_proba(problem.values[test])
        column = np.flatnonzero(estimator.classes_ == target)[0]
        return Answers(names[estimator.classes_[found.argmax(axis=1)]], found[:, column])

    return predict


def plain_forest(problem: Problem, settings: TrainSettings) -> Predictor:
    """scikit-learn's random forest as it comes: 100 trees."""
    plain = settings.model_copy(
        update={"estimator": "random_forest", "parameters": {"n_estimators": PLAIN_TREES}}
    )
    return model_predictor(problem, plain)


def majority(problem: Problem) -> Predictor:
    """Always the commonest class of the training part."""

    def predict(train: Rows, test: Rows) -> Answers:
        share = float((problem.labels[train] == problem.target).mean())
        return Answers(np.full(test.size, commonest(problem.labels[train])), np.full(test.size, share))

    return predict


def prevalence_draw(problem: Problem, seed: int) -> Predictor:
    """Classes drawn at their shares in the training part."""
    random = np.random.default_rng(seed)

    def predict(train: Rows, test: Rows) -> Answers:
        share = np.array([(problem.labels[train] == key).mean() for key in problem.keys])
        said = random.choice(np.array(problem.keys, dtype=object), size=test.size, p=share / share.sum())
        return Answers(said, None)

    return predict


def one_index(problem: Problem, wanted: str, rules: list[dict[str, Any]]) -> Predictor:
    """The target beyond the threshold of best F1 on one feature, elsewhere the commonest other class."""
    columns = range(len(problem.names)) if wanted == BEST else [problem.names.index(wanted)]

    def predict(train: Rows, test: Rows) -> Answers:
        is_target = problem.labels[train] == problem.target
        found = [(column, *best_threshold(problem.values[train, column], is_target)) for column in columns]
        column, threshold, above, f1 = max(found, key=lambda rule: (rule[3], -rule[0]))
        rules.append(
            {
                "feature": problem.names[column],
                "threshold": None if np.isnan(threshold) else round(threshold, 6),
                "above": above,
                "training_f1": round(f1, 6),
            }
        )
        tested = problem.values[test, column]
        chosen = tested >= np.float32(threshold) if above else tested <= np.float32(threshold)
        other = commonest(problem.labels[train][~is_target])
        return Answers(np.where(chosen, problem.target, other).astype(object), None)

    return predict


def earlier_maps(problem: Problem) -> dict[str, Predictor | str]:
    """Persistence and the historical mean from the columns of earlier maps; the reason where there are none."""
    columns = sorted(
        (name for name in problem.table if str(name).startswith(PREVIOUS)),
        key=lambda name: int(str(name).removeprefix(PREVIOUS)),
    )
    if not columns:
        return {"persistence": NO_MAPS, "historical_mean": NO_MAPS}
    maps = problem.table[columns].to_numpy(dtype=object)

    def last(train: Rows, test: Rows) -> Answers:
        other = commonest(problem.labels[train])
        said = np.array([v if v in problem.keys else other for v in maps[test, 0]], dtype=object)
        return Answers(said, (said == problem.target).astype(np.float64))

    def mean(train: Rows, test: Rows) -> Answers:
        share = (maps[test] == problem.target).mean(axis=1)
        labels = problem.labels[train]
        other = commonest(labels[labels != problem.target])
        return Answers(np.where(share >= 0.5, problem.target, other).astype(object), share)

    return {"persistence": last, "historical_mean": mean}


def null_models(
    problem: Problem, settings: TrainSettings, rules: list[dict[str, Any]]
) -> dict[str, Predictor | str]:
    """Every null model by name, in the order of NULLS; a text where one cannot be had, saying why."""
    found: dict[str, Predictor | str] = {
        **earlier_maps(problem),
        "majority": majority(problem),
        "prevalence_draw": prevalence_draw(problem, settings.seed),
        "one_index": one_index(problem, settings.null_index, rules),
        "plain_forest": plain_forest(problem, settings),
    }
    return {name: found[name] for name in NULLS}


def check_null_index(wanted: str, names: Sequence[str]) -> None:
    """Pass if the one-index null model speaks of a feature that the model has."""
    if wanted != BEST and wanted not in names:
        raise InputError(
            "the one-index null model names a feature that the model does not have",
            f"{BEST!r} or one of {', '.join(names)}", wanted, "mend `train.null_index`",
        )  # fmt: skip
