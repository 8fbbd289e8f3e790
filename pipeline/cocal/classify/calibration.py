"""Probabilities at the prevalence of the mapped ground, and a threshold for them.

A classifier's probabilities assume that the target is as common as among its training samples. Where its
prior probability is another, Bayes' rule corrects them (Saerens, Latinne and Decaestecker 2002, Adjusting the
outputs of a classifier to new a priori probabilities, Neural Computation 14:21,
doi:10.1162/089976602753284446): odds x (odds of the prior) / (odds in training).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-3
"""Probabilities are clipped to this distance from 0 and 1: a forest's 0 of 500 trees is no certainty."""


def at_prior(probability: NDArray[Any], trained: float, prior: Any) -> NDArray[np.float64]:
    """Probability of the target at a prior probability, from that of a model trained at a share `trained`.

    `prior` is a number, or an array of the shape of `probability`; NaN stays NaN.
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
    """(threshold, F1): from which probability on calling rows the target has the highest weighted F1."""
    order = np.argsort(-probability, kind="stable")
    ranked, hits, calls = probability[order], (weight * is_target)[order], weight[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    f1 = 2 * np.cumsum(hits)[last] / (np.cumsum(calls)[last] + hits.sum())
    at = int(f1.argmax())
    return float(ranked[last[at]]), float(f1[at])
