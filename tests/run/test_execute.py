import os
import subprocess
import sys
import time

import pytest

from cocal.errors import InputError, SceneReadError
from cocal.run.execute import Call, Job, SerialExecutor, executor, local_workers


def square(value):
    if value < 0:
        raise SceneReadError(f"cannot read {value}", "a number", "less than none", "give more")
    return value * value


def total(results, extra):
    return sum(results) + extra


JOBS = [Job(f"j{n}", tuple(Call(square, (k,)) for k in range(n + 1)), Call(total, (n,))) for n in range(12)]
BROKEN = Job("broken", (Call(square, (3,)), Call(square, (-1,))), Call(total, (0,)))


def results(chosen):
    return {o.unit: (o.result, o.reason) for o in chosen.outcomes([*JOBS, BROKEN])}


def test_a_local_cluster_gives_what_the_serial_executor_gives():
    serial = results(SerialExecutor())
    # 0 + 1 + 4 + 9 + 3 extra
    assert serial["j3"] == (17, "")
    assert "cannot read -1" in serial["broken"][1]
    with executor(workers=2) as local:
        assert results(local) == serial


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
        monkeypatch.setattr("cocal.run.execute.library_versions", lambda: {"numpy": "0.1"})
        with pytest.raises(InputError, match=r"run other code(.|\n)*numpy"), executor(scheduler=address):
            pass
    finally:
        worker.terminate()
        scheduler.terminate()
        worker.wait(20)
        scheduler.wait(20)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("cocal.run.execute.CONNECT_SECONDS", 2)
    with (
        pytest.raises(InputError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"),
        executor(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


def test_workers_are_sized_from_cores_and_memory():
    count, memory = local_workers(None, None)
    assert 1 <= count <= os.cpu_count()
    assert memory * count <= 0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + count
    assert local_workers(3, 1.5) == (3, 3 * 2**29)


@pytest.mark.parametrize("workers", [None, 2])
def test_jobs_are_begun_only_as_they_are_needed(workers):
    """What the user must mend ends the jobs early: those under way are finished, no more are begun."""
    begun = []

    def jobs():
        for number in range(50):
            begun.append(number)
            yield Job(f"j{number}", (Call(square, (number,)),))
            if stop:
                return

    stop = []
    with executor(serial=workers is None, workers=workers) as chosen:
        outcomes = chosen.outcomes(jobs())
        stop.append(next(outcomes))
        stop.extend(outcomes)
    assert len(stop) == len(begun) <= 2 * (workers or 1) + 1
