"""Patches have one history: plots open, bear, end, and the office's map errs as it says."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from cocal.grid import Window
from cocal.simulate.land import history
from cocal.simulate.land.history import YEAR, census, day_number, ended_between, is_coca, state
from cocal.simulate.land.kinds import NUMBER
from cocal.simulate.land.patches import COCA, FIXED, ROTATION, Patches, patches
from cocal.simulate.land.phenology import leaf_area, saw
from cocal.simulate.land.terrain import Terrain

TERRAIN = Terrain(7, 498_720.0, 8_425_440.0)
LAND = Window(32719, 492_480, 8_431_680, 1248, 1248)


@pytest.fixture(scope="module")
def table() -> Patches:
    return patches(TERRAIN, LAND)[0]


def plots(n: int = 1, **given: object) -> Patches:
    """`n` plots of open coca: opened on day 0, a cycle of ten years of which eight are coca, then
    abandoned.
    """
    rng = np.random.default_rng(1)
    zero, number = np.zeros(n), np.zeros(n, dtype=np.int64)
    values = {
        "layer": number, "column": np.arange(n), "row": number, "x": zero, "y": zero, "half_width": zero + 30,
        "half_height": zero + 30, "turn": zero, "order": zero, "kind": number + NUMBER["lowland_forest"],
        "use": number + COCA, "form": number + NUMBER["coca"], "opened": zero, "cycle": zero + 10 * YEAR,
        "life": zero + 0.8, "cleared": np.zeros(n, dtype=bool), "vigour": rng.random(n),
        "phase": rng.random(n),
        "pace": rng.random(n), "depth": rng.random(n), "luck": rng.random(n), "tint": np.zeros((n, 4)),
    }  # fmt: skip
    return Patches(**{**values, **given})


def test_the_first_day_is_the_first_of_january_2000() -> None:
    assert day_number(date(2000, 1, 1)) == 0
    assert day_number(date(2001, 1, 1)) == 366


@pytest.mark.parametrize(
    ("years", "cleared", "expected"),
    [
        (-1.0, False, "lowland_forest"), (0.1, False, "burned"), (0.5, False, "nursery"),
        (1.4, False, "nursery"),
        (1.6, False, "coca"), (7.9, False, "coca"), (8.1, False, "abandoned_coca"), (8.1, True, "eradicated"),
        (8.5, True, "young_regrowth"), (10.1, False, "burned"), (12.0, False, "coca"),
    ],
)  # fmt: skip
def test_a_plot_is_burned_planted_bears_after_a_year_and_a_half_ends_and_comes_again(
    years: float, cleared: bool, expected: str
) -> None:
    """pace 0.5: bears after 1 + 0.5 x (2 - 1) = 1.5 years; life 0.8 x 10 = 8 years."""
    plot = plots(pace=np.array([0.5]), cleared=np.array([cleared]))
    kind, _ = state(plot, years * YEAR)
    assert kind[0] == NUMBER[expected]


def test_eradications_of_a_year_are_those_whose_end_lies_in_it() -> None:
    plot = plots(cleared=np.array([True]))
    end = 8 * YEAR
    assert ended_between(plot, end - 10, end + 10)[0]
    assert not ended_between(plot, end + 1, end + 20)[0]
    assert not ended_between(plots(), end - 10, end + 10)[0]


def test_sown_land_changes_from_year_to_year_and_trees_do_not(table: Patches) -> None:
    now, then = (state(table, day_number(date(year, 12, 31)))[0] for year in (2024, 2023))
    sown = table.use == ROTATION
    assert 0.4 < (now != then)[sown].mean() < 0.95
    assert (now == then)[table.use == FIXED].all()


def test_most_of_this_years_coca_was_coca_last_year(table: Patches) -> None:
    """Persistence is the strong null model: F1 of last year's coca by ground between 0.8 and 0.97 in each
    year.
    """
    area = table.half_width * table.half_height
    for year in range(2020, 2025):
        now, then = (is_coca(state(table, day_number(date(y, 12, 31)))[0]) for y in (year, year - 1))
        f1 = 2 * area[now & then].sum() / (area[now].sum() + area[then].sum())
        assert 0.8 < f1 < 0.97
        assert (now & ~then).any()
        assert (then & ~now).any()


def test_the_office_finds_open_coca_more_often_than_coca_under_shade() -> None:
    n, day = 4_000, 5 * YEAR
    found = {name: census(plots(n, form=np.full(n, NUMBER[name])), day).mean() for name in history.SEEN}
    for name, share in history.SEEN.items():
        assert abs(found[name] - share) < 5 * (share * (1 - share) / n) ** 0.5
    assert found["coca"] > found["mixed_coca"] > found["shaded_coca"]


def test_coca_is_harvested_three_to_four_times_a_year_out_of_step() -> None:
    many, days = plots(300), np.arange(0, 3 * 365)
    course = np.stack([saw(float(d), many, np.full(300, 0.3), np.full(300, 3.0)) for d in days])
    cuts = np.diff(course, axis=0) < -0.3
    per_year = cuts.sum(axis=0) / 3
    assert per_year.min() >= 2.6
    assert per_year.max() <= 4.5
    assert 3 <= per_year.mean() <= 4
    assert np.unique(cuts[:120].argmax(axis=0)).size > 60


def test_each_plot_is_stumped_about_every_third_year() -> None:
    """Right after stumping the leaf area is 0.10; over nine years that happens about three times."""
    many, days = plots(200), np.arange(0, 9 * 365)
    course = np.stack([saw(float(d), many, np.full(200, 0.5), np.full(200, 3.0)) for d in days])
    low = course < 0.4
    times = (low[1:] & ~low[:-1]).sum(axis=0)
    assert 2.5 < times.mean() < 3.5
    assert set(np.unique(times)) <= {2, 3, 4}


def test_neighbouring_harvests_leave_forest_alone() -> None:
    many = plots(200, use=np.full(200, FIXED))
    spread = {}
    for name in ("lowland_forest", "pasture", "cassava", "coca"):
        kind = np.full(200, NUMBER[name])
        course = [leaf_area(kind, np.zeros(200), float(d), many) for d in range(0, 365, 8)]
        spread[name] = (np.ptp(course, axis=0) / np.max(course, axis=0)).mean()
    assert spread["lowland_forest"] < 0.15 < 0.4 < min(spread[n] for n in ("pasture", "cassava", "coca"))
