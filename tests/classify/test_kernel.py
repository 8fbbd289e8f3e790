"""The kernel against the estimator that it stands for: the same bits; a perceptron's but for rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cocal.classify.estimators import fit_perceptron
from cocal.classify.kernel import KernelWarning, accelerated, kernel_of, read_kernel, trees, write_kernel

KINDS = {
    "forest": lambda seed: RandomForestClassifier(7, random_state=seed, n_jobs=1),
    "extra": lambda seed: ExtraTreesClassifier(5, random_state=seed, n_jobs=1),
    "boosting": lambda seed: HistGradientBoostingClassifier(
        max_iter=6, min_samples_leaf=3, random_state=seed
    ),
}
"""What can be asked about missing features."""
PERCEPTRON = {"perceptron": lambda seed: MLPClassifier([5, 4], max_iter=20, tol=1, random_state=seed)}
ALL = KINDS | PERCEPTRON


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
    np.testing.assert_array_equal(kernel_of(estimator).predict_proba(other), estimator.predict_proba(other))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n_features=st.integers(1, 30),
    n_classes=st.sampled_from([2, 3, 8]),
    n=st.integers(1, 37),
)
def test_a_perceptron_answers_as_the_estimator_but_for_rounding(
    seed: int, n_features: int, n_classes: int, n: int
) -> None:
    x, y = samples(seed, 60, n_features, n_classes)
    estimator = PERCEPTRON["perceptron"](seed).fit(x.astype(np.float64), y)
    found, expected = kernel_of(estimator).predict_proba(x[:n]), estimator.predict_proba(x[:n])
    np.testing.assert_allclose(found, expected, atol=1e-13, rtol=0)


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 1000), n_classes=st.sampled_from([2, 3, 8]),
    trained=st.booleans(), share=st.sampled_from([0.02, 0.4, 1.0]),
)  # fmt: skip
def test_a_missing_feature_sends_a_pixel_where_the_estimator_sends_it(
    kind: str, seed: int, n_classes: int, trained: bool, share: float
) -> None:
    x, y = samples(seed, 200, 6, n_classes)
    holes = np.where(np.random.default_rng(seed).random(x.shape) < share, np.float32(np.nan), x)
    training = np.where(np.arange(len(x))[:, None] % 2, holes, x) if trained else x
    estimator = KINDS[kind](1).fit(training, y)
    np.testing.assert_array_equal(kernel_of(estimator).predict_proba(holes), estimator.predict_proba(holes))


def test_forests_with_three_hundred_features_and_of_more_nodes_than_sixteen_bits() -> None:
    x, y = samples(11, 400, 300, 3)
    wide = RandomForestClassifier(5, random_state=0).fit(x, y)
    np.testing.assert_array_equal(kernel_of(wide).predict_proba(x), wide.predict_proba(x))
    x, y = samples(12, 70_000, 2, 2)
    many = ExtraTreesClassifier(3, max_features=1, random_state=0).fit(x[:, 1:], y)
    kernel = kernel_of(many)
    assert max(one.tree_.node_count for one in many.estimators_) > 65_536
    asked = x[:500, 1:].copy()
    asked[::7] = np.nan
    np.testing.assert_array_equal(kernel.predict_proba(asked), many.predict_proba(asked))


def test_values_on_a_threshold_and_beside_it_go_where_the_estimator_sends_them() -> None:
    # the split lies midway between 8 and its next float32: a float64 that no float32 is equal to
    eight, after = np.float32(8), np.nextafter(np.float32(8), np.float32(9))
    x = np.array([[eight], [after]] * 20, dtype=np.float32)
    y = np.array([0, 1] * 20)
    estimator = RandomForestClassifier(5, bootstrap=False, random_state=0).fit(x, y)
    assert np.float64(eight) < estimator.estimators_[0].tree_.threshold[0] < np.float64(after)
    extreme = np.array([[eight], [after], [3e38], [-3e38], [0.0]], dtype=np.float32)
    np.testing.assert_array_equal(
        kernel_of(estimator).predict_proba(extreme), estimator.predict_proba(extreme)
    )


def test_trees_of_one_leaf_and_trees_of_many_thousand_nodes() -> None:
    x, y = samples(5, 40, 3, 2)
    stump = RandomForestClassifier(3, min_samples_leaf=40, random_state=0).fit(x, y)
    assert stump.estimators_[0].tree_.node_count == 1
    np.testing.assert_array_equal(kernel_of(stump).predict_proba(x), stump.predict_proba(x))
    x, y = samples(6, 40_000, 4, 3)
    deep = ExtraTreesClassifier(1, random_state=0).fit(x[:, 1:2], y)
    assert deep.estimators_[0].tree_.node_count > 65_536 / 2
    asked = samples(7, 500, 4, 3)[0][:, 1:2]
    np.testing.assert_array_equal(kernel_of(deep).predict_proba(asked), deep.predict_proba(asked))


def test_the_answer_for_a_pixel_does_not_depend_on_the_others() -> None:
    x, y = samples(8, 200, 9, 3)
    kernel = kernel_of(KINDS["forest"](2).fit(x, y))
    whole = kernel.predict_proba(x)
    single = np.concatenate([kernel.predict_proba(x[i : i + 1]) for i in range(0, 200, 7)])
    np.testing.assert_array_equal(single, whole[::7])
    assert kernel.predict_proba(x[:0]).shape == (0, 3)


def test_an_estimator_without_a_kernel_answers_itself_with_a_warning() -> None:
    x, y = samples(9, 60, 2, 2)
    other = LogisticRegression().fit(x, y)
    with pytest.warns(KernelWarning, match="no kernel for LogisticRegression"):
        assert accelerated(other) is other


def test_more_features_than_sixteen_bits_can_address() -> None:
    x = np.eye(4200, dtype=np.float32)[::6]
    x[::5, 7] = np.nan
    wide = RandomForestClassifier(3, max_features=None, random_state=0).fit(x, np.arange(len(x)) % 2)
    assert kernel_of(wide).trees.nodes.dtype == trees.WIDE_NODE
    np.testing.assert_array_equal(kernel_of(wide).predict_proba(x), wide.predict_proba(x))


def test_a_perceptron_of_other_units_is_left_to_scikit_learn() -> None:
    x, y = samples(9, 60, 2, 2)
    assert kernel_of(MLPClassifier([3], activation="tanh", max_iter=20, tol=1).fit(x, y)) is None


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_perceptron_answers_for_features_as_they_are_what_it_learned_from_standardised_ones(
    n_classes: int,
) -> None:
    x, y = samples(4, 300, 6, n_classes)
    x[:, 1], x[:, 2] = 3000 + 1000 * x[:, 1], 7.0  # one of another magnitude, one that never changes
    layers = {"hidden_layer_sizes": [7, 5], "max_iter": 30, "tol": 1, "random_state": 3}
    made = fit_perceptron(MLPClassifier(**layers), x, y)
    plain = make_pipeline(StandardScaler(), MLPClassifier(**layers)).fit(x.astype(np.float64), y)
    np.testing.assert_allclose(made.predict_proba(x), plain.predict_proba(x.astype(np.float64)), atol=1e-9)
    np.testing.assert_allclose(kernel_of(made).predict_proba(x), made.predict_proba(x), atol=1e-13, rtol=0)


def test_a_kernel_comes_back_from_its_file() -> None:
    x, y = samples(13, 300, 9, 3)
    for kind in ALL.values():
        kernel = kernel_of(kind(2).fit(x, y))
        again = read_kernel(write_kernel(kernel))
        assert again.predict_proba(x).tobytes() == kernel.predict_proba(x).tobytes()
        assert (again.n_features_in_, again.classes_.tolist()) == (9, kernel.classes_.tolist())


def test_keys_are_in_the_order_of_the_values_and_a_missing_one_is_above_all() -> None:
    cuts = np.array(
        [-np.inf, -3.4e38, -1.0, -1e-45, 0.0, 1e-45, 1.0, 3.4e38, np.inf, np.nan], dtype=np.float32
    )
    keys = trees.keys_of(cuts)
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    assert keys[-1] == 2**32 - 1
    assert trees.keys_of(np.array([-0.0], dtype=np.float32)) == trees.keys_of(np.zeros(1, dtype=np.float32))


def test_a_threshold_is_the_largest_float_that_is_not_above_it() -> None:
    assert trees.not_above(np.array([1e300])) == np.finfo(np.float32).max
    exact = np.array([0.1, -0.1, 1.0, 1e-46])
    found = trees.not_above(exact)
    assert (found <= exact).all()
    assert (np.nextafter(found, np.float32(np.inf)) > exact).all()


def test_small_trees_ask_all_nodes_and_large_ones_are_walked() -> None:
    x, y = samples(13, 300, 5, 3)
    small, large = (RandomForestClassifier(4, max_leaf_nodes=n, random_state=0).fit(x, y) for n in (32, 33))
    assert isinstance(kernel_of(small).trees, trees.Shrubs)
    assert isinstance(kernel_of(large).trees, trees.Trees)
    x[::3, 1] = np.nan
    for estimator in (small, large):
        np.testing.assert_array_equal(kernel_of(estimator).predict_proba(x), estimator.predict_proba(x))
