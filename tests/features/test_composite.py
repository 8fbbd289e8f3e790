from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cocal.features import FeatureSettings, composite, empty_composite
from cocal.features.composites import reduce_dates
from cocal.features.stack import row_strips

Build = Callable[..., FeatureSettings]
Scenes = Callable[..., xr.Dataset]

MASK = {"clear": ["vegetation"], "dilate": ["cloud_high"], "dilate_px": 1}
DAYS = ["2023-01-03", "2023-01-08", "2023-01-13", "2023-01-18"]


def column(*values: int) -> np.ndarray:
    """Dates of one pixel as (time, 1, 1)."""
    return np.array(values).reshape(-1, 1, 1)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("median", 0.25),  # (2000 + 3000) / 2 / 10000
        ("mean", 0.275),  # (1000 + 2000 + 3000 + 5000) / 4 / 10000
        ("p10", 0.13),  # rank 3 x 0.10 = 0.3: 1000 + 0.3 x 1000
        ("min", 0.1),
        ("max", 0.5),
    ],
)
def test_a_composite_of_four_dates_by_hand(
    settings: Build, scenes: Scenes, statistic: str, expected: float
) -> None:
    data = scenes(DAYS, red=column(5000, 1000, 3000, 2000), nir=column(1, 1, 1, 1))
    found = composite(data, settings(composite=statistic))
    assert found.bands["red"][0, 0] == np.float32(expected)
    assert found.bands["red"].dtype == np.float32
    assert found.n_clear[0, 0] == 4


def test_a_date_without_one_of_the_bands_counts_for_none(settings: Build, scenes: Scenes) -> None:
    data = scenes(DAYS, red=column(1000, 0, 3000, 9000), nir=column(4000, 8000, 6000, 0))
    found = composite(data, settings())
    assert found.n_clear[0, 0] == 2
    assert found.bands["red"][0, 0] == np.float32(0.2)
    assert found.bands["nir"][0, 0] == np.float32(0.5)


def test_a_pixel_without_a_clear_date_is_missing_and_not_zero(settings: Build, scenes: Scenes) -> None:
    cloud = column(9, 9, 9, 9)
    data = scenes(DAYS, red=column(1, 2, 3, 4), nir=column(1, 2, 3, 4), scl=cloud)
    for statistic in ("median", "mean", "p90"):
        found = composite(data, settings(mask=MASK, composite=statistic))
        assert found.n_clear[0, 0] == 0
        assert np.isnan(found.bands["red"]).all()


def test_masked_dates_do_not_reach_the_composite(settings: Build, scenes: Scenes) -> None:
    data = scenes(DAYS, red=column(9999, 1000, 9999, 3000), nir=column(1, 1, 1, 1), scl=column(9, 4, 9, 4))
    assert composite(data, settings(mask=MASK)).bands["red"][0, 0] == np.float32(0.2)


def test_no_acquisition_at_all_is_missing_with_count_zero(settings: Build, scenes: Scenes) -> None:
    data = scenes(DAYS, red=np.ones((4, 3, 2)), nir=np.ones((4, 3, 2)))
    for statistic in ("median", "mean"):
        chosen = settings(composite=statistic)
        for found in (empty_composite(chosen, (3, 2)), composite(data.isel(time=slice(0)), chosen)):
            assert found.n_clear.shape == (3, 2)
            assert not found.n_clear.any()
            assert set(found.bands) == {"red", "nir"}
            assert all(np.isnan(values).all() for values in found.bands.values())


def test_where_the_scenes_come_from_travels_with_the_composite(settings: Build, scenes: Scenes) -> None:
    found = composite(scenes(DAYS[:1], red=column(1), nir=column(1)), settings())
    assert found.inputs == ("a", "b")
    assert found.simulated


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(1, 6)).flatmap(
        lambda shape: st.tuples(
            arrays(np.uint16, shape, elements=st.integers(1, 65535)), arrays(np.bool_, shape)
        )
    ),
    st.sampled_from(["median", "mean", "p05", "p90"]),
)
def test_composites_equal_numpys_nan_functions_in_double_precision(
    case: tuple[np.ndarray, np.ndarray], statistic: str
) -> None:
    stack, clear = case
    chosen = FeatureSettings(
        mask=None, windows="season", composite=statistic, features=("red.mean",), fill={"*": "none"}
    )
    found = reduce_dates({"red": stack}, clear, chosen)
    np.testing.assert_array_equal(found.n_clear, clear.sum(axis=0))
    seen = np.where(clear, stack / 10_000, np.nan)
    for y, x in np.ndindex(stack.shape[1:]):
        values = seen[:, y, x][clear[:, y, x]]
        if not values.size:
            assert np.isnan(found.bands["red"][y, x])
            continue
        oracle = {"median": np.median, "mean": np.mean}.get(statistic)
        expected = oracle(values) if oracle else np.percentile(values, int(statistic[1:]))
        assert found.bands["red"][y, x] == pytest.approx(expected, rel=2e-7, abs=1e-9)


def test_the_order_of_dates_does_not_matter(settings: Build, scenes: Scenes) -> None:
    rng = np.random.default_rng(4)
    red, nir = rng.integers(0, 9000, (2, 4, 5, 5))
    for statistic in ("median", "mean", "p25"):
        chosen = settings(composite=statistic)
        one = composite(scenes(DAYS, red=red, nir=nir), chosen)
        other = composite(scenes(DAYS, red=red[::-1], nir=nir[::-1]), chosen)
        np.testing.assert_array_equal(one.bands["red"], other.bands["red"])


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (400, 400), (3, 40_000), (50_000,)])
def test_strips_are_the_whole_in_order(shape: tuple[int, ...]) -> None:
    rows = [r for strip in row_strips(shape) for r in range(shape[0])[strip]]
    assert rows == list(range(shape[0]))
