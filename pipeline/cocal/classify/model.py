"""A trained model and its folder.

models/<id>/model.skops    the estimator and its contract (features, classes), without pickle
models/<id>/card.json      identity, training, scores; sealed
models/<id>/card.html      the same for people; never read back
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cocal.checksums import sha256_bytes
from cocal.classify.applicability import Applicability
from cocal.classify.artefact import (
    digest,
    refusing,
    unpack,
    unpack_area,
    unpack_contract,
    unpack_kernel,
)
from cocal.classify.card import (
    CARD,
    SEAL,
    ModelCard,
    read_sealed,
    write_card,
)
from cocal.classify.contract import contract_of, differences
from cocal.classify.estimators import PERCEPTRON, Classifier, one_thread
from cocal.classify.page import card_page
from cocal.errors import CocalWarning, InputError, ModelMismatchError
from cocal.store import atomic_path, library_versions

ARTEFACT, PAGE = "model.skops", "card.html"
SELF_TEST_TOLERANCE = 1e-6
ROUNDING = 1e-12
"""Difference allowed between the kernel of a perceptron and its estimator; those of trees are equal."""


class ModelVersionWarning(CocalWarning):
    """A model was made with other versions of the libraries; its self-test passed."""


@dataclass(frozen=True)
class Model:
    """A fitted classifier with its card; `artefact` is the content of model.skops."""

    card: ModelCard
    artefact: bytes = field(repr=False)

    @cached_property
    def classifier(self) -> Any:
        """The scikit-learn estimator, unpacked: seconds for a large forest."""
        return self.unpacked[0]

    @cached_property
    def unpacked(self) -> tuple[Any, list[str]]:
        """The estimator, and scikit-learn's warnings from unpacking it."""
        return unpack(self.artefact)

    @cached_property
    def kernel(self) -> Classifier | None:
        """A predictor with the estimator's probabilities that needs no unpacking; None if there is none."""
        return unpack_kernel(self.artefact)

    @cached_property
    def predictor(self) -> Classifier:
        """The kernel; `classifier`, with a KernelWarning, if there is none."""
        from cocal.classify.kernel import accelerated

        return self.kernel or accelerated(self.classifier)

    @cached_property
    def applicability(self) -> Applicability | None:
        """The area of applicability; None if the model has none."""
        area, array = self.card.applicability, unpack_area(self.artefact)
        if area is None or array is None:
            return None
        return Applicability(array[0], array[1], array[2:], area.mean_distance, area.threshold)

    @property
    def target_code(self) -> int:
        return self.card.classes[self.card.class_scheme.target]


def save_model(model: Model, folder: str | Path) -> None:
    """Write model.skops, card.json and card.html into `folder`; equal models give equal bytes.

    Examples
    --------
    See "Model, map, hectares" in docs/api.md.
    """
    folder = Path(folder)
    with atomic_path(folder / ARTEFACT) as temporary:
        temporary.write_bytes(model.artefact)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text(card_page(model.card), encoding="utf-8", newline="\n")
    write_card(folder, model.card)


def load_model(folder: str | Path) -> Model:
    """The model in `folder`, after checks of its checksum, its card and its self-test.

    Raises
    ------
    InputError
        A file is missing, or card.json is not a card.
    ModelMismatchError
        The artefact or the card is altered; the artefact is a pickle, contradicts its card, or no longer
        gives the probabilities that the card states; or it has no kernel, and holds a type that is not
        allowed.

    Warns
    -----
    ModelVersionWarning
        The model was made with another version of a library.

    Examples
    --------
    See "Model, map, hectares" in docs/api.md.
    """
    states = []
    for name in (CARD, ARTEFACT):
        path = Path(folder) / name
        state = path.stat() if path.exists() else None
        states.append(state and (state.st_ino, state.st_size, state.st_mtime_ns))
    return _load(Path(folder), *states)


@lru_cache(maxsize=2)
def _load(folder: Path, *_states: object) -> Model:
    """The model in files of these states: checked once, though every block of a run loads it."""
    model, sealed = _read(folder)
    card = model.card
    _check_bytes(model, folder)
    with refusing():
        _check_card(model)
        _run_self_test(model)
    if not sealed:
        raise ModelMismatchError(
            f"the card of model {card.id} in {folder} was altered after training",
            f"content with the checksum {SEAL!r}", "other content", "restore the card, or train again",
        )  # fmt: skip
    _warn_of_versions(card, [] if model.kernel else model.unpacked[1])
    return model


def stored_model(folder: str | Path) -> Model:
    """The model in `folder`, to read its card; call `load_model` before it predicts.

    The kernels are slow to load. So the self-test is left out for an unaltered model with the same versions
    of the libraries; any other is checked as by `load_model`, with the same errors and warnings.
    """
    model, sealed = _read(Path(folder))
    as_trained = sealed and _sha256(model) == model.card.artefact_sha256 and not _contradictions(model)
    return model if as_trained and not _other_versions(model.card) else load_model(folder)


def _read(folder: Path) -> tuple[Model, bool]:
    """The model, unchecked, and whether its card is as it was sealed."""
    card, sealed = read_sealed(folder)
    try:
        return Model(card, (folder / ARTEFACT).read_bytes()), sealed
    except OSError as err:
        raise InputError(
            f"no model in {folder}", f"the file {ARTEFACT}", str(err), "correct `model:`"
        ) from err


def verify_model(folder: str | Path) -> Model:
    """`load_model`, with the estimator unpacked, tested and compared with the kernel that replaces it.

    Raises
    ------
    InputError, ModelMismatchError
        As `load_model`; or estimator and kernel differ.
    """
    from cocal.classify.kernel import kernel_of

    model = load_model(folder)
    found = _members(model, Path(folder))
    if found != model.card.sha256:
        raise _altered(model.card, folder, found)
    inputs = np.array(model.card.self_test.inputs, dtype=np.float32)
    with refusing(), one_thread():
        apart = model.classifier.predict_proba(inputs) - model.predictor.predict_proba(inputs)
        same = np.abs(apart).max() <= (ROUNDING if model.card.estimator == PERCEPTRON else 0.0)
        same = same and _bytes_of(kernel_of(model.classifier)) == _bytes_of(model.kernel)
    if not same:
        raise ModelMismatchError(
            f"the model {model.card.id} in {folder} holds two different models",
            "an estimator, and the kernel that it gives, byte for byte", "different ones", "train again",
        )  # fmt: skip
    return model


def _bytes_of(kernel: Any) -> dict[str, tuple[str, tuple[int, ...], bytes]] | None:
    """Type, shape and bytes of each array of a kernel."""
    if kernel is None:
        return None
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in kernel.arrays.items()}


def _sha256(model: Model) -> str:
    return hashlib.sha256(model.artefact).hexdigest()


def _check_bytes(model: Model, folder: Path) -> None:
    card, stored = model.card, _sha256(model)
    if stored != card.artefact_sha256:
        raise _altered(card, folder, f"{stored}, {_members(model, folder)}")


def _members(model: Model, folder: Path) -> str:
    """The checksum over the archive's members."""
    try:
        return digest(model.artefact)
    except ModelMismatchError as err:
        raise ModelMismatchError(
            f"the model {model.card.id} in {folder}: {err.what}", err.expected, err.found, err.remedy
        ) from err


def _altered(card: ModelCard, folder: str | Path, found: str) -> ModelMismatchError:
    return ModelMismatchError(
        f"the model {card.id} in {folder} was altered after training",
        f"{ARTEFACT} with sha256 {card.artefact_sha256}, {card.sha256} over its members, as the card says",
        found,
        "restore both files, or train again",
    )


def _contradictions(model: Model) -> list[str]:
    """Differences between the contract in the card and that in the artefact."""
    card = model.card
    stated = contract_of(
        card.features, card.feature_settings, card.class_scheme.sha256, card.classes, card.applicability
    )
    return differences(unpack_contract(model.artefact), stated)


def _check_card(model: Model) -> None:
    card, problems, classifier = model.card, _contradictions(model), model.kernel or model.classifier
    if classifier.n_features_in_ != len(card.features):
        problems.append(f"{classifier.n_features_in_} features trained, {len(card.features)} in the card")
    if classifier.classes_.tolist() != sorted(card.classes.values()):
        problems.append(f"classes {classifier.classes_.tolist()} trained, {card.classes} in the card")
    area = unpack_area(model.artefact)
    if area is not None and not (len(area) > 2 and area.shape[1] == len(card.features)):
        problems.append(f"an area of applicability of shape {area.shape}")
    stated = card.applicability and card.applicability.sha256
    if stated and (area is None or sha256_bytes(area.tobytes()) != stated):
        problems.append("another area of applicability")
    if problems:
        raise ModelMismatchError(
            f"the card of model {card.id} contradicts its artefact",
            "the features, class scheme and classes that it was trained with",
            "; ".join(problems),
            "restore the card, or train again",
        )


def _run_self_test(model: Model) -> None:
    card, classifier = model.card, model.kernel or model.classifier
    inputs = np.array(card.self_test.inputs, dtype=np.float32)
    with one_thread():
        worst = float(np.abs(classifier.predict_proba(inputs) - np.array(card.self_test.probabilities)).max())
    if not worst <= SELF_TEST_TOLERANCE:
        raise ModelMismatchError(
            f"the model {card.id} no longer gives the probabilities on its card",
            f"differences up to {SELF_TEST_TOLERANCE} on {len(inputs)} stored rows",
            f"{worst:.3g}, with scikit-learn {library_versions()['scikit-learn']}"
            f" (trained with {card.libraries.get('scikit-learn')})",
            "install the version it was trained with, or train again",
        )


def _other_versions(card: ModelCard) -> list[str]:
    """The libraries whose version here is not the one that made the model."""
    installed = library_versions()
    return [
        f"{name} {card.libraries.get(name)} (here {installed[name]})"
        for name in ("scikit-learn", "numpy")
        if card.libraries.get(name) != installed[name]
    ]


def _warn_of_versions(card: ModelCard, messages: Sequence[str]) -> None:
    other = _other_versions(card)
    if other or messages:
        warnings.warn(
            f"model {card.id} was made with {', '.join(other) or 'these versions'}; its self-test passed. "
            + " ".join(messages)[:300],
            ModelVersionWarning,
            stacklevel=3,
        )
