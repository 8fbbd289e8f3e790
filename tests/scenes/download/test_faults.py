"""Each fault ends as docs/download.md says, with the number of requests that it takes."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.support.services.loopback import Trouble

from cocal.archive import list_scenes
from cocal.errors import DownloadStoppedError

ONE_DAY = {"tile_px": 288}
ATTEMPTS = 4
HTML = Trouble(status=200, body=b"<html>busy</html>", type="text/html")


def too_many(header=None):
    return Trouble(status=429, headers={} if header is None else {"Retry-After": header})


def in_two_seconds():
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.fixture
def one_day(hub, hub_config, tmp_path):
    """A configuration of one tile-date: one process request if nothing fails."""
    path = hub_config(**ONE_DAY)
    text = path.read_text().replace("2024-05-31", "2024-01-31")
    path.write_text(text)
    return path


RECOVERED = {
    "429 in milliseconds": ([too_many("1200")], 2, 1.2),
    "429 that seems to mean seconds": ([too_many("1"), too_many("1")], 3, 1.0),
    "429 without a header": ([too_many(), too_many()], 3, 0),
    "429 with a fraction": ([too_many("1.5")], 2, 1.5),
    "429 with nonsense": ([too_many("soon")], 2, 0),
    "500": ([Trouble(status=500)] * 2, 3, 0),
    "502": ([Trouble(status=502)] * 2, 3, 0),
    "503 with seconds, as HTTP has it": ([Trouble(status=503, headers={"Retry-After": "1"})] * 2, 3, 1.0),
    "504": ([Trouble(status=504, body=b"<html>gateway</html>")] * 2, 3, 0),
    "reset": ([Trouble("reset")], 2, 0),
    "silence": ([Trouble("silence", seconds=5)], 2, 3.0),
    "drip feed": ([Trouble("drip", seconds=30)], 2, 4.0),
    "body short of its length": ([Trouble("short")], 2, 0),
    "body short without a length": ([Trouble("short_without_length")], 2, 0),
    "chunked body cut": ([Trouble("chunked_cut")], 2, 0),
    "HTML with 200": ([Trouble("html")], 2, 0),
    "TAR cut at a member": ([Trouble("tar_cut")], 2, 0),
    "another CRS in the body": ([Trouble("wrong_crs")], 2, 0),
    "another shape in the body": ([Trouble("wrong_shape")], 2, 0),
    "another place in the body": ([Trouble("wrong_place")], 2, 0),
    "holes that the mask does not know": ([Trouble("holes")], 2, 0),
    "three different faults": ([Trouble("reset"), too_many(), Trouble("html")], 4, 0),
}


LONG = {"silence", "504", "502", "429 with nonsense", "another place in the body", "chunked body cut"}
"""Like others, or slow: not in the default tests, but in the acceptance."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in RECOVERED]
)
def test_a_passing_fault_is_recovered_from(name, hub, one_day, tmp_path, download):
    troubles, requests, seconds = RECOVERED[name]
    hub.troubles["process"].extend(troubles)
    began = time.monotonic()
    result = download(one_day)
    assert result.failures == ()
    assert hub.count("process") == requests
    assert seconds <= time.monotonic() - began < seconds + 8
    assert len(list_scenes(tmp_path / "hub" / "archive")) == 1


def test_a_date_to_wait_for_is_waited_for(hub, one_day, download):
    moment = in_two_seconds()
    hub.troubles["process"].append(too_many(moment))
    assert download(one_day).failures == ()
    first, second = (asked.at for asked in hub.log if asked.endpoint == "process")
    assert hub.count("process") == 2
    assert second - first > 0.9


FOR_EVER = {
    "429": (too_many("20"), ATTEMPTS),
    "429 to be waited for too long": (too_many("60000"), 1),
    "500": (Trouble(status=500), ATTEMPTS),
    "reset": (Trouble("reset"), ATTEMPTS),
    "short": (Trouble("short_without_length"), ATTEMPTS),
    "HTML": (Trouble("html"), ATTEMPTS),
    "another CRS": (Trouble("wrong_crs"), ATTEMPTS),
    "TAR cut": (Trouble("tar_cut"), ATTEMPTS),
    "400": (Trouble(status=400), 1),
    "404": (Trouble(status=404), 1),
    "413": (Trouble(status=413), 1),
}


IN_DEFAULT = {"429", "HTML", "400"}


@pytest.mark.parametrize(
    "name", [n if n in IN_DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in FOR_EVER]
)
def test_a_lasting_fault_leaves_the_tile_date_unobserved_and_listed_and_the_next_run_mends_it(
    name, hub, one_day, tmp_path, download
):
    trouble, requests = FOR_EVER[name]
    hub.always["process"] = trouble
    result = download(one_day)
    assert [unit for unit, _ in result.failures] == ["sim-20240105-32719-288-0173-2925"]
    assert hub.count("process") == requests
    assert list_scenes(tmp_path / "hub" / "archive") == []
    assert not (tmp_path / "hub" / "archive" / "scenes" / ".staging").exists() or not list(
        (tmp_path / "hub" / "archive" / "scenes" / ".staging").iterdir()
    )
    hub.forget()
    assert download(one_day).failures == ()
    assert hub.count("process") == 1
    assert len(list_scenes(tmp_path / "hub" / "archive")) == 1


def test_a_damaged_body_is_set_aside_with_the_reason(hub, one_day, tmp_path, download):
    hub.always["process"] = Trouble("wrong_crs")
    download(one_day)
    folder = tmp_path / "hub" / "state" / "quarantine"
    assert {p.suffix for p in folder.iterdir()} == {".body", ".txt"}
    assert "EPSG:32718, not EPSG:32719" in next(folder.glob("*.txt")).read_text()


def test_an_expired_token_is_renewed_once(hub, one_day, download):
    hub.troubles["process"].append(Trouble(status=401))
    assert download(one_day).failures == ()
    assert (hub.count("process"), hub.count("token")) == (2, 2)


def stopped(download, config):
    with pytest.raises(DownloadStoppedError) as caught:
        download(config)
    return str(caught.value)


def test_tokens_that_are_refused_again_and_again_end_the_run(hub, one_day, download):
    hub.always["process"] = Trouble(status=401)
    assert "401" in stopped(download, one_day)
    assert (hub.count("process"), hub.count("token")) == (2, 2)


def test_a_used_up_quota_ends_the_run_at_once(hub, hub_config, download):
    hub.troubles["process"].extend(
        [None, Trouble(status=403, body=b'{"error": {"message": "quota used up"}}')]
    )
    config = hub_config(**ONE_DAY)
    assert "quota used up" in stopped(download, config)
    assert hub.count("process") == 2
    hub.forget()
    assert download(config).failures == ()
    assert hub.count("process") == 4


def test_a_wrong_secret_ends_the_run_before_anything_is_asked(hub, one_day, download, monkeypatch):
    monkeypatch.setenv("SH_CLIENT_SECRET", "MARKER-not-the-one")
    text = stopped(download, one_day)
    assert "refuses client id or secret" in text
    assert "MARKER" not in text
    assert [asked.endpoint for asked in hub.log] == ["token"]


@pytest.mark.parametrize(
    "trouble", [too_many(), too_many("300"), Trouble(status=500), HTML, Trouble("reset")],
    ids=["429", "429 with a header", "500", "HTML", "reset"],
)  # fmt: skip
def test_a_passing_fault_of_the_token_end_point_is_recovered_from(trouble, hub, one_day, download):
    hub.troubles["token"].append(trouble)
    assert download(one_day).failures == ()
    assert (hub.count("process"), hub.count("token")) == (1, 2)


@pytest.mark.parametrize("trouble", [too_many(), Trouble(status=500), HTML], ids=["429", "500", "HTML"])
def test_a_lasting_fault_of_the_token_end_point_ends_the_run(trouble, hub, one_day, download):
    hub.always["token"] = trouble
    assert "token" in stopped(download, one_day)
    assert (hub.count("process"), hub.count("token")) == (0, ATTEMPTS)


@pytest.mark.parametrize(
    "trouble",
    [too_many("20"), Trouble(status=503), Trouble("html"), Trouble("short_without_length"), Trouble("drip",
        seconds=20)],
    ids=["429", "503", "HTML", "short", "drip"],
)  # fmt: skip
def test_a_passing_fault_of_the_catalogue_is_recovered_from_page_by_page(trouble, hub, one_day, download):
    hub.page = 1
    hub.troubles["catalogue"].append(trouble)
    assert download(one_day).failures == ()
    assert hub.count("catalogue") == 2


def test_a_service_that_is_down_is_left_alone_after_some_failures(hub, hub_config, download):
    hub.always["process"] = Trouble(status=500)
    config = hub_config()
    assert "4 units failed one after the other" in stopped(download, config)
    assert hub.count("process") == 4 * ATTEMPTS


def test_the_budget_is_never_exceeded_and_ends_the_run_before_the_request(hub, hub_config, download):
    one = 156 * 156 / 512**2 * 12 / 3
    config = hub_config(budget={"processing_units": 3 * one + 0.1})
    assert "budget of processing units" in stopped(download, config)
    assert hub.count("process") == 3
    assert hub.units <= 3 * one + 0.1


def test_faults_that_are_not_charged_do_not_use_up_the_budget(hub, hub_config, download):
    one = 156 * 156 / 512**2 * 12 / 3
    config = hub_config(budget={"processing_units": 10 * one + 5 * 0.02})
    hub.troubles["process"].extend([Trouble(status=500), Trouble(status=503), too_many("20")])
    assert download(config).failures == ()
    assert hub.count("process") == 13
