from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import generic_filter

from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings, features_from_composites, halo_px, series_features
from cocal.features.composite import Composite
from cocal.features.names import parse_feature
from cocal.features.neighbours import summarise
from cocal.grid import Window

MARCH = Period("march", date(2024, 3, 1), date(2024, 3, 31))
FEATURES = ("NDVI@03", "NDVI.median~mean3", "NDVI@03~std5", "slope")


def settings_of(*features: str, dilate_px: int = 2) -> FeatureSettings:
    mask = {"clear": ["vegetation"], "dilate": ["cloud_high"], "dilate_px": dilate_px}
    return FeatureSettings.model_validate(
        {
            "mask": mask,
            "windows": "monthly",
            "composite": "median",
            "features": features,
            "fill": {"*": "none"},
        }
    )


def land(seed: int, side: int) -> Any:
    random = np.random.default_rng(seed)
    values = random.uniform(0.05, 0.6, (2, side, side)).astype(np.float32)
    values[:, random.random((side, side)) < 0.1] = np.nan
    heights = random.uniform(0, 30, (side, side)).astype(np.float32)
    return values, heights


def test_the_mean_and_the_spread_of_a_square_by_hand() -> None:
    values = np.array([[1, 2, 3], [4, np.nan, 6], [7, 8, 9]], dtype=np.float32)
    assert np.isnan(summarise(values, "mean", 3)).all()  # the pixel itself is missing
    values[1, 1], values[0, 0] = 5, np.nan
    # 2 3 4 5 6 7 8 9: mean 44 / 8, mean of squares 284 / 8
    assert summarise(values, "mean", 3).tolist() == [[5.5]]
    assert summarise(values, "std", 3)[0, 0] == pytest.approx((284 / 8 - 5.5**2) ** 0.5)


@given(st.integers(0, 99), st.sampled_from([3, 5, 7]))
@settings(max_examples=15, deadline=None)
def test_squares_are_those_of_a_plain_filter(seed: int, side: int) -> None:
    values, _ = land(seed, 12)
    edge = side // 2
    for summary, plain in (("mean", np.nanmean), ("std", np.nanstd)):
        expected = generic_filter(values[0].astype(float), plain, size=side)[edge:-edge, edge:-edge]
        expected[np.isnan(values[0][edge:-edge, edge:-edge])] = np.nan
        np.testing.assert_allclose(summarise(values[0], summary, side), expected, atol=2e-7)


def test_a_block_has_the_features_of_the_whole() -> None:
    wanted, halo = settings_of(*FEATURES), 4
    assert halo_px(wanted) == halo
    (red, nir), heights = land(1, 40)
    window = Window(32719, 500_040, 8_500_020, 40 - 2 * halo, 40 - 2 * halo)

    def of(rows: slice, columns: slice) -> Any:
        cut = slice(rows.start, rows.stop + 2 * halo), slice(columns.start, columns.stop + 2 * halo)
        bands = {"red": red[cut], "nir": nir[cut]}
        one = Composite(bands, np.ones(bands["red"].shape, dtype=np.uint16))
        left, top = window.left + 10 * columns.start, window.top - 10 * rows.start
        block = Window(32719, left, top, columns.stop - columns.start, rows.stop - rows.start)
        found = features_from_composites([one], wanted, MARCH, block, heights[cut])
        assert tuple(found["feature"].values) == FEATURES
        return found["features"].values

    whole = of(slice(0, 32), slice(0, 32))
    for rows, columns in (
        (slice(3, 17), slice(0, 9)),
        (slice(0, 32), slice(20, 32)),
        (slice(31, 32), slice(5, 6)),
    ):
        assert of(rows, columns).tobytes() == np.ascontiguousarray(whole[:, rows, columns]).tobytes()
    assert not np.isnan(whole[1:3]).all()


def test_composites_without_the_margin_are_refused() -> None:
    (red, nir), _ = land(2, 12)
    window = Window(32719, 500_040, 8_500_020, 12, 12)
    wanted = settings_of("NDVI@03~mean3", dilate_px=0)
    one = Composite({"red": red, "nir": nir}, np.ones(red.shape, dtype=np.uint16))
    with pytest.raises(ValueError, match="not a window"):
        features_from_composites([one], wanted, MARCH, window)


@pytest.mark.parametrize(
    "name", ["NDVI.median~mean4", "NDVI.median~mean33", "NDVI.median~max3", "slope~mean3"]
)
def test_what_is_no_square_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"side is odd|not a feature name"):
        parse_feature(name)


def test_a_table_of_series_has_no_surroundings() -> None:
    series = xr.Dataset(
        {n: (("time", "sample"), np.ones((1, 1))) for n in ("red", "nir")},
        coords={"time": [np.datetime64("2024-03-05", "ns")], "sample": [0]},
    )
    with pytest.raises(InputError, match=r"no surroundings(.|\n)*NDVI@03~mean3"):
        series_features(series, settings_of("NDVI@03", "NDVI@03~mean3"), MARCH)
