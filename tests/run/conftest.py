"""Makes the helpers importable under importlib mode; a small land, and one with a finished run on it."""

import pytest
from tests.support.small_world import DAYS, SmallWorld, make_world

from cocal.config import read_config
from cocal.run import RunSummary, run


def do(world: SmallWorld, last: str = "compare") -> RunSummary:
    """One run in this process, all but the page, which takes longest to draw."""
    return run(read_config(world.config), last=last, config_path=world.config)


@pytest.fixture(scope="session")
def done():
    return do


@pytest.fixture(scope="session")
def _finished(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("small") / "world", 96, DAYS[:2])
    summary = do(world)
    assert summary.failures == ()
    return world


@pytest.fixture
def finished(_finished, tmp_path):
    """A copy of a land that a run has finished on."""
    return _finished.copied(tmp_path / "world")
