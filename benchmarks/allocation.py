"""How narrow is the interval of coca when points are allocated for it, by what the map itself says?

    python -m benchmarks.allocation [--seeds 21 22] [--write docs/design.md]

On lands that no formula was chosen on, with maps of stated quality (`benchmarks.lands`), the same number of
points is drawn twice: as `rare` on the demo's strata with shares that an office would state, and for the
interval on `auto` strata with the shares that the map's validation gives. The validation is a draw of
labelled pixels with the classes of the demo's training samples. Half-widths and coverage are those of 1,000
campaigns. The exit code is 1 if a bound is broken.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.lands import SEEDS, Population, population
from benchmarks.marks import write_between
from cocal.estimate import INTERVALS, Strata, expected_interval
from cocal.estimate.tally import tally
from cocal.fieldwork.design import Cells, DesignSettings, Frame, build_frame, plan_points, validated_shares
from cocal.fieldwork.design.size import smallest

MAPS = ("good", "front", "f1_065_uneven", "f1_054")
MOST = {"good": 0.70, "f1_054": 0.80}
"""Largest half-width, relative to that of `rare`, as a mean over lands."""
MOST_POINTS, GOAL, POINTS, CAMPAIGNS, FLOOR, CONFIDENCE = 0.72, 0.2, 1_200, 1_000, 1e-3, 0.95

STATED = {"coca_last_year": 0.85, "near_coca": 0.017, "open_land": 0.004, "wild": 0.0005}
TRAINING = {
    "bare": 0.114, "coca": 0.032, "forest": 0.366, "other_crops": 0.053, "pasture": 0.280, "regrowth": 0.127,
    "water": 0.028,
}  # fmt: skip
"""Shares of the classes among the demo's labelled pixels, 44,479."""
LABELLED = 44_479


@dataclass(frozen=True)
class Ground:
    """Strata of one land: pixels, area and coca in each, (H,); the shares that are expected there."""

    names: list[str]
    pixels: np.ndarray
    area_ha: np.ndarray
    coca: np.ndarray
    expected: np.ndarray

    @property
    def frame(self) -> Frame:
        units = np.rint(self.area_ha * 1e10).astype(np.int64)
        cells = Cells(("R",), tuple(self.names), self.pixels[None], units[None])
        return build_frame(cells, by_region=False, small=None, share=self.expected[None])


def settings(allocation: str, names: list[str], points: int) -> DesignSettings:
    rules = [{"stratum": name, "classes": ["coca"]} for name in names[:-1]] + [{"stratum": names[-1]}]
    more = {"floor": FLOOR, "size": {"points": points, "per": "whole"}} if allocation == "interval" else {}
    return DesignSettings.model_validate(
        {
            "unobserved": "left_out", "strata": rules, "by_region": False, "size": {"points": points},
            "allocation": allocation, "minimum": 20, "draw": "random", "reserve": 0, "seed": 1,
            "expected": {"source": "probability"}, "interval": "gamma", "confidence": CONFIDENCE, **more,
        }
    )  # fmt: skip


def strata_of(area_ha: np.ndarray, pixels: np.ndarray, n: np.ndarray) -> Strata:
    h = len(n)
    return Strata(("s",) * h, ("",) * h, area_ha, pixels.astype(float), n, np.full(h, -1))


def half_width(area_ha: np.ndarray, pixels: np.ndarray, n: np.ndarray, share: np.ndarray) -> float:
    strata = strata_of(area_ha, pixels, n)
    found = expected_interval(strata, share, interval="gamma", confidence=CONFIDENCE, seed=1)
    return found.half_width_ha


def by_stratum(cells: pd.DataFrame, key: str) -> pd.DataFrame:
    coca = cells["pixels"].where(cells["reference_class"] == "coca", 0)
    return cells.assign(coca=coca).groupby(key, sort=False)[["pixels", "area_ha", "coca"]].sum()


def demo_strata(found: Population) -> Ground:
    """The demo's strata, of the year before, with the shares that an office would state."""
    table = by_stratum(found.cells, "stratum")
    shares = np.array([STATED[name] for name in table.index])
    return Ground(list(table.index), *(table[k].to_numpy() for k in table), shares)


def auto_strata(found: Population) -> Ground:
    """Last year's coca or not, by bin of the probability; the shares of the map's own validation."""
    earlier = found.cells["stratum"] == "coca_last_year"
    number = found.cells["probability_bin"].astype(int)
    cells = found.cells.assign(auto=np.where(earlier, "earlier-", "new-") + number.astype(str))
    table = by_stratum(cells, "auto")
    pixels = table["pixels"].to_numpy()
    bins = np.zeros((1, len(table), int(number.max()) + 1), dtype=np.int64)
    place = [int(name.split("-")[1]) for name in table.index]
    bins[0, np.arange(len(table)), place] = pixels
    target, other = validation(found)
    counted = Cells(("R",), tuple(table.index), pixels[None], pixels[None])
    group = [int(name.startswith("earlier-")) for name in table.index]
    shares = validated_shares(counted, bins, target=target, other=other, group=group)[0]
    return Ground(list(table.index), *(table[k].to_numpy() for k in table), shares)


def validation(found: Population) -> tuple[np.ndarray, np.ndarray]:
    """(bins) labelled pixels of coca, and of the other classes, by bin of their probability."""
    rng = np.random.default_rng(found.seed)
    cells = found.cells
    table = cells.pivot_table("pixels", "reference_class", "probability_bin", "sum", fill_value=0)
    drawn = {
        name: rng.multinomial(round(LABELLED * share), table.loc[name] / table.loc[name].sum())
        for name, share in TRAINING.items()
        if name in table.index
    }
    target = drawn.pop("coca")
    return target, np.sum(list(drawn.values()), axis=0)


def planned(ground: Ground, allocation: str, points: int) -> np.ndarray:
    return plan_points(ground.frame, settings(allocation, ground.names, points), half_width, CONFIDENCE)


def true_half_width(ground: Ground, n: np.ndarray) -> float:
    return half_width(ground.area_ha, ground.pixels, n, ground.coca / ground.pixels)


def coverage(ground: Ground, n: np.ndarray, rng: np.random.Generator) -> int:
    """Campaigns whose interval holds the true area."""
    there, pixels = ground.coca.astype(np.int64), ground.pixels.astype(np.int64)
    counts = rng.hypergeometric(there, pixels - there, n, (CAMPAIGNS, len(n)))
    campaign, stratum = np.nonzero(counts)
    value = counts[campaign, stratum].astype(float)
    sums = tally(campaign, stratum, np.ones(value.size), value, n_groups=CAMPAIGNS)
    strata = strata_of(ground.area_ha, ground.pixels, n)
    low, high = INTERVALS["gamma"](sums, strata, np.full(CAMPAIGNS, -1), CONFIDENCE)
    truth = (ground.area_ha * there / pixels).sum()
    return int(((low <= truth) & (truth <= high)).sum())


def points_for_goal(ground: Ground, allocation: str) -> int:
    """The smallest number of points whose half-width is 20 % of the true area."""
    goal = GOAL * (ground.area_ha * ground.coca / ground.pixels).sum()

    def reaches(n: int) -> bool:
        return true_half_width(ground, planned(ground, allocation, n)) <= goal

    return smallest(reaches, start=800, least=250, most=20_000)


def compare(seed: int, name: str) -> dict[str, float]:
    found = population(seed, map_name=name)
    rng = np.random.default_rng((seed, MAPS.index(name)))
    by = {"rare": demo_strata(found), "interval": auto_strata(found)}
    n = {kind: planned(ground, kind, POINTS) for kind, ground in by.items()}
    width = {kind: true_half_width(ground, n[kind]) for kind, ground in by.items()}
    held = {kind: coverage(ground, n[kind], rng) for kind, ground in by.items()}
    points = {kind: points_for_goal(ground, kind) for kind, ground in by.items()}
    return {
        "ratio": width["interval"] / width["rare"], "held_rare": held["rare"], "held": held["interval"],
        "points_rare": points["rare"], "points": points["interval"],
        "points_ratio": points["interval"] / points["rare"],
    }  # fmt: skip


def table(found: pd.DataFrame) -> str:
    seeds = ", ".join(map(str, sorted(found["seed"].unique())))
    head = (
        "| map | half-width, mean | worst | coverage %, mean | least | `rare`: mean | least "
        "| points for ± 20 % | `rare` | ratio, mean |"
    )
    lines = [f"SIMULATED lands of seeds {seeds}; {POINTS:,} points, {CAMPAIGNS:,} campaigns each.", "", head]
    lines.append("|---" * 10 + "|")
    for name in MAPS:
        rows = found[found["map"] == name]
        held, rare = (100 * rows[k] / CAMPAIGNS for k in ("held", "held_rare"))
        lines.append(
            f"| {name} | {rows['ratio'].mean():.2f} | {rows['ratio'].max():.2f} | {held.mean():.1f} "
            f"| {held.min():.1f} | {rare.mean():.1f} | {rare.min():.1f} "
            f"| {rows['points'].min():,} to {rows['points'].max():,} "
            f"| {rows['points_rare'].min():,} to {rows['points_rare'].max():,} "
            f"| {rows['points_ratio'].mean():.2f} |"
        )
    return "\n".join(lines)


def problems(found: pd.DataFrame) -> list[str]:
    """The bounds that are broken; a coverage by a one-sided binomial error of 1 %, over all cells."""
    least = binom.ppf(0.01 / len(found), CAMPAIGNS, 0.93)
    broken = [
        f"{row['map']}, seed {row['seed']}: the interval held in {row['held']} of {CAMPAIGNS}"
        for row in found.to_dict("records")
        if row["held"] < least
    ]
    means = found.groupby("map")[["ratio", "points_ratio"]].mean()
    broken += [
        f"{name}: half-width {means.loc[name, 'ratio']:.3f} of `rare`, {most} at most"
        for name, most in MOST.items()
        if name in means.index and means.loc[name, "ratio"] > most
    ]
    if "good" in means.index and means.loc["good", "points_ratio"] > MOST_POINTS:
        broken.append(f"good: {means.loc['good', 'points_ratio']:.3f} of the points of `rare`")
    return broken


def measured(seeds: tuple[int, ...]) -> pd.DataFrame:
    """A row per land and map."""
    return pd.DataFrame(
        [{"seed": seed, "map": name, **compare(seed, name)} for seed in seeds for name in MAPS]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--write", type=Path, help="page that holds the table between its marks")
    chosen = parser.parse_args()
    found = measured(tuple(chosen.seeds))
    print(table(found), flush=True)
    if chosen.write:
        write_between(chosen.write, "allocation", table(found))
    broken = problems(found)
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
