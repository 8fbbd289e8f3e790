"""`small_area`: a narrower interval for regions with few hits, on ten lands and with its limits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import get_args

import pandas as pd
from benchmarks.coverage import floor
from benchmarks.lands import Domains, MapName, kept
from benchmarks.small_area import FEWEST, LEAST, MEAN_LEAST, POWER, SEEDS, SIZE, WIDEST, small
from benchmarks.small_area_draws import measured, power, unbiased

DRAWS = 1_000
MAPS: tuple[MapName, ...] = ("good", "f1_065_uneven", "f1_054", "front")


@cache
def found(*maps: MapName) -> pd.DataFrame:
    """Every region of every land, districts and municipalities."""
    lands = [(seed, m, d) for m in maps for d in get_args(Domains) for seed in SEEDS]
    parts = [kept(measured, land, DRAWS) for land in lands]
    return pd.concat(parts, ignore_index=True)


def regions_below_thirty_hits_are_covered_on_good_uneven_and_front_maps() -> str:
    assert len(SEEDS) >= 10
    assert not set(SEEDS) & {7, *range(11, 19)}
    rows = small(found(*MAPS))
    rows = rows[rows["expected"] >= FEWEST]
    low = rows[rows["held"] < floor(rows["draws"], LEAST, len(rows))]
    assert low.empty, low[["seed", "map", "region", "held"]].to_string()
    share = (rows["held"] / rows["draws"]).groupby([rows["map"], rows["domains"]]).mean()
    assert share.min() >= MEAN_LEAST, share.to_string()
    worst = (rows["held"] / rows["draws"]).min()
    return f"{len(rows)} cells, {share.min():.1%} to {share.max():.1%} on average, {worst:.1%} in the worst"


def small_area_is_as_narrow_as_asked() -> str:
    rows = small(found(*MAPS))
    width = rows.groupby("domains")[["offered_width", "design_width"]].mean()
    for domains, most in WIDEST.items():
        assert width.loc[domains, "offered_width"] <= most, width.to_string()
    return "; ".join(f"{name} {a:.1f} ha (design {b:.1f})" for name, (a, b) in width.iterrows())


def rates_of_three_thousand_regions_are_unbiased_within_one_percent() -> str:
    ratio = unbiased()
    assert abs(ratio - 1) <= 0.01, ratio
    return f"{100 * (ratio - 1):+.2f} %"


def what_a_blind_map_hides_is_warned_of_as_often_as_asked() -> str:
    spoke = {name: power(name, SEEDS) for name in ("good", "blind_1.5", *POWER)}
    assert spoke["good"] <= SIZE, spoke
    for name, least in POWER.items():
        assert spoke[name] >= least, spoke
    return ", ".join(f"{name} {share:.1%}" for name, share in spoke.items())


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    regions_below_thirty_hits_are_covered_on_good_uneven_and_front_maps,
    small_area_is_as_narrow_as_asked,
    rates_of_three_thousand_regions_are_unbiased_within_one_percent,
    what_a_blind_map_hides_is_warned_of_as_often_as_asked,
)
