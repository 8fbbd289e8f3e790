"""A STAC source: faults of range reads, offsets by item, duplicates, datastrips."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.support.services.loopback import Trouble
from tests.support.services.small import write_config
from tests.support.services.stac import stac_api

from cocal.archive import list_scenes, read_scenes
from cocal.errors import DownloadStoppedError, OffsetError
from cocal.scenes.download import make_gate
from cocal.scenes.download.catalogue import best_first, granule_of
from cocal.scenes.download.stac import item_offset


@pytest.fixture
def one_day(land, api, tmp_path):
    config = write_config(tmp_path / "stac", land, {"type": "stac", "catalogue": api[0]}, tile_px=288)
    config.write_text(config.read_text().replace("2024-05-31", "2024-01-31"))
    return config


def reads(config):
    """Band reads that the ledger knows: what is written down before each try."""
    from cocal.config import read_config

    ledger = make_gate(read_config(config).download).ledger
    return sum("of S2" in line for line in ledger.path.read_text().splitlines())


PASSING = {
    "503": Trouble(status=503),
    "429": Trouble(status=429),
    "404": Trouble(status=404),
    "reset": Trouble("reset"),
    "short": Trouble("short"),
    "HTML": Trouble("html"),
    "zeros of the right length": Trouble("zeros"),
    "silence": Trouble("silence", seconds=6),
    "drip": Trouble("drip", seconds=30),
}


IN_DEFAULT = {"503", "HTML", "zeros of the right length"}
ASKED_AGAIN_BY_GDAL = {"short"}
"""Faults that GDAL mends within one read, by asking for what is lacking."""
UNDISTURBED = 33
"""Requests of 11 bands: whether it is there, how long it is, its bytes."""


@pytest.mark.parametrize(
    "name", [n if n in IN_DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in PASSING]
)
def test_a_passing_fault_of_a_range_read_is_recovered_from(name, api, one_day, tmp_path, download, land):
    api[1].troubles["file"].extend([None, None, PASSING[name]])
    assert download(one_day).failures == ()
    assert reads(one_day) == (11 if name in ASKED_AGAIN_BY_GDAL else 12)
    if name in ASKED_AGAIN_BY_GDAL:
        assert api[1].count("file") == UNDISTURBED + 1
    [scene] = list_scenes(tmp_path / "stac" / "archive")
    blue = read_scenes([scene], land.granules[0].window, ["blue"])["blue"].values[0]
    assert np.array_equal(blue, land.granules[0].read("B02"))


@pytest.mark.parametrize(
    "name", ["503", pytest.param("404", marks=pytest.mark.slow), "zeros of the right length"]
)
def test_a_lasting_fault_is_listed_and_never_becomes_pixels(name, api, one_day, tmp_path, download):
    api[1].always["file"] = PASSING[name]
    result = download(one_day)
    assert [unit for unit, _ in result.failures] == ["sim-20240105-32719-288-0173-2925"]
    assert reads(one_day) == 4
    assert list_scenes(tmp_path / "stac" / "archive") == []
    api[1].forget()
    assert download(one_day).failures == ()


def test_a_catalogue_that_is_not_there_stops_the_download(land, tmp_path, download, caplog):
    caplog.set_level("INFO")
    config = write_config(tmp_path / "x", land, {"type": "stac", "catalogue": "http://127.0.0.1:9"})
    with pytest.raises(DownloadStoppedError, match="catalogue 2024-01"):
        download(config)
    assert "end catalogue: 0 made, 0 reused, 0 failed" in caplog.messages


def feature(name, moment, baseline, strip=None):
    more = {"s2:datastrip_id": f"S2A_OPER_MSI_L2A_DS_2APS_20250101T000000_S{strip}_N05.00"} if strip else {}
    return {
        "id": name, "geometry": {"type": "Point", "coordinates": [0, 0]},
        "properties": {"datetime": moment, "s2:processing_baseline": baseline, "grid:code": "MGRS-19LDF",
            **more},
    }  # fmt: skip


def ids(*features):
    return [g.id for g in best_first(map(granule_of, features))]


def test_the_most_recent_is_first_and_reprocessed_copies_are_dropped_by_baseline():
    early, late = "2021-01-05T14:46:00Z", "2021-01-05T14:47:00Z"
    copies = [feature("old", early, "02.14"), feature("new", early, "05.00"), feature("other", late, "02.14")]
    assert ids(*copies) == ["other", "new"]


def test_both_halves_of_a_datatake_cut_in_two_datastrips_stay():
    moment = "2021-01-05T14:46:00Z"
    assert ids(feature("a", moment, "05.00"), feature("b", moment, "05.00")) == ["a", "b"]
    halves = [
        feature("a", moment, "02.14", "20210105T144631"),
        feature("b", moment, "05.00", "20210105T144700"),
    ]
    assert ids(*halves) == ["b", "a"]


def test_a_granule_is_known_by_its_name_where_properties_are_lacking():
    name = "S2B_MSIL2A_20240705T143729_N0510_R096_T19LDF_20240705T190512.SAFE"
    found = granule_of({"id": name, "geometry": {"type": "Point", "coordinates": [0, 0]},
                        "properties": {"datetime": "2024-07-05T23:59:59.9-02:00"}})  # fmt: skip
    assert (found.baseline, found.strip) == ("05.10", "19LDF 20240706T015959")
    assert found.acquired == datetime(2024, 7, 6, 1, 59, 59, 900000, tzinfo=UTC)


def item(land, rasters=None, **properties):
    made = land.granules[0].item("http://x")
    made["properties"] = {"datetime": "2024-01-01T00:00:00Z", **properties}
    for asset in made["assets"].values():
        asset["raster:bands"] = rasters or []
    return made


EARTH_SEARCH = [{"scale": 0.0001, "offset": -0.1, "nodata": 0}]


@pytest.mark.parametrize(
    ("rasters", "properties", "offset"),
    [
        (EARTH_SEARCH, {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}, 0),
        (EARTH_SEARCH, {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"}, -1000),
        (EARTH_SEARCH, {"s2:processing_baseline": "05.09"}, -1000),
        ([{"scale": 0.0001, "offset": 0}], {"s2:processing_baseline": "05.09"}, 0),
        (None, {"s2:processing_baseline": "04.00"}, -1000),
        (None, {"s2:processing_baseline": "03.01"}, 0),
    ],
)
def test_the_offset_is_that_of_the_item(rasters, properties, offset, land):
    assert item_offset(item(land, rasters, **properties), None)[0] == offset


def test_an_item_that_says_nothing_of_its_offset_is_refused_unless_it_is_stated(land):
    with pytest.raises(OffsetError, match="unknown"):
        item_offset(item(land), None)
    assert item_offset(item(land), -1000)[0] == -1000


def test_a_granule_whose_metadata_contradict_its_pixels_is_listed_and_does_not_stop_the_others(
    land, api, tmp_path, download
):
    """Three of five days say that an offset of -1000 is still to be removed, which it is already.

    Of the three one is all cloud, whose pixels contradict nothing (docs/radiometry.md).
    """
    wrong = [replace(g, baseline="05.10") if g.baseline == "03.01" else g for g in land.granules]
    with stac_api(wrong, tmp_path, api[1].url) as url:
        config = write_config(tmp_path / "stac", land, {"type": "stac", "catalogue": url}, tile_px=288)
        result = download(config)
    assert len(result.failures) == 2
    assert all("contradict an offset of -1000" in reason for _, reason in result.failures)
    assert len(list_scenes(tmp_path / "stac" / "archive")) == 3
