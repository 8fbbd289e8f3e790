from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.errors import UsageError
from cocal.estimate import density_table, public_density
from cocal.estimate.density import CELL_COLUMNS, cell_rows
from cocal.notes import Note

REGIONS = pd.DataFrame({"region_id": ["N", "S"], "country": ["PE", "BO"]})
HA = 10**10


def test_a_square_counts_its_plots_with_touching_corners_as_one() -> None:
    codes = np.array([[1, 2, 2, 1], [2, 1, 2, 1], [2, 2, 0, 2], [1, 2, 2, 2]], dtype=np.uint8)
    owner = np.array([[0, 0, 1, 1]] * 3 + [[-1, 0, 1, 1]], dtype=np.int32)
    units = np.full((4, 4), 5, dtype=np.int64)
    # region 0 owns 7 pixels, region 1 eight; coca: the diagonal pair, and the right column's two, 10 each
    assert cell_rows(codes, owner, units, target=1, plot_units=10) == (1, 75, 5, 20, 2)
    assert cell_rows(codes, owner, units, target=1, plot_units=11) == (1, 75, 5, 20, 0)
    assert cell_rows(codes, np.full((4, 4), -1, dtype=np.int32), units, target=1, plot_units=5) is None


def cells(rows: list[tuple[int, int, int, float, int]]) -> pd.DataFrame:
    """(column, row, region, coca ha, plots) of squares of 100 ha."""
    table = [(32719, c, r, region, 100 * HA, 0, int(ha * HA), plots) for c, r, region, ha, plots in rows]
    return pd.DataFrame(table, columns=["epsg", "column", "row", *CELL_COLUMNS])


def test_squares_are_named_by_their_south_west_corner_and_hold_exact_hectares() -> None:
    table = density_table(cells([(500, 8400, 1, 2.5, 3)]), REGIONS, cell_m=1000, period="2024")
    row = table.iloc[0]
    assert (row["cell_id"], row["x"], row["y"]) == ("32719-E500-N8400", 500_000, 8_400_000)
    assert (row["region_id"], row["country"], row["owned_ha"], row["plots"]) == ("S", "BO", 100.0, 3)
    assert row["mapped_ha"] == Decimal("2.5")


def test_a_square_with_few_plots_is_withheld_and_none_follows_from_its_regions_total() -> None:
    table = density_table(
        cells([
            (1, 1, 0, 5.0, 4), (2, 1, 0, 0.3, 1), (3, 1, 0, 0.0, 0), (4, 1, 0, 2.0, 3),
            (1, 2, 1, 0.2, 1), (2, 2, 1, 0.4, 2), (3, 2, 1, 7.0, 9),
        ]),
        REGIONS, cell_m=1000, period="2024",
    )  # fmt: skip
    public = public_density(table, 3)
    assert "plots" not in public.columns
    # N has one square with few plots: the square without coca, the least of the others, is withheld with it
    few, other = (Note("withheld_few_plots"),), (Note("withheld_would_follow"),)
    assert public["notes"].tolist() == [(), few, other, (), few, few, ()]
    assert public["mapped_ha"].isna().tolist() == [False, True, True, False, True, True, False]
    assert public["mapped_ha"].dropna().tolist() == [Decimal(5), Decimal(2), Decimal(7)]


def test_a_threshold_that_protects_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match="min_plots"):
        public_density(density_table(cells([(1, 1, 0, 1.0, 1)]), REGIONS, cell_m=1000, period="a"), 1)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=12),
    st.integers(2, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_published_square_has_few_plots_and_no_region_has_a_single_withheld_one(
    squares: list[tuple[int, int]], min_plots: int
) -> None:
    rows = [(i, 0, region, float(plots), plots) for i, (region, plots) in enumerate(squares)]
    table = density_table(cells(rows), REGIONS, cell_m=1000, period="2024")
    public = public_density(table, min_plots)
    shown = public["mapped_ha"].notna()
    assert not (table["plots"][shown].between(1, min_plots - 1)).any()
    for _, group in public.groupby("region_id"):
        withheld = int(group["mapped_ha"].isna().sum())
        assert withheld != 1 or len(group) == 1
