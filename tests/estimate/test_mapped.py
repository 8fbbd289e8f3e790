"""Mapped hectares: exact sums, whatever the blocks."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.contracts import AREA_COLUMNS, Period
from cocal.errors import ContractError
from cocal.estimate import count_units, country_table, format_ha, mapped_table, region_areas, write_tables
from cocal.scheme import ClassScheme

SCHEME = ClassScheme(
    id="two",
    target="coca",
    definition={"counts": "coca"},
    classes=(
        {"code": 1, "key": "coca", "name_es": "Coca", "name_en": "Coca", "colour": "#aa0000"},
        {"code": 4, "key": "other", "name_es": "Otro", "name_en": "Other", "colour": "#00aa00"},
    ),
)
PERIOD = Period("2024", date(2024, 1, 1), date(2024, 12, 31))
REGIONS = pd.DataFrame(
    {
        "region_id": ["R1", "R2"],
        "region_name": ["Uno", "Dos"],
        "country": ["BO", "PE"],
        "polygon_ha": [0.03, 0.02],
        "exclusive_ha": [0.03, 0.01],
    }
)


def small_counts() -> np.ndarray:
    crop_class = np.array([[1, 1, 4], [0, 4, 1]], dtype=np.uint8)
    owner = np.array([[0, 0, 0], [0, 1, -1]], dtype=np.int32)
    units = np.array([[100_000_001, 100_000_002, 3], [7, 100_000_000, 999]], dtype=np.int64)
    return count_units(crop_class, owner, units, 2)


def test_each_cell_is_added_to_its_region_and_class_and_unowned_cells_to_none() -> None:
    counts = small_counts()
    assert counts.dtype == np.int64
    assert counts.shape == (2, 256)
    assert counts[0, [0, 1, 4]].tolist() == [7, 200_000_003, 3]
    assert counts[1, 4] == 100_000_000
    assert counts.sum() == 7 + 200_000_003 + 3 + 100_000_000


def test_sums_beyond_the_exact_integers_of_float64_are_still_exact() -> None:
    units = np.full((3, 5), 2**57 + 1, dtype=np.int64)
    counts = count_units(np.ones((3, 5), np.uint8), np.zeros((3, 5), np.int32), units, 1)
    assert int(counts[0, 1]) == 15 * (2**57 + 1)
    assert int(float(15 * (2**57 + 1))) != 15 * (2**57 + 1)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), row=st.integers(1, 11), column=st.integers(1, 12))
def test_the_sum_over_any_four_blocks_is_the_sum_over_the_whole(seed: int, row: int, column: int) -> None:
    rng = np.random.default_rng(seed)
    crop_class = rng.integers(0, 5, (12, 13)).astype(np.uint8)
    owner = rng.integers(-1, 3, (12, 13)).astype(np.int32)
    units = rng.integers(0, 2**55, (12, 13))
    parts = [
        count_units(crop_class[a, b], owner[a, b], units[a, b], 3)
        for a in (slice(row), slice(row, None))
        for b in (slice(column), slice(column, None))
    ]
    whole = count_units(crop_class, owner, units, 3)
    assert (sum(parts) == whole).all()
    by_hand = sum(int(u) for u in units[(owner == 1) & (crop_class == 2)])
    assert int(whole[1, 2]) == by_hand


def test_hectares_are_printed_in_full() -> None:
    assert format_ha(1) == "0.0000000001"
    assert format_ha(123_456_789_012_345_678_9) == "123456789.0123456789"
    assert format_ha(0) == "0.0000000000"


def test_the_table_has_every_class_and_an_unobserved_row_that_add_up_exactly() -> None:
    table = mapped_table(small_counts(), REGIONS, SCHEME, PERIOD)
    assert tuple(table.columns) == AREA_COLUMNS
    assert table["class"].tolist() == ["coca", "other", "unobserved"] * 2
    assert table["period"].unique().tolist() == ["2024"]
    first = table[table["region_id"] == "R1"]
    assert first["mapped_ha"].tolist() == [
        Decimal("0.0200000003"), Decimal("0.0000000003"), Decimal("0.0000000007")
    ]  # fmt: skip
    assert sum(first["mapped_ha"]) == Decimal("0.0200000013")
    assert first["observed_fraction"].to_numpy() == pytest.approx(1 - 7 / 200_000_013)
    assert table["estimated_ha"].isna().all()
    assert set(table["notes"]) == {()}


def test_a_code_that_the_scheme_does_not_know_is_named() -> None:
    counts = small_counts()
    counts[1, 9] = 5
    with pytest.raises(ContractError, match=r"codes \[9\]"):
        mapped_table(counts, REGIONS, SCHEME, PERIOD)


def test_the_difference_from_the_polygon_is_in_percent_of_the_polygon() -> None:
    table = region_areas(small_counts(), REGIONS)
    assert table["owned_ha"].tolist() == [Decimal("0.0200000013"), Decimal("0.0100000000")]
    assert table["difference_percent"].to_numpy() == pytest.approx([-33.333329, 0.0], abs=1e-5)


def test_a_country_is_the_sum_of_its_regions() -> None:
    counts = np.zeros((3, 256), dtype=np.int64)
    counts[:, 1] = [1, 2, 4]
    counts[:, 0] = [1, 0, 0]
    regions = pd.concat([REGIONS, REGIONS.iloc[:1].assign(region_id="R3", country="PE")], ignore_index=True)
    table = country_table(mapped_table(counts, regions, SCHEME, PERIOD)).set_index(["country", "class"])
    assert table.loc[("PE", "coca"), "mapped_ha"] == Decimal("0.0000000006")
    assert table.loc[("BO", "coca"), "mapped_ha"] == Decimal("0.0000000001")
    assert table.loc[("BO", "coca"), "observed_fraction"] == 0.5
    assert table.loc[("PE", "unobserved"), "observed_fraction"] == 1.0


def test_the_csv_holds_the_exact_decimals_and_the_parquet_the_same(tmp_path) -> None:
    areas = mapped_table(small_counts(), REGIONS, SCHEME, PERIOD)
    written = write_tables(tmp_path, areas)
    assert [path.name for path in written] == ["hectares.csv", "hectares.parquet"]
    with open(written[0], encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == AREA_COLUMNS
    assert sum(Decimal(r["mapped_ha"]) for r in rows if r["region_id"] == "R1") == Decimal("0.0200000013")
    assert rows[0]["estimated_ha"] == ""
    assert pd.read_parquet(written[1])["mapped_ha"].tolist() == areas["mapped_ha"].tolist()
