"""The measure stage: maps -> hectares per region, country and group, mapped and estimated."""

from __future__ import annotations

from typing import Any

from cocal.classify.census.ground import countries_of
from cocal.content import File, Place, stated
from cocal.estimate.settings import ComparisonSettings
from cocal.rasters import check_codes, open_codes
from cocal.run.measure.claims import judged_operations
from cocal.run.measure.counts import CountsTask, count_tile, pieces, write_counts
from cocal.run.measure.definitions import stated_definitions
from cocal.run.measure.domains import members_of
from cocal.run.measure.hectares import write_hectares
from cocal.run.measure.legal import check_zones, kinds_of
from cocal.run.measure.strata_cells import RASTER
from cocal.run.measure.task import HectaresTask, Rows
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.state import Run, of_each_map
from cocal.run.worker.mosaic import Source


def measure_stage(run: Run) -> Stage:
    """The tables of each map of the run."""
    yield from of_each_map(run, _measure)


def _measure(run: Run) -> Stage:
    """Areas of all maps, hectares per region, country and group, records, change, legal zones, density."""
    config, base, zones = run.config, run.base, run.zones
    counts_task = CountsTask(
        periods=tuple(run.periods),
        maps={f"{period}/{tile.id}": ref for (period, tile), ref in run.maps.items()},
        tiles=Place(base.tiles),
        regions=Source.of(config.regions, base.regions),
        zones=Source.of(config.legal.zones, zones) if config.legal and zones else None,
        scheme=base.scheme,
        applicability=config.classify.applicability,
        density=config.density,
        strata=tuple(File.of(p, RASTER) for p in config.records.strata_rasters) if config.records else (),
        **_own_map(run),
    )
    recipe = Recipe("counts/{address}", counts_task, write_counts, count_tile, pieces)
    (counts,) = yield Batch("count", (recipe,), on_failure="stop")
    task = HectaresTask(
        counts=counts,
        periods=counts_task.periods,
        maps=counts_task.maps,
        tiles=counts_task.tiles,
        regions=base.regions,
        scheme=base.scheme,
        scheme_sha256=base.scheme.sha256,
        groups=tuple(config.groups.items()),
        given=None if config.records is None else stated(config.records, "records"),
        estimate=config.estimate,
        legal=None if config.legal is None else config.legal.model_copy(update={"zones": None}),
        zones=zones,
        density=config.density,
        minimum_unit=None if run.minimum_unit is None else Rows.of(run.minimum_unit),
        publishes_regions=config.publish == "regions",
        official=_official(config.comparison),
        definitions=stated_definitions(config.definitions, base.scheme),
        census=counts_task.census,
        operations=(yield from judged_operations(run, counts_task)),
    )
    yield Batch("measure", (Recipe(":measure", task, write_hectares, where="client"),), on_failure="stop")


def _own_map(run: Run) -> dict[str, Any]:
    """What the counts need of an office's own map, where the tables are of it."""
    own = run.config.classify.map
    if own is None or run.config.classify.lead == "model":
        return {}
    return {
        "own_map": True, "census": run.census, "countries": countries_of(own),
        "elsewhere": own.elsewhere or "",
    }  # fmt: skip


def _official(settings: ComparisonSettings | None) -> File | None:
    if settings is None or settings.official is None:
        return None
    return File.of(settings.official, "comparison.official")


def check_places(run: Run) -> None:
    """Pass if groups, legal zones and limits fit the regions, and the rasters of strata can be read.

    Zones of the law that reach none of the regions are recorded.

    Raises
    ------
    InputError
        They do not; before any pixel is read.
    """
    members_of(run.base.regions, run.config.groups)
    stated_definitions(run.config.definitions, run.base.scheme)
    rasters = run.config.records.strata_rasters if run.config.records else ()
    for path in rasters:
        if len(rasters) == 1:
            check_codes(path, RASTER, run.base.regions.area)
        else:
            with open_codes(path, RASTER):
                pass
    if run.config.operations:
        _ = run.operations
    if run.config.legal and run.zones:
        check_zones(run.zones, run.base.regions.area)
        kinds_of(run.zones, run.config.legal)
