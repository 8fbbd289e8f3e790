from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cocal.classify.settings import TrainSettings
from cocal.classify.training.checks import check_labels, out_of_fold, record_unused, suspects, write_checks
from cocal.classify.validation.validate import Fitted, block_design, problem_of, validate
from cocal.contracts import Period
from cocal.notes.account import recorded

NAMES = ["NDVI@01", "NDVI@02", "NDMI.std", "noise"]
YEAR = Period("2020", date(2020, 1, 1), date(2020, 12, 31))
Samples = Callable[..., pd.DataFrame]
Settings = Callable[..., TrainSettings]


def fitted_to(table: pd.DataFrame, settings: TrainSettings) -> Fitted:
    problem = problem_of(table, "coca", NAMES)
    return validate(problem, block_design(problem, settings), settings)


@pytest.fixture(scope="module")
def swapped(make_samples: Samples, make_settings: Settings) -> tuple[pd.DataFrame, list[str], Fitted]:
    """Invented samples of which four coca are labelled forest."""
    table = make_samples(4)
    wrong = table.index[table["label"] == "coca"][:4]
    level, random = table["label"].map({"coca": 0.2, "pasture": 0.5, "forest": 0.8}), np.random.default_rng(4)
    for name in NAMES[:3]:
        table[name] = (level + random.normal(0, 0.1, len(table))).astype(np.float32)
    table.loc[wrong, "label"] = "forest"
    return table, table["sample_id"][wrong].tolist(), fitted_to(table, make_settings())


def test_swapped_labels_are_suspected_and_few_others_are(
    swapped: tuple[pd.DataFrame, list[str], Fitted],
) -> None:
    table, wrong, fitted = swapped
    found = suspects(fitted)
    caught = found[found["sample_id"].isin(wrong)]
    assert len(caught) >= 3
    assert (caught["likelier"] == "coca").all()
    assert len(found) < len(table) / 8
    assert found["probability"].is_monotonic_decreasing


def test_each_row_is_judged_by_the_model_that_did_not_see_it(
    swapped: tuple[pd.DataFrame, list[str], Fitted],
) -> None:
    fitted = swapped[2]
    found = out_of_fold(fitted)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    fold, forest = fitted.design.folds[1], fitted.estimators[1]
    np.testing.assert_array_equal(found[fold.test], forest.predict_proba(fitted.problem.values[fold.test]))


def test_every_rule_finds_what_was_planted(make_samples: Samples, make_settings: Settings) -> None:
    table = make_samples(4).assign(labelled_on="2020-06-01")
    fitted = fitted_to(table, make_settings())
    coca, forest = (table.index[table["label"] == k] for k in ("coca", "forest"))
    table.loc[forest[0], ["x", "y"]] = table.loc[coca[0], ["x", "y"]].to_numpy()
    table.loc[forest[1], NAMES] = table.loc[coca[1], NAMES].to_numpy()
    table.loc[coca[2], NAMES] = np.nan
    table.loc[coca[3], "labelled_on"] = "2018-06-01"
    table.loc[coca[4], "labelled_on"] = None
    found = check_labels(table, fitted, YEAR)

    def of(rule: str) -> set[str]:
        return set(found[found["rule"] == rule]["sample_id"])

    ids = table["sample_id"]
    assert of("same_place") == {ids[forest[0]], ids[coca[0]]}
    assert of("same_values") == {ids[forest[1]], ids[coca[1]]}
    assert of("not_seen") == {ids[coca[2]]}
    assert of("out_of_season") == {ids[coca[3]], ids[coca[4]]}
    assert found["found"][found["rule"] == "same_place"].iloc[0] == "coca and forest at this place"


def test_samples_that_do_not_train_are_recorded(make_samples: Samples, make_settings: Settings) -> None:
    table = make_samples(4)
    ids = table["sample_id"].tolist()
    whole, part = (fitted_to(own.reset_index(drop=True), make_settings()) for own in (table, table.iloc[2:]))
    table.loc[5, NAMES] = np.nan
    with recorded() as notes:
        record_unused(ids, table, whole)
        record_unused(["tiny", *ids], table, part)
    one, four = (note.values for note in notes)
    assert (one["n"], one["bare"], one["unseen"], one["which"]) == (1, 0, 1, (ids[5],))
    assert (four["n"], four["of"], four["which"]) == (4, len(ids) + 1, ("tiny", ids[0], ids[1], ids[5]))


def test_a_sample_with_one_unclear_pixel_trains_and_is_named_as_seen_in_part(
    make_samples: Samples, make_settings: Settings
) -> None:
    table = make_samples(4)
    ids = table["sample_id"].tolist()
    table.loc[[0, 1], "sample_id"] = ids[0]  # a sample of two pixels
    table.loc[1, NAMES] = np.nan
    fitted = fitted_to(table.drop(index=1).reset_index(drop=True), make_settings())
    with recorded() as notes:
        record_unused(table["sample_id"].unique().tolist(), table, fitted)
    (note,) = notes
    assert (note.values["n"], note.values["share"], note.values["partly"]) == (0, 0, 1)
    assert note.values["which"] == (ids[0],)


def test_clean_labels_give_an_empty_table(make_samples: Samples, make_settings: Settings) -> None:
    table = make_samples(4)
    level = table["label"].map({"coca": 0.2, "pasture": 0.5, "forest": 0.8})
    for name in NAMES[:3]:
        table[name] = (level + np.linspace(0, 0.01, len(table))).astype(np.float32)
    assert check_labels(table, fitted_to(table, make_settings()), YEAR).empty


def test_the_page_shows_pictures_and_escapes_what_a_file_says(
    swapped: tuple[pd.DataFrame, list[str], Fitted], tmp_path: Path
) -> None:
    table, _, fitted = swapped
    findings = check_labels(table, fitted, YEAR)
    findings.loc[0, "found"] = "<script>alert(1)</script>"
    write_checks(tmp_path, findings, fitted, simulated=True)
    page = (tmp_path / "labels.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64") == 2
    assert "<script>" not in page
    assert "SIMULATED" in page
    assert len(pd.read_csv(tmp_path / "labels.csv")) == len(findings)
