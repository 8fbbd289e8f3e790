"""The ways to map border-1 that benchmarks/models.py sets side by side. To add one, add a `Variant` to VARIANTS.

A variant names its features (made once per land and kept) and a function of (training pixels, tested pixels, seed)
that gives a probability and a call for each tested pixel. What it learns it must learn from the training pixels:
`Pixels.region`, `.year` and `.block` say how to part them once more, for a threshold or a calibration. The tested
pixels are whole regions or years with their `row` and `col`, so that a call may look at its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from border import Bools, Pixels, demo_features
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from cocal.classify.kernel import accelerated
from cocal.classify.nulls import best_threshold
from cocal.features import FeatureSettings
from cocal.simulate.land.kinds import CODES

COCA = CODES["coca"]


@dataclass(frozen=True, eq=False)
class Answer:
    """Per tested pixel: is it called coca, and how probable it is (NaN where a way has no probability)."""

    said: Bools
    probability: NDArray[np.float64]


Recipe = Callable[[Pixels, Pixels, int], Answer]


@dataclass(frozen=True)
class Variant:
    """One way to make the map; `null`: it stands in the table to be beaten."""

    name: str
    features: FeatureSettings
    answer: Recipe
    null: bool = False


def probabilities(estimator: object, pixels: Pixels) -> tuple[Bools, NDArray[np.float64]]:
    """(coca is the likeliest class, probability of coca) of each pixel."""
    found = accelerated(estimator).predict_proba(pixels.x)
    classes = estimator.classes_.tolist()
    return found.argmax(axis=1) == classes.index(COCA), found[:, classes.index(COCA)]


def forest(train: Pixels, test: Pixels, seed: int) -> Answer:
    """The plain forest: the likeliest class."""
    chosen = RandomForestClassifier(60, min_samples_leaf=2, random_state=seed)
    return Answer(*probabilities(chosen.fit(train.x, train.code), test))


def last_map(train: Pixels, test: Pixels, seed: int) -> Answer:
    """Persistence: what the office mapped a year before."""
    return Answer(test.office[:, 0], test.office[:, 0].astype(float))


def historical_mean(train: Pixels, test: Pixels, seed: int) -> Answer:
    """Coca where the office mapped it in half of the four years before; their share is the probability."""
    share = test.office.mean(axis=1)
    return Answer(share >= 0.5, share)


def one_index(train: Pixels, test: Pixels, seed: int) -> Answer:
    """The one feature and threshold that are best where it was trained."""
    rules = [(*best_threshold(column, train.coca), at) for at, column in enumerate(train.x.T)]
    threshold, above, _, at = max(rules, key=lambda rule: rule[2])
    said = test.x[:, at] >= threshold if above else test.x[:, at] <= threshold
    return Answer(said, np.full(said.size, np.nan))


DEMO = demo_features()
PLAIN = Variant("plain forest", DEMO, forest, null=True)

VARIANTS: tuple[Variant, ...] = (
    Variant("last year's map", DEMO, last_map, null=True),
    Variant("mean of four years' maps", DEMO, historical_mean, null=True),
    Variant("one index", DEMO, one_index, null=True),
    PLAIN,
)
