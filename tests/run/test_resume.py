"""A run that is stopped, damaged or changed does what is missing, and nothing else."""

import signal
import subprocess
import threading
from dataclasses import replace

import pytest
from tests.support.changing import CHANGES, STAGES, expected
from tests.support.command import COCAL, committed, stages_of, uncommitted
from tests.support.small_world import write_regions

from cocal.archive import check_unchanged, list_scenes
from cocal.config import read_config
from cocal.errors import BusyError, SceneReadError
from cocal.run import run
from cocal.run.stages import classify as stage
from cocal.store import LocalStore, Manifest

TABLES = ("hectares.csv", "hectares.parquet", "comparison.csv", "regions.csv", "countries.csv")


def counts(world):
    return {name: (stage["made"], stage["reused"]) for name, stage in stages_of(world.root).items()}


def kill_after(world, line_part):
    """Start the command in a process and kill it when it logs the line."""
    command = [*COCAL, "compare", "--serial", str(world.config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in process.stderr:
        if line_part in line:
            process.kill()
            break
    process.stderr.read()
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL


def test_a_run_that_was_killed_goes_on_where_it_was(finished, tmp_path, done):
    calm = {name: (finished.root / name).read_bytes() for name in TABLES}
    torn = finished.copied(tmp_path / "torn")
    for path in sorted(torn.folder.glob("runs/small/maps/*/*"))[1:]:
        next(path.rglob("manifest.json")).unlink()
    for path in (torn.root / "manifests").iterdir():
        path.unlink()
    kill_after(torn, "done maps/")
    kept = committed(torn.root, torn.archive)
    assert not (torn.root / "manifests" / "measure.json").exists()
    summary = done(torn)
    assert {p: f for p, f in committed(torn.root, torn.archive).items() if p in kept} == kept
    assert {name: (torn.root / name).read_bytes() for name in TABLES} == calm
    made, reused = counts(torn)["classify"]
    assert made + reused == counts(finished)["classify"][0]
    assert min(made, reused) > 0
    assert f"{sum(r for _, r in counts(torn).values())} reused" in summary.summary
    assert uncommitted(torn.root, torn.archive) == set()


def test_what_a_killed_process_left_half_written_is_swept(finished, done):
    left = [
        finished.root / ".run-0a1b2c3d.json",
        finished.root / ".staging" / "0a1b" / "class.tif",
        finished.archive / ".catalog-0a1b2c3d.json",
        finished.archive / "scenes" / ".collection-0a1b2c3d.json",
        finished.archive / "scenes" / ".staging" / "0a1b" / "red.tif",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    done(finished, last="import")
    assert [path for path in left if path.exists()] == []


def test_a_commit_mark_is_never_half_written(tmp_path, monkeypatch):
    """The manifest is written in staging, so that a kill leaves nothing beside the unit's files."""
    seen = []
    store = LocalStore(tmp_path)

    def note(source, target):
        seen.append((source.parent.parent.name, target.name))
        return publish(source, target)

    from cocal import store as module

    publish = module._publish
    monkeypatch.setattr(module, "_publish", note)
    with store.commit("a/b", {"x": 1}) as folder:
        (folder / "data").write_text("whole")
    assert seen == [(".staging", "data"), (".staging", "manifest.json")]


@pytest.mark.parametrize("file", ["class.tif", "probability.tif", "manifest.json"])
def test_a_damaged_map_is_made_again_and_only_that(finished, done, file):
    path = sorted(finished.root.glob(f"maps/*/*/*/{file}"))[0]
    path.write_bytes(path.read_bytes()[:-7])
    before = (finished.root / "hectares.csv").read_bytes()
    done(finished)
    assert counts(finished)["classify"] == (1, counts(finished)["classify"][1])
    assert (
        counts(finished)["import"][0] == counts(finished)["train"][0] == counts(finished)["measure"][0] == 0
    )
    assert (finished.root / "hectares.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["the mask", "the region file", "the label file", "the official figures"])
def test_a_changed_input_makes_again_what_depends_on_it(finished, done, name):
    change = next(c for c in CHANGES if c.name == name)
    units = {stage: made for stage, (made, _) in counts(finished).items()}
    change.apply(finished)
    done(finished)
    found, wanted = counts(finished), expected(change, units | {"report": 1})
    assert {stage: found[stage] for stage in STAGES[:-1]} == {stage: wanted[stage] for stage in STAGES[:-1]}


def test_a_process_that_lives_on_reads_a_changed_region_file_again(finished, done):
    """Ground moves from the regions east of the inner edge to those west of it: 200 m to 260 m off the
    middle.
    """

    def owned_ha():
        return done(finished, last="measure").areas.groupby("region_id")["mapped_ha"].sum().astype(float)

    before = owned_ha()
    write_regions(finished.folder / "regions.geojson", finished.window, east_of_middle_m=260.0)
    after = owned_ha()
    height_m = 960 - 2 * 97
    gained = (after - before)[["PE-1", "PE-2"]].sum()
    assert gained == pytest.approx(60 * height_m / 10_000, rel=0.03)
    assert after.sum() == pytest.approx(before.sum())


def test_a_scene_that_another_run_imports_anew_under_way_is_noticed(finished):
    scenes = list_scenes(finished.archive)
    check_unchanged(scenes)
    path = finished.archive / "scenes" / scenes[0].id / "manifest.json"
    path.write_text(replace(Manifest.read(path), address="0" * 64).to_text())
    with pytest.raises(SceneReadError, match=rf"changed while they were read(.|\n)*{scenes[0].id}"):
        check_unchanged(scenes)


def test_a_tile_is_not_committed_if_its_scenes_changed_under_way(finished, done, monkeypatch):
    def imported_anew(folder, blocks, task):
        path = finished.archive / "scenes" / list_scenes(finished.archive)[0].id / "manifest.json"
        found = Manifest.read(path)
        path.write_text(replace(found, address="0" + found.address).to_text())
        return finish(folder, blocks, task)

    finish = stage.write_map
    monkeypatch.setattr(stage, "write_map", imported_anew)
    finished.edit(lambda content: content["classify"].update(min_clear=2))
    failed = dict(done(finished, last="classify").failures)
    assert failed
    assert all("/32718-" in unit and "changed while they were read" in failed[unit] for unit in failed)
    assert not any((finished.root / unit).exists() for unit in failed)


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(finished):
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with LocalStore(finished.root).locked():
            entered.set()
            leave.wait(20)

    other = threading.Thread(target=hold)
    other.start()
    assert entered.wait(10)
    before = committed(finished.root, finished.archive)
    try:
        with pytest.raises(BusyError, match="in use by another cocal process"):
            run(read_config(finished.config))
    finally:
        leave.set()
        other.join()
    assert committed(finished.root, finished.archive) == before
