from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import accuracy_score

from cocal.classify.model import Model
from cocal.classify.settings import SeriesSamples, TrainSettings
from cocal.classify.training.series import read_series
from cocal.classify.training.train import train
from cocal.classify.validation.nulls import NULLS
from cocal.errors import InputError
from cocal.scheme import ClassScheme

Samples = Callable[..., pd.DataFrame]
Settings = Callable[..., TrainSettings]
Trainer = Callable[..., Model]

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("COCAL_TEST_DATA", ROOT.parent / "shared" / "data"))
T20LKP = DATA / "samples" / "t20lkp_s2_481_11bands_36dates.parquet"
real = pytest.mark.skipif(not T20LKP.is_file(), reason="real samples t20lkp are not in COCAL_TEST_DATA")


def test_the_card_says_what_the_model_is_and_was_trained_on(model: Model, make_samples: Samples) -> None:
    card, table = model.card, make_samples(1)
    counts = table["label"].value_counts()
    assert card.classes == {"coca": 1, "forest": 2, "pasture": 4}
    assert card.classes_not_in_training == ("regrowth", "other_crops", "bare", "water")
    assert card.training.pixels == counts.sort_index().to_dict()
    assert card.training.provenance.licence == "CC0"
    assert card.parameters["n_estimators"] == 20
    assert card.parameters["max_features"] == "sqrt"
    assert set(card.validation["null_models"]) == set(NULLS)
    assert card.mlm["mlm:input"][0]["bands"] == list(card.features)
    assert "scikit-learn" in card.libraries
    assert model.target_code == 1


def test_rows_in_another_order_train_the_same_model(
    make_model: Trainer, make_samples: Samples, model: Model
) -> None:
    turned = make_model(make_samples(1).sample(frac=1, random_state=9))
    assert turned.card == model.card


def test_boosting_names_the_features_that_no_sample_has_and_a_forest_takes_them(
    make_model: Trainer, make_samples: Samples, make_settings: Settings
) -> None:
    blank = make_samples(1).assign(**{"NDVI@02": np.float32(np.nan)})
    with pytest.raises(InputError, match="none in 144 samples for NDVI@02"):
        make_model(blank, make_settings("hist_gradient_boosting", missing="native"))
    model = make_model(blank, make_settings(missing="native"))
    assert model.card.training.dropped_for_missing_features == {}


def test_samples_with_a_missing_feature_are_dropped_and_counted(
    make_model: Trainer, make_samples: Samples
) -> None:
    holes = make_samples(1)
    coca = np.flatnonzero(holes["label"] == "coca")[:5]
    holes.loc[coca, "NDVI@02"] = np.nan
    card = make_model(holes).card
    assert card.training.dropped_for_missing_features == {"coca": 5}
    assert card.training.pixels["coca"] == (holes["label"] == "coca").sum() - 5


def test_simulated_samples_make_a_simulated_model(
    scheme: ClassScheme, make_samples: Samples, make_settings: Settings
) -> None:
    made = train(
        make_samples(1), make_settings(), scheme=scheme, feature_names=["NDVI@01"], feature_settings={},
        provenance={"source": "s", "licence": "l", "period": "p", "sample_sha256": "0", "simulated": True},
    )  # fmt: skip
    assert made.card.simulated


def test_training_needs_the_target_and_another_class(make_model: Trainer, make_samples: Samples) -> None:
    table = make_samples(1)
    with pytest.raises(InputError, match="samples of two classes"):
        make_model(table[table["label"] != "coca"])
    with pytest.raises(InputError, match="samples of two classes"):
        make_model(table[table["label"] == "coca"])


def test_unknown_labels_infinite_features_and_missing_columns_are_refused(
    make_model: Trainer, make_samples: Samples
) -> None:
    bad = make_samples(1)
    bad.loc[0, "label"] = "maize"
    bad.loc[1, "noise"] = np.inf
    with pytest.raises(InputError, match=r"label 'maize' is not in the scheme.*'noise' has infinite values"):
        make_model(bad)
    with pytest.raises(InputError, match=r"no column 'NDMI\.std'; no column 'noise'"):
        make_model(make_samples(1).drop(columns=["noise", "NDMI.std"]))


def test_an_unknown_parameter_is_refused_with_the_list_of_allowed_ones(
    make_model: Trainer, make_settings: Settings
) -> None:
    for name in ("trees", "random_state", "n_jobs"):
        with pytest.raises(InputError, match=rf"has no parameters {name}(.|\n)*max_depth, max_features"):
            make_model(settings=make_settings(parameters={name: 1}))
    with pytest.raises(InputError, match=r"refuses to train(.|\n)*n_estimators"):
        make_model(settings=make_settings(parameters={"n_estimators": -3}))


def test_an_unknown_estimator_or_key_is_refused(make_settings: Settings) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        make_settings(tuning="yes")
    with pytest.raises(ValidationError, match="hist_gradient_boosting"):
        make_settings().model_validate({**make_settings().model_dump(), "estimator": "svm"})


FOREST_SCHEME = ClassScheme.model_validate(
    {
        "id": "t20lkp-1", "target": "forest", "definition": {"counts": "forest"},
        "classes": [
            {"code": 1, "key": "forest", "name_es": "Bosque", "name_en": "Forest", "colour": "#1b7837"},
            {"code": 2, "key": "non_forest", "name_es": "No bosque", "name_en": "Non-forest",
                "colour": "#d9d38c"},
            {"code": 3, "key": "deforestation", "name_es": "Deforestación", "name_en": "Deforestation",
                "colour": "#d95f02"},
        ],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def real_series() -> tuple[pd.DataFrame, list[str]]:
    """The 481 real series as a table: one column per band and date, as `series_features` would give."""
    rule = SeriesSamples(
        kind="series", path=T20LKP, label_column="label", id_column="sample_id", date_column="date",
        longitude_column="lon", latitude_column="lat", scale=1.0,
        labels={"Forest": "forest", "NonForest": "non_forest", "Deforestation": "deforestation"},
        bands={"blue": "B02", "green": "B03", "red": "B07", "nir": "B08", "swir16": "B11", "swir22": "B12"},
        source="e-sensing, sits", licence="GPL-2",
    )  # fmt: skip
    cube, table = read_series(rule, FOREST_SCHEME)
    assert cube.sizes == {"time": 36, "sample": 481}
    columns = {
        f"{band}_{step:02d}": cube[band].values[step]
        for band in ("red", "nir", "swir16")
        for step in range(0, 36, 3)
    }
    return pd.concat([table, pd.DataFrame(columns)], axis=1), list(columns)


@real
def test_column_b07_of_the_real_series_holds_red_reflectance() -> None:
    # red = NIR (1 - NDVI) / (1 + NDVI) follows from NDVI = (NIR - red) / (NIR + red)
    table = pd.read_parquet(T20LKP)
    red = table["B08"] * (1 - table["NDVI"]) / (1 + table["NDVI"])
    assert (table["B07"] - red).abs().median() < 1e-4
    assert (table["B07"] - red).abs().max() < 0.02
    assert table["B07"].median() < table["B8A"].median() / 5


@real
def test_a_model_of_real_series_beats_the_null_models_under_spatial_blocks(
    real_series: tuple[pd.DataFrame, list[str]], make_settings: Settings
) -> None:
    table, names = real_series
    settings = make_settings(
        parameters={"n_estimators": 60}, validation={"block_m": 20_000, "folds": 5, "buffer_m": 1000}
    )
    model = train(
        table, settings, scheme=FOREST_SCHEME, feature_names=names, feature_settings={},
        provenance={"source": "sits", "licence": "GPL-2", "period": "2018/19", "sample_sha256": "0",
            "simulated": False},
    )  # fmt: skip
    validation = model.card.validation
    assert model.card.training.pixels == {"deforestation": 42, "forest": 144, "non_forest": 295}
    forest = {
        name: result["pooled"]["classes"]["forest"]["f1"]
        for name, result in {"model": validation["model"], **validation["null_models"]}.items()
        if "pooled" in result
    }
    assert forest["model"] > max(forest["majority"], forest["prevalence_draw"], forest["one_index"])
    assert validation["design"]["groups_of_blocks"] >= 10


@real
def test_the_model_is_that_of_plain_scikit_learn_on_real_series(
    real_series: tuple[pd.DataFrame, list[str]], make_settings: Settings
) -> None:
    from sklearn.ensemble import RandomForestClassifier

    table, names = real_series
    settings = make_settings(
        parameters={"n_estimators": 100}, validation={"block_m": 20_000, "folds": 3, "buffer_m": 0}
    )
    west = table["lon"] < table["lon"].median()
    model = train(
        table[west], settings, scheme=FOREST_SCHEME, feature_names=names, feature_settings={},
        provenance={"source": "sits", "licence": "GPL-2", "period": "2018/19", "sample_sha256": "0",
            "simulated": False},
    )  # fmt: skip
    tested = table[~west]
    truth = tested["label"].map(FOREST_SCHEME.codes)
    probability = model.classifier.predict_proba(tested[names].to_numpy(np.float32))
    ours = accuracy_score(truth, np.array([1, 2, 3])[probability.argmax(axis=1)])
    plain = RandomForestClassifier(n_estimators=100, random_state=0).fit(
        table[west][names].to_numpy(), table[west]["label"].map(FOREST_SCHEME.codes)
    )
    assert ours == pytest.approx(accuracy_score(truth, plain.predict(tested[names].to_numpy())), abs=0.05)
    assert ours > 0.75
