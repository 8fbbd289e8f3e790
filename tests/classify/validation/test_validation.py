from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, confusion_matrix, f1_score

from cocal.classify.settings import TrainSettings
from cocal.classify.validation.folds import spatial_folds
from cocal.classify.validation.nulls import NULLS, best_threshold
from cocal.classify.validation.scoring import (
    Prediction,
    average_precision,
    binned,
    block_intervals,
    calibration,
    prevalence_weights,
    target_scores,
)
from cocal.classify.validation.validate import ScoreTable, accuracies, block_design, problem_of, validate
from cocal.errors import InputError

NAMES = ["NDVI@01", "NDVI@02", "NDMI.std", "noise"]


def scores_of(table: pd.DataFrame, chosen: TrainSettings) -> dict[str, Any]:
    """What validation writes into the card."""
    problem = problem_of(table, "coca", NAMES)
    return validate(problem, block_design(problem, chosen), chosen).scores


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
    result = scores_of(table, chosen)
    folds = spatial_folds(table, chosen.validation, target="coca", seed=chosen.seed).folds
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
    result = scores_of(table, make_settings())
    assert list(result["null_models"]) == list(NULLS)
    counts = table["label"].value_counts()
    measured = [kind for kind in result["null_models"].values() if "pooled" in kind]
    assert len(measured) == 4  # no earlier map was given
    for kind in [result["model"], *measured]:
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
    table_of = ScoreTable(result).frame
    assert set(table_of["model"]) == {"model", "majority", "prevalence_draw", "one_index", "plain_forest"}
    json.dumps(result, allow_nan=False)


def test_the_null_index_can_be_named(
    make_samples: Callable[..., pd.DataFrame], make_settings: Callable[..., TrainSettings]
) -> None:
    named = make_settings(null_index="noise")
    result = scores_of(make_samples(2), named)
    assert {rule["feature"] for rule in result["null_models"]["one_index"]["rules"]} == {"noise"}
    with pytest.raises(InputError, match=r"'best' or one of NDVI@01"):
        scores_of(make_samples(2), make_settings(null_index="EVI"))


def test_scores_are_none_where_they_are_not_defined() -> None:
    found = accuracies(np.array([[2, 1], [0, 0]]), ["coca", "forest"])
    assert found["overall_accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["classes"]["forest"]["users_accuracy"] is None
    assert found["classes"]["forest"]["producers_accuracy"] == 0


Samples = Callable[..., pd.DataFrame]
Settings = Callable[..., TrainSettings]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 4)), min_size=2, max_size=40))
def test_precision_recall_and_brier_are_those_of_scikit_learn(rows: list[tuple[int, bool, int]]) -> None:
    probability = np.array([p / 5 for p, _, _ in rows])
    truth, weights = np.array([t for _, t, _ in rows]), np.array([w for _, _, w in rows], dtype=float)
    found = target_scores(truth, probability > 0.5, probability, weights)
    if truth.any():
        expected = average_precision_score(truth, probability, sample_weight=weights)
        assert found["average_precision"] == pytest.approx(expected)
    else:
        assert np.isnan(average_precision(truth, probability, weights))
    squares = brier_score_loss(truth, probability, sample_weight=weights, labels=[False, True])
    assert found["brier"] == pytest.approx(squares)


def test_scores_at_the_prevalence_of_the_map_are_those_a_reader_finds() -> None:
    # 10 samples, 5 of them coca; 4 are called coca, 1 of the others too: user's accuracy 4/5, producer's 4/5.
    # On a map with 10 % coca: 0.1 * 0.8 called rightly, 0.9 * 0.2 wrongly: user's accuracy 0.08 / 0.26
    truth = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    said = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0], dtype=bool)
    found = target_scores(truth, said, None, prevalence_weights(truth, 0.1))
    assert found["users_accuracy"] == pytest.approx(0.08 / 0.26)
    assert found["producers_accuracy"] == pytest.approx(0.8)
    assert np.isnan(found["brier"])


def test_the_calibration_curve_is_that_of_each_tenth() -> None:
    probability = np.array([0.02, 0.04, 0.95, 1.0])
    curve = calibration(np.array([False, True, True, True]), probability, np.ones(4))
    assert curve == [
        {"mean_probability": 0.03, "share_true": 0.5, "rows": 2},
        {"mean_probability": 0.975, "share_true": 1.0, "rows": 2},
    ]


def test_rows_are_counted_by_bin_of_probability_from_its_lower_edge_on() -> None:
    """Edges 0.01, 0.02, 0.05, 0.1, 0.2 ... 0.9: thirteen bins; a value on an edge lies above it."""
    found = binned(np.array([False, True, True, False]), np.array([0.0, 0.01, 0.5, 1.0]))
    assert found["target"] == [0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert found["other"] == [1] + [0] * 11 + [1]


def test_an_interval_is_over_blocks_not_rows() -> None:
    # 400 rows in 4 blocks, each all right or all wrong: between draws of 4 blocks accuracy goes from 0 to 1
    blocks = np.repeat(np.arange(4), 100)
    labels = np.tile(np.array(["coca", "forest"], dtype=object), 200)
    other = np.where(labels == "coca", "forest", "coca").astype(object)
    said = np.where(blocks < 2, labels, other)
    args = {"weights": np.ones(400), "seed": 1}
    whole = block_intervals(labels, Prediction(said, None), ["coca", "forest"], "coca", blocks=blocks, **args)
    apart = block_intervals(
        labels, Prediction(said, None), ["coca", "forest"], "coca", blocks=np.arange(400), **args
    )
    assert whole["overall_accuracy"] == [0.0, 1.0]
    low, high = apart["overall_accuracy"]
    assert 0.42 < low < high < 0.58
    assert whole["average_precision"] == [None, None]


def test_a_table_of_scores_cannot_be_made_without_every_null_model(
    make_samples: Samples, make_settings: Settings
) -> None:
    result = scores_of(make_samples(2), make_settings())
    text = str(ScoreTable(result))
    assert all(name in text for name in ("model", *NULLS))
    assert "no earlier map was given" in text
    for name in NULLS:
        nulls = {k: v for k, v in result["null_models"].items() if k != name}
        with pytest.raises(InputError, match=f"no {name}"):
            ScoreTable(result | {"null_models": nulls})


def test_earlier_maps_are_null_models_where_they_are_known(
    make_samples: Samples, make_settings: Settings
) -> None:
    table = make_samples(2)
    coca = (table["label"] == "coca").to_numpy()
    # last year's map knows all coca, calls the rest forest; the two before say the contrary
    table["previous_map_1"] = np.where(coca, "coca", "forest")
    table["previous_map_2"] = table["previous_map_3"] = np.where(coca, "forest", "coca")
    nulls = scores_of(table, make_settings())["null_models"]
    assert nulls["persistence"]["target"]["f1"] == 1
    assert nulls["historical_mean"]["target"]["f1"] == 0


def test_one_side_of_a_border_at_a_time_is_left_out_with_its_blocks(
    make_samples: Samples, make_settings: Settings
) -> None:
    table = make_samples(2)
    table["side"] = np.where(table["x"] < 501_400, "west", "east")
    rule = {"block_m": 1000, "folds": 3, "buffer_m": 0, "leave_out": ["side"]}
    result = scores_of(table, make_settings(validation=rule))
    side = result["left_out"]["side"]
    assert side["design"]["names"] == ["east", "west"]
    assert np.sum(side["model"]["pooled"]["confusion_rows_map"]) == len(table)
    # the border runs through blocks: what shares one with a tested sample does not train
    assert all(n > 0 for n in side["design"]["left_out_by_buffer"])
    nowhere = make_settings(validation=rule | {"leave_out": ["region"]})
    with pytest.raises(InputError, match="columns region"):
        scores_of(table, nowhere)


def test_a_region_without_the_target_cannot_be_left_out(
    make_samples: Samples, make_settings: Settings
) -> None:
    table = make_samples(2)
    table["region"] = np.where(table["x"] < 501_400, "west", "east")
    table = table[(table["region"] == "east") | (table["label"] != "coca")]
    rule = {"block_m": 1000, "folds": 2, "buffer_m": 0, "leave_out": ["region"]}
    with pytest.raises(InputError, match=r"fold east trains without 'coca'; fold west tests without 'coca'"):
        scores_of(table, make_settings(validation=rule))
