"""The import stage: the scenes that the configuration names -> items of the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cocal.archive import list_scenes, scene_store, write_catalog
from cocal.errors import InputError
from cocal.run.execute import SerialExecutor
from cocal.run.observers import Log
from cocal.run.recipes import Batch, Recipe, Stage, make
from cocal.run.state import Run
from cocal.scenes import SceneImport, plan_imports, write_scene
from cocal.store import LocalStore


def import_stage(run: Run) -> Stage:
    """Import the scenes that the archive lacks, then list what it holds."""
    if run.config.imports:
        yield import_batch(run.config.imports, run.config.archive)
    run.scenes = list_scenes(run.config.archive)
    for period in run.periods:
        if not any(period.start <= s.day <= period.end for s in run.scenes):
            raise InputError(
                f"no scene of the archive {run.config.archive} lies in period {period.name}",
                f"scenes from {period.start} to {period.end}",
                f"{len(run.scenes)} scene(s)"
                + (f" from {run.scenes[0].day} to {run.scenes[-1].day}" if run.scenes else ""),
                "import scenes of that period, or fix `periods:`",
            )


def import_batch(imports: Sequence[SceneImport], archive: Path) -> Batch:
    """One recipe per scene and zone. Reads headers and checksums of the source files, no pixels."""
    recipes = tuple(Recipe(task.unit, task, write_scene) for task in plan_imports(imports))
    return Batch("import", recipes, store=scene_store(archive), after=partial(write_catalog, archive))


def import_scenes(imports: Sequence[SceneImport], archive: str | Path) -> list[str]:
    """Import scenes one after the other into an archive and write its catalog.

    Parameters
    ----------
    imports
        `MultibandImport`, `FilesImport`, `NetcdfImport` (docs/configuration.md, `imports:`).
    archive
        Folder of the archive; made if missing. Items that it holds already are not written again.

    Returns
    -------
    list of str
        The ids of all items, written now or before, in order.

    Raises
    ------
    InputError, OffsetError
        A source is missing or unusable; its radiometry is unknown, contradictory or not that of the data.
    SceneReadError
        A source cannot be read to its end.

    Examples
    --------
    A raster of 6 x 6 pixels of 10 m, whose reflectance is DN / 10000:

    >>> import numpy as np, rasterio, tempfile
    >>> from pathlib import Path
    >>> from cocal import import_scenes, list_scenes, read_scenes
    >>> from cocal.scenes import MultibandImport
    >>> folder = Path(tempfile.mkdtemp())
    >>> profile = {"width": 6, "height": 6, "count": 2, "dtype": "uint16", "crs": "EPSG:32719"}
    >>> transform = rasterio.Affine(10, 0, 500_040, 0, -10, 8_000_040)
    >>> with rasterio.open(folder / "a.tif", "w", **profile, transform=transform) as raster:
    ...     raster.write(np.full((2, 6, 6), 432, np.uint16))
    >>> settings = MultibandImport(kind="multiband", name="mine", path=folder / "a.tif", date="2024-03-05",
    ...                            bands={"red": 1, "nir": 2}, offset=0, scale=1e-4)
    >>> import_scenes([settings], folder / "archive")
    ['mine-20240305-32719']
    >>> scenes = list_scenes(folder / "archive")
    >>> scenes[0].day.isoformat(), sorted(scenes[0].bands)
    ('2024-03-05', ['nir', 'red'])
    >>> dataset = read_scenes(scenes, scenes[0].window, ["red", "nir"])
    >>> dict(dataset.sizes), int(dataset["red"].max())
    ({'time': 1, 'y': 6, 'x': 6}, 432)
    """
    batch = replace(import_batch(imports, Path(archive)), on_failure="stop")
    make(batch, LocalStore(archive), SerialExecutor(), Log())
    return [recipe.unit for recipe in batch.recipes]
