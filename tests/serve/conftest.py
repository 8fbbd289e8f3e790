"""Makes the helpers importable under importlib mode; one finished run, offered to the public and to few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.offering import Server, offered
from tests.support.shown_land import finished_land
from tests.support.small_world import SmallWorld


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """Not to be touched."""
    return finished_land(tmp_path_factory.mktemp("shown") / "world")


@pytest.fixture
def land(shown: SmallWorld, tmp_path: Path) -> SmallWorld:
    """A copy, to be spoiled."""
    return shown.copied(tmp_path / "world")


@pytest.fixture(scope="session")
def restricted(shown: SmallWorld) -> Iterator[Server]:
    with offered(shown.root, restricted=True) as server:
        yield server


@pytest.fixture(scope="session")
def public(shown: SmallWorld) -> Iterator[Server]:
    with offered(shown.root, restricted=False) as server:
        yield server
