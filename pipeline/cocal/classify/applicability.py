"""Where a model applies: how unlike its training samples a pixel is.

Meyer and Pebesma 2021, Predicting into unknown space? Methods in Ecology and Evolution 12:1620,
doi:10.1111/2041-210X.13650. Features are standardised and weighted by their importance in the model. The
dissimilarity index of a pixel is the distance to the nearest training sample over the mean distance of
training samples from each other. The model applies where it is not above the threshold: the upper whisker of
the index of the training samples themselves, each measured to the samples that trained when it was tested.

Approximations: of more than `MOST` training samples that many, evenly taken, represent all; the mean distance
is that of up to `PAIRED` of them; an index is that of a near sample, not always of the nearest, so it may be
too large, but it is always on the right side of the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.validation.folds import Fold

if TYPE_CHECKING:
    from cocal.classify.nearest import Balls

MOST, PAIRED = 10_000, 2_000
WHISKER = 1.5
"""Interquartile ranges above the upper quartile (Tukey 1977, Exploratory Data Analysis)."""

STEPS, UNLIKE, UNKNOWN = 100, 254, 255
"""On disk: 100 x index / threshold, rounded up; 254: 2.54 or more, or missing feature; 255: not observed."""
_ROUNDING = 1e-3
"""Hundredths by which float32 rounding may exceed the threshold."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Applicability:
    """The area of applicability of a model.

    `mean`, `weight` (feature): a feature's coordinate is (value - mean) * weight; `samples` (sample, feature)
    in these coordinates; `scale`: mean distance between training samples; `threshold` of the index.
    """

    mean: Floats
    weight: Floats
    samples: Floats
    scale: float
    threshold: float

    @cached_property
    def _balls(self) -> Balls:
        from cocal.classify.nearest import balls  # numba is 60 MB: a download does without

        return balls(self.samples)

    def index(self, values: Floats) -> Floats:
        """(row) dissimilarity index of (row, feature); NaN where a feature is not finite.

        It is always on the right side of the threshold, and never too small (see `nearest`).
        """
        out = np.full(len(values), np.nan, dtype=np.float32)
        known = _complete(values)
        placed = _placed(values[known], self.mean, self.weight)
        distances = self._balls.distances(placed, self.scale * self.threshold)
        out[known] = distances / np.float32(self.scale)
        return out

    def steps(self, values: Floats) -> NDArray[np.uint8]:
        """(row) uint8 index over threshold in hundredths, rounded up: the model applies up to 100."""
        share = self.index(values).astype(np.float64) * (STEPS / self.threshold)
        whole = np.ceil(np.where(np.isnan(share), UNLIKE, np.minimum(share - _ROUNDING, UNLIKE)))
        return np.asarray(whole.astype(np.uint8))

    @property
    def array(self) -> Floats:
        """(2 + sample, feature): mean, weight, samples, as the model's archive holds them."""
        return np.concatenate([self.mean[None], self.weight[None], self.samples])


def _placed(values: Floats, mean: Floats, weight: Floats) -> Floats:
    return np.asarray((values - mean) * weight, dtype=np.float32)


def importance(estimator: Any, spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """(feature) importance of each feature (standard deviation: `spread`) in an estimator, 1 on average.

    Forests: mean decrease of impurity. Boosted trees: sum of the gains of a feature's splits. Perceptrons:
    the sum of the products of weights on all paths from a standardised feature to a class (Olden, Joy and
    Death 2004, doi:10.1016/j.ecolmodel.2004.03.013), its size over the classes. All equal where no tree
    splits.
    """
    if hasattr(estimator, "feature_importances_"):
        found = np.asarray(estimator.feature_importances_, dtype=np.float64)
    elif hasattr(estimator, "coefs_"):
        paths = spread[:, None] * reduce(np.matmul, estimator.coefs_)
        same_for_all = paths.mean(axis=1, keepdims=True) if paths.shape[1] > 1 else 0.0
        found = np.abs(paths - same_for_all).sum(axis=1)
    else:
        found = np.zeros(len(spread))
        for predictor in (p for iteration in estimator._predictors for p in iteration):
            split = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            np.add.at(found, split["feature_idx"].astype(np.int64), np.maximum(split["gain"], 0.0))
    mean = found.mean()
    return found / mean if mean > 0 else np.ones(len(spread))


def applicability_of(estimator: Any, values: Floats, folds: Sequence[Fold]) -> Applicability | None:
    """The area of applicability of an estimator trained on (sample, feature) `values`.

    `folds` are those of its validation: samples tested in a fold are measured to those that train in it. None
    if no sample has all features, no fold has both, or the samples are all equal.
    """
    from cocal.classify.nearest import balls

    known = _complete(values)
    known[np.flatnonzero(known)[~_evenly(int(known.sum()), MOST)]] = False
    if not known.any():
        return None
    centre, spread = _moments(values[known])
    weights = importance(estimator, spread) / np.where(spread > 0, spread, 1.0)
    mean, weight = centre.astype(np.float32), np.where(spread > 0, weights, 0.0).astype(np.float32)
    placed = _placed(np.where(known[:, None], values, mean), mean, weight)
    scale = mean_distance(placed[known])
    apart = [
        balls(placed[train]).distances(placed[test])
        for train, test in ((f.train[known[f.train]], f.test[known[f.test]]) for f in folds)
        if train.size and test.size
    ]
    if not apart or scale <= 0:
        return None
    threshold = upper_whisker(np.concatenate(apart) / np.float32(scale))
    return Applicability(mean, weight, placed[known], scale, threshold)


def _evenly(n: int, most: int) -> NDArray[np.bool_]:
    """(n) True for `most` of n, evenly taken; for all if n is not above `most`."""
    chosen = np.zeros(n, dtype=bool)
    chosen[np.linspace(0, n - 1, min(n, most)).astype(np.int64)] = True
    return chosen


def _complete(values: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(values).all(axis=1))


def _moments(values: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mean, standard deviation) of each column, summed row after row."""
    mean = np.cumsum(values, axis=0, dtype=np.float64)[-1] / len(values)
    square = np.cumsum((values - mean) ** 2, axis=0)[-1] / len(values)
    return mean, np.sqrt(square)


def mean_distance(points: Floats) -> float:
    """Mean distance between up to `PAIRED` of (point, feature), evenly taken, each pair once."""
    chosen = points[_evenly(len(points), PAIRED)].astype(np.float64)
    total = 0.0
    for at in range(1, len(chosen)):
        squares = np.zeros(at)
        for feature in range(points.shape[1]):
            squares += (chosen[:at, feature] - chosen[at, feature]) ** 2
        total += float(np.cumsum(np.sqrt(squares))[-1])
    pairs = len(chosen) * (len(chosen) - 1) // 2
    return total / pairs if pairs else 0.0


def upper_whisker(values: NDArray[Any]) -> float:
    """The largest value up to the upper quartile plus 1.5 interquartile ranges (quartiles: definition 7)."""
    low, high = np.quantile(values.astype(np.float64), [0.25, 0.75])
    return float(values[values <= high + WHISKER * (high - low)].max())
