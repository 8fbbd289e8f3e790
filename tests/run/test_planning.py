"""The plan beside the run that follows it."""

import shutil

from tests.support.command import stages_of
from tests.support.small_world import DAYS, make_world

from cocal.config import read_config
from cocal.run import plan


def planned(world):
    found = plan(read_config(world.config))
    return found.imports_new, found.imports_reused, found.maps_new, found.maps_reused


def made(world, stage):
    record = stages_of(world.root)[stage]
    return record["made"], record["reused"]


def test_the_plan_of_a_whole_run_is_what_the_next_run_does(finished, done):
    before = planned(finished)
    done(finished, last="classify")
    assert before == (*made(finished, "import"), *made(finished, "classify"))
    shutil.rmtree(next((finished.root / "maps").glob("*/*/*")))
    before = planned(finished)
    done(finished, last="classify")
    assert before[2:] == made(finished, "classify") != (0, before[3])


def test_the_plan_with_a_minimum_unit_counts_maps_and_not_drafts(finished, done):
    finished.edit(lambda content: content["classify"].update(minimum_unit={"pixels": 5}))
    done(finished, last="classify")
    done(finished, last="classify")
    assert planned(finished)[2:] == made(finished, "minimum unit")
    finished.edit(lambda content: content["classify"].update(minimum_unit={"pixels": 6}))
    before = planned(finished)
    done(finished, last="classify")
    assert made(finished, "classify")[0] == 0
    assert before[2:] == made(finished, "minimum unit")


def test_before_anything_is_downloaded_there_is_a_plan(tmp_path):
    world = make_world(tmp_path / "world", 96, DAYS[:2])
    world.edit(lambda content: content.pop("imports"))
    found = plan(read_config(world.config))
    assert (found.maps_reused, found.scenes_archived) == (0, None)
    assert found.maps_new > 0
    assert "scenes still to be imported" in found.notes[0]
