"""What a design leads one to expect: points per stratum, and the interval of every region."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.classify.card import read_card
from cocal.content import Ref
from cocal.errors import InputError
from cocal.estimate import (
    MIN_REGION_POINTS,
    ExpectedInterval,
    Strata,
    expected_interval,
    expected_two_phase,
    reading_rates,
)
from cocal.fieldwork.design import (
    WHOLE,
    Cells,
    DesignSettings,
    Frame,
    PhaseSettings,
    Points,
    ProbabilityShares,
    Sizes,
    StatedShares,
    build_frame,
    candidates_needed,
    plan_phases,
    plan_points,
    probability_shares,
    reserve_points,
    stated_shares,
    validated_shares,
)
from cocal.grid import hectares
from cocal.notes import Note
from cocal.run.stages.design_small import COLUMNS, expected_small_area
from cocal.run.worker.design_tiles import CountedTile, DesignMaps
from cocal.run.worker.mosaic import regions_of
from cocal.scheme import ClassScheme

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CELLS = "cells.npz"
_CLEARLY = 0.9
"""A half-width under this share of the planned one is worth another allocation."""
_CERTAIN = 1e-6
_NAMES = ("region_id", "region_name")
_FIGURES = (
    "expected_ha", "low_ha", "high_ha", "half_width_ha", "half_width_90_ha", "half_width_percent",
    "no_hit_ha",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class DesignTask:
    """Inputs of a design: maps, counted strata, the interval to expect, texts of its files.

    `model`: whose validation says what to expect, if it does. `known`: the run's estimator uses the hectares
    of every stratum in each region.
    """

    maps: DesignMaps
    cells: Ref
    model: Ref | None
    interval: str
    confidence: float
    known: bool
    name: str
    scheme: ClassScheme
    simulated: bool

    @property
    def settings(self) -> DesignSettings:
        return self.maps.rules.settings


@dataclass(frozen=True, eq=False)
class PlannedDesign:
    """The strata with what is expected in each, and how many points each gets.

    `visits`: of two phases, those among the points read as the target and among the others.
    """

    frame: Frame
    n: Ints
    reserves: Ints
    needed: Ints
    visits: Ints | None = None


def planned_design(task: DesignTask) -> PlannedDesign:
    """How many points each stratum gets."""
    settings, frame = task.settings, design_frame(task)
    n, visits = plan_points(frame, settings, half_width_of(task), task.confidence), None
    if settings.phases is not None:
        n, visits = _phases(frame, n, task)
    reserves = reserve_points(n, frame.pixels, settings.reserve)
    needed = candidates_needed(Sizes(n, reserves, frame.pixels), settings.draw)
    return PlannedDesign(frame, n, reserves, needed, visits)


def _phases(frame: Frame, n: Ints, task: DesignTask) -> tuple[Ints, Ints]:
    """Return points to be read and visits, (H,) and (H, 2), that cost what the visits `n` would."""
    assert task.settings.phases is not None
    share = np.clip(frame.domain()[1], task.settings.floor or 0.0, 1 - _CERTAIN)
    n1, n2 = plan_phases(
        frame.area_ha,
        _rates(share, task.settings.phases),
        visits=int(n.sum()),
        cost_ratio=task.settings.phases.cost_ratio,
        least=task.settings.minimum,
        half_width=lambda read, visits: _two_phases(task, frame.area_ha, share, (read, visits)).half_width_ha,
        alone_ha=(
            half_width_of(task)(frame.area_ha, frame.pixels, n, share),
            float(np.sqrt((frame.area_ha**2 * share * (1 - share) / n).sum())),
        ),
    )
    return np.minimum(n1, frame.pixels), n2


def _rates(share: Floats, phases: PhaseSettings) -> tuple[Floats, Floats]:
    return reading_rates(share, phases.sensitivity, phases.specificity)


def _two_phases(
    task: DesignTask, area_ha: Floats, share: Floats, points: tuple[Ints, Ints]
) -> ExpectedInterval:
    """Return the interval to expect in the whole frame."""
    assert task.settings.phases is not None
    rates = _rates(share, task.settings.phases)
    return expected_two_phase(area_ha, *points, rates, confidence=task.confidence, seed=task.settings.seed)


def design_frame(task: DesignTask) -> Frame:
    """The strata of the design with what is expected in each."""
    settings, regions = task.settings, regions_of(task.maps.regions)
    counted = counts_of(task)
    cells = Cells(tuple(regions.table["region_id"]), settings.names, counted.pixels, counted.units)
    return build_frame(
        cells, by_region=settings.by_region, small=settings.small, share=_shares(cells, counted, task),
        known=task.known, empty=settings.auto is not None,
    )  # fmt: skip


def _shares(cells: Cells, counted: CountedTile, task: DesignTask) -> Floats:
    """Return (regions, strata) the expected shares of the target."""
    expected = task.settings.expected
    if isinstance(expected, StatedShares):
        return stated_shares(cells, expected.share, expected.regions)
    if isinstance(expected, ProbabilityShares):
        return probability_shares(cells, counted.probability, counted.bins.sum(axis=2))
    assert task.model is not None
    assert task.model.folder is not None
    found = read_card(task.model.folder).validation["model"].get("probability_bins")
    if found is None:
        raise InputError(
            "design.expected: the model's card does not say how its probabilities were distributed",
            "a model with `probability_bins` in its validation", "none in this card",
            "train the model again, or use `source: stated`",
        )  # fmt: skip
    group = (
        [name.startswith("earlier-") for name in cells.strata]
        if task.settings.auto
        else [0] * len(cells.strata)
    )
    return validated_shares(
        cells, counted.bins, target=found["target"], other=found["other"], group=list(map(int, group))
    )


def counts_of(task: DesignTask) -> CountedTile:
    """The sums over all tiles."""
    with np.load(task.cells.file(CELLS)) as stored:
        return CountedTile(**stored)


def half_width_of(task: DesignTask) -> Any:
    """Return the `HalfWidth` of the run's interval."""

    def half_width(area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float:
        return _expected(task, area_ha, pixels, n, share).half_width_ha

    return half_width


def _expected(
    task: DesignTask, area_ha: Floats, pixels: Ints, n: Ints, share: Floats, limit_ha: float = float("inf")
) -> ExpectedInterval:
    """Return the expected estimate and interval of one domain, of strata for the interval alone."""
    names = tuple(map(str, range(len(n))))
    strata = Strata(names, ("",) * len(n), area_ha, pixels.astype(np.float64), n, np.full(len(n), -1))
    return expected_interval(
        strata, share, interval=task.interval, confidence=task.confidence, seed=task.settings.seed,
        limit_ha=limit_ha,
    )  # fmt: skip


def expected_table(plan: PlannedDesign, task: DesignTask) -> pd.DataFrame:
    """Return a row per region, and the whole: points, expected hectares of the target and their interval."""
    regions, frame, n = regions_of(task.maps.regions).table, plan.frame, plan.n
    rows = []
    for region in [*range(len(regions)), WHOLE]:
        part = np.ones(len(n)) if region == WHOLE else frame.part(region)
        points = float((part * n).sum())
        name = {key: "total" if region == WHOLE else regions[key].iloc[region] for key in _NAMES}
        cut = counts_of(task).cut_units[slice(None) if region == WHOLE else region].sum()
        notes = [Note("n_too_small")] if points < MIN_REGION_POINTS else []
        notes += [*_cut_off(task), *heavy_weight(plan, task)] if region == WHOLE else []
        rows.append(
            name
            | {"points": round(points, 1)}
            | _figures(plan, task, region)
            | {"not_sampled_ha": hectares(int(cut))}
            | {"expected_from": task.settings.expected.source, "notes": tuple(notes)}
        )
    return _with_small_area(rows, plan, task)


def _with_small_area(rows: list[dict[str, Any]], plan: PlannedDesign, task: DesignTask) -> pd.DataFrame:
    """Return the rows as a table, with `small_area` where the run's estimator will offer it."""
    table = pd.DataFrame(rows)
    small = pd.DataFrame(np.nan, index=table.index, columns=list(COLUMNS))
    if task.known and plan.visits is None:
        small.iloc[:-1] = expected_small_area(
            plan.frame, plan.n, counts_of(task).class_units, target=task.scheme.codes[task.scheme.target],
            no_hit_ha=table["no_hit_ha"].iloc[:-1].to_numpy(float), confidence=task.confidence,
        )  # fmt: skip
    place = list(table.columns).index("no_hit_ha") + 1
    whole = pd.concat([table.iloc[:, :place], small, table.iloc[:, place:]], axis=1)
    return whole[(table["points"] > 0) | (table["not_sampled_ha"] > 0)].reset_index(drop=True)


def _cut_off(task: DesignTask) -> list[Note]:
    """Return what is not sampled, by reason."""
    area: dict[str, int] = {}
    rules, units = task.settings.not_sampled, counts_of(task).cut_units.sum(axis=0)
    for rule, part in zip(rules, units.tolist(), strict=True):
        area[rule.reason] = area.get(rule.reason, 0) + part
    return [Note("cut_off", reason=reason, ha=hectares(part)) for reason, part in area.items()]


def _figures(plan: PlannedDesign, task: DesignTask, region: int) -> dict[str, Any]:
    frame = plan.frame
    strata, share = frame.domain(region)
    if not strata.size or not frame.area_of(region) or (plan.visits is not None and region != WHOLE):
        return dict.fromkeys(_FIGURES, np.nan) | {"interval": task.interval, "confidence": task.confidence}
    if plan.visits is None:
        area, pixels = frame.area_ha[strata], frame.pixels[strata]
        found = _expected(task, area, pixels, plan.n[strata], share, frame.area_of(region))
    else:
        found = _two_phases(task, frame.area_ha, share, (plan.n, plan.visits))
    return {
        "expected_ha": found.area_ha,
        "low_ha": found.low_ha,
        "high_ha": found.high_ha,
        "half_width_ha": found.half_width_ha,
        "half_width_90_ha": found.half_width_90_ha,
        "half_width_percent": 100 * found.half_width_ha / found.area_ha if found.area_ha else np.nan,
        "no_hit_ha": found.no_hit_ha,
        "interval": task.interval,
        "confidence": task.confidence,
    }


def heavy_weight(plan: PlannedDesign, task: DesignTask) -> list[Note]:
    """Return a warning where the heaviest weight of a point decides the width of the whole's interval.

    That is where as many points under `allocation: interval` would leave a half-width clearly smaller.
    """
    settings, frame = task.settings, plan.frame
    if settings.allocation == "interval":
        return []
    least = max(settings.floor or 0.0, _CERTAIN)
    believed = replace(frame, share=np.clip(frame.share, least, 1 - _CERTAIN))
    size = Points(points=int(plan.n.sum()), per="whole")
    other = settings.model_copy(update={"allocation": "interval", "size": size})
    half_width = half_width_of(task)
    n = plan_points(believed, other, half_width, task.confidence)
    share = believed.domain()[1]
    wide, narrow = (half_width(frame.area_ha, frame.pixels, points, share) for points in (plan.n, n))
    if narrow >= _CLEARLY * wide:
        return []
    weight = frame.area_ha / plan.n
    heaviest = int(weight.argmax())
    return [
        Note(
            "heaviest_weight_decides", allocation=settings.allocation, stratum=frame.labels[heaviest],
            weight_ha=float(weight[heaviest]), half_width_ha=wide, narrower_ha=narrow,
        )
    ]  # fmt: skip
