"""The train stage: labelled positions -> features from the archive, or labelled series -> a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import check_unchanged
from cocal.classify import (
    SampleSettings,
    TrainSettings,
    read_samples,
    read_series,
    sample_pixels,
    train_and_validate,
    write_trained,
)
from cocal.classify.settings import SeriesSamples
from cocal.classify.training.checks import record_unused
from cocal.classify.validation.nulls import PREVIOUS
from cocal.content import File, Ref, Stated, stated
from cocal.errors import InputError
from cocal.features import feature_names, series_features
from cocal.grid import RESOLUTION_M, windows_holding
from cocal.notes.account import recorded
from cocal.rasters import codes_at
from cocal.regions import Regions, owned
from cocal.run.recipes import Batch, Recipe, Stage
from cocal.run.state import Run
from cocal.run.worker.mosaic import Source, regions_of
from cocal.run.worker.samples import N_CLEAR, SampleBlock, sample_blocks, with_features
from cocal.run.worker.tiles import FeatureTask
from cocal.run.years import in_one_year
from cocal.scheme import ClassScheme

OWN_GROUPS = ("region", "country")
"""What may be left out in validation because the regions give it; the samples' own `groups` come beside."""


@dataclass(frozen=True)
class ModelTask:
    """What makes a model: labels, training settings, the features at the labelled positions, or of the
    series.

    `regions` are needed where a region or country is left out in validation. `one_year`: series of several
    years are
    moved to one.
    """

    samples: Stated[SampleSettings]
    settings: TrainSettings
    scheme: ClassScheme
    features: FeatureTask
    min_clear: int
    regions: Source | None = None
    previous_maps: tuple[File, ...] = ()
    one_year: bool = False


def train(run: Run) -> Stage:
    """Set the run's model: the one that the configuration names, or one trained from its labels."""
    section = run.config.train
    if section is None:
        folder = run.config.classify.model
        run.model = None if folder is None else Ref(folder, "given")
        return
    period = next(p for p in run.periods if section.period in (None, p.name))
    features = run.feature_task(period)
    if isinstance(section.samples, SeriesSamples):
        features = FeatureTask(period, (), features.settings, None)
    task = ModelTask(
        samples=stated(section.samples, "train.samples"),
        settings=section.model,
        scheme=run.base.scheme,
        features=features,
        min_clear=run.config.classify.require_rules()[0],
        regions=Source.of(run.config.regions, run.base.regions) if _own_groups(section.model) else None,
        previous_maps=tuple(File.of(path, "train.previous_maps") for path in section.previous_maps),
    )
    (run.model,) = yield Batch("train", (model_recipe(task, run.config.grid.block_px),), on_failure="stop")


def model_recipe(task: ModelTask, block_px: int) -> Recipe:
    """The recipe of a model: blocks of labelled pixels, or series, which are not cut."""
    if isinstance(task.samples.settings, SeriesSamples):
        return Recipe("model/{address}", task, write_model, where="client")
    blocks = partial(_blocks, block_px=block_px)
    return Recipe("model/{address}", task, write_model, block_samples, blocks, where="client")


def _blocks(task: ModelTask, block_px: int) -> list[SampleBlock]:
    assert not isinstance(task.samples.settings, SeriesSamples)
    with recorded():  # the model's unit records it
        pixels = sample_pixels(read_samples(task.samples.settings, task.scheme), RESOLUTION_M)
    return list(sample_blocks(pixels.reset_index(drop=True), block_px, RESOLUTION_M))


def block_samples(block: SampleBlock, task: ModelTask) -> pd.DataFrame:
    """The labelled pixels of a block with their features; runs in a worker."""
    return with_features(block, task.features)


def write_model(folder: Path, blocks: Sequence[pd.DataFrame], task: ModelTask) -> None:
    """Train on the samples and write the model, its card and the findings about its labels.

    Raises
    ------
    InputError
        No labelled pixel was seen clearly; or as `train_and_validate`.
    """
    features, samples = task.features, task.samples.settings
    every = _series(task) if isinstance(samples, SeriesSamples) else _pixels(blocks, task)
    trained = train_and_validate(
        _with_groups(every[every["seen"]].reset_index(drop=True), task),
        task.settings,
        scheme=task.scheme,
        feature_names=feature_names(features.settings, features.period),
        feature_settings=features.settings.model_dump(mode="json"),
        provenance={
            "source": samples.source,
            "licence": samples.licence,
            "sample_sha256": task.samples.files[0].sha256,
            "period": f"{features.period.start} to {features.period.end}",
            "scenes": len(features.scenes),
            "simulated": samples.simulated or any(s.simulated for s in features.scenes),
        },
    )
    write_trained(folder, trained, every, features.period)
    given = every if isinstance(samples, SeriesSamples) else read_samples(samples, task.scheme).table
    record_unused(given["sample_id"].unique().tolist(), every, trained.fitted)


def _series(task: ModelTask) -> pd.DataFrame:
    """Labelled series with their features; all count as `seen`."""
    assert isinstance(task.samples.settings, SeriesSamples)
    series, labels = read_series(task.samples.settings, task.scheme)
    series = in_one_year(series) if task.one_year else series
    features = series_features(series, task.features.settings, task.features.period)
    return labels.set_index("sample_id").join(features).reset_index().assign(seen=True)


def _pixels(blocks: Sequence[pd.DataFrame], task: ModelTask) -> pd.DataFrame:
    """Labelled pixels with their features, and whether they were `seen` clearly: the others do not train."""
    check_unchanged(task.features.scenes)
    table = pd.concat(blocks).sort_index()
    seen = table.pop(N_CLEAR) >= task.min_clear
    if not seen.any():
        raise InputError(
            "no labelled pixel was seen clearly in the period", "labels inside the imagery",
            f"{len(table)} labelled pixels, {len(task.features.scenes)} scenes",
            "check the labels' CRS, `train.period` and the mask",
        )  # fmt: skip
    return table.assign(seen=seen)


def _own_groups(settings: TrainSettings) -> list[str]:
    return [name for name in OWN_GROUPS if name in settings.validation.leave_out]


def _with_groups(table: pd.DataFrame, task: ModelTask) -> pd.DataFrame:
    """`table` with the region, country and earlier mapped class of each row, where validation uses them."""
    wanted = [name for name in _own_groups(task.settings) if name not in table]
    if wanted:
        assert task.regions is not None
        regions = regions_of(task.regions)
        owner = _owners(table, regions)
        for name, column in zip(OWN_GROUPS, ("region_id", "country"), strict=True):
            if name in wanted:
                values = regions.table[column].to_numpy(dtype=object)
                table[name] = [values[number] if number >= 0 else None for number in owner]
    keys = {code: key for key, code in task.scheme.codes.items()}
    for number, file in enumerate(task.previous_maps, 1):
        table[f"{PREVIOUS}{number}"] = [keys.get(code) for code in earlier_codes(file.path, table)]
    return table


def _owners(table: pd.DataFrame, regions: Regions) -> NDArray[np.int64]:
    """(row) number of the region that owns each sample's pixel, -1 outside all."""
    owner = np.full(len(table), -1, dtype=np.int64)
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    for window, rows in windows_holding(table["epsg"], x, y, 96):
        row, column, _ = window.locate(x[rows], y[rows])
        owner[rows] = owned(regions, window)[row, column]
    return owner


def earlier_codes(path: Path, table: pd.DataFrame) -> NDArray[np.int64]:
    """(row) class code of a map at each sample's place; 0 where the map does not show it."""
    codes = np.zeros(len(table), dtype=np.int64)
    for zone, rows in table.groupby("epsg").indices.items():
        x, y = table.iloc[rows][["x", "y"]].to_numpy().T
        codes[rows] = codes_at(path, "earlier map of train.previous_maps", int(str(zone)), (x, y), 0)
    return codes
