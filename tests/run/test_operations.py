"""What maps show of operations: a square of pixels whose classes are set by hand, before and after."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal.archive import band_writer
from cocal.content import Place, Ref
from cocal.contracts import CLASS_TIF, Period
from cocal.estimate.operations import EVIDENCE, judged
from cocal.estimate.settings import ImageEvidence, OperationSettings
from cocal.estimate.tracks import Operations
from cocal.grid import Tile, Window, cell_area, project
from cocal.run.measure.operations import EvidenceTask, _by_images, _covered, judge_square, squares
from cocal.store import LocalStore, address

COCA, FOREST, UNSEEN = 1, 2, 0
WINDOW = Window(32719, 500_000, 8_400_100, 10, 10)
YEARS = [Period(str(year), date(year, 1, 1), date(year, 12, 31)) for year in (2022, 2023, 2024, 2025)]
RULES = OperationSettings.model_validate(
    {
        "sources": [{"path": "a.gpkg", "id": "id", "first_day": "day"}], "close_within_m": 0,
        "maps_show": "last_day", "cleared_from": 0.8, "not_up_to": 0.2, "min_observed": 0.5,
        "stood_from": 0.25, "replanted_from": 0.5,
    }
)  # fmt: skip


def task_of(folder, shape, day: str, *maps, **changes) -> EvidenceTask:
    """One operation on `shape` (m), and a map for each of the first of `YEARS`."""
    store, refs = LocalStore(folder), {}
    for period, codes in zip(YEARS, maps, strict=False):
        with (
            store.commit(period.name, {"map": period.name}) as home,
            band_writer(home / CLASS_TIF, WINDOW, "uint8") as target,
        ):
            target.write(np.full(WINDOW.shape, codes, dtype=np.uint8), 1)
        refs[f"{period.name}/{Tile(WINDOW).id}"] = Ref(store.home(period.name), address({"map": period.name}))
    table = pd.DataFrame(
        {"operation": ["a"], "first_day": [day], "last_day": [day], "claimed_ha": 1.0, "polygon_ha": 1.0}
    )
    operations = Operations(table, np.array([project(shape, 32719, 4326)], dtype=object), "x")
    return EvidenceTask(
        operations, RULES.model_copy(update=changes), tuple(YEARS[: len(maps)]), refs,
        Place((Tile(WINDOW),)), COCA, (), None,
    )  # fmt: skip


def evidence(task: EvidenceTask) -> pd.Series:
    (piece,) = squares(task)
    return judged(pd.DataFrame(judge_square(piece, task)[:, 1:], columns=list(EVIDENCE)), task.rules).iloc[0]


WHOLE = shapely.box(500_000, 8_400_000, 500_100, 8_400_100)


@pytest.mark.parametrize(
    ("day", "maps", "verdict"),
    [
        ("2023-06-01", (COCA, FOREST), "cleared"),
        ("2023-06-01", (COCA, COCA), "not"),
        ("2023-06-01", (COCA, FOREST, COCA), "replanted"),
        ("2023-06-01", (COCA, FOREST, UNSEEN), "cleared"),
        ("2023-06-01", (COCA, UNSEEN, FOREST), "not_observed"),  # the first map after does not show it
        ("2023-06-01", (UNSEEN, FOREST), "not_observed"),
        ("2023-06-01", (FOREST, FOREST), "not"),
        ("2024-06-01", (COCA, FOREST), "not_observed"),  # no map after
        ("2022-06-01", (COCA, FOREST), "not_observed"),  # no map before
        ("2022-12-31", (COCA, FOREST), "not_observed"),  # the day of the map itself is not before it
    ],
)
def test_the_last_map_before_and_the_first_after_judge(tmp_path, day, maps, verdict) -> None:
    assert evidence(task_of(tmp_path, WHOLE, day, *maps))["verdict"] == verdict


def test_a_map_of_a_whole_year_is_after_an_operation_only_where_it_begins_later(tmp_path) -> None:
    task = task_of(tmp_path, WHOLE, "2023-06-01", COCA, FOREST, FOREST, maps_show="period")
    assert evidence(task)["verdict"] == "cleared"  # by 2024; the map of 2023 holds days before
    two = task_of(tmp_path / "two", WHOLE, "2023-06-01", COCA, FOREST, maps_show="period")
    assert evidence(two)["verdict"] == "not_observed"


def test_the_share_cleared_is_that_of_the_ground_within_the_polygon(tmp_path) -> None:
    """The western three columns were cleared; the polygon holds the western five and a half."""
    after = np.full(WINDOW.shape, COCA)
    after[:, :3] = FOREST
    shape = shapely.box(500_000, 8_400_000, 500_055, 8_400_100)
    task = task_of(tmp_path, shape, "2023-06-01", COCA, after)
    row = evidence(task)
    area = cell_area(WINDOW)
    weight = np.array([1, 1, 1, 1, 1, 0.5])
    cleared = area[:, :3].sum() / (area[:, :6] * weight).sum()
    assert row["cleared_fraction"] == pytest.approx(cleared, rel=1e-9)
    assert row["verdict"] == "partly"


def test_images_judge_by_a_high_percentile_of_clear_dates_in_each_window() -> None:
    """Work on 15 and 16 May: 5 to 14 May is before it, 17 to 26 May after it; p100 is the highest."""
    rule = ImageEvidence(
        index="NDVI", percentile=100, before_days=10, after_days=10, min_clear=2, fall=0.2
    )  # fmt: skip
    day = {"first_day": "2024-05-15", "last_day": "2024-05-16"}
    days = [date(2024, 5, d) for d in (4, 5, 14, 15, 16, 17, 26, 27)]
    nan = np.nan
    values = np.array(
        [  # a harvest before, then cleared; seen once before; seen once after, and on the days of the work
            [0.9, 0.9, 0.9],
            [0.8, 0.8, nan],
            [0.2, nan, nan],
            [0.1, 0.8, 0.8],
            [0.9, 0.1, 0.8],
            [0.3, 0.3, nan],
            [0.1, 0.1, 0.1],
            [0.9, 0.9, 0.9],
        ],
        dtype=np.float32,
    )
    before, after = _by_images(day, days, values, rule)
    assert before == pytest.approx([0.8, nan, nan], nan_ok=True)
    assert after == pytest.approx([0.3, 0.3, nan], nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(west=st.floats(5, 40), width=st.floats(10, 50), turn=st.floats(0, 90))
def test_pixels_count_by_the_share_that_a_polygon_covers(west: float, width: float, turn: float) -> None:
    """Against 20 x 20 points within each pixel."""
    shape = shapely.affinity.rotate(shapely.box(0, 0, width, 30), turn, origin="center")
    shape = shapely.affinity.translate(shape, 500_000 + west, 8_400_030)
    share = _covered(shape, WINDOW)
    step = (np.arange(200) + 0.5) / 2
    x, y = np.meshgrid(500_000 + step, 8_400_100 - step)
    inside = shapely.contains_xy(shape, x, y).reshape(10, 20, 10, 20).mean(axis=(1, 3))
    assert share[share > 0] == pytest.approx(inside[share > 0], abs=0.05)
    assert (share[inside > 0.55] > 0).all()
    if (inside > 0.55).any():
        assert (share[inside < 0.45] == 0).all()
