"""Comparison with field records and official figures, and why they may not compare."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.contracts import AREA_COLUMNS, COMPARISON_COLUMNS, Period
from cocal.errors import InputError
from cocal.estimate import compare, unmatched_official, write_comparison
from cocal.notes import Note, with_text

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
        areas_table, field, figures, target="coca", same_definitions=["productive coca"], periods=PERIODS,
        max_unobserved=0.05, agreement=0.2,
    )  # fmt: skip
    return with_text(table).set_index("region_id")


def test_a_verdict_on_every_figure_with_the_width_that_would_decide() -> None:
    """100 ha, 80 to 130, beside 120: 2/3 of the interval's width, up to 120, would differ."""
    table = compared(areas(), None, official())
    assert tuple(table.reset_index().columns) == COMPARISON_COLUMNS
    assert table.loc["R1", "difference_ha"] == -20.0
    assert table.loc["R1", "verdict"] == "cannot_tell"
    assert table.loc["R1", "width_needed_ha"] == pytest.approx(50 * 2 / 3)
    assert table.loc["R1", "agreement"] == 0.2
    assert table.loc["R1", "official_source"] == "UNODC 2025"
    assert table.loc["R1", "why_not_comparable"] == (
        "a period beside a day: the map shows what stood at some time from 2024-01-01 to 2024-12-31, "
        "the official figure what stood on 2024-12-31"
    )
    assert table.loc["R2", "verdict"] == "cannot_tell"  # no interval
    assert table.loc["R3", "verdict"] == ""
    far = compared(areas(), None, official(coca_ha=[131, 10, 5]))
    assert far.loc["R1", "verdict"] == "differs"
    near = compared(areas(ci_low_ha=82.0, ci_high_ha=118.0), None, official(coca_ha=[100, 10, 5]))
    assert near.loc["R1", "verdict"] == "agrees"


def test_every_reason_against_a_comparison_is_said() -> None:
    why = compared(areas(), None, official())["why_not_comparable"]
    assert why["R2"].split("; ") == [
        "no interval: n too small",
        "definition differs or is not known to be the same: net area",
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
    assert np.isnan(table.loc["R3", "width_needed_ha"])


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
        (official(rounded_to_ha=[100, 0, None]), "rounded_to_ha holds values"),
        (official(rounded_to_ha=["100", "ten", ""]), "rounded_to_ha holds values"),
        (official(coverage=["all", 80, None]), "coverage holds numbers that are not shares"),
    ],
)
def test_an_official_table_that_cannot_be_compared_is_refused(figures: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(areas(), None, figures)


def test_a_reference_date_that_is_no_date_is_said() -> None:
    table = compared(areas(), None, official(reference_date="end of year"))
    assert "'end of year' is not a date" in table.loc["R1", "why_not_comparable"]


def one_figure(**columns: object) -> pd.DataFrame:
    """120 ha for R1 in 2024, by the same definition, with `columns`."""
    own = {"region_id": "R1", "year": 2024, "coca_ha": 120, "source": "S", "definition": "productive coca"}
    return pd.DataFrame([own | columns])


def why_r1(figures: pd.DataFrame) -> str:
    return compared(areas(), None, figures).loc["R1", "why_not_comparable"]


def test_a_figure_is_comparable_only_by_a_definition_that_the_user_states_to_be_the_same() -> None:
    assert why_r1(one_figure()) == ""
    differs = why_r1(one_figure(definition="coca of any age"))
    assert differs == "definition differs or is not known to be the same: coca of any age"
    assert why_r1(one_figure(definition=None)) == "definition of the official figure is not stated"


@pytest.mark.parametrize(
    ("coverage", "why"),
    [
        ("without Alto Inambari", "coverage of the official figure: without Alto Inambari"),
        (0.8, "coverage of the official figure: 80 % of the region"),
        ("0.8", "coverage of the official figure: 80 % of the region"),
        (1, ""),
        (None, ""),
    ],
)
def test_what_an_official_figure_does_not_cover_is_said(coverage: object, why: str) -> None:
    assert why_r1(one_figure(coverage=coverage)) == why


def test_a_zone_that_was_split_is_marked() -> None:
    assert why_r1(one_figure(split_from="Z9")) == (
        "zone split: split from Z9, older figures are of other ground"
    )


def in_series(*figures: tuple[int, str]) -> pd.DataFrame:
    return pd.concat([one_figure(year=year, series=series) for year, series in figures], ignore_index=True)


def test_a_figure_of_another_series_than_the_one_before_is_marked() -> None:
    assert why_r1(in_series((2024, "B"), (2022, "A"), (2017, "B"))) == (
        "series break: B follows A (2022), the difference of the two figures is not a change"
    )
    assert why_r1(in_series((2024, "B"), (2022, "B"), (2017, "A"))) == ""
    assert why_r1(in_series((2024, "B"))) == ""


def test_a_year_published_in_both_series_ties_them() -> None:
    assert why_r1(in_series((2024, "B"), (2023, "A"), (2023, "B"))) == ""
    of_2023 = compared(areas(period="2023"), None, in_series((2022, "A"), (2023, "A"), (2023, "B")))
    assert of_2023.loc["R1", "why_not_comparable"].tolist() == [
        "",
        "series break: B follows A (2022), the difference of the two figures is not a change",
    ]


@pytest.mark.parametrize(
    ("figure", "step", "why"),
    [
        (120, 10, ""),
        (120, 40, "rounding: the difference is within that of the official figure, to 40 ha"),
        (120, 30, "rounding: to 30 ha, which decides whether the figure is within the interval"),
        (140, 30, "rounding: to 30 ha, which decides whether the figure is within the interval"),
        (140, 19, ""),
        (120, None, ""),
    ],
)
def test_rounding_counts_where_it_decides(figure: float, step: float | None, why: str) -> None:
    """The estimate is 100 (80 to 130): 120 +- 15 reaches 135, 140 +- 15 reaches 125, 140 +- 9.5 not 130."""
    assert why_r1(one_figure(coca_ha=figure, rounded_to_ha=step)) == why


def test_official_figures_of_regions_that_the_run_does_not_have_are_listed() -> None:
    figures = official(region_id=["R1", "PE-zone-x", "R3"])
    left = unmatched_official(areas(), figures)
    assert left["region_id"].tolist() == ["PE-zone-x"]
    assert left.columns.tolist() == figures.columns.tolist()


@given(st.lists(st.tuples(st.sampled_from(["R1", "R2", "R3", "X1", "X2"]), st.integers(0, 500)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_each_official_figure_is_compared_or_listed(rows: list[tuple[str, int]]) -> None:
    sources = [f"S{i}" for i in range(len(rows))]
    figures = pd.DataFrame(rows, columns=["region_id", "coca_ha"]).assign(year=2024, source=sources)
    matched = compared(areas(), None, figures)["official_ha"].dropna()
    listed = unmatched_official(areas(), figures)
    assert len(matched) + len(listed) == len(rows)
    assert matched.sum() + listed["coca_ha"].sum() == sum(ha for _, ha in rows)


def test_an_official_figure_that_stands_twice_is_refused() -> None:
    figures = pd.DataFrame({"region_id": "R1", "year": 2024, "coca_ha": [50, 90], "source": "S"})
    with pytest.raises(InputError, match="figure of R1 in 2024 stands twice"):
        compared(areas(), None, figures)
    assert len(compared(areas(), None, figures.assign(source=["S", "T"])).query("region_id == 'R1'")) == 2


@pytest.mark.parametrize("name", ["region_id", "year"])
def test_an_official_figure_of_no_region_or_year_is_refused(name: str) -> None:
    figures = pd.DataFrame({"region_id": ["R1", "R2"], "year": ["2024"] * 2, "coca_ha": 50, "source": "S"})
    figures.loc[1, name] = None
    with pytest.raises(InputError, match=f"rows without {name}"):
        compared(areas(), None, figures)


def test_a_field_class_that_differs_from_the_target_in_capitals_only_is_refused() -> None:
    field = pd.DataFrame({"region_id": ["R1"], "period": "2024", "class": "Coca", "field_ha": 5.0})
    with pytest.raises(InputError, match="class 'Coca' is written 'coca'"):
        compared(areas(), field, None)


def test_the_comparison_is_written_with_decimal_points(tmp_path) -> None:
    table = compare(
        areas(), None, official(), target="coca", same_definitions=(), periods=PERIODS, max_unobserved=0.05,
        agreement=0.2,
    )  # fmt: skip
    text = write_comparison(tmp_path, table).read_text(encoding="utf-8").splitlines()
    assert text[0].split(",") == list(COMPARISON_COLUMNS)
    assert (
        "90.0000000000,100.0000,80.0000,130.0000,,120.0000,UNODC 2025,,-20.0000,0.2,cannot_tell,33.3333"
        in text[1]
    )


def claims(**changes: object) -> pd.DataFrame:
    """30 and 20 ha cleared in R1 in 2024 by one source, 45 by another; 7 ha in another year."""
    table = pd.DataFrame(
        {
            "region_id": ["R1", "R1", "R1", "R1"],
            "year": [2024, 2024, 2024, 2023],
            "claimed_ha": [30, 20, 45, 7],
            "source": ["a", "a", "b", "a"],
        }
    )
    return table.assign(**changes)


def test_a_period_beside_a_day_is_said_more_strongly_where_clearings_are_claimed_within_it() -> None:
    table = compare(
        areas(), None, official(), target="coca", same_definitions=["productive coca"], periods=PERIODS,
        max_unobserved=0.05, agreement=0.2, claims=claims(),
    )  # fmt: skip
    (note,) = table.set_index("region_id").loc["R1", "why_not_comparable"]
    assert note == Note(
        "period_beside_day_cleared", day="2024-12-31", start="2024-01-01", end="2024-12-31", ha=50.0
    )


def test_a_map_of_the_figures_own_day_has_no_such_reason() -> None:
    day = [Period("2024", date(2024, 12, 31), date(2024, 12, 31))]
    table = compare(
        areas(), None, official(), target="coca", same_definitions=["productive coca"], periods=day,
        max_unobserved=0.05, agreement=0.2,
    )  # fmt: skip
    assert table.set_index("region_id").loc["R1", "why_not_comparable"] == ()


def test_claims_that_are_no_numbers_are_refused_before_they_explain_anything() -> None:
    with pytest.raises(InputError, match="claimed_ha of region R1 is no such number"):
        compare(
            areas(), None, official(), target="coca", same_definitions=(), periods=PERIODS,
            max_unobserved=0.05, agreement=0.2, claims=claims(claimed_ha="much"),
        )  # fmt: skip


def test_an_official_table_of_other_columns_is_refused_with_what_it_lacks() -> None:
    tabs = pd.DataFrame({"region_id\tyear\tcoca_ha\tsource": ["R1\t2024\t90\tan office"]})
    with pytest.raises(InputError, match="no column 'region_id'; no column 'coca_ha'; no column 'source'"):
        compare(
            areas(), None, tabs, target="coca", same_definitions=(), periods=PERIODS,
            max_unobserved=0.05, agreement=0.2,
        )  # fmt: skip
