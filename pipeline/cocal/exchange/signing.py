"""The file of a bundle: its content, and who signed it (Ed25519, RFC 8032, doi:10.17487/RFC8032).

Signed are the bytes of the content as canonical JSON: keys sorted, no spaces, UTF-8. Keys are files of their
own (PEM); the private one is made and kept by the office that signs.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from cocal.checksums import sha256_bytes
from cocal.errors import InputError
from cocal.exchange.content import FORMAT, Bundle
from cocal.store import atomic_path, canonical_json

MOST_BYTES = 200_000_000

_KEY = re.compile("[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Signature:
    """Who signed, the SHA-256 of the raw public key, and the signature (base64)."""

    office: str
    key: str
    signature: str


@dataclass(frozen=True)
class SignedBundle:
    """A bundle as it stands in a file. `sha256` is of the bytes that are signed."""

    bundle: Bundle
    signatures: tuple[Signature, ...]
    sha256: str


def file_schema() -> dict[str, Any]:
    """The JSON schema of a bundle's file: its content and signatures."""
    inner = Bundle.model_json_schema(ref_template="#/$defs/{model}")
    definitions = inner.pop("$defs")
    text = {"type": "string"}
    signature = {
        "type": "object",
        "properties": {"office": text, "key": text | {"pattern": "^[0-9a-f]{64}$"}, "signature": text},
        "required": ["office", "key", "signature"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FORMAT,
        "type": "object",
        "properties": {
            "bundle": {"$ref": "#/$defs/Bundle"},
            "signatures": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Signature"}},
        },
        "required": ["bundle", "signatures"],
        "additionalProperties": False,
        "$defs": definitions | {"Bundle": inner, "Signature": signature},
    }


def signed_bytes(bundle: Bundle) -> bytes:
    """The bytes that a signature covers."""
    return canonical_json(bundle.model_dump(mode="json")).encode()


def make_keys(private: Path, public: Path) -> str:
    """Write a new pair of keys, PEM, the private one readable by its owner alone; the name of the public one.

    Raises
    ------
    InputError
        A file is there already: a key that was used is not overwritten.
    """
    if there := [str(path) for path in (private, public) if path.exists()]:
        raise InputError("a key is there already", "new files", ", ".join(there), "choose other names")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secret)
    own = key.public_key()
    public.write_bytes(
        own.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return sha256_bytes(own.public_bytes_raw())


def write_bundle(path: Path, bundle: Bundle, private: Path) -> None:
    """Write `bundle`, signed by the key in the file `private`."""
    key = _private_key(private)
    signature = Signature(
        bundle.office,
        sha256_bytes(key.public_key().public_bytes_raw()),
        base64.b64encode(key.sign(signed_bytes(bundle))).decode(),
    )
    content = {"bundle": bundle.model_dump(mode="json"), "signatures": [vars(signature)]}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_bundle(path: Path) -> SignedBundle:
    """The bundle in a file, its form checked and its signatures not.

    Raises
    ------
    InputError
        The file is no bundle: cut short, altered in its form, of another format.
    """
    try:
        content = _outer(path)
        bundle = _as_written(content["bundle"])
        signatures = tuple(_signature(own, bundle.office) for own in content["signatures"])
    except (OSError, ValueError, TypeError, RecursionError) as err:
        raise InputError(
            f"{path} cannot be read as a bundle",
            f"JSON of the format {FORMAT}, as docs/bundle.schema.json states", _reason(err),
            "ask the office for the file again",
        ) from err  # fmt: skip
    return SignedBundle(bundle, signatures, sha256_bytes(signed_bytes(bundle)))


def _signature(content: Any, office: str) -> Signature:
    """A signature of the office whose bundle it is; what is signed does not hold this name."""
    found = Signature(**content)
    if not all(isinstance(value, str) for value in vars(found).values()) or not _KEY.fullmatch(found.key):
        raise ValueError("a signature that is no text")
    if found.office != office:
        raise ValueError("a signature of another office than the bundle's")
    return found


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from content
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _as_written(content: Any) -> Bundle:
    """The bundle, if it says the same when it is written again."""
    bundle = Bundle.model_validate(content)
    if signed_bytes(bundle) != canonical_json(content).encode():
        raise ValueError("it is not written as it is read, such as numbers of another form")
    return bundle


def _outer(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    if not isinstance(content, dict) or set(content) != {"bundle", "signatures"}:
        raise ValueError("not an object of bundle and signatures")
    if any(_CONTROL.search(text) for text in _texts(content)):
        raise ValueError("a text with characters that control a terminal")
    if not isinstance(content["signatures"], list) or not content["signatures"]:
        raise ValueError("no signature")
    return content


def _reason(err: Exception) -> str:
    """What is wrong, without the values."""
    if isinstance(err, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, e['loc'][:4])) or 'bundle'}: {e['msg']}"
            for e in err.errors(include_input=False)[:5]
        )
    return str(err)


def check_signatures(signed: SignedBundle, keys: Sequence[Path]) -> tuple[str, ...]:
    """The names of the keys that signed the bundle, each a file that is known to be an office's.

    Raises
    ------
    InputError
        A key did not sign it, or the content is not what was signed.
    """
    names, data = [], signed_bytes(signed.bundle)
    for path in keys:
        key = _public_key(path)
        name = sha256_bytes(key.public_bytes_raw())
        own = [s for s in signed.signatures if s.key == name]
        if not own:
            raise InputError(
                f"the bundle of {signed.bundle.office} is not signed by the key in {path}",
                f"a signature by the key {name[:16]}",
                ", ".join(f"{s.office} {s.key[:16]}" for s in signed.signatures),
                "use the public key that the office gave you itself; do not use this bundle",
            )
        try:
            key.verify(base64.b64decode(own[0].signature, validate=True), data)
        except (InvalidSignature, ValueError) as err:
            raise InputError(
                f"the bundle of {signed.bundle.office} was altered after it was signed",
                f"a content that the signature of the key {name[:16]} covers", "another content",
                "do not use it; ask the office for the file again",
            ) from err  # fmt: skip
        names.append(path.name)
    return tuple(names)


def _private_key(path: Path) -> Any:
    return _key(
        path, lambda data: serialization.load_pem_private_key(data, None), Ed25519PrivateKey, "private"
    )


def _public_key(path: Path) -> Any:
    return _key(path, serialization.load_pem_public_key, Ed25519PublicKey, "public")


def _key(path: Path, load: Any, kind: type, word: str) -> Any:
    try:
        key = load(path.read_bytes())
    except (OSError, ValueError, TypeError) as err:
        raise InputError(f"{path} is no {word} key", "an Ed25519 key as PEM", type(err).__name__, "") from err
    if not isinstance(key, kind):
        raise InputError(f"{path} is no {word} key", "an Ed25519 key as PEM", type(key).__name__, "")
    return key
