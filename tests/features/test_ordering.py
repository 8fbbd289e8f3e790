from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tests.oracles.windows import count_time, pick_rank, sort_time

from cocal.features.kernels import comparators
from cocal.features.names import percent_of

stacks = st.tuples(st.integers(1, 24), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(arrays(np.uint16, shape, elements=st.integers(1, 65535)), arrays(np.bool_, shape))
)


@pytest.mark.parametrize("length", [*range(17), 30, 31, 64, 73])
def test_the_comparators_sort_every_sequence_of_zeros_and_ones(length: int) -> None:
    # Knuth's zero-one principle: a network that sorts all 0/1 sequences sorts everything.
    if length <= 12:
        bits = np.arange(2**length)
    else:
        bits = np.random.default_rng(1).integers(0, 2 ** min(length, 62), 4000)
    planes = [(bits >> i) & 1 for i in range(length)]
    for i, j in comparators(length):
        planes[i], planes[j] = np.minimum(planes[i], planes[j]), np.maximum(planes[i], planes[j])
    assert all((a <= b).all() for a, b in pairwise(planes))


@settings(deadline=None)
@given(stacks)
def test_sorting_equals_numpy_with_what_is_not_there_last(case: tuple[np.ndarray, np.ndarray]) -> None:
    stack, there = case
    expected = np.sort(np.where(there, stack, 65535).astype(np.uint16), axis=0)
    np.testing.assert_array_equal(sort_time(stack, there), expected)


@settings(deadline=None)
@given(stacks, st.integers(0, 99))
def test_percentiles_equal_numpy_on_what_is_there(case: tuple[np.ndarray, np.ndarray], percent: int) -> None:
    stack, there = case
    found = pick_rank(sort_time(stack, there), count_time(there), percent)
    for column, seen, value in zip(stack.T, there.T, found, strict=True):
        if seen.any():
            assert value == pytest.approx(np.percentile(column[seen].astype(float), percent), rel=1e-6)
        else:
            assert np.isnan(value)


@settings(deadline=None)
@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=3), elements=st.floats(-2, 2, width=32)))
def test_floats_sort_like_numpy_with_missing_values_as_infinity(stack: np.ndarray) -> None:
    there = stack != 0
    expected = np.sort(np.where(there, stack, np.inf), axis=0)
    np.testing.assert_array_equal(sort_time(np.where(there, stack, np.nan), there), expected)


def test_the_median_of_an_even_count_is_the_mean_of_the_two_middle_values() -> None:
    stack = np.array([[9], [100], [3], [4]], dtype=np.uint16)
    there = np.ones_like(stack, dtype=bool)
    assert pick_rank(sort_time(stack, there), count_time(there), 50)[0] == 6.5  # (4 + 9) / 2


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("p10", 10),
        ("p05", 5),
        ("median", 50),
        ("min", 0),
        ("max", 100),
        ("p5", None),
        ("std", None),
        ("p100", None),
    ],
)
def test_percentile_names(name: str, percent: int | None) -> None:
    assert percent_of(name) == percent
