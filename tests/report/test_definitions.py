"""The page's section on definitions: figures, differences and figures that are only bounded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cocal.report.page import page_view

WORDS = {"es": "conjunta", "en": "joint"}
PEOPLE = {"es": "en producción", "en": "in production"}
TEXT = {"es": "lo plantado", "en": "what is planted"}


def row(level, definition, minus, figures, place="r0"):
    names = ("estimated_ha", "ci_low_ha", "ci_high_ha", "low_ha", "high_ha")
    keys = {"level": level, "id": place, "name": "San Pedro", "period": "2023"}
    return keys | {"definition": definition, "minus": minus} | dict(zip(names, figures, strict=True))


@pytest.fixture
def content(made_up):
    table = pd.DataFrame(
        [
            row("region", "pe", "", (12.5, 4.0, 30.0, 12.5, 12.5)),
            row("region", "joint", "", (np.nan, 5.0, 44.0, 20.0, 25.0)),
            row("region", "pe", "joint", (-7.5, -12.0, -2.0, -7.5, -7.5)),
            row("total", "pe", "", (100.0, 80.0, 130.0, 100.0, 100.0), "total"),
        ]
    )
    words = (("pe", PEOPLE, TEXT), ("joint", WORDS, TEXT))
    return made_up(definitions=table, definition_words=words)


@pytest.mark.parametrize(("language", "minus"), [("es", "menos"), ("en", "minus")])
def test_the_section_has_figures_by_definition_and_their_differences(content, language, minus):
    view = page_view(content, language)
    (section,) = [s for s in view.sections if s.key == "definitions"]
    figures, differences = [block for block in section.blocks if getattr(block, "block", "") == "sheet"]
    assert [c.heading for c in figures.columns[1:]] == [PEOPLE[language], WORDS[language]]
    assert [c.heading for c in differences.columns[1:]] == [f"{PEOPLE[language]} {minus} {WORDS[language]}"]
    total, region = [line for _, lines in figures.groups for line in lines]
    assert total.head == view.t("total")
    assert total.cells[1] == "—"
    point = "," if language == "es" else "."
    assert region.cells == (
        f"12{point}5 [4{point}0 – 30{point}0]",
        f"20{point}0 – 25{point}0 [5{point}0 – 44{point}0]",
    )
    line = differences.groups[0][1][1]
    assert line.cells[0].startswith(("-7", "−7"))


def test_a_run_without_definitions_has_no_such_section(made_up):
    assert "definitions" not in [s.key for s in page_view(made_up(), "en").sections]
