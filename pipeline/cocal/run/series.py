"""`cocal train` on a table of labelled time series alone: no area, no image, no class scheme needed."""

from __future__ import annotations

import colorsys
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cocal.classify import ModelCard, load_model, read_series
from cocal.classify.settings import SeriesSamples
from cocal.classify.training.series import labels_in
from cocal.config import SeriesConfig
from cocal.content import stated
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings
from cocal.features.indices import INDICES
from cocal.notes.account import recorded
from cocal.notes.limits import check_left_out
from cocal.run.execute import SerialExecutor
from cocal.run.observers import Log, Summary, observed_by
from cocal.run.recipes import Batch, make
from cocal.run.stages.train import ModelTask, model_recipe
from cocal.run.worker.tiles import FeatureTask
from cocal.run.years import in_one_year, own_days
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore

USUAL_INDICES = ("NDVI", "EVI2", "NDMI", "MNDWI", "NBR", "NBR2", "BSI", "CIRE")
USUAL_STATISTICS = (".p10", ".median", ".p90", ".std", ".amplitude")
MOST_WINDOWS = 40
"""More dates than this are put together month by month."""


def train_series(config: SeriesConfig) -> tuple[Path, ModelCard]:
    """(folder of the model, its card): trained, or found as it was trained before from the same inputs.

    Raises
    ------
    InputError
        The table, its labels or their classes cannot be used, every problem at once; or more labels do not
        train than the configuration allows.
    """
    scheme, samples = _scheme(config, config.train.samples)
    series, _ = read_series(samples, scheme)
    with recorded():  # the model's unit records it
        series = series if config.period else in_one_year(series)
    period = config.period.period if config.period else _whole(series)
    task = ModelTask(
        samples=stated(samples, "train.samples"),
        settings=config.train.model,
        scheme=scheme,
        features=FeatureTask(period, (), config.index or usual_features(series), None),
        min_clear=0,
        one_year=config.period is None,
    )
    store, batch = LocalStore(config.root), Batch("train", (model_recipe(task, 0),), on_failure="stop")
    summary = Summary()
    with store.locked():
        store.sweep()
        (ref,) = make(batch, store, SerialExecutor(), observed_by(summary, Log()))
    check_left_out(summary.left_out, config.left_out)
    assert ref.folder is not None
    return ref.folder, load_model(ref.folder).card


def _whole(series: xr.Dataset) -> Period:
    first, last = pd.to_datetime(series["time"].values[[0, -1]]).date
    return Period("series", first, last)


def _scheme(config: SeriesConfig, samples: SeriesSamples) -> tuple[ClassScheme, SeriesSamples]:
    """The class scheme, and the samples with their labels mapped to its keys."""
    if config.scheme is not None:
        return read_scheme(config.scheme), samples
    labels = labels_in(samples)
    keys = {label: _key(label) for label in labels}
    if config.target not in keys or len(set(keys.values())) < len(keys):
        raise InputError(
            f"no class scheme can be made from the labels in {samples.path}",
            "`target` among labels that differ in more than case and signs",
            f"target {config.target!r}; labels {', '.join(labels)}", "fix `target:`, or give `scheme:`",
        )  # fmt: skip
    classes = [
        {"code": code, "key": keys[label], "name_es": label, "name_en": label,
         "colour": _colour(code / len(labels))}
        for code, label in enumerate(labels, 1)
    ]  # fmt: skip
    scheme = {
        "id": config.train.model.id, "target": keys[config.target], "classes": classes,
        "definition": {"counts": f"what the table labels {config.target}"},
    }  # fmt: skip
    return ClassScheme.model_validate(scheme), samples.model_copy(update={"labels": keys})


def _key(label: str) -> str:
    """A class key that says what `label` says."""
    plain = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"class_{plain}"


def _colour(hue: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hsv_to_rgb(hue, 0.6, 0.8))


def usual_features(series: xr.Dataset) -> FeatureSettings:
    """Each date's bands and indices and the year's lows, middle, highs and spread.

    Windows are as long as the dates are apart, so that a regular table keeps each of its dates; more than
    `MOST_WINDOWS` of them are put together by month. A window without a value takes the nearest.
    """
    days = series["time"].values.astype("datetime64[D]")
    gap = int(np.median(np.concatenate([np.diff(own).astype(int) for own in own_days(series)])))
    dated = int((days[-1] - days[0]).astype(int)) // gap + 1 <= MOST_WINDOWS
    indices = [name for name in USUAL_INDICES if all(b in series for b in INDICES[name].bands)]
    names = [str(name) for name in series.data_vars] + indices
    return FeatureSettings(
        mask=None, windows=gap if dated else "monthly", composite="median", fill={"*": "nearest"},
        features=tuple(f"{name}{suffix}" for suffix in ("@*", *USUAL_STATISTICS) for name in names),
    )  # fmt: skip
