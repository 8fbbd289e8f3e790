"""A damaged unit is moved aside and made anew; a scene that cannot be made anew is listed, every time."""

import json
import logging
import re
import shutil

import pytest
from tests.support.command import cocal, files_below, stages_of

from cocal.archive import list_scenes

TABLES = ("hectares.csv", "hectares.parquet", "comparison.csv", "regions.csv", "countries.csv")


def flip(path, at=0.5):
    """Change one bit, so that the size stays."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 4
    path.write_bytes(data)
    return bytes(data)


def tables(world):
    return {name: (world.root / name).read_bytes() for name in TABLES}


def remapped(content):
    """Every map is made anew, from all scenes."""
    content["classify"].update(min_clear=2)


KINDS = (
    "model/*/model.skops", "model/*/card.json", "maps/*/*/*/class.tif", "maps/*/*/*/n_clear.tif",
    "maps/*/*/*/*.json", "counts/*/counts.npz", "counts/*/manifest.json", "hectares.parquet", "hectares.csv",
    "records.csv", "estimates.json", "manifests/measure.json", "comparison.csv", "manifests/compare.json",
)  # fmt: skip


@pytest.mark.parametrize("pattern", KINDS)
def test_a_damaged_unit_of_a_run_is_moved_aside_with_a_warning_and_made_anew(finished, done, caplog, pattern):
    calm = tables(finished)
    path = sorted(finished.root.glob(pattern))[0]
    changed = flip(path)
    with caplog.at_level(logging.WARNING):
        summary = done(finished)
    assert summary.failures == ()
    assert tables(finished) == calm
    (told,) = json.loads((finished.root / "run.json").read_text())["damaged"]
    aside = finished.root / told["folder"]
    assert aside.is_relative_to(finished.root / "damaged")
    assert changed in [kept.read_bytes() for kept in aside.rglob(path.name)]
    assert path.read_bytes() != changed
    assert f"{told['unit']} is damaged" in caplog.text
    assert "to be made anew" in caplog.text
    caplog.clear()
    done(finished)
    assert "damaged" not in caplog.text
    assert "damaged" not in json.loads((finished.root / "run.json").read_text())


@pytest.mark.parametrize("name", ["red.tif", "scl.tif", "manifest.json"])
def test_a_damaged_scene_is_imported_anew(finished, done, caplog, name):
    finished.edit(remapped)
    whole = finished.copied(finished.folder.parent / "whole")
    done(whole)
    scene = list_scenes(finished.archive)[0].id
    flip(finished.archive / "scenes" / scene / name)
    assert done(finished).failures == ()
    assert tables(finished) == tables(whole)
    assert f"{scene} is damaged" in caplog.text
    assert (finished.archive / "scenes" / "damaged" / scene / "1" / name).exists()
    (done_anew, reused) = (stages_of(finished.root)["import"][k] for k in ("made", "reused"))
    assert done_anew + reused == len(list_scenes(finished.archive))


@pytest.mark.parametrize("name", ["red.tif", "manifest.json"])
def test_a_run_goes_on_without_a_damaged_scene_that_has_no_source_and_lists_it_each_time(
    finished, done, caplog, name
):
    def without_sources(content):
        remapped(content)
        del content["imports"]

    finished.edit(without_sources)
    shutil.rmtree(finished.folder / "sources")
    scene = list_scenes(finished.archive)[-1]
    less = finished.copied(finished.folder.parent / "less")
    shutil.rmtree(less.archive / "scenes" / scene.id)
    done(less)
    flip(finished.archive / "scenes" / scene.id / name)
    summary = done(finished)
    ((unit, reason),) = summary.failures
    assert unit == scene.id
    assert "no source to import or fetch it from" in reason
    assert "the run begins again" in caplog.text
    assert tables(finished) == tables(less)
    assert done(finished).failures == summary.failures
    shutil.rmtree(finished.archive / "scenes" / "damaged" / scene.id)
    assert done(finished).failures == ()


def test_damaged_scenes_that_different_tiles_find_are_set_aside_in_one_go(finished, done, caplog):
    """Both scenes of the second day, one per zone; the model stands, the maps are to be made."""
    finished.edit(lambda content: content.pop("imports"))
    done(finished)
    shutil.rmtree(finished.root / "maps")
    last = list_scenes(finished.archive)[-2:]
    assert {scene.window.epsg for scene in last} == {32718, 32719}
    for scene in last:
        flip(finished.archive / "scenes" / scene.id / "nir.tif")
    assert {unit for unit, _ in done(finished).failures} == {scene.id for scene in last}
    assert caplog.text.count("the run begins again") == 1


def test_verify_reads_everything_names_what_is_damaged_and_what_makes_it_anew(finished, done):
    ended = cocal("verify", finished.archive, finished.root)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.fullmatch(r"\d+ units, \d+ files, 0\.\d{3} GB read: 0 damaged\n", ended.stdout)
    scene = list_scenes(finished.archive)[1].id
    damaged = {
        finished.archive / "scenes" / scene / "nir.tif": f"{finished.archive}/scenes/{scene}",
        next(finished.root.glob("maps/*/*/*/probability.tif")): None,
        finished.root / "countries.csv": f"{finished.root}/manifests/measure.json",
    }
    for path in damaged:
        flip(path)
    gone = next(
        home for home in sorted(finished.root.glob("maps/*/*/*")) if home not in {p.parent for p in damaged}
    )
    shutil.rmtree(gone)
    before = files_below(finished.folder)
    ended = cocal("verify", finished.archive, finished.root)
    assert ended.returncode == 1
    assert files_below(finished.folder) == before
    assert ended.stdout.count("DAMAGED") == 4
    assert ended.stdout.endswith("4 damaged\n")
    for path, unit in damaged.items():
        assert f"DAMAGED {unit or path.parent}\n" in ended.stdout
        assert f"  {path.name}: " in ended.stdout
    assert (
        f"DAMAGED {gone}\n  manifest.json: no such file\n  fix: cocal run {finished.root}\n" in ended.stdout
    )
    assert "  fix: cocal import CONFIG (from its source)\n" in ended.stdout
    assert done(finished).failures == ()
    assert cocal("verify", finished.archive, finished.root).returncode == 0


def test_verify_of_a_folder_without_units_is_a_usage_error(tmp_path):
    ended = cocal("verify", tmp_path)
    assert ended.returncode == 2
    assert "nothing to verify" in ended.stderr
