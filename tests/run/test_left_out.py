"""What a run leaves out or repairs: in the log and run.json, also where everything is reused; its limits."""

from __future__ import annotations

import json
import logging

import pandas as pd
import pytest
from tests.support.command import in_process
from tests.support.leaving_out import EXPECTED, flawed_world, stated

from cocal.config import read_config
from cocal.errors import InputError
from cocal.run import plan, run


@pytest.fixture(scope="module")
def _flawed(tmp_path_factory):
    world = flawed_world(tmp_path_factory.mktemp("flawed") / "world")
    run(read_config(world.config), last="compare", config_path=world.config)
    return world


@pytest.fixture
def flawed(_flawed, tmp_path):
    return _flawed.copied(tmp_path / "world")


def compare(world):
    return run(read_config(world.config), last="compare", config_path=world.config)


def lines(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_a_run_states_what_it_left_out_and_states_it_again_where_all_is_reused(flawed, caplog):
    first = stated(flawed)
    again = compare(flawed)
    assert "0 unit(s) made" in again.summary
    assert stated(flawed) == first
    assert sorted(lines(caplog)) == sorted(note["en"] for note in first)
    assert {note["unit"].split("/")[0] for note in first} >= {"", "model", ":measure", ":compare"}


def test_repairs_state_hectares_before_and_after(flawed):
    notes = {note["code"]: note["values"] for note in stated(flawed)}
    repaired = notes["region_area_repaired"]
    assert repaired["before_ha"] - repaired["after_ha"] == pytest.approx(0.25, rel=0.01)  # 50 m x 50 m twice
    assert notes["regions_overlap"]["ha"] == pytest.approx(10 * 435 / 10_000, rel=0.01)  # 10 m along BO-2
    assert notes["regions_without_scene"]["ha"] == pytest.approx(9, rel=0.01)  # 300 m x 300 m
    assert notes["elevation_short"]["share"] == pytest.approx(9 / 66.6, abs=0.06)  # by 20 x 20 points


@pytest.mark.parametrize(
    ("key", "code"),
    [("files", "files_without_pattern"), ("scenes", "dates_without_pixel"), ("labels", "labels_unused"),
     ("regions", "regions_without_scene"), ("elevation", "elevation_short"), ("records", "records_outside"),
     ("official", "official_unmatched"), ("official", "claims_unmatched"),
     ("repaired", "region_area_repaired")],
)  # fmt: skip
def test_more_than_the_stated_share_stops_the_run_and_names_the_setting(key, code, flawed):
    text = next(note["en"] for note in stated(flawed) if note["code"] == code)
    flawed.edit(lambda config: config.update(left_out={key: 0.001}))
    answer = in_process("compare", "--serial", flawed.config)
    assert answer.returncode == 2
    assert f"left_out.{key} at most 0.001" in answer.stderr
    assert f"`left_out.{key}:`" in answer.stderr
    assert text in answer.stderr


def test_points_of_a_probability_sample_in_no_region_are_refused_unless_allowed(flawed):
    flawed.edit(lambda config: config["records"].pop("outside"))
    with pytest.raises(InputError, match=r"(?s)2 of 119 outside: record_id 'R0000', 'R0001'.*: allowed"):
        compare(flawed)


def test_zones_of_the_law_with_latitude_before_longitude_are_refused(flawed):
    """All of them lie elsewhere: `legal.csv` would hold 0 ha of each."""
    path = flawed.folder / "zones.geojson"
    content = json.loads(path.read_text(encoding="utf-8"))
    for feature in content["features"]:
        rings = feature["geometry"]["coordinates"]
        feature["geometry"]["coordinates"] = [[[y, x] for x, y in ring] for ring in rings]
    path.write_text(json.dumps(content), encoding="utf-8")
    answer = in_process("compare", "--serial", flawed.config)
    assert answer.returncode == 2
    assert "the zones of `legal.zones:` lie elsewhere" in answer.stderr
    assert "2 zones within -12.5" in answer.stderr
    assert "longitude comes before latitude" in answer.stderr


def test_a_plan_warns_of_what_its_stages_leave_out(flawed, caplog):
    plan(read_config(flawed.config))
    of_the_run = [n for n in stated(flawed) if not n["unit"] and n["code"] != "zones_outside"]
    assert {note["code"] for note in of_the_run} == set(EXPECTED) - {
        "scene_without_pixel", "labels_unused", "records_outside", "records_elsewhere",
        "records_in_no_period", "official_unmatched", "field_unmatched", "zones_outside",
        "claims_unmatched", "claims_without_maps", "regions_without_pixel", "record_columns_unread",
        "records_same_place",
    }  # fmt: skip
    assert sorted(lines(caplog)) == sorted(note["en"] for note in of_the_run)


def test_strata_in_square_metres_are_refused(flawed):
    path = flawed.folder / "strata.csv"
    strata = pd.read_csv(path)
    strata.assign(area_ha=strata["area_ha"] * 10_000).to_csv(path, index=False)
    records = pd.read_csv(flawed.folder / "records.csv")
    records.iloc[2:].to_csv(flawed.folder / "records.csv", index=False)  # those in no region
    flawed.edit(lambda config: config["records"].pop("outside"))
    with pytest.raises(InputError, match=r"(?s)the strata add up to .* the unit of `area_ha`"):
        compare(flawed)


def test_an_official_table_that_is_no_csv_with_commas_is_refused(flawed):
    path = flawed.folder / "official.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    with pytest.raises(InputError, match="no column 'region_id'"):
        compare(flawed)


def test_strata_in_square_kilometres_are_recorded(flawed):
    path = flawed.folder / "strata.csv"
    strata = pd.read_csv(path)
    strata.assign(area_ha=strata["area_ha"] / 100).to_csv(path, index=False)
    compare(flawed)
    notes = json.loads((flawed.root / "run.json").read_text(encoding="utf-8"))["left_out"]
    (found,) = [note["values"] for note in notes if note["code"] == "strata_unlike_regions"]
    assert found["strata_ha"] == pytest.approx(strata["area_ha"].sum() / 100)
    assert found["regions_ha"] > 100 * found["strata_ha"]
