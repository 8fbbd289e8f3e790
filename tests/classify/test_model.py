from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from cocal.classify import artefact
from cocal.classify.card import seal_of
from cocal.classify.collection import verify_models
from cocal.classify.contract import contract_of, differences
from cocal.classify.fit import check_model
from cocal.classify.model import (
    Model,
    ModelVersionWarning,
    load_model,
    save_model,
    stored_model,
    verify_model,
)
from cocal.classify.predict import MapRules, classify
from cocal.classify.settings import TrainSettings
from cocal.errors import InputError, ModelMismatchError
from cocal.scheme import ClassScheme

KINDS = ["random_forest", "extra_trees", "hist_gradient_boosting", "perceptron"]
Trainer = Callable[..., Model]


@pytest.fixture
def folder(tmp_path: Path, model: Model) -> Path:
    save_model(model, tmp_path / "m")
    return tmp_path / "m"


def edit_card(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_the_same_map_after_loading(
    kind: str,
    tmp_path: Path,
    make_model: Trainer,
    make_settings: Callable[..., TrainSettings],
    features: xr.Dataset,
) -> None:
    made = make_model(settings=make_settings(kind))
    save_model(made, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.card == made.card
    before, after = (
        classify(features, m, rules=MapRules(min_clear=1, missing="unobserved")) for m in (made, loaded)
    )
    xr.testing.assert_identical(before, after)


@pytest.mark.parametrize("kind", KINDS)
def test_two_trainings_with_one_seed_give_identical_files_and_another_seed_does_not(
    kind: str, tmp_path: Path, make_model: Trainer, make_settings: Callable[..., TrainSettings]
) -> None:
    subsampling = {"max_features": 0.5} if kind == "hist_gradient_boosting" else {}
    small = make_settings(kind).parameters | subsampling
    for name, seed, threads in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        with threadpool_limits(threads):
            made = make_model(settings=make_settings(kind, parameters=small, seed=seed))
        save_model(made, tmp_path / name)
    files = ("model.skops", "card.json")
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    assert load_model(tmp_path / "a").card.sha256 != load_model(tmp_path / "c").card.sha256


@pytest.mark.slow
def test_another_process_trains_the_same_bytes(tmp_path: Path, model: Model) -> None:
    script = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("made", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
from cocal.classify.training.train import train
model = train(made.samples_of(1).sample(frac=1, random_state=5), made.settings_of(),
    scheme=made.read_scheme(made.ROOT / "configs" / "schemes" / "border-coca.yaml"), feature_names=made.NAMES,
    feature_settings=made.FEATURE_SETTINGS, provenance=made.PROVENANCE)
print(model.card.sha256)
"""
    conftest = str(Path(__file__).parent / "conftest.py")
    answer = subprocess.run(
        [sys.executable, "-c", script, conftest], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == model.card.sha256


def test_the_archive_is_plain_skops_without_pickle(folder: Path, model: Model) -> None:
    estimator = skops.io.load(folder / "model.skops", trusted=["sklearn.tree._tree.Tree"])
    rows = np.array(model.card.self_test.inputs, dtype=np.float32)
    assert (estimator.predict_proba(rows) == model.classifier.predict_proba(rows)).all()
    with zipfile.ZipFile(folder / "model.skops") as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".npy", ".npz", ".json"}


def test_a_model_altered_by_one_byte_is_refused(folder: Path) -> None:
    whole = (folder / "model.skops").read_bytes()
    for place in np.linspace(0, len(whole) - 1, 40).astype(int):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        (folder / "model.skops").write_bytes(bytes(broken))
        with pytest.raises(ModelMismatchError):
            load_model(folder)
    (folder / "model.skops").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelMismatchError, match="not a skops archive"):
        load_model(folder)


def test_a_pickle_renamed_is_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return Path.touch, (tmp_path / "sprung",)

    (folder / "model.skops").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelMismatchError, match="not a skops archive"):
        load_model(folder)
    assert not (tmp_path / "sprung").exists()


def reseal(folder: Path, estimator: Any, model: Model) -> None:
    """Put another object into the archive and correct the card's checksum: an attacker's work."""
    card = model.card
    contract = contract_of(card.features, card.feature_settings, card.class_scheme_sha256, card.classes)
    data = artefact.pack(estimator, contract)
    (folder / "model.skops").write_bytes(data)
    edit_card(folder, sha256=artefact.digest(data), artefact_sha256=hashlib.sha256(data).hexdigest())


def test_a_type_that_is_not_allowed_is_refused_by_name(folder: Path, model: Model) -> None:
    reseal(folder, FunctionTransformer(func=shutil.rmtree), model)
    with pytest.raises(ModelMismatchError, match=r"types that cocal does not load(.|\n)*shutil.rmtree"):
        load_model(folder)


def test_a_trusted_type_that_is_no_classifier_of_cocal_is_refused(folder: Path, model: Model) -> None:
    reseal(folder, LogisticRegression(), model)
    with pytest.raises(ModelMismatchError, match="LogisticRegression"):
        load_model(folder)


def test_a_kernel_of_another_forest_is_found_by_verifying(
    folder: Path, model: Model, make_model: Trainer, make_settings: Callable[..., TrainSettings]
) -> None:
    other = artefact.member(make_model(settings=make_settings(seed=9)).artefact, artefact.KERNEL)
    assert other is not None
    with (
        zipfile.ZipFile(io.BytesIO(model.artefact)) as own,
        zipfile.ZipFile(folder / "model.skops", "w") as mixed,
    ):
        for name in own.namelist():
            mixed.writestr(name, other if name == artefact.KERNEL else own.read(name))
    data = (folder / "model.skops").read_bytes()
    kernel = artefact.unpack_kernel(data)
    assert kernel is not None
    rows = np.array(model.card.self_test.inputs, dtype=np.float32)
    said = {"inputs": rows.tolist(), "probabilities": kernel.predict_proba(rows).tolist()}
    edit_card(
        folder, sha256=artefact.digest(data), artefact_sha256=hashlib.sha256(data).hexdigest(), self_test=said
    )
    card = json.loads((folder / "card.json").read_text())
    edit_card(folder, seal=seal_of(card))
    load_model(folder)
    with pytest.raises(ModelMismatchError, match="members with the checksum"):
        verify_model(folder)
    assert verify_models([folder])[0].refusal


def test_to_predict_nothing_is_unpacked(folder: Path) -> None:
    code = (
        "import sys, warnings; from cocal.classify import load_model\n"
        f"model = load_model({str(folder)!r}); model.predictor.predict_proba\n"
        "print(sorted({'sklearn', 'skops'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_card_with_a_feature_missing_or_settings_changed_is_refused(folder: Path, model: Model) -> None:
    edit_card(folder, features=list(model.card.features[:-1]))
    with pytest.raises(ModelMismatchError, match=r"4 features trained, 3 in the card"):
        load_model(folder)
    edit_card(folder, features=list(model.card.features[::-1]))
    with pytest.raises(ModelMismatchError, match="contradicts its artefact"):
        load_model(folder)
    changed = {**model.card.feature_settings, "mask": {"dilate_px": 3}}
    edit_card(folder, features=list(model.card.features), feature_settings=changed)
    with pytest.raises(ModelMismatchError, match=r"feature_settings.mask.dilate_px: 2 in the model, 3 here"):
        load_model(folder)


def test_a_folder_without_a_whole_model_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"card\.json"):
        load_model(folder / "nowhere")
    (folder / "model.skops").unlink()
    with pytest.raises(InputError, match=r"model\.skops"):
        load_model(folder)
    (folder / "card.json").write_text("{")
    with pytest.raises(InputError, match="not a model card"):
        load_model(folder)


def test_another_scikit_learn_version_warns_after_the_self_test(folder: Path, model: Model) -> None:
    edit_card(folder, libraries=model.card.libraries | {"scikit-learn": "1.0.0"})
    with pytest.warns(ModelVersionWarning, match=r"scikit-learn 1\.0\.0 \(here .*self-test passed"):
        load_model(folder)


def test_a_model_that_answers_otherwise_than_its_card_is_refused(folder: Path, model: Model) -> None:
    test = model.card.self_test.model_dump(mode="json")
    test["probabilities"][0] = [p + 0.01 for p in test["probabilities"][0]]
    edit_card(folder, self_test=test)
    with pytest.raises(ModelMismatchError, match="no longer gives the probabilities"):
        load_model(folder)


def test_to_know_which_model_it_is_no_kernel_is_loaded(folder: Path, model: Model) -> None:
    code = (
        "import sys; from cocal.classify import stored_model\n"
        f"print(stored_model({str(folder)!r}).card.sha256, "
        "sorted({'numba', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"{model.card.sha256} []"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("self_test", {"inputs": [[0.0] * 4], "probabilities": [[0.0] * 3]}, "no longer gives"),
        ("features", ["NDVI@01"], "contradicts its artefact"),
        ("artefact_sha256", "0" * 64, "altered after training"),
        ("seed", 99, "card of model test-1 .* was altered"),
    ],
)
def test_a_model_that_is_not_as_it_was_trained_is_refused_before_it_predicts(
    folder: Path, key: str, value: Any, words: str
) -> None:
    edit_card(folder, **{key: value})
    with pytest.raises(ModelMismatchError, match=words):
        stored_model(folder)


def test_a_resealed_card_that_contradicts_its_artefact_is_refused_before_it_predicts(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["features"] = card["features"][::-1]
    edit_card(folder, features=card["features"], seal=seal_of(card))
    with pytest.raises(ModelMismatchError, match="contradicts its artefact"):
        stored_model(folder)


def test_a_model_of_other_versions_is_put_to_its_self_test_before_it_predicts(
    folder: Path, model: Model
) -> None:
    edit_card(folder, libraries=model.card.libraries | {"numpy": "1.0.0"})
    with pytest.warns(ModelVersionWarning, match=r"numpy 1\.0\.0 \(here .*self-test passed"):
        stored_model(folder)


def test_a_model_for_this_run_passes(model: Model, scheme: ClassScheme) -> None:
    settings = {"features": model.card.features, "mask": {"dilate_px": 2}}
    check_model(model, features=model.card.features, scheme=scheme, feature_settings=settings)


def test_each_difference_between_model_and_run_is_named(model: Model, scheme: ClassScheme) -> None:
    other = scheme.model_copy(update={"id": "other-1"})
    settings = {"features": list(model.card.features), "mask": {"dilate_px": 4}}
    with pytest.raises(ModelMismatchError) as caught:
        check_model(
            model,
            features=["NDVI@02", "NDVI@01", "NDMI.std", "EVI.p10"],
            scheme=other,
            feature_settings=settings,
        )
    for words in (
        "features missing here: noise", "features that the model lacks: EVI.p10",
        "class scheme border-coca-1", "class scheme other-1",
        "scheme.id: border-coca-1 in the model, other-1 here",
        "feature settings.mask.dilate_px: 2 in the model, 4 here",
    ):  # fmt: skip
        assert words in str(caught.value)
    with pytest.raises(ModelMismatchError, match="in another order"):
        check_model(
            model,
            features=model.card.features[::-1],
            scheme=scheme,
            feature_settings=model.card.feature_settings,
        )


def test_differences_are_named_by_their_path() -> None:
    one, two = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": 0}
    assert differences(one, two) == [
        "a.c: 2 in the model, 3 here",
        "d: [1] in the model, (missing) here",
        "e: (missing) in the model, 0 here",
    ]
    assert differences(one, one) == []
