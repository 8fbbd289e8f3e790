"""A sample designed for the interval that will be used: allocation, shares from the map, two phases."""

from __future__ import annotations

import numpy as np
from benchmarks import allocation, two_phase
from benchmarks.lands import SEEDS

from cocal.estimate import INTERVALS
from cocal.estimate.tally import tally

DEMO_HA = np.array([395.256, 2834.296, 4040.250, 7133.773])
DEMO_POINTS = 870
"""Most points that +-20 % of the demo's coca may take."""


def allocation_for_the_interval_is_narrower_than_for_the_variance() -> str:
    """Mean over ten lands, shares estimated from the map; coverage over 1,000 campaigns each."""
    found = allocation.measured(SEEDS)
    assert not (broken := allocation.problems(found)), "; ".join(broken)
    means = found.groupby("map")[["ratio", "points_ratio"]].mean()
    assert means["points_ratio"].max() <= allocation.MOST_POINTS, means
    widths = ", ".join(f"{name} {means.loc[name, 'ratio']:.2f}" for name in allocation.MAPS)
    points = f"{means['points_ratio'].min():.2f} to {means['points_ratio'].max():.2f}"
    held = 100 * found["held"].min() / allocation.CAMPAIGNS
    return f"half-width of rare: {widths}; points for +-20 %: {points}; coverage at least {held:.1f} %"


def twenty_per_cent_of_the_demo_take_850_points() -> str:
    """The demo's strata with the shares that an office would state."""
    share = np.array(list(allocation.STATED.values()))
    ground = allocation.Ground(
        list(allocation.STATED), (DEMO_HA * 100).astype(np.int64), DEMO_HA, DEMO_HA * 100 * share, share
    )
    points = {kind: allocation.points_for_goal(ground, kind) for kind in ("rare", "interval")}
    assert points["interval"] <= DEMO_POINTS, points
    n = allocation.planned(ground, "interval", points["interval"])
    none = tally(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0), n_groups=1)
    strata = allocation.strata_of(DEMO_HA, ground.pixels, n)
    _, high = INTERVALS["gamma"](none, strata, np.array([-1]), allocation.CONFIDENCE)
    no_hit = f"a region without a hit reads 0 to {high[0]:.1f} ha"
    return f"{points['interval']} points, rare {points['rare']}; {no_hit}"


def two_phases_gain_and_are_refused_where_they_do_not() -> str:
    """Cost ratio 10, 1,000 campaigns on each of ten lands; refused at 2 on `auto` strata, 85 % right."""
    found = two_phase.measured(SEEDS, 1_000)
    assert not (broken := two_phase.problems(found, 1_000)), "; ".join(broken)
    refused = two_phase.refusal(SEEDS[0])
    assert "two phases gain nothing" in refused, refused or "the plan agreed"
    good = found[found["right"] == two_phase.RIGHT[0]]
    held = found[found["right"] == two_phase.RIGHT[1]]["held"].min() / 10
    return (
        f"RMSE {good['rmse'].mean():.2f}, half-width {good['width'].mean():.2f} of visits alone; "
        f"readings 85 % right are covered {held:.1f} % at least; refused: yes"
    )


REQUIREMENTS = (
    twenty_per_cent_of_the_demo_take_850_points,
    allocation_for_the_interval_is_narrower_than_for_the_variance,
    two_phases_gain_and_are_refused_where_they_do_not,
)
