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

import ast
import hashlib
import inspect
import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from cocal.assets import PACKAGE, asset
from cocal.caches import keyed_folder, user_cache
from cocal.errors import CodeError

log = logging.getLogger(__name__)

ROOT = "cocal"
LOOSE = "<module>"
"""Name of the statements of a module that define no name."""

USERS = "users of "
"""Before a name: all definitions that use it."""

NOT_FOLLOWED = (f"{ROOT}.code.", f"{ROOT}.assets.", f"{ROOT}.caches.")
"""Modules that name outputs, package data and caches, and make no number."""

SAME_NUMBERS = frozenset({"filelock", "psutil", "pystac", "rich", "typer"})
"""Libraries that change no number: they lock files, measure memory, print, and write items' metadata."""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "odc.geo": "odc-geo",
    "odc.stac": "odc-stac",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Distributions whose name differs from what is imported from them."""

BANNED = (
    "builtins.__import__", "builtins.__file__", "builtins.compile", "builtins.eval", "builtins.exec",
    "builtins.globals", "importlib.import_module", "importlib.reload", "importlib.resources",
    "jinja2.PackageLoader",
    "pkgutil", "runpy", "sys.modules",
)  # fmt: skip
"""What reaches code or package data that the source text does not name."""

_ASSET = f"{ROOT}.assets.asset"
_NOT_HASHED = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NAMES = (ast.Name, ast.Attribute)
_IMPORTS = (ast.Import, ast.ImportFrom)
_NOT_OWN = (ast.Lambda, *_COMPREHENSIONS)

Origin = tuple[str, str]
"""Where an imported name comes from: a module, and its attribute; "" for the module itself."""


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
    return _sha256([made_by, sorted(_versions(closure.libraries).items())])


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


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


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
        file = keyed_folder(user_cache("code"), package.digest) / f"{_sha256(names)}.json"
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
    if checksum != _sha256([file.parent.name, file.name, content]):
        return None
    definitions, libraries, digest = content
    return Closure(frozenset(definitions), tuple(libraries), digest)


def _store(file: Path, closure: Closure) -> Closure:
    content = [sorted(closure.definitions), closure.libraries, closure.digest]
    temporary = file.with_name(f".{uuid.uuid4().hex}")
    with suppress(OSError):
        temporary.write_text(json.dumps([content, _sha256([file.parent.name, file.name, content])]))
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

    @property
    def digest(self) -> str:
        """SHA-256 of all files, in hex."""
        return _sha256(
            [(path, hashlib.sha256(data).hexdigest()) for path, data in sorted(self.files.items())]
        )

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

    def resolve(self, module: str, path: Sequence[str]) -> str:
        """Full name of `module` with the attributes `path`: where it is defined, or that of the library."""
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
        return Closure(frozenset(reached), tuple(libraries), _sha256(content))

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


class Module:
    """The names of one module: the statements that define them, and where the imported ones come from."""

    def __init__(self, name: str, text: str | bytes) -> None:
        self.name = name
        self.defined: dict[str, list[ast.stmt]] = {}
        self.imported: dict[str, Origin] = {}
        for statement in ast.parse(text).body:
            self._add(statement)

    def _add(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self.imported.update(_origins(statement))
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for inner in statement.body:
                self._add(inner)
        elif not _is_text(statement):
            names, imported = _bound([statement])
            simple = bool(names) and isinstance(statement, (*_NAMED, ast.Assign, ast.AnnAssign))
            for name in names if simple else {*names, *imported, LOOSE}:
                self.defined.setdefault(name, []).append(statement)


class Facts:
    """What one definition is, and all that it names."""

    def __init__(self, package: Package, module: Module, name: str) -> None:
        self.package, self.module = package, module
        self.definitions: set[str] = set()
        self.libraries: set[str] = set()
        self.assets: set[str] = set()
        self.errors: list[str] = []
        self._meant: set[tuple[str, str]] = set()
        for statement in module.defined[name]:
            self._read(statement, {})
        text: list[str] = []
        serialise(module.defined[name], text)
        self.digest = _sha256([text, sorted(self._meant)])

    def _read(self, node: ast.AST, local: Mapping[str, Origin | None]) -> None:
        """Record all names in `node`; `local` are the names of the enclosing functions and their imports."""
        if isinstance(node, _NAMES):
            self._refer(node, local)
        elif isinstance(node, ast.Call):
            self._call(node, local)
        elif isinstance(node, _IMPORTS):
            for name, (module, attribute) in _origins(node).items():
                self._note(
                    node, name, self.package.resolve(module, (attribute,) if attribute else ()), value=False
                )
        elif isinstance(node, _FUNCTIONS):
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            self._read_all((n for n in ast.iter_child_nodes(node) if n not in body), local)
            given = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            names, imported = _bound(body)
            self._read_all(body, {**local, **dict.fromkeys(given | names), **imported})
        elif isinstance(node, _COMPREHENSIONS):
            names = {n for g in node.generators for n in _bound([g.target])[0]}
            self._read(node.generators[0].iter, local)
            self._read_all(ast.iter_child_nodes(node), {**local, **dict.fromkeys(names)})
        else:
            self._read_all(ast.iter_child_nodes(node), local)

    def _read_all(self, nodes: Iterable[ast.AST], local: Mapping[str, Origin | None]) -> None:
        for node in nodes:
            if node._fields and type(node) is not ast.Constant:
                self._read(node, local)

    def _call(self, node: ast.Call, local: Mapping[str, Origin | None]) -> None:
        called = self._meaning(node.func, local)
        first = node.args[0] if node.args else None
        if called == _ASSET and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self.assets.add(first.value)
            if not self.package.below(first.value):
                self._error(node, f"asset({first.value!r}) does not exist")
            return
        if called in ("builtins.getattr", "builtins.setattr", "builtins.vars") and first:
            module = self._meaning(first, local)
            if module and self.package.module(module):
                self._error(node, f"{called.removeprefix('builtins.')} of the module {module}")
        self._read_all(ast.iter_child_nodes(node), local)

    def _meaning(self, node: ast.AST, local: Mapping[str, Origin | None]) -> str | None:
        """Full name of a name or of attributes of one; None for anything else and for local variables."""
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        origin = local[node.id] if node.id in local else self.module.imported.get(node.id, ("", ""))
        if origin is None:
            return None
        if origin[0]:
            return self.package.resolve(origin[0], [part for part in (origin[1], *path) if part])
        return f"{self.module.name if node.id in self.module.defined else 'builtins'}.{node.id}"

    def _refer(self, node: ast.Name | ast.Attribute, local: Mapping[str, Origin | None]) -> None:
        meaning = self._meaning(node, local)
        if meaning is not None:
            self._note(node, ast.unparse(node), meaning)
        elif isinstance(node, ast.Attribute):
            self._read(node.value, local)

    def _note(self, node: ast.AST, spelled: str, meaning: str, value: bool = True) -> None:
        """Note that `spelled` stands for `meaning`; `value`: it is used there, and not only imported."""
        top = meaning.partition(".")[0]
        if any(meaning == banned or meaning.startswith(f"{banned}.") for banned in BANNED):
            self._error(node, meaning.removeprefix("builtins."))
        if meaning == _ASSET and value:
            self._error(node, "asset without a literal path")
        if top == "builtins" or meaning.startswith(NOT_FOLLOWED):
            return
        self._meant.add((spelled, meaning))
        if top == ROOT or self.package.module(top) or self.package.defined(meaning):
            if value or self.package.defined(meaning):
                self.definitions.add(meaning)
        elif top not in sys.stdlib_module_names:
            two = ".".join(meaning.split(".")[:2])
            library = DISTRIBUTIONS.get(two) or DISTRIBUTIONS.get(top, top)
            self.libraries |= {library} - SAME_NUMBERS

    def _error(self, node: ast.AST, what: str) -> None:
        self.errors.append(f"{self.module.name}, line {getattr(node, 'lineno', '?')}: {what}")


def _origins(node: ast.Import | ast.ImportFrom) -> dict[str, Origin]:
    """The local names that an import binds, and what they stand for."""
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: (node.module or "", alias.name) for alias in node.names}
    top = {alias: alias.name.split(".")[0] for alias in node.names}
    return {a.asname or top[a]: (a.name if a.asname else top[a], "") for a in node.names}


def _bound(nodes: Iterable[ast.AST]) -> tuple[set[str], dict[str, Origin]]:
    """The names that `nodes` bind in their own scope, and those that they import there."""
    names, imported, elsewhere = set[str](), dict[str, Origin](), set[str]()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _NAMED):
            names.add(node.name)
        elif isinstance(node, _IMPORTS):
            imported.update(_origins(node))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif not isinstance(node, _NOT_OWN):
            named = getattr(node, "name", None)  # `except ... as name`, `case ... as name`
            names |= {named} if isinstance(named, str) else set()
            waiting += [child for child in ast.iter_child_nodes(node) if child._fields]
    return names - elsewhere, imported


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a text only: a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def serialise(value: Any, into: list[str]) -> None:
    """Add the syntax tree `value` as texts equal on every Python, without what changes no number."""
    if isinstance(value, list):
        into.append("[")
        for item in value:
            if not _is_text(item):
                serialise(item, into)
        into.append("]")
        return
    if not isinstance(value, ast.AST):
        into.append(ascii(value))
        return
    into.append(f"({type(value).__name__}")
    for name in value._fields:
        inner = None if name in _NOT_HASHED else getattr(value, name, None)
        if inner is None or inner == []:
            continue
        if name == "values" and isinstance(value, ast.JoinedStr):
            inner = _merged(inner)
        elif name == "keywords" and isinstance(value, ast.Call) and ast.unparse(value.func).endswith("Field"):
            inner = [keyword for keyword in inner if keyword.arg != "description"]
        into.append(name)
        serialise(inner, into)
    into.append(")")


def _merged(parts: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, texts side by side as one: Pythons cut them differently."""
    merged: list[ast.expr] = []
    for part in parts:
        before = merged[-1] if merged else None
        if isinstance(part, ast.Constant) and isinstance(before, ast.Constant):
            merged[-1] = ast.Constant(str(before.value) + str(part.value))
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            merged.append(part)
    return merged
