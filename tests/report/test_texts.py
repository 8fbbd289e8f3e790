import re
import string
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

import cocal.report
from cocal.notes import Note
from cocal.report.content import Kind
from cocal.report.texts import LANGUAGES, Wording, texts
from cocal.scheme import read_scheme

ROOM = Path(cocal.report.__file__).parent
LOOKED_UP = (
    "input.", "legend.",
    "estimator.", "interval.", "status.", "stratum.", "card.", "value.", "null.",
    "definition.", "profile.", "lies.", "verdict.", "operation.", "state.",
)  # fmt: skip


@pytest.fixture
def voices():
    scheme = read_scheme(Path(__file__).parents[2] / "configs" / "schemes" / "border-coca.yaml")
    return [Wording(language, scheme) for language in LANGUAGES]


def _places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(texts()))
def test_every_text_has_both_languages_and_the_same_places(key):
    entry = texts()[key]
    assert set(entry) == {"es", "en"}
    assert all(isinstance(text, str) and text.strip() for text in entry.values())
    assert _places(entry["es"]) == _places(entry["en"])


def test_every_text_of_the_dictionary_is_used():
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in [*ROOM.glob("*.py"), *ROOM.glob("assets/*.j2")]
    )
    source = source.replace("'", '"')
    made = {f"records_{key}_caption" for key in ("status", "stratum")}
    made |= {f"{key}_{part}" for key in ("applicability", "minimum_unit") for part in ("text", "caption")}
    made |= {f"{key}_short" for key in ("mapped", "unobserved", "official", "field", "truth")}
    made |= {f"{key}_caption" for key in ("counts", "proportions")} | {f"method_{n}" for n in (1, 2, 3, 4)}
    made |= {
        "headline_caption_estimated",
        "headline_caption_mapped",
        "statement_public",
        "statement_restricted",
        "guarantee_short",
        "guarantee_any",
        "interval_short",
        "not_sampled_short",
        "users_note",
        "producers_note",
    }
    made |= {f"{kind}_{part}" for kind in get_args(Kind) for part in ("caption", "alt")}
    made |= {f"legal_{level}{part}" for level in ("zone", "kind", "limit") for part in ("", "_caption")}
    made |= {
        f"{key}_{part}"
        for key in ("change", "legal", "groups", "eradication", "operations")
        for part in ("text", "note")
    }
    made |= set(re.findall(r'"(\w+)_title"', source))
    from_sections = set(re.findall(r'"(\w+)"', source))
    unused = [
        key
        for key in {key.partition("~")[0] for key in texts()}
        if not key.startswith(LOOKED_UP)
        and key not in made
        and f'"{key}"' not in source
        and not (key.endswith("_title") and key.removesuffix("_title") in from_sections)
    ]
    assert unused == []


def test_a_text_of_the_public_page_or_of_one_without_estimates_stands_in_the_place_of_another(voices):
    replaced = [key.split("~") for key in texts() if "~" in key]
    assert {variant for _, variant in replaced} == {"public", "regions", "squares", "mapped", "census"}
    for key, variant in replaced:
        assert _places(texts()[f"{key}~{variant}"]["en"]) <= _places(texts()[key]["en"]) | {
            "target",
            "period",
        }
    for voice in voices:
        assert replace(voice, variants=("squares",))("mapped_short") != voice("mapped_short")
        both = replace(voice, variants=("regions", "public"))
        assert both("mapped_short") != replace(voice, variants=("public",))("mapped_short")
        assert both("footer") == replace(voice, variants=("public",))("footer")
        assert both("region") == voice("region")


def test_a_figure_and_its_unit_stay_on_one_line(voices):
    told = [voice("lead_mapped", period="p", mapped="12", target="coca", n="6") for voice in voices]
    assert all("12\N{NO-BREAK SPACE}ha" in text for text in told)


def test_a_missing_text_is_a_defect_not_an_empty_place(voices):
    with pytest.raises(KeyError):
        voices[0]("no_such_key")


def test_notes_are_written_in_the_language_and_a_code_that_is_not_declared_is_shown(voices):
    es, en = voices
    notes = (Note("no_interval"), Note("no_such_note", n=3))
    assert es.notes(notes) == "sin intervalo: muy pocos puntos; [no_such_note n=3]"
    assert en.notes(notes) == "no interval: n too small; [no_such_note n=3]"
    assert es.notes(()) == "\N{EM DASH}"


def test_an_interval_without_both_ends_is_a_dash(voices):
    es, _ = voices
    assert es.interval(1020.0, 1480.0, 0) == "1.020 \N{EN DASH} 1.480"
    assert es.interval(None, 1480.0, 0) == "\N{EM DASH}"
    assert es.level(0.95) == "95\N{NO-BREAK SPACE}%"
    assert es.level(0.975) == "97,5\N{NO-BREAK SPACE}%"


def test_a_note_with_figures_has_the_numbers_of_the_language_and_units_stay_with_them(voices):
    es, en = voices
    notes = (Note("cleared_more_than_mapped", ha=1234.5), Note("model_not_applicable", share=0.044))
    assert es.notes(notes) == (
        "se despejó más de lo que había: 1.234,5\N{NO-BREAK SPACE}ha mapeadas en el primer mapa; "
        "el 4,4\N{NO-BREAK SPACE}% de lo mapeado está donde el modelo no es aplicable"
    )
    assert "1,234.5\N{NO-BREAK SPACE}ha mapped" in en.notes(notes)
    assert "; 4.4% of the mapped hectares" in en.notes(notes)
    days = Note("date_differs", day="2023-12-31", start="2024-01-01", end="2024-12-31")
    assert es.notes([days]).endswith("del 2023-12-31, el mapa del 2024-01-01 al 2024-12-31")


def test_a_difference_is_explained_by_reasons_or_by_nothing(voices):
    es = voices[0]
    assert es.explained((Note("no_interval"),), "cannot_tell") == "sin intervalo: muy pocos puntos"
    assert es.explained((), "agrees") == es.explained((), "cannot_tell") == "comparables"
    assert es.explained((), "differs") == "comparables; queda sin explicar"
    assert es.explained((), "") == "\N{EM DASH}"


def test_a_verdict_is_said_in_words_with_the_width_that_would_decide(voices):
    es, en = voices
    assert (es.verdict("agrees", None), en.verdict("differs", None)) == ("coinciden", "they differ")
    assert en.verdict("cannot_tell", 12.0).startswith("the sample cannot tell; an interval 12")
    assert es.verdict("cannot_tell", float("nan")) == "la muestra no permite decidirlo"
    assert es.verdict("", None) == "\N{EM DASH}"


def test_hostile_words_within_a_note_stay_words(voices):
    es, _ = voices
    assert es.notes([Note("official_coverage", coverage="{x} <b>")]).endswith(": {x} <b>")


def test_the_scheme_is_told_in_spanish_and_stays_the_same_scheme(voices):
    es, en = voices
    assert es.definition["counts"].startswith("coca productiva")
    assert en.definition["counts"].startswith("productive coca")
    assert es.scheme.model_copy(update={"definition_es": {}}).sha256 == es.scheme.sha256
