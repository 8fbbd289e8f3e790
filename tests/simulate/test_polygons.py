"""Plots as polygons: the true ones are the truth to the last square, the drawn ones err as an office does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin

from cocal.grid import Window, cell_area_units
from cocal.simulate import SimulateSettings
from cocal.simulate.field.operations import operation_tables
from cocal.simulate.field.polygons import census_polygons, truth_polygons
from cocal.simulate.field.survey import HALO_PX, Surveyed, survey
from cocal.simulate.land.kinds import KINDS, NUMBER
from cocal.simulate.land.mosaic import land

SETTINGS = SimulateSettings(seed=8, size_px=240, years=3)
BEARING = ["productive", "pruned"]
STATES = {
    "coca": BEARING, "shaded_coca": BEARING, "mixed_coca": BEARING, "nursery": ["nursery", "young"],
    "abandoned_coca": ["abandoned"], "eradicated": ["eradicated"],
}  # fmt: skip
BLOCKS = [SETTINGS.window] + [
    Window(SETTINGS.window.epsg, SETTINGS.window.left + dx, SETTINGS.window.top, 120, 240) for dx in (0, 1200)
]


@pytest.fixture(scope="module")
def surveys() -> list[Surveyed]:
    """The whole land as one block, then its two halves; all of it belongs to one region."""
    return [
        survey(
            land(SETTINGS.terrain, block.expanded(HALO_PX)),
            SETTINGS,
            block,
            np.zeros(block.shape, dtype=np.int32),
        )
        for block in BLOCKS
    ]


@pytest.fixture(scope="module")
def truth(surveys: list[Surveyed]) -> gpd.GeoDataFrame:
    return truth_polygons(surveys[0].plots)


@pytest.fixture(scope="module")
def census(surveys: list[Surveyed]) -> gpd.GeoDataFrame:
    return census_polygons(surveys[0].plots, SETTINGS.seed)


@pytest.mark.parametrize("name", STATES)
def test_the_true_polygons_hold_the_ground_of_each_kind_to_the_last_square(
    surveys: list[Surveyed], truth: gpd.GeoDataFrame, name: str
) -> None:
    """The squares of 2.5 m whose middle lies in a polygon, weighed with the true area of their pixel."""
    window, units = SETTINGS.window, cell_area_units(SETTINGS.window)
    own = truth[truth["period"] == "2024"]
    state = own["state"].isin(STATES[name])
    if "pruned" in STATES[name]:
        state &= own["shade"] == ("shaded" if name == "shaded_coca" else "open")
        state &= own["mixture"] == ("mixed" if name == "mixed_coca" else "alone")
    shapes = own.geometry[state]
    expected = surveys[0].cover[-1, 0, NUMBER[name]]
    assert len(shapes) > 0 or expected == 0
    if expected:
        inside = rasterize(shapes, (960, 960), transform=from_origin(window.left, window.top, 2.5, 2.5))
        held = inside.reshape(240, 4, 240, 4).sum(axis=(1, 3), dtype=np.int64)
        assert int((held * units).sum()) == expected
    assert (own["class"][state] == KINDS[name].class_key).all()


def test_true_polygons_of_a_year_are_valid_and_do_not_overlap(truth: gpd.GeoDataFrame) -> None:
    for _, own in truth.groupby("period"):
        assert own.is_valid.all()
        assert own["polygon_id"].is_unique
        assert own.area.sum() == pytest.approx(shapely.union_all(own.geometry.to_numpy()).area, rel=1e-9)


def test_the_polygons_do_not_depend_on_the_blocks(surveys: list[Surveyed]) -> None:
    halves = pd.concat([half.plots for half in surveys[1:]])
    assert len(halves) == len(surveys[0].plots) > 50
    for made in (truth_polygons, lambda plots: census_polygons(plots, SETTINGS.seed)):
        a, b = made(halves), made(surveys[0].plots)
        assert a.drop(columns="geometry").equals(b.drop(columns="geometry"))
        assert shapely.equals_exact(a.geometry, b.geometry).all()


def test_the_office_misses_plots_takes_others_for_coca_and_draws_edges_beside(
    truth: gpd.GeoDataFrame, census: gpd.GeoDataFrame
) -> None:
    there, drawn = (
        shapely.union_all(t.geometry[(t["period"] == "2024") & (t["class"] == "coca")].to_numpy())
        for t in (truth, census)
    )
    assert census.is_valid.all()
    missed, wrong = shapely.difference(there, drawn).area, shapely.difference(drawn, there).area
    assert 0.02 < missed / there.area < 0.4
    assert 0.02 < wrong / drawn.area < 0.4
    assert set(census["class"]) >= {"coca", "other_crops"}
    assert set(census["state"]) <= {state for states in STATES.values() for state in states}
    assert census["source"].str.contains("SIMULATED").all()


def test_a_polygon_is_drawn_in_the_same_way_in_both_years_on_images_of_the_last_two_months(
    census: gpd.GeoDataFrame,
) -> None:
    first, second = (own.set_index("polygon_id") for _, own in census.groupby("period"))
    both = first.index.intersection(second.index)
    assert len(both) > 10
    assert shapely.equals_exact(first.geometry[both].to_numpy(), second.geometry[both].to_numpy()).all()
    assert census["date"].between("2023-11-01", "2024-12-31").all()
    assert (census["date"].str[:4] == census["period"]).all()
    assert census["date"].str[5:7].isin(["11", "12"]).all()


def test_operations_are_true_on_plots_that_were_cleared_on_those_days(surveys: list[Surveyed]) -> None:
    """All of the land is of one region in the west, where 85 % of the claims are to be true."""
    table, truth = operation_tables(surveys[0], SETTINGS)
    cleared = surveys[0].cleared.query("year == 2024")
    days = {(date(2000, 1, 1) + timedelta(days=int(day))).isoformat() for day in cleared["day"]}
    hits = truth["cleared_share"] > 0
    assert set(table.loc[hits, "first_day"]) == days
    assert hits.sum() == len(cleared)
    assert len(table) - hits.sum() == round(len(cleared) * 0.15 / 0.85)
    assert (truth["cleared_ha"] <= table.area / 1e4 * (1 + 1e-9)).all()
    assert table.area.to_numpy() / 1e4 == pytest.approx(table["claimed_ha"].to_numpy(), abs=0.005)
    assert table["source"].str.contains("SIMULATED").all()


def test_operations_do_not_depend_on_the_blocks_of_the_survey(surveys: list[Surveyed]) -> None:
    halves = replace(
        surveys[1],
        plots=pd.concat([part.plots for part in surveys[1:]], ignore_index=True),
        cleared=pd.concat([part.cleared for part in surveys[1:]], ignore_index=True),
    )
    (whole, truth), (again, same) = (operation_tables(part, SETTINGS) for part in (surveys[0], halves))
    pd.testing.assert_frame_equal(truth, same)
    assert whole.geometry.geom_equals(again.geometry).all()
