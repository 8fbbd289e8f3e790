from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from cocal.estimate import density_table
from cocal.estimate.density import CELL_COLUMNS, cell_rows, plots_of_regions

REGIONS = pd.DataFrame({"region_id": ["N", "S"], "country": ["PE", "BO"]})
HA = 10**10


def test_a_square_counts_its_plots_with_touching_corners_as_one() -> None:
    codes = np.array([[1, 2, 2, 1], [2, 1, 2, 1], [2, 2, 0, 2], [1, 2, 2, 2]], dtype=np.uint8)
    owner = np.array([[0, 0, 1, 1]] * 3 + [[-1, 0, 1, 1]], dtype=np.int32)
    units = np.full((4, 4), 5, dtype=np.int64)
    # region 0 owns 7 pixels, region 1 eight; coca: the diagonal pair, and the right column's two, 10 each
    coca = np.where(codes == 1, units, 0)
    assert cell_rows(codes, owner, units, coca, target=1, plot_units=10) == (
        1,
        75,
        5,
        20,
        2,
    )
    assert cell_rows(codes, owner, units, coca, target=1, plot_units=11) == (
        1,
        75,
        5,
        20,
        0,
    )
    assert cell_rows(codes, np.full((4, 4), -1, dtype=np.int32), units, units, target=1, plot_units=5) is None


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


def test_a_plot_counts_once_in_each_region_where_it_is_large_enough_and_not_at_the_edge_of_the_raster():
    drawn = [
        "......###.",
        ".##.#.....",
        ".##..#..#.",
        ".......##.",
        "#....##...",
        "..........",
    ]
    codes = np.array([[1 if c == "#" else 2 for c in line] for line in drawn], dtype=np.uint8)
    owner = np.full(codes.shape, 0, dtype=np.int32)
    owner[:, 5:] = 1
    units = np.full(codes.shape, 5, dtype=np.int64)
    # inside: four pixels of region 0; one of each region, corners touching; five pixels of region 1;
    # the rest lies at the edge
    for least, wanted in ((5, [2, 2]), (6, [1, 1]), (20, [1, 1]), (25, [0, 1]), (26, [0, 0])):
        assert plots_of_regions(codes, owner, units, 2, target=1, plot_units=least).tolist() == wanted
    owner[:, 5:] = -1
    assert plots_of_regions(codes, owner, units, 3, target=1, plot_units=5).tolist() == [2, 0, 0]
