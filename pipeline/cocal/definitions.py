"""Definitions of the package as its source text states them: what each is, and what it names.

For the digest of code, `cocal.code`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

ROOT = "cocal"
LOOSE = "<module>"
"""Name of the statements of a module that define no name."""

NOT_FOLLOWED = (f"{ROOT}.code.", f"{ROOT}.definitions.", f"{ROOT}.assets.", f"{ROOT}.caches.")
"""Modules that name outputs, package data and caches, and make no number."""

SAME_NUMBERS = frozenset({"filelock", "psutil", "pystac", "rich", "typer", "xxhash"})
"""Libraries that change no number: they lock files, measure memory, print, compare checksums, and write
items' metadata.
"""

DISTRIBUTIONS = {
    "PIL": "pillow",
    "odc.geo": "odc-geo",
    "odc.stac": "odc-stac",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Distributions whose name differs from what is imported from them."""

BANNED = (
    "builtins.__import__.", "builtins.__file__.", "builtins.compile.", "builtins.eval.", "builtins.exec.",
    "builtins.globals.", "importlib.import_module.", "importlib.reload.", "importlib.resources.",
    "jinja2.PackageLoader.", "pkgutil.", "runpy.", "sys.modules.",
)  # fmt: skip
"""What reaches code or package data that the source text does not name."""

_ASSET = f"{ROOT}.assets.asset"
_NOT_HASHED = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_NOT_OWN = (ast.Lambda, *_COMPREHENSIONS)
_NAMING = frozenset({ast.Name, ast.Attribute, ast.Call, *_IMPORTS, *_FUNCTIONS, *_COMPREHENSIONS})
"""Kinds of nodes that name something, or whose names are their own; of all others the parts are read."""

Origin = tuple[str, str]
"""Where an imported name comes from: a module, and its attribute; "" for the module itself."""


class Names(Protocol):
    """What the text of a package says of a name."""

    def module(self, name: str) -> Module | None: ...

    def defined(self, name: str) -> bool: ...

    def resolve(self, module: str, path: tuple[str, ...]) -> str: ...

    def below(self, asset: str) -> list[str]: ...


def sha256(value: Any) -> str:
    """SHA-256, in hex, of `value` as JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


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
        elif isinstance(statement, ast.If) and _dotted(statement.test) == ("TYPE_CHECKING",):
            for inner in statement.body:
                self._add(inner)
        elif not _is_text(statement):
            names, imported = _bound([statement])
            simple = bool(names) and isinstance(statement, (*_NAMED, ast.Assign, ast.AnnAssign))
            for name in names if simple else {*names, *imported, LOOSE}:
                self.defined.setdefault(name, []).append(statement)


class Facts:
    """What one definition is, and all that it names."""

    def __init__(self, package: Names, module: Module, name: str) -> None:
        self.package, self.module = package, module
        self.definitions: set[str] = set()
        self.libraries: set[str] = set()
        self.assets: set[str] = set()
        self.errors: list[str] = []
        self._meant: set[tuple[str, str]] = set()
        self._noted: set[tuple[str, str, bool]] = set()
        for statement in module.defined[name]:
            self._read(statement, {})
        text: list[str] = []
        serialise(module.defined[name], text)
        self.digest = sha256([text, sorted(self._meant)])

    def _read(self, node: ast.AST, local: Mapping[str, Origin | None]) -> None:
        """Record all names in `node`; `local` are the names of the enclosing functions and their imports."""
        if node.__class__ not in _NAMING:
            self._read_all(_children(node), local)
        elif isinstance(node, ast.Name):
            if (meaning := self._meaning((node.id,), local)) is not None:
                self._note(node, node.id, meaning)
        elif isinstance(node, ast.Attribute):
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
            self._read_all((n for n in _children(node) if n not in body), local)
            given = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            names, imported = _bound(body)
            self._read_all(body, {**local, **dict.fromkeys(given | names), **imported})
        elif isinstance(node, _COMPREHENSIONS):
            names = {n for g in node.generators for n in _bound([g.target])[0]}
            self._read(node.generators[0].iter, local)
            self._read_all(_children(node), {**local, **dict.fromkeys(names)})

    def _read_all(self, nodes: Iterable[ast.AST], local: Mapping[str, Origin | None]) -> None:
        for node in nodes:
            if type(node) is not ast.Constant:
                self._read(node, local)

    def _call(self, node: ast.Call, local: Mapping[str, Origin | None]) -> None:
        called = self._meaning(_dotted(node.func), local)
        first = node.args[0] if node.args else None
        if called == _ASSET and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self.assets.add(first.value)
            if not self.package.below(first.value):
                self._error(node, f"asset({first.value!r}) does not exist")
            return
        if called in ("builtins.getattr", "builtins.setattr", "builtins.vars") and first:
            module = self._meaning(_dotted(first), local)
            if module and self.package.module(module):
                self._error(node, f"{called.removeprefix('builtins.')} of the module {module}")
        self._read_all(_children(node), local)

    def _meaning(self, dotted: tuple[str, ...], local: Mapping[str, Origin | None]) -> str | None:
        """Full name of a dotted name; None for no name and for local variables."""
        if not dotted:
            return None
        first = dotted[0]
        origin = local[first] if first in local else self.module.imported.get(first, ("", ""))
        if origin is None:
            return None
        if origin[0]:
            own = (origin[1], *dotted[1:]) if origin[1] else dotted[1:]
            return self.package.resolve(origin[0], own)
        return f"{self.module.name if first in self.module.defined else 'builtins'}.{first}"

    def _refer(self, node: ast.Attribute, local: Mapping[str, Origin | None]) -> None:
        dotted = _dotted(node)
        meaning = self._meaning(dotted, local)
        if meaning is not None:
            self._note(node, ".".join(dotted), meaning)
        else:
            self._read(node.value, local)

    def _note(self, node: ast.AST, spelled: str, meaning: str, value: bool = True) -> None:
        """Note that `spelled` stands for `meaning`; `value`: it is used there, and not only imported."""
        if (spelled, meaning, value) in self._noted:
            return
        top = meaning.partition(".")[0]
        if f"{meaning}.".startswith(BANNED):
            self._error(node, meaning.removeprefix("builtins."))
        if meaning == _ASSET and value:
            self._error(node, "asset without a literal path")
        if top == "builtins" or meaning.startswith(NOT_FOLLOWED):
            return
        self._noted.add((spelled, meaning, value))
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


def _children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below one, but for those that only say how a name is used: `ast.iter_child_nodes`
    takes four times as long.
    """
    found: list[ast.AST] = []
    fields = node.__dict__
    for name in node._fields:
        value = fields.get(name)
        if value.__class__ is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST) and value._fields:
            found.append(value)
    return found


def _dotted(node: ast.AST) -> tuple[str, ...]:
    """The parts of a dotted name; none for any other expression."""
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.append(node.attr)
        node = node.value
    return (node.id, *reversed(path)) if isinstance(node, ast.Name) else ()


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
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif isinstance(node, ast.expr):
            if not isinstance(node, _NOT_OWN):
                waiting += _children(node)
        elif isinstance(node, _NAMED):
            names.add(node.name)
        elif isinstance(node, _IMPORTS):
            imported.update(_origins(node))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            elsewhere.update(node.names)
        else:
            named = getattr(node, "name", None)  # `except ... as name`, `case ... as name`
            names |= {named} if isinstance(named, str) else set()
            waiting += _children(node)
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
    if value.__class__ is list:
        into.append("[")
        for item in value:
            if item.__class__ is not ast.Expr or not _is_text(item):
                serialise(item, into)
        into.append("]")
    elif isinstance(value, ast.AST):
        kind, fields = value.__class__, value.__dict__
        into.append(f"({kind.__name__}")
        for name in value._fields:
            inner = None if name in _NOT_HASHED else fields.get(name)
            if inner is None or inner == []:
                continue
            if name == "values" and kind is ast.JoinedStr:
                inner = _merged(inner)
            elif name == "keywords" and kind is ast.Call and _dotted(fields["func"])[-1:] == ("Field",):
                inner = [keyword for keyword in inner if keyword.arg != "description"]
            into.append(name)
            if inner.__class__ is str:
                into.append(ascii(inner))
            else:
                serialise(inner, into)
        into.append(")")
    else:
        into.append(ascii(value))


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
