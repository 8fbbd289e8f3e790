"""Coverage of the intervals of `cocal estimate`, over all draws, as the table of docs/statistics.md.

    python -m benchmarks.interval_coverage [--draws 10000] [--seed 1] [--write docs/statistics.md]

Each line is one cell: a design, a number of points n in the stratum that dominates the variance, and the
number of coca points expected there. No draw is dropped and none is refused. The exit code is 1 if the
default interval leaves its bounds: 93 % everywhere, at most 97 % where 10 or more points are expected, and
regions that add up to their total in every draw.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cocal.estimate.intervals import DEFAULT_INTERVAL, gamma, wald
from cocal.estimate.reference_error import sensitivity_band
from cocal.estimate.strata import Strata
from cocal.estimate.tally import tally, totals

EXPECTED = (0.5, 1, 3, 10, 30)
SIZES = (100, 300, 1_000)
FRAME_HA = 100_000.0
N_REGIONS = 6
OBSERVERS = ((0.95, 1.0), (0.85, 0.995))
LEAST, MOST, ENOUGH = 0.93, 0.97, 10
BEGIN, END = "<!-- coverage: begin -->", "<!-- coverage: end -->"


@dataclass(frozen=True)
class Cell:
    """A design: hectares, points and true share of coca per stratum; the last stratum dominates."""

    name: str
    area_ha: np.ndarray
    n: np.ndarray
    share: np.ndarray
    expected: float

    @property
    def strata(self) -> Strata:
        h = len(self.n)
        names = tuple(f"s{i}" for i in range(h))
        return Strata(names, ("",) * h, self.area_ha, np.full(h, np.nan), self.n, np.full(h, -1))


def cells() -> list[Cell]:
    """One stratum; mapped coca and the rest; mapped coca, a buffer and the rest; a region as a domain."""
    found = []
    for n in SIZES:
        for expected in EXPECTED:
            p = expected / n
            designs = {
                "one stratum": ([1.0], [n], [p]),
                "coca, rest": ([0.005, 0.995], [50, n], [0.7, p]),
                "coca, buffer, rest": ([0.005, 0.045, 0.95], [75, 75, n], [0.8, 0.04, p]),
                "two large strata": ([0.3, 0.7], [n, n], [p, p]),
                "region of six": ([0.005, 0.995], [50, n], [0.7, N_REGIONS * p]),
            }
            for name, (area, size, share) in designs.items():
                if 0.0005 <= share[-1] <= 0.1001 or (name == "one stratum" and share[-1] <= 0.3):
                    found.append(
                        Cell(name, FRAME_HA * np.array(area), np.array(size), np.array(share), expected)
                    )
    return found


def draw(cell: Cell, share: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, strata) points of the class; in a region, those of the first of six equal regions.

    Raises AssertionError if the six regional estimates do not add up to the total in some draw.
    """
    counts = rng.binomial(cell.n, share, size=(draws, len(cell.n)))
    if cell.name != "region of six":
        return counts
    regions = rng.multinomial(counts, np.full(N_REGIONS, 1 / N_REGIONS))
    parts = sum(areas(cell, regions[:, :, r]) for r in range(N_REGIONS))
    if not np.allclose(parts, areas(cell, counts), rtol=1e-12, atol=1e-9):
        raise AssertionError(f"regions do not add up: {cell}")
    return regions[:, :, 0]


def counted(counts: np.ndarray):
    """The draws as groups of one tally."""
    group, stratum = np.nonzero(counts)
    found = counts[group, stratum].astype(float)
    return tally(group, stratum, np.ones(found.size), found, n_groups=len(counts))


def areas(cell: Cell, counts: np.ndarray) -> np.ndarray:
    return totals(counted(counts), cell.strata)


def covered(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def truth_of(cell: Cell, share: np.ndarray) -> float:
    part = N_REGIONS if cell.name == "region of six" else 1
    return float((cell.area_ha * share).sum()) / part


def row(cell: Cell, draws: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """The cell's line of the table and the bounds it breaks."""
    truth = truth_of(cell, cell.share)
    counts = draw(cell, cell.share, draws, rng)
    everywhere = np.full(draws, -1)
    low, high = gamma(counted(counts), cell.strata, everywhere, 0.95)
    refused = float(np.isnan(low).mean())
    wald_low, wald_high = wald(counted(counts), cell.strata, everywhere, 0.95)
    labelled, seen_truth, band, band_width = two_observers(cell, draws, rng)
    default = covered(low, high, truth)
    line = [
        cell.name, f"{cell.n[-1]:,}", f"{cell.expected:g}", f"{100 * cell.share[-1]:.2f}",
        f"{100 * default:.1f}", f"{np.mean(high - low) / truth:.2f}", f"{100 * refused:.1f}",
        f"{100 * covered(wald_low, wald_high, truth):.1f}", f"{np.mean(wald_high - wald_low) / truth:.2f}",
        f"{100 * labelled:.1f}", f"{100 * seen_truth:.1f}", f"{100 * band:.1f}", f"{band_width:.2f}",
    ]  # fmt: skip
    bounds = (
        ("default", default, cell.expected),
        ("default, labelled area", labelled, cell.expected * labels_of(cell)[-1] / cell.share[-1]),
        ("band", band, 0.0),
    )
    broken = [
        f"{name} {100 * value:.2f} % in {cell}"
        for name, value, expected in bounds
        if value < LEAST or (expected >= ENOUGH and value > MOST)
    ]
    return line, broken


def labels_of(cell: Cell) -> np.ndarray:
    """Share of each stratum that is labelled coca when each observer labels half of the points."""
    sensitivity, specificity = np.mean(OBSERVERS, axis=0)
    return cell.share * sensitivity + (1 - cell.share) * (1 - specificity)


def two_observers(cell: Cell, draws: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Coverage when each point is labelled by one of two observers who err differently.

    Returns the coverage of the labelled area (what such labels estimate), of the true area, of the true
    area by the sensitivity band over both observers' sensitivity and specificity, and the band's mean
    width over the truth.
    """
    labels = labels_of(cell)
    counts = draw(cell, labels, draws, rng)
    low, high = gamma(counted(counts), cell.strata, np.full(draws, -1), 0.95)
    frame = truth_of(cell, np.ones_like(cell.share))
    (se1, sp1), (se2, sp2) = OBSERVERS
    ranges = {"sensitivity": (min(se1, se2), max(se1, se2)), "specificity": (min(sp1, sp2), max(sp1, sp2))}
    ends = [sensitivity_band(a, b, frame, **ranges) for a, b in zip(low, high, strict=True)]
    band_low, band_high = np.array(ends).T
    truth = truth_of(cell, cell.share)
    return (
        covered(low, high, truth_of(cell, labels)),
        covered(low, high, truth),
        covered(band_low, band_high, truth),
        float(np.mean(band_high - band_low)) / truth,
    )


HEAD = (
    "design", "n", "expected", "share %", "default", "width", "refused %", "wald", "width",
    "two observers: labelled area", "true area", "band, true area", "width",
)  # fmt: skip


def table(draws: int, seed: int) -> tuple[str, list[str]]:
    """The table as Markdown, and the bounds that were broken."""
    rng = np.random.default_rng(seed)
    lines, broken = [], []
    for cell in cells():
        line, faults = row(cell, draws, rng)
        lines.append(line)
        broken += faults
    text = [f"{draws:,} draws per cell, seed {seed}, default interval `{DEFAULT_INTERVAL}`.", ""]
    text += ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    text += ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(text), broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a Markdown file with the two coverage marks")
    settings = parser.parse_args()
    text, broken = table(settings.draws, settings.seed)
    if settings.write:
        before, rest = settings.write.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        settings.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    else:
        print(text)
    for fault in broken:
        print("OUT OF BOUNDS:", fault, file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
