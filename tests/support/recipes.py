"""The recipes of the package as they are written: what works and finishes every kind of unit."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from cocal.code import installed


def modules() -> dict[str, str]:
    """Path of every module of the package by its name."""
    return {
        ".".join(("cocal", *Path(path).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in installed().files
        if path.endswith(".py")
    }


@cache
def recipes() -> dict[str, tuple[str, ...]]:
    """Full names of `finish` and `work` of every `Recipe(...)` in `cocal.run`, by the name of `finish`."""
    found = {}
    for name, path in modules().items():
        if name.startswith("cocal.run."):
            for node in ast.walk(ast.parse(installed().files[path])):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "Recipe"
                ):
                    given = dict(zip(("name", "task", "finish", "work"), node.args, strict=False))
                    given |= {keyword.arg or "": keyword.value for keyword in node.keywords}
                    functions = [ast.unparse(given[key]) for key in ("finish", "work") if key in given]
                    made_by = {installed().resolve(name, (function,)) for function in functions}
                    assert all(map(installed().defined, made_by)), f"{name}, line {node.lineno}"
                    found[functions[0]] = tuple(sorted({*made_by, *found.get(functions[0], ())}))
    return found
