"""Probabilities at the prevalence of the map, and a threshold for them.

A classifier learns with the target as common as it is among its samples. Where it is rarer, or where last year's map tells
more, its probabilities are those of another world. Bayes' rule moves them (Saerens, Latinne and Decaestecker 2002,
Adjusting the outputs of a classifier to new a priori probabilities, Neural Computation 14:21,
doi:10.1162/089976602753284446): odds x (odds of the prior) / (odds in training).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-3
"""Probabilities are held within this of 0 and 1: a forest that never saw a thing has not shown that it cannot be."""


def at_prior(probability: NDArray[Any], trained: float, prior: Any) -> NDArray[np.float64]:
    """Probability of the target where its prior is `prior`, from that of a model trained with a share of `trained`.

    `prior` is a number or an array as `probability`; NaN stays NaN.
    """
    held = np.clip(np.asarray(probability, dtype=np.float64), LEAST, 1 - LEAST)
    odds = held / (1 - held) * (prior / (1 - prior)) * ((1 - trained) / trained)
    return np.asarray(odds / (1 + odds))


def trained_share(pixels: Mapping[str, int], class_weight: Any, target: str) -> float:
    """The target's share among training samples, as the estimator weighed them."""
    if class_weight in ("balanced", "balanced_subsample"):
        return 1 / len(pixels)
    return pixels[target] / sum(pixels.values())


def best_threshold(
    probability: NDArray[Any], is_target: NDArray[np.bool_], weight: NDArray[Any]
) -> tuple[float, float]:
    """(threshold, F1): where calling all that is not below it the target has the highest F1, rows weighted."""
    order = np.argsort(-probability, kind="stable")
    ranked, hits, calls = probability[order], (weight * is_target)[order], weight[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    f1 = 2 * np.cumsum(hits)[ends] / (np.cumsum(calls)[ends] + hits.sum())
    at = int(f1.argmax())
    return float(ranked[ends[at]]), float(f1[at])
