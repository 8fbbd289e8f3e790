"""The examples in docstrings run, and every public name has one or points to one that tests run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import cocal

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline" / "cocal"
RUN_BY_TESTS = {"docs/api.md": ROOT / "tests" / "run" / "test_api.py"}
"""Documents with examples -> the test that runs them."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


WITH_DOCTESTS = [
    module_name(path)
    for path in sorted(PACKAGE.rglob("*.py"))
    if any(
        ">>> " in (ast.get_docstring(node) or "")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    )
]


@pytest.mark.parametrize("name", WITH_DOCTESTS)
def test_the_examples_of_a_module_give_what_they_show(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(cocal.__all__))
def test_a_public_name_has_an_example_or_points_to_one(name: str) -> None:
    _, found, examples = inspect.getdoc(getattr(cocal, name)).partition("\nExamples\n--------\n")
    assert found
    pages = re.findall(r"docs/\S+\.md", examples)
    assert ">>> " in examples or pages
    for page in pages:
        assert f"cocal.{name}" in (ROOT / page).read_text(encoding="utf-8")
        assert Path(page).name in RUN_BY_TESTS[page].read_text(encoding="utf-8")
