"""Points shared among crews and days, and the way past the points of a day."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cocal.errors import UsageError
from cocal.fieldwork.kit import plan_days, shortest_path

GEOD = Geod(ellps="WGS84")


def points(n: int, seed: int = 3, country: str = "PE") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = [f"{country}{i:03d}" for i in range(n)]
    lon, lat = rng.uniform(-69.2, -68.8, n), rng.uniform(-14.2, -13.9, n)
    return pd.DataFrame({"point_id": ids, "lon": lon, "lat": lat, "country": country})


def travelled(table: pd.DataFrame, plan: pd.DataFrame) -> float:
    """Km between stops, measured anew."""
    joined = plan.merge(table, on="point_id").sort_values(["crew", "crew_day", "stop"])
    total = 0.0
    for _, day in joined.groupby(["crew", "crew_day"]):
        lon, lat = day["lon"].to_numpy(), day["lat"].to_numpy()
        total += GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2].sum() / 1000
    return total


@given(
    st.lists(st.sampled_from(["PE", "BO", "CO"]), min_size=1, max_size=60),
    st.integers(0, 5), st.integers(1, 9), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_every_point_has_one_stop_crews_stay_in_one_country_and_days_are_even(
    countries: list[str], more: int, per_day: int, seed: int
) -> None:
    table = points(len(countries), seed).assign(country=countries)
    crews = min(len({*countries}) + more, len(countries))
    plan = plan_days(table, crews=crews, per_day=per_day)
    assert sorted(plan["point_id"]) == sorted(table["point_id"])
    assert plan["crew"].nunique() == crews
    assert (plan.merge(table, on="point_id").groupby("crew")["country"].nunique() == 1).all()
    sizes = plan.groupby(["crew", "crew_day"])["stop"].agg(["size", "min", "max"])
    assert (sizes["max"] == sizes["size"]).all()
    assert (sizes["min"] == 1).all()
    assert sizes["size"].max() <= per_day
    assert (sizes["size"].groupby("crew").agg(np.ptp) <= 1).all()
    each = plan.merge(table, on="point_id").groupby(["country", "crew"]).size()
    assert (each.groupby("country").agg(np.ptp) <= 1).all()
    shuffled = table.sample(frac=1, random_state=seed)
    assert plan_days(shuffled, crews=crews, per_day=per_day).equals(plan)


def test_a_day_of_neighbours_is_a_fraction_of_the_way_of_a_day_by_number() -> None:
    table = points(60)
    plan = plan_days(table, crews=2, per_day=6)
    by_number = plan.assign(point_id=sorted(plan["point_id"]))
    assert travelled(table, plan) == pytest.approx(plan["leg_m"].sum() / 1000)
    assert travelled(table, plan) < 0.4 * travelled(table, by_number)


@pytest.mark.parametrize("seed", range(4))
def test_the_way_past_six_points_is_the_shortest_of_all_720(seed: int) -> None:
    table = points(6, seed)
    lon, lat = table["lon"].to_numpy(), table["lat"].to_numpy()

    def length(way: tuple[int, ...]) -> float:
        own = list(way)
        return float(GEOD.inv(lon[own[:-1]], lat[own[:-1]], lon[own[1:]], lat[own[1:]])[2].sum())

    path, legs = shortest_path(lon, lat)
    assert legs.sum() == pytest.approx(min(map(length, permutations(range(6)))), rel=1e-9)
    assert legs[0] == 0
    assert sorted(path) == list(range(6))


def test_points_on_one_line_are_visited_along_it() -> None:
    table = pd.DataFrame({"point_id": list("dacb"), "lon": [-69.0, -69.3, -69.1, -69.2], "lat": -14.0})
    plan = plan_days(table.assign(country="PE"), crews=1, per_day=4)
    assert plan["point_id"].tolist() in (list("abcd"), list("dcba"))


@pytest.mark.parametrize(("crews", "per_day"), [(1, 5), (9, 5), (2, 0)])
def test_crews_that_the_points_cannot_be_shared_among_are_refused(crews: int, per_day: int) -> None:
    table = pd.concat([points(4), points(4, country="BO")])
    with pytest.raises(UsageError, match="2 crews or more"):
        plan_days(table, crews=crews, per_day=per_day)
