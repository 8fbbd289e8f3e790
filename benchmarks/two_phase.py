"""What do readings on images gain beside visits? Two phases at a cost of 1 to 10, by campaigns on ten lands.

    python -m benchmarks.two_phase [--seeds 21 22] [--draws 1000] [--write docs/design.md]

The demo's strata with their true shares; 1,200 visits alone, allocated for the interval, against readings and
visits of the same cost. Readings are right in 95 or in 85 %. The exit code is 1 if a bound is broken.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.allocation import CONFIDENCE, Ground, auto_strata, coverage, demo_strata, half_width, settings
from benchmarks.lands import SEEDS, population
from benchmarks.marks import write_between
from cocal.errors import InputError
from cocal.estimate.two_phase import (
    draw_phases,
    expected_two_phase,
    reading_rates,
    two_phase_ends,
    two_phase_moments,
)
from cocal.fieldwork.design import plan_points
from cocal.fieldwork.design.phases import plan_phases

VISITS, RATIO, DEAR, LEAST, FLOOR = 1_200, 10, 2, 20, 5e-4
RIGHT = (0.95, 0.85)
MOST = 0.8


def one_land(seed: int, right: float, draws: int) -> dict[str, float]:
    """Both designs on one land, each drawn anew `draws` times."""
    stated = demo_strata(population(seed, map_name="good"))
    true = stated.coca / stated.pixels
    ground = Ground(stated.names, stated.pixels, stated.area_ha, stated.coca, np.maximum(true, FLOOR))
    n = plan_points(ground.frame, settings("interval", ground.names, VISITS), half_width, CONFIDENCE)
    alone = alone_of(ground, n)
    rates = reading_rates(ground.expected, right, right)
    n1, n2 = plan_phases(
        ground.area_ha, rates, visits=VISITS, cost_ratio=RATIO, least=LEAST, alone_ha=alone,
        half_width=lambda a, b: expected_two_phase(
            ground.area_ha, a, b, rates, confidence=CONFIDENCE, seed=1
        ).half_width_ha,
    )  # fmt: skip
    rng = np.random.default_rng((seed, round(100 * right)))
    truth = (ground.area_ha * true).sum()
    single = rng.binomial(n, true, (draws, len(n))) @ (ground.area_ha / n)
    drawn = draw_phases(ground.area_ha, n1, n2, reading_rates(true, right, right), rng, draws)
    total, _, _ = two_phase_moments(drawn)
    low, high = two_phase_ends(drawn, CONFIDENCE)
    return {
        "read": n1.sum(), "visited": n2.sum(),
        "rmse": np.sqrt(((total - truth) ** 2).mean()) / np.sqrt(((single - truth) ** 2).mean()),
        "bias": (total.mean() - truth) / np.sqrt(((total - truth) ** 2).mean()),
        "width": (high - low).mean() / 2 / half_width(ground.area_ha, ground.pixels, n, true),
        "held": int(((low <= truth) & (truth <= high)).sum()),
        "held_alone": coverage(ground, n, rng),
    }  # fmt: skip


def measured(seeds: tuple[int, ...], draws: int) -> pd.DataFrame:
    return pd.DataFrame(
        [{"seed": s, "right": right, **one_land(s, right, draws)} for s in seeds for right in RIGHT]
    )


def table(found: pd.DataFrame, draws: int) -> str:
    seeds = ", ".join(map(str, sorted(found["seed"].unique())))
    head = (
        "| readings right | read | visited | RMSE over that of visits alone: mean | worst "
        "| half-width: mean | worst | coverage %: mean | least |"
    )
    lines = [f"SIMULATED lands of seeds {seeds}, {draws:,} campaigns each.", "", head, "|---" * 9 + "|"]
    for right, rows in found.groupby("right", sort=False):
        held = 100 * rows["held"] / draws
        lines.append(
            f"| {100 * right:.0f} % | {rows['read'].min():,} to {rows['read'].max():,} "
            f"| {rows['visited'].min():,} to {rows['visited'].max():,} "
            f"| {rows['rmse'].mean():.2f} | {rows['rmse'].max():.2f} | {rows['width'].mean():.2f} "
            f"| {rows['width'].max():.2f} | {held.mean():.1f} | {held.min():.1f} |"
        )
    return "\n".join(lines)


def problems(found: pd.DataFrame, draws: int) -> list[str]:
    """The bounds that are broken."""
    good = found[found["right"] == RIGHT[0]]
    broken = [
        f"{name} {good[name].mean():.3f} of visits alone, {MOST} at most"
        for name in ("rmse", "width")
        if good[name].mean() > MOST
    ]
    least = binom.ppf(0.01 / len(found), draws, 0.93)
    return broken + [
        f"seed {row['seed']}, {row['right']}: held {row['held']} of {draws}"
        for row in found.to_dict("records")
        if row["held"] < least
    ]


def alone_of(ground: Ground, n: np.ndarray) -> tuple[float, float]:
    """Expected half-width and standard error of visits alone."""
    p = ground.expected
    error = np.sqrt((ground.area_ha**2 * p * (1 - p) / n).sum())
    return half_width(ground.area_ha, ground.pixels, n, p), float(error)


def refusal(seed: int) -> str:
    """What the plan says on `auto` strata of a good map if a visit costs two readings; "" if it agrees."""
    found = auto_strata(population(seed, map_name="good"))
    share = np.maximum(found.coca / found.pixels, FLOOR)
    ground = replace(found, expected=share)
    n = plan_points(ground.frame, settings("interval", ground.names, VISITS), half_width, CONFIDENCE)
    rates = reading_rates(share, RIGHT[1], RIGHT[1])
    try:
        plan_phases(
            ground.area_ha, rates, visits=VISITS, cost_ratio=DEAR, least=LEAST,
            alone_ha=alone_of(ground, n),
            half_width=lambda a, b: expected_two_phase(
                ground.area_ha, a, b, rates, confidence=CONFIDENCE, seed=1
            ).half_width_ha,
        )  # fmt: skip
    except InputError as err:
        return str(err)
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--write", type=Path, help="page that holds the table between its marks")
    chosen = parser.parse_args()
    found = measured(tuple(chosen.seeds), chosen.draws)
    print(found.round(3).to_string())
    print(table(found, chosen.draws), flush=True)
    if chosen.write:
        write_between(chosen.write, "two_phase", table(found, chosen.draws))
    broken = problems(found, chosen.draws)
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
