"""Definitions side by side: the paired difference holds the truth, and is narrower than two surveys'."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import rasterio

from cocal.crosswalk import Crosswalk, read_crosswalk
from cocal.estimate import estimate_areas, estimate_change, paired_difference
from cocal.estimate.intervals import combined
from cocal.simulate import SimulateSettings, simulate
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.plots import STATES

SHIPPED = Path(__file__).parents[2] / "configs" / "schemes" / "coca-definitions.yaml"
DRAWS, POINTS, LEAST, WIDEST = 1_000, 300, 0.93, 0.6
ASKED = {"classes": ("coca", "other"), "interval": "gamma", "confidence": 0.95, "by_region": False}


def land_of_definitions(crosswalk: Crosswalk) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(pixels of the invented border by stratum and by the definitions that count them; its strata)."""
    with TemporaryDirectory() as folder:
        out = Path(folder)
        simulate(out, SimulateSettings(), images=False)
        strata = pd.read_csv(out / "strata.csv")
        codes = {}
        for name in ("strata", "truth/class", "truth/state"):
            with rasterio.open(out / f"{name}.tif") as source:
                codes[name] = source.read(1).ravel()
    table = pd.DataFrame(codes)
    pixels = table[table["strata"] > 0].value_counts().rename("pixels").reset_index()
    pixels["class"] = pixels["truth/class"].map({code: key for key, code in CODES.items()})
    pixels["state"] = [STATES[code] or None for code in pixels["truth/state"]]
    pixels["stratum"] = pixels["strata"].map(strata.set_index("code")["stratum"])
    for name in crosswalk.ids:
        pixels[name] = crosswalk.counts(pixels, name).astype(bool)
    return pixels, strata


def drawn(pixels: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A row per point of a simple random sample of `POINTS` pixels of each stratum."""
    parts = []
    for _, own in pixels.groupby("stratum"):
        n = rng.multivariate_hypergeometric(own["pixels"].to_numpy(), POINTS)
        parts.append(own.loc[own.index.repeat(n)])
    return pd.concat(parts)


def labels(points: pd.DataFrame, definition: str) -> np.ndarray:
    return np.where(points[definition], "coca", "other")


def apart(samples: tuple[pd.DataFrame, pd.DataFrame], pair: tuple[str, str], strata: pd.DataFrame) -> float:
    """Width of the interval of the difference of two surveys, one per definition (Zou and Donner 2008)."""
    found = []
    for sample, name in zip(samples, pair, strict=True):
        table = sample[["stratum"]].assign(map_class="other", reference_class=labels(sample, name))
        classes = estimate_areas(table, strata, estimator="stratified", **ASKED).classes
        row = classes.set_index("class").loc["coca"]
        found.append([np.array([row[key]]) for key in ("area_ha", "ci_low_ha", "ci_high_ha")])
    (one, *ends), (other, *other_ends) = found
    low, high = combined(one, ends, other, other_ends, np.zeros(1))
    return float((high - low)[0])


def a_paired_difference_covers_the_truth_and_is_narrower_than_two_samples() -> str:
    crosswalk = read_crosswalk(SHIPPED)
    pixels, strata = land_of_definitions(crosswalk)
    pixel_ha = pixels["stratum"].map(strata.set_index("stratum").eval("area_ha / pixels"))
    truth = {name: float((pixels["pixels"] * pixel_ha)[pixels[name]].sum()) for name in crosswalk.ids}
    rng, areas = np.random.default_rng(20), strata[["stratum", "area_ha"]]
    pairs = list(combinations(crosswalk.ids, 2))
    covered, widths = dict.fromkeys(pairs, 0), {pair: np.zeros(2) for pair in pairs}
    for _ in range(DRAWS):
        samples = drawn(pixels, rng), drawn(pixels, rng)
        for first, second in pairs:
            table = samples[0][["stratum"]].assign(
                reference_before=labels(samples[0], second), reference_after=labels(samples[0], first)
            )
            change = estimate_change(table, areas, **ASKED).table
            classes = paired_difference(change, wider=crosswalk.wider(first, second)).set_index("class")
            found = classes.loc["coca"]
            low, high = found["ci_low_ha"], found["ci_high_ha"]
            covered[first, second] += low <= truth[first] - truth[second] <= high
            widths[first, second] += high - low, apart(samples, (first, second), areas)
    lines = []
    for pair in pairs:
        share, ratio = covered[pair] / DRAWS, widths[pair][0] / widths[pair][1]
        assert share >= LEAST, f"{pair}: covered in {share:.1%}"
        assert ratio <= WIDEST, f"{pair}: {ratio:.2f} as wide as two samples"
        gap = truth[pair[0]] - truth[pair[1]]
        lines.append(f"{pair[0]} - {pair[1]} ({gap:+.0f} ha): covered {share:.1%}, {ratio:.2f} as wide")
    return f"{DRAWS} draws of {4 * POINTS} points; " + "; ".join(lines)


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    a_paired_difference_covers_the_truth_and_is_narrower_than_two_samples,
)
