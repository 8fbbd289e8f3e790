"""Committed outputs: content addresses, atomic files, checksums, manifests, locks.

A unit of output is a set of files with one manifest. The manifest is written last, so it is the
commit mark: files without a manifest do not exist for cocal. A unit is reused only if its manifest carries
the address asked for and its files have their checksums; one that is damaged is moved aside, below `DAMAGED`.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cocal.checksums import difference, file_facts, read_back, sha256_bytes
from cocal.errors import BusyError, DamagedError
from cocal.notes import Note
from cocal.notes.account import recorded

if TYPE_CHECKING:
    import pandas as pd

MANIFEST, MANIFESTS = "manifest.json", "manifests"
STAGING = ".staging"
DAMAGED = "damaged"
"""Folder of a store that holds the units which were found damaged; cocal reads and deletes none of it."""

_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\.\w+)?")
_STARTS = "=+-@\t\r'"
_FORMULA = re.compile(r"[=+\-@\t\r']")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?(( [+-]?\d+(\.\d*)?){3})?")
"""A number, or the four by which ODK states a position."""


def canonical_json(value: Any) -> str:
    """`value` as JSON text that is equal for equal values: keys sorted, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False, ensure_ascii=False
    )


def address(value: Any) -> str:
    """SHA-256, in hex, of the canonical JSON of `value`: the name of what `value` produces."""
    return sha256_bytes(canonical_json(value).encode())


@lru_cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries whose change can change a number."""
    import rasterio

    names = ("numba", "numpy", "pandas", "pyproj", "scikit-learn", "scipy", "shapely", "xarray")
    found = {name: metadata.version(name) for name in names}
    return found | {"gdal": str(rasterio.__gdal_version__)}


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _publish(temporary: Path, final: Path) -> None:
    _fsync(temporary)
    os.replace(temporary, final)
    _fsync(final.parent)


@contextmanager
def atomic_path(final: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `final`; on success it becomes `final`, on error it is gone."""
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.stem}-{uuid.uuid4().hex[:8]}{final.suffix}")
    try:
        yield temporary
        _publish(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def sweep_temporaries(folder: Path) -> None:
    """Remove what a killed process left of `atomic_path` in `folder`. Call it under a lock only."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """UTF-8, comma, line feeds. A text that a spreadsheet would take for a formula gets a ' before it."""
    with atomic_path(path) as temporary:
        inert(table).to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def inert(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with every text `inert_text`; see `given_back`."""
    return _texts(table, inert_text)


def inert_text(text: str) -> str:
    """`text`, with a ' before it where it begins like a formula and is no number or position.

    The characters are those of OWASP, "CSV Injection": = + - @ tab, carriage return; and ' itself.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def given_back(table: pd.DataFrame) -> pd.DataFrame:
    """The table from which `inert` was made; every table that cocal may have written is read through this."""
    return _texts(table, lambda text: text[1:] if text[:1] == "'" and _FORMULA.match(text[1:]) else text)


def _texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    new = {
        str(name): [change(v) if isinstance(v, str) else v for v in values]
        for name, values in table.items()
        if values.dtype.kind == "O" and any(isinstance(v, str) and v[:1] in _STARTS for v in values)
    }
    return table.assign(**new)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as readable JSON, atomically; a file that already holds it is left alone."""
    path = Path(path)
    text = _json_text(value)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Manifest:
    """What a unit holds and what made it."""

    address: str
    inputs: dict[str, Any]
    files: dict[str, dict[str, Any]]
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the making of the unit left out or repaired."""
        return tuple(Note(code, **values) for code, values in self.note.get("left_out", ()))

    @classmethod
    def read(cls, path: Path) -> Manifest | None:
        """The manifest at `path`; None where there is none or it is damaged (then: not committed)."""
        try:
            state = path.stat()
        except OSError:
            return None
        return _read_manifest(path, state.st_ino, state.st_size, state.st_mtime_ns)

    def to_text(self) -> str:
        """The content of its file: JSON with a `seal`, the checksum of all the rest."""
        content = json.loads(_json_text(asdict(self)))
        return _json_text(content | {"seal": address(content)})

    def holds(self, root: Path) -> bool:
        """True if every file below `root` is there with the recorded size and checksum."""
        return not self.lacking(root) and not self.damage(root)

    def lacking(self, root: Path) -> list[str]:
        """The files below `root` that are missing or have another size: a look that reads no content."""
        return [
            name
            for name, facts in self.files.items()
            if not (root / name).is_file() or (root / name).stat().st_size != facts.get("bytes")
        ]

    def damage(self, root: Path) -> dict[str, str]:
        """File -> how it differs from what was committed; each file is read once per process."""
        found = {name: difference(root / name, facts) for name, facts in self.files.items()}
        return {name: text for name, text in found.items() if text}


@lru_cache(maxsize=64)
def _read_manifest(path: Path, *_state: int) -> Manifest | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seal = content.pop("seal", None)  # manifests of earlier versions have none
        return Manifest(**content) if seal in (None, address(content)) else None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def listing(path: Path) -> tuple[Path, Manifest, str] | None:
    """The manifest that lists a file of a unit, where it is, and the file's name in it; None if none does."""
    for home in path.parents[:4]:
        name = path.relative_to(home).as_posix()
        for mark in (home / MANIFEST, *sorted((home / MANIFESTS).glob("*.json"))):
            manifest = Manifest.read(mark)
            if manifest is not None and name in manifest.files:
                return mark, manifest, name
    return None


def alteration(path: Path) -> str:
    """How a file that cocal committed differs from what it was; "" where it does not, or is no such file."""
    found = listing(path.absolute())
    return difference(path, found[1].files[found[2]]) if found else ""


def proven(path: Path, made_by: str = "") -> Path:
    """`path`, a file of a committed unit, if its bytes are those that were committed.

    Compared once per process, and again when the file has changed. `made_by`: the address of the unit.

    Raises
    ------
    DamagedError
        It is missing, or differs from its manifest; no manifest lists it, or one of another unit does.
    """
    found = listing(path)
    if found is None:
        mark, wrong = path.with_name(MANIFEST), "no manifest that lists it"
    else:
        mark, manifest, name = found
        same = not made_by or manifest.address == made_by
        wrong = difference(path, manifest.files[name]) if same else f"a file of {manifest.address[:12]}"
    if wrong:
        raise DamagedError(
            f"{path} is not as it was committed", "the file that its manifest lists", wrong,
            "run `cocal run` with the configuration again: it makes anew what is damaged", str(mark),
        )  # fmt: skip
    return path


class LocalStore:
    """Units of output below one folder.

    A unit named `"a/b"` keeps its files in `root/a/b/` and its manifest beside them. A unit named
    `":measure"` keeps its files in `root` itself and its manifest in `root/manifests/measure.json`.
    """

    def __init__(self, root: str | Path, timed: bool = True) -> None:
        self.root = Path(root)
        self.timed = timed
        """Whether manifests hold the seconds of work; without, the same inputs leave the same bytes."""

    def home(self, unit: str) -> Path:
        """The folder that holds the unit's files."""
        return self.root if unit.startswith(":") else self.root / unit

    def manifest_path(self, unit: str) -> Path:
        """The unit's commit mark."""
        if unit.startswith(":"):
            return self.root / MANIFESTS / f"{unit[1:]}.json"
        return self.root / unit / MANIFEST

    def find(self, unit: str, wanted: str) -> Manifest | None:
        """The unit's manifest if it was made by exactly `wanted` and its files are whole."""
        manifest = Manifest.read(self.manifest_path(unit))
        if manifest is None or manifest.address != wanted or not manifest.holds(self.home(unit)):
            return None
        return manifest

    def damage(self, unit: str, wanted: str) -> str:
        """How the unit made by `wanted` is damaged; "" where it is whole, or there is none."""
        mark = self.manifest_path(unit)
        manifest = Manifest.read(mark)
        if manifest is None:
            return f"{mark.name} cannot be read" if mark.exists() else ""
        found = manifest.damage(self.home(unit)) if manifest.address == wanted else {}
        return "; ".join(f"{name}: {text}" for name, text in found.items())

    def set_aside(self, unit: str) -> Path:
        """Move a damaged unit with its manifest below `DAMAGED`; the folder where it is now.

        It is a folder of its own each time: nothing is overwritten.
        """
        mark, home = self.manifest_path(unit), self.home(unit)
        manifest = Manifest.read(mark)
        kept = self.root / DAMAGED / unit.lstrip(":")
        to = next(path for n in itertools.count(1) if not (path := kept / str(n)).exists())
        to.mkdir(parents=True)
        if home != self.root:
            os.replace(home, to)
            return to
        for path in [*(home / name for name in (manifest.files if manifest else ())), mark]:
            if path.is_file():
                target = to / path.relative_to(home)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        return to

    def notes(self, unit: str) -> tuple[Note, ...]:
        """What a committed unit left out or repaired."""
        manifest = Manifest.read(self.manifest_path(unit))
        return () if manifest is None else manifest.notes

    @contextmanager
    def commit(self, unit: str, inputs: Mapping[str, Any]) -> Iterator[Path]:
        """Yield a staging folder; what is written there is published whole, the manifest last.

        The manifest keeps the notes that are recorded meanwhile (`cocal.notes.account`). Files of the unit
        as it was before that are not written again are removed.
        """
        began = time.monotonic()
        staging = self.root / STAGING / uuid.uuid4().hex
        staging.mkdir(parents=True)
        try:
            with recorded() as notes:
                yield staging
            home, files = self.home(unit), {}
            before = Manifest.read(self.manifest_path(unit))
            self.manifest_path(unit).unlink(missing_ok=True)
            for path in sorted(p for p in staging.rglob("*") if p.is_file()):
                name = path.relative_to(staging).as_posix()
                _fsync(path)
                if path.suffix == ".tif":
                    read_back(path, f"{unit}/{name}")
                files[name] = file_facts(path)
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                _publish(path, home / name)
            for name in set(before.files if before else ()) - set(files):
                (home / name).unlink(missing_ok=True)
            manifest = Manifest(
                address(inputs),
                dict(inputs),
                files,
                library_versions(),
                round(time.monotonic() - began, 3) if self.timed else 0.0,
                {"left_out": [[note.code, note.values] for note in notes]} if notes else {},
            )
            mark = staging / MANIFEST
            mark.write_text(manifest.to_text(), encoding="utf-8")
            self.manifest_path(unit).parent.mkdir(parents=True, exist_ok=True)
            _publish(mark, self.manifest_path(unit))
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a killed process left unfinished. Call it under the lock only."""
        shutil.rmtree(self.root / STAGING, ignore_errors=True)
        sweep_temporaries(self.root)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; a second process is refused at once, by name."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as err:
            raise BusyError(
                f"{self.root} is in use by another cocal process",
                "one writer at a time",
                f"{lock.lock_file} is locked",
                "wait for the other run to end, or give this run another name",
            ) from err
        try:
            yield
        finally:
            lock.release()
