from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from cocal.accuracy import (
    confusion,
    f1,
    kappa,
    macro_f1,
    overall_accuracy,
    producers_accuracy,
    users_accuracy,
)
from cocal.errors import InputError

# Olofsson et al. 2014 (RSE 148:42), Table 8: rows map, columns reference; order deforestation,
# forest gain, stable forest, stable non-forest. Mapped pixels below it.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
# Proportions of area p_ij = W_i n_ij / n_i. (eq. 4)
AREAS = (PIXELS / PIXELS.sum() / OLOFSSON.sum(axis=1))[:, None] * OLOFSSON


def test_a_confusion_matrix_has_map_classes_in_rows_and_reference_classes_in_columns() -> None:
    counts = confusion(
        reference=["coca", "coca", "forest"], mapped=["forest", "coca", "forest"], labels=["coca", "forest"]
    )
    assert counts.tolist() == [[1, 0], [1, 1]]


def test_users_accuracy_is_that_of_olofsson_2014_table_8() -> None:
    # 66/75, 55/75, 153/165, 313/325; printed .88 .73 .93 .96
    assert users_accuracy(OLOFSSON) == pytest.approx([66 / 75, 55 / 75, 153 / 165, 313 / 325])
    assert users_accuracy(OLOFSSON).round(2).tolist() == [0.88, 0.73, 0.93, 0.96]


def test_producers_and_overall_accuracy_by_area_are_those_of_olofsson_2014_table_9() -> None:
    p = AREAS
    assert producers_accuracy(p).round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert overall_accuracy(p) == pytest.approx(0.946512, abs=5e-7)
    # deforestation: 235,086.25 pixels of 10 million
    assert p.sum(axis=0)[0] * 10_000_000 == pytest.approx(235_086.25, abs=0.01)


def test_weights_leave_users_accuracy_as_it_is() -> None:
    assert users_accuracy(AREAS) == pytest.approx(users_accuracy(OLOFSSON))


def test_a_class_that_was_never_mapped_or_found_has_no_accuracy_instead_of_zero() -> None:
    counts = [[3, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert users_accuracy(counts)[0] == 0.75
    assert np.isnan(users_accuracy(counts)).tolist() == [False, True, True]
    assert np.isnan(producers_accuracy(counts)).tolist() == [False, False, True]
    assert f1(counts)[:2].tolist() == [2 * 3 / (4 + 3), 0.0]
    assert np.isnan(f1(counts)[2])
    assert macro_f1(counts) == pytest.approx((6 / 7 + 0) / 2)


def test_an_empty_matrix_has_no_score() -> None:
    empty = np.zeros((2, 2))
    assert all(np.isnan(score(empty)) for score in (overall_accuracy, macro_f1, kappa))


def test_kappa_is_agreement_beyond_chance() -> None:
    # 24 of 40 units agree; chance (20 * 16 + 20 * 24) / 40**2 = 0.5
    assert kappa([[10, 10], [6, 14]]) == pytest.approx((24 / 40 - 0.5) / 0.5)
    assert np.isnan(kappa([[7, 0], [0, 0]]))


def test_a_label_outside_the_list_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="maize"):
        confusion(["coca"], ["maize"], ["coca"])


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="lengths"):
        confusion(["coca"], ["coca", "coca"], ["coca"])


labels = hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 3))


@given(labels, st.integers(0, 2**32 - 1))
def test_all_scores_equal_those_of_scikit_learn(reference: np.ndarray, seed: int) -> None:
    mapped = np.random.default_rng(seed).permutation(reference)
    counts = confusion(reference, mapped, [0, 1, 2, 3])
    assert (counts == metrics.confusion_matrix(reference, mapped, labels=[0, 1, 2, 3]).T).all()
    assert overall_accuracy(counts) == pytest.approx(metrics.accuracy_score(reference, mapped))
    assert macro_f1(counts) == pytest.approx(metrics.f1_score(reference, mapped, average="macro"))
    present = np.unique(reference)
    if present.size > 1:
        assert kappa(counts) == pytest.approx(metrics.cohen_kappa_score(reference, mapped))
    recall = metrics.recall_score(reference, mapped, labels=present, average=None)
    assert producers_accuracy(counts)[present] == pytest.approx(recall)
    precision = metrics.precision_score(reference, mapped, labels=present, average=None)
    assert users_accuracy(counts)[present] == pytest.approx(precision)
