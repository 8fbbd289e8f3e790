"""The kernel against the estimator that it stands for: the same bits."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from cocal.classify.kernel import accelerated, fast

KINDS = {
    "forest": lambda seed: RandomForestClassifier(7, random_state=seed, n_jobs=1),
    "extra": lambda seed: ExtraTreesClassifier(5, random_state=seed, n_jobs=1),
    "boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=6, min_samples_leaf=3, random_state=seed
    ),
}


def samples(seed: int, n: int, n_features: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise of few and of many values, so that thresholds lie between neighbours of float32 and on them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, n_features)).astype(np.float32)
    x[:, ::2] = np.round(x[:, ::2], 1)
    return x, np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 1000), n_features=st.integers(1, 30),
    n_classes=st.sampled_from([2, 3, 8, 20]), n=st.integers(40, 200), asked=st.integers(1, 37),
)  # fmt: skip
def test_every_probability_is_that_of_the_estimator(
    kind: str, seed: int, n_features: int, n_classes: int, n: int, asked: int
) -> None:
    x, y = samples(seed, n, n_features, n_classes)
    estimator = KINDS[kind](seed).fit(x, y)
    other = np.concatenate([x, samples(seed + 1, 40, n_features, n_classes)[0]])[-asked:]
    np.testing.assert_array_equal(fast(estimator).predict_proba(other), estimator.predict_proba(other))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pixels_with_a_missing_feature_are_answered_by_the_estimator(kind: str) -> None:
    x, y = samples(3, 300, 6, 3)
    x[np.random.default_rng(4).random(x.shape) < 0.1] = np.nan
    estimator = KINDS[kind](1).fit(x, y)
    np.testing.assert_array_equal(accelerated(estimator).predict_proba(x), estimator.predict_proba(x))
    gone = np.full((3, 6), np.nan, dtype=np.float32)
    np.testing.assert_array_equal(accelerated(estimator).predict_proba(gone), estimator.predict_proba(gone))


def test_values_on_a_threshold_and_beside_it_go_where_the_estimator_sends_them() -> None:
    # the split lies midway between 8 and its next float32: a float64 that no float32 is equal to
    eight, after = np.float32(8), np.nextafter(np.float32(8), np.float32(9))
    x = np.array([[eight], [after]] * 20, dtype=np.float32)
    y = np.array([0, 1] * 20)
    estimator = RandomForestClassifier(5, bootstrap=False, random_state=0).fit(x, y)
    assert np.float64(eight) < estimator.estimators_[0].tree_.threshold[0] < np.float64(after)
    extreme = np.array([[eight], [after], [3e38], [-3e38], [0.0]], dtype=np.float32)
    np.testing.assert_array_equal(fast(estimator).predict_proba(extreme), estimator.predict_proba(extreme))


def test_trees_of_one_leaf_and_trees_of_many_thousand_nodes() -> None:
    x, y = samples(5, 40, 3, 2)
    stump = RandomForestClassifier(3, min_samples_leaf=40, random_state=0).fit(x, y)
    assert stump.estimators_[0].tree_.node_count == 1
    np.testing.assert_array_equal(fast(stump).predict_proba(x), stump.predict_proba(x))
    x, y = samples(6, 40_000, 4, 3)
    deep = ExtraTreesClassifier(1, random_state=0).fit(x[:, 1:2], y)
    assert deep.estimators_[0].tree_.node_count > 65_536 / 2
    asked = samples(7, 500, 4, 3)[0][:, 1:2]
    np.testing.assert_array_equal(fast(deep).predict_proba(asked), deep.predict_proba(asked))


def test_the_answer_for_a_pixel_does_not_depend_on_the_others() -> None:
    x, y = samples(8, 200, 9, 3)
    kernel = fast(KINDS["forest"](2).fit(x, y))
    whole = kernel.predict_proba(x)
    single = np.concatenate([kernel.predict_proba(x[i : i + 1]) for i in range(0, 200, 7)])
    np.testing.assert_array_equal(single, whole[::7])
    assert kernel.predict_proba(x[:0]).shape == (0, 3)


def test_an_estimator_without_a_kernel_answers_itself_and_the_log_says_so(caplog) -> None:
    x, y = samples(9, 60, 2, 2)
    other = LogisticRegression().fit(x, y)
    with caplog.at_level(logging.WARNING):
        assert accelerated(other) is other
    assert "no kernel for LogisticRegression" in caplog.text
    wide = RandomForestClassifier(1, random_state=0, max_features=1).fit(
        np.eye(1030, dtype=np.float32), np.arange(1030) % 2
    )
    assert fast(wide) is None or wide.estimators_[0].tree_.feature.max() < 1024
