from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree
from scipy.stats import chi2, kstest

from cocal.fieldwork.design import (
    Sizes,
    candidates,
    candidates_needed,
    draw_points,
    enough,
    number_points,
    pixel_numbers,
    thresholds,
)
from cocal.fieldwork.design.draw import local_pivotal
from cocal.grid import Tile, Window, transformer

WINDOW = Window(32719, 500_040, 8_450_040, 96, 96)
STRATUM = np.where(np.arange(96)[:, None] < 24, 0, 1) + np.zeros((96, 96), dtype=np.int64)
PIXELS, N, RESERVES = np.array([2304, 6912]), np.array([30, 60]), np.array([6, 12])


def spatial_balance(sample: np.ndarray, population: np.ndarray) -> float:
    """Mean of (v - 1)^2 over the sample's points, 0 = perfectly spread.

    v is the sum of inclusion probabilities n/N of the units that lie nearest to a point, 1 for each in a
    perfect sample (Stevens and Olsen 2004, doi:10.1198/016214504000000250). Lower is better.
    """
    nearest = cKDTree(sample).query(population)[1]
    v = np.bincount(nearest, minlength=len(sample)) * len(sample) / len(population)
    return float(((v - 1) ** 2).mean())


def drawn(draw: str, *, seed: int = 3, block_px: int = 96) -> pd.DataFrame:
    needed = candidates_needed(Sizes(N, RESERVES, PIXELS), draw)
    below = thresholds(needed, PIXELS, slack=6)
    parts = [
        candidates(STRATUM[WINDOW.slices_of(block)], block, below=below, seed=seed)
        for block in Tile(WINDOW).blocks(block_px)
    ]
    table = pd.concat(parts[::-1], ignore_index=True)
    assert enough(table, needed)
    return draw_points(table, Sizes(N, RESERVES, PIXELS), draw=draw, resolution=10, seed=seed)


@pytest.mark.parametrize("draw", ["random", "balanced"])
def test_sizes_probabilities_and_order_are_exact(draw):
    table = drawn(draw)
    sizes = table.groupby(["stratum", "role"]).size().to_dict()
    assert sizes == {(0, "main"): 30, (0, "reserve"): 6, (1, "main"): 60, (1, "reserve"): 12}
    assert not table.duplicated(["row", "column"]).any()
    for (h, role), part in table.groupby(["stratum", "role"]):
        assert part["order"].tolist() == list(range(1, sizes[h, role] + 1))
        assert part["inclusion_probability"].unique().tolist() == [N[h] / PIXELS[h]]


@pytest.mark.parametrize("draw", ["random", "balanced"])
def test_the_same_seed_gives_the_same_sample_whatever_the_blocks(draw):
    whole, blocks, other = drawn(draw), drawn(draw, block_px=20), drawn(draw, seed=4)
    pd.testing.assert_frame_equal(whole, blocks)
    assert not whole[["x", "y"]].equals(other[["x", "y"]])


def test_points_are_the_centres_of_pixels_of_their_stratum():
    table = drawn("random")
    column, row = (table["x"] - WINDOW.left - 5) / 10, (WINDOW.top - table["y"] - 5) / 10
    assert (STRATUM[row.astype(int), column.astype(int)] == table["stratum"]).all()
    lon, lat = transformer(32719, 4326).transform(table["x"], table["y"])
    assert np.abs(table["lon"] - lon).max() < 1e-7
    assert np.abs(table["lat"] - lat).max() < 1e-7


def test_main_points_and_reserves_are_the_lowest_numbers_in_order():
    number = pixel_numbers(3, WINDOW)[STRATUM == 1]
    found = drawn("random").query("stratum == 1")
    column, row = (found["x"] - WINDOW.left - 5) / 10, (WINDOW.top - found["y"] - 5) / 10
    mine = pixel_numbers(3, WINDOW)[row.astype(int), column.astype(int)]
    assert mine.tolist() == np.sort(number)[:72].tolist()


def test_the_numbers_of_pixels_are_uniform_and_neighbours_independent():
    part = pixel_numbers(11, WINDOW) / 2.0**64
    assert kstest(part.ravel(), "uniform").pvalue > 0.001
    for a, b in ((part[:, 1:], part[:, :-1]), (part[1:], part[:-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)
    assert np.unique(pixel_numbers(11, WINDOW)).size == WINDOW.width * WINDOW.height


def test_every_pixel_has_the_same_chance_under_both_draws():
    """Points per eighth of stratum 1 over 30 seeds against equal chances."""
    for draw in ("random", "balanced"):
        tables = [drawn(draw, seed=seed).query("stratum == 1 and role == 'main'") for seed in range(30)]
        column = ((pd.concat(tables)["x"] - WINDOW.left) // 10).to_numpy(int)
        counts = np.bincount(column // 12, minlength=8)
        expected = 30 * 60 / 8
        assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(0.999, 7), draw


def test_numbers_of_two_zones_differ():
    assert not (pixel_numbers(1, WINDOW) == pixel_numbers(1, Window(32720, 500_040, 8_450_040, 96, 96))).any()


def test_too_low_a_threshold_is_noticed():
    needed = np.array([50, 50])
    below = thresholds(needed, PIXELS, slack=-6)
    assert not enough(candidates(STRATUM, WINDOW, below=below, seed=1), needed)
    every = candidates(STRATUM, WINDOW, below=thresholds(needed, PIXELS, slack=np.inf), seed=1)
    assert len(every) == STRATUM.size


def test_a_stratum_may_be_taken_whole():
    pixels, n = np.array([2304, 6912]), np.array([2304, 10])
    table = candidates(STRATUM, WINDOW, below=thresholds(n, pixels, slack=6), seed=1)
    found = draw_points(table, Sizes(n, np.zeros(2, int), pixels), draw="random", resolution=10, seed=1)
    assert (found["stratum"] == 0).sum() == 2304
    assert found.query("stratum == 0")["inclusion_probability"].unique().tolist() == [1.0]


def grid(side: int) -> np.ndarray:
    return np.column_stack([a.ravel() for a in np.mgrid[:side, :side]]).astype(float)


def test_a_balanced_sample_has_the_size_asked_for():
    points = grid(10)
    for n in (0, 1, 7, 50, 99, 100):
        assert len(np.unique(local_pivotal(points, n, np.random.default_rng(n)))) == n


def test_every_point_of_a_balanced_sample_has_the_same_chance():
    """On 5 x 5 points with n = 5 each is taken in a fifth of 2,000 draws: within 5 standard deviations."""
    rng, counts = np.random.default_rng(1), np.zeros(25)
    for _ in range(2000):
        counts[local_pivotal(grid(5) + rng.random((25, 2)) / 100, 5, rng)] += 1
    assert np.abs(counts / 2000 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 2000)


def test_two_neighbours_of_a_pair_are_never_both_taken():
    pairs = np.array([[100.0 * k, j] for k in range(8) for j in (0, 1)])
    for seed in range(50):
        chosen = local_pivotal(pairs, 8, np.random.default_rng(seed))
        assert (np.bincount(chosen // 2, minlength=8) == 1).all()


def test_balanced_samples_are_spread_far_better_than_random_ones():
    points, rng = grid(60), np.random.default_rng(5)
    random = [spatial_balance(points[rng.choice(3600, 60, replace=False)], points) for _ in range(10)]
    thinned = []
    for _ in range(10):
        some = points[rng.choice(3600, 1200, replace=False)]
        thinned.append(spatial_balance(some[local_pivotal(some, 60, rng)], points))
    assert max(thinned) < min(random)
    assert np.mean(thinned) < 0.5 * np.mean(random)
    assert np.mean(thinned) == pytest.approx(0.09, abs=0.04)


def test_the_measure_of_spread_is_zero_for_a_lattice():
    middle = grid(3) * 10 + 4.5
    assert spatial_balance(middle, grid(30)) == pytest.approx(0)


def test_points_are_numbered_north_to_south_and_tell_no_stratum():
    table = drawn("random").assign(region_id="R", map_class="forest")
    found = number_points(table)
    main = found[found["role"] == "main"]
    assert main["point_id"].tolist() == [f"P{k:04d}" for k in range(1, 91)]
    assert (np.diff(main["y"]) <= 0).all()
    assert found["point_id"].is_unique
    assert found["point_id"].str.startswith("R").sum() == 18
