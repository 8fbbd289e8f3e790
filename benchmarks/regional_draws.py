"""Redraws of the demo's sample on a simulated land, estimated per region: what `regional` makes tables of.

Every draw is estimated by `calibrated`, every tenth by `stratified` (expansion) too, with the interval
`gamma`. What was measured is kept in the user's cache until the code of the estimators changes, so that a
benchmark that was cut short goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.lands import UNOBSERVED, Population, redraws
from cocal.estimate.design import Cells
from cocal.estimate.intervals import INTERVALS
from cocal.estimate.regional.calibration import (
    Crossed,
    PostStrata,
    at_places,
    calibrated_totals,
    crossed,
    pooled,
    regression_variances,
    rows_by,
)
from cocal.estimate.regional.ends import guaranteed_ends, residual_ends
from cocal.estimate.regional.known import Known
from cocal.estimate.strata import Strata
from cocal.estimate.stratified import class_areas, region_domains
from cocal.simulate.land.kinds import CODES

CONFIDENCE, RARE = 0.95, "coca"
CLASSES = (*CODES, UNOBSERVED)
TODAY_EVERY = 10
"""The expansion estimator is run on every tenth draw: only its means are wanted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """(region, class) hectares of one draw and the ends of their intervals; `whole` (class,) of the frame."""

    area: Floats
    low: Floats
    high: Floats
    whole: Floats


class Frame:
    """A population as arrays: what every draw has in common."""

    def __init__(self, found: Population) -> None:
        cells, strata = found.cells, found.strata
        self.regions = sorted(set(cells["region"]))
        self.names = tuple(strata["stratum"])
        code = {
            "stratum": pd.Index(self.names), "region": pd.Index(self.regions),
            "map_class": pd.Index(CLASSES), "reference_class": pd.Index(CLASSES),
        }  # fmt: skip
        self.codes = [index.get_indexer(cells[name]).astype(np.int64) for name, index in code.items()]
        dark = self.codes[2] == len(CODES)
        self.codes[3] = np.where(dark, len(CODES), self.codes[3])
        none = np.full(len(self.names), np.nan)
        sizes = np.array([found.sizes[name] for name in self.names])
        self.strata = Strata(
            self.names, ("",) * none.size, strata["area_ha"].to_numpy(), none, sizes, np.full(none.size, -1)
        )
        own = np.arange(len(self.regions))
        names = tuple(self.regions)
        area = cells["area_ha"].to_numpy()
        codes, inverse = np.unique(np.stack(self.codes[:3]), axis=1, return_inverse=True)
        known_ha = np.bincount(inverse.ravel(), area)
        self.known = Known(codes[0], codes[1], codes[2], known_ha, own, own, names, names)
        self.truth, self.mapped = (self._hectares(self.codes[part], area) for part in (3, 2))

    def _hectares(self, code: NDArray[np.int64], area: Floats) -> Floats:
        size = len(self.regions) * len(CLASSES)
        flat = np.bincount(self.codes[1] * len(CLASSES) + code, area, size)
        return flat.reshape(-1, len(CLASSES))

    def drawn(self, counts: NDArray[np.int64]) -> Cells:
        """The points of one draw, as the estimators take them."""
        here = np.flatnonzero(counts)
        return Cells(*(code[here] for code in self.codes), counts[here].astype(float))


def calibrated(frame: Frame, cells: Cells) -> Figures:
    """What `estimate_areas` gives with `calibrated` and `gamma`, without its tables."""
    atoms, k, dark = len(frame.regions), len(CLASSES), len(CODES)
    table = crossed(frame.known, cells, cells.region, strata=frame.strata, n_classes=k, dark=dark)
    post = pooled(table, frame.strata, dark)
    total = calibrated_totals(table, post, frame.known.unit, atoms)
    at = at_places(table, np.arange(atoms), atoms)
    low, high = _ends(at, post, frame.strata, total)
    return Figures(total, low, high, rows_by(np.zeros(atoms, dtype=np.int64), total, 1)[0])


def _ends(table: Crossed, post: PostStrata, strata: Strata, total: Floats) -> tuple[Floats, Floats]:
    variance = regression_variances(table, post, strata)
    common = residual_ends(table, post, strata, total=total, variance=variance, confidence=CONFIDENCE)
    rare = guaranteed_ends(
        table, post, strata, total=total, interval=INTERVALS["gamma"], confidence=CONFIDENCE
    )
    is_rare = np.array([name == RARE for name in CLASSES])
    low = np.where(is_rare, rare.low_ha, common.low_ha)
    high = np.where(is_rare, rare.high_ha, common.high_ha)
    low[:, post.dark] = high[:, post.dark] = total[:, post.dark]
    return low, high


def expansion(frame: Frame, cells: Cells) -> Figures:
    """The stratified expansion estimator with `gamma`: regions as domains, known areas unused."""
    atoms, k = len(frame.regions), len(CLASSES)
    found = class_areas(
        cells, frame.strata, region_domains(cells, atoms), n_classes=k, interval=INTERVALS["gamma"],
        confidence=CONFIDENCE,
    )  # fmt: skip
    area, low, high = (
        found[name].to_numpy().reshape(atoms, k) for name in ("area_ha", "ci_low_ha", "ci_high_ha")
    )
    return Figures(area, low, high, area.sum(axis=0))


def measured(found: Population, draws: int) -> pd.DataFrame:
    """A row per region and class: what `draws` redraws gave.

    true, mapped, mean, sd, rmse in ha; `held` draws whose interval holds the truth; mean `width` and
    `widest`; `today_held`, `today_width`, `today_rmse` of the expansion estimator in `today_draws`; `gap` the
    largest difference between a region's classes and its area, or the regions and the frame, in any draw;
    `least` the smallest figure; `beyond` the farthest that an end lies outside of its region.
    """
    frame = Frame(found)
    rng = np.random.default_rng([found.seed, *found.map.encode()])
    runs = [frame.drawn(counts) for counts in redraws(found, draws, rng)]
    ours, today = [calibrated(frame, c) for c in runs], [expansion(frame, c) for c in runs[::TODAY_EVERY]]
    area, low, high = _stacked(ours)
    limit = frame.truth.sum(axis=1)[None, :, None]
    gaps = [abs(area.sum(axis=2) - limit[..., 0]).max()]
    gaps.append(abs(area.sum(axis=1) - np.stack([f.whole for f in ours])).max())
    old_area, old_low, old_high = _stacked(today)
    outside = np.maximum(-low, high - limit).max()
    values = {
        "true": frame.truth, "mapped": frame.mapped,
        "mean": area.mean(axis=0), "sd": area.std(axis=0, ddof=1), "rmse": _rmse(area, frame.truth),
        "held": _held(low, high, frame.truth), "width": (high - low).mean(axis=0),
        "widest": (high - low).max(axis=0),
        "today_rmse": _rmse(old_area, frame.truth), "today_held": _held(old_low, old_high, frame.truth),
        "today_width": (old_high - old_low).mean(axis=0),
    }  # fmt: skip
    index = pd.MultiIndex.from_product([frame.regions, CLASSES], names=["region", "class"])
    table = pd.DataFrame({name: value.ravel() for name, value in values.items()}, index=index).reset_index()
    stated = {"seed": found.seed, "map": found.map, "domains": found.domains, "draws": draws}
    extremes = {"gap": max(gaps), "least": area.min(), "beyond": outside, "today_draws": len(today)}
    return table.assign(region_ha=np.repeat(limit.ravel(), len(CLASSES)), **stated, **extremes)


def _stacked(figures: list[Figures]) -> tuple[Floats, Floats, Floats]:
    """(draw, region, class) of area, low, high."""
    area, low, high = (np.stack([getattr(f, n) for f in figures]) for n in ("area", "low", "high"))
    return area, low, high


def _rmse(area: Floats, truth: Floats) -> Floats:
    return np.asarray(np.sqrt(((area - truth) ** 2).mean(axis=0)))


def _held(low: Floats, high: Floats, truth: Floats) -> NDArray[np.int64]:
    """Draws whose interval holds the truth, to the last digit of the sums."""
    return np.asarray(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).sum(axis=0))
