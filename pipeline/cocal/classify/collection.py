"""A folder of models: `models/<id>/` with model.skops, card.json and card.html."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocal.classify.card import CARD, ModelCard, read_card, read_sealed
from cocal.classify.model import save_model, verify_model
from cocal.errors import CocalError, InputError


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a card: the card; the problem if it cannot be read, or was altered."""

    folder: Path
    card: ModelCard | None
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """Result of verifying a model: `refusal` if it fails, `warning` if it passes with one."""

    folder: Path
    refusal: str = ""
    warning: str = ""


def list_models(collection: str | Path) -> list[ModelFolder]:
    """The models anywhere below a folder, by path; only their cards are read.

    Raises
    ------
    InputError
        There is no such folder.
    """
    collection, models = Path(collection), []
    if not collection.is_dir():
        raise InputError(f"models in {collection}", "a folder", "none", "name an existing folder")
    for path in sorted(collection.rglob(CARD)):
        try:
            card, sealed = read_sealed(path.parent)
            problem = "" if sealed else f"the card {path} was altered after training"
            models.append(ModelFolder(path.parent, card, problem))
        except CocalError as err:
            models.append(ModelFolder(path.parent, None, str(err)))
    return models


def find_model(name: str, collection: str | Path) -> Path:
    """The folder of a model by `name`: a folder with a card, or the id of one model below `collection`.

    Raises
    ------
    InputError
        No model has that id, or several have; the message lists the ids or the folders.
    """
    if (Path(name) / CARD).is_file():
        return Path(name)
    ids = [(model.card.id, model.folder) for model in list_models(collection) if model.card is not None]
    same = [folder for own, folder in ids if own == name]
    if len(same) == 1:
        return same[0]
    known = ", ".join(sorted(own for own, _ in ids)) or "no model"
    raise InputError(
        f"model {name!r}",
        f"a folder with {CARD}, or one id below {collection}",
        f"{len(same)}: {', '.join(map(str, same))}" if same else known,
        "name one of these folders" if same else "name one of these, or a folder",
    )


def verify_models(folders: Sequence[Path]) -> list[Verdict]:
    """Load and check each model (see `verify_model`); a model that fails does not stop the others."""
    verdicts = []
    for folder in folders:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                verify_model(folder)
            except CocalError as err:
                verdicts.append(Verdict(folder, refusal=str(err)))
                continue
        verdicts.append(Verdict(folder, warning="; ".join(str(w.message) for w in caught)))
    return verdicts


def keep_model(folder: str | Path, collection: str | Path) -> Path:
    """Verify the model in `folder` and copy it to `collection/<id>/`; returns that folder.

    Raises
    ------
    InputError
        The collection has another model with that id.
    ModelMismatchError
        The model fails a check (see `verify_model`).
    """
    model = verify_model(folder)
    target = Path(collection) / model.card.id
    if (target / CARD).exists() and read_card(target).sha256 != model.card.sha256:
        raise InputError(
            f"model {model.card.id!r} in {target}",
            "no other model of that id",
            read_card(target).sha256[:12],
            "train under another `train.model.id`, or remove the folder",
        )
    save_model(model, target)
    return target
