"""Scores of a model under spatial folds, beside null models on the same folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.estimators import fit, one_thread
from cocal.classify.folds import Fold, spatial_folds
from cocal.classify.settings import TrainSettings
from cocal.errors import InputError

Rows = NDArray[np.intp]
Predictor = Callable[[Rows, Rows], NDArray[Any]]
"""From the row numbers that train and those that are tested, the classes predicted for the tested."""

BEST = "best"


def scores(counts: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    """The accuracies of a confusion matrix (rows map) as plain values; None where one is not defined."""
    per_class = zip(
        labels,
        accuracy.users_accuracy(counts),
        accuracy.producers_accuracy(counts),
        accuracy.f1(counts),
        counts.sum(axis=0),
        strict=True,
    )
    return {
        "overall_accuracy": _plain(accuracy.overall_accuracy(counts)),
        "macro_f1": _plain(accuracy.macro_f1(counts)),
        "classes": {
            label: {
                "users_accuracy": _plain(user),
                "producers_accuracy": _plain(producer),
                "f1": _plain(f1),
                "n_reference": int(n),
            }
            for label, user, producer, f1, n in per_class
        },
        "confusion_rows_map": counts.tolist(),
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


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


def validate(
    table: pd.DataFrame, settings: TrainSettings, *, target: str, feature_names: Sequence[str]
) -> dict[str, Any]:
    """Scores of the model and of the null models, pooled over the folds and per fold.

    The null models see the training part of each fold only: `majority` says the commonest class;
    `prevalence_draw` draws classes at their shares, with the seed; `one_index` says the target where one
    feature is beyond the threshold of best F1, elsewhere the commonest other class.

    Parameters
    ----------
    table : DataFrame
        feature columns (float32), label, sample_id, epsg, x, y.
    settings : TrainSettings
        Estimator, folds, seed, index of the null model.
    target : str
        Class key of the target.
    feature_names : sequence of str
        The columns the model sees, in order.

    Returns
    -------
    Plain values for the model card: design, prevalence, model, null_models.
    """
    if settings.null_index != BEST and settings.null_index not in feature_names:
        raise InputError(
            "the one-index null model names a feature that the model does not have",
            f"{BEST!r} or one of {', '.join(feature_names)}", settings.null_index, "mend `train.null_index`",
        )  # fmt: skip
    labels = table["label"].to_numpy()
    values = table[list(feature_names)].to_numpy(np.float32)
    folds, group = spatial_folds(table, settings.validation, target=target, seed=settings.seed)
    keys = sorted(set(labels))
    rules: list[dict[str, Any]] = []
    predictors: dict[str, Predictor] = {
        "model": _model_predictor(values, labels, keys, settings),
        "majority": lambda train, test: np.full(test.size, _commonest(labels[train])),
        "prevalence_draw": _prevalence_drawer(labels, keys, settings.seed),
        "one_index": _threshold_predictor(values, labels, target, feature_names, settings.null_index, rules),
    }
    results = {name: _score(predict, folds, labels, keys) for name, predict in predictors.items()}
    results["one_index"]["rules"] = rules
    return {
        "design": {
            "kind": "spatial blocks", **settings.validation.model_dump(), "groups_of_blocks": int(group.max()) + 1,
            "left_out_by_buffer": [fold.buffered for fold in folds],
        },
        "classes": keys,
        "prevalence": {key: round(float((labels == key).mean()), 6) for key in keys},
        "prevalence_note": "shares among the sample pixels, not shares of area on the map",
        "model": results.pop("model"),
        "null_models": results,
    }  # fmt: skip


def _score(
    predict: Predictor, folds: Sequence[Fold], labels: NDArray[Any], keys: list[str]
) -> dict[str, Any]:
    matrices = [accuracy.confusion(labels[fold.test], predict(fold.train, fold.test), keys) for fold in folds]
    pooled = np.zeros((len(keys), len(keys)), dtype=np.int64)
    for matrix in matrices:
        pooled += matrix
    return {"pooled": scores(pooled, keys), "folds": [scores(matrix, keys) for matrix in matrices]}


def _commonest(labels: NDArray[Any]) -> Any:
    names, counts = np.unique(labels.astype(str), return_counts=True)
    return names[np.argmax(counts)]


def _model_predictor(
    values: NDArray[np.float32], labels: NDArray[Any], keys: list[str], settings: TrainSettings
) -> Predictor:
    names = np.array(keys, dtype=object)
    codes = np.searchsorted(keys, labels.astype(str)).astype(np.uint8)

    def predict(train: Rows, test: Rows) -> NDArray[Any]:
        estimator = fit(settings, values[train], codes[train])
        with one_thread():
            best = estimator.predict_proba(values[test]).argmax(axis=1)
        return np.asarray(names[estimator.classes_[best]])

    return predict


def _prevalence_drawer(labels: NDArray[Any], keys: list[str], seed: int) -> Predictor:
    random = np.random.default_rng(seed)

    def predict(train: Rows, test: Rows) -> NDArray[Any]:
        share = np.array([(labels[train] == key).mean() for key in keys])
        return random.choice(np.array(keys, dtype=object), size=test.size, p=share / share.sum())

    return predict


def _threshold_predictor(
    values: NDArray[np.float32],
    labels: NDArray[Any],
    target: str,
    names: Sequence[str],
    wanted: str,
    rules: list[dict[str, Any]],
) -> Predictor:
    columns = range(len(names)) if wanted == BEST else [list(names).index(wanted)]

    def predict(train: Rows, test: Rows) -> NDArray[Any]:
        is_target = labels[train] == target
        found = [(column, *best_threshold(values[train, column], is_target)) for column in columns]
        column, threshold, above, f1 = max(found, key=lambda rule: (rule[3], -rule[0]))
        rules.append(
            {
                "feature": names[column],
                "threshold": _plain(threshold),
                "above": above,
                "training_f1": _plain(f1),
            }
        )
        tested = values[test, column]
        chosen = tested >= np.float32(threshold) if above else tested <= np.float32(threshold)
        return np.where(chosen, target, _commonest(labels[train][~is_target])).astype(object)

    return predict


def score_table(validation: dict[str, Any]) -> pd.DataFrame:
    """One row per model and class with its pooled scores; the null models always stand below the model."""
    every = {"model": validation["model"], **validation["null_models"]}
    return pd.DataFrame(
        [
            {
                "model": name,
                "overall_accuracy": result["pooled"]["overall_accuracy"],
                "macro_f1": result["pooled"]["macro_f1"],
                "class": label,
                **row,
            }
            for name, result in every.items()
            for label, row in result["pooled"]["classes"].items()
        ]
    )
