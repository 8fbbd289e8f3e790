"""A small land, and the stand-ins that serve it."""

from pathlib import Path

import pytest
from tests.support.services.hub import CLIENT_ID, SECRET, HubStandIn
from tests.support.services.small import SmallLand, hub_source, make_land, write_config
from tests.support.services.stac import FilesStandIn, stac_api

from cocal.config import read_config
from cocal.run import RunSummary, run
from cocal.scenes.download import tokens


@pytest.fixture(scope="session")
def land(tmp_path_factory) -> SmallLand:
    return make_land(tmp_path_factory.mktemp("land"))


def forget_tokens() -> None:
    """Drop every token of this process."""
    for memory in (tokens._OWN, tokens._SEEN, tokens._REFUSED, tokens._STRIKES):
        memory.clear()


@pytest.fixture
def new_process():
    """Leaves the state that a new process has."""
    return forget_tokens


@pytest.fixture
def credentials(monkeypatch, tmp_path):
    """Credentials as a user gives them, and no token of an earlier test."""
    monkeypatch.setenv("SH_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("SH_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "profile"))
    forget_tokens()
    yield
    forget_tokens()


@pytest.fixture
def hub(land, credentials):
    with HubStandIn(land.granules) as stand_in:
        yield stand_in


@pytest.fixture
def hub_config(land, hub, tmp_path):
    """Writes a configuration that downloads from the stand-in of Sentinel Hub."""

    def write(name="hub", **download):
        return write_config(tmp_path / name, land, hub_source(hub.url), **download)

    return write


@pytest.fixture
def api(land, tmp_path):
    """(address of a STAC API, its file server)."""
    with FilesStandIn(land.folder / "granules") as files, stac_api(land.granules, tmp_path, files.url) as url:
        yield url, files


def do(config: Path, last: str = "download") -> RunSummary:
    return run(read_config(config), last=last, config_path=config)


@pytest.fixture(scope="session")
def download():
    """`cocal download` in this process."""
    return do
