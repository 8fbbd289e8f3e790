"""The card of a model: the content of card.json, and the seal that shows whether it was altered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cocal.classify.estimators import EstimatorName
from cocal.classify.settings import ModelId
from cocal.errors import InputError
from cocal.scheme import ClassScheme
from cocal.store import address, canonical_json, write_json

CARD = "card.json"
SEAL, UNSEALED = "seal", ("seal", "libraries", "mlm")
"""Key of the card's checksum, and the keys that it does not cover: other versions of libraries only warn."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(BaseModel):
    """Where the training samples come from; further keys are allowed."""

    model_config = ConfigDict(frozen=True, extra="allow")

    source: str
    licence: str
    period: str
    sample_sha256: str
    simulated: bool


class TrainingData(_Part):
    """The samples that trained the model."""

    provenance: Provenance
    pixels: dict[str, int]
    samples: dict[str, int]
    dropped_for_missing_features: dict[str, int]


class SelfTest(_Part):
    """A few rows of features (None = missing) and the probabilities that the model gave for them."""

    inputs: tuple[tuple[float | None, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]


class AreaOfApplicability(_Part):
    """Where the model applies (see `applicability`); its training samples are in model.skops."""

    mean_distance: float
    threshold: float
    samples: int
    sha256: str | None = None
    """Over the bytes of the samples' array; None in models made before it was stated."""


class ModelCard(_Part):
    """The content of card.json. `mlm` repeats the main facts under the names of the STAC MLM extension."""

    id: ModelId
    simulated: bool
    contracts: dict[str, str]
    features: tuple[str, ...]
    feature_settings: dict[str, Any]
    class_scheme: ClassScheme
    class_scheme_sha256: str
    classes: dict[str, int]
    classes_not_in_training: tuple[str, ...]
    estimator: EstimatorName
    parameters: dict[str, Any]
    seed: int
    missing: Literal["drop", "native"]
    training: TrainingData
    validation: dict[str, Any]
    applicability: AreaOfApplicability | None
    self_test: SelfTest
    cocal_version: str
    libraries: dict[str, str]
    mlm: dict[str, Any]
    artefact: str
    artefact_sha256: str
    """Of the file's bytes; it may differ between machines that compress differently."""
    sha256: str
    """Over the archive's members: the identity of the model, the same on every machine."""

    @property
    def class_weight(self) -> Any:
        """`class_weight` of the estimator that the probabilities come from: of a student's teacher."""
        teacher = self.validation.get("distilled_from")
        parameters = teacher["parameters"] if teacher and teacher["kept"] else self.parameters
        return parameters.get("class_weight")


def as_json(value: Any) -> Any:
    """`value` as read back from JSON: tuples are lists, paths and dates are text."""
    return json.loads(canonical_json(value))


def seal_of(card: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a card without the keys in `UNSEALED`."""
    return address({key: value for key, value in card.items() if key not in UNSEALED})


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card into `folder`, sealed."""
    content = card.model_dump(mode="json")
    write_json(folder / CARD, content | {SEAL: seal_of(content)})


def read_card(folder: str | Path) -> ModelCard:
    """The card in `folder`, unchecked: `load_model` checks that it belongs to its model."""
    return read_sealed(folder)[0]


def read_sealed(folder: str | Path) -> tuple[ModelCard, bool]:
    """The card in `folder`, and whether its seal is valid.

    Raises
    ------
    InputError
        There is no card, or it is not a valid one.
    """
    path = Path(folder) / CARD
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
        sealed = content.pop(SEAL, None) == seal_of(content)
        return ModelCard.model_validate_json(json.dumps(content)), sealed
    except OSError as err:
        raise InputError(f"no model in {folder}", f"the file {CARD}", str(err), "fix `model:`") from err
    except (ValidationError, ValueError, TypeError, RecursionError) as err:
        raise InputError(
            f"{path} is not a model card", "a card written by `cocal train`", str(err), "restore it"
        ) from err
