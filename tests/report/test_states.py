"""The state of figures on the page: in its head always, as a section once an office stated one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from cocal.estimate.editions import STATE_COLUMNS
from cocal.report.content import ReportContent
from cocal.report.page import page_view
from cocal.report.texts import LANGUAGES

Made = Callable[..., ReportContent]


def row(content: ReportContent, place: str, level: str = "region", **how: object) -> dict[str, object]:
    """A row as it comes back from states.csv: what is empty is missing."""
    state = {"period": content.last, "level": level, "place": place, "state": "draft", "mapped_ha": 20.0}
    return dict.fromkeys(STATE_COLUMNS) | state | how


def with_states(made_up: Made, *rows: dict[str, object], **how: object) -> ReportContent:
    content = made_up(map_overview=None)
    return replace(content, states=pd.DataFrame(rows), **how)


APPROVED = {"state": "approved", "edition": "2", "by": "Oficina", "on": "2025-03-01"}
BEFORE = {
    "before_state": "approved", "before_by": "UNO", "before_on": "2024-12-31", "before_mapped_ha": 18.0,
    "before_estimated_ha": 21.5, "before_ci_low_ha": 19.0, "before_ci_high_ha": 25.0,
    "mapped_difference_ha": 2.0, "estimated_difference_ha": -1.5,
}  # fmt: skip


def facts(content: ReportContent) -> dict[str, str]:
    return {lang: dict(page_view(content, lang).facts).get(label, "") for lang, label in zip(
        LANGUAGES, ("Estado de las cifras", "State of the figures"), strict=True)}  # fmt: skip


def test_drafts_stand_in_the_head_and_make_no_section(made_up: Made) -> None:
    content = with_states(made_up, row(made_up(map_overview=None), "r0"))
    assert facts(content) == {"es": "borrador", "en": "draft"}
    assert "states" not in [section.key for section in page_view(content, "en").sections]
    assert facts(made_up(map_overview=None)) == {"es": "", "en": ""}


def test_states_that_differ_are_counted_in_the_head_with_office_and_day(made_up: Made) -> None:
    base = made_up(map_overview=None)
    content = with_states(made_up, row(base, "r0", **APPROVED), row(base, "r1"), row(base, "PE", "country"))
    assert facts(content)["en"] == "approved, Oficina, 1 March 2025 (1 of 3); draft (2 of 3)"


def test_a_revised_figure_stands_beside_the_edition_before_in_the_offices_page_alone(made_up: Made) -> None:
    base = made_up(map_overview=None)
    revised = APPROVED | BEFORE | {"state": "revised", "why": "mapa nuevo"}
    content = with_states(
        made_up, row(base, "r0", **revised), row(base, "total", "country"), row(base, "G", "group")
    )
    (section,) = (s for s in page_view(content, "es").sections if s.key == "states")
    table = section.blocks[1]
    ((_, lines),) = table.groups
    assert [line.head for line in lines] == ["San Pedro de Putina Punco", "Toda el área", "G"]
    assert lines[0].cells[:3] == ("rectificada", "Oficina, 1 de marzo de 2025", "mapa nuevo")
    assert lines[0].cells[3].startswith("21,5 [19,0 – 25,0] (aprobada: UNO, 31 de diciembre de 2024)")
    assert lines[0].cells[4:] == ("+2,0", "\u22121,5")
    public = replace(content, profile="public", truth=None)
    keys = [section.key for section in page_view(public, "es").sections]
    assert "states" not in keys
    assert facts(public)["es"].startswith("rectificada, Oficina")
