"""The design stage: maps -> strata -> points -> what crews take along, and the interval to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.content import File, Ref, digest, stated
from cocal.contracts import UNOBSERVED
from cocal.errors import UsageError
from cocal.estimate import format_ha
from cocal.features.terrain import check_dem
from cocal.fieldwork.design import (
    POINTS,
    DesignSettings,
    Sizes,
    class_codes,
    draw_points,
    enough,
    halo_px,
    needs_elevation,
    number_points,
    strata_table,
    thresholds,
    write_form,
    write_geopackage,
    write_gpx,
    write_point_list,
    write_sheet,
)
from cocal.grid import RESOLUTION_M
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.stages.design_ground import cut_off_table, known_table
from cocal.run.stages.design_plan import (
    CELLS,
    DesignTask,
    PlannedDesign,
    expected_table,
    planned_design,
)
from cocal.run.state import Run
from cocal.run.tables import write_own_csv
from cocal.run.worker.design_tiles import (
    CountedTile,
    DesignMaps,
    DesignTile,
    DrawnPart,
    tile_candidates,
    tile_cells,
)
from cocal.run.worker.mosaic import Source, maps_in_reach, regions_of
from cocal.store import write_csv

Ints = NDArray[np.int64]

FOLDER, SAMPLE, STRATA, KNOWN, EXPECTED = "design", "sample.csv", "strata.csv", "known.csv", "expected.csv"
STRATA_TIF, CUT_OFF = "strata-{epsg}.tif", "not_sampled.csv"
TITLE = {"es": "Verificación de campo", "en": "Field verification"}


@dataclass(frozen=True)
class DrawnTile:
    """A tile with the numbers below which a pixel is a candidate, by region and stratum."""

    tile: DesignTile
    stratum_of: Ints
    below: NDArray[np.uint64]
    code_of: NDArray[np.uint8]


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
        class_codes(settings.conditions, run.base.scheme),
        Source.of(run.config.regions, run.base.regions),
        elevation_of(run, settings),
        has_probability(run, settings),
    )
    (cells,) = yield Batch(
        "strata", (Recipe("strata/{address}", maps, write_cells, tile_cells, _tiles),), on_failure="stop"
    )
    by = settings if estimate is None else estimate
    assert by.interval is not None
    assert by.confidence is not None
    known = estimate is None or estimate.estimator == "calibrated"
    model = validated_model(run) if settings.expected.source == "validation" else None
    task = DesignTask(
        maps, cells, model, by.interval, by.confidence, known, run.config.name, run.base.scheme, run.simulated
    )
    yield Batch(
        "design", (Recipe(":design", task, write_design, draw_tile, _drawn, "client"),), on_failure="stop"
    )


def has_probability(run: Run, settings: DesignSettings) -> bool:
    """True if a model made the maps that are stratified.

    Raises
    ------
    UsageError
        They are an office's own, and the strata or the expected shares need a probability.
    """
    if run.config.has_model and run.config.classify.lead != "map":
        return True
    asking = [f"a condition on the probability ({r.stratum})" for r in settings.rules if r.probability]
    if settings.expected.source != "stated":
        asking.append(f"`expected: source: {settings.expected.source}`")
    if asking:
        raise UsageError(
            "design: an office's own map has no probability", "strata of its classes, and stated shares",
            ", ".join(asking), "leave the conditions out, and state `expected: source: stated` with shares",
        )  # fmt: skip
    return False


def elevation_of(run: Run, settings: DesignSettings) -> File | None:
    """Return the elevation model, if a rule needs it.

    Raises
    ------
    UsageError
        The configuration has no `dem:`.
    """
    if not needs_elevation(settings.conditions):
        return None
    if run.config.dem is None:
        raise UsageError(
            "design: a condition on the elevation", "`dem:` in the configuration", "none",
            "name an elevation model in metres, or leave `elevation:` out",
        )  # fmt: skip
    check_dem(run.config.dem, run.base.regions.area)
    return File.of(run.config.dem, "dem")


def validated_model(run: Run) -> Ref | None:
    """Return the run's model, whose validation says how much of the target to expect.

    Raises
    ------
    UsageError
        The probabilities of the map are not those of the validation.
    """
    if run.config.classify.prior is not None:
        raise UsageError(
            "design.expected: the validation does not hold for this map",
            "a map with the model's own probabilities", "`classify.prior`, which changes them",
            "use `source: stated` or `source: probability`",
        )  # fmt: skip
    return run.model


def _tiles(maps: DesignMaps) -> list[DesignTile]:
    near = maps_in_reach(maps.maps, halo_px(maps.rules.settings.conditions, RESOLUTION_M))
    return [DesignTile(tile, around) for tile, around in near.items()]


def write_cells(folder: Path, parts: Sequence[CountedTile], _: DesignMaps) -> None:
    """Write the exact sums over all tiles, by the names of `CountedTile`."""
    names = [field.name for field in fields(CountedTile)]
    sums = {name: np.add.reduce([getattr(part, name) for part in parts]) for name in names}
    np.savez(folder / CELLS, **sums)


@lru_cache(maxsize=1)
def _planned(task: DesignTask) -> PlannedDesign:
    return planned_design(task)


def _drawn(task: DesignTask, slack: float = 6.0) -> list[DrawnTile]:
    plan = _planned(task)
    below = thresholds(plan.needed, plan.frame.pixels, slack=slack)
    code_of = plan.frame.codes.astype(np.uint8)
    return [DrawnTile(tile, plan.frame.stratum_of, below, code_of) for tile in _tiles(task.maps)]


def draw_tile(piece: DrawnTile, task: DesignTask) -> DrawnPart:
    """The tile's candidates and strata; runs in a worker."""
    return tile_candidates(piece.tile, task.maps, piece.stratum_of, piece.below, piece.code_of)


def write_design(folder: Path, parts: Sequence[DrawnPart], task: DesignTask) -> None:
    """Draw the points and write the tables, the strata and what crews take along."""
    plan, table = _planned(task), pd.concat([part.candidates for part in parts], ignore_index=True)
    if not enough(table, plan.needed):  # it has a chance of 1e-9; then every pixel is a candidate
        every = [draw_tile(piece, task).candidates for piece in _drawn(task, np.inf)]
        table = pd.concat(every, ignore_index=True)
    sample, home = numbered_sample(table, plan, task), folder / FOLDER
    home.mkdir()
    frame = plan.frame
    exact = [format_ha(int(u)) for u in frame.units]
    write_own_csv(home / STRATA, strata_table(frame, plan.n, exact, plan.visits))
    write_own_csv(home / KNOWN, known_table(plan, task))
    if task.settings.not_sampled:
        write_own_csv(home / CUT_OFF, cut_off_table(task))
    for epsg in sorted({part.window.epsg for part in parts}):
        own = [part for part in parts if part.window.epsg == epsg]
        write_strata_raster(home / STRATA_TIF.format(epsg=epsg), own)
    write_own_csv(home / EXPECTED, expected_table(plan, task))
    write_crew_files(home, sample, task)


def write_strata_raster(path: Path, parts: Sequence[DrawnPart]) -> None:
    """Write the codes of the strata of one zone, tile by tile; 0 is ground that is not in the frame.

    Every block is written, also where nothing is: a missing one looks like one cut off by a full disk.
    """
    import rasterio  # slow to load, and a plan does without

    left, bottom = (min(getattr(part.window, side) for part in parts) for side in ("left", "bottom"))
    right, top = (max(getattr(part.window, side) for part in parts) for side in ("right", "top"))
    one = parts[0].window
    size = (right - left) // one.resolution, (top - bottom) // one.resolution
    whole = replace(one, left=left, top=top, width=size[0], height=size[1])
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "width": whole.width, "height": whole.height,
        "crs": f"EPSG:{whole.epsg}", "transform": whole.transform, "nodata": 0, "tiled": True,
        "blockxsize": 256, "blockysize": 256, "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        for part in sorted(parts, key=lambda p: (-p.window.top, p.window.left)):
            rows, columns = whole.slices_of(part.window)
            target.write(part.unpacked, 1, window=((rows.start, rows.stop), (columns.start, columns.stop)))


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
