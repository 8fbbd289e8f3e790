"""The model's worth: honest splits beside the nulls, real series, one hash for one seed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import yaml
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

from cocal.classify import read_series
from cocal.classify.artefact import digest
from cocal.classify.estimators import fit
from cocal.classify.settings import TrainSettings
from cocal.classify.validation.folds import spatial_folds
from cocal.classify.validation.nulls import best_threshold, commonest
from cocal.config import read_training
from cocal.contracts import Period
from cocal.features import FeatureSettings, series_features
from cocal.run.series import train_series
from cocal.scheme import ClassScheme
from tests.acceptance.real import (
    BORDER_CLASSES,
    DATA,
    INDICES,
    PLAIN_BORDER_FOREST,
    SEEDS,
    SERIES_BANDS,
    border_scores,
    class_scheme,
    raw_table,
    series_settings,
    told,
)

ROOT = Path(__file__).parents[2]
T20LKP = DATA / "samples" / "t20lkp_s2_481_11bands_36dates.parquet"
EQUAL = 0.01
MEASURES = ("accuracy", "Forest F1", "NonForest F1")
SHAPE = ("@*", ".p10", ".median", ".p90", ".std", ".h1_cos", ".h1_sin", ".trend")
"""Each month, the year's lows, middle, highs and spread, and its shape: season and trend."""


def border_samples(shape: tuple[str, ...] = SHAPE) -> tuple[pd.DataFrame, list[str], NDArray[np.bool_]]:
    """(samples with their features, features, in Bolivia); `shape`: what of each variable's course."""
    scheme = ClassScheme.model_validate(class_scheme("t20lkp", "forest", BORDER_CLASSES))
    series, labels = read_series(series_settings(T20LKP), scheme)
    period = Period("2018-2019", *pd.to_datetime(series["time"].values[[0, -1]]).date)
    variables = (*SERIES_BANDS, *INDICES, "NBR")
    settings = FeatureSettings(
        mask=None, windows="monthly", composite="median", fill={"*": "nearest"},
        features=tuple(f"{name}{suffix}" for suffix in shape for name in variables),
    )  # fmt: skip
    features = series_features(series, settings, period)
    municipalities = gpd.read_file(DATA / "boundaries" / "bolivia_municipios_2024.geojson")
    bolivian = shapely.contains_xy(municipalities.union_all(), labels["lon"], labels["lat"])
    return labels.join(features, on="sample_id"), list(features.columns), bolivian


def one_index(values: NDArray[np.float32], truth: NDArray[Any], tested: NDArray[np.float32]) -> NDArray[Any]:
    """The best threshold on one feature for forest, elsewhere the commonest other class."""
    rules = [(*best_threshold(column, truth == "forest"), at) for at, column in enumerate(values.T)]
    threshold, above, _, at = max(rules, key=lambda rule: rule[2])
    said = tested[:, at] >= threshold if above else tested[:, at] <= threshold
    return np.where(said, "forest", commonest(truth[truth != "forest"]))


def t20lkp_from_Brazil_to_Bolivia_beside_a_plain_forest_and_the_nulls_over_20_seeds() -> str:
    """Extra trees on months, statistics and the year's shape; the plain forest sees every raw number of the
    file.
    """
    samples, names, bolivian = border_samples()
    values, truth = samples[names].to_numpy(np.float32), samples["label"].to_numpy(str)
    raw, codes = raw_table(T20LKP, samples["sample_id"]), np.searchsorted(sorted(BORDER_CLASSES), truth)
    keys = np.array(sorted(BORDER_CLASSES))
    scores: dict[str, list[dict[str, float]]] = {"plain": [], "same forest, raw numbers": []}
    for seed in SEEDS:
        settings = TrainSettings.model_validate(
            {"id": "t20lkp", "estimator": "extra_trees", "parameters": {"n_estimators": 300}, "seed": seed,
             "missing": "native", "null_index": "best",
             "validation": {"block_m": 22_000, "folds": 2, "buffer_m": 0}}
        )  # fmt: skip
        ours = keys[
            fit(settings, values[~bolivian], codes[~bolivian].astype(np.uint8)).predict(values[bolivian])
        ]
        plain = RandomForestClassifier(PLAIN_BORDER_FOREST, random_state=seed, n_jobs=-1)
        plain.fit(raw[~bolivian], truth[~bolivian])
        trees = fit(settings, raw[~bolivian].astype(np.float32), codes[~bolivian].astype(np.uint8))
        answers = {"ours": ours, "plain": plain.predict(raw[bolivian])}
        scores["plain"].append(border_scores(truth[bolivian], answers))
        answers["ours"] = keys[trees.predict(raw[bolivian].astype(np.float32))]
        scores["same forest, raw numbers"].append(border_scores(truth[bolivian], answers))
    nulls = {
        "one index": one_index(values[~bolivian], truth[~bolivian], values[bolivian]),
        "commonest class": np.full(int(bolivian.sum()), commonest(truth[~bolivian])),
    }
    found = {name: border_scores(truth[bolivian], {"null": said}) for name, said in nulls.items()}
    for name, row in found.items():
        ours = np.mean([r["accuracy ours"] for r in scores["plain"]])
        assert ours > row["accuracy null"], f"{name} has accuracy {row['accuracy null']:.3f}, ours {ours:.3f}"
    gains = [row["accuracy ours"] - row["accuracy plain"] for row in scores["plain"]]
    figures = "; ".join(told(measure, scores["plain"]) for measure in MEASURES)
    trees_alone = told("accuracy", scores["same forest, raw numbers"])
    null_text = "; ".join(
        f"{name}: " + ", ".join(f"{m} {row[f'{m} null']:.3f}" for m in MEASURES)
        for name, row in found.items()
    )
    assert np.mean(gains) > 0, figures
    return (
        f"{figures}; ahead in {sum(g > 0 for g in gains)} of {len(gains)} seeds; extra trees on the raw "
        "numbers alone: "
        f"{trees_alone}; nulls: {null_text}; persistence and historical mean: no earlier map of this place "
        "exists"
    )


def a_long_table_is_trained_from_a_short_configuration_as_well_as_the_best_usual_model() -> str:
    """t20lkp as a stranger would: `docs/models.md`'s file, 0.2-degree blocks, our default beside forest and
    boosting.
    """
    folder = Path(tempfile.mkdtemp(prefix="cocal-series-"))
    samples = {
        "kind": "series", "path": str(T20LKP), "label_column": "label", "id_column": "sample_id",
        "date_column": "date",
        "longitude_column": "lon", "latitude_column": "lat", "bands": SERIES_BANDS, "scale": 1,
        "source": "e-sensing", "licence": "GPL-2.0",
    }  # fmt: skip
    model = {
        "id": "t20lkp", "estimator": "auto", "seed": 1, "missing": "native", "null_index": "best",
        "validation": {"block_m": 22_000, "folds": 5, "buffer_m": 0},
    }  # fmt: skip
    content = {
        "name": "t20lkp",
        "runs": "runs",
        "target": "Forest",
        "train": {"samples": samples, "model": model},
    }
    (folder / "t20lkp.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    config = read_training(folder / "t20lkp.yaml")
    card = train_series(config)[1]
    pooled = card.validation["model"]["pooled"]
    labels = read_series(
        series_settings(T20LKP), ClassScheme.model_validate(class_scheme("t", "forest", BORDER_CLASSES))
    )[1]
    folds = spatial_folds(labels, config.train.model.validation, target="forest", seed=1).folds
    raw, truth = raw_table(T20LKP, labels["sample_id"]), labels["label"].to_numpy(str)
    usual = {}
    for name, estimator in (
        ("forest", RandomForestClassifier(500, random_state=1, n_jobs=-1)),
        ("boosting", HistGradientBoostingClassifier(random_state=1)),
    ):
        said = np.empty(len(truth), dtype=object)
        for fold in folds:
            said[fold.test] = estimator.fit(raw[fold.train], truth[fold.train]).predict(raw[fold.test])
        usual[name] = (accuracy_score(truth, said), f1_score(truth, said, average="macro"))
    ours = (pooled["overall_accuracy"], pooled["macro_f1"])
    text = ", ".join(f"{name} {a:.3f} / {m:.3f}" for name, (a, m) in {"ours": ours, **usual}.items())
    for measure, own in enumerate(ours):
        assert own >= max(row[measure] for row in usual.values()) - EQUAL, text
    return (
        f"accuracy / macro-F1 under 22 km blocks: {text}; chosen: {card.estimator}, {len(card.features)} "
        "features"
    )


def two_trainings_with_one_seed_have_one_hash() -> str:
    """The hash over the artefact's members, from two folders; another seed has another."""
    hashes = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        folder = Path(tempfile.mkdtemp(prefix="cocal-hash-"))
        from test_series import MODEL, invented, series_config, written

        path = written(folder, invented())
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["train"]["model"] = MODEL | {"seed": seed}
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        home, card = train_series(series_config(path))
        hashes[name] = digest((home / "model.skops").read_bytes())
        assert hashes[name] == card.sha256
    assert hashes["one"] == hashes["again"] != hashes["other"], hashes
    return f"{hashes['one'][:16]} twice, another seed {hashes['other'][:16]}"


REQUIREMENTS = (
    t20lkp_from_Brazil_to_Bolivia_beside_a_plain_forest_and_the_nulls_over_20_seeds,
    a_long_table_is_trained_from_a_short_configuration_as_well_as_the_best_usual_model,
    two_trainings_with_one_seed_have_one_hash,
)
