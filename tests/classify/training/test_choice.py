"""Estimator, parameters and size: chosen under the blocks that validate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

from cocal.classify.estimators import OF_TREES
from cocal.classify.model import Model
from cocal.classify.page import card_page
from cocal.classify.settings import TrainSettings
from cocal.classify.training.distil import STUDENTS, distil, student
from cocal.classify.training.sizes import DEPTHS, _cut, size_curve
from cocal.classify.training.tune import _starters, choose
from cocal.classify.validation.validate import Fitted, block_design, problem_of, validate

NAMES = ["NDVI@01", "NDVI@02", "NDMI.std", "noise"]
Samples = Callable[..., pd.DataFrame]
Settings = Callable[..., TrainSettings]


@pytest.fixture(scope="module")
def fitted(make_samples: Samples, make_settings: Settings) -> Fitted:
    problem, settings = problem_of(make_samples(2), "coca", NAMES), make_settings()
    return validate(problem, block_design(problem, settings), settings)


def test_a_tree_cut_at_its_full_depth_says_what_scikit_learn_says(fitted: Fitted) -> None:
    forest: RandomForestClassifier = fitted.estimators[0]
    values = fitted.problem.values
    for tree in forest.estimators_[:5]:
        whole = {
            depth: (share, steps) for depth, share, steps in _cut(tree.tree_, values, [*DEPTHS, 0, None])
        }
        np.testing.assert_allclose(whole[None][0], tree.predict_proba(values))
        assert whole[None][1] == tree.decision_path(values).sum() - len(
            values
        )  # nodes passed, the leaf not counted
        assert set(whole) == {*DEPTHS, 0, None}
        assert whole[0][1] == 0
        assert len(np.unique(whole[0][0], axis=0)) == 1  # at depth 0 all rows are at the root


def test_the_whole_forest_on_the_curve_has_the_accuracy_that_validation_tells(fitted: Fitted) -> None:
    curve = size_curve(fitted, seed=7)
    assert curve is not None
    whole = next(row for row in curve["curve"] if row["trees"] == 20 and row["depth"] is None)
    problem, said = fitted.problem, np.empty(len(fitted.problem.labels), dtype=np.int64)
    for fold, forest in zip(fitted.design.folds, fitted.estimators, strict=True):
        said[fold.test] = forest.predict(problem.values[fold.test])
    assert whole["overall_accuracy"] == pytest.approx(accuracy_score(problem.codes, said), abs=1e-6)


def test_the_smallest_size_is_within_one_standard_error_and_no_cheaper_one_is(fitted: Fitted) -> None:
    curve = size_curve(fitted, seed=7)
    assert curve is not None
    bound = curve["best"]["macro_f1"] - curve["standard_error"]
    smallest = curve["smallest_within_one_standard_error"]
    assert smallest["macro_f1"] >= bound - 1e-6
    cheaper = [row for row in curve["curve"] if row["nodes_per_pixel"] < smallest["nodes_per_pixel"]]
    assert all(row["macro_f1"] < bound for row in cheaper)


def test_auto_takes_the_estimator_that_is_best_under_the_blocks(
    make_samples: Samples, make_settings: Settings
) -> None:
    stated = make_settings().model_dump() | {"estimator": "auto", "parameters": {}}
    auto = TrainSettings.model_validate(stated)
    problem = problem_of(make_samples(2), "coca", NAMES)
    chosen, record = choose(auto, problem, block_design(problem, auto))
    assert record is not None
    assert record["tried"][0]["estimator"] == chosen.estimator
    assert {row["estimator"] for row in record["tried"]} == set(OF_TREES)
    assert record["fits"] == 3 * 3
    assert record["tried"][0]["macro_f1"] == max(row["macro_f1"] for row in record["tried"])


def test_halving_keeps_to_its_budget_and_gives_the_same_for_a_seed(
    make_samples: Samples, make_settings: Settings
) -> None:
    # 3 folds: 9 + 3 + 1 = 13 fits fit into 14; 10 + 3 + 1 = 14 too; 11 + 3 + 1 = 15 do not
    assert _starters(14, 3) == 10
    tuned = make_settings("hist_gradient_boosting", parameters={}, tune={"budget": 14})
    problem = problem_of(make_samples(2), "coca", NAMES)
    design = block_design(problem, tuned)
    one, record = choose(tuned, problem, design)
    assert record is not None
    assert record["fits"] == sum(row["folds"] for row in record["tried"]) <= 14
    assert [row["folds"] for row in record["tried"]] == [3, 2, 2] + 7 * [1]
    assert choose(tuned, problem, design) == (one, record)


def test_a_student_is_kept_only_where_it_is_as_good(
    fitted: Fitted, make_settings: Settings, make_samples: Samples, make_model: Callable[..., Model]
) -> None:
    kind, record = distil(fitted, make_settings())
    lost = [
        max(record[measure] - row[measure] for measure in ("overall_accuracy", "target_f1"))
        for row in record["students"]
    ]
    assert all(most > 0.005 for most in lost[:-1])
    assert record["kept"] == (lost[-1] <= 0.005) == (kind is not None)
    problem, said = fitted.problem, np.empty(len(fitted.problem.labels), dtype=np.int64)
    for fold, forest in zip(fitted.design.folds, fitted.estimators, strict=True):
        said[fold.test] = forest.predict(problem.values[fold.test])
    assert record["overall_accuracy"] == pytest.approx(accuracy_score(problem.codes, said), abs=1e-6)
    coca = problem.keys.index("coca")
    assert record["target_f1"] == pytest.approx(f1_score(problem.codes == coca, said == coca), abs=1e-6)
    large = make_settings(parameters={"n_estimators": 120}, distil=True)
    card = make_model(make_samples(2), large).card
    told = card.validation["distilled_from"]
    assert told["parameters"] == {"n_estimators": 120}
    page = card_page(card)
    assert ("the last student is the model" if told["kept"] else "no student was kept") in page
    assert "all other scores of this card are the teacher" in page
    if told["kept"]:
        last = told["students"][-1]
        assert card.estimator == last["estimator"]
        assert card.parameters.items() >= last["parameters"].items()
        assert told["sha256"] != card.sha256


def test_a_student_of_a_sure_teacher_learns_its_classes(fitted: Fitted, make_settings: Settings) -> None:
    teacher, values = fitted.estimators[0], fitted.problem.values
    perceptron, forest = (student(kind, teacher, values, make_settings()) for kind in STUDENTS[:2])
    for small, least in ((perceptron, 0.8), (forest, 0.9)):
        assert (small.predict(values) == teacher.predict(values)).mean() > least
    assert len(forest.estimators_) == 10


def test_a_perceptron_is_tuned_and_no_missing_feature_is_promised_to_it(
    make_samples: Samples, make_settings: Settings
) -> None:
    tuned = make_settings("perceptron", parameters={}, tune={"budget": 3})
    problem = problem_of(make_samples(2), "coca", NAMES)
    chosen, record = choose(tuned, problem, block_design(problem, tuned))
    assert record is not None
    assert (chosen.estimator, record["fits"]) == ("perceptron", 3)
    with pytest.raises(ValidationError, match="a perceptron cannot take missing features"):
        make_settings("perceptron", missing="native")


def test_where_features_are_missing_no_perceptron_learns(fitted: Fitted, make_settings: Settings) -> None:
    native = make_settings("hist_gradient_boosting", parameters={}, missing="native")
    assert {row["estimator"] for row in distil(fitted, native)[1]["students"]} == {"random_forest"}


def test_a_student_has_the_class_weights_of_its_teacher(
    make_samples: Samples, make_settings: Settings, make_model: Callable[..., Model]
) -> None:
    parameters = {"n_estimators": 20, "class_weight": "balanced"}
    alone = make_model(make_samples(2), make_settings(parameters=parameters)).card
    told = make_model(make_samples(2), make_settings(parameters=parameters, distil=True)).card
    assert told.validation["distilled_from"]["kept"]
    assert told.class_weight == alone.class_weight == "balanced"
    assert told.parameters.get("class_weight") is None
