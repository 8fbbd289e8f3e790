"""Comparison with field records and official figures, and why they may not compare."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from cocal.contracts import AREA_COLUMNS, COMPARISON_COLUMNS, Period
from cocal.errors import InputError
from cocal.estimate import compare, write_comparison

PERIODS = [Period("2024", date(2024, 1, 1), date(2024, 12, 31))]


def areas(**changes: object) -> pd.DataFrame:
    """Regions R1 (100 ha, 80 to 130), R2 (50 ha, no interval), R3 (mapped 7 ha only), and other rows."""
    table = pd.DataFrame(
        {
            "region_id": ["R1", "R1", "R1", "R2", "R3"],
            "region_name": ["Uno", "Uno", "Uno", "Dos", "Tres"],
            "country": ["BO", "BO", "BO", "PE", "PE"],
            "period": "2024",
            "class": ["coca", "forest", "unobserved", "coca", "coca"],
            "mapped_ha": [Decimal(90), Decimal(900), Decimal(10), Decimal(40), Decimal(7)],
            "estimated_ha": [100.0, 890.0, np.nan, 50.0, np.nan],
            "standard_error_ha": [12.0, 20.0, np.nan, 9.0, np.nan],
            "ci_low_ha": [80.0, 850.0, np.nan, np.nan, np.nan],
            "ci_high_ha": [130.0, 930.0, np.nan, np.nan, np.nan],
            "observed_fraction": [0.99, 0.99, 0.99, 0.80, 1.0],
        }
    )
    return table.reindex(columns=list(AREA_COLUMNS)).assign(**changes)


def official(**changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "region_id": ["R1", "R2", "R3"],
            "year": [2024, 2024, 2020],
            "coca_ha": [120, 10, 5],
            "source": ["UNODC 2025", "DEVIDA", "DEVIDA"],
            "definition": ["productive coca", "net area", "productive coca"],
            "reference_date": ["2024-12-31", "2025-06-30", "2020-12-31"],
        }
    )
    return table.assign(**changes)


def compared(
    areas_table: pd.DataFrame, field: pd.DataFrame | None, figures: pd.DataFrame | None
) -> pd.DataFrame:
    table = compare(
        areas_table, field, figures, target="coca", definition="productive coca", periods=PERIODS,
        max_unobserved=0.05,
    )  # fmt: skip
    return table.set_index("region_id")


def test_an_estimate_beside_its_official_figure_is_within_or_not() -> None:
    table = compared(areas(), None, official())
    assert tuple(table.reset_index().columns) == COMPARISON_COLUMNS
    assert table.loc["R1", "difference_ha"] == -20.0
    assert table.loc["R1", "within_interval"] == True  # noqa: E712
    assert table.loc["R1", "official_source"] == "UNODC 2025"
    assert table.loc["R1", "why_not_comparable"] == ""
    far = compared(areas(), None, official(coca_ha=[131, 10, 5]))
    assert far.loc["R1", "within_interval"] == False  # noqa: E712


def test_every_reason_against_a_comparison_is_said() -> None:
    why = compared(areas(), None, official())["why_not_comparable"]
    assert why["R2"].split("; ") == [
        "no interval: n too small",
        "definition differs: net area",
        "date differs: the official figure is of 2025-06-30, the map of 2024-01-01 to 2024-12-31",
        "20.0 % of the region was not observed",
    ]
    assert why["R3"].split("; ") == [
        "no estimate: the difference is of the mapped area",
        "period differs: official figures are for 2020",
    ]


def test_figures_of_another_year_are_not_subtracted() -> None:
    table = compared(areas(), None, official())
    assert np.isnan(table.loc["R3", "official_ha"])
    assert np.isnan(table.loc["R3", "difference_ha"])
    assert table.loc["R3", "within_interval"] is pd.NA


def test_without_an_estimate_the_mapped_area_is_compared_and_the_reason_says_so() -> None:
    table = compared(areas(), None, official(year=2024))
    assert table.loc["R3", "difference_ha"] == 2.0
    assert table.loc["R3", "why_not_comparable"].startswith(
        "no estimate: the difference is of the mapped area"
    )


def test_field_records_stand_in_their_own_column_added_up() -> None:
    field = pd.DataFrame(
        {
            "region_id": ["R1", "R1", "R1", "R9"],
            "period": "2024",
            "class": ["coca", "coca", "forest", "coca"],
            "field_ha": [3.5, 1.25, 99.0, 1.0],
        }
    )
    table = compared(areas(), field, None)
    assert table.loc["R1", "field_ha"] == 4.75
    assert np.isnan(table.loc["R2", "field_ha"])
    assert table.loc["R1", "why_not_comparable"] == "no official figure for this region"


def test_two_sources_for_one_region_give_two_rows() -> None:
    doubled = pd.concat([official(), official(source="other", coca_ha=90)], ignore_index=True)
    table = compared(areas(), None, doubled)
    assert table.loc["R1", "official_source"].tolist() == ["UNODC 2025", "other"]
    assert table.loc["R1", "difference_ha"].tolist() == [-20.0, 10.0]


def test_a_period_column_is_matched_by_name() -> None:
    table = compared(areas(), None, official().drop(columns="year").assign(period="2024"))
    assert table.loc["R3", "official_ha"] == 5.0


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (official().drop(columns="source"), "no column 'source'"),
        (official(coca_ha=["120", "ten", "5"]), "coca_ha of region R2 is not a number"),
        (official().drop(columns="year"), "neither"),
    ],
)
def test_an_official_table_that_cannot_be_compared_is_refused(figures: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(areas(), None, figures)


def test_a_reference_date_that_is_no_date_is_said() -> None:
    table = compared(areas(), None, official(reference_date="end of year"))
    assert "'end of year' is not a date" in table.loc["R1", "why_not_comparable"]


def test_the_comparison_is_written_with_decimal_points(tmp_path) -> None:
    table = compare(
        areas(), None, official(), target="coca", definition="x", periods=PERIODS, max_unobserved=0.05
    )
    text = write_comparison(tmp_path, table).read_text(encoding="utf-8").splitlines()
    assert text[0].split(",") == list(COMPARISON_COLUMNS)
    assert "90.0000000000,100.0000,80.0000,130.0000,,120.0000,UNODC 2025,-20.0000,True" in text[1]
