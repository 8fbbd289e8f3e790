from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings, index, series_features

Build = Callable[..., FeatureSettings]
Scenes = Callable[..., xr.Dataset]

DAYS = np.array(["2023-01-05", "2023-01-15", "2023-02-05", "2023-12-31"], dtype="datetime64[ns]")


def table(**columns: list[list[float]] | list[float]) -> xr.Dataset:
    arrays = {n: np.array(v, dtype=float) for n, v in columns.items()}
    data = {n: (("time", "sample") if a.ndim == 2 else ("sample",), a) for n, a in arrays.items()}
    return xr.Dataset(data, coords={"time": DAYS, "sample": ["s1", "s2"]})


def test_series_and_rasters_of_the_same_values_have_the_same_features(
    settings: Build, scenes: Scenes, year: Period
) -> None:
    rng = np.random.default_rng(3)
    days = [str(d) for d in np.arange("2023-01-02", "2023-12-31", 9, dtype="datetime64[D]")]
    shape = (len(days), 4, 5)
    bands = {name: rng.integers(1, 7000, shape) for name in ("blue", "red", "nir", "swir16")}
    for name in bands:
        bands[name][rng.random(shape) < 0.4] = 0
    chosen = settings(
        features=[
            "NDVI@*",
            "EVI.p90",
            "BSI.std",
            "NDMI.h1_sin",
            "red.lowest_day",
            "NDMI.trend",
            "NDVI.falls",
        ],
        fill={"*@*": "linear", "*": "none"},
    )
    raster = index(scenes(days, **bands), chosen, year)["features"].values.reshape(-1, 20)
    columns = {
        n: (("time", "sample"), np.where(b == 0, np.nan, b / 10_000).reshape(len(days), 20))
        for n, b in bands.items()
    }
    series = xr.Dataset(columns, coords={"time": np.array(days, dtype="datetime64[ns]"), "sample": range(20)})
    found = series_features(series, chosen, year)
    assert list(found.columns[:2]) == ["NDVI@01", "NDVI@02"]
    assert found.to_numpy().T.tobytes() == raster.tobytes()


def test_a_supplied_index_is_used_only_where_its_bands_are_not_there(settings: Build, year: Period) -> None:
    chosen = settings(features=["NDVI@01"])
    supplied = [[0.9, 0.9]] * 4
    # composite of the supplied NDVI
    assert series_features(table(NDVI=supplied), chosen, year)["NDVI@01"].tolist() == pytest.approx(
        [0.9, 0.9]
    )
    both = table(NDVI=supplied, red=[[0.1, 0.1]] * 4, nir=[[0.3, 0.3]] * 4)
    # from the bands: 0.2 over 0.4
    assert series_features(both, chosen, year)["NDVI@01"].tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("statistic", "expected"), [("median", 0.5), ("mean", 0.5), ("p25", 0.4)])
def test_supplied_indices_are_composited_over_what_is_there(
    settings: Build, year: Period, statistic: str, expected: float
) -> None:
    data = table(NDVI=[[0.3, np.nan], [0.7, -0.2], [0.1, 0.1], [0.1, 0.1]])
    found = series_features(data, settings(features=["NDVI@01", "NDVI@03"], composite=statistic), year)
    assert found.loc["s1", "NDVI@01"] == pytest.approx(expected)
    assert found.loc["s2", "NDVI@01"] == pytest.approx(-0.2)
    assert found["NDVI@03"].isna().all()


def test_scene_classes_of_a_series_are_masked(settings: Build, year: Period) -> None:
    mask = {"clear": ["vegetation"], "dilate": ["cloud_high"], "dilate_px": 2}
    data = table(
        red=[[0.9, 0.2], [0.1, 0.4], [0.1, 0.1], [0.1, 0.1]], scl=[[9, 4], [4, 4], [np.nan, 4], [4, 4]]
    )
    found = series_features(data, settings(features=["red@01", "red@02"], mask=mask), year)
    assert found["red@01"].tolist() == pytest.approx([0.1, 0.3])
    assert np.isnan(found.loc["s1", "red@02"])
    assert found.loc["s2", "red@02"] == pytest.approx(0.1)


def test_terrain_comes_from_the_table(settings: Build, year: Period) -> None:
    data = table(red=[[0.1, 0.1]] * 4, elevation=[300.0, np.nan])
    found = series_features(data, settings(features=["red.mean", "elevation"]), year)
    assert found.loc["s1", "elevation"] == 300
    assert np.isnan(found.loc["s2", "elevation"])


def test_everything_that_is_missing_is_named_at_once(settings: Build, year: Period) -> None:
    chosen = settings(features=["EVI.p10", "swir22.median", "red.mean", "slope"])
    with pytest.raises(InputError) as caught:
        series_features(table(red=[[0.1, 0.1]] * 4, nir=[[0.1, 0.1]] * 4), chosen, year)
    text = str(caught.value)
    assert "no slope" in text
    assert "no EVI (needs blue)" in text
    assert "no swir22" in text
    assert "no red" not in text
