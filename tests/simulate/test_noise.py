"""Chance is a function of seed and place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.grid import Window
from cocal.hashing import splitmix64
from cocal.simulate.noise import fractal, fractal_grid, normal, uniform, white

SEEDS = st.integers(0, 2**62)


def splitmix_finaliser(z: int) -> int:
    """SplitMix64's finaliser in whole numbers of Python, as published by Steele, Lea and Flood (2014)."""
    mask = 2**64 - 1
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


def test_the_hash_mixes_like_splitmix64_in_python_integers() -> None:
    values = [0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15]
    assert splitmix64(np.array(values, dtype=np.uint64)).tolist() == [splitmix_finaliser(v) for v in values]


def test_uniform_values_fill_the_unit_interval_evenly() -> None:
    values = uniform(3, "a", np.arange(200)[None, :], np.arange(500)[:, None])
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    expected, spread = 10_000, (100_000 * 0.1 * 0.9) ** 0.5
    assert values.min() >= 0
    assert values.max() < 1
    assert np.abs(counts - expected).max() < 5 * spread


@pytest.mark.parametrize("other", [{"seed": 4}, {"stream": "b"}, {"shift": 1}])
def test_another_seed_stream_or_place_gives_unrelated_values(other: dict) -> None:
    place = np.arange(20_000)
    here = uniform(3, "a", place, 7)
    there = uniform(other.get("seed", 3), other.get("stream", "a"), place + other.get("shift", 0), 7)
    assert abs(np.corrcoef(here, there)[0, 1]) < 5 / 20_000**0.5


def test_normal_values_have_mean_zero_and_variance_one() -> None:
    values = normal(3, "a", np.arange(100_000), 0)
    assert abs(values.mean()) < 5 / 100_000**0.5
    assert abs(values.var() - 1) < 5 * (2 / 100_000) ** 0.5


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS, left=st.integers(-90_000, 90_000), top=st.integers(-90_000, 90_000), octaves=st.integers(1, 4)
)
def test_noise_on_a_grid_equals_noise_at_its_points_bit_for_bit(
    seed: int, left: int, top: int, octaves: int
) -> None:
    x, y = left + 7.5 * np.arange(9), top - 7.5 * np.arange(6)
    grid = fractal_grid(seed, "n", x, y, 90.0, octaves)
    assert np.array_equal(grid, fractal(seed, "n", x[None, :], y[:, None], 90.0, octaves))


def test_noise_has_about_unit_spread_over_many_wavelengths() -> None:
    far = 50.0 * np.arange(700)
    values = fractal_grid(5, "n", far, far, 173.0, 4)
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


@settings(max_examples=20, deadline=None)
@given(
    seed=SEEDS,
    column=st.integers(-150, 150),
    row=st.integers(-150, 150),
    width=st.integers(1, 120),
    height=st.integers(1, 120),
)
def test_white_noise_of_a_part_is_the_part_of_the_white_noise(
    seed: int, column: int, row: int, width: int, height: int
) -> None:
    whole = Window(32719, -3000, 3000, 600, 600)
    part = Window(32719, column * 10, row * 10, width, height)
    rows, columns = whole.slices_of(part)
    assert np.array_equal(white(seed, "w", part, 1), white(seed, "w", whole, 1)[:, rows, columns])
