"""The design stage: maps -> strata -> points -> what crews take along, and the interval to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.content import Ref, digest, stated
from cocal.contracts import UNOBSERVED
from cocal.errors import UsageError
from cocal.estimate import MIN_REGION_POINTS, Strata, expected_interval, format_ha
from cocal.fieldwork.design import (
    POINTS,
    WHOLE,
    Cells,
    DesignSettings,
    Frame,
    Sizes,
    StatedShares,
    build_frame,
    candidates_needed,
    class_codes,
    draw_points,
    enough,
    halo_px,
    number_points,
    plan_points,
    probability_shares,
    reserve_points,
    stated_shares,
    strata_table,
    thresholds,
    write_form,
    write_geopackage,
    write_gpx,
    write_point_list,
    write_sheet,
)
from cocal.grid import RESOLUTION_M
from cocal.notes import Note, joined
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.state import Run
from cocal.run.tables import write_own_csv
from cocal.run.worker.design_tiles import DesignMaps, DesignTile, tile_candidates, tile_cells
from cocal.run.worker.mosaic import Source, maps_in_reach, regions_of
from cocal.scheme import ClassScheme
from cocal.store import write_csv

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FOLDER, SAMPLE, STRATA, EXPECTED, CELLS = "design", "sample.csv", "strata.csv", "expected.csv", "cells.npy"
TITLE = {"es": "Verificación de campo", "en": "Field verification"}


@dataclass(frozen=True, eq=False)
class DesignTask:
    """Inputs of a design: maps, counted strata, the interval to expect, texts of its files."""

    maps: DesignMaps
    cells: Ref
    interval: str
    confidence: float
    name: str
    scheme: ClassScheme
    simulated: bool

    @property
    def settings(self) -> DesignSettings:
        return self.maps.rules.settings


@dataclass(frozen=True)
class DrawnTile:
    """A tile with the numbers below which a pixel is a candidate, by region and stratum."""

    tile: DesignTile
    stratum_of: Ints
    below: NDArray[np.uint64]


def design(run: Run) -> Stage:
    """design/: sample.csv, sample.gpkg, sample.gpx, form.xlsx, points.csv, sheets, strata.csv, expected.csv.

    Raises
    ------
    UsageError
        The configuration has no section `design:`.
    """
    settings, estimate = run.config.design, run.config.estimate
    if settings is None:
        raise UsageError(
            "there is no design to draw", "a section `design:` in the configuration", "none",
            "add one; docs/design.md shows how",
        )  # fmt: skip
    maps = DesignMaps(
        tuple(run.maps_of(settings.period or run.periods[0].name).items()),
        stated(settings, "design"),
        class_codes(settings.strata, run.base.scheme),
        Source.of(run.config.regions, run.base.regions),
    )
    (cells,) = yield Batch(
        "strata", (Recipe("strata/{address}", maps, write_cells, tile_cells, _tiles),), on_failure="stop"
    )
    by = settings if estimate is None else estimate
    assert by.interval is not None
    assert by.confidence is not None
    task = DesignTask(
        maps, cells, by.interval, by.confidence, run.config.name, run.base.scheme, run.simulated
    )
    yield Batch(
        "design", (Recipe(":design", task, write_design, draw_tile, _drawn, "client"),), on_failure="stop"
    )


def _tiles(maps: DesignMaps) -> list[DesignTile]:
    near = maps_in_reach(maps.maps, halo_px(maps.rules.settings.strata, RESOLUTION_M))
    return [DesignTile(tile, around) for tile, around in near.items()]


def write_cells(folder: Path, parts: Sequence[Ints], _: DesignMaps) -> None:
    """Write (4, regions, strata) exact sums over all tiles: see `tile_cells`."""
    np.save(folder / CELLS, np.add.reduce(parts, axis=0))


@dataclass(frozen=True, eq=False)
class PlannedDesign:
    """The strata with what is expected in each, and how many points each gets."""

    frame: Frame
    n: Ints
    reserves: Ints
    needed: Ints


def planned_design(task: DesignTask) -> PlannedDesign:
    """How many points each stratum gets."""
    settings, frame = task.settings, design_frame(task)

    def half_width(area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float:
        return float(_expected(task, area_ha, pixels, n, share).half_width_ha)

    n = plan_points(frame, settings, half_width, task.confidence)
    reserves = reserve_points(n, frame.pixels, settings.reserve)
    return PlannedDesign(
        frame, n, reserves, candidates_needed(Sizes(n, reserves, frame.pixels), settings.draw)
    )


@lru_cache(maxsize=1)
def _planned(task: DesignTask) -> PlannedDesign:
    return planned_design(task)


def design_frame(task: DesignTask) -> Frame:
    """The strata of the design with what is expected in each."""
    settings, regions = task.settings, regions_of(task.maps.regions)
    pixels, units, probability, observed = np.load(task.cells.file(CELLS))
    cells = Cells(tuple(regions.table["region_id"]), settings.names, pixels, units)
    expected = settings.expected
    share = (
        stated_shares(cells, expected.share, expected.regions)
        if isinstance(expected, StatedShares)
        else probability_shares(cells, probability, observed)
    )
    return build_frame(cells, by_region=settings.by_region, small=settings.small, share=share)


def _drawn(task: DesignTask, slack: float = 6.0) -> list[DrawnTile]:
    plan = _planned(task)
    below = thresholds(plan.needed, plan.frame.pixels, slack=slack)
    return [DrawnTile(tile, plan.frame.stratum_of, below) for tile in _tiles(task.maps)]


def draw_tile(piece: DrawnTile, task: DesignTask) -> pd.DataFrame:
    """The tile's candidates; runs in a worker."""
    return tile_candidates(piece.tile, task.maps, piece.stratum_of, piece.below)


def write_design(folder: Path, candidates: Sequence[pd.DataFrame], task: DesignTask) -> None:
    """Draw the points and write the tables and what crews take along."""
    plan, table = _planned(task), pd.concat(candidates, ignore_index=True)
    if not enough(table, plan.needed):  # it has a chance of 1e-9; then every pixel is a candidate
        table = pd.concat([draw_tile(piece, task) for piece in _drawn(task, np.inf)], ignore_index=True)
    sample, home = numbered_sample(table, plan, task), folder / FOLDER
    home.mkdir()
    frame = plan.frame
    write_own_csv(home / STRATA, strata_table(frame, plan.n, [format_ha(int(u)) for u in frame.units]))
    write_own_csv(home / EXPECTED, expected_table(plan, task))
    write_crew_files(home, sample, task)


def numbered_sample(candidates: pd.DataFrame, plan: PlannedDesign, task: DesignTask) -> pd.DataFrame:
    """The points and reserve points, numbered."""
    settings, frame = task.settings, plan.frame
    drawn = draw_points(
        candidates, Sizes(plan.n, plan.reserves, frame.pixels),
        draw=settings.draw, resolution=RESOLUTION_M, seed=settings.seed,
    )  # fmt: skip
    names = {code: key for key, code in task.scheme.codes.items()} | {0: UNOBSERVED}
    return number_points(
        drawn.assign(
            stratum=np.array(frame.names, dtype=object)[drawn["stratum"]],
            region_id=np.array(frame.cells.regions, dtype=object)[drawn["region"]],
            map_class=drawn["map_code"].map(names),
        )
    )


def _expected(task: DesignTask, area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> Any:
    """The expected estimate and interval of one domain, of strata for the interval alone."""
    names = tuple(map(str, range(len(n))))
    strata = Strata(names, ("",) * len(n), area_ha, pixels.astype(np.float64), n, np.full(len(n), -1))
    return expected_interval(
        strata, share, interval=task.interval, confidence=task.confidence, seed=task.settings.seed
    )


def expected_table(plan: PlannedDesign, task: DesignTask) -> pd.DataFrame:
    """A row per region, and the whole: points, expected hectares of the target and their interval."""
    regions, frame, n = regions_of(task.maps.regions).table, plan.frame, plan.n
    rows = []
    for region in [*range(len(regions)), WHOLE]:
        strata, share = frame.domain(region)
        part = np.ones(len(n)) if region == WHOLE else frame.part(region)
        points = float((part * n).sum())
        if not strata.size or not points:
            continue
        found = _expected(task, frame.area_ha[strata], frame.pixels[strata], n[strata], share)
        rows.append(
            {
                "region_id": "total" if region == WHOLE else regions["region_id"].iloc[region],
                "region_name": "total" if region == WHOLE else regions["region_name"].iloc[region],
                "points": round(points, 1),
                "expected_ha": found.area_ha,
                "low_ha": found.low_ha,
                "high_ha": found.high_ha,
                "half_width_ha": found.half_width_ha,
                "half_width_90_ha": found.half_width_90_ha,
                "half_width_percent": 100 * found.half_width_ha / found.area_ha if found.area_ha else np.nan,
                "interval": task.interval,
                "confidence": task.confidence,
                "expected_from": task.settings.expected.source,
                "notes": joined([Note("n_too_small")] if points < MIN_REGION_POINTS else [], "en"),
            }
        )
    return pd.DataFrame(rows)


def write_crew_files(folder: Path, sample: pd.DataFrame, task: DesignTask) -> None:
    """The sample and what crews take along: restricted, all of it holds positions (but for the form)."""
    scheme, simulated, mark = task.scheme, task.simulated, "SIMULATED " if task.simulated else ""
    write_csv(folder / SAMPLE, sample)
    write_gpx(folder / "sample.gpx", sample, simulated=simulated)
    write_geopackage(folder / "sample.gpkg", sample, scheme, simulated=simulated)
    write_point_list(folder / POINTS, sample)
    title = {code: f"{mark}{words}: {task.name}" for code, words in TITLE.items()}
    form_id, version = f"cocal_{task.name}", digest(task)[:12]
    write_form(folder / "form.xlsx", scheme, title=title, form_id=form_id, version=version)
    table = regions_of(task.maps.regions).table
    there = table[table["region_id"].isin(sample["region_id"])]
    regions = dict(zip(there["region_id"], there["region_name"], strict=True))
    for language in TITLE:
        write_sheet(
            folder / f"sheet.{language}.html", sample, scheme,
            language=language, regions=regions, simulated=simulated,
        )  # fmt: skip
