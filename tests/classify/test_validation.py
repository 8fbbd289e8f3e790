from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import confusion_matrix, f1_score

from cocal.classify.folds import spatial_folds
from cocal.classify.settings import TrainSettings
from cocal.classify.validation import best_threshold, score_table, scores, validate
from cocal.errors import InputError

NAMES = ["NDVI@01", "NDVI@02", "NDMI.std", "noise"]


def test_the_best_threshold_is_the_one_a_reader_finds() -> None:
    # target at .1 .2 .4, others at .3 .6 .8: "<= .4" catches 3 of 3 with 1 false: F1 = 6/7; "<= .2": 4/5
    values = np.array([0.1, 0.2, 0.4, 0.3, 0.6, 0.8], dtype=np.float32)
    threshold, above, f1 = best_threshold(values, np.array([1, 1, 1, 0, 0, 0], dtype=bool))
    assert (threshold, above, f1) == (pytest.approx(0.4), False, pytest.approx(6 / 7))


def test_a_missing_value_is_never_called_target() -> None:
    values = np.array([np.nan, 0.9, 0.1], dtype=np.float32)
    _, above, f1 = best_threshold(values, np.array([True, True, False]))
    assert above
    assert f1 == pytest.approx(2 * 1 / (1 + 2))


def test_a_feature_that_is_always_missing_has_no_rule() -> None:
    threshold, _, f1 = best_threshold(np.full(3, np.nan, np.float32), np.array([True, False, True]))
    assert np.isnan(threshold)
    assert f1 == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30))
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[int, bool]]) -> None:
    values = np.array([v for v, _ in rows], dtype=np.float32)
    truth = np.array([t for _, t in rows])
    threshold, above, f1 = best_threshold(values, truth)

    def score(called: np.ndarray) -> float:
        return float(2 * (called & truth).sum() / max(called.sum() + truth.sum(), 1))

    assert f1 == pytest.approx(max(score(rule) for t in range(7) for rule in (values >= t, values <= t)))
    assert truth.any() == (f1 > 0)
    if f1:
        assert f1 == pytest.approx(score(values >= threshold if above else values <= threshold))


def test_the_pooled_scores_are_those_of_scikit_learn_on_the_same_folds(
    make_samples: Callable[..., pd.DataFrame], make_settings: Callable[..., TrainSettings]
) -> None:
    table, chosen = make_samples(2), make_settings()
    result = validate(table, chosen, target="coca", feature_names=NAMES)
    folds, _ = spatial_folds(table, chosen.validation, target="coca", seed=chosen.seed)
    truth, predicted = [], []
    for fold in folds:
        forest = RandomForestClassifier(n_estimators=20, random_state=chosen.seed)
        forest.fit(table[NAMES].to_numpy()[fold.train], table["label"].to_numpy()[fold.train])
        truth += table["label"].to_numpy()[fold.test].tolist()
        predicted += forest.predict(table[NAMES].to_numpy()[fold.test]).tolist()
    pooled = result["model"]["pooled"]
    keys = ["coca", "forest", "pasture"]
    assert pooled["confusion_rows_map"] == confusion_matrix(truth, predicted, labels=keys).T.tolist()
    assert pooled["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"), abs=1e-6)


def test_the_model_stands_beside_null_models_on_the_same_rows(
    make_samples: Callable[..., pd.DataFrame], make_settings: Callable[..., TrainSettings]
) -> None:
    table = make_samples(2)
    result = validate(table, make_settings(), target="coca", feature_names=NAMES)
    assert set(result["null_models"]) == {"majority", "prevalence_draw", "one_index"}
    counts = table["label"].value_counts()
    for kind in [result["model"], *result["null_models"].values()]:
        assert np.sum(kind["pooled"]["confusion_rows_map"]) == len(table)
        assert {k: v["n_reference"] for k, v in kind["pooled"]["classes"].items()} == counts.to_dict()
        assert len(kind["folds"]) == 3
    majority = result["null_models"]["majority"]["pooled"]
    assert majority["classes"]["coca"]["producers_accuracy"] == 0
    assert majority["classes"]["coca"]["users_accuracy"] is None
    assert majority["overall_accuracy"] == pytest.approx(counts["forest"] / len(table), abs=1e-6)
    # the invented coca is apart in NDVI and in nothing else that matters; noise is never the best index
    rules = result["null_models"]["one_index"]["rules"]
    assert all(rule["feature"] != "noise" and not rule["above"] for rule in rules)
    assert result["prevalence"]["coca"] == pytest.approx(counts["coca"] / len(table), abs=1e-6)
    table_of = score_table(result)
    assert set(table_of["model"]) == {"model", "majority", "prevalence_draw", "one_index"}
    json.dumps(result, allow_nan=False)


def test_the_null_index_can_be_named(
    make_samples: Callable[..., pd.DataFrame], make_settings: Callable[..., TrainSettings]
) -> None:
    named = make_settings(null_index="noise")
    result = validate(make_samples(2), named, target="coca", feature_names=NAMES)
    assert {rule["feature"] for rule in result["null_models"]["one_index"]["rules"]} == {"noise"}
    with pytest.raises(InputError, match=r"'best' or one of NDVI@01"):
        validate(make_samples(2), make_settings(null_index="EVI"), target="coca", feature_names=NAMES)


def test_scores_are_none_where_they_are_not_defined() -> None:
    found = scores(np.array([[2, 1], [0, 0]]), ["coca", "forest"])
    assert found["overall_accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["classes"]["forest"]["users_accuracy"] is None
    assert found["classes"]["forest"]["producers_accuracy"] == 0
