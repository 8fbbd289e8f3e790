"""Does a design reach the half-width that it promises? 1,000 campaigns per design on a simulated land.

    python -m benchmarks.design [--campaigns 1000] [--seed 1] [--write docs/design.md]

The land is SIMULATED: four regions with patches of coca, a map with errors of omission and commission, and
the truth of every pixel. Each line is one design made for a half-width of 20 % of the coca area in each
region. Every campaign draws its pixels anew from the land, labels them by the truth, and estimates the
hectares as `cocal measure` does. The exit code is 1 if in some region the mean half-width is more than 10 %
off the promise where the expected shares were right. The last lines show what happens where they were wrong.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cocal.estimate import Strata, expected_interval
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.tally import tally, totals
from cocal.fieldwork.design import Cells, DesignSettings, Frame, build_frame, plan_points
from cocal.fieldwork.design.draw import CANDIDATES, local_pivotal

SIDE_PX, N_REGIONS = 1_200, 4
STRATA = ("coca", "near_coca", "elsewhere")
COCA_SHARE, NEAR_PX, MISSED, FALSE = (0.012, 0.006, 0.02, 0.008), 10, 0.05, 0.25
GOAL, CONFIDENCE, TOLERANCE = 0.2, 0.95, 0.1
UNIT_HA = 0.01
BEGIN, END = "<!-- design: begin -->", "<!-- design: end -->"


@dataclass(frozen=True)
class Land:
    """(y, x) stratum (0 ...), region and truth of every pixel of 10 m."""

    stratum: np.ndarray
    region: np.ndarray
    coca: np.ndarray

    def cells(self) -> Cells:
        key = self.region * len(STRATA) + self.stratum
        pixels = np.bincount(key.ravel(), minlength=N_REGIONS * len(STRATA)).reshape(N_REGIONS, -1)
        return Cells(tuple(f"R{r + 1}" for r in range(N_REGIONS)), STRATA, pixels, pixels * 10**8)

    def shares(self) -> np.ndarray:
        """(regions, strata) true share of coca."""
        key = self.region * len(STRATA) + self.stratum
        found = np.bincount(key.ravel(), self.coca.ravel(), N_REGIONS * len(STRATA)).reshape(N_REGIONS, -1)
        return found / self.cells().pixels


def make_land(seed: int) -> Land:
    """Patches where smooth noise is highest; a map that misses some patches whole and invents others."""
    rng = np.random.default_rng(seed)
    half = SIDE_PX // 2
    region = np.kron(np.arange(N_REGIONS).reshape(2, 2), np.ones((half, half), dtype=np.int64))
    fields = [gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 4) for _ in range(2)]
    coca = top(fields[0], region, COCA_SHARE)
    missed = gaussian_filter(rng.normal(size=coca.shape), 12)
    seen = coca & (missed > np.quantile(missed[coca], MISSED))
    mapped = seen | top(fields[1], region, [FALSE * s for s in COCA_SHARE])
    near = distance_transform_edt(~mapped) <= NEAR_PX
    return Land(np.where(mapped, 0, np.where(near, 1, 2)), region, coca)


def top(field: np.ndarray, region: np.ndarray, shares: list[float] | tuple[float, ...]) -> np.ndarray:
    """True in the stated share of each region's pixels, those with the highest values."""
    out = np.zeros(field.shape, dtype=bool)
    for r, share in enumerate(shares):
        inside = region == r
        out |= inside & (field >= np.quantile(field[inside], 1 - share))
    return out


def settings(interval: str, allocation: str, draw: str, by_region: bool) -> DesignSettings:
    rules = [{"stratum": "coca", "classes": ["coca"]}]
    rules += [
        {"stratum": "near_coca", "near": {"metres": 100, "classes": ["coca"]}},
        {"stratum": "elsewhere"},
    ]
    return DesignSettings.model_validate(
        {
            "unobserved": "left_out", "strata": rules, "by_region": by_region, "minimum": 20,
            "size": {"half_width": GOAL, "per": "region"}, "allocation": allocation, "seed": 1,
            "expected": {"source": "stated", "share": dict.fromkeys(STRATA, 0.5)},
            "interval": interval, "confidence": CONFIDENCE, "draw": draw, "reserve": 0,
        }
    )  # fmt: skip


def strata_of(frame: Frame, strata: np.ndarray, n: np.ndarray) -> Strata:
    h = len(strata)
    pixels = frame.pixels[strata].astype(float)
    return Strata(("s",) * h, ("",) * h, frame.area_ha[strata], pixels, n[strata], np.full(h, -1))


def make_design(land: Land, config: DesignSettings, expected: np.ndarray) -> tuple[Frame, np.ndarray]:
    """The frame with the expected shares, and the points of every stratum."""
    frame = build_frame(land.cells(), by_region=config.by_region, small=None, share=expected)

    def half_width(area_ha, pixels, n, share):
        h = len(n)
        strata = Strata(("s",) * h, ("",) * h, area_ha, pixels.astype(float), n, np.full(h, -1))
        predicted = expected_interval(
            strata, share, interval=config.interval, confidence=CONFIDENCE, seed=config.seed
        )
        return predicted.half_width_ha

    return frame, plan_points(frame, config, half_width, CONFIDENCE)


def campaigns(land: Land, frame: Frame, n: np.ndarray, draw: str, size: int, rng) -> np.ndarray:
    """(campaigns, regions, strata of the design) coca points found."""
    design_stratum = frame.stratum_of[land.region, land.stratum]
    found = np.zeros((size, N_REGIONS, len(n)), dtype=np.int64)
    kind = (land.region * 2 + land.coca).ravel()
    for h in range(len(n)):
        pixels = np.flatnonzero(design_stratum.ravel() == h)
        one = random_counts if draw == "random" else balanced_counts
        found[:, :, h] = one(pixels, kind, int(n[h]), size, rng)[:, 1::2]
    return found


def random_counts(pixels: np.ndarray, kind: np.ndarray, n: int, size: int, rng) -> np.ndarray:
    """(campaigns, kinds) points of each kind among n pixels drawn without replacement: its exact law."""
    there = np.bincount(kind[pixels], minlength=2 * N_REGIONS)
    return rng.multivariate_hypergeometric(there, n, size=size, method="marginals")


def balanced_counts(pixels: np.ndarray, kind: np.ndarray, n: int, size: int, rng) -> np.ndarray:
    """The same for spread samples, each of them drawn."""
    counts = np.zeros((size, 2 * N_REGIONS), dtype=np.int64)
    for row in counts:
        some = pixels[rng.choice(pixels.size, min(CANDIDATES * n, pixels.size), replace=False)]
        points = np.column_stack(np.divmod(some, SIDE_PX)) + rng.random((some.size, 2))
        row += np.bincount(kind[some[local_pivotal(points, n, rng)]], minlength=2 * N_REGIONS)
    return counts


@dataclass(frozen=True)
class Found:
    """What campaigns found in one region: means over campaigns, relative to the true area."""

    points: int
    half_width: float
    coverage: float
    bias: float
    spread: float


def measure(land: Land, frame: Frame, n: np.ndarray, found: np.ndarray, interval: str) -> list[Found]:
    """Per region the mean half-width, the coverage, the bias and the spread of the estimates."""
    truth = np.bincount(land.region.ravel(), land.coca.ravel(), N_REGIONS) * UNIT_HA
    rows = []
    for r in range(N_REGIONS):
        strata, _ = frame.domain(r)
        counts = found[:, r, strata]
        group, place = np.nonzero(counts)
        value = counts[group, place].astype(float)
        sums = tally(group, place, np.ones(value.size), value, n_groups=len(counts))
        those = strata_of(frame, strata, n)
        low, high = INTERVALS[interval](sums, those, np.full(len(counts), -1), CONFIDENCE)
        area = totals(sums, those)
        points = int(n[strata].sum())
        half, held = (high - low).mean() / 2 / truth[r], ((low <= truth[r]) & (truth[r] <= high)).mean()
        rows.append(Found(points, half, held, area.mean() / truth[r] - 1, area.std() / truth[r]))
    return rows


CASES = (
    ("gamma", "rare", "random", True, 1.0),
    ("gamma", "rare", "balanced", True, 1.0),
    ("gamma", "proportional", "random", True, 1.0),
    ("gamma", "equal", "random", True, 1.0),
    ("gamma", "rare", "random", False, 1.0),
    ("wald", "rare", "random", True, 1.0),
    ("gamma", "rare", "random", True, 0.5),
    ("gamma", "rare", "random", True, 2.0),
)


def two_digits(shares: np.ndarray) -> np.ndarray:
    """Shares as a person would state them."""
    return np.vectorize(lambda v: float(f"{v:.2g}"))(shares)


def run(land: Land, case: tuple, size: int, rng) -> tuple[list[str], list[str]]:
    """The lines of one design and what it breaks."""
    interval, allocation, draw, by_region, wrong = case
    expected = two_digits(land.shares())
    expected[:, 1:] *= wrong
    frame, n = make_design(land, settings(interval, allocation, draw, by_region), expected)
    size = size if draw == "random" else max(size // 10, 10)
    rows = measure(land, frame, n, campaigns(land, frame, n, draw, size, rng), interval)
    worst = max(rows, key=lambda row: row.half_width)
    broken = []
    judged = rows if by_region else [worst]
    if wrong == 1.0:
        broken = [f"{case}: {row}" for row in judged if abs(row.half_width / GOAL - 1) > TOLERANCE]
    widths = ", ".join(f"{100 * row.half_width:.1f}" for row in rows)
    cells = [
        interval, allocation, draw, "yes" if by_region else "no", "right" if wrong == 1 else f"x {wrong:g}",
        f"{n.sum():,}", f"{size:,}", widths, ", ".join(f"{100 * row.coverage:.1f}" for row in rows),
        f"{100 * max(abs(row.bias) for row in rows):.1f}", f"{100 * max(row.spread for row in rows):.1f}",
    ]  # fmt: skip
    return cells, broken


def table(lines: list[list[str]], seed: int) -> str:
    head = (
        "| interval | allocation | draw | crossed with regions | expected omission | points | campaigns "
        "| mean half-width per region, % (promised 20) | coverage per region, % | largest bias % | largest "
        "SD % |"
    )
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([f"SIMULATED land, seed {seed}.", "", head, "|---" * 11 + "|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    rng, land = np.random.default_rng(arguments.seed), make_land(arguments.seed)
    results = [run(land, case, arguments.campaigns, rng) for case in CASES]
    text = table([cells for cells, _ in results], arguments.seed)
    print(text)
    if arguments.write:
        page = arguments.write.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        page = f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"
        arguments.write.write_text(page, encoding="utf-8")
    broken = [line for _, lines in results for line in lines]
    print("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
