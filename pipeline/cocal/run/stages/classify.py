"""The index and classify stages: scenes -> features of every tile; scenes and a model -> its map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cocal.archive import scenes_within
from cocal.classify import check_model, stored_model
from cocal.content import Place, Ref, stated
from cocal.errors import WorkFailedError
from cocal.features import feature_names, halo_px
from cocal.grid import Tile
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.stages.census import census_maps
from cocal.run.stages.minimum import minimum_unit
from cocal.run.state import Run
from cocal.run.worker.tiles import FeatureTask, FileTask, MapTask, block_map, write_features, write_map


def index(run: Run) -> Stage:
    """Write the features of every tile to disk (`cocal index`, or `keep: [features]`)."""
    size = Place(run.config.grid.block_px)
    recipes = tuple(
        Recipe(
            f"features/{task.period.name}/{tile.id}/{{address}}", FileTask(tile, task, size), write_features
        )
        for tile, task in _tiles(run)
    )
    yield Batch("index", recipes)


def classify(run: Run) -> Stage:
    """Make the maps of every tile and period: by the model, from an office's own map, or both.

    `run.maps` are those that lead, `run.other_maps` the others.
    """
    settings, by_model = run.config.classify, run.config.has_model
    if by_model:
        yield from _by_model(run)
    if settings.map is not None:
        modelled = run.maps
        run.maps = yield from census_maps(run)
        if by_model:
            leads = settings.lead == "map"
            run.maps, run.other_maps = (run.maps, modelled) if leads else (modelled, run.maps)
    if not any(ref.folder for ref in run.maps.values()):
        raise WorkFailedError(
            "no tile could be mapped", "at least one", "all failed",
            "fix what run.json lists under `failed`, then run again",
        )  # fmt: skip


def _by_model(run: Run) -> Stage:
    """Index and classify every tile of every period block by block; remove patches below the minimum unit."""
    recipes = tuple(_map_recipe(run, task) for task in map_tasks(run))
    keys = [(recipe.task.features.period.name, recipe.task.tile) for recipe in recipes]
    refs = yield Batch("classify", recipes)
    run.maps = dict(zip(keys, refs, strict=True))
    if run.config.classify.minimum_unit:
        yield from minimum_unit(run)


def _tiles(run: Run) -> Iterator[tuple[Tile, FeatureTask]]:
    """Every tile and period, with the features of the scenes that the tile needs, halo included."""
    halo = halo_px(run.config.require_index())
    for period in run.periods:
        task = run.feature_task(period)
        for tile in run.base.tiles:
            outer = tile.window.expanded(halo)
            scenes = scenes_within(task.scenes, outer, period.start, period.end)
            yield tile, replace(task, scenes=tuple(sorted(scenes, key=lambda s: (s.acquired, s.id))))


def map_tasks(run: Run) -> Iterator[MapTask]:
    """Every tile and period with what makes its map by the run's model.

    Raises
    ------
    ModelMismatchError
        The model does not fit the features, or the class scheme, of the run.
    """
    config, folder = run.config, run.require_model()
    model, index = stored_model(folder), config.require_index()
    for period in run.periods:
        check_model(
            model,
            features=feature_names(index, period),
            scheme=run.base.scheme,
            feature_settings=index.model_dump(mode="json"),
        )
    not_of_it = dict.fromkeys(("map", "lead", "model", "minimum_unit"))
    rules = stated(config.classify.model_copy(update=not_of_it), "classify")
    own, draft = Ref(folder, model.card.sha256), config.classify.minimum_unit is not None
    for tile, task in _tiles(run):
        yield MapTask(tile, task, own, rules, run.base.scheme, draft)


def _map_recipe(run: Run, task: MapTask) -> Recipe:
    """The map of one tile, or its draft where a minimum unit is still to come.

    The address is part of the path: two models never share a file.
    """
    home, period = "drafts" if task.draft else "maps", task.features.period.name
    size = run.config.grid.block_px
    return Recipe(
        f"{home}/{period}/{task.tile.id}/{{address}}", task, write_map, block_map,
        over=lambda task: task.tile.blocks(size),
    )  # fmt: skip
