"""Altered models: refused by name, or the answers of the sound one; nothing crashes, hangs or fills memory.

The card's checksums are mostly made anew after the alteration, as who alters a file on purpose would do; then
`verify_model` must refuse what changes an answer. Where they are not, `load_model` must.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from cocal.classify import artefact
from cocal.classify.applicability import applicability_of
from cocal.classify.card import CARD, ModelCard, seal_of
from cocal.classify.collection import list_models
from cocal.classify.contract import contract_of, self_test_of, stated_area
from cocal.classify.estimators import estimator_types
from cocal.classify.model import ARTEFACT, Model, _load, load_model, verify_model
from cocal.classify.training.train import train
from cocal.classify.validation.folds import Fold
from cocal.cli.model_tables import models_table
from cocal.errors import CocalError
from cocal.scheme import read_scheme
from tests.classify import conftest as small
from tests.fuzz.alterations import BOUNDS, extended, flipped, overwritten, truncated
from tests.fuzz.child import Child

SEEDS = (226, 875, 1273, 2512)

ESTIMATORS: dict[str, Any] = {
    "walked": RandomForestClassifier(4, random_state=0),
    "shrubs": ExtraTreesClassifier(4, max_leaf_nodes=12, random_state=0),
    "boosted": HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=9, random_state=0),
    "perceptron": MLPClassifier([5, 4], max_iter=20, tol=1, random_state=0),
    "tanh": MLPClassifier([4], activation="tanh", max_iter=20, tol=1, random_state=0),
}

CHILD = Child("tests.fuzz.models")

Members = dict[str, bytes]


def one(seed: int, folder: Path) -> str:
    return CHILD.ask(seed, folder)


def prepare() -> None:
    """Make the sound models, and compile what they need."""
    warnings.simplefilter("ignore")
    for name in sound_models():
        answers(name)
    bombs()


def examine(seed: int, folder: Path) -> str:
    """What is wrong with how cocal takes the altered model of this seed; in the process of `CHILD`."""
    rng = np.random.default_rng(seed)
    names = list(ESTIMATORS)
    name, other = (names[int(rng.integers(0, len(names)))] for _ in range(2))
    sound = sound_models()[name]
    card, data, how = sealed(sound.card), sound.artefact, rng.random()
    if how < 0.1:
        card, what = altered_card(card, rng), "card"
    elif how < 0.25:
        data, what = altered_bytes(data, rng), "bytes"
    else:
        data, what = altered_archive(data, sound_models()[other].artefact, rng)
        card = sealed(sound.card, data)
    (folder / CARD).write_bytes(card)
    (folder / ARTEFACT).write_bytes(data)
    models_table(list_models(folder))
    wrong = _judge(folder, name, resealed=how >= 0.25)
    return wrong and f"{name}, {what}: {wrong}"


def _judge(folder: Path, name: str, *, resealed: bool) -> str:
    changed = False
    _load.cache_clear()
    try:
        found = _answers(load_model(folder))
        changed = found != answers(name)
    except CocalError:
        pass
    if changed and not resealed:
        return "loaded with other answers"
    _load.cache_clear()
    try:
        verify_model(folder)
    except CocalError:
        return ""
    return "verified with other answers" if changed else ""


@cache
def sound_models() -> dict[str, Model]:
    """A sound model of each kind, with the card of one that was trained."""
    scheme = read_scheme(small.ROOT / "configs" / "schemes" / "border-coca.yaml")
    settings = small.settings_of("extra_trees", parameters={"n_estimators": 3})
    trained = train(
        small.samples_of(1), settings, scheme=scheme, feature_names=small.NAMES,
        feature_settings=small.FEATURE_SETTINGS, provenance=small.PROVENANCE,
    )  # fmt: skip
    return {name: _model(trained.card, estimator) for name, estimator in ESTIMATORS.items()}


def _model(card: ModelCard, estimator: Any) -> Model:
    x = np.random.default_rng(3).normal(0.5, 0.3, size=(300, len(small.NAMES))).astype(np.float32)
    codes = np.random.default_rng(5).choice(sorted(card.classes.values()), len(x)).astype(np.uint8)
    estimator.fit(x, codes)
    vars(estimator).pop("_optimizer", None)
    first, second = np.arange(150), np.arange(150, 300)
    halves = Fold("1", first, second, 0), Fold("2", second, first, 0)
    area = applicability_of(estimator, x, halves)
    assert area is not None
    stated = stated_area(area)
    contract = contract_of(
        card.features, card.feature_settings, card.class_scheme.sha256, card.classes, stated
    )
    data = artefact.pack(estimator, contract, area.array)
    kinds = {kind: name for name, kind in estimator_types().items()}
    changed = {
        "applicability": stated, "self_test": self_test_of(estimator, x[:8]),
        "estimator": kinds[type(estimator)],
    }  # fmt: skip
    model = Model(card.model_copy(update=changed), data)
    return Model(model.card.model_copy(update=_checksums(data)), data)


def _checksums(data: bytes) -> dict[str, str]:
    """The checksums that a card states of an archive; that over the members only if they can be read."""
    found = {"artefact_sha256": hashlib.sha256(data).hexdigest()}
    try:
        return found | {"sha256": artefact.digest(data)}
    except CocalError:
        return found


def sealed(card: ModelCard, data: bytes | None = None) -> bytes:
    """The card's file, with the checksums of `data` where it is given."""
    content = card.model_dump(mode="json") | ({} if data is None else _checksums(data))
    return json.dumps(content | {"seal": seal_of(content)}).encode()


@cache
def _rows() -> NDArray[np.float32]:
    rng = np.random.default_rng(9)
    rows = rng.uniform(-0.5, 1.5, size=(400, len(small.NAMES))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.02] = np.nan
    return rows


@cache
def answers(name: str) -> tuple[bytes, ...]:
    """What the sound model of a kind says."""
    return _answers(sound_models()[name])


def _answers(model: Model) -> tuple[bytes, ...]:
    """Probabilities, index of dissimilarity and classes, to the bit."""
    rows = _rows() if model.card.estimator != "perceptron" else np.nan_to_num(_rows())
    area = model.applicability
    index = b"" if area is None else area.index(rows).tobytes()
    return model.predictor.predict_proba(rows).tobytes(), index, repr(model.predictor.classes_).encode()


def altered_card(data: bytes, rng: np.random.Generator) -> bytes:
    """The card with other bytes, or with another value somewhere in it."""
    if rng.random() < 0.5:
        return altered_bytes(data, rng)
    return altered_json(data, rng)


def altered_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    ways = (flipped, overwritten, truncated, extended)
    return ways[int(rng.integers(0, len(ways)))](data, rng)


VALUES: tuple[Any, ...] = (
    None, True, "", "x", "numpy", "sklearn", "os", "system", "builtins", "eval", "../a.npy", [], {}, [[]], -1,
    1.5, "kernel.npz", "000000.npy", "000001.npy", 1e400, *BOUNDS,
)  # fmt: skip


def altered_json(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON with a value replaced, doubled, dropped or exchanged for another one of the same document."""
    content = json.loads(data)
    places = list(_places(content))
    (one, key), (two, other) = (places[int(rng.integers(0, len(places)))] for _ in range(2))
    how = rng.random()
    if how < 0.1:
        del one[key]
    elif how < 0.4:
        one[key] = json.loads(json.dumps(two[other]))
    elif how < 0.43:
        one[key] = json.loads("[" * 900 + "]" * 900)
    elif how < 0.6 and isinstance(one[key], int | float):
        one[key] = one[key] + int(rng.integers(-2, 3))
    else:
        one[key] = VALUES[int(rng.integers(0, len(VALUES)))]
    return json.dumps(content).encode()


def _places(node: Any) -> Any:
    """(container, key) of every value of a document."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


def altered_array(values: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """An array of other values, type, shape or order."""
    how, flat = int(rng.integers(0, 9)), values.copy()
    if how == 0:
        return values.astype(">f4") if values.dtype.kind != "V" else values[values.dtype.names[0]]
    if how == 1:
        return np.concatenate([values.ravel(), values.ravel()[:1]])
    if how == 2:
        return values.ravel()[: values.size // 2]
    if how == 3:
        return np.array([{"a": 1}, None], dtype=object)
    if how == 4 and values.dtype.kind in "iufb":
        flat.reshape(-1)[int(rng.integers(0, values.size)) if values.size else slice(0)] = 1
        return flat
    raw = flat.reshape(-1).view(np.uint8)
    at = rng.integers(0, max(1, raw.size), 1 + max(0, how - 5) * 20)
    if raw.size:
        raw[at] = rng.integers(0, 256, at.size) if how != 6 else 255
    return flat


def _npy(content: bytes, rng: np.random.Generator) -> bytes:
    """An .npy file with another array, other bytes, or a header that states another size."""
    how = rng.random()
    if how < 0.2:
        return altered_bytes(content, rng)
    if how < 0.3:
        sizes = (b"(1099511627776,)", b"(-1,)", b"(0,)", b"(2147483648, 4)")
        return content.replace(b"(", sizes[int(rng.integers(0, 4))] + b" #", 1)
    buffer = io.BytesIO()
    np.save(buffer, altered_array(np.load(io.BytesIO(content)), rng))
    return buffer.getvalue()


def _kernel(content: bytes, rng: np.random.Generator) -> bytes:
    """A kernel with an array altered, dropped, doubled or exchanged."""
    if rng.random() < 0.15:
        return altered_bytes(content, rng)
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    names = sorted(arrays)
    name, other = (names[int(rng.integers(0, len(names)))] for _ in range(2))
    how = rng.random()
    if how < 0.06:
        del arrays[name]
    elif how < 0.1:
        arrays["more"] = arrays[name]
    elif how < 0.2:
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif "nodes" in arrays and how < 0.5:
        field = ("key", "column", "child")[int(rng.integers(0, 3))]
        nodes = arrays["nodes"].copy()
        nodes[field][int(rng.integers(0, len(nodes)))] = int(rng.choice([0, 1, 3, 8, 48, 65_535, len(nodes)]))
        arrays["nodes"] = nodes
    else:
        arrays[name] = altered_array(arrays[name], rng)
    buffer = io.BytesIO()
    (np.savez_compressed if rng.random() < 0.03 else np.savez)(buffer, **arrays)
    return buffer.getvalue()


@cache
def bombs() -> tuple[tuple[str, bytes], ...]:
    """(what, archive): a few kilobytes to megabytes that unpack to gigabytes, or state that they do not."""
    zeros = _zipped({f"{i:06d}.npy": bytes(64 << 20) for i in range(4)})
    small_size = bytearray(_zipped({artefact.CONTRACT: bytes(512 << 20)}))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = small_size.index(signature) + at
        small_size[place : place + 4] = struct.pack("<I", 100)
    many = _zipped({f"{i:06d}.npy": b"" for i in range(60_000)})
    inner = _zipped({"classes_.npy": bytes(256 << 20)})
    return (
        ("zeros", zeros), ("a size that is not true", bytes(small_size)), ("many members", many),
        ("a bomb in the kernel", _zipped({artefact.KERNEL: inner, artefact.CONTRACT: b"{}"})),
    )  # fmt: skip


def _zipped(members: Members, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how, compresslevel=1) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return buffer.getvalue()


def altered_archive(data: bytes, other: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """(the archive with other members, what was done); `other` is an archive of another model."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    ways: tuple[tuple[str, float, Callable[[Members, bytes, np.random.Generator], Members]], ...] = (
        ("kernel", 0.3, _with_kernel), ("array", 0.25, _with_array), ("json", 0.25, _with_json),
        ("area", 0.05, _with_area), ("members", 0.1, _with_members),
    )  # fmt: skip
    chance = rng.random()
    for what, share, change in ways:
        chance -= share
        if chance < 0:
            members = change(members, other, rng)
            return _zipped(members, zipfile.ZIP_STORED if rng.random() < 0.5 else zipfile.ZIP_DEFLATED), what
    if rng.random() < 0.5:
        return altered_bytes(data, rng), "bytes, sealed"
    what, bomb = bombs()[int(rng.integers(0, len(bombs())))]
    return bomb, what


def _with_kernel(members: Members, other: bytes, rng: np.random.Generator) -> Members:
    if artefact.KERNEL not in members:
        return _with_array(members, other, rng)
    return members | {artefact.KERNEL: _kernel(members[artefact.KERNEL], rng)}


def _with_array(members: Members, other: bytes, rng: np.random.Generator) -> Members:
    names = [name for name in members if name.endswith(".npy") and name != artefact.AREA]
    name = names[int(rng.integers(0, len(names)))]
    return members | {name: _npy(members[name], rng)}


def _with_json(members: Members, other: bytes, rng: np.random.Generator) -> Members:
    name = artefact.SCHEMA if rng.random() < 0.8 else artefact.CONTRACT
    change = altered_json if rng.random() < 0.9 else altered_bytes
    return members | {name: change(members[name], rng)}


def _with_area(members: Members, other: bytes, rng: np.random.Generator) -> Members:
    return members | {artefact.AREA: _npy(members[artefact.AREA], rng)}


def _with_members(members: Members, other: bytes, rng: np.random.Generator) -> Members:
    """Two members exchanged, or one dropped, renamed, or that of another model."""
    names = list(members)
    name, second = (names[int(rng.integers(0, len(names)))] for _ in range(2))
    if rng.random() < 0.3:
        name = str(rng.choice([n for n in (artefact.KERNEL, artefact.SCHEMA, artefact.AREA) if n in members]))
    how = int(rng.integers(0, 4))
    if how == 0:
        return members | {name: members[second], second: members[name]}
    if how == 1:
        return {n: content for n, content in members.items() if n != name}
    if how == 2:
        return {("x" + n if n == name else n): content for n, content in members.items()}
    with zipfile.ZipFile(io.BytesIO(other)) as file:
        return members | ({name: file.read(name)} if name in file.namelist() else {"x": b""})
