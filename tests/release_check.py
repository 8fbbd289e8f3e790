"""Whether a release may stand for the results of the last one: `python -m tests.release_check BEFORE
[--write]`.

BEFORE is the folder that holds the package `cocal` of the last release (`git worktree add ../last v0.1.0`,
then `../last/pipeline`). For each kind of unit in `same_results.yaml` whose code changed, the digest of this
code joins the digests of the generation only if

- every definition that differs is executed by the reference set (the worlds below, made here under a tracer),
  and
- every raster or model of the kind that the reference set makes is equal to the bit between both packages.

Otherwise the kind begins a new generation: its units are made anew once. `--write` edits the file.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rasterio
import yaml

from cocal.assets import asset
from cocal.code import Package, installed
from cocal.definitions import serialise
from tests.support import tracing
from tests.support.small_world import DAYS, blank_pages, make_world

WORLDS = {"everything": tracing.DAYS, "boosting": DAYS[:2], "perceptron": DAYS[:2]}
LISTED = asset("same_results.yaml")
FOLDERS = {
    "scenes": "archive/scenes",
    "features": "runs/small/features",
    "maps": "runs/small/[md]*s",
    "models": "runs/small/model",
}
"""Where the units of a kind lie below a world; maps and drafts are one kind."""

Executed = set[tuple[str, str]]
"""(definition, qualified name of the function that ran)."""


def package_in(folder: Path) -> Package:
    """The package `cocal` below `folder`."""
    files = [p for p in (folder / "cocal").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    return Package({p.relative_to(folder / "cocal").as_posix(): p.read_bytes() for p in files})


def differing(before: Package, now: Package, made_by: Iterable[str]) -> set[str]:
    """The definitions of the closure in `now` that are not in `before` as they are."""
    names = list(made_by)
    old = before.closure(names).definitions if all(map(before.defined, names)) else frozenset()
    return {
        n
        for n in now.closure(names).definitions
        if n not in old or before.fact(n).digest != now.fact(n).digest
    }


def assets_of(package: Package, made_by: Iterable[str]) -> dict[str, bytes]:
    """The package data that a closure reads."""
    facts = [package.fact(name) for name in package.closure(made_by).definitions]
    return {path: package.files[path] for fact in facts for own in fact.assets for path in package.below(own)}


def statements(package: Package, name: str) -> list[ast.stmt]:
    module = package.module(name.rpartition(".")[0])
    assert module is not None
    return module.defined[name.rpartition(".")[2]]


def methods(package: Package, name: str) -> dict[str, list[str]]:
    """The functions of a class, or the function itself, by qualified name, as serialised text; none of a
    constant.
    """
    found: dict[str, list[str]] = {}
    if not package.defined(name):
        return found
    for statement in statements(package, name):
        inner = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        above = f"{statement.name}." if isinstance(statement, ast.ClassDef) else ""
        for node in inner:
            if isinstance(node, ast.FunctionDef):
                found[above + node.name] = text = []
                serialise(node, text)
    return found


def seen(package: Package, executed: Executed) -> set[str]:
    """The definitions that ran, and those without a trace (constants, kernels) that one of them names."""
    reached = {definition for definition, _ in executed}
    waiting = list(reached)
    while waiting:
        for name in package.fact(waiting.pop()).definitions - reached:
            if package.defined(name) and not leaves_a_trace(package, name):
                reached.add(name)
                waiting.append(name)
    return reached


def leaves_a_trace(package: Package, name: str) -> bool:
    """Whether a definition is Python that runs as such: a function that is no kernel, or a class with
    methods.
    """
    return bool(methods(package, name)) and "cocal.jit.njit" not in package.fact(name).definitions


def not_executed(before: Package, now: Package, changed: set[str], executed: Executed) -> set[str]:
    """What of the `changed` definitions the reference set does not run: definitions, or methods of
    classes.
    """
    reached, ran = seen(now, executed), {(d.rpartition(".")[0], own) for d, own in executed}
    missing = changed - reached
    for name in changed & reached:
        if leaves_a_trace(now, name):
            module, old = name.rpartition(".")[0], methods(before, name)
            new = {own for own, text in methods(now, name).items() if old.get(own) != text}
            missing |= {f"{module}.{own}" for own in new if (module, own) not in ran}
    return missing


def results(world: Path, kind: str) -> dict[str, list[bytes]]:
    """The bands of every raster of a kind, or its models, by path without the digits of the address."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(world.glob(f"{FOLDERS[kind]}/**/*")):
        parts = path.relative_to(world).parts
        name = "/".join(parts if kind == "scenes" else (*parts[:-2], parts[-1]))
        if path.suffix == ".tif":
            with rasterio.open(path) as source:
                found[name] = [
                    str(source.dtypes).encode(),
                    *(source.read(n).tobytes() for n in source.indexes),
                ]
        elif path.suffix == ".skops":
            found[name] = [path.read_bytes()]
    return found


def make_reference(folder: Path, tracer: tracing.Tracer | None = None) -> None:
    """Make every world of the reference set in this process, with the package that it imports."""
    from cocal.config import read_config
    from cocal.run import run

    for name, days in WORLDS.items():
        world = make_world(folder / name, 96, days)
        world.edit(getattr(tracing, name))
        config = read_config(world.config)
        with blank_pages(), tracing.tracing(tracer) if tracer else blank_pages():
            run(config, last="classify", config_path=world.config)


def executed_by(folder: Path) -> Executed:
    """Make the reference set with this package; what of it ran while its units were made."""
    import cocal.run.recipes as recipes

    tracer, before = tracing.Tracer(), recipes.code_of
    recipes.code_of = tracer.code_of
    try:
        make_reference(folder, tracer)
    finally:
        recipes.code_of = before
    codes = {code for own in tracer.executed.values() for code in own}
    return {(name, code.co_qualname) for code in codes for name in tracing.definition_of(code)}


def decide(
    kind: str, listed: dict[str, Any], before: Package, worlds: tuple[Path, Path], executed: Executed
) -> dict[str, Any]:
    """The new entry of a kind, and why."""
    now, digest = installed(), installed().closure(listed["made_by"]).digest
    if digest in listed["digests"]:
        print(f"{kind}: the code is listed already")
        return listed
    changed = differing(before, now, listed["made_by"])
    missing = not_executed(before, now, changed, executed)
    reasons = [f"not executed: {', '.join(sorted(missing))}"] if missing else []
    if all(map(before.defined, listed["made_by"])) and assets_of(before, listed["made_by"]) != assets_of(
        now, listed["made_by"]
    ):
        reasons.append("package data differ")
    pairs = [(results(worlds[0] / name, kind), results(worlds[1] / name, kind)) for name in WORLDS]
    if not any(new for _, new in pairs) or any(old != new for old, new in pairs):
        reasons.append("results differ")
    if not reasons:
        print(
            f"{kind}: {len(changed)} definitions differ, all executed, results equal: generation "
            f"{listed['generation']} stays"
        )
        return listed | {"digests": [*listed["digests"], digest]}
    print(f"{kind}: generation {listed['generation'] + 1}, because {'; '.join(reasons)}")
    return listed | {"generation": listed["generation"] + 1, "digests": [digest]}


def write(entries: dict[str, Any]) -> None:
    """The file with other entries, its comment kept."""
    comment = [line for line in LISTED.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    text = "\n".join([*comment, yaml.safe_dump(entries, sort_keys=False, width=200)])
    LISTED.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "before", type=Path, nargs="?", help="folder of the last release's package; none: the first release"
    )
    parser.add_argument("--write", action="store_true", help="edit same_results.yaml")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make_reference(given.make)
        return
    listed = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    if given.before is None:
        entries = {k: v | {"digests": [installed().closure(v["made_by"]).digest]} for k, v in listed.items()}
    else:
        with tempfile.TemporaryDirectory() as name:
            old, new = Path(name, "before"), Path(name, "now")
            command = [sys.executable, "-m", "tests.release_check", "--make", str(old)]
            environment = os.environ | {"PYTHONPATH": str(given.before)}
            if subprocess.run(command, env=environment, check=False).returncode:
                print("the last release cannot make the reference set: no pixel can be compared")
            executed, before = executed_by(new), package_in(given.before)
            entries = {
                kind: decide(kind, entry, before, (old, new), executed) for kind, entry in listed.items()
            }
    print(json.dumps(entries, indent=2))
    if given.write:
        write(entries)


if __name__ == "__main__":
    main()
