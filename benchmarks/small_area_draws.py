"""Redraws for `benchmarks.small_area`: what it makes tables of, kept in the user's cache, and exact facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import binom, hypergeom

from benchmarks.lands import UNOBSERVED, MapName, Population, population, redraws
from benchmarks.regional_draws import CLASSES, CONFIDENCE, RARE, Frame
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.regional.calibrated_small import small_cells
from cocal.estimate.regional.calibration import calibrated_totals, crossed, pooled, regression_variances
from cocal.estimate.regional.ends import guaranteed_ends
from cocal.estimate.regional.known import Known
from cocal.estimate.regional.shared_rates import VARIATION, Seen, posterior_moments
from cocal.estimate.regional.small_area import (
    BELIEVED_EMPTY,
    EMPTY_SHARE,
    LEVEL,
    SEEN,
    UNSEEN,
    Ends,
    SmallArea,
    small_area_intervals,
)

LAST = "coca_last_year"
"""The stratum that is the map of the year before: its hectares are last year's figure."""


def one(frame: Frame, counts: np.ndarray) -> tuple[Ends, SmallArea]:
    """The design's figures of coca and `small_area` of one draw, as `estimate_areas` has them."""
    cells, known, dark, code = frame.drawn(counts), frame.known, len(CLASSES) - 1, CLASSES.index(RARE)
    table = crossed(known, cells, cells.region, strata=frame.strata, n_classes=len(CLASSES), dark=dark)
    post = pooled(table, frame.strata, dark)
    total = calibrated_totals(table, post, known.unit, len(frame.regions))
    variance = regression_variances(table, post, frame.strata)
    safe = guaranteed_ends(
        table, post, frame.strata, total=total, interval=INTERVALS["gamma"], confidence=CONFIDENCE
    )
    values = (total, np.sqrt(variance), safe.low_ha, safe.high_ha)
    alone = Ends(*(value[:, code] for value in values))
    ground, _ = small_cells(frame.strata, cells, known, cells.region, code=code, dark=dark)
    return alone, small_area_intervals(ground, alone, confidence=CONFIDENCE)


def measured(found: Population, draws: int) -> pd.DataFrame:
    """A row per region: `expected` hits, `true` and `last` hectares; draws that held, width and RMSE of what
    is offered or else of the design, and of the design alone; `spoke`: draws in which the map missed more.
    """
    frame, code = Frame(found), CLASSES.index(RARE)
    truth = frame.truth[:, code]
    frame.known = counted(frame.known)
    rng = np.random.default_rng([found.seed, *found.map.encode(), 1])
    runs = [one(frame, counts) for counts in redraws(found, draws, rng)]
    alone = {name: np.stack([getattr(a, name) for a, _ in runs]) for name in ("area_ha", "low_ha", "high_ha")}
    offered = np.stack([small.offered for _, small in runs])
    given = {
        name: np.where(offered, np.stack([getattr(small, name) for _, small in runs]), alone[name])
        for name in alone
    }
    size, area = len(frame.regions), found.cells["area_ha"].to_numpy()
    seen = frame.codes[2] < len(CLASSES) - 1
    coca = seen & (frame.codes[3] == code)
    last = seen & (frame.codes[0] == frame.names.index(LAST))
    table = {
        "region": frame.regions, "true": truth,
        "region_ha": np.bincount(frame.codes[1], area * seen, size),
        "expected": np.bincount(frame.codes[1], area / frame.strata.weight_ha[frame.codes[0]] * coca, size),
        "last": np.bincount(frame.codes[1], area * last, size),
        "offered": offered.sum(axis=0),
        "offered_width": _mean(given["high_ha"] - given["low_ha"], offered),
        "spoke": sum(bool(small.missed.any()) for _, small in runs),
    }  # fmt: skip
    for name, values in (("", given), ("design_", alone)):
        low, area, high = (values[key] for key in ("low_ha", "area_ha", "high_ha"))
        table[f"{name}held"] = ((low <= truth + 1e-9) & (truth - 1e-9 <= high)).sum(axis=0)
        table[f"{name}width"] = (high - low).mean(axis=0)
        table[f"{name}rmse"] = np.sqrt(((area - truth) ** 2).mean(axis=0))
    stated = {"seed": found.seed, "map": found.map, "domains": found.domains, "draws": draws}
    return pd.DataFrame(table).assign(**stated)


def counted(known: Known) -> Known:
    """The known hectares with one row per stratum, region and class on the map, as a run counts them."""
    keys = np.stack([known.stratum, known.atom, known.mapped])
    rows, inverse = np.unique(keys, axis=1, return_inverse=True)
    return replace(
        known,
        **dict(zip(("stratum", "atom", "mapped"), rows, strict=True)),
        area_ha=np.bincount(inverse.ravel(), known.area_ha),
    )


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    count = chosen.sum(axis=0)
    return np.where(count > 0, (values * chosen).sum(axis=0) / np.maximum(count, 1), np.nan)


def power(name: MapName, seeds: Sequence[int]) -> float:
    """How often `missed_strata` speaks, exactly, mean over lands.

    Hits outside mapped ground are hypergeometric; the fewest that it refuses are taken at all points of the
    stratum.
    """
    chances = []
    for seed in seeds:
        found, silent = population(seed, map_name=name, unobserved=True), 1.0
        cells = found.cells.assign(mapped=found.cells["map_class"] == RARE)
        cells["hit"] = (
            ~cells["mapped"] & (cells["map_class"] != UNOBSERVED) & (cells["reference_class"] == RARE)
        )
        for stratum, part in cells.groupby("stratum"):
            seen, n = part[part["map_class"] != UNOBSERVED], found.sizes[str(stratum)]
            if seen.loc[seen["mapped"], "area_ha"].sum() < BELIEVED_EMPTY * seen["area_ha"].sum():
                fewest = int(binom.isf(LEVEL, n, EMPTY_SHARE)) + 1
                hits = int(part.loc[part["hit"], "pixels"].sum())
                silent *= hypergeom.cdf(fewest - 1, int(part["pixels"].sum()), hits, n)
        chances.append(1 - silent)
    return float(np.mean(chances))


def unbiased(regions: int = 3_000, repeats: int = 20) -> float:
    """Hectares that the rates alone give to many regions, over those of the unbiased share of hits.

    The regions follow the model: 60 ha and 6 points each, a share of 2 % on average.
    """
    rng, model, sample = np.random.default_rng(1), 0.0, 0.0
    size = 1 / (VARIATION**2 * 0.02 * 0.98)
    pool, points = np.zeros(regions, dtype=np.int64), np.full(regions, 6.0)
    for _ in range(repeats):
        hits = rng.binomial(6, rng.beta(0.02 * size, 0.98 * size, regions)).astype(float)
        seen = Seen(pool, np.zeros(regions), points, hits)
        model += posterior_moments(seen, np.array([SEEN]), np.array([UNSEEN]))[0].sum()
        sample += (hits / 6).sum()
    return float(model / sample)
