from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cocal.classify.calibration import at_prior, best_threshold, trained_share
from cocal.classify.model import Model
from cocal.classify.predict import MapRules, classify
from cocal.classify.settings import ClassifySettings

RULES: dict[str, Any] = {"min_clear": 1, "missing": "unobserved"}


def test_bayes_by_hand() -> None:
    # Odds 1 at a share of 1/2 are odds 1/9 at a share of 1/10: what the sample says cancels.
    assert at_prior(np.array([0.5]), 0.5, 0.1) == pytest.approx(0.1)
    # Odds 4 become 4 * (1/9) / (1/4) = 16/9: 16/25.
    assert at_prior(np.array([0.8]), 0.2, 0.1) == pytest.approx(16 / 25)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_prior_of_the_training_changes_nothing_and_a_way_back_leads_back(
    p: float, a: float, b: float
) -> None:
    assert at_prior(np.array([p]), a, a) == pytest.approx(p)
    if 0.01 < (there := float(at_prior(np.array([p]), a, b)[0])) < 0.99:
        assert at_prior(np.array([there]), b, a) == pytest.approx(p)


def test_the_share_in_training_is_as_the_estimator_weighed_it() -> None:
    pixels = {"coca": 10, "forest": 30, "pasture": 60}
    assert trained_share(pixels, None, "coca") == 0.1
    assert trained_share(pixels, "balanced_subsample", "coca") == pytest.approx(1 / 3)


def test_the_threshold_of_best_f1_by_hand() -> None:
    p, target = np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, False, True, False])
    # Called from 0.9: F1 2*1/(1+2); from 0.7: 2*2/(3+2) = 0.8, the best.
    assert best_threshold(p, target, np.ones(4)) == (0.7, pytest.approx(0.8))
    # Where the miss at 0.8 stands for ten pixels, one hit alone is better: 2/3 against 4/14.
    assert best_threshold(p, target, np.array([1, 10, 1, 1.0])) == (0.9, pytest.approx(2 / 3))


def test_the_prior_of_the_training_gives_the_same_map(model: Model, features: xr.Dataset) -> None:
    pixels = model.card.training.pixels
    own = np.full(features["n_clear"].shape, pixels["coca"] / sum(pixels.values()))
    plain, same = (classify(features, model, rules=MapRules(**RULES), prior=p) for p in (None, own))
    assert (plain["crop_class"].values == same["crop_class"].values).all()


def test_a_threshold_and_a_prior_move_the_target_and_nothing_else(model: Model, features: xr.Dataset) -> None:
    plain = classify(features, model, rules=MapRules(**RULES))
    for threshold in (0.2, 0.7):
        found = classify(features, model, rules=MapRules(**RULES, threshold=threshold))
        observed = plain["crop_class"].values != 0
        xr.testing.assert_identical(found["probability"], plain["probability"])
        called = found["crop_class"].values == model.target_code
        with np.errstate(invalid="ignore"):
            assert (called == (plain["probability"].values >= np.float32(threshold)))[observed].all()
        kept = ~called & (plain["crop_class"].values != model.target_code)
        assert (found["crop_class"].values == plain["crop_class"].values)[kept].all()
    prior = np.where(np.arange(30) < 15, 0.9, 0.01) * np.ones((20, 1))
    moved = (
        classify(features, model, rules=MapRules(**RULES), prior=prior)["crop_class"].values
        == model.target_code
    )
    there = plain["crop_class"].values == model.target_code
    assert (moved[:, :15] >= there[:, :15]).all()
    assert (moved[:, 15:] <= there[:, 15:]).all()
    chunked = classify(
        features.chunk({"y": 7, "x": 11}), model, rules=MapRules(**RULES), prior=prior
    ).compute()
    assert ((chunked["crop_class"].values == model.target_code) == moved).all()


def test_a_prior_with_a_map_is_stated_whole() -> None:
    with pytest.raises(ValueError, match="together"):
        ClassifySettings.model_validate(RULES | {"prior": {"elsewhere": 0.01, "map": "x.tif"}})
    assert ClassifySettings.model_validate(RULES | {"prior": {"elsewhere": 0.01}}).prior
