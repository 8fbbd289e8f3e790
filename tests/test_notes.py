"""Every note of the package has a declaration and a text in both languages; tables of notes keep them."""

from __future__ import annotations

import ast
import pickle
import runpy
import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cocal
from cocal.errors import InputError
from cocal.notes import Note, joined, note_json, note_rows, note_types, notes_by_row, render, with_text
from cocal.notes.account import part, record, recorded
from cocal.notes.limits import LeftOutSettings, check_left_out

ROOT = Path(__file__).parents[1]
PACKAGE = Path(cocal.__file__).parent
EXAMPLE = {"text": "Norte", "number": 0.25, "texts": ("a", "b"), "numbers": (1, 2.5)}


def _calls(function: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = path.relative_to(PACKAGE).as_posix()
            if name.startswith("notes/") or not isinstance(node, ast.Call):
                continue
            if getattr(node.func, "id", getattr(node.func, "attr", "")) == function:
                yield f"{name}:{node.lineno}", node


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_note_is_declared_with_the_values_that_it_is_made_of():
    wrong = []
    for place, call in _calls("Note"):
        code = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        declared, stated = note_types().get(code), {k.arg for k in call.keywords}
        if stated == {None}:
            continue  # a copy of a note
        if declared is None or stated != set(declared.values):
            wrong.append((place, code))
    assert wrong == []


def test_what_is_recorded_is_declared_as_left_out_and_its_limit_is_a_setting():
    wrong = []
    for place, call in _calls("record"):
        code = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        declared = note_types().get(code)
        stated = {k.arg for k in call.keywords if k.arg}
        if code is not None and (
            declared is None or declared.level != "left_out" or not stated <= set(declared.values)
        ):
            wrong.append((place, code))
    assert wrong == []
    limited = {code: declared for code, declared in note_types().items() if declared.limit}
    assert {d.limit for d in limited.values()} <= set(LeftOutSettings.model_fields)
    assert all(d.level == "left_out" and "share" in d.values for d in limited.values())


def test_a_share_above_its_limit_stops_and_names_the_setting():
    lost = Note("labels_unused", **part(["a", "b"], 4), bare=2, unseen=0, partly=0)
    notes = [lost, Note("series_moved", years=["2023"], to="2023")]
    check_left_out(notes, LeftOutSettings(labels=0.5))
    with pytest.raises(InputError, match=r"(?s)left_out.labels at most 0.49.*2 of 4.*`left_out.labels:`"):
        check_left_out(notes, LeftOutSettings(labels=0.49))


def test_an_account_within_another_keeps_its_notes_and_each_note_is_kept_once():
    with recorded() as outer:
        record("scene_without_pixel", scene="a")
        record("scene_without_pixel", scene="a")
        with recorded() as inner:
            record("scene_without_pixel", scene="b")
    assert [[note.values["scene"] for note in notes] for notes in (outer, inner)] == [["a"], ["b"]]


def test_what_is_recorded_without_an_account_is_a_warning_of_the_log(caplog):
    record("scene_without_pixel", scene="a")
    assert [(r.levelname, "scene_without_pixel" in r.getMessage()) for r in caplog.records] == [
        ("WARNING", True)
    ]


@pytest.mark.parametrize("code", sorted(note_types()))
def test_every_declared_note_renders_all_its_values_in_both_languages(code):
    declared = note_types()[code]
    assert declared.level in ("note", "warning", "reason", "left_out")
    assert set(declared.values.values()) <= set(EXAMPLE)
    note = Note(code, **{name: EXAMPLE[kind] for name, kind in declared.values.items()})
    for language in ("es", "en"):
        assert _fields(declared.text[language]) == set(declared.values)
        assert declared.text[language].strip()
        assert "[" not in render(note, language)
    assert declared.text["es"] != declared.text["en"]


def test_two_codes_with_one_english_text_would_be_one_note():
    texts = [declared.text["en"] for declared in note_types().values()]
    assert len(texts) == len(set(texts))


def test_numbers_are_written_the_way_of_the_language():
    assert render(Note("mapped_stock_fell", ha=1234.56), "en").endswith("fell by 1,234.6 ha")
    assert render(Note("mapped_stock_fell", ha=1234.56), "es").endswith("bajó 1.234,6 ha")
    assert render(Note("official_coverage_share", share=0.125), "es").endswith("12,5 % de la región")
    assert render(Note("period_differs", periods=("2019", "2020")), "es").endswith("de 2019, 2020")


@pytest.mark.parametrize(
    ("note", "text"),
    [
        (Note("no_such_code", share=0.5, zone="A"), "[no_such_code share=0.5 zone=A]"),
        (Note("region_unobserved"), "[region_unobserved]"),
        (Note("region_unobserved", share="half"), "[region_unobserved share=half]"),
    ],
)
def test_a_note_without_a_text_that_fits_is_shown_as_its_code(note, text):
    assert render(note, "en") == text
    assert render(note, "es") == text


def test_a_note_is_a_value():
    note = Note("few_pairs_in_strata", least=np.int64(2), strata=["b", "a"])
    assert note == Note("few_pairs_in_strata", strata=("b", "a"), least=2)
    assert {note: 1}[pickle.loads(pickle.dumps(note))] == 1
    assert sorted([note, Note("a")])[0] == Note("a")
    assert repr(note) == "Note('few_pairs_in_strata', least=2, strata=('b', 'a'))"
    assert note_json(note, "en") == {
        "code": "few_pairs_in_strata",
        "values": {"least": 2, "strata": ("b", "a")},
        "text": "fewer than 2 points visited in both periods in stratum b, a",
    }


def test_a_table_is_written_in_english_and_its_notes_come_back_from_the_table_of_notes(tmp_path):
    notes = [
        (Note("n_too_small"), Note("model_not_applicable", share=0.5)),
        (),
        (Note("observed_area_only"),),
    ]
    table = pd.DataFrame({"region_id": ["01", "02", "Ñ"], "period": "2024", "notes": notes})
    assert with_text(table)["notes"].tolist() == [
        "n too small; 50.0 % of the mapped hectares lie where the model does not apply",
        "",
        "estimate covers the observed area only",
    ]
    rows = note_rows(table, "hectares", ["region_id", "period"])
    assert rows["keys"].tolist()[2] == '{"region_id": "Ñ", "period": "2024"}'
    assert rows["row"].tolist() == [0, 0, 2]
    path = tmp_path / "notes.csv"
    rows.to_csv(path, index=False)
    back = pd.read_csv(path)
    assert notes_by_row(back, "hectares", 3) == notes
    assert notes_by_row(back, "countries", 2) == [(), ()]


def test_notes_are_joined_by_semicolons():
    assert joined((), "es") == ""
    assert joined((Note("n_too_small"), Note("maps_only")), "es") == "muy pocos puntos; solo de los mapas"


def test_the_page_of_notes_is_made_from_the_declarations():
    made = runpy.run_path(str(ROOT / "docs" / "make_notes.py"))
    assert (ROOT / "docs" / "notes.md").read_text(encoding="utf-8") == made["page"]()


def test_no_declared_note_is_unused():
    made = {
        call.args[0].value
        for function in ("Note", "record", "_record_some")
        for _, call in _calls(function)
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    assert set(note_types()) - made == set()
