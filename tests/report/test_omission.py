"""The section on what each map omits and shows wrongly."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from cocal.report.omission import map_errors
from cocal.report.texts import Wording


def table(period: str) -> pd.DataFrame:
    row = {
        "period": period, "class": "coca", "mapped_ha": 100.0, "estimated_ha": 120.0, "ci_low_ha": 90.0,
        "ci_high_ha": 160.0, "omission": 0.25, "omission_low": 0.125, "omission_high": 0.5,
        "commission": 0.1, "commission_low": float("nan"), "commission_high": float("nan"),
    }  # fmt: skip
    places = [("total", "total"), ("country", "PE"), ("region", "of no name")]
    rows = [row | {"map": m, "level": level, "id": i} for m in ("office", "forest") for level, i in places]
    return pd.DataFrame(rows)


def test_each_place_has_a_row_per_map_with_both_errors_and_their_ends(made_up) -> None:
    content = made_up(1)
    content = replace(content, map_errors=table(content.last))
    _, sheet, _ = map_errors(content, Wording("en", content.scheme, 1, content.last))
    cells = [[line.head, *line.cells] for _, lines in sheet.groups for line in lines]
    assert [row[1] for row in cells] == ["office", "forest"] * 3
    assert cells[0][0] == "Whole area"
    assert cells[0][2:] == ["100.0", "120.0 (90.0 – 160.0)", "25.0% (12.5% – 50.0%)", "10.0%"]
    assert cells[4][0] == "of no name"


def test_without_an_estimate_there_is_no_such_section(made_up) -> None:
    content = made_up(1)
    assert map_errors(content, Wording("en", content.scheme)) == []
