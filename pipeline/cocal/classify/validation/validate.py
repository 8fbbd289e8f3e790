"""Scores of a model under honest splits, beside null models on the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal import accuracy
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.folds import Fold, folds_by, spatial_folds
from cocal.classify.validation.nulls import (
    NULLS,
    Predictor,
    Problem,
    check_null_index,
    model_predictor,
    null_models,
)
from cocal.classify.validation.scoring import (
    Answers,
    block_intervals,
    calibration,
    prevalence_weights,
    target_scores,
)
from cocal.errors import InputError

PLAIN_DIGITS = 6
BLOCKS = "spatial blocks"


@dataclass(frozen=True, eq=False)
class Design:
    """How rows are parted: the folds, and the group of blocks of each row."""

    kind: str
    folds: list[Fold]
    group: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What validation by blocks leaves for others to look at: the folds, their models, what was said of each row."""

    problem: Problem
    design: Design
    estimators: list[Any]


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
    return None if np.isnan(value) else round(float(value), PLAIN_DIGITS)


def problem_of(table: pd.DataFrame, target: str, feature_names: Sequence[str]) -> Problem:
    """The samples as arrays."""
    labels = table["label"].to_numpy()
    return Problem(
        table, table[list(feature_names)].to_numpy(np.float32), labels, tuple(sorted(set(labels))), target,
        tuple(feature_names),
    )  # fmt: skip


def block_design(table: pd.DataFrame, settings: TrainSettings, target: str) -> Design:
    """The spatial blocks that every model is measured, chosen and sized under."""
    return Design(BLOCKS, *spatial_folds(table, settings.validation, target=target, seed=settings.seed))


def validate(
    table: pd.DataFrame, settings: TrainSettings, *, target: str, feature_names: Sequence[str]
) -> dict[str, Any]:
    """Scores of the model and of the null models: `validated`, without the fitted models."""
    return validated(table, settings, target=target, feature_names=feature_names)[0]


def validated(
    table: pd.DataFrame, settings: TrainSettings, *, target: str, feature_names: Sequence[str]
) -> tuple[dict[str, Any], Fitted]:
    """Scores of the model and of the null models under spatial blocks and what else is to be left out.

    The null models see the training part of each fold only (`nulls`); the earlier maps, where there are
    any, are what was known before.

    Parameters
    ----------
    table : DataFrame
        feature columns (float32), label, sample_id, epsg, x, y; a column for each of `validation.leave_out`;
        `previous_map_1`, `previous_map_2` ...: the class on earlier maps, last first, where there are any.
    settings : TrainSettings
        Estimator, folds, seed, index of the null model.
    target : str
        Class key of the target.
    feature_names : sequence of str
        The columns the model sees, in order.

    Returns
    -------
    Plain values for the model card: design, prevalence, model, null_models, and under `left_out` the same for
    each of `validation.leave_out`; and the models fitted under the spatial blocks.
    """
    check_null_index(settings.null_index, feature_names)
    absent = [name for name in settings.validation.leave_out if name not in table]
    if absent:
        raise InputError(
            "the samples do not say what is to be left out", f"columns {', '.join(absent)}", "none of them",
            "name their columns under `samples.groups`, or mend `validation.leave_out`",
        )  # fmt: skip
    problem, kept = problem_of(table, target, feature_names), list[Any]()
    design = block_design(table, settings, target)
    found = _under(design, problem, settings, kept)
    others = {}
    for name in settings.validation.leave_out:
        folds, group = folds_by(table, name, settings.validation, target=target)
        others[name] = _under(Design(f"one {name} left out", folds, group), problem, settings, [])
    if others:
        found["left_out"] = others
    return found, Fitted(problem, design, kept)


def _under(design: Design, problem: Problem, settings: TrainSettings, kept: list[Any]) -> dict[str, Any]:
    """The scores of model and nulls under one design; `kept` receives the fitted models."""
    rules: list[dict[str, Any]] = []
    nulls = null_models(problem, settings, rules)
    model = _score(model_predictor(problem, settings, kept), design, problem, settings)
    results = {name: _score(nulls[name], design, problem, settings) for name in NULLS}
    results["one_index"]["rules"] = rules
    labels, stated = problem.labels, settings.validation.map_prevalence
    shares = {key: round(float((labels == key).mean()), 6) for key in problem.keys}
    return {
        "design": {
            "kind": design.kind, **settings.validation.model_dump(mode="json"), "groups_of_blocks": int(design.group.max()) + 1,
            "names": [fold.name for fold in design.folds],
            "left_out_by_buffer": [fold.buffered for fold in design.folds],
            "target_share_in_folds": [
                round(float((labels[fold.test] == problem.target).mean()), 6) for fold in design.folds
            ],
        },
        "classes": list(problem.keys),
        "target": problem.target,
        "prevalence": shares,
        "prevalence_note": "shares among the sample pixels, not shares of area on the map" if stated is None
        else f"scores of the target are weighted to its share of {stated:g} on the map; accuracies of classes are not",
        "model": model,
        "null_models": results,
    }  # fmt: skip


def _score(
    predict: Predictor | str, design: Design, problem: Problem, settings: TrainSettings
) -> dict[str, Any]:
    """Pooled and per fold; `not_measured` with the reason for a null model that cannot be had."""
    if isinstance(predict, str):
        return {"not_measured": predict}
    parts = [predict(fold.train, fold.test) for fold in design.folds]
    rows = np.concatenate([fold.test for fold in design.folds])
    labels, keys = problem.labels, problem.keys
    matrices = [
        accuracy.confusion(labels[fold.test], part.said, keys)
        for fold, part in zip(design.folds, parts, strict=True)
    ]
    pooled: NDArray[np.int64] = np.sum(matrices, axis=0)
    known = [part.probability for part in parts if part.probability is not None]
    tested = Answers(np.concatenate([part.said for part in parts]), np.concatenate(known) if known else None)
    return {
        "pooled": scores(pooled, keys),
        **_rare(tested, rows, design, problem, settings),
        "folds": [scores(matrix, keys) for matrix in matrices],
    }


def _rare(
    tested: Answers, rows: NDArray[np.intp], design: Design, problem: Problem, settings: TrainSettings
) -> dict[str, Any]:
    """The target's scores at the prevalence of the map, its calibration, and intervals over blocks."""
    labels, target = problem.labels[rows], problem.target
    truth = labels == target
    weights = prevalence_weights(truth, settings.validation.map_prevalence)
    found: dict[str, Any] = {
        name: _plain(value)
        for name, value in target_scores(truth, tested.said == target, tested.probability, weights).items()
    }
    if tested.probability is not None:
        found["calibration"] = calibration(truth, tested.probability, weights)
    intervals = block_intervals(
        labels, tested, problem.keys, target,
        weights=weights, blocks=np.unique(design.group[rows], return_inverse=True)[1].astype(np.int64), seed=settings.seed,
    )  # fmt: skip
    return {"target": found, "intervals": intervals}


@dataclass(frozen=True)
class ScoreTable:
    """Scores of a model with those of every null model. It cannot be made, so not printed, without them."""

    validation: Mapping[str, Any]

    def __post_init__(self) -> None:
        nulls = self.validation.get("null_models", {})
        lacking = [
            name for name in NULLS if "pooled" not in nulls.get(name, {}) and not nulls.get(name, {}).get("not_measured")
        ]  # fmt: skip
        if lacking or "model" not in self.validation:
            raise InputError(
                "scores of a model mean nothing without the null models", f"the model and {', '.join(NULLS)}",
                f"no {', '.join(lacking) or 'model'}", "train the model again: `cocal train` measures them all",
            )  # fmt: skip

    @property
    def _results(self) -> dict[str, Any]:
        return {"model": self.validation["model"], **self.validation["null_models"]}

    @property
    def frame(self) -> pd.DataFrame:
        """One row per model and class with its pooled scores; the null models always stand below the model."""
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
        """One row per model: accuracy, macro F1 and the target's scores, each "value [low, high]" over blocks."""
        rows = []
        for name, result in self._results.items():
            if "pooled" not in result:
                rows.append({"model": name, "accuracy": result["not_measured"]})
                continue
            ends, pooled = result["intervals"], result["pooled"]
            values = {
                "accuracy": (pooled["overall_accuracy"], ends["overall_accuracy"]),
                "macro F1": (pooled["macro_f1"], ends["macro_f1"]),
                **{k: (result["target"][k], ends[k]) for k in result["target"] if k != "calibration"},
            }
            rows.append({"model": name, **{k.replace("_", " "): _cell(*v) for k, v in values.items()}})
        return pd.DataFrame(rows).fillna("")

    def __str__(self) -> str:
        design, target = self.validation["design"], self.validation["target"]
        shares = ", ".join(
            f"{name} {100 * share:.1f} %"
            for name, share in zip(design["names"], design["target_share_in_folds"], strict=True)
        )
        head = f"{design['kind']}; {target}: {shares} of what each fold tests"
        return f"{head}\n{self.summary.to_string(index=False)}"


def _cell(value: float | None, ends: Sequence[float | None]) -> str:
    if value is None:
        return ""
    low, high = ends
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def score_tables(validation: Mapping[str, Any]) -> list[ScoreTable]:
    """The table of the spatial blocks, then one for each of what else was left out."""
    return [ScoreTable(validation), *(ScoreTable(part) for part in validation.get("left_out", {}).values())]
