"""The rule of k: what is joined, what is left out, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.exchanging import DIGEST, REGIONS, bundle_of, random_land, source_of

from cocal.errors import InputError
from cocal.exchange.make import make_bundle
from cocal.exchange.merge import merge
from cocal.exchange.rule import Places, protect
from cocal.exchange.survey import BOTH, OWN, Survey, answer

STRATA = pd.DataFrame({"stratum": ["a", "b"], "area_ha": [10.0, 1000.0]})


def stock(rows, names=(OWN,), period="2024"):
    """A survey of cells: stratum, place, map class, classes on the ground, points."""
    cells = pd.DataFrame(rows, columns=["stratum", "place", "map_class", *names, "points"])
    return Survey((period,), DIGEST, "stratified", (), STRATA, cells, None)


def places(*regions, alone=None, before=None):
    own = {r: r[:2] for r in regions}
    return Places(own, frozenset(regions if alone is None else alone), before or {})


def rows_of(found):
    return [tuple(row) for row in found.surveys[0].cells.itertuples(index=False)]


THREE = [
    ("a", "PE1", "coca", "coca", 9), ("a", "PE2", "coca", "coca", 2), ("a", "PE3", "coca", "coca", 4),
    ("b", "PE1", "forest", "bare", 8), ("b", "PE2", "forest", "bare", 7), ("b", "PE3", "bare", "forest", 5),
]  # fmt: skip


def test_a_region_with_a_cell_below_k_is_joined_with_the_one_that_has_most_points_in_that_cell():
    """PE2 has 2 points in a cell, k is 3; of PE1 (9) and PE3 (4) the first fills it."""
    found = protect([stock(THREE)], [OWN], places("PE1", "PE2", "PE3"), least=3, target="coca")
    assert found.place_of == {"PE1": "PE joined", "PE2": "PE joined", "PE3": "PE3"}
    assert rows_of(found) == [
        ("a", "PE joined", "coca", "coca", 11), ("a", "PE3", "coca", "coca", 4),
        ("b", "PE joined", "other", "other", 15), ("b", "PE3", "other", "other", 5),
    ]  # fmt: skip


def test_with_k_of_one_nothing_is_merged():
    found = protect([stock(THREE)], [OWN], places("PE1", "PE2", "PE3"), least=1, target="coca")
    assert rows_of(found) == THREE
    assert found.place_of == {"PE1": "PE1", "PE2": "PE2", "PE3": "PE3"}


def test_a_cell_of_exactly_k_points_is_not_joined():
    found = protect([stock(THREE)], [OWN], places("PE1", "PE2", "PE3"), least=2, target="coca")
    assert set(found.place_of.values()) == {"PE1", "PE2", "PE3"}


def test_what_an_earlier_bundle_joined_stays_joined():
    before = {"PE1": "PE joined", "PE3": "PE joined", "PE2": "PE2"}
    own = places("PE1", "PE2", "PE3", before=before)
    assert protect([stock(THREE)], [OWN], own, least=2, target="coca").place_of == before
    joined = protect([stock(THREE)], [OWN], own, least=3, target="coca").place_of
    assert set(joined.values()) == {"PE joined"}


def test_a_region_whose_hectares_may_not_stand_by_themselves_is_joined_with_another():
    own = places("PE1", "PE2", "PE3", alone=["PE1", "PE2"])
    found = protect([stock(THREE)], [OWN], own, least=2, target="coca").place_of
    assert found["PE3"] == "PE joined"
    assert list(found.values()).count("PE joined") == 2


def test_regions_of_two_countries_are_never_joined():
    rows = [*THREE, ("a", "BO1", "coca", "coca", 3), ("b", "BO1", "forest", "bare", 9)]
    found = protect([stock(rows)], [OWN], places("PE1", "PE2", "PE3", "BO1"), least=3, target="coca")
    assert found.place_of["BO1"] == "BO1"


def test_classes_of_the_map_are_one_in_a_stratum_where_a_whole_country_does_not_fill_a_cell():
    """In b 2 points of coca lie on forest and 3 on mapped coca: together 5, of any class of the map."""
    rows = [*THREE, ("b", "PE1", "forest", "coca", 2), ("b", "PE1", "coca", "coca", 3)]
    found = protect([stock(rows)], [OWN], places("PE1", "PE2", "PE3"), least=3, target="coca")
    assert found.any_class == ("b",)
    cells = {row[:4]: row[4] for row in rows_of(found)}
    assert cells[("b", "PE joined", "any", "coca")] == 5
    assert cells[("a", "PE joined", "coca", "coca")] == 11


def test_a_cell_that_a_whole_country_does_not_fill_is_refused_by_name():
    rows = [*THREE, ("b", "PE1", "forest", "coca", 2)]
    with pytest.raises(InputError, match="fewer than 3 points") as caught:
        protect([stock(rows)], [OWN], places("PE1", "PE2", "PE3"), least=3, target="coca")
    assert "PE: b, any, coca" in str(caught.value)


def test_the_last_definition_that_has_small_cells_is_left_out():
    rows = [(*row[:4], row[3], row[4]) for row in THREE] + [("a", "PE1", "coca", "coca", "not_counted", 1)]
    found = protect(
        [stock(rows, (OWN, "joint"))], [OWN, "joint"], places("PE1", "PE2", "PE3"), least=2, target="coca"
    )
    assert found.definitions == (OWN,)
    assert found.surveys[0].answers == [OWN]


def pairs(rows):
    names = [answer(OWN, when) for when in BOTH]
    cells = pd.DataFrame(rows, columns=["stratum", "place", "map_class", *names, "points"])
    return Survey(("2023", "2024"), DIGEST, "stratified", (), STRATA, cells, None)


def test_points_of_one_period_alone_are_a_cell_that_follows_as_a_difference():
    """Of 9 points of coca in PE1 8 are in a pair: 1 follows, and change is left out."""
    stocks = [stock(THREE, period=period) for period in ("2023", "2024")]
    counts = {"a": (8, 2, 4), "b": (8, 7, 5)}
    words = {"a": "coca", "b": "other"}
    both = [
        (stratum, f"PE{i + 1}", f"{word} to {word}", word, word, counts[stratum][i])
        for stratum, word in words.items()
        for i in range(3)
    ]
    own = places("PE1", "PE2", "PE3")
    found = protect([*stocks, pairs(both)], [OWN], own, least=2, target="coca")
    assert [survey.periods for survey in found.surveys] == [("2023",), ("2024",)]
    whole = [("a", "PE1", "coca to coca", "coca", "coca", 9), *both[1:]]
    found = protect([*stocks, pairs(whole)], [OWN], own, least=2, target="coca")
    assert len(found.surveys) == 3


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), least=st.integers(2, 6))
def test_no_cell_of_a_bundle_is_below_k_and_all_points_are_in_it(seed, least):
    land = random_land(seed, calibrated=False, per_stratum=(300, 400))
    try:
        bundle = bundle_of(land, land.points, set(REGIONS), "PE", DIGEST, least)
    except InputError as err:
        assert "fewer than" in str(err)  # noqa: PT017 - a refusal is an answer too
        return
    assert min(cell[4] for survey in bundle.surveys for cell in survey.cells) >= least
    for survey in bundle.surveys:
        assert sum(cell[4] for cell in survey.cells) == len(land.points)
    assert sorted(r for place in bundle.places for r in place.regions) == sorted(REGIONS)


def test_countries_and_the_whole_keep_their_figures_where_regions_are_joined():
    """Joined regions lose their own figures only: others are those of the bundle where nothing is joined."""
    land = random_land(7, calibrated=False, per_stratum=(300, 400))
    source = source_of(land, land.points, set(REGIONS), DIGEST)
    joined = make_bundle(replace(source, alone=frozenset(REGIONS[:4])), "PE", 2)
    assert joined.rule.joined_regions >= 2
    tables = []
    for bundle in (make_bundle(source, "PE", 2), joined):
        own = merge([bundle]).hectares
        tables.append(own[(own["level"] != "place") & (own["class"] == "coca")].reset_index(drop=True))
    pd.testing.assert_frame_equal(*tables)
