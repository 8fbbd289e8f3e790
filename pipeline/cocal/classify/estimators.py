"""The kinds of classifier, their parameters, and how they are fitted.

A new kind is a name in `EstimatorName` and a class in `estimator_types`; `USUAL` and `SPACE` serve searches.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from cocal.errors import InputError

EstimatorName = Literal["random_forest", "extra_trees", "hist_gradient_boosting", "perceptron"]
PERCEPTRON: Literal["perceptron"] = "perceptron"

USUAL: Mapping[EstimatorName, Mapping[str, Any]] = {
    "extra_trees": {"n_estimators": 300, "max_features": 0.2},
    "random_forest": {"n_estimators": 300},
    "hist_gradient_boosting": {
        "max_iter": 150,
        "learning_rate": 0.08,
        "max_leaf_nodes": 15,
        "max_features": 0.3,
    },
    PERCEPTRON: {"hidden_layer_sizes": [32], "alpha": 1.0, "learning_rate_init": 0.005, "max_iter": 400},
}
"""The first candidate of each kind."""

OF_TREES: Sequence[EstimatorName] = ("extra_trees", "random_forest", "hist_gradient_boosting")
"""The kinds that `estimator: auto` tries, in this order; of equal ones the first is taken."""

_FOREST = {"n_estimators": (200,), "max_features": ("sqrt", 0.1, 0.2, 0.4), "min_samples_leaf": (1, 2, 4)}
SPACE: Mapping[EstimatorName, Mapping[str, Sequence[Any]]] = {
    "extra_trees": _FOREST,
    "random_forest": _FOREST,
    "hist_gradient_boosting": {
        "max_iter": (60, 120, 240), "learning_rate": (0.04, 0.08, 0.15), "max_leaf_nodes": (7, 15, 31),
        "max_features": (0.1, 0.3, 1.0), "l2_regularization": (0.0, 1.0), "min_samples_leaf": (5, 20),
    },
    PERCEPTRON: {
        "hidden_layer_sizes": ([8], [16], [32], [64]), "alpha": (0.1, 0.3, 1.0, 3.0, 10.0),
        "learning_rate_init": (0.001, 0.005), "max_iter": (400,),
    },
}  # fmt: skip
_NOT_FOR_CONFIG = {"random_state", "n_jobs", "verbose", "warm_start"}


class Classifier(Protocol):
    """The part of a scikit-learn classifier that prediction needs; kernels and fakes of tests have it too."""

    @property
    def classes_(self) -> NDArray[Any]: ...

    @property
    def n_features_in_(self) -> int: ...

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]: ...


class Chosen(Protocol):
    """The settings of one estimator."""

    @property
    def chosen(self) -> EstimatorName: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def seed(self) -> int: ...


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


def build(settings: Chosen) -> Any:
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
            f"{settings.chosen} has no parameters {', '.join(unknown)}",
            f"some of {', '.join(sorted(allowed))} (the seed is `seed:`)",
            ", ".join(unknown),
            "fix `train.parameters`",
        )
    return kind(**settings.parameters, random_state=settings.seed)


def fit(settings: Chosen, features: NDArray[np.float32], codes: NDArray[np.uint8]) -> Any:
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
            f"scikit-learn refuses to train {settings.chosen}",
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
    """An MLPClassifier fitted to standardised features, its first layer then rescaled for raw features.

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
