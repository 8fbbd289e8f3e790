"""Seeds that once found a fault find none."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.fuzz import TARGETS

MODULES = {target: importlib.import_module(f"tests.fuzz.{target}") for target in TARGETS}
KEPT = [(target, seed) for target, module in MODULES.items() for seed in module.SEEDS]


@pytest.mark.parametrize(("target", "seed"), KEPT)
def test_a_kept_seed_finds_no_fault(target: str, seed: int, tmp_path: Path) -> None:
    assert MODULES[target].one(seed, tmp_path) == ""
