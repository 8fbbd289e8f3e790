"""Scores of a model under spatial blocks and other folds, beside the null models on the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.folds import Design, folds_by, spatial_folds
from cocal.classify.validation.nulls import NULLS, Predictor, Problem, model_predictor
from cocal.classify.validation.scoring import (
    Prediction,
    binned,
    block_intervals,
    calibration,
    prevalence_weights,
    target_scores,
)
from cocal.errors import InputError

DIGITS = 6


@dataclass(frozen=True, eq=False)
class Fitted:
    """Validation under spatial blocks: samples, folds, the estimator fitted in each fold, scores.

    `scores` are plain values for the model card: design, prevalence, model, null_models, and under `left_out`
    the same for each of `validation.leave_out`.
    """

    problem: Problem
    design: Design
    estimators: list[Any]
    scores: dict[str, Any]


def accuracies(counts: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Any]:
    """The accuracies of a confusion matrix (rows map) as plain values; None where one is not defined."""
    users, producers, f1 = (
        measure(counts) for measure in (accuracy.users_accuracy, accuracy.producers_accuracy, accuracy.f1)
    )
    return {
        "overall_accuracy": _plain(accuracy.overall_accuracy(counts)),
        "macro_f1": _plain(accuracy.macro_f1(counts)),
        "classes": {
            label: {
                "users_accuracy": _plain(users[k]),
                "producers_accuracy": _plain(producers[k]),
                "f1": _plain(f1[k]),
                "n_reference": int(counts[:, k].sum()),
            }
            for k, label in enumerate(labels)
        },
        "confusion_rows_map": counts.tolist(),
    }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DIGITS)


def problem_of(table: pd.DataFrame, target: str, feature_names: Sequence[str]) -> Problem:
    """The samples as arrays.

    Parameters
    ----------
    table : DataFrame
        feature columns (float32), label, sample_id, epsg, x, y; a column for each of `validation.leave_out`;
        `previous_map_1`, `previous_map_2` ...: the class on earlier maps, last first, where there are any.
    target : str
        Class key of the target.
    feature_names : sequence of str
        The columns that the model takes, in order.
    """
    values, labels = table[list(feature_names)].to_numpy(np.float32), table["label"].to_numpy()
    return Problem(table, values, labels, tuple(sorted(set(labels))), target, tuple(feature_names))


def block_design(problem: Problem, settings: TrainSettings) -> Design:
    """The spatial folds under which a model is validated, tuned and sized."""
    return spatial_folds(problem.table, settings.validation, target=problem.target, seed=settings.seed)


def validate(problem: Problem, design: Design, settings: TrainSettings) -> Fitted:
    """Scores of the model and of the null models under `design` and under each of `validation.leave_out`.

    The null models are fitted to the training rows of each fold only (see `nulls`).

    Raises
    ------
    InputError
        The samples lack a column of `validation.leave_out`, its folds cannot be made, or a null model cannot
        be built as the settings state.
    """
    absent = [name for name in settings.validation.leave_out if name not in problem.table]
    if absent:
        raise InputError(
            "the samples lack a column of `validation.leave_out`",
            f"columns {', '.join(absent)}",
            "none of them",
            "name their columns under `samples.groups`, or fix `validation.leave_out`",
        )
    found, estimators = _under(design, problem, settings)
    for name in settings.validation.leave_out:
        other = folds_by(problem.table, name, settings.validation, target=problem.target)
        found.setdefault("left_out", {})[name] = _under(other, problem, settings)[0]
    return Fitted(problem, design, estimators, found)


def _under(design: Design, problem: Problem, settings: TrainSettings) -> tuple[dict[str, Any], list[Any]]:
    """(scores of the model and of the null models under one design, the estimator fitted in each fold)."""
    nulls = {name: build(problem, settings) for name, build in NULLS.items()}
    parts = _predictions(model_predictor(problem, settings), design)
    labels, prevalence = problem.labels, settings.validation.map_prevalence
    found = {
        "design": {
            "kind": design.kind,
            **settings.validation.model_dump(mode="json"),
            "groups_of_blocks": int(design.group.max()) + 1,
            "names": [fold.name for fold in design.folds],
            "left_out_by_buffer": [fold.buffered for fold in design.folds],
            "target_share_in_folds": [
                _plain((labels[fold.test] == problem.target).mean()) for fold in design.folds
            ],
        },
        "classes": list(problem.keys),
        "target": problem.target,
        "prevalence": {key: _plain((labels == key).mean()) for key in problem.keys},
        "prevalence_note": "shares among the sample pixels, not shares of area on the map"
        if prevalence is None
        else f"scores of the target are weighted to its share of {prevalence:g} on the map; "
        "accuracies of classes are not",
        "model": _scores(parts, design, problem, settings),
        "null_models": {
            name: {"not_measured": null}
            if isinstance(null, str)
            else _scores(_predictions(null, design), design, problem, settings)
            for name, null in nulls.items()
        },
    }
    return found, [part.estimator for part in parts]


def _predictions(predict: Predictor, design: Design) -> list[Prediction]:
    return [predict(fold.train, fold.test) for fold in design.folds]


def _scores(
    parts: list[Prediction], design: Design, problem: Problem, settings: TrainSettings
) -> dict[str, Any]:
    """Accuracies pooled and per fold, the target's scores with intervals, the rules chosen in folds."""
    rows = np.concatenate([fold.test for fold in design.folds])
    matrices = [
        accuracy.confusion(problem.labels[fold.test], part.labels, problem.keys)
        for fold, part in zip(design.folds, parts, strict=True)
    ]
    known = [part.probability for part in parts if part.probability is not None]
    tested = Prediction(
        np.concatenate([part.labels for part in parts]), np.concatenate(known) if known else None
    )
    rules = [part.rule for part in parts if part.rule is not None]
    return {
        "pooled": accuracies(np.sum(matrices, axis=0), problem.keys),
        **_target(tested, rows, design, problem, settings),
        "folds": [accuracies(matrix, problem.keys) for matrix in matrices],
        **({"rules": rules} if rules else {}),
    }


def _target(
    tested: Prediction, rows: NDArray[np.intp], design: Design, problem: Problem, settings: TrainSettings
) -> dict[str, Any]:
    """The target's scores at the prevalence of the map, its calibration, and intervals over blocks."""
    labels, target = problem.labels[rows], problem.target
    truth, probability = labels == target, tested.probability
    weights = prevalence_weights(truth, settings.validation.map_prevalence)
    measured = target_scores(truth, tested.labels == target, probability, weights)
    found: dict[str, Any] = {name: _plain(value) for name, value in measured.items()}
    if probability is not None:
        found["calibration"] = calibration(truth, probability, weights)
    blocks = np.unique(design.group[rows], return_inverse=True)[1].astype(np.int64)
    intervals = block_intervals(
        labels, tested, problem.keys, target, weights=weights, blocks=blocks, seed=settings.seed
    )
    bins = {} if probability is None else {"probability_bins": binned(truth, probability)}
    return {"target": found, "intervals": intervals, **bins}


@dataclass(frozen=True)
class ScoreTable:
    """Scores of a model beside those of every null model; it cannot be made, so not printed, without them.

    Raises
    ------
    InputError
        The scores of the model or of a null model are missing.
    """

    validation: Mapping[str, Any]

    def __post_init__(self) -> None:
        nulls = self.validation.get("null_models", {})
        missing = [name for name in NULLS if not {"pooled", "not_measured"} & set(nulls.get(name, {}))]
        if missing or "model" not in self.validation:
            raise InputError(
                "scores of a model are not shown without the null models",
                f"the model and {', '.join(NULLS)}",
                f"no {', '.join(missing) or 'model'}",
                "train the model again: `cocal train` measures all of them",
            )

    @property
    def _results(self) -> dict[str, Any]:
        return {"model": self.validation["model"], **self.validation["null_models"]}

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model and class with its pooled scores; the null models stand below the model."""
        return pd.DataFrame(
            [
                {
                    "model": name,
                    "overall_accuracy": result["pooled"]["overall_accuracy"],
                    "macro_f1": result["pooled"]["macro_f1"],
                    "class": label,
                    **row,
                }
                for name, result in self._results.items()
                if "pooled" in result
                for label, row in result["pooled"]["classes"].items()
            ]
        )

    @property
    def summary(self) -> pd.DataFrame:
        """One row per model: accuracy, macro F1 and the target's scores, each "value [low, high]"."""
        rows = []
        for name, result in self._results.items():
            if "pooled" not in result:
                rows.append({"model": name, "accuracy": result["not_measured"]})
                continue
            bounds, pooled = result["intervals"], result["pooled"]
            values = {
                "accuracy": (pooled["overall_accuracy"], bounds["overall_accuracy"]),
                "macro F1": (pooled["macro_f1"], bounds["macro_f1"]),
                **{k: (result["target"][k], bounds[k]) for k in result["target"] if k != "calibration"},
            }
            rows.append({"model": name, **{k.replace("_", " "): _cell(*v) for k, v in values.items()}})
        return pd.DataFrame(rows).fillna("")

    def __str__(self) -> str:
        design, target = self.validation["design"], self.validation["target"]
        shares = ", ".join(
            f"{name} {100 * share:.1f} %"
            for name, share in zip(design["names"], design["target_share_in_folds"], strict=True)
        )
        head = f"{design['kind']}; {target}: {shares} of the rows tested in each fold"
        return f"{head}\n{self.summary.to_string(index=False)}"


def _cell(value: float | None, bounds: Sequence[float | None]) -> str:
    if value is None:
        return ""
    low, high = bounds
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def score_tables(validation: Mapping[str, Any]) -> list[ScoreTable]:
    """The table of the spatial blocks, then one for each of `validation.leave_out`."""
    return [ScoreTable(validation), *(ScoreTable(part) for part in validation.get("left_out", {}).values())]
