"""The skops archive of a model: equal bytes for equal models, a checksum over its members, an allow-list.

skops names members after addresses in memory, so two archives of one model differ. `pack` numbers them in the
order of the schema instead, and adds `cocal.json`, the model's contract. Importing skops loads all of
scikit-learn, and unpacking a forest takes seconds; so the member `kernel.npz` holds the trees as plain
arrays, which suffice to predict.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tokenize
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from cocal.classify.estimators import PERCEPTRON, Classifier, estimator_types
from cocal.errors import ModelMismatchError
from cocal.store import canonical_json

SCHEMA, CONTRACT, AREA, KERNEL = "schema.json", "cocal.json", "applicability.npy", "kernel.npz"

MOST_CLASSES = 256
"""Classes of a model: codes are bytes."""

OTHERS = "members_sha256"
"""Key of the contract's member: the checksum over all other members."""

ALLOWED_TYPES = frozenset(
    {"sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"}
)
"""Types in models of cocal besides those that skops itself trusts."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENTRY = b"PK\x01\x02"
"""Begins each entry of a zip archive's directory (APPNOTE 6.3.10, 4.3.12)."""
_BROKEN = (
    BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError, ValueError, OSError, EOFError,
    KeyError, IndexError, TypeError, AttributeError, RuntimeError, ArithmeticError, MemoryError,
)  # fmt: skip
"""What readers of altered archives raise; NotImplementedError and RecursionError are RuntimeErrors."""

MOST_MEMBERS, MOST_BYTES, MOST_RATIO = 50_000, 4 << 30, 100
"""Limits of an archive: members, bytes when unpacked, and these bytes per byte of the file."""


def pack(estimator: Any, contract: Mapping[str, Any], area: NDArray[np.float32] | None = None) -> bytes:
    """The estimator as a skops archive with `contract` and `area` in it; equal bytes for equal models."""
    import skops.io

    members: dict[str, bytes] = {}
    with ZipFile(io.BytesIO(skops.io.dumps(estimator))) as source:
        files: dict[str, str] = {}
        schema = _renumbered(json.loads(source.read(SCHEMA)), {}, files)
        for old, new in files.items():
            members[new] = source.read(old)
    from cocal.classify.kernel import kernel_of, write_kernel

    if kernel := kernel_of(estimator):
        members[KERNEL] = write_kernel(kernel)
    members[SCHEMA] = canonical_json(schema).encode()
    if area is not None:
        array = io.BytesIO()
        np.save(array, area, allow_pickle=False)
        members[AREA] = array.getvalue()
    others = _sha256((name, members[name]) for name in sorted(members))
    members[CONTRACT] = canonical_json({**contract, OTHERS: others}).encode()
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as target:
        for name, data in members.items():
            target.writestr(ZipInfo(name, _EPOCH), data, compress_type=ZIP_DEFLATED, compresslevel=6)
    return buffer.getvalue()


def _renumbered(node: Any, numbers: dict[int, int], files: dict[str, str]) -> Any:
    """The schema with ids and file names replaced by numbers in the order in which they occur."""
    if isinstance(node, list):
        return [_renumbered(value, numbers, files) for value in node]
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            out[key] = numbers.setdefault(value, len(numbers) + 1)
        elif key == "file" and isinstance(value, str):
            out[key] = files.setdefault(value, f"{len(files):06d}{Path(value).suffix}")
        else:
            out[key] = _renumbered(value, numbers, files)
    return out


def digest(data: bytes) -> str:
    """SHA-256 over the archive's members, each name and content, in the order of their names.

    Raises
    ------
    ModelMismatchError
        `data` is not a whole zip archive (a pickle, a truncated file).
    """
    with _opened(data) as archive:
        return _sha256((name, _read(archive, name)) for name in sorted(archive.namelist()))


def _sha256(members: Iterable[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in members:
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _check_members(data: bytes) -> None:
    """Raise a ModelMismatchError unless the archive holds the members that it was packed with.

    Its contract states their checksum; those of models made before do not.
    """
    with _opened(data) as archive:
        stated = json.loads(_read(archive, CONTRACT)).get(OTHERS) if CONTRACT in archive.namelist() else None
        names = sorted(name for name in archive.namelist() if name != CONTRACT)
        found = _sha256((name, _read(archive, name)) for name in names)
    if stated not in (None, found):
        raise ModelMismatchError(
            "model.skops was altered after training", f"members with the checksum {stated}", found,
            "restore the file, or train again",
        )  # fmt: skip


def member(data: bytes, name: str) -> bytes | None:
    """The content of a member; None where the archive has none of that name.

    Raises
    ------
    ModelMismatchError
        `data` is not a whole zip archive.
    """
    with _opened(data) as archive:
        return _read(archive, name) if name in archive.namelist() else None


def _read(archive: ZipFile, name: str) -> bytes:
    """The content of a member: never more than its header states, whatever its bytes unpack to."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{name} has {len(content)} bytes, its header states {size}")
    return content


def _stored(data: bytes) -> bytes:
    """The archive with its members as they are, uncompressed: what reads it can unpack nothing."""
    buffer = io.BytesIO()
    with _opened(data) as archive, ZipFile(buffer, "w") as target:
        for name in archive.namelist():
            target.writestr(ZipInfo(name, _EPOCH), _read(archive, name), compress_type=ZIP_STORED)
    return buffer.getvalue()


@contextmanager
def refusing() -> Iterator[None]:
    """Raise what altered content raises in the libraries that take it as ModelMismatchError."""
    try:
        yield
    except (*_BROKEN, ImportError) as err:
        raise _unreadable(err) from err


@contextmanager
def _opened(data: bytes) -> Iterator[ZipFile]:
    try:
        if data.count(_ENTRY) > MOST_MEMBERS:
            raise ValueError(f"more than {MOST_MEMBERS} members")
        with ZipFile(io.BytesIO(data)) as archive:
            _check_limits(archive, len(data))
            yield archive
    except _BROKEN as err:
        raise ModelMismatchError(
            "model.skops is not a skops archive", "a zip archive written by `cocal train`", str(err),
            "restore the file, or train again",
        ) from err  # fmt: skip


def _check_limits(archive: ZipFile, size: int) -> None:
    members = archive.infolist()
    unpacked, names = sum(m.file_size for m in members), {m.filename for m in members}
    problems = {
        f"{size} bytes unpack to {unpacked}, at most {MOST_BYTES} and {MOST_RATIO} times as many":
            unpacked > min(MOST_BYTES, MOST_RATIO * size + (1 << 20)),
        "two members of one name": len(names) < len(members),
        "a compression other than deflate": any(
            m.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for m in members
        ),
    }  # fmt: skip
    if any(problems.values()):
        raise ValueError("; ".join(problem for problem, holds in problems.items() if holds))


def unpack_area(data: bytes) -> NDArray[np.float32] | None:
    """The array that was packed as `area`; None if there is none."""
    from cocal.classify.kernel.checks import need_array, read_array

    content = member(data, AREA)
    if content is None:
        return None
    try:
        area = read_array(content, AREA)
        need_array(AREA, area, np.float32, (None, None))
    except _BROKEN as err:
        raise _unreadable(err) from err
    return area


def unpack_contract(data: bytes) -> dict[str, Any]:
    """The contract that was packed.

    Raises
    ------
    ModelMismatchError
        `data` is not an archive made by `pack`.
    """
    content = member(data, CONTRACT)
    if content is None:
        raise _unreadable(KeyError(CONTRACT))
    try:
        return {key: value for key, value in dict(json.loads(content)).items() if key != OTHERS}
    except _BROKEN as err:
        raise _unreadable(err) from err


def unpack_kernel(data: bytes) -> Classifier | None:
    """The kernel that predicts in the estimator's place; None for an estimator without one.

    Raises
    ------
    ModelMismatchError
        The member is not as `pack` writes it.
    """
    from cocal.classify.kernel import read_kernel

    content = member(data, KERNEL)
    try:
        return None if content is None else read_kernel(content)
    except _BROKEN as err:
        raise _unreadable(err) from err


def _unreadable(err: Exception) -> ModelMismatchError:
    return ModelMismatchError(
        "model.skops cannot be read as a model of cocal", "an archive written by `cocal train`",
        f"{type(err).__name__}: {err}", "restore the file, or train again",
    )  # fmt: skip


def unpack(data: bytes) -> tuple[Any, list[str]]:
    """(estimator, scikit-learn's warnings); nothing is built from a type that is not allowed.

    Raises
    ------
    ModelMismatchError
        The archive holds a type beyond the allow-list (named), is no model of cocal, or cannot be read.
    """
    import skops.io

    _check_members(data)
    data = _stored(data)
    with refusing():
        _check_tree_arguments(data)
        unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - ALLOWED_TYPES)
        if unknown:
            raise ModelMismatchError(
                "model.skops holds types that cocal does not load",
                f"only {', '.join(sorted(ALLOWED_TYPES))}",
                ", ".join(unknown), "do not use this file; train the model with `cocal train`",
            )  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = skops.io.loads(data, trusted=sorted(ALLOWED_TYPES))
        if type(estimator) not in estimator_types().values():
            raise ModelMismatchError(
                "model.skops does not hold a classifier of cocal", ", ".join(sorted(estimator_types())),
                type(estimator).__name__, "train the model with `cocal train`",
            )  # fmt: skip
        _check_estimator(estimator)
    return estimator, [str(w.message) for w in caught]


def _check_tree_arguments(data: bytes) -> None:
    """Raise a ValueError where a tree of scikit-learn would be made with sizes that it reads unchecked."""
    from cocal.classify.kernel.checks import need, need_array, read_array

    with _opened(data) as archive:
        nodes = [json.loads(_read(archive, SCHEMA))]
        while nodes:
            node = nodes.pop()
            values = node.values() if isinstance(node, dict) else node
            nodes += [value for value in values if isinstance(value, dict | list)]
            if isinstance(node, dict) and node.get("__loader__") == "TreeNode":
                _, n_classes, n_outputs = node["__reduce__"]["args"]["content"]
                classes = read_array(_read(archive, n_classes["file"]), "n_classes")
                need_array("n_classes", classes, np.int64, (1,))
                need(n_outputs["content"] == "1" and 1 <= classes[0] <= MOST_CLASSES, "a tree of other sizes")


def _check_estimator(estimator: Any) -> None:
    """Raise a ValueError if scikit-learn's compiled code could walk outside the estimator's trees."""
    from cocal.classify.kernel import kernel_of
    from cocal.classify.kernel.checks import need

    kernel = kernel_of(estimator)  # checks the trees
    need(kernel is not None or type(estimator) is estimator_types()[PERCEPTRON], "trees without a kernel")
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = None
