"""The import stage: the scenes that the configuration names -> items of the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.archive import Scene, list_scenes, scene_store, write_catalog
from cocal.content import Ref
from cocal.contracts import QUALITY
from cocal.errors import InputError, WorkFailedError
from cocal.grid import windows_bounds
from cocal.notes.account import first, part, record, recorded
from cocal.regions import Regions
from cocal.run.execute import SerialExecutor
from cocal.run.observers import Ended, Failed, Log, Noted, Started
from cocal.run.recipes import Batch, Recipe, Stage, make
from cocal.run.state import Run
from cocal.scenes import SceneImport, plan_imports, write_scene
from cocal.store import DAMAGED, LocalStore


def import_stage(run: Run) -> Stage:
    """Import the scenes that the archive lacks, then list what it holds; what no map can use is recorded."""
    archive = run.config.archive
    if archive is None:
        return  # a run without images
    made: tuple[Ref, ...] = ()
    if run.config.imports:
        made = yield import_batch(run.config.imports, archive)
    run.scenes = list_scenes(archive)
    _list_lost(run, archive)
    for period in run.periods:
        if not run.scenes_of(period):
            if failures := run.summary.failures:
                raise WorkFailedError(
                    f"no scene lies in period {period.name}, and {len(failures)} failed", "scenes",
                    ": ".join(failures[0]), "fix what failed, then run again",
                )  # fmt: skip
            raise InputError(
                f"no scene of the archive {archive} lies in period {period.name}",
                f"scenes from {period.start} to {period.end}",
                f"{len(run.scenes)} scene(s)"
                + (f" from {run.scenes[0].day} to {run.scenes[-1].day}" if run.scenes else ""),
                "import scenes of that period, or fix `periods:`",
            )
        check_covered(run.base.regions, run.scenes_of(period), period.name)
    used = {scene.id: scene for period in run.periods for scene in run.scenes_of(period)}
    refuse_copies(list(used.values()))
    record_unused(run, [ref.folder.name for ref in made if ref.folder is not None])


def _list_lost(run: Run, archive: Path) -> None:
    """List the damaged scenes that were not imported or fetched anew as failed, run after run.

    Whoever accepts to go on without one deletes its folder below `damaged`.
    """
    store, known = scene_store(archive), {unit for unit, _ in run.summary.failures}
    lost = [path for path in sorted((store.root / DAMAGED).glob("*")) if path.name not in known]
    lost = [path for path in lost if not store.manifest_path(path.name).exists()]
    if not lost:
        return
    run.observe(Started("damaged scenes", len(lost)))
    for path in lost:
        reason = f"damaged, and no source to import or fetch it from: in {path}; delete that to go on without"
        run.observe(Failed(path.name, reason))
    run.observe(Ended("damaged scenes"))


def refuse_copies(scenes: Sequence[Scene]) -> None:
    """Pass if no two scenes have the same pixels in every band: a scene under two dates counts as two.

    Scenes whose bands are all alike are of one value, mostly no data, and may be equal.

    Raises
    ------
    InputError
        Scenes that are copies.
    """
    seen: dict[frozenset[tuple[str, str]], str] = {}
    copies = []
    for scene in scenes:
        bands = {name: band for name, band in scene.bands.items() if name not in QUALITY and band.facts}
        sums = {(name, str(band.facts.get("xxh3", band.facts.get("sha256")))) for name, band in bands.items()}
        kinds = {(band.resolution, digest) for (name, digest) in sums for band in [bands[name]]}
        blank = len(bands) > 1 and len(kinds) == len({band.resolution for band in bands.values()})
        if bands and not blank and (first_id := seen.setdefault(frozenset(sums), scene.id)) != scene.id:
            copies.append(f"{first_id} and {scene.id}")
    if copies:
        raise InputError(
            "scenes with the same pixels: one acquisition stands in the archive twice",
            "other pixels in every scene", ", ".join(copies[:6]),
            "fix the date or the source of one of the imports, and delete its folder below archive/scenes",
        )  # fmt: skip


def check_covered(regions: Regions, scenes: Sequence[Scene], period: str) -> None:
    """Record the regions that no scene of a period covers.

    Raises
    ------
    InputError
        No region is covered.
    """
    outlines = [outline for _, outline in windows_bounds(dict.fromkeys(scene.window for scene in scenes))]
    tree = shapely.STRtree(outlines)
    seen = np.unique(tree.query(regions.geometries, predicate="intersects")[0])
    missing = np.delete(np.arange(len(regions)), seen)
    names = first(regions.table["region_id"].iloc[missing])
    if len(missing) == len(regions):
        ground, held = (shapely.total_bounds(shapes) for shapes in (regions.geometries, outlines))
        raise InputError(
            f"no scene of {period} covers a region ({', '.join(names)})",
            f"regions within the scenes: {_bounds_text(held)}",
            f"regions within {_bounds_text(ground)}",
            "fix the regions (are latitude and longitude exchanged?), or import scenes of their ground",
        )
    if len(missing):
        ha = regions.table["exclusive_ha"]
        lost = ha.iloc[missing].sum()
        facts = part(regions.table["region_id"].iloc[missing], len(regions))
        record("regions_without_scene", period=period, **facts | {"ha": lost, "share": lost / ha.sum()})


def record_unused(run: Run, imported: Sequence[str]) -> None:
    """Record the scenes of this configuration's imports that lie in no period, or on no region."""
    scenes = {scene.id: scene for scene in run.scenes}
    own = [scenes[name] for name in imported if name in scenes]
    in_time = {scene.id for period in run.periods for scene in run.scenes_of(period)}
    regions = shapely.STRtree(run.base.regions.geometries)
    windows = dict.fromkeys(scene.window for scene in own)
    here = {
        window: len(regions.query(outline, predicate="intersects")) > 0
        for window, (_, outline) in zip(windows, windows_bounds(windows), strict=True)
    }
    unused = [scene.id for scene in own if scene.id not in in_time or not here[scene.window]]
    if unused:
        record("scenes_unused", **part(unused, len(own)))


def _bounds_text(bounds: NDArray[np.float64]) -> str:
    west, south, east, north = bounds
    return f"longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f}"


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
    observe = Log()
    with recorded() as notes:
        batch = replace(import_batch(imports, Path(archive)), on_failure="stop")
    observe(Noted(tuple(notes)))
    make(batch, LocalStore(archive), SerialExecutor(), observe)
    return [recipe.unit for recipe in batch.recipes]
