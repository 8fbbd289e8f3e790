from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cocal.classify.card import read_card
from cocal.classify.collection import find_model, keep_model, list_models, verify_models
from cocal.classify.model import Model, load_model, save_model
from cocal.classify.page import card_page
from cocal.cli import app
from cocal.errors import InputError, ModelMismatchError


@pytest.fixture
def collection(tmp_path: Path, model: Model) -> Path:
    save_model(model, tmp_path / "run")
    keep_model(tmp_path / "run", tmp_path / "models")
    return tmp_path / "models"


def edit_card(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))


def test_a_kept_model_is_the_one_that_was_trained_under_its_id(collection: Path, model: Model) -> None:
    assert load_model(collection / "test-1").card == model.card
    assert [found.folder for found in list_models(collection)] == [collection / "test-1"]
    assert find_model("test-1", collection) == collection / "test-1"
    assert find_model(str(collection / "test-1"), "nowhere") == collection / "test-1"


def test_keeping_another_model_under_the_same_id_is_refused_and_the_same_one_is_not(
    collection: Path, tmp_path: Path, make_model: Any, make_settings: Any
) -> None:
    before = (collection / "test-1" / "card.json").read_bytes()
    keep_model(tmp_path / "run", collection)
    save_model(make_model(settings=make_settings(seed=8)), tmp_path / "other")
    with pytest.raises(InputError, match="no other model of that id"):
        keep_model(tmp_path / "other", collection)
    assert (collection / "test-1" / "card.json").read_bytes() == before


def test_an_unknown_id_is_answered_with_the_known_ones(collection: Path) -> None:
    with pytest.raises(InputError, match="test-1"):
        find_model("test-2", collection)
    with pytest.raises(InputError, match="name an existing folder"):
        list_models(collection / "nowhere")


def test_any_edited_word_of_a_card_is_refused(collection: Path) -> None:
    folder = collection / "test-1"
    card = json.loads((folder / "card.json").read_text())
    card["validation"]["model"]["pooled"]["macro_f1"] = 0.99
    edit_card(folder, validation=card["validation"])
    with pytest.raises(ModelMismatchError, match=r"card of model test-1 .* was altered"):
        load_model(folder)
    assert read_card(folder).id == "test-1"


def test_an_id_that_would_leave_the_folder_is_no_card(collection: Path) -> None:
    edit_card(collection / "test-1", id="../../elsewhere")
    with pytest.raises(InputError, match="not a model card"):
        load_model(collection / "test-1")


def test_verifying_names_the_refused_model_and_goes_on_with_the_others(
    collection: Path, model: Model
) -> None:
    save_model(model, collection / "broken")
    whole = bytearray((collection / "broken" / "model.skops").read_bytes())
    whole[len(whole) // 2] ^= 1
    (collection / "broken" / "model.skops").write_bytes(bytes(whole))
    edit_card(collection / "test-1", libraries=model.card.libraries | {"scikit-learn": "1.0.0"})
    broken, good = verify_models([found.folder for found in list_models(collection)])
    assert "model.skops" in broken.refusal
    assert (good.refusal, "scikit-learn 1.0.0" in good.warning) == ("", True)


def test_the_page_escapes_what_the_card_says_and_shows_the_null_models(model: Model) -> None:
    origin = model.card.training.provenance.model_copy(update={"source": "<script>alert(1)</script>"})
    training = model.card.training.model_copy(update={"provenance": origin})
    page = card_page(model.card.model_copy(update={"training": training, "simulated": True}))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "SIMULADO" in page
    for name in ("majority", "prevalence_draw", "one_index", *model.card.features, model.card.sha256):
        assert name in page


def test_the_commands_list_show_and_verify(collection: Path) -> None:
    def call(*words: str) -> Any:
        return CliRunner().invoke(app, ["models", *words, "--in", str(collection)])

    assert "test-1" in call("list").output
    shown = call("show", "test-1").output
    assert "one_index" in shown
    assert "made in a test" in shown
    held = call("verify")
    assert (held.exit_code, "holds" in held.output) == (0, True)
    edit_card(collection / "test-1", seed=8)
    refused = call("verify", "test-1")
    assert (refused.exit_code, "REFUSED" in refused.output) == (1, True)


def test_a_list_of_models_names_an_altered_card_whatever_is_in_it(collection: Path) -> None:
    edit_card(collection / "test-1", validation={})
    listed = CliRunner().invoke(app, ["models", "list", "--in", str(collection)])
    assert listed.exit_code == 0, listed.exception
    assert "(card refused)" in listed.output
