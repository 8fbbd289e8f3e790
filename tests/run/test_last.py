"""The figure before: of the run's earlier period, else the latest official one from before the period."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from cocal.contracts import Period
from cocal.run.measure.last import with_last

YEARS = [Period(str(y), date(y, 1, 1), date(y, 12, 31)) for y in (2023, 2024)]
ROWS = pd.DataFrame(
    [
        ("R1", "2024", "coca", 30.0), ("R1", "2024", "forest", 70.0), ("R2", "2024", "coca", 5.0),
        ("R1", "2023", "coca", 20.0), ("R1", "2023", "forest", 80.0), ("R2", "2023", "coca", np.nan),
    ],
    columns=["region_id", "period", "class", "estimated_ha"],
)  # fmt: skip
OFFICIAL = pd.DataFrame(
    [
        ("R1", 2022, 11, "office"), ("R1", 2021, 10, "office"), ("R2", 2023, 9, "other"),
        ("R2", 2023, 8, "office"), ("R2", 2024, 7, "office"),
    ],
    columns=["region_id", "year", "coca_ha", "source"],
)  # fmt: skip


def last_of(official, rows=ROWS, periods=YEARS):
    found = with_last(rows, periods, official, target="coca", by="region_id")
    assert found.index.tolist() == rows.index.tolist()
    return list(zip(found["last_ha"], found["last_source"], strict=True))


def test_the_last_estimate_comes_before_the_latest_official_figure():
    none = (pytest.approx(np.nan, nan_ok=True), "")
    assert last_of(OFFICIAL) == [
        (20.0, "2023"), (80.0, "2023"), (9.0, "other (2023)"), (11.0, "office (2022)"), none, none,
    ]  # fmt: skip


def test_a_country_has_the_sum_of_its_regions_where_one_source_has_each_for_one_day():
    """2022: 11 + 9 ha; 2023: two sources, and R1 of neither; the row of the country is of other ground."""
    rows = ROWS[ROWS["period"] == "2024"].assign(region_id="BO").drop_duplicates("class")
    more = pd.DataFrame([("R2", 2022, 9, "office"), ("BO", 2023, 30_000, "office")], columns=OFFICIAL.columns)

    def last(*regions):
        found = with_last(
            rows,
            YEARS[1:],
            pd.concat([OFFICIAL, more]),
            target="coca",
            by="region_id",
            members={"BO": regions},
        )
        return list(zip(found["last_ha"].fillna(-1), found["last_source"], strict=True))

    assert last("R1", "R2") == [(20.0, "office (2022)"), (-1, "")]
    assert last("R1", "R2", "R3") == [(-1, ""), (-1, "")]
    assert last("R2") == [(9.0, "other (2023)"), (-1, "")]


def test_without_official_figures_only_estimates_are_before():
    none = (pytest.approx(np.nan, nan_ok=True), "")
    for nothing in (None, OFFICIAL.drop(columns="source"), OFFICIAL.drop(columns="year")):
        assert last_of(nothing) == [(20.0, "2023"), (80.0, "2023"), none, none, none, none]


def test_the_order_of_the_periods_in_the_configuration_does_not_matter():
    assert repr(last_of(OFFICIAL, periods=YEARS[::-1])) == repr(last_of(OFFICIAL))


@pytest.mark.parametrize(
    ("day", "there"), [("2023-12-31", True), ("2024-01-01", False), ("", True), ("soon", False)]
)
def test_a_figure_of_a_day_within_the_period_is_not_before_it(day, there):
    official = OFFICIAL[OFFICIAL["source"] == "other"].assign(reference_date=day)
    assert last_of(official)[2][1] == ("other (2023)" if there else "")


def test_periods_that_overlap_are_not_before_each_other():
    half = Period("half", date(2023, 6, 1), date(2024, 6, 1))
    rows = ROWS.replace({"period": {"2023": "half"}})
    assert last_of(None, rows, [half, YEARS[1]])[0][1] == ""
