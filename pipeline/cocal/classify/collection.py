"""A folder of models: `models/<id>/` with model.skops, card.json and card.html."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cocal.classify.card import CARD, ModelCard, read_card
from cocal.classify.model import Model, save_model, verify_model
from cocal.errors import CocalError, InputError


@dataclass(frozen=True)
class Found:
    """A folder that looks like a model: its card, or why there is none."""

    folder: Path
    card: ModelCard | None
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a model holds: why it is refused, or what is told although it is not."""

    folder: Path
    refusal: str = ""
    warning: str = ""


def list_models(collection: str | Path) -> list[Found]:
    """The models anywhere below a folder, by path; their cards are read, the models themselves are not opened.

    Raises
    ------
    InputError
        There is no such folder.
    """
    collection = Path(collection)
    if not collection.is_dir():
        raise InputError(f"models in {collection}", "a folder", "none", "name an existing folder")
    return list(_found(collection))


def _found(collection: Path) -> Iterator[Found]:
    for path in sorted(collection.rglob(CARD)):
        try:
            yield Found(path.parent, read_card(path.parent))
        except CocalError as err:
            yield Found(path.parent, None, str(err))


def find_model(name: str, collection: str | Path) -> Path:
    """The folder that `name` means: a folder with a card, or the model of that id below `collection`.

    Raises
    ------
    InputError
        No model is called so, or several are; all that there are.
    """
    if (Path(name) / CARD).is_file():
        return Path(name)
    every = [found for found in list_models(collection) if found.card is not None]
    same = [found.folder for found in every if found.card and found.card.id == name]
    if len(same) == 1:
        return same[0]
    known = ", ".join(sorted(found.card.id for found in every if found.card)) or "no model"
    several = f"{len(same)}: {', '.join(map(str, same))}"
    raise InputError(
        f"model {name!r}",
        f"a folder with {CARD}, or one id below {collection}",
        several if same else known,
        "name one of these folders" if same else "name one of these, or a folder",
    )


def verify_models(folders: Sequence[Path]) -> list[Verdict]:
    """Load each model, with every check that loading makes; a refusal of one does not hide the others."""
    verdicts = []
    for folder in folders:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                verify_model(folder)
            except CocalError as err:
                verdicts.append(Verdict(folder, refusal=str(err)))
                continue
        verdicts.append(Verdict(folder, warning="; ".join(str(w.message) for w in told)))
    return verdicts


def keep_model(folder: str | Path, collection: str | Path) -> Path:
    """Verify the model in `folder` and copy it to `collection/<id>/`; returns that folder.

    Raises
    ------
    InputError
        Another model is kept under that id.
    ModelMismatchError
        The model does not hold (see `verify_model`).
    """
    model: Model = verify_model(folder)
    target = Path(collection) / model.card.id
    if (target / CARD).exists() and read_card(target).sha256 != model.card.sha256:
        raise InputError(
            f"model {model.card.id!r} in {target}", "no other model of that id", read_card(target).sha256[:12],
            "train under another `train.model.id`, or remove the folder",
        )  # fmt: skip
    save_model(model, target)
    return target
