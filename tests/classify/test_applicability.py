from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cocal.classify.applicability import UNKNOWN, Applicability, importance, mean_distance, upper_whisker
from cocal.classify.model import Model, load_model, save_model
from cocal.classify.nearest import balls
from cocal.classify.predict import MapRules, classify
from cocal.classify.product import write_class_map
from cocal.contracts import Period
from cocal.errors import ModelMismatchError
from oracles.distances import nearest_distances

KINDS = ["random_forest", "hist_gradient_boosting", "perceptron"]
TWO_POINTS = Applicability(
    mean=np.array([10, 0], dtype=np.float32),
    weight=np.array([2, 1], dtype=np.float32),
    samples=np.array([[0, 0], [0, 8]], dtype=np.float32),
    scale=8.0,
    threshold=0.5,
)


def cloud(seed: int, n: int, features: int = 11) -> Any:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, features)).astype(np.float32) * random.uniform(0.1, 3, features).astype(
        "f4"
    )


def test_the_index_is_the_weighted_distance_over_the_mean_distance() -> None:
    # (11.5 - 10) * 2 = 3 and 4: the distance to (0, 0) is 5, of the mean distance 8.
    assert TWO_POINTS.index(np.array([[11.5, 4]], dtype=np.float32)).tolist() == [5 / 8]
    # 5/8 is 125 % of the threshold 0.5; 4/8 is the threshold; a missing feature and a far pixel are unlike.
    rows = np.array([[11.5, 4], [12, 0], [10, 8], [np.nan, 0], [99, 0]], dtype=np.float32)
    assert TWO_POINTS.steps(rows).tolist() == [125, 100, 0, 254, 254]


@given(arrays.arrays(np.float32, (9, 3), elements=st.floats(-8, 8, width=32)), st.floats(0.01, 9))
@settings(max_examples=40, deadline=None)
def test_the_fast_search_finds_what_looking_at_every_pair_finds(points: Any, within: float) -> None:
    rows = cloud(1, 20, 3)
    plain, held = nearest_distances(rows, points), balls(points)
    assert (held.distances(rows) == plain).all()
    near = held.distances(rows, within)
    assert (near >= plain).all()
    assert ((near <= np.float32(within)) == (plain <= np.float32(within))).all()


def test_the_fast_search_is_exact_on_many_points_and_does_not_depend_on_the_rows_beside() -> None:
    points, rows = cloud(2, 1500), cloud(3, 300)
    held = balls(points)
    whole = held.distances(rows, 1.0)
    assert (held.distances(rows) == nearest_distances(rows, points)).all()
    assert (np.concatenate([held.distances(rows[:7], 1.0), held.distances(rows[7:], 1.0)]) == whole).all()


def test_the_whisker_is_the_largest_value_that_is_no_outlier() -> None:
    # Quartiles 2 and 4: the fence is 4 + 1.5 * 2 = 7, the largest value within it 5.
    assert upper_whisker(np.array([1, 2, 3, 4, 5, 2, 4, 100.0])[:7]) == 5
    assert upper_whisker(np.array([1.0, 2, 3, 4, 100])) == 4


def test_the_mean_distance_is_that_of_all_pairs() -> None:
    # Sides 3, 4 and 5.
    assert mean_distance(np.array([[0, 0], [3, 0], [0, 4]], dtype=np.float32)) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_that_tells_nothing_counts_least(
    kind: str, make_model: Any, make_settings: Any, make_samples: Any
) -> None:
    samples_of_the_model = make_samples(1)
    model = make_model(samples_of_the_model, make_settings(kind))
    spread = samples_of_the_model[list(model.card.features)].to_numpy(np.float64).std(axis=0)
    weights = importance(model.classifier, spread)
    assert np.isclose(weights.mean(), 1)
    assert weights.argmin() in (1, 2, 3)
    assert weights[3] < weights.max() / 2


def test_most_training_samples_are_inside_and_far_ones_outside(model: Model, make_samples: Any) -> None:
    area = model.applicability
    assert area is not None
    assert model.card.applicability is not None
    assert model.card.applicability.samples == len(area.samples) == 144
    values = make_samples(2)[list(model.card.features)].to_numpy(np.float32)
    assert (area.steps(values) <= 100).mean() > 0.8
    assert (area.steps(values + 5) > 100).all()


def test_the_area_comes_back_from_disk_and_its_alteration_is_refused(tmp_path: Path, model: Model) -> None:
    save_model(model, tmp_path)
    before, after = model.applicability, load_model(tmp_path).applicability
    assert before is not None
    assert after is not None
    assert (before.array == after.array).all()
    card = json.loads((tmp_path / "card.json").read_text())
    card["applicability"]["threshold"] = 9.0
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelMismatchError, match=r"applicability\.threshold"):
        load_model(tmp_path)


def test_the_map_tells_how_unlike_each_observed_pixel_is(
    model: Model, features: xr.Dataset, tmp_path: Path
) -> None:
    rules = MapRules(min_clear=1, missing="unobserved", applicability=True)
    plain = classify(features, model, rules=replace(rules, applicability=False))
    described = classify(features, model, rules=rules)
    xr.testing.assert_identical(described.drop_vars("dissimilarity"), plain)
    chunked = classify(features.chunk({"y": 7, "x": 11}), model, rules=rules).compute()
    assert (described["dissimilarity"].values == chunked["dissimilarity"].values).all()
    unseen = described["crop_class"].values == 0
    assert ((described["dissimilarity"].values == UNKNOWN) == unseen).all()
    period = Period("2020", *(np.datetime64(d).item() for d in ("2020-01-01", "2020-12-31")))
    item = write_class_map(
        tmp_path,
        described,
        n_clear=features["n_clear"],
        scheme=model.card.class_scheme,
        item_id="x",
        period=period,
    )
    with rasterio.open(tmp_path / "dissimilarity.tif") as source:
        assert (source.read(1) == described["dissimilarity"].values).all()
    assert "dissimilarity" in json.loads(item.read_text())["assets"]


def test_a_model_that_does_not_tell_where_it_applies_is_refused_where_that_is_asked_for(
    model: Model, features: xr.Dataset
) -> None:
    card = model.card.model_copy(update={"applicability": None})
    with pytest.raises(ModelMismatchError, match="has no area of applicability"):
        classify(
            features,
            Model(card, model.artefact),
            rules=MapRules(min_clear=1, missing="unobserved", applicability=True),
        )


def test_the_margin_is_that_of_the_two_likeliest_classes(
    model: Model, features: xr.Dataset, tmp_path: Path
) -> None:
    """Beside the estimator's own probabilities, sorted."""
    rules = MapRules(min_clear=1, missing="unobserved", margin=True)
    plain, told = (
        classify(features, model, rules=replace(rules, margin=False)),
        classify(features, model, rules=rules),
    )
    xr.testing.assert_identical(told.drop_vars("margin"), plain)
    values = features["features"].sel(feature=list(model.card.features)).values
    unseen = told["crop_class"].values == 0
    assert ((told["margin"].values == UNKNOWN) == unseen).all()
    second, first = np.sort(model.classifier.predict_proba(values[:, ~unseen].T), axis=1)[:, -2:].T
    assert (np.abs(told["margin"].values[~unseen] / 100 - (first - second)) <= 0.005 + 1e-9).all()
    assert len(set(told["margin"].values[~unseen].tolist())) > 5


def test_a_prior_counts_in_the_margin(model: Model, features: xr.Dataset) -> None:
    """With a prior near 0 the margin is that of the other classes, by their shares of the rest."""
    rules = MapRules(min_clear=1, missing="unobserved", margin=True)
    even = np.full(features["n_clear"].shape, 1e-9)
    found = classify(features, model, rules=rules, prior=even)
    before = classify(features, model, rules=rules)
    lost = (before["crop_class"].values == model.target_code) & (before["probability"].values < 0.99)
    assert lost.any()
    assert (found["crop_class"].values[lost] != model.target_code).all()  # the margin is of the other two now
    values = features["features"].sel(feature=list(model.card.features)).values[:, lost]
    answer = model.classifier.predict_proba(values.T)
    rest = np.delete(answer, list(model.classifier.classes_).index(model.target_code), axis=1)
    second, first = np.sort(rest / rest.sum(axis=1, keepdims=True), axis=1)[:, -2:].T
    assert (np.abs(found["margin"].values[lost] / 100 - (first - second)) <= 0.005 + 1e-6).all()
