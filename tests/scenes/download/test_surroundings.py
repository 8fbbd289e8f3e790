"""The disk that fills up, TLS, credentials, one lock, and the real service where there are credentials."""

import datetime as dt
import os
import shutil
import subprocess
import threading
import time
from contextlib import suppress

import pytest
import trustme
import yaml
from tests.support.services.hub import CLIENT_ID, SECRET, HubStandIn
from tests.support.services.small import hub_source, write_config

from cocal.archive import list_scenes
from cocal.config import read_config
from cocal.errors import BusyError, ConfigError, DownloadStoppedError, InputError, UsageError
from cocal.run.stages.download import dry_run
from cocal.scenes.download import make_gate
from cocal.store import LocalStore


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of some megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(megabytes):
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if (
            shutil.which("mount") is None
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            pytest.skip("a small file system cannot be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def archive_on(config, disk):
    config.write_text(config.read_text().replace("archive: archive", f"archive: {disk}/archive"))
    return config


def test_a_downloaded_scene_whose_bits_changed_is_fetched_again_and_nothing_else(
    hub, hub_config, download, caplog
):
    config = hub_config()
    download(config, "index")
    asked = hub.count("process")
    scenes = list_scenes(config.parent / "archive")
    path = scenes[0].bands["red"].path
    whole, state = path.read_bytes(), path.stat()
    path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns - 10**9))
    assert download(config, "index").failures == ()
    assert path.read_bytes() != whole, "features that are whole read no scene"
    shutil.rmtree(next(config.parent.glob("runs/*/features")))
    summary = download(config, "index")
    assert summary.failures == ()
    assert path.read_bytes() == whole
    assert hub.count("process") == asked + 1
    assert f"{scenes[0].id} is damaged" in caplog.text
    assert {s.id for s in list_scenes(config.parent / "archive")} == {s.id for s in scenes}


def test_cocal_download_finds_a_changed_bit_whatever_the_times_of_files_say(
    hub, hub_config, download, caplog
):
    config = hub_config(tile_px=288)
    download(config)
    path = list_scenes(config.parent / "archive")[0].bands["red"].path
    whole, state = path.read_bytes(), path.stat()
    path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert download(config).failures == ()
    assert path.read_bytes() == whole
    assert hub.count("process") == 5 + 1
    assert f"{path.parent.name} is damaged" in caplog.text


def test_a_damaged_scene_waits_for_the_budget(hub, hub_config, download):
    """Fetched again in the month that has room for it, listed until then."""
    one = 300 * 300 / 512**2 * 12 / 3
    config = hub_config(tile_px=288, budget={"processing_units": 5 * one + 5 * 0.02})
    download(config)
    path = list_scenes(config.parent / "archive")[0].bands["red"].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    with pytest.raises(DownloadStoppedError, match="budget of processing units"):
        download(config)
    assert len(list_scenes(config.parent / "archive")) == 4
    hub_config(tile_px=288, budget={"processing_units": 12 * one})
    assert download(config).failures == ()
    assert path.read_bytes() == whole
    assert hub.count("process") == 5 + 1


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_asked_for(
    hub, hub_config, small_disk, download
):
    config = archive_on(hub_config(tile_px=288), small_disk(1))
    with pytest.raises(DownloadStoppedError, match="is full"):
        download(config)
    assert hub.count("process") == 0


def test_a_disk_that_fills_up_while_writing_stops_the_download_and_commits_nothing(
    hub, hub_config, small_disk, download
):
    disk = small_disk(12)
    config = archive_on(hub_config(tile_px=288), disk)
    hub.slow = 0.5

    def fill():
        while "process" not in hub.arrived:
            time.sleep(0.01)
        with suppress(OSError), open(disk / "filler", "wb") as file:
            for _ in range(4000):
                file.write(bytes(4096))

    threading.Thread(target=fill, daemon=True).start()
    with pytest.raises(DownloadStoppedError, match="is full"):
        download(config)
    assert hub.count("process") == 1
    (disk / "filler").unlink()
    assert list_scenes(disk / "archive") == []
    hub.slow = 0
    hub.forget()
    assert download(config).failures == ()
    assert len(list_scenes(disk / "archive")) == hub.count("process") == 5


def test_the_shipped_way_over_tls_works_on_loopback(land, credentials, tmp_path, monkeypatch, download):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT")
    with HubStandIn(land.granules, certificate=authority.issue_cert("localhost")) as hub:
        config = write_config(tmp_path / "tls", land, hub_source(hub.url), tile_px=288)
        assert download(config).failures == ()
        assert hub.count("process") == 5


def test_an_address_for_tokens_that_is_not_https_is_refused(hub, hub_config, monkeypatch, download):
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT")
    with pytest.raises(DownloadStoppedError, match="not https"):
        download(hub_config())
    assert hub.log == []


def test_without_credentials_it_is_said_what_is_missing_and_no_file_is_made(
    hub, hub_config, monkeypatch, tmp_path, download
):
    monkeypatch.delenv("SH_CLIENT_ID")
    with pytest.raises(InputError, match="no credentials"):
        download(hub_config())
    assert not (tmp_path / "profile").exists()
    assert hub.log == []


def test_credentials_may_come_from_a_profile_of_the_client(hub, hub_config, monkeypatch, tmp_path, download):
    monkeypatch.delenv("SH_CLIENT_ID")
    monkeypatch.delenv("SH_CLIENT_SECRET")
    (tmp_path / "profile" / "sentinelhub").mkdir(parents=True)
    text = f'[default-profile]\nsh_client_id = "{CLIENT_ID}"\nsh_client_secret = "{SECRET}"\n'
    (tmp_path / "profile" / "sentinelhub" / "config.toml").write_text(text)
    assert download(hub_config(tile_px=288)).failures == ()


def test_a_secret_in_an_address_is_refused(land, tmp_path):
    config = write_config(tmp_path, land, hub_source("https://me:secret@service.example"))
    with pytest.raises(ConfigError, match="secrets come from the environment"):
        read_config(config)


def test_tokens_that_live_for_a_minute_are_not_fetched_for_every_request(hub, hub_config, download):
    hub.life = 60
    assert download(hub_config()).failures == ()
    assert (hub.count("process"), hub.count("token")) == (10, 1)


def test_two_downloads_into_one_archive_do_not_run_at_once(hub, hub_config, download):
    config = hub_config()
    store = LocalStore(read_config(config).archive / "scenes")
    with store.locked(), pytest.raises(BusyError, match="in use"):
        download(config)
    assert hub.count("process") == 0


def test_a_configuration_without_a_source_says_that_there_is_nothing_to_download(hub_config, download):
    config = hub_config()
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({k: v for k, v in content.items() if k not in ("source", "download")}))
    with pytest.raises(UsageError, match="nothing to download"):
        download(config)
    with pytest.raises(UsageError, match="nothing to download"):
        dry_run(read_config(config))


def test_a_dry_run_asks_the_catalogue_alone_and_knows_what_is_there(hub, hub_config, download):
    config = hub_config(screen={"clear": ["vegetation", "bare"], "min_share": 0.1})
    before = dry_run(read_config(config))
    assert hub.count("process") == 0
    assert [m.month for m in before] == [f"2024-0{n}" for n in range(1, 6)]
    assert sum(m.tile_dates for m in before) == 10
    least_screen, tile = 0.005, 156 * 156 / 512**2 * 12 / 3
    at_most = sum(m.total.processing_units for m in before)
    assert at_most == pytest.approx(5 * least_screen + 10 * tile)
    gate = make_gate(read_config(config).download)
    asked = gate.ledger.spent()
    download(config)
    assert gate.ledger.spent().processing_units <= at_most + 2 * asked.processing_units
    after = dry_run(read_config(config))
    assert sum(m.committed + m.too_cloudy for m in after) == 10
    assert sum(m.total.requests for m in after) == 0


def test_the_border_can_be_planned_without_a_network_and_says_what_to_supply():
    from pathlib import Path

    from cocal.run import plan

    for name in ("border", "border-sentinelhub"):
        made = plan(read_config(Path(__file__).parents[3] / "configs" / f"{name}.yaml"))
        assert made.tiles_per_zone[32719] > 100
        assert made.tile_dates > 10_000
        assert "supply them" in made.notes[0]


@pytest.mark.network
@pytest.mark.skipif(
    "COCAL_LIVE" not in os.environ,
    reason="asks the real service: set COCAL_LIVE=1, SH_CLIENT_ID, SH_CLIENT_SECRET",
)
def test_live_the_real_service_brings_one_small_tile_date(land, tmp_path, download, new_process):
    source = {
        "type": "sentinelhub", "base_url": "https://sh.dataspace.copernicus.eu",
        "token_url": "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
    }  # fmt: skip
    new_process()
    retry = {"attempts": 2}
    config = write_config(
        tmp_path, land, source, tile_px=96, retry=retry, simulated=False, budget={"processing_units": 3}
    )
    config.write_text(config.read_text().replace("2024-05-31", "2024-01-10"))
    assert download(config).failures == ()
    assert list_scenes(tmp_path / "archive")[0].day >= dt.date(2024, 1, 1)
