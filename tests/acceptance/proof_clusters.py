"""Runs whose cluster fails: no workers, a lost scheduler, workers that die of one unit, a client stopped.

The command, the schedulers and the workers are processes; they really die.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cocal.run.execute import LOCAL_DEATHS
from tests.support.clusters import cluster
from tests.support.command import COCAL, cocal, committed, stages_of, uncommitted
from tests.support.small_world import SmallWorld, make_world

SIZE_PX = 360
WAIT_S = 5
ROOT = Path(__file__).parents[2]
DEADLY_TILE = "32718-96-0859-8976"
TABLES = ("hectares.csv", "comparison.csv", "regions.csv", "report/index.html")


def _land(folder: Path) -> SmallWorld:
    world = make_world(folder, SIZE_PX)
    one_block = {"tile_px": 96, "block_px": 96}  # two maps of one part each are in flight per worker
    world.edit(lambda config: config.update(local={"wait_s": WAIT_S}, grid=one_block))
    return world


@contextmanager
def _world() -> Iterator[SmallWorld]:
    with tempfile.TemporaryDirectory() as name:
        yield _land(Path(name) / "land")


@functools.cache
def _undisturbed() -> dict[str, bytes]:
    """The tables and the page of a run that nothing disturbs."""
    with _world() as calm:
        done = cocal("run", "--serial", calm.config)
        assert done.returncode == 0, done.stderr[-2000:]
        return {table: (calm.root / table).read_bytes() for table in TABLES}


def _started(world: SmallWorld, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COCAL, "run", *options, str(world.config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, start_new_session=True, env=os.environ | environment,
    )  # fmt: skip


def _read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read its log up to a line that holds `text`."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the run ended ({process.wait()}) without {text!r}")


def _checked_message(log: str, *parts: str) -> str:
    """The message of the command, whose parts are there; no traceback."""
    assert "Traceback" not in log, log
    message = log[log.rindex("cocal: ") :]
    for part in parts:
        assert re.search(part, message), f"no {part!r} in {message}"
    return " ".join(message.split())


def _same_after_another_run(world: SmallWorld, *unchanged: Path) -> int:
    """Units reused by a run without the cluster, whose tables are those of an undisturbed run.

    What is committed below the folders `unchanged` is not written again.
    """
    kept = committed(*unchanged)
    last = cocal("run", "--serial", world.config)
    assert last.returncode == 0, last.stderr[-2000:]
    now = committed(world.root, world.archive)
    assert all(now.get(path) == facts for path, facts in kept.items()), "committed files were written again"
    assert not uncommitted(world.root, world.archive)
    different = [t for t, content in _undisturbed().items() if (world.root / t).read_bytes() != content]
    assert not different, different
    return sum(int(stage["reused"]) for stage in stages_of(world.root).values())


def a_scheduler_without_workers_is_named_after_the_stated_time() -> str:
    """One message, exit code 1, `local.wait_s` of 5 s and the start of the command."""
    with _world() as world, cluster(world.folder) as made:
        began = time.monotonic()
        done = cocal("run", "--scheduler", made.address, world.config)
        seconds = time.monotonic() - began
        expected = made.address, "no workers", f"none for {WAIT_S} s", "dask worker", "run again"
        _checked_message(done.stderr, *expected)
        assert done.returncode == 1, done.returncode
        assert WAIT_S <= seconds < WAIT_S + 25, seconds
    return f"exit code 1, one message, {seconds:.1f} s of which {WAIT_S} s are the stated wait"


def a_scheduler_that_cannot_be_reached_is_named() -> str:
    with _world() as world:
        began = time.monotonic()
        done = cocal("run", "--scheduler", "tcp://127.0.0.1:9", world.config)
        seconds = time.monotonic() - began
        _checked_message(done.stderr, r"no Dask scheduler at tcp://127\.0\.0\.1:9", "start it")
        assert done.returncode == 1, done.returncode
    return f"exit code 1, one message, {seconds:.1f} s"


def a_scheduler_that_is_lost_ends_the_run_and_another_run_continues() -> str:
    """The scheduler gets SIGKILL when the first map is done."""
    with _world() as world:
        with cluster(world.folder, workers=1) as made:
            process = _started(world, "--scheduler", made.address)
            _read_until(process, "start classify:")
            _read_until(process, " done ")
            made.scheduler.kill()
            began = time.monotonic()
            assert process.stderr is not None
            log = process.stderr.read()
            code, seconds = process.wait(120), time.monotonic() - began
        left = r"stage classify: [1-9]\d* of \d+ units done, left: maps/"
        message = _checked_message(log, made.address, "is lost", left)
        assert code == 1, code
        assert seconds < 60, seconds
        reused = _same_after_another_run(world, world.root, world.archive)
    found = re.search(r"\d+ of \d+ units done", message)
    assert found is not None
    return (
        f"exit code 1, one message {seconds:.1f} s after SIGKILL ({found[0]} in stage classify); "
        f"the next run reuses {reused} units, {len(TABLES)} tables and page byte-identical"
    )


def workers_that_die_of_one_unit_cost_that_unit_alone() -> str:
    """The local worker, with two maps in flight, gets SIGKILL from the work of one of them, every time."""
    with _world() as world:
        world.edit(lambda config: config.update(local={"wait_s": 120}))
        deaths = world.folder / "deaths"
        deaths.mkdir()
        began = time.monotonic()
        process = _started(
            world, "--workers", "1", DEADLY_UNIT=f"maps/2024/{DEADLY_TILE}/", DEADLY_FOLDER=str(deaths),
            DASK_DISTRIBUTED__WORKER__PRELOAD=str(ROOT / "tests" / "support" / "deadly.py"),
        )  # fmt: skip
        _, log = process.communicate(timeout=500)
        seconds, dead = time.monotonic() - began, len(list(deaths.iterdir()))
        assert process.returncode == 1, (process.returncode, log)
        assert "Traceback" not in log, log
        assert "KilledWorker" not in log, log
        stage = stages_of(world.root)["classify"]
        ((unit, reason),) = [(one["unit"], one["reason"]) for one in stage["failed"]]
        assert DEADLY_TILE in unit, unit
        assert reason.startswith(f"{unit}: the workers that did its work died"), reason
        assert log.count(f"failed {unit}") == 2, log  # in the log, and in the list at the end
        assert stage["made"] == int(stage["planned"]) - 1, stage
        assert dead == 2 * LOCAL_DEATHS, dead  # beside another unit, then alone
        world.edit(lambda config: config.update(local={"wait_s": WAIT_S}))  # the page shows it
        # tables and page are made of all maps, so they are made again
        reused = _same_after_another_run(world, world.root / "maps", world.archive)
    return (
        f"{dead} workers die: {unit} is named and listed, the {stage['made']} other maps are made, exit code "
        f"1 after {seconds:.1f} s; the next run reuses {reused} units, {len(TABLES)} tables and page "
        "byte-identical"
    )


def a_client_that_is_stopped_leaves_no_process() -> str:
    """SIGINT, SIGTERM and SIGKILL of the command alone, in the middle of the maps."""
    said = []
    for number, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        with _world() as world:
            process = _started(world, "--workers", "2")
            _read_until(process, "start classify:")
            time.sleep(0.3)
            os.kill(process.pid, number)
            began = time.monotonic()
            assert process.stderr is not None
            code = process.wait(60)
            while time.monotonic() - began < 60:
                try:
                    os.killpg(process.pid, 0)
                except ProcessLookupError:
                    break
                time.sleep(0.05)
            else:
                raise AssertionError(f"processes of the group outlive {number.name}")
            seconds, log = time.monotonic() - began, process.stderr.read()
            assert code == expected, (number, code)
            if number != signal.SIGKILL:
                _checked_message(log, "stopped; committed outputs are kept")
                assert not uncommitted(world.root, world.archive)
            said.append(f"{number.name} {seconds:.1f} s, exit code {code}")
    return "no process is left: " + "; ".join(said)


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    a_scheduler_without_workers_is_named_after_the_stated_time,
    a_scheduler_that_cannot_be_reached_is_named,
    a_scheduler_that_is_lost_ends_the_run_and_another_run_continues,
    workers_that_die_of_one_unit_cost_that_unit_alone,
    a_client_that_is_stopped_leaves_no_process,
)
