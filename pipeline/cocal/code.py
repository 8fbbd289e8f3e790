"""Digest of the code that makes an output: the definitions that its functions can reach, and nothing else.

A definition is a function, a class or a name of a module. The closure of some functions is found from the
source text, by definition and not by module: names and attributes of modules are followed, through re-exports
of packages and imports inside functions. Annotations are followed, because they name the classes whose
methods run, but not hashed. Not hashed either: docstrings, comments, layout, `description=` of a pydantic
Field. A class counts whole with its bases, a table with the functions that it names, a module with its loose
statements. `asset("a/literal/path")` adds the bytes of package data. Third-party libraries count by their
version.

Whatever reaches code or data that the text does not name (import_module, eval, exec, globals, getattr of a
module, `__file__`) is an error inside a closure.
"""

from __future__ import annotations

import gc
import hashlib
import inspect
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from cocal.assets import PACKAGE, asset
from cocal.caches import keyed_folder, user_cache
from cocal.definitions import LOOSE, ROOT, Facts, Module, sha256
from cocal.errors import CodeError

log = logging.getLogger(__name__)

USERS = "users of "
"""Before a name: all definitions that use it."""


@dataclass(frozen=True)
class Closure:
    """All that some functions can reach."""

    definitions: frozenset[str]
    libraries: tuple[str, ...]
    digest: str
    """SHA-256 of definitions, names of libraries and bytes of package data; the same on every Python."""


def code_of(*functions: Callable[..., Any]) -> str:
    """SHA-256, in hex, of all code that `functions` can reach, with the versions of the libraries that it
    imports.

    Code of one generation (`same_results.yaml`) has one value.

    Raises
    ------
    CodeError
        The closure cannot be read from the source: every reason, with its module and line.
    """
    return _code(_closure(functions))


def code_of_users(name: str) -> str:
    """As `code_of`, of all definitions of the package that name `name`, such as a decorator."""
    return _code(_closure_of_names((USERS + name,), ()))


def closure_of(*functions: Callable[..., Any]) -> frozenset[str]:
    """Qualified names of the definitions that `functions` can reach, such as `cocal.grid.Window`."""
    return _closure(functions).definitions


def libraries_of(*functions: Callable[..., Any]) -> dict[str, str]:
    """Distribution -> version of the libraries that `functions` can reach, GDAL and PROJ included."""
    return dict(_versions(_closure(functions).libraries))


def _code(closure: Closure) -> str:
    made_by = generations().get(closure.digest, closure.digest)
    return sha256([made_by, sorted(_versions(closure.libraries).items())])


@lru_cache(maxsize=1)
def generations() -> dict[str, str]:
    """Digest of code -> kind of unit and generation (`maps 1`) whose results it is known to give."""
    import yaml

    listed = yaml.safe_load(asset("same_results.yaml").read_text(encoding="utf-8"))
    return {
        digest: f"{kind} {known['generation']}"
        for kind, known in listed.items()
        for digest in known["digests"]
    }


@lru_cache(maxsize=64)
def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    versions = dict.fromkeys(libraries, "not installed")
    for name in versions:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    if "rasterio" in versions:
        import rasterio

        versions["gdal"] = str(rasterio.__gdal_version__)
    if "pyproj" in versions:
        import pyproj

        versions["proj"] = str(pyproj.proj_version_str)
    return versions


def _closure(functions: Sequence[Callable[..., Any]]) -> Closure:
    plain = [
        getattr(function, "py_func", function) for function in functions
    ]  # numba keeps the function there
    names = tuple(sorted(f"{f.__module__}.{f.__qualname__.partition('.')[0]}" for f in plain))
    elsewhere = {
        f.__module__: inspect.getsourcefile(f) or "" for f in plain if f.__module__.split(".")[0] != ROOT
    }
    return _closure_of_names(names, tuple(sorted(elsewhere.items())))


@lru_cache(maxsize=256)
def _closure_of_names(names: tuple[str, ...], elsewhere: tuple[tuple[str, str], ...]) -> Closure:
    package = installed()
    if elsewhere:
        others = {name: Path(path).read_text(encoding="utf-8") for name, path in elsewhere}
        return Package(package.files, others).closure(names)
    try:
        file = keyed_folder(user_cache("code"), package.digest) / f"{sha256(names)}.json"
    except (OSError, RuntimeError) as err:  # no home, or not writable
        log.debug("no cache of closures: %s", err)
        return package.closure(names)
    return _stored(file) or _store(file, package.closure(names))


def _stored(file: Path) -> Closure | None:
    """The closure in `file`; None if it is not there, or not what was written."""
    try:
        content, checksum = json.loads(file.read_bytes())
    except (OSError, ValueError, TypeError):
        return None
    if checksum != sha256([file.parent.name, file.name, content]):
        return None
    definitions, libraries, digest = content
    return Closure(frozenset(definitions), tuple(libraries), digest)


def _store(file: Path, closure: Closure) -> Closure:
    content = [sorted(closure.definitions), closure.libraries, closure.digest]
    temporary = file.with_name(f".{uuid.uuid4().hex}")
    with suppress(OSError):
        temporary.write_text(json.dumps([content, sha256([file.parent.name, file.name, content])]))
        os.replace(temporary, file)
    return closure


@lru_cache(maxsize=1)
def installed() -> Package:
    """The package as it is on disk."""
    files = (path for path in sorted(PACKAGE.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return Package({path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in files})


class Package:
    """The text of the package's files, read and followed where it is needed."""

    def __init__(self, files: Mapping[str, bytes], others: Mapping[str, str] | None = None) -> None:
        self.files, self.others = files, others or {}
        self.modules: dict[str, Module | None] = {}
        self.facts: dict[str, Facts] = {}
        self.resolved: dict[tuple[str, tuple[str, ...]], str] = {}

    @property
    def digest(self) -> str:
        """SHA-256 of all files, in hex."""
        return sha256([(path, hashlib.sha256(data).hexdigest()) for path, data in sorted(self.files.items())])

    def module(self, name: str) -> Module | None:
        """The module `name`; None if it is none of the package's."""
        if name not in self.modules:
            base = name.replace(".", "/").removeprefix(ROOT).removeprefix("/")
            paths = (
                (f"{base}/__init__.py".removeprefix("/"), f"{base}.py") if name.split(".")[0] == ROOT else ()
            )
            text = next((self.files[path] for path in paths if path in self.files), self.others.get(name))
            self.modules[name] = None if text is None else Module(name, text)
        return self.modules[name]

    def defined(self, name: str) -> bool:
        """Whether `name` is a definition of the package."""
        module, _, own = name.rpartition(".")
        return (found := self.module(module)) is not None and own in found.defined

    def resolve(self, module: str, path: tuple[str, ...]) -> str:
        """Full name of `module` with the attributes `path`: where it is defined, or that of the library."""
        key = module, path
        if key not in self.resolved:
            self.resolved[key] = self._resolve(module, path)
        return self.resolved[key]

    def _resolve(self, module: str, path: tuple[str, ...]) -> str:
        here = self.module(module)
        if here is None or not path:
            return ".".join((module, *path))
        name, rest = path[0], path[1:]
        if name in here.defined:
            return f"{module}.{name}"
        origin, attribute = here.imported.get(name, ("", ""))
        if origin and (origin, attribute) != (module, name):
            return self.resolve(origin, (attribute, *rest) if attribute else rest)
        return self.resolve(f"{module}.{name}", rest)

    def fact(self, name: str) -> Facts:
        """What the definition `name` is and names."""
        if name not in self.facts:
            module, _, own = name.rpartition(".")
            found = self.module(module)
            assert found is not None
            self.facts[name] = Facts(self, found, own)
        return self.facts[name]

    def closure(self, names: Iterable[str]) -> Closure:
        """All that the definitions `names` can reach."""
        with _uncollected():
            return self._closure(names)

    def _closure(self, names: Iterable[str]) -> Closure:
        waiting, reached, modules, errors = list(names), dict[str, Facts](), set[str](), list[str]()
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            if self.defined(name):
                reached[name] = self.fact(name)
                waiting += reached[name].definitions
                module = name.rpartition(".")[0]
                if module not in modules:
                    modules.add(module)
                    parts = module.split(".")
                    loose = [".".join((*parts[: n + 1], LOOSE)) for n in range(len(parts))]
                    waiting += [own for own in loose if self.defined(own)]
            elif name.startswith(USERS):
                waiting += self.users(name.removeprefix(USERS))
            elif found := self.module(name):  # a module as a value: anything of it may be used
                waiting += [f"{name}.{own}" for own in found.defined]
            else:
                errors.append(f"{name} is not defined in {ROOT}")
        errors += [error for facts in reached.values() for error in facts.errors]
        if errors:
            raise CodeError(
                "the code that makes an output cannot be followed in its source",
                "names, imports and literal `asset` paths that can be followed in the text",
                "; ".join(sorted(errors)),
                "name functions and classes where they are used, in a table if there are many",
            )
        libraries = sorted(set().union(*(facts.libraries for facts in reached.values())))
        data = sorted(
            {path for facts in reached.values() for asset in facts.assets for path in self.below(asset)}
        )
        content = [
            sorted((name, facts.digest) for name, facts in reached.items()),
            [(path, hashlib.sha256(self.files[path]).hexdigest()) for path in data],
            libraries,
        ]
        return Closure(frozenset(reached), tuple(libraries), sha256(content))

    def users(self, name: str) -> list[str]:
        """The definitions that name `name`, imported from its own module."""
        text = f"from {name.rpartition('.')[0]} import".encode()
        paths = [path for path, data in self.files.items() if path.endswith(".py") and text in data]
        modules = [
            f"{ROOT}.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}" for path in paths
        ]
        found = [f"{m}.{own}" for m in modules if (module := self.module(m)) for own in module.defined]
        return [own for own in found if name in self.fact(own).definitions]

    def below(self, asset: str) -> list[str]:
        """The files that are `asset`, or lie below it."""
        return [path for path in self.files if path == asset or path.startswith(f"{asset.rstrip('/')}/")]


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: it took a third of the time on syntax trees, and freed none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
