"""A region has an interval with exactly ten points, and none with nine: the rule is `n < 10`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.support.estimate_tables import random_design

from cocal.estimate import estimate_areas, estimate_change


@pytest.mark.parametrize(("points", "has_interval"), [(9, False), (10, True), (11, True)])
def test_a_region_with_exactly_ten_points_has_an_interval(points: int, has_interval: bool) -> None:
    sample, strata = random_design(8, n_strata=2)
    sample = sample.assign(region=np.where(np.arange(len(sample)) < points, "small", "large"))
    regions = estimate_areas(
        sample, strata, classes=None, estimator="stratified", interval="wald", confidence=0.95, by_region=True
    ).regions
    assert regions is not None
    small = regions[regions["region"] == "small"]
    assert (small["n"] == points).all()
    assert small[["ci_low_ha", "ci_high_ha"]].notna().all(axis=None) == has_interval
    assert small[["ci_low_ha", "ci_high_ha"]].isna().all(axis=None) != has_interval


@pytest.mark.parametrize(("pairs", "has_interval"), [(9, False), (10, True), (11, True)])
def test_a_region_with_exactly_ten_pairs_has_an_interval_of_change(pairs: int, has_interval: bool) -> None:
    n = 50
    sample = pd.DataFrame(
        {
            "stratum": ["a"] * n,
            "region": np.where(np.arange(n) < pairs, "small", "large"),
            "reference_before": np.resize(["coca", "forest", "forest"], n),
            "reference_after": np.resize(["coca", "coca", "forest", "forest"], n),
        }
    )
    table = estimate_change(
        sample, pd.DataFrame({"stratum": ["a"], "area_ha": [100.0]}),
        classes=None, interval="wald", confidence=0.95, by_region=True,
    ).table  # fmt: skip
    small = table[table["region"] == "small"]
    assert (small["n"] == pairs).all()
    assert small[["ci_low_ha", "ci_high_ha"]].notna().all(axis=None) == has_interval
