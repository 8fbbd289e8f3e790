"""Definitions of the target side by side: what counts, what cannot be told, what is refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.crosswalk import Crosswalk, read_crosswalk
from cocal.errors import ConfigError, InputError
from cocal.scheme import read_scheme

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "configs" / "schemes" / "coca-definitions.yaml"
WORDS = {"es": "e", "en": "n"}
VALUES = {
    "state": {"young": {"es": "joven", "en": "young plants"}, "old": {"es": "vieja", "en": "old plants"}},
    "shade": {"open": {"es": "sol", "en": "sun"}, "shaded": {"es": "sombra", "en": "under shade"}},
}


def crosswalk(*rules: dict, **more: object) -> Crosswalk:
    own = {"id": "mine", "name": WORDS, "text": WORDS, "source": "a test", "counts": list(rules)} | more
    return Crosswalk.model_validate(
        {"id": "test", "target": "coca", "attributes": VALUES, "definitions": [own]}
    )


def rows(*records: tuple) -> pd.DataFrame:
    return pd.DataFrame(records, columns=["class", "state", "shade", "age", "cover"])


def test_a_rule_holds_where_all_its_conditions_do_and_one_rule_is_enough() -> None:
    both = crosswalk(
        {"state": ["old"], "cover": {"least": 50}},
        {"state": ["young"], "shade": ["open"], "age": {"most": 2}},
    )
    table = rows(
        ("coca", "old", "shaded", 9, 50),  # exactly the least cover
        ("coca", "old", "open", 9, 49.9),
        ("coca", "young", "open", 2, 10),  # exactly the greatest age
        ("coca", "young", "open", 2.1, 90),
        ("coca", "young", "shaded", 1, 90),
    )
    assert both.counts(table, "mine").tolist() == [True, False, True, False, False]


def test_what_is_missing_matters_only_where_the_rest_leaves_the_answer_open() -> None:
    own = crosswalk({"state": ["old"], "cover": {"least": 50}})
    table = rows(
        ("coca", "young", None, None, None),  # not old, whatever the cover
        ("coca", "old", None, None, None),
        ("coca", None, None, None, 10),  # too thin, whatever the state
        ("coca", None, None, None, 60),
        ("forest", None, None, None, None),  # no coca there
        ("forest", "old", None, None, 60),  # coca under another class
        (None, None, None, None, None),
    )
    found = own.counts(table, "mine")
    assert found.tolist()[:1] + found.tolist()[2:3] == [False, False]
    assert found.isna().tolist() == [False, True, False, True, False, False, True]
    assert found.tolist()[4:6] == [False, True]
    assert own.lacking(table, "mine") == {"state": 1, "cover": 1}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["coca", "forest"]),
            st.sampled_from(["young", "old", None]),
            st.sampled_from(["open", "shaded", None]),
            st.sampled_from([0.0, 2.0, 5.0, None]),
            st.sampled_from([0.0, 50.0, 100.0, None]),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=40)
def test_an_answer_is_that_of_every_way_to_fill_what_is_missing(records: list[tuple]) -> None:
    own = crosswalk(
        {"state": ["old"], "age": {"least": 2}},
        {"shade": ["open"], "cover": {"least": 50}, "state": ["young"]},
    )
    table = rows(*records)
    for record, answer in zip(records, own.counts(table, "mine"), strict=True):
        if record[0] == "forest" and record[1] is None:
            assert answer is False or not answer
            continue
        filled = [
            (state == "old" and age >= 2) or (shade == "open" and cover >= 50 and state == "young")
            for state, shade, age, cover in product(
                *(
                    [value] if value is not None else choices
                    for value, choices in zip(
                        record[1:], (["young", "old"], ["open", "shaded"], [0, 2], [0, 50]), strict=True
                    )
                )
            )
        ]
        if not pd.isna(answer):
            assert set(filled) == {bool(answer)}
        else:
            assert None in record


def test_a_cell_holds_a_value_or_one_of_its_names_in_any_letters() -> None:
    own = crosswalk({"state": ["old"]})
    table = rows(*(("coca", text, "", None, None) for text in ("old", "Vieja", " OLD PLANTS ", "joven")))
    assert own.counts(table, "mine").tolist() == [True, True, True, False]


def test_values_that_the_crosswalk_lacks_are_refused_by_name() -> None:
    table = rows(("coca", "ripe", "moonlight", None, None))
    with pytest.raises(InputError, match=r"state: 'ripe'.*shade: 'moonlight'"):
        crosswalk({"state": ["old"]}).counts(table, "mine")


def test_a_table_without_the_columns_states_nothing() -> None:
    table = pd.DataFrame({"class": ["coca", "forest"]})
    found = crosswalk({"state": ["old"]}).counts(table, "mine")
    assert found.isna().tolist() == [True, False]


def test_classes_may_stand_for_states() -> None:
    own = crosswalk({"classes": ["coca", "coca_nursery"]})
    table = pd.DataFrame({"class": ["coca", "coca_nursery", "forest"]})
    assert own.counts(table, "mine").tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": [{"state": ["ripe"]}]}, "mine: state 'ripe' is not in `attributes`"),
        ({"counts": [{"age": {}}]}, "give `least`, `most` or both"),
        ({"counts": [{"age": {"least": 3, "most": 2}}]}, "`least` 3 is above `most` 2"),
        ({"official": ["a", "a"]}, "official definition 'a' is listed twice"),
        ({"counts": []}, "at least 1"),
    ],
)
def test_a_crosswalk_that_cannot_be_used_is_refused(tmp_path: Path, change: dict, words: str) -> None:
    own = {"id": "mine", "name": WORDS, "text": WORDS, "source": "s", "counts": [{"state": ["old"]}]} | change
    path = tmp_path / "crosswalk.yaml"
    path.write_text(
        yaml.safe_dump({"id": "t", "target": "coca", "attributes": VALUES, "definitions": [own]}),
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=words):
        read_crosswalk(path)


def test_two_values_may_not_share_a_name() -> None:
    doubled = {"state": {"a": {"es": "x", "en": "y"}, "b": {"es": "X", "en": "z"}}}
    with pytest.raises(ValueError, match="'x' names two values"):
        Crosswalk.model_validate(crosswalk({"age": {"least": 1}}).model_dump() | {"attributes": doubled})


def test_the_shipped_definitions_are_nested_and_of_the_border_scheme() -> None:
    """Whatever is in production is planted, and whatever is planted is cultivated."""
    shipped, scheme = read_crosswalk(SHIPPED), read_scheme(ROOT / "configs/schemes/border-coca.yaml")
    states = list(shipped.attributes["state"])
    table = pd.DataFrame({"class": "coca", "state": states})
    counted = {
        own: {s for s, yes in zip(states, shipped.counts(table, own), strict=True) if yes}
        for own in shipped.ids
    }
    assert counted == {
        "pe_in_production": {"productive", "pruned"},
        "joint": {"young", "productive", "pruned"},
        "bo_cultivated": {"nursery", "young", "productive", "pruned"},
    }
    assert shipped.target == scheme.target
    assert {d.not_counted for d in shipped.definitions} <= set(scheme.keys)
    published = set(pd.read_csv(ROOT / "configs/official/coca.csv")["definition"])
    assert set(shipped.official) <= published
