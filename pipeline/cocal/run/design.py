"""The design stage: maps -> strata -> points -> what crews take along, and the interval to be expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import UNOBSERVED
from cocal.errors import UsageError, WorkFailedError
from cocal.estimate import MIN_REGION_POINTS, Strata, expected_interval, format_ha
from cocal.fieldwork.design import (
    POINTS,
    WHOLE,
    Cells,
    DesignSettings,
    Frame,
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
    rasters_needed,
    reserve_points,
    stated_shares,
    strata_table,
    thresholds,
    write_csv,
    write_form,
    write_geopackage,
    write_gpx,
    write_point_list,
    write_sheet,
    zones_needed,
)
from cocal.grid import RESOLUTION_M
from cocal.notes import Note, joined
from cocal.run.execute import Call, Job
from cocal.run.state import Run
from cocal.run.tables import given_sha256, write_own_csv
from cocal.run.worker.design_tiles import DesignTask, tile_candidates, tile_cells
from cocal.run.worker.mosaic import maps_in_reach
from cocal.store import address, source_digest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FOLDER, SAMPLE, STRATA, EXPECTED = "design", "sample.csv", "strata.csv", "expected.csv"
TITLE = {"es": "Verificación de campo", "en": "Field verification"}


def design_stage(run: Run) -> None:
    """design/: sample.csv, sample.gpkg, sample.gpx, form.xlsx, points.csv, sheets, strata.csv, expected.csv."""
    settings = _settings(run)
    inputs = design_inputs(run, settings)
    if run.store.find(":design", address(inputs)):
        with run.journal.stage("design", 1) as record:
            run.journal.reused(record, "design")
        return
    tasks = design_tasks(run, settings)
    frame = count_frame(run, settings, tasks)
    interval, confidence = interval_of(run)
    predict = partial(expected_interval, interval=interval, confidence=confidence, seed=settings.seed)
    n = plan_points(frame, settings, partial(_half_width, predict), confidence)
    sample = draw_sample(run, settings, tasks, frame, n)
    with run.journal.stage("design", 1) as record, run.store.commit(":design", inputs) as folder:
        home = folder / FOLDER
        home.mkdir()
        write_tables(run, frame, n, predict, home)
        write_crew_files(run, sample, home, version=address(inputs)[:12])
        record.made += 1


def _settings(run: Run) -> DesignSettings:
    if run.config.design is None:
        raise UsageError(
            "nothing says what to design", "a section `design:` in the configuration", "none",
            "add one; docs/design.md shows how",
        )  # fmt: skip
    return run.config.design


def interval_of(run: Run) -> tuple[str, float]:
    """Interval and confidence that the design is made for: its own, or those of `estimate:`."""
    design, estimate = _settings(run), run.config.estimate
    if estimate is not None:
        return estimate.interval, estimate.confidence
    assert design.interval is not None
    assert design.confidence is not None
    return design.interval, design.confidence


def period_of(run: Run) -> str:
    """The period whose map is stratified."""
    return _settings(run).period or run.periods[0].name


def design_inputs(run: Run, settings: DesignSettings) -> dict[str, Any]:
    """What makes a design: maps by address, regions, rules and the files they name, seed, code."""
    period = period_of(run)
    maps = {t.id: u.address if u else "failed" for (name, t), u in run.maps.items() if name == period}
    files = [*rasters_needed(settings.strata), *(z.path for z in zones_needed(settings.strata))]
    return {
        "maps": maps,
        "regions": run.base.regions.sha256,
        "scheme": run.base.scheme.sha256,
        "design": settings.model_dump(mode="json"),
        "interval": list(interval_of(run)),
        "files": [given_sha256(path, "design.strata") for path in files],
        "code": source_digest(
            "fieldwork",
            "estimate",
            "regions",
            "grid",
            "run/design",
            "run/worker/design_tiles",
            "run/worker/mosaic",
        ),
    }


def design_tasks(run: Run, settings: DesignSettings) -> list[DesignTask]:
    """One task per tile of the design's period."""
    period = period_of(run)
    maps = tuple(
        (tile, run.store.home(unit.name) if unit else None)
        for (name, tile), unit in run.maps.items()
        if name == period
    )
    codes = class_codes(settings.strata, run.base.scheme)
    regions = run.config.regions.model_dump_json(), run.base.regions.sha256
    reach = maps_in_reach(maps, halo_px(settings.strata, RESOLUTION_M))
    return [DesignTask(tile, near, settings, codes, *regions) for tile, near in reach.items()]


def count_frame(run: Run, settings: DesignSettings, tasks: Sequence[DesignTask]) -> Frame:
    """The strata of the design with what is expected in each."""
    jobs = [Job(f"strata {t.tile.id}", (Call(tile_cells, (t,)),)) for t in tasks]
    parts = _results(run, "strata", jobs)
    pixels, units, probability, observed = np.add.reduce(parts, axis=0)
    ids = tuple(run.base.regions.table["region_id"])
    cells = Cells(ids, settings.names, pixels, units)
    expected = settings.expected
    share = (
        stated_shares(cells, expected.share, expected.regions)
        if isinstance(expected, StatedShares)
        else probability_shares(cells, probability, observed)
    )
    return build_frame(cells, by_region=settings.by_region, small=settings.small, share=share)


def draw_sample(
    run: Run, settings: DesignSettings, tasks: Sequence[DesignTask], frame: Frame, n: Ints
) -> pd.DataFrame:
    """The points and reserve points, numbered. The second try keeps every pixel: the first has 1e-9 to fail."""
    reserves = reserve_points(n, frame.pixels, settings.reserve)
    needed = candidates_needed(n, reserves, frame.pixels, settings.draw)
    for slack in (6.0, np.inf):
        below = thresholds(needed, frame.pixels, slack=slack)
        jobs = [
            Job(f"draw {t.tile.id}", (Call(tile_candidates, (t, frame.stratum_of, below)),)) for t in tasks
        ]
        table = pd.concat(_results(run, "draw", jobs), ignore_index=True)
        if enough(table, needed):
            break
    drawn = draw_points(
        table,
        n,
        reserves,
        pixels=frame.pixels,
        draw=settings.draw,
        resolution=RESOLUTION_M,
        seed=settings.seed,
    )
    names = {code: key for key, code in run.base.scheme.codes.items()} | {0: UNOBSERVED}
    return number_points(
        drawn.assign(
            stratum=np.array(frame.names, dtype=object)[drawn["stratum"]],
            region_id=np.array(frame.cells.regions, dtype=object)[drawn["region"]],
            map_class=drawn["map_code"].map(names),
        )
    )


def _results(run: Run, stage: str, jobs: Sequence[Job]) -> list[Any]:
    """The results of the jobs in their order; WorkFailedError where one failed."""
    with run.journal.stage(stage, len(jobs)) as record:
        outcomes = run.work(record, jobs)
    for outcome in outcomes.values():
        if outcome.error:
            raise WorkFailedError(
                f"{outcome.unit} could not be done", "class maps as they were committed", outcome.reason,
                "run again: a damaged map is made anew",
            ) from outcome.error  # fmt: skip
    return [outcomes[job.unit].result for job in jobs]


def _strata(area_ha: Floats, pixels: Ints, n: Ints) -> Strata:
    """Strata of one domain, for the interval alone."""
    names = tuple(map(str, range(len(n))))
    return Strata(names, ("",) * len(n), area_ha, pixels.astype(np.float64), n, np.full(len(n), -1))


def _half_width(predict: Callable[..., Any], area_ha: Floats, pixels: Ints, n: Ints, share: Floats) -> float:
    return float(predict(_strata(area_ha, pixels, n), share).half_width_ha)


def expected_table(run: Run, frame: Frame, n: Ints, predict: Callable[..., Any]) -> pd.DataFrame:
    """A row per region, and the whole: points, expected hectares of the target and their interval."""
    interval, confidence = interval_of(run)
    regions = run.base.regions.table
    rows = []
    for region in [*range(len(regions)), WHOLE]:
        strata, share = frame.domain(region)
        part = np.ones(len(n)) if region == WHOLE else frame.part(region)
        points = float((part * n).sum())
        if not strata.size or not points:
            continue
        found = predict(_strata(frame.area_ha[strata], frame.pixels[strata], n[strata]), share)
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
                "interval": interval,
                "confidence": confidence,
                "expected_from": _settings(run).expected.source,
                "notes": joined([Note("n_too_small")] if points < MIN_REGION_POINTS else [], "en"),
            }
        )
    return pd.DataFrame(rows)


def write_tables(run: Run, frame: Frame, n: Ints, predict: Callable[..., Any], folder: Path) -> None:
    """strata.csv and expected.csv: no positions, may be published."""
    strata = strata_table(frame, n, [format_ha(int(u)) for u in frame.units])
    expected = expected_table(run, frame, n, predict)
    for table, name in ((strata, STRATA), (expected, EXPECTED)):
        write_own_csv(folder / name, table)


def write_crew_files(run: Run, sample: pd.DataFrame, folder: Path, *, version: str) -> None:
    """The sample and what crews take along: restricted, all of it holds positions (but for the form)."""
    scheme, mark = run.base.scheme, "SIMULATED " if run.simulated else ""
    write_csv(folder / SAMPLE, sample)
    write_gpx(folder / "sample.gpx", sample, simulated=run.simulated)
    write_geopackage(folder / "sample.gpkg", sample, scheme, simulated=run.simulated)
    write_point_list(folder / POINTS, sample)
    title = {code: f"{mark}{words}: {run.config.name}" for code, words in TITLE.items()}
    write_form(folder / "form.xlsx", scheme, title=title, form_id=f"cocal_{run.config.name}", version=version)
    table = run.base.regions.table
    there = table[table["region_id"].isin(sample["region_id"])]
    regions = dict(zip(there["region_id"], there["region_name"], strict=True))
    for language in TITLE:
        write_sheet(
            folder / f"sheet.{language}.html",
            sample,
            scheme,
            language=language,
            regions=regions,
            simulated=run.simulated,
        )
