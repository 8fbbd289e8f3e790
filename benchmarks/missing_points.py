"""What points that are not visited do to the hectares of coca, and what the tilt makes of it.

    python -m benchmarks.missing_points [--draws 1000] [--seeds 21 22] [--write docs/statistics.md]

Redraws of the demo's sample on simulated lands, of which points of coca are lost more often than others. The
exit code is 1 if the upper end of the band at the odds ratio at which points were lost is below the estimate
of the whole sample on average, by more than a tenth of what was lost on average.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.lands import KEYS, SEEDS, MapName, Population, population, redraws
from benchmarks.marks import write_between
from cocal.estimate import missing_tilt

OTHERS_LOST = 0.05
COCA_LOST = (0.05, 0.14, 0.25, 0.40)
ODDS = (3.0, 6.0, 12.0)
MAPS: tuple[MapName, ...] = ("good", "f1_054")
UNCORRECTED = 0.1

Floats = NDArray[np.float64]


def odds_of(coca_lost: float) -> float:
    """The odds of a point of coca not to be visited over those of another point."""
    return coca_lost / (1 - coca_lost) / (OTHERS_LOST / (1 - OTHERS_LOST))


@dataclass(frozen=True)
class Draw:
    """Hectares of coca in one draw: of all its points, of those visited, and the bands."""

    whole: float
    visited: float
    least: float
    most: float
    bands: dict[float, tuple[float, float]]


class Frame:
    """A population as arrays: a code of stratum, the map's and the true class of each cell."""

    def __init__(self, found: Population) -> None:
        names = list(found.strata["stratum"])
        self.area = found.strata["area_ha"].to_numpy()
        self.stratum = pd.Index(names).get_indexer(found.cells["stratum"]).astype(np.int64)
        self.mapped = (found.cells["map_class"] == "coca").to_numpy(np.int64)
        self.coca = (found.cells["reference_class"] == "coca").to_numpy(float)

    def draw(self, counts: NDArray[np.int64], lost: NDArray[np.int64], odds: tuple[float, ...]) -> Draw:
        """What one draw of `counts` points gives of which `lost` are not visited."""

        def hectares(hits: Floats, points: NDArray[np.int64]) -> float:
            n, y = (np.bincount(self.stratum, own, len(self.area)) for own in (points, hits))
            return float((self.area * y / n).sum())

        seen = counts - lost
        cell = np.concatenate([np.repeat(np.arange(len(counts)), own) for own in (seen, lost)])
        hit = np.where(np.arange(len(cell)) < seen.sum(), self.coca[cell], np.nan)
        place = np.zeros(len(cell), dtype=np.int64)
        visited, bands = hectares(self.coca * seen, seen), {}
        for t in odds:
            _, low, high = missing_tilt(
                self.stratum[cell], self.mapped[cell], place, hit, area_ha=self.area, odds=t
            )
            bands[t] = min(float(low[0]), visited), max(float(high[0]), visited)
        return Draw(
            hectares(self.coca * counts, counts),
            visited,
            hectares(self.coca * seen, counts),
            hectares(self.coca * seen + lost, counts),
            bands,
        )


def coarse(found: Population) -> Population:
    """The population with no more cells than matter here: stratum, coca on the map, coca in truth."""
    cells = found.cells.assign(region="", probability_bin=0)
    for name in ("map_class", "reference_class"):
        cells[name] = cells[name].where(cells[name] == "coca", "other")
    sums = cells.groupby(KEYS, sort=False)[["pixels", "area_ha"]].sum().reset_index()
    return replace(found, cells=sums)


def draws_of(found: Population, coca_lost: float, draws: int) -> list[Draw]:
    found = coarse(found)
    frame, rng = Frame(found), np.random.default_rng([found.seed, round(100 * coca_lost)])
    chance = np.where(frame.coca > 0, coca_lost, OTHERS_LOST)
    odds = (*ODDS, odds_of(coca_lost))
    return [frame.draw(counts, rng.binomial(counts, chance), odds) for counts in redraws(found, draws, rng)]


HEAD = (
    "map", "coca lost %", "odds ratio", "bias of the estimate, % of the truth",
    *(f"T = {t:g}: whole sample within band, % of draws" for t in ODDS),
    *(f"T = {t:g}: width, % of the truth" for t in ODDS), "worst case: width",
    "uncorrected at the true odds, %",
)  # fmt: skip


def line(name: str, lost: float, runs: list[tuple[float, Draw]]) -> tuple[str, float]:
    """A row of the table, and the share of the loss that the tilt at the true odds leaves on average."""
    truth = np.array([t for t, _ in runs])
    own = [d for _, d in runs]
    whole, visited = (np.array([getattr(d, n) for d in own]) for n in ("whole", "visited"))

    def band(t: float) -> tuple[Floats, Floats]:
        low, high = np.array([d.bands[t] for d in own]).T
        return low, high

    cells = [name, f"{100 * lost:.0f}", f"{odds_of(lost):.1f}", f"{100 * (visited / truth - 1).mean():.1f}"]
    bands = {t: band(t) for t in ODDS}
    for low, high in bands.values():
        cells.append(f"{100 * ((low <= whole + 1e-9) & (whole <= high + 1e-9)).mean():.0f}")
    cells += [f"{100 * ((high - low) / truth).mean():.0f}" for low, high in bands.values()]
    cells.append(f"{100 * (np.array([d.most - d.least for d in own]) / truth).mean():.0f}")
    short = (whole - visited).mean()
    left = (whole - band(odds_of(lost))[1]).mean() / short if short > 0.02 * truth.mean() else 0.0
    cells.append(f"{100 * left:.0f}" if short > 0.02 * truth.mean() else "")
    return "| " + " | ".join(cells) + " |", float(left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    chosen = parser.parse_args()
    lines, broken = [], []
    for name in MAPS:
        lands = [population(seed, map_name=name) for seed in chosen.seeds]
        for lost in COCA_LOST:
            runs = [
                (float(land.truth["coca"].sum()), draw)
                for land in lands
                for draw in draws_of(land, lost, chosen.draws)
            ]
            text, left = line(name, lost, runs)
            lines.append(text)
            print(text, flush=True)
            if left > UNCORRECTED:
                broken.append(f"{name}, {lost:.0%} of coca lost: {left:.0%} of the loss is not in the band")
    head = [
        f"{chosen.draws:,} draws, {len(chosen.seeds)} lands; {100 * OTHERS_LOST:.0f} % of other points lost.",
        "", "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD),
    ]  # fmt: skip
    if chosen.write:
        write_between(chosen.write, "missing", "\n".join([*head, *lines]))
    print("\n".join(["", *broken]) if broken else "\nall bounds hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
