from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from cocal.contracts import Period, check_features, grid_coords, window_of
from cocal.errors import ContractError, InputError
from cocal.features import (
    FeatureSettings,
    composite,
    composite_windows,
    empty_composite,
    feature_names,
    features_from_composites,
    halo_px,
    index,
)
from cocal.grid import Window

Build = Callable[..., FeatureSettings]
Scenes = Callable[..., xr.Dataset]

MASK = {"clear": ["vegetation", "bare"], "dilate": ["cloud_high", "cloud_shadow"], "dilate_px": 3}
RICH = {
    "mask": MASK,
    "features": [
        "NDVI@*", "NDVI.p10", "NDVI.std", "NDVI.h1_cos", "NDMI.mean", "NDMI.trend", "red.median", "slope",
        "NBR.lowest_day", "elevation", "NDMI.falls", "NDVI.h2_sin",
    ],
    "fill": {"*@*": "linear", "NDMI*": "nearest", "*": "none"},
}  # fmt: skip


@pytest.fixture
def cloudy_year(scenes: Scenes) -> xr.Dataset:
    """36 dates of 2023 on 40 x 50 pixels, half of them cloudy; nothing in May."""
    rng = np.random.default_rng(7)
    days = [str(d) for d in np.arange("2023-01-04", "2023-12-30", 10, dtype="datetime64[D]")]
    days = [d for d in days if "-05-" not in d]
    shape = (len(days), 40, 50)
    bands = {name: rng.integers(1, 6000, shape) for name in ("red", "nir", "swir16", "swir22")}
    scl = np.where(rng.random(shape) < 0.03, 9, 4)
    bands["red"][:, 8:12, 30:] = 0
    return scenes(days, scl=scl, **bands)


@pytest.fixture
def hills() -> np.ndarray:
    y, x = np.mgrid[0:46, 0:56]
    return (500 + 30 * np.sin(x / 3) + 20 * np.cos(y / 4)).astype(np.float32)


def test_ndvi_of_the_monthly_median_by_hand(settings: Build, scenes: Scenes, year: Period) -> None:
    data = scenes(
        ["2023-01-03", "2023-01-08", "2023-02-02", "2022-12-31"],
        red=np.array([1000, 3000, 1000, 9]).reshape(4, 1, 1),
        nir=np.array([5000, 7000, 3000, 9]).reshape(4, 1, 1),
    )
    found = index(data, settings(features=["NDVI@01", "NDVI@02", "NDVI.mean"]), year)
    # January: median red 0.2, nir 0.6: 0.4 / 0.8; February: 0.2 / 0.4; 2022 is left aside
    np.testing.assert_allclose(found["features"].values[:, 0, 0], [0.5, 0.5, 0.5], rtol=1e-6)
    assert found["n_clear"].values[0, 0] == 3


def test_missing_months_stay_missing_and_are_never_zero(
    settings: Build, cloudy_year: xr.Dataset, year: Period
) -> None:
    found = index(cloudy_year, settings(mask=MASK, features=["NDVI@*", "NDVI.min"]), year)
    may = found["features"].sel(feature="NDVI@05").values
    assert np.isnan(may).all()
    april = found["features"].sel(feature="NDVI@04").values
    assert np.isfinite(april).any()
    stack = found["features"].sel(feature=[f"NDVI@{m:02d}" for m in range(1, 13)]).values
    lowest = found["features"].sel(feature="NDVI.min").values
    seen = np.isfinite(stack).any(axis=0)
    np.testing.assert_array_equal(lowest[seen], np.nanmin(stack[:, seen], axis=0))
    unseen = found["n_clear"].values == 0
    assert unseen[8:12, 30:].all()
    assert np.isnan(found["features"].values[:, unseen]).all()


def test_a_stated_rule_fills_the_missing_month_of_its_features_only(
    settings: Build, scenes: Scenes, year: Period
) -> None:
    data = scenes(
        ["2023-01-15", "2023-03-15"],
        red=np.array([1000, 3000]).reshape(2, 1, 1),
        nir=np.array([2000, 4000]).reshape(2, 1, 1),
    )
    chosen = settings(features=["red@02", "nir@02", "nir@12"], fill={"red@*": "linear", "*": "none"})
    values = index(data, chosen, year)["features"].values[:, 0, 0]
    # centres 15.5, 45.0 and 74.5 days: 0.1 + 0.2 x 29.5 / 59
    assert values[0] == pytest.approx(0.2)
    assert np.isnan(values[1:]).all()


def test_the_features_keep_their_contract_in_the_order_asked_for(
    settings: Build, cloudy_year: xr.Dataset, year: Period, hills: np.ndarray
) -> None:
    chosen = settings(**RICH)
    found = index(cloudy_year, chosen, year, hills)
    names = feature_names(chosen, year)
    check_features(found, names)
    assert names[:2] == ["NDVI@01", "NDVI@02"]
    assert names[-1] == "NDVI.h2_sin"
    assert found.attrs["simulated"] == 1
    assert found.attrs["inputs"] == ["a", "b"]
    assert found.attrs["feature_settings"] == chosen.digest
    assert window_of(found) == window_of(cloudy_year)
    assert all(name not in found["features"].attrs for name in ("standard_name", "grid_mapping"))


def test_blocks_of_any_size_give_the_features_of_the_whole_to_the_bit(
    settings: Build, cloudy_year: xr.Dataset, year: Period, hills: np.ndarray
) -> None:
    chosen = settings(**RICH)
    halo = halo_px(chosen)
    whole = index(cloudy_year, chosen, year, hills)
    window = window_of(cloudy_year)
    inner = Window(window.epsg, window.left + 30, window.top - 30, window.width - 6, window.height - 6)
    days = cloudy_year["time"].values.astype("datetime64[D]")
    for block in (
        Window(inner.epsg, inner.left + 10 * dx, inner.top - 10 * dy, w, h)
        for dx, dy, w, h in ((0, 0, 44, 34), (0, 0, 7, 34), (7, 0, 37, 5), (20, 11, 1, 1), (25, 3, 19, 20))
    ):
        rows, columns = window.slices_of(block.expanded(halo))
        part = cloudy_year.isel(y=rows, x=columns)
        composites = []
        for _, start, end in composite_windows(chosen, year):
            dates = np.flatnonzero((days >= np.datetime64(start)) & (days <= np.datetime64(end)))
            composites.append(
                composite(part.isel(time=dates), chosen)
                if dates.size
                else empty_composite(chosen, block.expanded(halo).shape)
            )
        dem = hills[rows.start : rows.stop + 6, columns.start : columns.stop + 6]
        found = features_from_composites(composites, chosen, year, block, dem)
        rows, columns = window.slices_of(block)
        assert found["features"].values.tobytes() == whole["features"].values[:, rows, columns].tobytes()
        np.testing.assert_array_equal(found["n_clear"].values, whole["n_clear"].values[rows, columns])


def test_chunked_scenes_give_the_same_features(
    settings: Build, cloudy_year: xr.Dataset, year: Period, hills: np.ndarray
) -> None:
    chosen = settings(**RICH)
    whole = index(cloudy_year, chosen, year, hills)
    chunked = index(cloudy_year.chunk(time=5, y=16, x=16), chosen, year, hills)
    xr.testing.assert_identical(whole, chunked)


def test_terrain_is_cut_to_the_window(
    settings: Build, cloudy_year: xr.Dataset, year: Period, hills: np.ndarray
) -> None:
    found = index(cloudy_year, settings(features=["red.mean", "elevation", "slope"]), year, hills)
    np.testing.assert_array_equal(found["features"].sel(feature="elevation").values, hills[3:-3, 3:-3])
    assert np.isfinite(found["features"].sel(feature="slope").values).all()


def test_terrain_without_an_elevation_model_is_refused(
    settings: Build, cloudy_year: xr.Dataset, year: Period
) -> None:
    with pytest.raises(InputError, match="an elevation model"):
        index(cloudy_year, settings(features=["red.mean", "slope"]), year)


def test_scenes_without_a_needed_band_do_not_keep_the_contract(
    settings: Build, cloudy_year: xr.Dataset, year: Period
) -> None:
    with pytest.raises(ContractError, match="blue"):
        index(cloudy_year, settings(features=["EVI.mean"]), year)


def test_a_period_of_two_years_is_cut_into_24_named_months(settings: Build, scenes: Scenes) -> None:
    from datetime import date

    days = [str(d) for d in np.arange("2022-01-15", "2023-12-31", 30, dtype="datetime64[D]")]
    shape = (len(days), 2, 3)
    data = scenes(days, red=np.full(shape, 1000), nir=np.full(shape, 3000))
    found = index(data, settings(), Period("two", date(2022, 1, 1), date(2023, 12, 31)))
    assert found.sizes["feature"] == 24
    assert str(found["feature"].values[-1]) == "NDVI@2023-12"
    np.testing.assert_allclose(found["features"].values, 0.5, rtol=1e-6)


def test_the_window_of_the_dataset_is_that_of_its_coords(
    settings: Build, cloudy_year: xr.Dataset, year: Period
) -> None:
    found = index(cloudy_year, settings(features=["red.mean"]), year)
    expected = grid_coords(window_of(cloudy_year))
    np.testing.assert_array_equal(found["cell_area"].values, expected["cell_area"].values)
