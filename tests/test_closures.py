"""What changes the address of a map, a model, a table and a page, over the whole package: edits of every
kind, in memory.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cocal.assets import PACKAGE
from cocal.code import Package, _versions, code_of, installed, libraries_of
from cocal.definitions import SAME_NUMBERS, Module
from cocal.run.stages.train import block_samples, write_model
from cocal.run.worker.tiles import block_map, write_features, write_map
from tests.support.recipes import modules, recipes

Function = ast.FunctionDef | ast.AsyncFunctionDef

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

FINISHES = {
    "scene": "write_scene", "features": "write_features", "map": "write_map", "model": "write_model",
    "comparison": "write_tables", "page": "write_page",
}  # fmt: skip
NAMES = {kind: recipes()[finish] for kind, finish in FINISHES.items()}
"""Full names of the functions that work and finish a kind of unit."""


def digests(package: Package) -> dict[str, str]:
    """The digest of the code of every kind of unit."""
    return {kind: package.closure(names).digest for kind, names in NAMES.items()}


def changed(package: Package, before: dict[str, str]) -> set[str]:
    """The kinds whose code has another digest in `package`."""
    return {kind for kind, digest in digests(package).items() if digest != before[kind]}


def edited(files: dict[str, bytes]) -> Package:
    """The installed package with other content of some files."""
    return Package({**installed().files, **files})


def in_tree(module: str, change: Callable[[ast.AST], None]) -> bytes:
    """The text of a module with every node changed, written anew: no comment is left, and lines break
    elsewhere.
    """
    tree = ast.parse(installed().files[modules()[module]])
    for node in ast.walk(tree):
        change(node)
    return ast.unparse(tree).encode()


def add_a_statement(node: ast.AST) -> None:
    if isinstance(node, Function):
        node.body.append(ast.Expr(ast.Constant(0)))


def functions_of(module: Module) -> Iterator[tuple[Function, set[str]]]:
    """Every function of a module, methods and inner functions too, and the definitions that it is part of."""
    owners: dict[int, tuple[ast.stmt, set[str]]] = {}
    for name, statements in module.defined.items():
        for statement in statements:
            owners.setdefault(id(statement), (statement, set()))[1].add(f"{module.name}.{name}")
    for statement, names in owners.values():
        for node in ast.walk(statement):
            if isinstance(node, Function):
                yield node, names


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_a_mutated_function_changes_the_address_of_what_can_reach_it_and_of_nothing_else(every: int):
    """Each function of the package in turn, or one of six."""
    package = Package(installed().files)
    before = digests(package)
    closures = {kind: package.closure(names).definitions for kind, names in NAMES.items()}
    reached = unreached = seen = 0
    for name in modules():
        module = package.module(name)
        assert module is not None
        other = {own: facts for own, facts in package.facts.items() if own.rpartition(".")[0] != name}
        for function, names in functions_of(module):
            seen += 1
            if seen % every:
                continue
            mutant = Package(package.files)
            mutant.modules, mutant.facts = package.modules, dict(other)
            add_a_statement(function)
            found = changed(mutant, before)
            function.body.pop()
            assert found == {kind for kind, closure in closures.items() if names & closure}, names
            reached, unreached = reached + bool(found), unreached + (not found)
    assert reached > 500 / every
    assert unreached > 500 / every


@pytest.mark.parametrize("finish", recipes())
def test_the_code_of_every_recipe_can_be_followed(finish: str):
    assert f".{finish}" in "".join(installed().closure(recipes()[finish]).definitions)


def test_docstrings_comments_layout_and_annotations_change_no_address():
    def change(node: ast.AST) -> None:
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and (ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None)
        ):
            body[0].value = ast.Constant("Other words.")
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            node.annotation = ast.BinOp(node.annotation, ast.BitOr(), ast.Constant(None))

    assert (
        changed(
            edited({path: in_tree(name, change) for name, path in modules().items()}), digests(installed())
        )
        == set()
    )


NOT_OF_MAPS = (
    "classify.page", "report", "cli", "serve", "classify.training", "classify.validation", "fieldwork",
    "estimate", "config",
)  # fmt: skip


def test_an_edit_of_what_maps_do_not_need_changes_no_map():
    """All at once: what the edit of one changes, the edit of all changes too."""
    inside = {p: [n for n in modules() if f"{n}.".startswith(f"cocal.{p}.")] for p in NOT_OF_MAPS}
    assert all(inside.values())
    names = {name for own in inside.values() for name in own}
    new = edited({modules()[name]: in_tree(name, add_a_statement) for name in names})
    assert not changed(new, digests(installed())) & {"map", "features"}


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("report/assets/texts.yaml", {"page"}),
        ("report/assets/page.html.j2", {"page"}),
        ("report/assets/body.html.j2", {"page"}),
        ("report/assets/blocks.html.j2", {"page"}),
        ("report/assets/style.css", {"page"}),
        ("classify/assets/card.html.j2", {"model"}),
        ("serve/assets/index.html", set()),
    ],
)
def test_an_edited_text_or_template_changes_what_shows_it(path: str, kinds: set[str]):
    data = installed().files[path]
    assert changed(edited({path: data + b" "}), digests(installed())) == kinds


def test_an_unused_constant_and_a_used_one():
    path = "features/kernels.py"
    data = installed().files[path]
    assert b"DAYS_PER_YEAR = 365.25" in data
    before = digests(installed())
    assert changed(edited({path: data + b"\nUNUSED = 1\n"}), before) == set()
    assert changed(edited({path: data.replace(b"365.25", b"360")}), before) >= {"map", "features"}


def test_every_library_that_counts_has_a_version():
    from importlib import metadata

    package = installed()
    for name in modules():
        module = package.module(name)
        assert module is not None
        for own in module.defined:
            package.fact(f"{name}.{own}")
    named = {library for facts in package.facts.values() for library in facts.libraries}
    unknown = set()
    for name in named:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            unknown.add(name)
    assert unknown <= {"planetary_computer"}, "name the distribution in `code.DISTRIBUTIONS`"
    assert not named & SAME_NUMBERS


EVERY_DIGEST = """
import json
from cocal.code import installed
package, digests = installed(), {}
for path in sorted(package.files):
    if path.endswith(".py"):
        name = ".".join(("cocal", *path.removesuffix(".py").split("/"))).removesuffix(".__init__")
        module = package.module(name)
        for own in module.defined if module else ():
            digests[f"{module.name}.{own}"] = package.fact(f"{module.name}.{own}").digest
print(json.dumps(digests))
"""


def pythons() -> list[str]:
    """One interpreter of every supported version that is on this machine."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(11, 15):
        name = f"3.{minor}"
        own = next((str(path) for path in sorted(versions.glob(f"{name}.*/bin/python"))), None)
        path = own or shutil.which(f"python{name}")
        if path:
            found.setdefault(name, path)
    return list(found.values())


def test_every_definition_has_one_digest_on_every_python():
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    seen = [
        json.loads(
            subprocess.run(
                [path, "-c", EVERY_DIGEST], env=environment, capture_output=True, check=True
            ).stdout
        )
        for path in pythons()
    ]
    assert len(seen[0]) > 2000
    assert all(one == seen[0] for one in seen[1:])


FORMS = '''
import re
async def make(a, /, b: int = 1, *c, d=-1.5e300, **e):
    """Docstring."""
    global G
    total: float = 1j + 0x_ff + 10**30
    nothing = f"{a!r:>{b}} {{}} {b=} {'q'}" f"" "é\\u2028" and rb"\\x" or f"{a:%Y-%m}"
    match a:
        case {"k": [1, *rest], **more} | None as whole if (n := len(c)) > 2:
            return [x async for x in a if x not in c], lambda *_, k=None: (yield), ..., a[1:, ::2]
        case re.Match(x=1, y=str()):
            raise ValueError from None
    try:
        with open(a) as f, open(b): del f.x
    except (OSError, ValueError) as err:
        print(*c, **e, sep=b"\\n")
    G @= not +a if b <= a < 3 else ~b
'''


def test_the_digest_of_every_form_of_syntax_is_this_one():
    """Pinned, so that a Python that is not on this machine is held to the same digest where the tests run on
    it.
    """
    package = Package({"__init__.py": b"", "forms.py": FORMS.encode()})
    assert (
        package.fact("cocal.forms.make").digest
        == "bb904a82db22bc1b34a1aab0c4756c6376ca2c47f87a09b80fcc2aa62c846119"
    )


@pytest.mark.parametrize(
    ("kind", "reached"),
    [
        ("scene", "cocal.contracts."),
        ("model", "cocal.regions."),
        ("model", "cocal.grid."),
        ("model", "cocal.run.stages.train."),
        ("comparison", "cocal.store."),
        ("page", "cocal.notes."),
    ],
)
def test_code_that_hand_kept_lists_left_out_counts(kind: str, reached: str):
    package = installed()
    names = sorted(n for n in package.closure(NAMES[kind]).definitions if n.startswith(reached))
    module, _, own = names[0].rpartition(".")
    text = installed().files[modules()[module]] + f"\n{own} = {own}\n".encode()
    assert kind in changed(edited({modules()[module]: text}), digests(package))


@pytest.mark.parametrize(
    ("function", "other", "libraries"),
    [
        (
            write_model,
            (block_samples,),
            {"scikit-learn", "scipy", "numba", "pandas", "xarray", "gdal", "proj"},
        ),
        (write_map, (block_map,), {"numpy", "numba", "scipy", "xarray", "gdal", "proj"}),
        (write_features, (), {"numpy", "numba", "xarray", "gdal"}),
    ],
)
def test_another_version_of_a_library_changes_the_address(
    function: Callable[..., object],
    other: tuple[Callable[..., object], ...],
    libraries: set[str],
    monkeypatch: pytest.MonkeyPatch,
):
    functions = (function, *other)
    found, before = libraries_of(*functions), code_of(*functions)
    assert libraries <= set(found)
    for name in set(found) - {"gdal", "proj"}:
        monkeypatch.setattr("cocal.code.metadata.version", lambda n, new=name: "0" if n == new else found[n])
        _versions.cache_clear()
        assert code_of(*functions) != before, name
    monkeypatch.setattr("cocal.code.metadata.version", found.__getitem__)
    _versions.cache_clear()
    assert code_of(*functions) == before
    monkeypatch.setattr("rasterio.__gdal_version__", "0")
    _versions.cache_clear()
    assert code_of(*functions) != before
    _versions.cache_clear()
