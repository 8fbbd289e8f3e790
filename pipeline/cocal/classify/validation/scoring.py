"""Scores of predictions for a rare class, and their intervals over blocks drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.accuracy import macro_f1s, overall_accuracies
from cocal.contracts import PROBABILITY_EDGES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REPLICATES, CONFIDENCE = 300, 0.95
BINS = 10
INTERVALS = ("users_accuracy", "producers_accuracy", "f1", "average_precision", "brier")


@dataclass(frozen=True)
class Prediction:
    """Prediction for the tested rows of a fold: (row) class key, (row) probability of the target or None.

    `estimator` is the fitted model and `rule` the chosen threshold that it comes from, if any.
    """

    labels: NDArray[Any]
    probability: Floats | None
    estimator: Any = None
    rule: dict[str, Any] | None = None


def average_precision(truth: Bools, probability: Floats, weights: Floats) -> float:
    """Area under the precision-recall curve as a sum of steps: sum over thresholds of (R_n - R_n-1) P_n.

    Rows of equal probability are taken together. NaN where nothing is true. Equal to scikit-learn's
    average_precision_score; `weights` (row) >= 0.
    """
    order = np.argsort(-probability, kind="stable")
    last = np.flatnonzero(np.append(probability[order][1:] != probability[order][:-1], True))
    hits, called = (np.cumsum(w[order])[last] for w in (weights * truth, weights))
    if not hits[-1] > 0:
        return float("nan")
    precision = hits / np.where(called > 0, called, 1.0)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def brier(truth: Bools, probability: Floats, weights: Floats) -> float:
    """Weighted mean of the squared difference of probability and truth (Brier 1950, MWR 78:1)."""
    return float((weights * (probability - truth) ** 2).sum() / weights.sum())


def calibration(truth: Bools, probability: Floats, weights: Floats) -> list[dict[str, float]]:
    """Per tenth of probability: mean probability, share that is true, rows; empty tenths are left out."""
    tenth = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        {
            "mean_probability": round(float((weights * probability)[rows].sum() / weights[rows].sum()), 6),
            "share_true": round(float((weights * truth)[rows].sum() / weights[rows].sum()), 6),
            "rows": int(rows.sum()),
        }
        for rows in (tenth == number for number in range(BINS))
        if rows.any()
    ]


def binned(truth: Bools, probability: Floats) -> dict[str, list[int]]:
    """Rows that are the target, and others, by bin of their probability (`PROBABILITY_EDGES`).

    What a map's histogram of probabilities is a mixture of.
    """
    place = np.searchsorted(PROBABILITY_EDGES, probability, side="right")
    size = len(PROBABILITY_EDGES) + 1
    return {
        name: np.bincount(place[rows], minlength=size).tolist()
        for name, rows in (("target", truth), ("other", ~truth))
    }


def prevalence_weights(truth: Bools, prevalence: float | None) -> Floats:
    """(row) weights under which the target has the share `prevalence`; all 1 where it is None."""
    if prevalence is None:
        return np.ones(truth.size)
    share = truth.mean()
    return np.asarray(np.where(truth, prevalence / share, (1 - prevalence) / (1 - share)))


def target_scores(
    truth: Bools, called: Bools, probability: Floats | None, weights: Floats
) -> dict[str, float]:
    """User's and producer's accuracy, F1, average precision, Brier score of the target; NaN if undefined."""
    hits, mapped, there = ((weights * w).sum() for w in (truth & called, called, truth))
    scores = {
        "users_accuracy": float(hits / mapped) if mapped else np.nan,
        "producers_accuracy": float(hits / there) if there else np.nan,
        "f1": float(2 * hits / (mapped + there)) if mapped + there else np.nan,
        "average_precision": np.nan,
        "brier": np.nan,
    }
    if probability is not None:
        scores["average_precision"] = average_precision(truth, probability, weights)
        scores["brier"] = brier(truth, probability, weights)
    return scores


def draws(blocks: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(replicate, block) how often each block is drawn; each replicate draws as many blocks as there are."""
    n = int(blocks.max()) + 1
    random = np.random.default_rng(seed)
    return np.asarray(random.multinomial(n, np.full(n, 1 / n), size=REPLICATES), dtype=np.int64)


def spread(values: Sequence[float] | Floats) -> list[float | None]:
    """(low, high) of the middle 95 % of bootstrap replicates; None where fewer than half are defined."""
    found = np.asarray(values)[~np.isnan(values)]
    if found.size < REPLICATES / 2:
        return [None, None]
    ends = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return [round(float(v), 6) for v in ends]


def block_intervals(
    labels: NDArray[Any],
    tested: Prediction,
    keys: Sequence[str],
    target: str,
    *,
    weights: Floats,
    blocks: NDArray[np.int64],
    seed: int,
) -> dict[str, list[float | None]]:
    """Percentile intervals of the scores over whole blocks drawn with replacement (block bootstrap).

    Rows of one block are alike, so blocks are drawn, not rows. A drawn block keeps the predictions of its
    fold's model, which is not trained again.
    """
    number = {key: at for at, key in enumerate(keys)}
    rows, columns = (np.array([number[v] for v in words.tolist()]) for words in (tested.labels, labels))
    per_block = np.zeros((int(blocks.max()) + 1, len(keys), len(keys)), dtype=np.int64)
    np.add.at(per_block, (blocks, rows, columns), 1)
    chosen = draws(blocks, seed)
    matrices = np.tensordot(chosen, per_block, axes=1)
    truth, called = labels == target, tested.labels == target
    rare = [target_scores(truth, called, tested.probability, weights * times[blocks]) for times in chosen]
    return {
        "overall_accuracy": spread(overall_accuracies(matrices)),
        "macro_f1": spread(macro_f1s(matrices)),
        **{name: spread([row[name] for row in rare]) for name in INTERVALS},
    }
