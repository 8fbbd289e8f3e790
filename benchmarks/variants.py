"""The ways to map border-1 that benchmarks/models.py sets side by side. To add one, add a `Variant` to
VARIANTS.

A variant names its features (made once per land and kept) and a function of (training pixels, tested pixels,
seed) that gives a probability and a call for each tested pixel. What it learns it must learn from the
training pixels: `Pixels.region`, `.year` and `.block` say how to part them once more, for a threshold or a
calibration. The tested pixels are whole regions or years with their `row` and `col`, so that a call may look
at its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from benchmarks.border import SIDE_PX, TRAINING, Bools, Pixels, demo_features
from cocal.classify.calibration import at_prior
from cocal.classify.calibration import best_threshold as best_threshold_of
from cocal.classify.kernel import accelerated
from cocal.classify.minimum import NOT_THERE, STEPS, areas_by_level, kept_levels, preserving_levels
from cocal.classify.validation.nulls import best_threshold
from cocal.features import FeatureSettings
from cocal.simulate.land.kinds import CODES

COCA = CODES["coca"]


@dataclass(frozen=True, eq=False)
class Answer:
    """Per tested pixel: is it called coca, and how probable it is (NaN where a way has no probability)."""

    said: Bools
    probability: NDArray[np.float64]


Recipe = Callable[[Pixels, Pixels, int], Answer]


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to make the map; `null`: it stands in the table to be beaten."""

    name: str
    features: FeatureSettings
    answer: Recipe
    null: bool = False


def last_map(train: Pixels, test: Pixels, seed: int) -> Answer:
    """Persistence: what the office mapped a year before."""
    return Answer(test.office[:, 0], test.office[:, 0].astype(float))


def historical_mean(train: Pixels, test: Pixels, seed: int) -> Answer:
    """Coca where the office mapped it in half of the four years before; their share is the probability."""
    share = test.office.mean(axis=1)
    return Answer(share >= 0.5, share)


def one_index(train: Pixels, test: Pixels, seed: int) -> Answer:
    """The one feature and threshold that are best where it was trained."""
    rules = [(*best_threshold(column, train.coca), at) for at, column in enumerate(train.x[:, OWN].T)]
    threshold, above, _, at = max(rules, key=lambda rule: rule[2])
    column = test.x[:, OWN[at]]
    said = column >= threshold if above else column <= threshold
    return Answer(said, np.full(said.size, np.nan))


HARVEST = ("NDVI.falls", "CIRE.falls", "NBR2.falls")
ALL = demo_features(*HARVEST)
OWN = [at for at, name in enumerate(ALL.features) if name not in HARVEST]


def columns(more: tuple[str, ...]) -> list[int]:
    """Where the features of the pixel itself stand, and `more`."""
    return [*OWN, *(ALL.features.index(name) for name in more)]


@lru_cache(maxsize=4)
def fitted(train: Pixels, seed: int, more: tuple[str, ...]) -> RandomForestClassifier:
    """The forest of a split on the pixels' own features and `more`; kept for the next variant."""
    chosen = RandomForestClassifier(60, min_samples_leaf=2, random_state=seed, oob_score=True)
    return chosen.fit(train.x[:, columns(more)], train.code)


@lru_cache(maxsize=4)
def asked(train: Pixels, test: Pixels, seed: int, more: tuple[str, ...]) -> tuple[Bools, NDArray[np.float64]]:
    """(coca is the likeliest class, probability of coca) of the tested pixels."""
    estimator = fitted(train, seed, more)
    found = accelerated(estimator).predict_proba(np.ascontiguousarray(test.x[:, columns(more)]))
    column = estimator.classes_.tolist().index(COCA)
    return found.argmax(axis=1) == column, found[:, column]


def map_weights(train: Pixels) -> NDArray[np.float64]:
    """What each training pixel stands for on the map: of `TRAINING` drawn by chance all that are not coca are
    there.
    """
    drawn_by_chance = max(1, min(TRAINING, train.code.size) - int((~train.coca).sum()))
    return np.where(train.coca, drawn_by_chance / train.coca.sum(), 1.0)


def prior_of(train: Pixels, pixels: Pixels) -> NDArray[np.float64]:
    """How probable coca is where last year's map has it, and elsewhere: as often as in the training
    pixels.
    """
    weight, mapped = map_weights(train), train.office[:, 0]
    there, elsewhere = (
        (weight * train.coca)[where].sum() / max(1, weight[where].sum()) for where in (mapped, ~mapped)
    )
    return np.where(pixels.office[:, 0], there, elsewhere)


def recipe(*more: str, before: bool = False, threshold: bool = False) -> Recipe:
    """The forest with `more` features, and some of: last year's map as prior, a threshold of best F1 on the
    training pixels.

    The threshold is chosen on each training pixel's probability from the trees that did not see it, at the
    prevalence of
    the map. Without it coca is what is likeliest; a prior alone is called from one half.
    """

    def answer(train: Pixels, test: Pixels, seed: int) -> Answer:
        said, probability = asked(train, test, seed, more)
        estimator = fitted(train, seed, more)
        held_out = estimator.oob_decision_function_[:, estimator.classes_.tolist().index(COCA)]
        if not (before or threshold):
            return Answer(said, probability)
        trained, weight = float(train.coca.mean()), map_weights(train)
        prevalence = float((weight * train.coca).sum() / weight.sum())
        prior = (prior_of(train, train), prior_of(train, test)) if before else (prevalence, prevalence)
        known = ~np.isnan(held_out)
        mine = at_prior(held_out, trained, prior[0])[known]
        cut, _ = best_threshold_of(mine, train.coca[known], weight[known]) if threshold else (0.5, 0.0)
        final = at_prior(probability, trained, prior[1])
        return Answer(final >= cut, final)

    return answer


LEAST_PATCH = 5
"""Pixels of the smallest patch and the smallest hole that a map with a minimum unit holds."""


def with_minimum_unit(plain: Recipe, pixels: int = LEAST_PATCH) -> Recipe:
    """A map with a minimum unit as `classify.minimum_unit` makes it: what was left out is one region, its
    area is kept.
    """

    def answer(train: Pixels, test: Pixels, seed: int) -> Answer:
        found = plain(train, test, seed)
        level = np.full((SIDE_PX, SIDE_PX), NOT_THERE, dtype=np.int16)
        level[test.row, test.col] = np.rint(STEPS * found.probability)
        kept = kept_levels(level, pixels)
        areas = areas_by_level(kept, np.zeros(kept.shape, np.int32), np.ones(kept.shape, np.int64), 1)
        cut = preserving_levels(areas, np.array([found.said.sum()]))[0]
        return Answer(kept[test.row, test.col] >= cut, found.probability)

    return answer


PLAIN = Variant("plain forest", ALL, recipe(), null=True)
FULL = Variant(
    "full: harvests, last year's map, threshold", ALL, recipe(*HARVEST, before=True, threshold=True)
)

VARIANTS: tuple[Variant, ...] = (
    Variant("last year's map", ALL, last_map, null=True),
    Variant("mean of four years' maps", ALL, historical_mean, null=True),
    Variant("one index", ALL, one_index, null=True),
    PLAIN,
    Variant("plain forest + threshold", ALL, recipe(threshold=True)),
    Variant("plain forest + minimum unit", ALL, with_minimum_unit(recipe())),
    Variant("plain forest + harvests", ALL, recipe(*HARVEST)),
    Variant("plain forest + last year's map", ALL, recipe(before=True)),
    Variant("full without last year's map", ALL, recipe(*HARVEST, threshold=True)),
    Variant("full without harvests", ALL, recipe(before=True, threshold=True)),
    Variant("full without threshold", ALL, recipe(*HARVEST, before=True)),
    FULL,
    Variant("full + minimum unit", ALL, with_minimum_unit(FULL.answer)),
)
