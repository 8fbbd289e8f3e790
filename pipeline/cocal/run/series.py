"""`cocal train` on a table of labelled time series alone: no area, no image, no class scheme needed."""

from __future__ import annotations

import colorsys
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cocal.classify import ModelCard, load_model, read_series, train_and_validate, write_trained
from cocal.classify.settings import SeriesSamples
from cocal.classify.training.series import labels_in
from cocal.config import SeriesConfig
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings, feature_names, series_features
from cocal.features.indices import INDICES
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore, address, sha256_file, source_digest

log = logging.getLogger(__name__)

USUAL_INDICES = ("NDVI", "EVI2", "NDMI", "MNDWI", "NBR", "NBR2", "BSI", "CIRE")
USUAL_STATISTICS = (".p10", ".median", ".p90", ".std", ".amplitude")
MOST_WINDOWS = 40
"""More dates than this are put together month by month."""


def train_series(config: SeriesConfig) -> tuple[Path, ModelCard]:
    """(folder of the model, its card): trained, or found as it was trained before from the same inputs.

    Raises
    ------
    InputError
        The table, its labels or their classes cannot be used; every problem at once.
    """
    samples = config.train.samples
    scheme, samples = _scheme(config, samples)
    series, labels = read_series(samples, scheme)
    series = series if config.period else in_one_year(series)
    period = config.period.period if config.period else _whole(series)
    index = config.index or usual_features(series)
    stated = config.train.model_dump(mode="json")
    stated["samples"].pop("path")
    inputs: dict[str, Any] = {
        "labels": sha256_file(samples.path), "train": stated, "scheme": scheme.sha256, "features": index.digest,
        "period": [period.start.isoformat(), period.end.isoformat()],
        "code": source_digest("classify", "features", "scheme", "accuracy", "run/series"),
    }  # fmt: skip
    store, unit = LocalStore(config.root), f"model/{address(inputs)[:12]}"
    with store.locked():
        store.sweep()
        if not store.find(unit, address(inputs)):
            features = series_features(series, index, period)
            table = labels.set_index("sample_id").join(features).reset_index()
            trained = train_and_validate(
                table, config.train.model,
                scheme=scheme, feature_names=feature_names(index, period),
                feature_settings=index.model_dump(mode="json"),
                provenance={
                    "source": samples.source, "licence": samples.licence, "sample_sha256": inputs["labels"],
                    "period": f"{period.start} to {period.end}", "simulated": samples.simulated,
                },
            )  # fmt: skip
            with store.commit(unit, inputs) as folder:
                write_trained(folder, trained, table, period)
        home = store.home(unit)
        return home, load_model(home).card


def _whole(series: xr.Dataset) -> Period:
    first, last = pd.to_datetime(series["time"].values[[0, -1]]).date
    return Period("series", first, last)


def _own_days(series: xr.Dataset) -> list[NDArray[np.datetime64]]:
    """The days of each sample that has two or more."""
    days = series["time"].values.astype("datetime64[D]")
    there = np.any([~np.isnan(series[name].values) for name in series.data_vars], axis=0)
    found = [days[column] for column in there.T if column.sum() > 1]
    if not found:
        raise InputError(
            "the table has no time series", "samples with two dates or more", "one date each", "add dates"
        )
    return found


def in_one_year(series: xr.Dataset) -> xr.Dataset:
    """Series of several years side by side, each moved by whole years to the earliest; others as they are.

    A table whose samples together span half as long again as the longest of them tells of several years, each
    sample of its own.
    """
    own = _own_days(series)
    whole = max(days[-1] for days in own) - min(days[0] for days in own)
    if whole <= 1.5 * max(days[-1] - days[0] for days in own):
        return series
    there = np.any([~np.isnan(series[name].values) for name in series.data_vars], axis=0)
    times = pd.DatetimeIndex(series["time"].values)
    begun = times.year.to_numpy()[there.argmax(axis=0)]
    parts = []
    for year in np.unique(begun):
        part = series.isel(sample=np.flatnonzero(begun == year)).dropna("time", how="all")
        moved = pd.DatetimeIndex(part["time"].values) - pd.DateOffset(years=int(year - begun.min()))
        parts.append(part.assign_coords(time=moved.values.astype("datetime64[ns]")).drop_duplicates("time"))
    log.warning("samples of %s years: each is moved by whole years to %s", len(parts), begun.min())
    merged = xr.concat(parts, "sample", join="outer").sortby("time")
    return merged.sel(sample=series["sample"].values)


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
            f"target {config.target!r}; labels {', '.join(labels)}", "mend `target:`, or give `scheme:`",
        )  # fmt: skip
    classes = [
        {"code": code, "key": keys[label], "name_es": label, "name_en": label, "colour": _colour(code / len(labels))}
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
    gap = int(np.median(np.concatenate([np.diff(own).astype(int) for own in _own_days(series)])))
    dated = int((days[-1] - days[0]).astype(int)) // gap + 1 <= MOST_WINDOWS
    indices = [name for name in USUAL_INDICES if all(b in series for b in INDICES[name].bands)]
    names = [str(name) for name in series.data_vars] + indices
    return FeatureSettings(
        mask=None, windows=gap if dated else "monthly", composite="median", fill={"*": "nearest"},
        features=tuple(f"{name}{suffix}" for suffix in ("@*", *USUAL_STATISTICS) for name in names),
    )  # fmt: skip
