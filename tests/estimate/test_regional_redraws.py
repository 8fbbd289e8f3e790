"""The benchmark of regional figures estimates what `estimate_areas` does, and judges coverage as it says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchmarks.coverage import beyond, floor
from benchmarks.lands import UNOBSERVED, Population, as_sample, redraws
from benchmarks.regional import judged, problems, table
from benchmarks.regional_draws import CLASSES, Frame, calibrated, expansion, measured
from scipy.stats import binom

from cocal.estimate import estimate_areas


@pytest.fixture(scope="module")
def land() -> Population:
    """Two strata, three regions, four classes, a little ground unobserved: 12,000 pixels of 0.01 ha."""
    rng = np.random.default_rng(5)
    names = [["coca_last_year", "wild"], ["a", "b", "c"], ["coca", "forest", "pasture", UNOBSERVED]]
    index = pd.MultiIndex.from_product([*names, names[2][:3]])
    cells = index.to_frame(index=False)
    cells.columns = pd.Index(["stratum", "region", "map_class", "reference_class"])
    agree = cells["map_class"] == cells["reference_class"]
    cells["pixels"] = rng.integers(5, 60, len(cells)) + 500 * agree
    cells["probability_bin"], cells["area_ha"] = 0, cells["pixels"] / 100
    return Population(0, "good", "districts", cells, {"coca_last_year": 90, "wild": 110})


@pytest.mark.parametrize("estimator", ["calibrated", "stratified"])
def test_a_draw_has_the_figures_of_the_estimator(land: Population, estimator: str) -> None:
    frame, counts = Frame(land), redraws(land, 1, np.random.default_rng(1))[0]
    ours = (calibrated if estimator == "calibrated" else expansion)(frame, frame.drawn(counts))
    sample = as_sample(land, counts)
    if estimator == "stratified":  # the scheme's classes know no unobserved ground
        dark = sample["map_class"] == UNOBSERVED
        sample.loc[dark, "reference_class"] = UNOBSERVED
    known = {"known": land.known, "rare": ("coca",)} if estimator == "calibrated" else {}
    found = estimate_areas(
        sample, land.strata, classes=CLASSES, estimator=estimator, interval="gamma", confidence=0.95,
        by_region=True, **known,
    )  # fmt: skip
    assert found.regions is not None
    for column, values in (("area_ha", ours.area), ("ci_low_ha", ours.low), ("ci_high_ha", ours.high)):
        assert found.regions[column].to_numpy() == pytest.approx(values.ravel(), abs=1e-9), column
    assert found.classes["area_ha"].to_numpy() == pytest.approx(ours.whole, abs=1e-9)


def test_truth_and_map_of_a_frame_are_sums_of_the_cells(land: Population) -> None:
    frame, cells = Frame(land), land.cells
    row = frame.regions.index("b")
    seen = (cells["region"] == "b") & (cells["map_class"] != UNOBSERVED)
    coca = seen & (cells["reference_class"] == "coca")
    assert frame.truth[row, CLASSES.index("coca")] == pytest.approx(cells.loc[coca, "area_ha"].sum())
    dark = (cells["region"] == "b") & (cells["map_class"] == UNOBSERVED)
    assert frame.truth[row, -1] == pytest.approx(cells.loc[dark, "area_ha"].sum())
    assert frame.truth.sum(axis=1) == pytest.approx(cells.groupby("region")["area_ha"].sum().to_numpy())


def test_measured_rows_and_their_bounds(land: Population) -> None:
    found = measured(land, 40)
    assert found["gap"].max() <= 1e-6
    assert found["least"].min() >= 0
    assert (found["today_draws"] == 4).all()
    error = found["rmse"] ** 2 - (found["mean"] - found["true"]) ** 2
    assert error.to_numpy() == pytest.approx(found["sd"].to_numpy() ** 2 * 39 / 40, abs=1e-6)
    assert set(judged(found)["kind"]) == {"rare", "common", "other"}
    assert "| good | districts |" in table(found)
    broken = found.assign(held=np.where(found["class"] == "forest", 20, found["held"]), gap=1.0)
    told = "\n".join(problems(broken))
    assert "20 of 40: forest of a, land 0, map good" in told
    assert "miss their sum by, ha: 1" in told


def test_floors_allow_for_chance_and_for_the_number_of_cells() -> None:
    """P(Bin(1000, 0.93) < 911) = 0.0099 <= 1 % < P(Bin(1000, 0.93) < 912)."""
    lowest = int(floor(1_000, 0.93, 1))
    assert binom.cdf(lowest - 1, 1_000, 0.93) <= 0.01 < binom.cdf(lowest, 1_000, 0.93)
    assert floor(1_000, 0.93, 100) < lowest
    assert beyond(1) == pytest.approx(2.3263, abs=1e-4)
