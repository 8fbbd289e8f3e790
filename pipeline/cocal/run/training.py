"""The train stage: labelled places -> features from the archive, or labelled series -> a model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from cocal.archive import check_unchanged
from cocal.classify import (
    load_model,
    read_samples,
    read_series,
    sample_pixels,
    train_and_validate,
    write_trained,
)
from cocal.classify.settings import SeriesSamples, TrainSection
from cocal.classify.validation.nulls import PREVIOUS
from cocal.config import RunConfig
from cocal.contracts import Period
from cocal.errors import InputError, WorkFailedError
from cocal.features import feature_names, halo_px, series_features
from cocal.grid import RESOLUTION_M, Window, transformer
from cocal.regions import Regions, owned
from cocal.run.execute import Call, Job, Outcome
from cocal.run.plan import feature_inputs, feature_task
from cocal.run.state import Run
from cocal.run.worker.tiles import FeatureTask, sample_features
from cocal.store import address, sha256_file, source_digest

OWN_GROUPS = ("region", "country")
"""What may be left out in validation because the regions tell it; the samples' own `groups` come beside."""


def train_stage(run: Run) -> None:
    """Set the run's model: the one that the configuration names, or one trained from its labels."""
    section = run.config.train
    if section is None:
        run.model_folder = run.config.classify.model
        return
    period = next(p for p in run.periods if section.period in (None, p.name))
    scenes = tuple(s for s in run.scenes if period.start <= s.day <= period.end)
    task = feature_task(run.config, scenes, period)
    inputs = training_inputs(run.config, section, task, run.base.scheme.sha256, run.base.regions.sha256)
    unit = f"model/{address(inputs)[:12]}"
    run.model_folder = run.store.home(unit)
    if run.store.find(unit, address(inputs)):
        with run.journal.stage("train", 1) as record:
            run.journal.reused(record, unit)
        return
    every = _series_table(run, section, period) if _is_series(section) else _place_table(run, section, task)
    table = with_places(every[every["seen"]].reset_index(drop=True), run, section)
    with run.journal.stage("train", 1) as record:
        began = time.monotonic()
        trained = train_and_validate(
            table,
            section.model,
            scheme=run.base.scheme,
            feature_names=feature_names(run.config.index, period),
            feature_settings=run.config.index.model_dump(mode="json"),
            provenance=_provenance(section, period, scenes, inputs),
        )
        with run.store.commit(unit, inputs) as folder:
            write_trained(folder, trained, every, period)
        load_model(run.model_folder)
        run.journal.outcome(record, Outcome(unit, None, None, time.monotonic() - began))


def _is_series(section: TrainSection) -> bool:
    return isinstance(section.samples, SeriesSamples)


def training_inputs(
    config: RunConfig, section: TrainSection, task: FeatureTask, scheme_sha256: str, regions_sha256: str
) -> dict[str, Any]:
    """What makes the model: labels, settings, scheme, and the features at the labelled places."""
    stated = section.model_dump(mode="json")
    stated["samples"].pop("path")
    stated.pop("previous_maps")
    features = feature_inputs(config, task)
    if _is_series(section):
        features |= {"scenes": {}, "dem": None}
    return {
        "labels": _labels_sha256(section.samples.path),
        "previous_maps": [_labels_sha256(path) for path in section.previous_maps],
        "regions": regions_sha256 if set(section.model.validation.leave_out) & set(OWN_GROUPS) else None,
        "train": stated,
        "min_clear": config.classify.min_clear,
        "scheme": scheme_sha256,
        "features": features,
        "code": source_digest("classify", "scheme", "accuracy", "run/training"),
    }


def _labels_sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as err:
        raise InputError(f"labels {path}", "a readable file", str(err), "mend `train.samples.path`") from err


def _provenance(
    section: TrainSection, period: Period, scenes: Iterable[Any], inputs: dict[str, Any]
) -> dict[str, Any]:
    return {
        "source": section.samples.source,
        "licence": section.samples.licence,
        "sample_sha256": inputs["labels"],
        "period": f"{period.start} to {period.end}",
        "scenes": len(inputs["features"]["scenes"]),
        "simulated": section.samples.simulated or any(s.simulated for s in scenes),
    }


def _series_table(run: Run, section: TrainSection, period: Period) -> pd.DataFrame:
    assert isinstance(section.samples, SeriesSamples)
    series, labels = read_series(section.samples, run.base.scheme)
    features = series_features(series, run.config.index, period)
    return labels.set_index("sample_id").join(features).reset_index().assign(seen=True)


def with_places(table: pd.DataFrame, run: Run, section: TrainSection) -> pd.DataFrame:
    """`table` with the region and country of each row, where they are left out in turn, and its class on earlier maps."""
    wanted = [n for n in OWN_GROUPS if n in section.model.validation.leave_out and n not in table]
    if wanted:
        owner = _owners(table, run.base.regions)
        for name, column in zip(OWN_GROUPS, ("region_id", "country"), strict=True):
            if name in wanted:
                values = run.base.regions.table[column].to_numpy(dtype=object)
                table[name] = [values[number] if number >= 0 else None for number in owner]
    keys = {code: key for key, code in run.base.scheme.codes.items()}
    for number, path in enumerate(section.previous_maps, 1):
        table[f"{PREVIOUS}{number}"] = [keys.get(code) for code in codes_at(path, table)]
    return table


def _owners(table: pd.DataFrame, regions: Regions) -> NDArray[np.int64]:
    """(row) number of the region that owns each sample's pixel, -1 outside all."""
    owner = np.full(len(table), -1, dtype=np.int64)
    side = 96 * RESOLUTION_M
    keys = [table["epsg"], np.floor(table["x"] / side), np.floor(table["y"] / side)]
    for key, rows in table.groupby(keys).indices.items():
        epsg, column, row = (int(part) for part in cast("tuple[float, ...]", key))
        window = Window(epsg, column * side, (row + 1) * side, 96, 96)
        at = table.iloc[rows]
        down = ((window.top - at["y"].to_numpy()) // RESOLUTION_M).astype(np.int64)
        along = ((at["x"].to_numpy() - window.left) // RESOLUTION_M).astype(np.int64)
        owner[rows] = owned(regions, window)[down, along]
    return owner


def codes_at(path: Path, table: pd.DataFrame) -> NDArray[np.int64]:
    """(row) class code of a map at each sample's place; 0 where the map does not show it."""
    codes = np.zeros(len(table), dtype=np.int64)
    try:
        with rasterio.open(path) as source:
            epsg = source.crs.to_epsg()
            for zone, rows in table.groupby("epsg").indices.items():
                places = table.iloc[rows][["x", "y"]].to_numpy()
                if zone != epsg:
                    places = np.column_stack(transformer(int(str(zone)), epsg).transform(*places.T))
                codes[rows] = [value[0] for value in source.sample(places)]
    except (RasterioError, AttributeError) as err:
        raise InputError(
            f"earlier map {path}",
            "a raster of class codes with a CRS",
            str(err),
            "mend `train.previous_maps`",
        ) from err
    return codes


def _place_table(run: Run, section: TrainSection, task: FeatureTask) -> pd.DataFrame:
    """Labelled pixels with their features, and whether they were `seen` clearly: the others do not train."""
    assert not isinstance(section.samples, SeriesSamples)
    pixels = sample_pixels(read_samples(section.samples, run.base.scheme), RESOLUTION_M)
    side = run.config.grid.block_px * RESOLUTION_M
    keys = [pixels["epsg"], np.floor(pixels["x"] / side), np.floor(pixels["y"] / side)]
    jobs, members = [], {}
    for key, group in pixels.groupby(keys, sort=True):
        epsg, column, row = (int(part) for part in cast("tuple[float, ...]", key))
        window = Window(epsg, column * side, (row + 1) * side, side // RESOLUTION_M, side // RESOLUTION_M)
        outer = window.expanded(halo_px(task.settings))
        near = tuple(s for s in task.scenes if s.window.intersection(outer) is not None)
        rows = np.floor((window.top - group["y"].to_numpy()) / RESOLUTION_M).astype(np.int64)
        columns = np.floor((group["x"].to_numpy() - window.left) / RESOLUTION_M).astype(np.int64)
        own = replace(task, scenes=near)
        unit = f"samples {window.epsg} {window.left} {window.top}"
        jobs.append(Job(unit, (Call(sample_features, (window, rows, columns, own)),)))
        members[unit] = group.index
    with run.journal.stage("samples", len(jobs)) as record:
        outcomes = run.work(record, jobs)
    failed = [o for o in outcomes.values() if o.error]
    if failed:
        raise WorkFailedError(
            "the model was not trained: features of some labelled places could not be read",
            f"{len(jobs)} blocks", "; ".join(f"{o.unit}: {o.reason}" for o in failed[:3]),
            "mend what is listed, then run again",
        )  # fmt: skip
    check_unchanged(task.scenes)
    names = feature_names(task.settings, task.period)
    values = np.full((len(pixels), len(names) + 1), np.nan, dtype=np.float32)
    for unit, index in members.items():
        values[pixels.index.get_indexer(index)] = outcomes[unit].result
    table = pd.concat([pixels, pd.DataFrame(values[:, :-1], columns=names, index=pixels.index)], axis=1)
    seen = values[:, -1] >= run.config.classify.min_clear
    if not seen.any():
        raise InputError(
            "no labelled pixel was seen clearly in the period", "labels inside the imagery",
            f"{len(pixels)} labelled pixels, {len(task.scenes)} scenes",
            "check the labels' CRS, `train.period` and the mask",
        )  # fmt: skip
    return table.assign(seen=seen)
