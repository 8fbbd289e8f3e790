"""The card of a model: what card.json holds, and the seal by which an altered card is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cocal.classify.settings import EstimatorName, ModelId
from cocal.errors import InputError
from cocal.scheme import ClassScheme
from cocal.store import address, canonical_json, write_json

CARD = "card.json"
SEAL, UNSEALED = "seal", ("seal", "libraries", "mlm")
"""Key of the card's checksum, and the keys that it leaves out: another version of a library only warns."""


class Provenance(BaseModel):
    """Where the training samples come from; further facts may be added."""

    model_config = ConfigDict(frozen=True, extra="allow")

    source: str
    licence: str
    period: str
    sample_sha256: str
    simulated: bool


class TrainingData(BaseModel):
    """The samples that trained the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provenance: Provenance
    pixels: dict[str, int]
    samples: dict[str, int]
    dropped_for_missing_features: dict[str, int]


class SelfTest(BaseModel):
    """A few rows of features (None = missing) and the probabilities that the model gave for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: tuple[tuple[float | None, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]


class AreaOfApplicability(BaseModel):
    """Where the model applies (see `applicability`); the samples that span it are in the archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean_distance: float
    threshold: float
    samples: int


class ModelCard(BaseModel):
    """What card.json holds. `mlm` repeats the main facts under the names of the STAC MLM extension."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        """Under which weights of the classes probabilities were learned: a student's are those of its teacher."""
        teacher = self.validation.get("distilled_from")
        parameters = teacher["parameters"] if teacher and teacher["kept"] else self.parameters
        return parameters.get("class_weight")


def as_json(value: Any) -> Any:
    """`value` as it comes back from JSON: tuples are lists, paths and dates are text."""
    return json.loads(canonical_json(value))


def seal_of(card: Mapping[str, Any]) -> str:
    """SHA-256 of what a card says, but for the versions of libraries."""
    return address({key: value for key, value in card.items() if key not in UNSEALED})


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card into `folder`, sealed."""
    content = card.model_dump(mode="json")
    write_json(folder / CARD, content | {SEAL: seal_of(content)})


def read_card(folder: str | Path) -> ModelCard:
    """The card in `folder`, as it stands there; `load_model` tells whether it is to be believed."""
    return read_sealed(folder)[0]


def read_sealed(folder: str | Path) -> tuple[ModelCard, bool]:
    """The card in `folder`, and whether it is as it was sealed.

    Raises
    ------
    InputError
        There is no card, or it is not one.
    """
    path = Path(folder) / CARD
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
        sealed = content.pop(SEAL, None) == seal_of(content)
        return ModelCard.model_validate_json(json.dumps(content)), sealed
    except OSError as err:
        raise InputError(f"no model in {folder}", f"the file {CARD}", str(err), "mend `model:`") from err
    except (ValidationError, ValueError, TypeError) as err:
        raise InputError(
            f"{path} is not a model card", "a card written by `cocal train`", str(err), "restore it"
        ) from err
