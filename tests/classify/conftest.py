from __future__ import annotations

from pathlib import Path

import pytest

from cocal.scheme import ClassScheme, read_scheme

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def scheme() -> ClassScheme:
    return read_scheme(ROOT / "configs" / "schemes" / "border-coca.yaml")
