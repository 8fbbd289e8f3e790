"""What the ring test must show."""

from __future__ import annotations

import functools
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cocal.assets import PACKAGE
from cocal.estimate import estimate_areas, sensitivity_band
from cocal.estimate.latent import latent_accuracy
from cocal.estimate.ring import known_accuracy
from cocal.run.finished import open_run
from cocal.run.ring.make import RingOptions, chip_names, make_ring
from tests.acceptance.house import demo

PAIRS, LEAST = 500, 0.93
FRAME_HA = np.array([1_500.0, 4_000.0, 94_500.0])
"""Ground of 100,000 ha that a map shows as coca, ground near it, the rest."""
PREVALENCE = np.array([0.75, 0.05, 0.001])
CHIPS, POINTS = 150, 400
"""Per stratum: images of the ring test, points of the survey."""
RINGS = 1000


class Pair(NamedTuple):
    """Sensitivity and specificity of two observers, and how they err: see `called`."""

    sensitivity: np.ndarray[Any, Any]
    specificity: np.ndarray[Any, Any]
    together: float
    near: float


def called(
    truth: np.ndarray[Any, Any], stratum: np.ndarray[Any, Any], pair: Pair, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    """(place, 2) what each observer calls the target. At a share `together` of places both have the same
    chance: there an error of one is mostly one of the other. Near mapped ground false calls are `near` times
    as frequent.
    """
    together, accuracy = pair.together, (pair.sensitivity, 1 - (1 - pair.specificity) * np.where(
        stratum == 1, pair.near, 1.0)[:, None])  # fmt: skip
    chance = rng.random((len(truth), 2))
    chance = np.where(rng.random((len(truth), 1)) < together, chance[:, :1], chance)
    right = chance < np.where(truth[:, None], *accuracy)
    return right == truth[:, None]


@functools.cache
def covered(together: float = 0.0, near: float = 1.0, *, visits: bool = False) -> pd.DataFrame:
    """Per pair whether the band holds the true hectares, whether the interval alone does; their widths."""
    rows, true_ha = [], float(FRAME_HA @ PREVALENCE)
    for number in range(PAIRS):
        rng = np.random.default_rng((20, number, int(1000 * together)))
        pair = Pair(rng.uniform(0.8, 0.99, 2), rng.uniform(0.985, 0.9995, 2), together, near)
        stratum = np.repeat(np.arange(3), CHIPS)
        truth = rng.random(len(stratum)) < PREVALENCE[stratum]
        calls = called(truth, stratum, pair, rng)
        low, high = _interval(pair, rng)
        sensitivity, specificity = _ranges(calls, truth, stratum, visits=visits)
        usable = sensitivity[0] + specificity[0] > 1
        band = (
            sensitivity_band(low, high, FRAME_HA.sum(), sensitivity=sensitivity, specificity=specificity)
            if usable
            else (0.0, float(FRAME_HA.sum()))
        )
        rows.append(
            (band[0] <= true_ha <= band[1], low <= true_ha <= high, band[1] - band[0], high - low, usable)
        )
    return pd.DataFrame(rows, columns=["band", "interval", "band_ha", "interval_ha", "usable"])


def _ranges(calls: Any, truth: Any, stratum: Any, *, visits: bool) -> tuple[Any, Any]:
    if visits:
        return known_accuracy(calls, truth, ["a", "b"], confidence=0.95).band
    rows, _ = latent_accuracy(calls, stratum, confidence=0.95)
    return (rows[:, 1].min(), rows[:, 2].max()), (rows[:, 4].min(), rows[:, 5].max())


def _interval(pair: Pair, rng: np.random.Generator) -> tuple[float, float]:
    """The interval of a survey whose points the one or the other observer labelled, each on its side."""
    stratum = np.repeat(np.arange(3), POINTS)
    truth = rng.random(len(stratum)) < PREVALENCE[stratum]
    side = rng.integers(0, 2, len(stratum))
    calls = called(truth, stratum, pair, rng)[np.arange(len(stratum)), side]
    names = np.array(["mapped", "near", "elsewhere"])
    sample = pd.DataFrame(
        {
            "stratum": names[stratum], "map_class": np.where(stratum == 0, "coca", "other"),
            "reference_class": np.where(calls, "coca", "other"),
        }
    )  # fmt: skip
    strata = pd.DataFrame({"stratum": names, "area_ha": FRAME_HA})
    how = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95, "by_region": False}
    found = estimate_areas(sample, strata, classes=None, **how).classes
    row = found[found["class"] == "coca"].iloc[0]
    return float(row["ci_low_ha"]), float(row["ci_high_ha"])


def the_band_of_a_ring_test_covers_the_true_hectares_of_500_pairs_of_observers() -> str:
    found, uneven = covered(), covered(near=4.0)
    share = found["band"].mean()
    figure = (
        f"{PAIRS} pairs, {3 * CHIPS} images, {3 * POINTS} points, no truth: {share:.1%} (the interval alone "
        f"{found['interval'].mean():.1%}); band {found['band_ha'].median():,.0f} ha wide, interval "
        f"{found['interval_ha'].median():,.0f}, of {FRAME_HA @ PREVALENCE:,.0f} ha; "
        f"usable {found['usable'].mean():.0%}; with four times the false calls near mapped ground "
        f"{uneven['band'].mean():.1%}"
    )
    assert min(share, uneven["band"].mean()) >= LEAST, figure
    return figure


def with_visits_the_band_covers_though_observers_err_together() -> str:
    known, unknown = (covered(0.5, visits=visits) for visits in (True, False))
    figure = (
        f"{PAIRS} pairs that share half of their errors: with visits {known['band'].mean():.1%}, width "
        f"{known['band_ha'].median():,.0f} ha; without, {unknown['band'].mean():.1%} (stated by the command)"
    )
    assert known["band"].mean() >= LEAST, figure
    return figure


def _bytes_but_pixels(path: Path) -> bytes:
    """The chunks of a PNG other than IDAT, and the length of each that is."""
    data, found, at = path.read_bytes(), b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunk = data[at : at + 12 + length]
        found += chunk[:8] if chunk[4:8] == b"IDAT" else chunk
        at += 12 + length
    return found


def pictures_of_either_side_cannot_be_told_apart_but_by_their_pixels() -> str:
    run = open_run(demo(PACKAGE.parent)[0] / "runs" / "demo")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ring"
        made = make_ring(run, out, RingOptions(chips=120, seed=20))
        key = json.loads((out / "key.json").read_text(encoding="utf-8"))
        side = {c[f"chip_{t}"]: c["country"] for t in key["teams"] for c in key["chips"]}
        files = sorted(out.glob("team-*/chips/*.png"))
        facts = {
            (_bytes_but_pixels(p), p.stat().st_size, p.stat().st_mtime_ns, p.stat().st_mode) for p in files
        }
        assert len(facts) == 1, f"{len(facts)} kinds of files"
        assert len({len(p.name) for p in files}) == 1
        text = b"".join(p.read_bytes() for p in out.glob("team-*/*.*"))
        assert not any(
            word.encode() in text for word in (*{*side.values()}, *{c["region_id"] for c in key["chips"]})
        )
        counts = pd.Series(side).value_counts()
    assert counts.max() == counts.min(), counts.to_string()
    return (
        f"{len(files)} files of {made.ring}: one size, one set of chunks, one time, names of one length; "
        f"{counts.iloc[0]} of each side, no region and no coordinate in any text; {_order_tells_nothing()}"
    )


def _order_tells_nothing() -> str:
    """By order and by name: how often a rank test at 5 % tells which half of the key a name is of."""
    n, z = 120, []
    for ring in range(RINGS):
        rank = np.argsort(np.argsort(chip_names(f"{ring:08x}", "a", n)))
        first = rank[: n // 2].sum()
        mean, sd = n / 2 * (n - 1) / 2, np.sqrt((n / 2) ** 2 * (n + 1) / 12)
        z.append((first - mean) / sd)
    told = float(np.mean(np.abs(z) > 1.96))
    assert 0.03 <= told <= 0.07, told
    return f"a rank test at 5 % tells sides by names and order in {told:.1%} of {RINGS:,} ring tests"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    the_band_of_a_ring_test_covers_the_true_hectares_of_500_pairs_of_observers,
    with_visits_the_band_covers_though_observers_err_together,
    pictures_of_either_side_cannot_be_told_apart_but_by_their_pixels,
)
