"""The classify stage for a map that an office has made itself: its polygons cut to tiles, then the maps."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from cocal.classify.census.ground import countries_of
from cocal.classify.census.settings import MapSettings
from cocal.content import File, Ref, stated
from cocal.errors import InputError
from cocal.grid import Tile
from cocal.rasters import check_codes
from cocal.run.recipes import Batch, Recipe
from cocal.run.state import Run
from cocal.run.worker.census import RASTER, CensusMapTask, CensusTask, write_census, write_census_map
from cocal.run.worker.mosaic import Source

Maps = dict[tuple[str, Tile], Ref]


def census_maps(run: Run) -> Generator[Batch, tuple[Ref, ...], Maps]:
    """Make the maps of `classify.map`, by period and tile; `run.census` are its cut polygons.

    Raises
    ------
    InputError
        Classes or periods that the run does not have, or files that cannot be used.
    """
    settings = run.config.classify.map
    assert settings is not None
    check_map(settings, run)
    if settings.layers:
        given = stated(settings, "classify.map")
        task = CensusTask(given, tuple(run.periods), run.base.tiles, run.base.scheme)
        recipe = Recipe("census/{address}", task, write_census)
        (run.census,) = yield Batch("classify", (recipe,), on_failure="stop")
    tasks = [task for number in range(len(run.periods)) for task in _tasks(run, settings, number)]
    recipes = tuple(
        Recipe(f"maps/{task.period.name}/{task.tile.id}/{{address}}", task, write_census_map)
        for task in tasks
    )
    refs = yield Batch("classify", recipes)
    return {(task.period.name, task.tile): ref for task, ref in zip(tasks, refs, strict=True)}


def _tasks(run: Run, settings: MapSettings, number: int) -> list[CensusMapTask]:
    period, observed = run.periods[number], settings.observed
    about = settings.model_copy(update={"layers": (), "rasters": (), "observed": observed and "all"})
    countries = countries_of(settings)
    raster = next((r for r in settings.rasters if r.period == period.name), None)
    common = CensusMapTask(
        tile=run.base.tiles[0],
        period=period,
        number=number,
        about=about,
        scheme=run.base.scheme,
        polygons=run.census,
        has_seen=isinstance(observed, tuple),
        raster=None if raster is None else File.of(raster.path, RASTER),
        codes=() if raster is None else tuple(raster.codes.items()),
        regions=Source.of(run.config.regions, run.base.regions) if any(countries) else None,
        countries=countries,
    )
    return [replace(common, tile=tile) for tile in run.base.tiles]


def check_map(settings: MapSettings, run: Run) -> None:
    """Pass if classes, periods and countries of the settings are those of the run.

    Raises
    ------
    InputError
        They are not; or a raster reaches no ground of the regions.
    """
    scheme, names = run.base.scheme, {p.name for p in run.periods}
    countries = set(run.base.regions.table["country"].astype(str))
    problems = [f"class {key!r} is not in the scheme" for key in sorted(settings.class_keys - {*scheme.keys})]
    problems += [f"period {name!r} is none of the run" for name in sorted(settings.period_names - names)]
    stated = {layer.country for layer in settings.layers if layer.country}
    problems += [f"no region is in country {name!r}" for name in sorted(stated - countries)]
    if settings.rasters:
        absent = sorted(names - {r.period for r in settings.rasters})
        problems += [f"no raster for period {name!r}" for name in absent]
    if problems:
        raise InputError(
            "`classify.map` does not fit the run",
            f"classes {', '.join(scheme.keys)}; periods {', '.join(sorted(names))}",
            "; ".join(problems), "correct `classify.map:`",
        )  # fmt: skip
    for raster in settings.rasters:
        each = [[code] for code in raster.codes]
        check_codes(raster.path, RASTER, run.base.regions.area, raster.codes, sought=each)
