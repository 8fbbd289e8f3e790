from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cocal.scheme import ClassScheme


@pytest.fixture(scope="session")
def scheme() -> ClassScheme:
    return ClassScheme(
        id="test",
        target="coca",
        definition={"unit": "pixel"},
        classes=[
            {"code": 1, "key": "coca", "name_es": "Coca", "name_en": "Coca", "colour": "#ff0000"},
            {"code": 2, "key": "forest", "name_es": "Bosque", "name_en": "Forest", "colour": "#00ff00"},
        ],
    )


@pytest.fixture
def sample() -> pd.DataFrame:
    """Three points and a reserve in two regions, as `number_points` gives them."""
    return pd.DataFrame(
        {
            "point_id": ["P0001", "P0002", "P0003", "R0001"],
            "role": ["main", "main", "main", "reserve"],
            "order": [2, 1, 1, 1],
            "stratum": ["coca", "coca", "elsewhere", "coca"],
            "region_id": ["PE-1", "PE-1", "BO-1", "BO-1"],
            "inclusion_probability": [0.25, 0.25, 0.01, 0.25],
            "map_class": ["coca", "coca", "forest", "coca"],
            "lon": [-69.1, -69.05, -68.99, -68.95],
            "lat": [-14.0, -14.01, -14.02, -14.03],
            "epsg": np.full(4, 32719),
            "x": [489205.0, 494605.0, 501085.0, 505395.0],
            "y": [8452345.0, 8451235.0, 8450135.0, 8449035.0],
        }
    )
