"""The compiled functions against the numpy that they stand for: the same bytes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.oracles import rasters, windows

from cocal.contracts import Period
from cocal.features import FeatureSettings
from cocal.features.composites import reduce_dates
from cocal.features.names import STATISTICS
from cocal.features.stack import FeaturePlan
from cocal.features.statistics import WindowStatistics, fill_gaps
from cocal.features.windows import select_features

YEAR = Period("2023", date(2023, 1, 1), date(2023, 12, 31))
BANDS = ("blue", "red", "nir", "swir16")


def stated(**changed) -> FeatureSettings:
    plain = {
        "mask": "none",
        "windows": "quarterly",
        "composite": "median",
        "features": ["NDVI@*"],
        "fill": {"*": "none"},
    }
    return FeatureSettings.model_validate(plain | changed)


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), dates=st.integers(0, 17),
    composite=st.sampled_from(["median", "p10", "p97", "max", "mean"]),
    clear=st.sampled_from([0.0, 0.3, 0.9, 1.0]), wide=st.sampled_from([3, 1500]),
)  # fmt: skip
def test_composites_have_the_bytes_of_plain_numpy(seed, dates, composite, clear, wide) -> None:
    rng = np.random.default_rng(seed)
    stacks = {
        name: rng.choice(np.array([1, 2, 9_999, 10_000, 65_534, 65_535], np.uint16), (dates, 5, wide))
        for name in BANDS
    }
    there, settings = rng.random((dates, 5, wide)) < clear, stated(composite=composite)
    fast, slow = (reduce(stacks, there, settings) for reduce in (reduce_dates, rasters.reduce_dates))
    assert fast.n_clear.tobytes() == slow.n_clear.tobytes()
    for name in BANDS:
        assert fast.bands[name].tobytes() == slow.bands[name].tobytes()


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), number=st.integers(1, 25), missing=st.sampled_from([0.0, 0.3, 0.95]),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
)  # fmt: skip
def test_statistics_have_the_bytes_of_plain_numpy(seed, number, missing, scale) -> None:
    rng = np.random.default_rng(seed)
    series = (rng.normal(size=(number, 301)) * scale).astype(np.float32)
    series[rng.random(series.shape) < 0.1] = -0.0
    series[rng.random(series.shape) < missing] = np.nan
    days = np.sort(rng.random(number) * 365).tolist()
    fast, slow = (of(series, days, 365) for of in (WindowStatistics, windows.WindowStatistics))
    for name in (*STATISTICS, "p00", "p05", "p33", "p95", "p99"):
        np.testing.assert_array_equal(fast.statistic(name), slow.statistic(name), name)
        assert (np.signbit(fast.statistic(name)) == np.signbit(slow.statistic(name)))[
            ~np.isnan(series).all(axis=0)
        ].all()


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), number=st.integers(1, 25), missing=st.sampled_from([0.0, 0.3, 0.95]),
    rule=st.sampled_from(["none", "linear", "nearest", "median"]),
)  # fmt: skip
def test_filled_windows_have_the_bytes_of_plain_numpy(seed, number, missing, rule) -> None:
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(number, 301)).astype(np.float32)
    series[rng.random(series.shape) < missing] = np.nan
    days = np.sort(rng.random(number) * 365).tolist()
    fast, slow = (fill(series, days, rule) for fill in (fill_gaps, windows.fill_gaps))
    np.testing.assert_array_equal(fast, slow)
    assert (np.signbit(fast) == np.signbit(slow))[~np.isnan(slow)].all()


@pytest.mark.parametrize("rule", ["none", "linear", "nearest", "median"])
def test_features_have_the_bytes_of_plain_numpy_under_every_fill_rule(rule) -> None:
    rng = np.random.default_rng(5)
    names = [
        "NDVI@*",
        "BSI@q2",
        "red@q1",
        *(
            f"{v}.{s}"
            for v in ("NDVI", "swir16")
            for s in (*STATISTICS, "p10", "p90")
            if not s.startswith("h2")
        ),
    ]
    settings = stated(features=names, fill={"*": rule})
    composites = []
    for _ in range(4):
        seen = rng.random((6, 40)) < 0.7
        composites.append(
            {
                b: np.where(seen, rng.random((6, 40)), np.nan).astype(np.float32)
                for b in settings.reflectance_bands
            }
        )
    chosen = select_features(settings, YEAR)
    fast = FeaturePlan.of(settings, YEAR).compute(composites)
    slow = rasters.features(composites, settings, YEAR)
    assert fast.shape == (len(chosen), 6, 40)
    assert fast.tobytes() == slow.tobytes()
