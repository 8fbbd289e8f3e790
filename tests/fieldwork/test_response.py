from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cocal.fieldwork import agreement, response_table


def matched(**columns: list) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    base = {"stratum": ["a"] * n, "role": ["main"] * n, "status": ["matched"] * n}
    return pd.DataFrame(base | columns)


def test_points_are_counted_by_stratum_and_the_last_row_is_all_of_them() -> None:
    table = response_table(
        matched(
            stratum=["a", "a", "a", "a", "b", None],
            role=["main", "main", "reserve", "main", "main", "main"],
            status=["matched", "not_visited", "matched", "unobserved", "uncertain", "matched"],
        )
    ).set_index("stratum")
    assert table.loc["a", ["tried", "reserve_used", "matched", "not_visited", "unobserved"]].tolist() == [
        4,
        1,
        2,
        1,
        1,
    ]
    assert table.loc["a", "not_visited_share"] == 0.25
    assert table.loc["b", "uncertain"] == 1
    assert table.loc["no stratum", "tried"] == 1
    assert table.loc["", "tried"] == 6
    assert table.loc["", "not_visited_share"] == 1 / 6


def test_agreement_of_a_worked_example() -> None:
    # 4 both coca, 1 coca / forest, 2 forest / coca, 13 both forest: agree 17 / 20;
    # chance 5/20 * 6/20 + 15/20 * 14/20 = 0.6; kappa (0.85 - 0.6) / 0.4; positive 8 / 11, negative 26 / 29
    first = ["coca"] * 5 + ["forest"] * 15
    second = ["coca"] * 4 + ["forest"] + ["coca"] * 2 + ["forest"] * 13
    found = agreement(matched(reference_class=[*first, "coca"], second_class=[*second, None]), "coca")
    assert found["pairs"] == 20
    assert found["agree"] == 0.85
    assert found["kappa"] == pytest.approx(0.625)
    assert found["target_positive"] == pytest.approx(8 / 11)
    assert found["target_negative"] == pytest.approx(26 / 29)


def test_observers_who_both_say_one_class_have_no_kappa_and_no_pairs_give_nothing() -> None:
    same = agreement(matched(reference_class=["forest"] * 3, second_class=["forest"] * 3), "coca")
    assert same["agree"] == 1
    assert np.isnan(same["kappa"])
    assert np.isnan(same["target_positive"])
    assert same["target_negative"] == 1
    assert agreement(matched(reference_class=["coca"], second_class=[None]), "coca") == {}
