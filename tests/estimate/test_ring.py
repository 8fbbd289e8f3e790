"""Agreement and accuracy of teams that label the same images: published figures, other programs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest, chi2

from cocal.errors import InputError
from cocal.estimate.latent import latent_accuracy
from cocal.estimate.ring import LATENT, REFERENCE, agreement, binomial_ends, known_accuracy, ring_result

PATTERNS = ((1, 1), (1, 0), (0, 1), (0, 0))


def images(*strata):
    """(calls, stratum) of counts per stratum: both, the first only, the second only, none."""
    calls, stratum = [], []
    for number, counts in enumerate(strata):
        for pattern, n in zip(PATTERNS, counts, strict=True):
            calls += [pattern] * n
            stratum += [number] * n
    return np.array(calls, dtype=bool), np.array(stratum)


TUBERCULOSIS = images((14, 4, 9, 528), (887, 31, 37, 367))
"""Hui and Walter (1980), Table 1: Mantoux and Tine tests in a school district and a sanatorium."""


def log_likelihood(theta, calls, stratum):
    p, a, b = theta[:2], theta[2:4], theta[4:]
    yes = p[stratum] * np.prod(np.where(calls, a, 1 - a), axis=1)
    no = (1 - p[stratum]) * np.prod(np.where(calls, 1 - b, b), axis=1)
    return np.log(yes + no).sum()


def test_hui_and_walters_example_has_their_published_error_rates() -> None:
    rows, fit = latent_accuracy(*TUBERCULOSIS, confidence=0.95)
    assert np.round(1 - rows[:, 0], 4).tolist() == [0.0339, 0.0312]
    assert np.round(1 - rows[:, 3], 4).tolist() == [0.0067, 0.0159]
    assert fit is None


@pytest.mark.parametrize(("team", "column", "at"), [(0, 1, 2), (1, 2, 3), (0, 4, 4), (1, 4, 5)])
def test_an_end_is_where_another_optimisers_profile_crosses_the_cut(team: int, column: int, at: int) -> None:
    rows, _ = latent_accuracy(*TUBERCULOSIS, confidence=0.95)
    start = np.array([0.0268, 0.7168, *rows[:, 0], *rows[:, 3]])
    top = log_likelihood(start, *TUBERCULOSIS)
    fixed = rows[team, column]

    def loss(free):
        return -log_likelihood(np.insert(free, at, fixed), *TUBERCULOSIS)

    bounds = [(1e-6, 1 - 1e-6)] * 5
    found = minimize(loss, np.delete(start, at), method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14})
    assert top + found.fun == pytest.approx(chi2.ppf(0.95, 1) / 2, abs=0.02)


def test_teams_that_never_differ_have_exact_binomial_ends() -> None:
    rows, _ = latent_accuracy(*images((40, 0, 0, 10), (1, 0, 0, 99)), confidence=0.95)
    for row in rows:
        assert row[[0, 2, 3, 5]] == pytest.approx(1)
        assert row[1] == pytest.approx(0.025 ** (1 / 41), abs=1e-4)
        assert row[4] == pytest.approx(0.025 ** (1 / 109), abs=1e-4)


def test_a_third_stratum_tests_the_model_and_mistakes_made_together_there_are_seen() -> None:
    kind = (80, 10, 10, 100), (8, 1, 1, 190)
    _, good = latent_accuracy(*images(*kind, (40, 5, 5, 150)), confidence=0.95)
    _, bad = latent_accuracy(*images(*kind, (20, 60, 60, 60)), confidence=0.95)
    assert good is not None
    assert bad is not None
    assert good.freedom == 9 - 7
    assert good.p > 0.5
    assert bad.p < 1e-6
    assert bad.p == pytest.approx(chi2.sf(bad.deviance, 2))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.lists(st.integers(1, 60), min_size=4, max_size=4), min_size=2, max_size=3))
def test_ends_hold_the_estimate_and_the_order_of_teams_does_not_count(counts: list[list[int]]) -> None:
    strong = [(200, 10, 10, 20), (5, 3, 4, 300), *map(tuple, counts)]
    calls, stratum = images(*strong)
    rows, _ = latent_accuracy(calls, stratum, confidence=0.9)
    for low, at, high in (rows[:, [1, 0, 2]].T, rows[:, [4, 3, 5]].T):
        assert (low <= at + 1e-6).all()
        assert (at <= high + 1e-6).all()
    assert ((rows >= 0) & (rows <= 1)).all()
    turned, _ = latent_accuracy(calls[:, ::-1], stratum, confidence=0.9)
    assert turned[::-1] == pytest.approx(rows, abs=2e-3)


def test_one_team_or_two_in_one_stratum_tell_nothing_and_three_do() -> None:
    calls, stratum = TUBERCULOSIS
    for given_calls, own in ((calls[:, :1], stratum), (calls, stratum * 0)):
        with pytest.raises(InputError, match="cannot be estimated"):
            latent_accuracy(given_calls, own, confidence=0.95)
    rows, fit = latent_accuracy(np.column_stack([calls, calls[:, :1]]), stratum * 0, confidence=0.95)
    assert rows.shape == (3, 6)
    assert fit is None


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (1, 300)])
def test_ends_of_a_share_are_scipys_exact_ones(k: int, n: int) -> None:
    wanted = binomtest(k, n).proportion_ci(0.9)
    assert binomial_ends(k, n, 0.9) == pytest.approx((wanted.low, wanted.high))


def test_with_visits_accuracy_is_a_share_of_images() -> None:
    truth = np.array([True] * 10 + [False] * 20)
    calls = np.column_stack([truth, truth])
    calls[0, 0] = False
    calls[10:12, 1] = True
    found = known_accuracy(calls, truth, ["a", "b"], confidence=0.95)
    assert found.table.loc["a", ["sensitivity", "specificity"]].tolist() == [0.9, 1.0]
    assert found.table.loc["b", ["sensitivity", "specificity"]].tolist() == [1.0, 0.9]
    low, high = binomial_ends(9, 10, 0.95)[0], 1.0
    assert found.band == ((low, high), (binomial_ends(18, 20, 0.95)[0], 1.0))
    for kind in (truth | True, truth & False):
        with pytest.raises(InputError, match="both kinds"):
            known_accuracy(calls, kind, ["a", "b"], confidence=0.95)


def test_agreement_on_the_target_and_on_the_rest() -> None:
    a = ["coca"] * 5 + ["bare"] * 5
    b = ["coca"] * 4 + ["forest"] + ["coca"] + ["bare"] * 4
    found = agreement(a, b, ["coca", "bare", "forest"], "coca")
    assert found["overall"] == 0.8
    assert found["target_positive"] == pytest.approx(2 * 4 / (5 + 5))
    assert found["target_negative"] == pytest.approx(2 * 4 / (5 + 5))
    none = agreement(["bare"], ["bare"], ["coca", "bare"], "coca")
    assert np.isnan(none["target_positive"])
    assert none["target_negative"] == 1


def ring(truth: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    calls, stratum = images((40, 3, 4, 13), (2, 1, 1, 56))
    labels = pd.DataFrame(np.where(calls, "coca", "bare"), columns=["a", "b"])
    places = pd.DataFrame({"stratum": np.array(["mapped", "elsewhere"])[stratum], "truth": truth})
    return labels, places


def test_images_that_a_team_could_not_tell_are_counted_and_left_out() -> None:
    labels, places = ring("")
    labels.loc[[0, 1], "a"] = ""
    found = ring_result(labels, places, ["coca", "bare"], "coca", confidence=0.95)
    assert found.judged.to_dict() == {"a": 118, "b": 120}
    assert found.accuracy.n == found.matrix.to_numpy().sum() == found.pairs.loc["a - b", "n"] == 118
    assert found.matrix.loc["coca", "bare"] == 4
    assert found.accuracy.basis == LATENT
    assert found.usable
    with pytest.raises(InputError, match="too few"):
        ring_result(labels.assign(a=""), places, ["coca", "bare"], "coca", confidence=0.95)


def test_the_truth_of_every_image_takes_the_place_of_the_model() -> None:
    labels, places = ring("bare")
    places.loc[:49, "truth"] = "coca"
    found = ring_result(labels, places, ["coca", "bare"], "coca", confidence=0.95)
    assert found.accuracy.basis == REFERENCE
    places.loc[3, "truth"] = ""
    assert ring_result(labels, places, ["coca", "bare"], "coca", confidence=0.95).accuracy.basis == LATENT
