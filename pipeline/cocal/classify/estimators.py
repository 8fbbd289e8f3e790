"""The kinds of classifier, their parameters, and how they are fitted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from cocal.classify.settings import PERCEPTRON, EstimatorName, TrainSettings
from cocal.errors import InputError

_NOT_FOR_CONFIG = {"random_state", "n_jobs", "verbose", "warm_start"}


class Classifier(Protocol):
    """The part of a scikit-learn classifier that prediction needs; kernels and fakes of tests have it too."""

    @property
    def classes_(self) -> NDArray[Any]: ...

    @property
    def n_features_in_(self) -> int: ...

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]: ...


@cache
def estimator_types() -> dict[EstimatorName, Any]:
    """The classifiers by name. scikit-learn, which takes a second to import, is imported here."""
    from sklearn import ensemble, neural_network

    return {
        "random_forest": ensemble.RandomForestClassifier,
        "extra_trees": ensemble.ExtraTreesClassifier,
        "hist_gradient_boosting": ensemble.HistGradientBoostingClassifier,
        "perceptron": neural_network.MLPClassifier,
    }


@cache
def _pools() -> ThreadpoolController:
    """The thread pools of the numeric libraries, searched for once."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit numeric libraries to one thread: the order of boosting's sums depends on threads."""
    with _pools().limit(limits=1):
        yield


def build(settings: TrainSettings) -> Any:
    """An unfitted estimator with the parameters and the seed of `settings`.

    Raises
    ------
    InputError
        The estimator has no such parameter; the message lists the allowed ones.
    """
    kind = estimator_types()[settings.chosen]
    allowed = set(kind().get_params()) - _NOT_FOR_CONFIG
    unknown = sorted(set(settings.parameters) - allowed)
    if unknown:
        raise InputError(
            f"{settings.estimator} has no parameters {', '.join(unknown)}",
            f"some of {', '.join(sorted(allowed))} (the seed is `seed:`)",
            ", ".join(unknown),
            "fix `train.parameters`",
        )
    return kind(**settings.parameters, random_state=settings.seed)


def fit(settings: TrainSettings, features: NDArray[np.float32], codes: NDArray[np.uint8]) -> Any:
    """The estimator of `settings` fitted to (sample, feature) float32 and class codes (sample).

    The result does not depend on the number of threads; it is returned set to predict with one.

    Raises
    ------
    InputError
        scikit-learn refuses the value of a parameter, or missing features (`missing: native`).
    """
    estimator = build(settings)
    forest, train = "n_jobs" in estimator.get_params(), estimator.fit
    if settings.chosen == PERCEPTRON:
        train = partial(fit_perceptron, estimator)
    if forest:
        estimator.set_params(n_jobs=-1)
    try:
        with one_thread():
            train(features, codes)
    except ValueError as err:
        raise InputError(
            f"scikit-learn refuses to train {settings.estimator}",
            "parameters within their range, and features that the estimator can take",
            str(err),
            "fix `train.parameters`, or set `missing: drop` if the estimator cannot take missing features",
        ) from err
    return estimator.set_params(n_jobs=1) if forest else estimator


def fit_perceptron(
    estimator: Any,
    features: NDArray[np.float32],
    codes: NDArray[np.uint8],
    weights: NDArray[np.float64] | None = None,
) -> Any:
    """An MLPClassifier fitted to standardised features, whose first layer is then rescaled for the features
    themselves.

    Attributes that only a further fit would need (gradients, the random generator) are removed.
    scikit-learn's warning that training stopped early is ignored: the accuracy of the validation covers it.
    """
    from sklearn.exceptions import ConvergenceWarning

    mean, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit((features - mean) / spread, codes, sample_weight=weights)
    estimator.coefs_[0] /= spread[:, None]
    estimator.intercepts_[0] -= mean @ estimator.coefs_[0]
    for name in ("_optimizer", "_random_state", "_best_coefs", "_best_intercepts"):
        vars(estimator).pop(name, None)
    return estimator
