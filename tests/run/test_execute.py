import os
import signal
import subprocess
import sys
import time

import pytest

from cocal.errors import InputError, SceneReadError, WorkFailedError
from cocal.run.execute import Call, Job, SerialExecutor, executor, local_workers


def square(value):
    if value < 0:
        raise SceneReadError(f"cannot read {value}", "a number", "less than none", "give more")
    return value * value


class UnsendableError(Exception):
    """Like the errors of GDAL: it takes more arguments than it keeps, so it cannot be unpickled."""

    def __init__(self, number, text):
        super().__init__(text)


def refuse():
    try:
        fail("IReadBlock failed")
    except UnsendableError as err:
        raise InputError("cannot read x.tif", "a whole raster", str(err), "fetch it again") from err


def fail(text):
    raise UnsendableError(4, text)


def total(results, extra):
    return sum(results) + extra


JOBS = [Job(f"j{n}", tuple(Call(square, (k,)) for k in range(n + 1)), Call(total, (n,))) for n in range(12)]
BROKEN = Job("broken", (Call(square, (3,)), Call(square, (-1,))), Call(total, (0,)))


@pytest.fixture(scope="module")
def local():
    with executor(workers=2) as chosen:
        yield chosen


def results(chosen):
    return {o.unit: (o.result, o.reason) for o in chosen.outcomes([*JOBS, BROKEN])}


def test_a_local_cluster_gives_what_the_serial_executor_gives(local):
    serial = results(SerialExecutor())
    # 0 + 1 + 4 + 9 + 3 extra
    assert serial["j3"] == (17, "")
    assert "cannot read -1" in serial["broken"][1]
    assert results(local) == serial


def test_errors_come_back_from_a_cluster_as_they_do_from_this_process(local):
    jobs = [
        Job("refused", (Call(refuse),)),
        Job("failed", (Call(square, (2,)), Call(fail, ("out of the blue",))), Call(total, (0,))),
    ]
    found = [
        {o.unit: (type(o.error), o.reason) for o in chosen.outcomes(jobs)}
        for chosen in (SerialExecutor(), local)
    ]
    assert found[0]["refused"][0] is InputError
    assert found[0]["failed"] == (WorkFailedError, "UnsendableError('out of the blue')")
    assert found[0] == found[1]


def test_a_running_scheduler_is_used_unless_its_workers_run_other_code(tmp_path, monkeypatch):
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    port_file = tmp_path / "scheduler.json"
    flags = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(port_file)]
    scheduler = subprocess.Popen([*command, *flags], stderr=subprocess.DEVNULL)
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(port_file),
         "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1"],
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        import json

        address = json.loads(port_file.read_text())["address"]
        with executor(scheduler=address) as cluster:
            outcome = next(cluster.outcomes([Job("p", (Call(pow, (2, 5)),))]))
        assert outcome.result == 32
        monkeypatch.setattr("cocal.run.cluster.library_versions", lambda: {"numpy": "0.1"})
        with pytest.raises(InputError, match=r"run other code(.|\n)*numpy"), executor(scheduler=address):
            pass
    finally:
        worker.terminate()
        scheduler.terminate()
        worker.wait(20)
        scheduler.wait(20)


def test_workers_are_sized_from_cores_and_memory():
    count, memory = local_workers(None, None)
    assert 1 <= count <= os.cpu_count()
    assert memory * count <= 0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + count
    assert local_workers(3, 1.5) == (3, 3 * 2**29)


@pytest.mark.parametrize("where", ["here", "on a cluster"])
def test_jobs_are_begun_only_as_they_are_needed(where, local):
    """What the user must mend ends the jobs early: those under way are finished, no more are begun."""
    begun, ended = [], []

    def jobs():
        for number in range(50):
            begun.append(number)
            yield Job(f"j{number}", (Call(square, (number,)),))
            if ended:
                return

    chosen = SerialExecutor() if where == "here" else local
    outcomes = chosen.outcomes(jobs())
    ended.append(next(outcomes))
    ended.extend(outcomes)
    assert len(ended) == len(begun) <= 2 * chosen.workers + 1


def test_jobs_that_are_a_finish_alone_are_begun_a_few_at_a_time_too(local):
    begun, ahead = [], []

    def jobs():
        for n in range(40):
            begun.append(n)
            yield Job(f"j{n}", (), Call(total, (n,)))

    for done, outcome in enumerate(local.outcomes(jobs()), 1):
        assert outcome.error is None
        ahead.append(len(begun) - done)
    assert len(ahead) == 40
    assert max(ahead) <= 2 * local.workers


def killed_once(piece, marker):
    """The piece; the first call ends its worker as a full memory does."""
    time.sleep(0.2)
    if piece == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return piece


def test_a_killed_worker_costs_no_unit_and_not_the_task_that_the_cluster_holds(local, tmp_path):
    parts = tuple(Call(killed_once, (n,)) for n in range(6))
    done = []
    job = Job("unit", parts, Call(total, (0,)), tmp_path / "marker", done.append)
    (outcome,) = local.outcomes([job])
    assert (tmp_path / "marker").exists()
    assert (outcome.result, outcome.reason) == (15, "")
    assert done == [1, 2, 3, 4, 5, 6]
