"""Answers that are no fault of one request: endless pages, empty catalogues, long pauses, refused tokens."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import yaml
from tests.support.services.granules import RawGranule
from tests.support.services.hub import HubStandIn
from tests.support.services.loopback import Reply, StandIn, Trouble
from tests.support.services.small import hub_source, write_config

from cocal.archive import list_scenes
from cocal.errors import CocalError, DownloadStoppedError
from cocal.scenes.download.catalogue import MAX_PAGES
from cocal.scenes.download.gate import retry_after

ATTEMPTS = 4
STATED = r"run again after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC"


def run_file(tmp_path):
    return json.loads((tmp_path / "hub" / "runs" / "small" / "run.json").read_text())


def stopped(download, config):
    with pytest.raises(DownloadStoppedError) as caught:
        download(config)
    return str(caught.value)


def test_a_catalogue_that_repeats_its_pages_is_left_after_the_first_repeated_one(
    hub, hub_config, tmp_path, download, caplog
):
    """Five months of one or two granules: each is read twice. Nothing is missing, so all is fetched."""
    hub.endless = "repeat"
    assert download(hub_config(tile_px=288)).failures == ()
    assert (hub.count("catalogue"), hub.count("process")) == (2 * 5, 5)
    assert "page 2 of the catalogue repeats earlier ones" in caplog.text
    codes = [note["code"] for note in run_file(tmp_path)["left_out"]]
    assert codes == ["catalogue_repeats"] * len(codes)


def test_a_catalogue_that_invents_granules_without_end_stops_the_download(hub, hub_config, download):
    hub.endless = "invent"
    assert "the catalogue does not end" in stopped(download, hub_config(tile_px=288))
    assert (hub.count("catalogue"), hub.count("process")) == (MAX_PAGES, 0)


class EndlessStac(StandIn):
    """A STAC API whose search always links to a next page, with the same items or with new ones."""

    def __init__(self, granule: RawGranule, invent: bool):
        self.granule, self.invent = granule, invent
        super().__init__()

    def endpoint(self, method, path):
        return "search" if path.startswith("/search") else "landing"

    def answer(self, endpoint, request, body):
        conforms = ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"]
        links = [{"rel": "search", "href": f"{self.url}/search", "type": "application/geo+json",
                  "method": "POST"}]  # fmt: skip
        if endpoint == "landing":
            page = {"type": "Catalog", "id": "x", "description": "x", "stac_version": "1.0.0",
                    "conformsTo": conforms, "links": links}  # fmt: skip
        else:
            item = self.granule.item("http://127.0.0.1:9")
            item["id"] += f"_{self.count('search')}" if self.invent else ""
            following = {"rel": "next", "href": f"{self.url}/search?page=2", "method": "GET"}
            page = {"type": "FeatureCollection", "features": [item], "links": [following]}
        return Reply(200, json.dumps(page).encode()), None

    def spoiled(self, trouble, endpoint, body):
        raise NotImplementedError


@pytest.mark.parametrize(("invent", "pages"), [(False, 2), (True, MAX_PAGES)])
def test_an_endless_stac_search_ends_too(invent, pages, land, tmp_path, download):
    with EndlessStac(land.granules[0], invent) as api:
        source = {"type": "stac", "catalogue": api.url}
        config = write_config(tmp_path / "stac", land, source, retry={"attempts": 1})
        config.write_text(config.read_text().replace("2024-05-31", "2024-01-31"))
        if invent:
            assert "the catalogue does not end" in stopped(download, config)
        else:
            assert len(download(config).failures) == 2  # both tiles: there are no rasters
        assert api.count("search") == pages


def in_2023(config):
    """Ask for two months of which the service lists nothing."""
    content = yaml.safe_load(config.read_text())
    content["periods"] = [{"name": "2023", "start": "2023-01-01", "end": "2023-02-28"}]
    config.write_text(yaml.safe_dump(content))


def test_a_period_of_which_nothing_is_listed_is_a_failure(hub, hub_config, tmp_path, download):
    config = hub_config(tile_px=288)
    in_2023(config)
    [(unit, reason)] = download(config).failures
    assert unit == "period 2023"
    assert "lists nothing of the regions from 2023-01-01 to 2023-02-28" in reason
    assert (hub.count("catalogue"), hub.count("process")) == (2, 0)
    assert run_file(tmp_path)["status"] == "done with failures"
    assert [note["code"] for note in run_file(tmp_path)["left_out"]] == ["catalogue_empty"]


def test_a_period_of_which_nothing_is_listed_may_be_allowed(hub, hub_config, tmp_path, download):
    config = hub_config(tile_px=288, allow_empty=True)
    in_2023(config)
    assert download(config).failures == ()
    assert [note["code"] for note in run_file(tmp_path)["left_out"]] == ["catalogue_empty"]


def in_ten_minutes():
    return format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)


LONG_PAUSES = {
    "429, milliseconds": (429, lambda: "600000", 1),
    "429, seconds": (429, lambda: "600", 3),
    "429, a fraction of seconds": (429, lambda: "600.0", 1),
    "429, a date": (429, in_ten_minutes, 1),
    "503, milliseconds": (503, lambda: "600000", 1),
    "503, a date": (503, in_ten_minutes, 1),
}


SAME_WAY = ("429, a fraction of seconds", "503, milliseconds", "503, a date")
"""Each of them a status and a form of header that the others have."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SAME_WAY)) for n in LONG_PAUSES]
)
def test_a_long_pause_is_one_for_all_tile_dates_and_says_when_to_come_back(
    name, hub, hub_config, tmp_path, download
):
    """Ten tile-dates: the first is refused, no other is requested. The time stated is in ten minutes."""
    status, header, requests = LONG_PAUSES[name]
    hub.always["process"] = Trouble(status=status, headers={"Retry-After": header()})
    config = hub_config(limits={"in_flight": 1, "per_minute": 100_000})
    text = stopped(download, config)
    moment = datetime.strptime(re.search(STATED, text)[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert 500 < (moment - datetime.now(UTC)).total_seconds() <= 600
    assert "a pause of 6" in text or "a pause of 5" in text
    assert hub.count("process") == requests
    failed = run_file(tmp_path)["stages"]["download"]["failed"]
    assert len(failed) == 10
    assert all(re.search(STATED, entry["reason"]) for entry in failed)
    hub.forget()
    assert download(config).failures == ()
    assert hub.count("process") == 10


@pytest.mark.parametrize("header", ["1e30", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "-600", "inf", "٣"])
def test_an_absurd_pause_is_ignored(header, hub, hub_config, download):
    assert retry_after(header, None, 120.0) in (None, 0.003)
    assert retry_after(header, header, 120.0, times=3) in (None, 3.0)


def test_a_long_pause_of_the_catalogue_or_the_token_stops_and_says_when(hub, hub_config, download):
    for endpoint in ("token", "catalogue"):
        hub.always[endpoint] = Trouble(status=429, headers={"Retry-After": "600000"})
        assert re.search(STATED, stopped(download, hub_config()))
        assert hub.count(endpoint) == 1
        hub.forget()


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("body", [b'{"error": {"message": "no"}}', b"<html>no</html>", b'{"error": "odd"}'])
def test_a_refusal_of_the_token_end_point_is_final_after_one_request(status, body, hub, hub_config, download):
    hub.always["token"] = Trouble(status=status, body=body)
    assert f"refuses client id or secret ({status}" in stopped(download, hub_config())
    assert [asked.endpoint for asked in hub.log] == ["token"]


def test_the_breaker_states_what_it_found(hub, hub_config, download):
    hub.always["process"] = Trouble(status=500, body=b'{"error": {"message": "on fire"}}')
    text = stopped(download, hub_config())
    assert re.search(r"found: sim-\S+: the service answers 500: on fire", text)
    assert hub.count("process") == 4 * ATTEMPTS


@pytest.mark.parametrize("stopping", [False, True])
def test_run_json_is_simulated_where_the_items_are(stopping, hub, hub_config, tmp_path, download):
    config = hub_config(tile_px=288)
    if stopping:
        hub.troubles["process"].extend([None, Trouble(status=403)])
        stopped(download, config)
    else:
        download(config)
    assert run_file(tmp_path)["simulated"] is True


def test_an_item_is_simulated_where_the_catalogue_says_so(credentials, land, tmp_path, download, new_process):
    class Saying(RawGranule):
        def feature(self, **more):
            return super().feature(**{"cocal:simulated": True}, **more)

    with HubStandIn([Saying(**vars(g)) for g in land.granules]) as hub:
        config = write_config(tmp_path / "hub", land, hub_source(hub.url), tile_px=288, simulated=False)
        new_process()
        assert download(config).simulated
    assert all(scene.simulated for scene in list_scenes(tmp_path / "hub" / "archive"))


@pytest.mark.parametrize(
    "feature",
    [{}, {"id": "x"}, {"id": "x", "properties": None}, "x", None, {"id": "x", "geometry": None, "bbox": "?",
      "properties": {"datetime": "2024-01-05T00:00:00Z"}},
     {"id": "x", "geometry": {"type": "Cube"}, "properties": {"datetime": "2024-01-05T00:00:00Z"}},
     {"id": "x", "geometry": {"type": "Polygon", "coordinates": []},
      "properties": {"datetime": "2024-01-05T00:00:00Z"}}],
    ids=range(8),
)  # fmt: skip
def test_an_entry_that_is_no_item_stops_the_download_in_words(feature, hub, hub_config, download):
    page = json.dumps({"type": "FeatureCollection", "features": [feature], "context": {}}).encode()
    hub.always["catalogue"] = Trouble(status=200, body=page)
    with pytest.raises(CocalError, match=r"entry of the catalogue cannot be read|answer is not valid"):
        download(hub_config())
    assert hub.count("process") == 0


@pytest.fixture
def one_day(hub, hub_config):
    path = hub_config(tile_px=288)
    path.write_text(path.read_text().replace("2024-05-31", "2024-01-31"))
    return path


def test_an_answer_of_another_day_is_requested_again(hub, one_day, download, caplog):
    hub.troubles["process"].append(Trouble("other_day"))
    caplog.set_level("INFO")
    assert download(one_day).failures == ()
    assert "the answer is of 2024-01-06, not 2024-01-05" in caplog.text
    assert hub.count("process") == 2


def test_a_changed_bit_inside_a_body_is_seen_by_the_checksum_of_its_blocks(hub, one_day, download):
    """A bit in the middle of the compressed bands; the TAR and the TIFF stay valid."""
    hub.troubles["process"].append(Trouble("flip"))
    assert download(one_day).failures == ()
    assert hub.count("process") == 2


def test_a_body_that_unpacks_to_more_than_any_valid_one_is_not_read_to_its_end(
    hub, one_day, download, monkeypatch
):
    monkeypatch.setattr("cocal.scenes.download.hub.LARGEST_BODY", 3_000_000)
    bomb = gzip.compress(bytes(100_000_000))
    hub.troubles["process"].append(Trouble(status=200, body=bomb, headers={"Content-Encoding": "gzip"}))
    assert download(one_day).failures == ()
    assert hub.count("process") == 2
