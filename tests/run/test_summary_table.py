"""The table of hectares that the command prints at its end."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from cocal.cli.display import hectares_table
from cocal.run import RunSummary

ROWS = pd.DataFrame(
    {
        "region_id": ["R"] * 2, "region_name": ["North"] * 2, "country": ["PE"] * 2, "period": ["2024"] * 2,
        "class": ["coca", "unobserved"], "mapped_ha": [Decimal("30"), Decimal("1.5")],
        "estimated_ha": [12.5, np.nan], "ci_low_ha": [5.0, np.nan], "ci_high_ha": [88.0, np.nan],
        "small_area_low_ha": [6.5, np.nan], "small_area_high_ha": [38.25, np.nan], "notes": ["", ""],
    }
)  # fmt: skip


def printed(areas):
    summary = RunSummary("r", Path(), "", (), True, "coca", areas, None, None, (), None, None)
    out = io.StringIO()
    Console(file=out, width=160).print(hectares_table(summary))
    return out.getvalue()


def test_the_interval_of_a_small_area_stands_in_its_own_column():
    text = printed(ROWS)
    assert "small area (model)" in text
    assert "5.0 to 88.0" in text
    assert "6.5 to 38.2" in text


def test_there_is_no_such_column_where_none_is_offered():
    assert "small area" not in printed(ROWS.assign(small_area_low_ha=np.nan, small_area_high_ha=np.nan))
