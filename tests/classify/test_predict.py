from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray

from cocal.classify import predict
from cocal.classify.estimators import one_thread
from cocal.classify.model import Model
from cocal.classify.predict import MapRules, classify, classify_strips
from cocal.classify.settings import TrainSettings
from cocal.contracts import window_of
from cocal.errors import ContractError, ModelMismatchError

KINDS = ["random_forest", "extra_trees", "hist_gradient_boosting", "perceptron"]
Trainer = Callable[..., Model]
RULES = MapRules(min_clear=1, missing="unobserved")


class Fake:
    """Predicts classes 1, 2 and 4 with the first three features as their probabilities."""

    classes_ = np.array([1, 2, 4], dtype=np.uint8)

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        return X[:, :3].astype(np.float64)


def faked(model: Model) -> Model:
    """The model with a `Fake` where it has its kernel."""
    copy = replace(model)
    vars(copy)["kernel"] = Fake()
    return copy


@pytest.mark.filterwarnings("ignore::cocal.classify.kernel.KernelWarning")  # a fake has no kernel
def test_the_class_is_the_likeliest_and_of_equal_ones_the_lowest_code(
    model: Model, features: xr.Dataset
) -> None:
    pixels = features.isel(y=slice(0, 1), x=slice(0, 3)).copy(deep=True)
    pixels["features"].values[:, 0, :] = np.array(
        [[0.2, 0.5, 0.0], [0.5, 0.5, 0.4], [0.3, 0.0, 0.6], [0, 0, 0]], dtype=np.float32
    )
    pixels["n_clear"].values[:] = 3
    found = classify(pixels, faked(model), rules=MapRules(min_clear=3, missing="unobserved"))
    assert found["crop_class"].values.tolist() == [[2, 1, 4]]
    # coca, code 1, is the target
    assert found["probability"].values.tolist() == np.array([[0.2, 0.5, 0.0]], np.float32).tolist()


@pytest.mark.filterwarnings("ignore::cocal.classify.kernel.KernelWarning")  # a fake has no kernel
def test_the_alternative_is_the_likeliest_class_besides_the_target(
    model: Model, features: xr.Dataset
) -> None:
    names = [str(name) for name in features["feature"].values]
    pixels = features.isel(y=slice(0, 2), x=slice(0, 2)).copy(deep=True)
    pixels["features"].values[:, 0] = np.array([[0.8, 0.1], [0.1, 0.5], [0.1, 0.4], [0, 0]], np.float32)
    pixels["features"].values[:, 1] = np.array([[0.4, 0.2], [0.3, 0.4], [0.3, 0.4], [0, 0]], np.float32)
    pixels["n_clear"].values[:] = [[3, 3], [3, 2]]
    strips = ((slice(k, k + 1), pixels["features"].values[:, k : k + 1]) for k in range(2))
    found = classify_strips(
        strips, names, seen=pixels.drop_vars(["features", "feature"]), model=faked(model),
        rules=MapRules(min_clear=3, missing="unobserved", alternative=True),
    )  # fmt: skip
    assert found["crop_class"].values.tolist() == [[1, 2], [1, 0]]
    assert found["alternative"].values.tolist() == [[2, 2], [2, 0]]


def test_a_pixel_is_observed_with_enough_clear_dates_and_all_features(
    model: Model, features: xr.Dataset
) -> None:
    found = classify(features, model, rules=MapRules(min_clear=3, missing="unobserved"))
    expected = (features["n_clear"].values >= 3) & np.isfinite(features["features"].values).all(axis=0)
    assert 0 < expected.sum() < expected.size
    assert ((found["crop_class"].values > 0) == expected).all()
    assert (np.isnan(found["probability"].values) == ~expected).all()
    assert found["crop_class"].dtype == np.uint8
    assert found["probability"].dtype == np.float32
    assert "_FillValue" not in found["crop_class"].attrs


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_is_what_scikit_learn_says_pixel_by_pixel(
    kind: str, make_model: Trainer, make_settings: Callable[..., TrainSettings], features: xr.Dataset
) -> None:
    model = make_model(settings=make_settings(kind))
    found = classify(features, model, rules=RULES)
    values = features["features"].values
    estimator: Any = model.classifier
    checked = 0
    for y, x in np.argwhere(found["crop_class"].values > 0)[::25]:
        row = values[:, y, x][None]
        with one_thread():
            expected, probability = estimator.predict(row)[0], estimator.predict_proba(row)[0, 0]
        assert found["crop_class"].values[y, x] == expected
        assert found["probability"].values[y, x] == np.float32(probability)
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "perceptron"])
def test_native_missing_classifies_pixels_without_a_feature(
    kind: str,
    make_model: Trainer,
    make_samples: Callable[..., pd.DataFrame],
    make_settings: Callable[..., TrainSettings],
    features: xr.Dataset,
) -> None:
    holes = make_samples(1)
    holes.loc[::5, "NDVI@02"] = np.nan
    model = make_model(holes, make_settings(kind, missing="native"))
    assert model.card.training.dropped_for_missing_features == {}
    found = classify(features, model, rules=MapRules(min_clear=1, missing="native"))
    assert ((found["crop_class"].values > 0) == (features["n_clear"].values >= 1)).all()
    infinite = features.copy(deep=True)
    infinite["features"].values[np.isnan(infinite["features"].values)] = np.inf
    xr.testing.assert_identical(
        classify(infinite, model, rules=MapRules(min_clear=1, missing="native")), found
    )


def test_native_missing_needs_a_model_that_was_trained_for_it(model: Model, features: xr.Dataset) -> None:
    with pytest.raises(ModelMismatchError, match="trained on complete samples only"):
        classify(features, model, rules=MapRules(min_clear=1, missing="native"))


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_chunks_and_batches_give_the_same_map_as_the_whole(
    kind: str,
    make_model: Trainer,
    make_settings: Callable[..., TrainSettings],
    features: xr.Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make_model(settings=make_settings(kind))
    whole = classify(features, model, rules=RULES)
    blocks = [
        [
            classify(features.isel(y=slice(y, y + 7), x=slice(x, x + 11)), model, rules=RULES)
            for x in range(0, 30, 11)
        ]
        for y in range(0, 20, 7)
    ]
    xr.testing.assert_equal(
        xr.combine_nested(blocks, ["y", "x"]).drop_vars("spatial_ref"), whole.drop_vars("spatial_ref")
    )
    lazy = classify(features.chunk({"feature": 2, "y": 9, "x": 8}), model, rules=RULES)
    assert lazy["crop_class"].chunks is not None
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), whole)
    monkeypatch.setattr(predict, "STRIP_PIXELS", 13)
    xr.testing.assert_identical(classify(features, model, rules=RULES), whole)


def test_features_are_taken_by_name_in_the_order_of_the_card(model: Model, features: xr.Dataset) -> None:
    whole = classify(features, model, rules=RULES)
    turned = features.isel(feature=[3, 1, 0, 2])
    xr.testing.assert_identical(classify(turned, model, rules=RULES), whole)


def test_a_missing_feature_is_refused_by_name(model: Model, features: xr.Dataset) -> None:
    with pytest.raises(ModelMismatchError, match=r"missing features: NDMI.std"):
        classify(features.sel(feature=["NDVI@01", "NDVI@02", "noise"]), model, rules=RULES)


def test_a_tile_without_an_observed_pixel_is_a_map_of_zeros(model: Model, features: xr.Dataset) -> None:
    found = classify(features, model, rules=MapRules(min_clear=100, missing="unobserved"))
    assert not found["crop_class"].values.any()
    assert np.isnan(found["probability"].values).all()


def test_the_map_says_what_made_it_and_keeps_its_grid(model: Model, features: xr.Dataset) -> None:
    found = classify(
        features.assign_attrs(simulated=1, inputs=["a"]),
        model,
        rules=MapRules(min_clear=2, missing="unobserved"),
    )
    assert found.attrs["model_id"] == "test-1"
    assert found.attrs["model_sha256"] == model.card.sha256
    assert found.attrs["class_scheme"] == "border-coca-1"
    assert found.attrs["inputs"] == ["a"]
    assert found.attrs["simulated"] == 1
    assert found["crop_class"].attrs["flag_values"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert found["crop_class"].attrs["flag_meanings"].startswith("unobserved coca forest regrowth")
    assert window_of(found) == window_of(features)


def test_what_is_not_features_is_refused(model: Model, features: xr.Dataset) -> None:
    with pytest.raises(ContractError, match="features/1"):
        classify(features.assign_attrs(contract="scenes/1"), model, rules=RULES)
