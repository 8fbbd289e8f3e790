"""The content of a task: what of its values goes into the address of a unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from cocal.checksums import sha256_bytes, sha256_file
from cocal.errors import InputError
from cocal.store import address, canonical_json, proven

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")
S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class File:
    """A file that a result depends on: its bytes count, its path does not.

    So do the bytes of the files that belong to it: see `_parts`.
    """

    path: Path
    sha256: str
    states: tuple[tuple[Path, int, int], ...] = field(default=(), compare=False)
    """Of each part: path, size, time of change in ns."""

    def address_content(self) -> str:
        """SHA-256. InputError if a part has changed since: then it is not known what was read."""
        if any(_state(path) != (size, modified) for path, size, modified in self.states):
            raise InputError(
                f"{self.path} changed while it was in use",
                "the same file from the beginning to the end of a run",
                "another size or time of change",
                "run again: what was made of it before is made anew",
            )
        return self.sha256

    @classmethod
    def of(cls, path: Path, key: str = "") -> File:
        """The file at `path`, which the configuration names under `key`.

        Raises
        ------
        InputError
            It cannot be read.
        """
        try:
            states = tuple((part, *_state(part)) for part in _parts(path))
            found = [_sha256(*state) for state in states]
            return cls(path, found[0] if len(found) == 1 else address(found), states)
        except OSError as err:
            what = f"{key}: {path}" if key else str(path)
            raise InputError(f"cannot read {what}", "a readable file", str(err), "fix the path") from err


def _state(path: Path) -> tuple[int, int]:
    """(size, time of change in ns); (-1, -1) where there is no file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return -1, -1
    return state.st_size, state.st_mtime_ns


def _parts(path: Path) -> list[Path]:
    """The files that `path` stands for.

    Of a raster those beside it that state its place, mask or tags (not overviews: they are never read), of a
    shapefile its table, of a VRT its sources.
    """
    suffix, named = path.suffix.lower(), []
    if suffix == ".vrt":
        import rasterio

        with rasterio.open(path) as raster:
            named = [Path(name) for name in raster.files if not name.endswith((".aux.xml", ".msk", ".ovr"))]
    ends = [".prj", ".hdr", ".wld", ".tab", f"{suffix}w", f".{suffix[1:2]}{suffix[-1:]}w"]
    ends += [".dbf", ".shx", ".cpg"] if suffix == ".shp" else []
    beside = [path.with_name(path.name + end) for end in (".aux.xml", ".msk", ".msk.aux.xml", ".xml")]
    beside += [path.with_suffix(end) for end in ends if suffix]
    sources = [part for source in named if source != path and source.is_file() for part in _parts(source)]
    return [path, *(part for part in dict.fromkeys(beside) if part != path and part.is_file()), *sources]


@lru_cache(maxsize=4096)
def _sha256(path: Path, _size: int, _modified_ns: int) -> str:
    return sha256_file(path)


@dataclass(frozen=True)
class Ref:
    """Another unit: its address counts, its folder does not. `folder` is None where the unit failed."""

    folder: Path | None
    address: str

    def file(self, name: str) -> Path:
        """A file of the unit, which did not fail: see `proven`.

        Raises
        ------
        DamagedError
            It is not as it was committed.
        """
        if self.folder is None:
            raise ValueError(f"{name} of a unit that failed")
        return proven(self.folder / name, self.address)

    def address_content(self) -> str:
        return self.address


FAILED = Ref(None, "failed")


@dataclass(frozen=True)
class Place(Generic[T]):
    """A value that changes no result, such as a folder or the size of blocks; it does not count."""

    value: T

    def address_content(self) -> None:
        return None


class ByContent:
    """Base of values that are equal, and count, by the checksum of their content."""

    sha256: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def address_content(self) -> str:
        return self.sha256


@dataclass(frozen=True)
class Stated(Generic[S]):
    """Settings that name files: the bytes of `files` count, their paths do not."""

    settings: S
    files: tuple[File, ...]

    def address_content(self) -> Any:
        return content(self.settings, {file.path: file.sha256 for file in self.files})


def stated(settings: S, key: str) -> Stated[S]:
    """`settings` with the files that they name; `key` is their section of the configuration.

    Raises
    ------
    InputError
        A file cannot be read.
    """
    return Stated(settings, tuple(File.of(path, key) for path in dict.fromkeys(_paths(settings))))


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _paths(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from _paths(part)


def content(value: Any, files: Mapping[Path, str] | None = None) -> Any:
    """`value` as plain JSON: equal for values that give equal results.

    Numbers, text, dates, sequences, mappings, arrays, dataclasses and settings count field by field. `File`,
    `Ref`, `Place`, `Stated` and whatever has `address_content` state what of them counts.

    Raises
    ------
    TypeError
        A bare path, or a value of another type: it cannot be known what of it counts.

    Examples
    --------
    >>> from datetime import date
    >>> content({"day": date(2024, 1, 5), "model": Ref(None, "0a1b"), "archive": Place("somewhere")})
    {'day': '2024-01-05', 'model': '0a1b', 'archive': None}
    """
    if value is None or isinstance(value, bool | int | float | str | date | Decimal):
        return _scalar(value)
    if isinstance(value, Stated):
        for file in value.files:
            file.address_content()
    if isinstance(value, BaseModel | Stated) and not files:
        return _shared(_Same(value))
    if hasattr(value, "address_content") and not isinstance(value, type):
        return content(value.address_content())
    if isinstance(value, Path) and files and value in files:
        return files[value]
    if isinstance(value, BaseModel):
        return {name: _setting(getattr(value, name), files) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {own.name: content(getattr(value, own.name), files) for own in fields(value)}
    if hasattr(value, "__array_interface__"):
        return _array(value)
    return _many(value, files)


class _Same:
    """A value that equals itself only."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@lru_cache(maxsize=256)
def _shared(same: _Same) -> Any:
    """The content of settings, which are frozen: thousands of tasks hold the same ones."""
    value = same.value
    if hasattr(value, "address_content"):
        return content(value.address_content())
    return {name: _setting(getattr(value, name), None) for name in type(value).model_fields}


def _setting(value: Any, files: Mapping[Path, str] | None) -> Any:
    """A field of settings; the order of a mapping counts, as where the first pattern that fits wins."""
    if isinstance(value, Mapping):
        return [[content(key, files), content(part, files)] for key, part in value.items()]
    return content(value, files)


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _many(value: Any, files: Mapping[Path, str] | None) -> Any:
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: content(part, files) for key, part in value.items()}
        return sorted(([content(k), content(v, files)] for k, v in value.items()), key=canonical_json)
    if isinstance(value, Set):
        return sorted((content(part, files) for part in value), key=canonical_json)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [content(part, files) for part in value]
    raise TypeError(f"{value!r} of type {type(value).__name__} in a task: state a File, Ref or Place")


def _array(value: np.ndarray[Any, Any]) -> Any:
    if value.dtype.kind not in "biufSUmM":
        raise TypeError(f"an array of {value.dtype} in a task: state numbers or text")
    if value.ndim == 0:
        return content(value.item())
    return {"dtype": value.dtype.str, "shape": list(value.shape), "sha256": sha256_bytes(value.tobytes())}


def digest(value: Any) -> str:
    """SHA-256, in hex, of the content of `value`."""
    return address(content(value))
