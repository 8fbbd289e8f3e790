"""The fused work on one tile: read, mask, composite, features, classify, write, count.

These functions run in workers. A block is one task; nothing but the finished block leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray

from cocal.archive import Scene, check_unchanged, read_scenes, scenes_within
from cocal.classify import MapRules, Model, classify_strips, load_model, write_class_map
from cocal.classify.predict import MISSING
from cocal.classify.settings import ClassifySettings
from cocal.content import File, Place, Ref, Stated
from cocal.contracts import FEATURES_TIF, Period, check_classmap, grid_coords, window_of
from cocal.features import (
    Composite,
    FeatureSettings,
    bands_needed,
    composite,
    composite_windows,
    empty_composite,
    feature_names,
    feature_strips,
    features_from_composites,
    halo_px,
    read_dem,
    seen_of,
)
from cocal.grid import Tile, Window, owned_by_zone
from cocal.run.worker.prior import prior_of
from cocal.scheme import ClassScheme

GDAL_SETTINGS = {
    "GDAL_CACHEMAX": 64 << 20,
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_NUM_THREADS": 1,
}


@dataclass(frozen=True)
class FeatureTask:
    """What makes features in one period, whatever the tile and its blocks."""

    period: Period
    scenes: tuple[Scene, ...]
    settings: FeatureSettings
    dem: File | None


@dataclass(frozen=True)
class FileTask:
    """What makes the file of features of one tile."""

    tile: Tile
    features: FeatureTask
    block_px: Place[int]


@dataclass(frozen=True)
class MapTask:
    """What makes the class map of one tile in one period; a draft also holds each pixel's second class."""

    tile: Tile
    features: FeatureTask
    model: Ref
    rules: Stated[ClassifySettings]
    scheme: ClassScheme
    draft: bool


def block_features(block: Window, task: FeatureTask) -> xr.Dataset:
    """features/1 of one block."""
    composites, dem = _composites(block, task)
    return features_from_composites(composites, task.settings, task.period, block, dem)


def _composites(block: Window, task: FeatureTask) -> tuple[list[Composite], NDArray[Any] | None]:
    """The composites of every window, and the heights (m), on the block and its halo."""
    outer = block.expanded(halo_px(task.settings))
    bands = bands_needed(task.settings)
    composites: list[Composite] = []
    with rasterio.Env(**GDAL_SETTINGS):
        for _, start, end in composite_windows(task.settings, task.period):
            scenes = scenes_within(task.scenes, outer, start, end)
            if scenes:
                read = read_scenes(scenes, outer, bands, block)
                composites.append(composite(read, task.settings))
            else:
                composites.append(empty_composite(task.settings, outer.shape))
        return composites, read_dem(task.dem.path, outer) if task.dem else None


def _model(ref: Ref) -> Model:
    if ref.folder is None:
        raise RuntimeError("a map needs a model")
    model = load_model(ref.folder)
    if model.card.sha256 != ref.address:
        raise RuntimeError(f"{ref.folder} changed while the run was going on")
    return model


def block_map(block: Window, task: MapTask) -> xr.Dataset:
    """classmap/1 of one block with `n_clear`, strip by strip; without pixels that another zone owns."""
    made, settings = task.features, task.rules.settings
    composites, dem = _composites(block, made)
    seen = seen_of(composites, made.settings, block)
    min_clear, missing = settings.require_rules()
    rules = MapRules(
        min_clear=min_clear,
        missing=missing,
        threshold=settings.threshold,
        applicability=settings.applicability,
        margin=settings.margin,
        alternative=task.draft,
    )
    dataset = classify_strips(
        feature_strips(composites, made.settings, made.period, block, dem),
        feature_names(made.settings, made.period),
        seen=seen,
        model=_model(task.model),
        rules=rules,
        prior=prior_of(block, settings.prior) if settings.prior else None,
    )
    own = owned_by_zone(block)
    for name in rules.layers:
        dataset[name].values[~own] = MISSING[name]
    n_clear = seen["n_clear"].where(own, 0).astype(np.uint16).assign_attrs(seen["n_clear"].attrs)
    return dataset.assign(n_clear=n_clear).drop_vars("cell_area")


def write_map(folder: Path, blocks: Sequence[xr.Dataset], task: MapTask) -> None:
    """Put the blocks together and write the tile's rasters with their STAC item."""
    tile = task.tile
    window = tile.window
    merged = {name: np.zeros(window.shape, dtype=variable.dtype) for name, variable in blocks[0].items()}
    for block in blocks:
        inside = window.slices_of(window_of(block))
        for name, values in merged.items():
            values[inside] = block[name].values
    scenes, period = task.features.scenes, task.features.period
    dataset = xr.Dataset(
        {name: (("y", "x"), values, blocks[0][name].attrs) for name, values in merged.items()},
        coords=grid_coords(window),
        attrs=blocks[0].attrs
        | {"inputs": [s.id for s in scenes], "simulated": int(any(s.simulated for s in scenes))},
    )
    check_unchanged(scenes)
    write_class_map(
        folder,
        check_classmap(dataset.drop_vars("n_clear")),
        n_clear=dataset["n_clear"],
        scheme=task.scheme,
        item_id=f"{period.name}-{tile.id}",
        period=period,
    )


def write_features(folder: Path, _: Sequence[Any], task: FileTask) -> None:
    """Write the tile's features as one float32 GeoTIFF, a band per feature, block after block."""
    window, target = task.tile.window, None
    try:
        for block in task.tile.blocks(task.block_px.value):
            dataset = block_features(block, task.features)
            names = [str(n) for n in dataset["feature"].values]
            if target is None:
                profile = {
                    "driver": "GTiff", "dtype": "float32", "count": len(names), "nodata": np.nan,
                    "width": window.width, "height": window.height, "crs": f"EPSG:{window.epsg}",
                    "transform": window.transform, "tiled": True, "compress": "zstd", "predictor": 3,
                    "bigtiff": "if_safer",
                }  # fmt: skip
                target = rasterio.open(folder / FEATURES_TIF, "w", **profile)
                target.descriptions = names
            part = rasterio.windows.Window.from_slices(*window.slices_of(block))
            target.write(dataset["features"].values, window=part)
    finally:
        if target is not None:
            target.close()
    check_unchanged(task.features.scenes)
