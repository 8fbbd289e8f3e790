"""States of figures: what each step needs, what a change of the figure does, what an altered history says."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import InputError, UsageError
from cocal.estimate.editions import (
    HISTORY_COLUMNS,
    STATES,
    Statement,
    check_history,
    figures_of,
    stated,
    states_of,
)

NONE = pd.DataFrame(columns=list(HISTORY_COLUMNS), dtype=str)


def tables(coca: str = "100.5", forest: str = "900") -> dict[str, pd.DataFrame]:
    rows = [("A", "coca", coca), ("A", "forest", forest), ("B", "coca", "20"), ("B", "forest", "80")]
    found = pd.DataFrame(rows, columns=["region_id", "class", "mapped_ha"], dtype=str)
    found = found.assign(period="2024", estimated_ha="", ci_low_ha="", ci_high_ha="")
    return {"region": found, "country": found[:2].drop(columns="region_id").assign(country="PE")}


@cache
def figures(**how: str) -> pd.DataFrame:
    return figures_of(tables(**how), "coca")


def says(state: str, **how: Any) -> Statement:
    return Statement(**{"state": state, "by": "Office", "on": "2025-03-01", "why": "", **how})


def approved(now: pd.DataFrame) -> pd.DataFrame:
    return stated(stated(NONE, now, says("checked")), now, says("approved"))


def test_without_an_edition_every_figure_is_a_draft() -> None:
    found = states_of(NONE, figures())
    assert found[["level", "place", "mapped_ha", "state", "before_state"]].to_numpy().tolist() == [
        ["region", "A", "100.5", "draft", ""],
        ["region", "B", "20", "draft", ""],
        ["country", "PE", "100.5", "draft", ""],
    ]


def test_a_figure_that_changes_is_a_draft_beside_its_approved_edition_and_the_others_stay_approved() -> None:
    found = states_of(approved(figures()), figures(coca="90.25"))
    a, b, country = found.to_dict("records")
    assert (a["state"], a["before_state"], a["before_mapped_ha"]) == ("draft", "approved", "100.5")
    assert a["mapped_difference_ha"] == "-10.2500"
    assert a["estimated_difference_ha"] == ""
    assert (b["state"], b["by"], b["on"], b["before_state"]) == ("approved", "Office", "2025-03-01", "")
    assert country["state"] == "draft"


def test_another_class_of_the_place_that_changes_makes_its_figure_a_draft_too() -> None:
    found = states_of(approved(figures()), figures(forest="901"))
    assert found["state"].tolist() == ["draft", "approved", "draft"]
    assert found["mapped_difference_ha"].iloc[0] == "0.0000"


def test_digits_behind_the_fourth_decimal_make_no_other_figure() -> None:
    found = states_of(approved(figures()), figures(coca="100.50000000001"))
    assert set(found["state"]) == {"approved"}
    assert states_of(approved(figures()), figures(coca="100.5001"))["state"].iloc[0] == "draft"


def test_a_revision_keeps_the_edition_before_and_shows_the_difference() -> None:
    new = figures(coca="110.5")
    history = stated(
        stated(approved(figures()), new[:1], says("checked")), new[:1], says("revised", why="map")
    )
    row = states_of(history, new).to_dict("records")[0]
    assert (row["state"], row["why"], row["edition"]) == ("revised", "map", "4")
    assert (row["before_mapped_ha"], row["mapped_difference_ha"]) == ("100.5", "10.0000")
    assert len(history) == 8


def test_what_was_withdrawn_is_no_edition_before() -> None:
    history = stated(approved(figures()), figures(), says("draft", why="an error"))
    assert states_of(history, figures(coca="1"))["before_state"].tolist() == ["", "", ""]


def refused(history: pd.DataFrame, now: pd.DataFrame, statement: Statement) -> str:
    with pytest.raises(UsageError) as caught:
        stated(history, now, statement)
    return str(caught.value)


def test_steps_that_are_missing_are_named() -> None:
    now, new = figures(), figures(coca="1")
    assert "region A of 2024: was not checked" in refused(NONE, now, says("approved"))
    assert "is a draft" in refused(NONE, now, says("draft", why="x"))
    assert "is approved" in refused(approved(now), now, says("checked"))
    checked = stated(NONE, now, says("checked"))
    assert "has no approved figure before it" in refused(checked, now, says("revised", why="x"))
    again = stated(approved(now), new[:1], says("checked"))
    assert "it is revised" in refused(again, new[:1], says("approved"))
    assert "no figure" in refused(NONE, now[:0], says("checked"))


@pytest.mark.parametrize(
    "wrong",
    [says("final"), says("checked", by=""), says("checked", on=""), says("revised"), says("draft")],
)
def test_a_statement_without_office_day_or_reason_is_refused(wrong: Statement) -> None:
    assert "not complete" in refused(NONE, figures(), wrong)


@pytest.mark.parametrize("column", [c for c in HISTORY_COLUMNS if c != "sha256"])
def test_an_altered_cell_of_the_history_is_refused_by_its_row(column: str) -> None:
    history = approved(figures())
    assert check_history(history, "editions.csv") is history
    history.loc[4, column] += "1"
    with pytest.raises(InputError, match=r"editions.csv: row 5 \(edition"):
        check_history(history, "editions.csv")


def test_a_row_that_was_taken_out_or_moved_is_refused() -> None:
    history = approved(figures())
    for rows in (history.drop(index=2), history[::-1], history.drop(columns="why")):
        with pytest.raises(InputError):
            check_history(rows.reset_index(drop=True), "editions.csv")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(["5", "6", "7"])), max_size=8))
def test_no_state_but_draft_stands_beside_figures_that_no_edition_stated(
    steps: list[tuple[str, str]],
) -> None:
    history = NONE
    for state, coca in steps:
        try:
            history = stated(history, figures(coca=coca), says(state, why="x"))
        except UsageError:
            continue
    check_history(history, "")
    for coca in ("5", "6", "7", "8"):
        row = states_of(history, figures(coca=coca)).to_dict("records")[0]
        last = history[history["place"] == "A"].tail(1).to_dict("records")
        same = bool(last) and last[0]["mapped_ha"] == coca
        assert row["state"] == (last[0]["state"] if same else "draft")
        assert row["before_mapped_ha"] != coca
