from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cocal.contracts import QUALITY, Period, grid_coords
from cocal.features import FeatureSettings
from cocal.grid import Window

YEAR = Period("2023", date(2023, 1, 1), date(2023, 12, 31))


@pytest.fixture
def year() -> Period:
    return YEAR


@pytest.fixture
def window() -> Window:
    return Window(32719, 600_000, 8_400_000, 24, 18)


@pytest.fixture
def settings() -> Callable[..., FeatureSettings]:
    """FeatureSettings from a dict as YAML gives it, with some keys changed."""

    def build(**changed: Any) -> FeatureSettings:
        plain = {
            "mask": "none",
            "windows": "monthly",
            "composite": "median",
            "features": ["NDVI@*"],
            "fill": {"*": "none"},
        }
        return FeatureSettings.model_validate(plain | changed)

    return build


@pytest.fixture
def scenes() -> Callable[..., xr.Dataset]:
    """scenes/1 from arrays (time, y, x) by name, on the window of their size."""

    def build(days: list[str], **bands: Any) -> xr.Dataset:
        arrays = {n: np.asarray(a, dtype="uint8" if n in QUALITY else "uint16") for n, a in bands.items()}
        height, width = next(iter(arrays.values())).shape[1:]
        attrs = {"units": "1", "standard_name": "surface_bidirectional_reflectance"}
        return xr.Dataset(
            {n: (("time", "y", "x"), a, attrs | {"long_name": n}) for n, a in arrays.items()},
            coords={
                "time": np.array(days, dtype="datetime64[ns]"),
                **grid_coords(Window(32719, 600_000, 8_400_000, width, height)),
            },
            attrs={"contract": "scenes/1", "inputs": ["a", "b"], "simulated": 1},
        )

    return build
