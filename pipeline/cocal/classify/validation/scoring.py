"""What predictions are worth for a rare class, and how far another draw of blocks could have moved it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REPLICATES, CONFIDENCE = 300, 0.95
BINS = 10
INTERVALS = ("users_accuracy", "producers_accuracy", "f1", "average_precision", "brier")


@dataclass(frozen=True)
class Answers:
    """What a predictor said of the rows it was tested on: a class each and, where it has one, the target's probability."""

    said: NDArray[Any]
    probability: Floats | None


def average_precision(truth: Bools, probability: Floats, weights: Floats) -> float:
    """Area under the precision-recall curve as a sum of steps: sum over thresholds of (R_n - R_n-1) P_n.

    Rows of equal probability are taken together. NaN where nothing is true. As scikit-learn's
    average_precision_score; `weights` (row) >= 0.
    """
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.append(probability[order][1:] != probability[order][:-1], True))
    hits, called = (np.cumsum(w[order])[ends] for w in (weights * truth, weights))
    if not hits[-1] > 0:
        return float("nan")
    precision = hits / np.where(called > 0, called, 1.0)
    return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def brier(truth: Bools, probability: Floats, weights: Floats) -> float:
    """Weighted mean of the squared difference of probability and truth (Brier 1950, MWR 78:1)."""
    return float((weights * (probability - truth) ** 2).sum() / weights.sum())


def calibration(truth: Bools, probability: Floats, weights: Floats) -> list[dict[str, float]]:
    """Per tenth of probability: mean probability, share that is true, rows; tenths without a row are left out."""
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


def prevalence_weights(truth: Bools, prevalence: float | None) -> Floats:
    """(row) weights under which the target has the share `prevalence`; all 1 where it is None."""
    if prevalence is None:
        return np.ones(truth.size)
    share = truth.mean()
    return np.asarray(np.where(truth, prevalence / share, (1 - prevalence) / (1 - share)))


def target_scores(truth: Bools, said: Bools, probability: Floats | None, weights: Floats) -> dict[str, float]:
    """User's and producer's accuracy, F1, average precision and Brier score of the target; NaN where not defined."""
    hits, called, there = ((weights * w).sum() for w in (truth & said, said, truth))
    return {
        "users_accuracy": float(hits / called) if called else float("nan"),
        "producers_accuracy": float(hits / there) if there else float("nan"),
        "f1": float(2 * hits / (called + there)) if called + there else float("nan"),
        "average_precision": float("nan") if probability is None else average_precision(truth, probability, weights),
        "brier": float("nan") if probability is None else brier(truth, probability, weights),
    }  # fmt: skip


def draws(blocks: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(replicate, block) how often each block was drawn: as many as there are, with replacement."""
    n = int(blocks.max()) + 1
    random = np.random.default_rng(seed)
    return np.asarray(random.multinomial(n, np.full(n, 1 / n), size=REPLICATES), dtype=np.int64)


def agreement(matrices: NDArray[np.int64]) -> Floats:
    """(matrix) `accuracy.overall_accuracy` of each of (matrix, class, class)."""
    total = np.maximum(matrices.sum(axis=(1, 2)), 1)
    return np.asarray(np.trace(matrices, axis1=1, axis2=2) / total)


def macro_f1s(matrices: NDArray[np.int64]) -> Floats:
    """(matrix) `accuracy.macro_f1` of each of (matrix, class, class): classes neither said nor there do not count."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    whole = matrices.sum(axis=1) + matrices.sum(axis=2)
    f1 = 2 * hits / np.maximum(whole, 1)
    return np.asarray(f1.sum(axis=1) / np.maximum((whole > 0).sum(axis=1), 1))


def spread(values: Sequence[float] | Floats) -> list[float | None]:
    """The middle 95 % of bootstrap replicates; None where too few are defined."""
    found = np.asarray(values)[~np.isnan(values)]
    if found.size < REPLICATES / 2:
        return [None, None]
    ends = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return [round(float(v), 6) for v in ends]


def block_intervals(
    labels: NDArray[Any], tested: Answers, keys: Sequence[str], target: str, *,
    weights: Floats, blocks: NDArray[np.int64], seed: int,
) -> dict[str, list[float | None]]:  # fmt: skip
    """Percentile intervals of the scores over whole blocks drawn with replacement (block bootstrap).

    Rows of one block are alike, so it is blocks, not rows, that are drawn; blocks of a fold go with their
    fold's model, which is not trained again.
    """
    number = {key: at for at, key in enumerate(keys)}
    rows, columns = (np.array([number[v] for v in words.tolist()]) for words in (tested.said, labels))
    per_block = np.zeros((int(blocks.max()) + 1, len(keys), len(keys)), dtype=np.int64)
    np.add.at(per_block, (blocks, rows, columns), 1)
    chosen = draws(blocks, seed)
    matrices = np.tensordot(chosen, per_block, axes=1)
    truth, said = labels == target, tested.said == target
    rare = [target_scores(truth, said, tested.probability, weights * times[blocks]) for times in chosen]
    return {
        "overall_accuracy": spread(agreement(matrices)),
        "macro_f1": spread(macro_f1s(matrices)),
        **{name: spread([row[name] for row in rare]) for name in INTERVALS},
    }
