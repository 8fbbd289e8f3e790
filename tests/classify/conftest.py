from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cocal.classify.model import Model
from cocal.classify.settings import TrainSettings
from cocal.classify.training.train import train
from cocal.contracts import FEATURES, grid_coords
from cocal.grid import Window
from cocal.scheme import ClassScheme, read_scheme

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("COCAL_TEST_DATA", ROOT.parent / "shared" / "data"))
NAMES = ("NDVI@01", "NDVI@02", "NDMI.std", "noise")
FEATURE_SETTINGS = {"features": list(NAMES), "mask": {"dilate_px": 2}}
PROVENANCE = {
    "source": "made in a test", "licence": "CC0", "period": "2020", "sample_sha256": "0" * 64,
    "simulated": False,
}  # fmt: skip
SMALL = {"random_forest": {"n_estimators": 20}, "extra_trees": {"n_estimators": 20},
         "hist_gradient_boosting": {"max_iter": 10},
         "perceptron": {"hidden_layer_sizes": [6], "max_iter": 1000, "learning_rate_init": 0.02}}  # fmt: skip


@pytest.fixture(scope="session")
def scheme() -> ClassScheme:
    return read_scheme(ROOT / "configs" / "schemes" / "border-coca.yaml")


def samples_of(seed: int, side: int = 12) -> pd.DataFrame:
    """side x side samples 250 m apart in a zone: coca is low in NDVI@01, forest high, pasture between."""
    random = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(side * side), side)
    label = random.choice(["coca", "forest", "pasture"], size=side * side, p=[0.3, 0.4, 0.3])
    level = pd.Series(label).map({"coca": 0.2, "pasture": 0.5, "forest": 0.8}).to_numpy()
    table = pd.DataFrame(
        {
            "epsg": 32719,
            "x": 500_005.0 + 250 * column,
            "y": 8_500_005.0 + 250 * row,
            "label": label,
            "sample_id": [f"s{i}" for i in range(side * side)],
        }
    )
    for name in NAMES:
        signal = 0 if name == "noise" else level
        table[name] = (signal + random.normal(0, 0.12, size=len(table))).astype(np.float32)
    return table


def settings_of(estimator: str = "random_forest", **changes: Any) -> TrainSettings:
    values: dict[str, Any] = {
        "id": "test-1", "estimator": estimator, "parameters": SMALL[estimator], "seed": 7, "missing": "drop",
        "null_index": "best", "validation": {"block_m": 1000, "folds": 3, "buffer_m": 0},
    }  # fmt: skip
    return TrainSettings.model_validate(values | changes)


Trainer = Callable[..., Model]


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., pd.DataFrame]:
    return samples_of


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., TrainSettings]:
    return settings_of


@pytest.fixture(scope="session")
def make_model(scheme: ClassScheme) -> Trainer:
    """Train on `samples` with `settings`; left out: the small invented table and a small forest."""

    def make(samples: pd.DataFrame | None = None, settings: TrainSettings | None = None) -> Model:
        return train(
            samples_of(1) if samples is None else samples,
            settings or settings_of(),
            scheme=scheme,
            feature_names=NAMES,
            feature_settings=FEATURE_SETTINGS,
            provenance=PROVENANCE,
        )

    return make


@pytest.fixture(scope="session")
def model(make_model: Trainer) -> Model:
    return make_model()


@pytest.fixture(scope="session")
def features() -> xr.Dataset:
    """features/1 of 20 x 30 px: some pixels seen once, never, or without one feature."""
    random = np.random.default_rng(3)
    window = Window(32719, 500_040, 8_500_020, 30, 20)
    values = random.uniform(0, 1, size=(len(NAMES), *window.shape)).astype(np.float32)
    values[1, 5:8, 10:20] = np.nan
    n_clear = random.integers(0, 6, size=window.shape).astype(np.uint16)
    words = {"long_name": "x", "units": "1"}
    return xr.Dataset(
        {
            "features": (("feature", "y", "x"), values, words),
            "n_clear": (("y", "x"), n_clear, words),
        },
        coords={"feature": list(NAMES), **grid_coords(window)},
        attrs={"contract": FEATURES, "simulated": 0},
    )
