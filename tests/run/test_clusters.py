"""Clusters that lack workers, folders or code, are lost, or whose workers die: processes, really killed."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.support.clusters import cluster

import cocal
from cocal.errors import ClusterError, InputError
from cocal.run.execute import Call, Job, executor

ROOT = Path(__file__).parents[2]


def slow_square(value, seconds=0.0):
    time.sleep(seconds)
    return value * value


def total(results):
    return sum(results)


def dies(value):
    """The worker's memory is full: the kernel kills it."""
    if value == 3:
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def exits(_):
    """A crash of native code, after some work."""
    time.sleep(1)
    os._exit(139)


def exits_at_once(_):
    os._exit(139)


def jobs(n, seconds=0.0):
    return [Job(f"unit {k}", tuple(Call(slow_square, (k + i, seconds)) for i in range(3)), Call(total))
            for k in range(n)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_unit_that_workers_die_of_is_named_and_the_rest_goes_on(workers):
    """Of 6 units with one part each that waits on the same worker, the one that kills it fails alone."""
    deadly = [
        Job("the deadly unit", tuple(Call(dies, (n,)) for n in range(6)), Call(total)),
        Job("another", (), Call(exits)),
    ]
    with executor(workers=workers) as here:
        found = {o.unit: o for o in here.outcomes([*jobs(2), *deadly, *jobs(6)[2:]])}
    assert [found[f"unit {k}"].result for k in range(6)] == [3 * k * k + 6 * k + 5 for k in range(6)]
    for name in ("the deadly unit", "another"):
        assert found[name].reason.startswith(f"{name}: the workers that did its work died")
        assert "2 workers ended while no other unit was worked on" in found[name].reason
        assert found[name].error.exit_code == 1


@pytest.mark.slow
def test_units_of_which_the_only_worker_dies_while_it_starts_leave_the_others(monkeypatch):
    monkeypatch.setattr("cocal.run.cluster.REVIVE_SECONDS", 3)
    deadly = [Job(f"deadly {n}", (), Call(exits_at_once)) for n in range(4)]
    with executor(workers=1) as here:
        found = {o.unit: o for o in here.outcomes([*deadly, *jobs(2)])}
    assert (found["unit 0"].result, found["unit 1"].result) == (5, 14)
    assert all("the workers that did its work died" in found[job.unit].reason for job in deadly)


def test_a_cluster_without_workers_is_named_after_the_stated_time(tmp_path):
    with cluster(tmp_path) as made:
        began = time.monotonic()
        with (
            pytest.raises(ClusterError, match=rf"at {made.address} has no workers(.|\n)*none for 2 s"),
            executor(scheduler=made.address, wait_s=2),
        ):
            pass
        assert 2 <= time.monotonic() - began < 8


def test_a_local_cluster_that_has_lost_its_workers_is_named_without_advice_to_start_some():
    with executor(workers=1, wait_s=1) as here:
        here.client.cluster.scale(0)
        while here.client.scheduler_info()["workers"]:
            time.sleep(0.1)
        with pytest.raises(
            ClusterError, match=r"^the local Dask workers ended(.|\n)*none for 1 s(.|\n)*--serial"
        ):
            list(here.outcomes(jobs(1)))


def test_a_scheduler_that_does_not_answer_or_is_no_address_is_named(monkeypatch):
    monkeypatch.setattr("cocal.run.cluster.CONNECT_SECONDS", 2)
    with (
        pytest.raises(ClusterError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"),
        executor(scheduler="tcp://127.0.0.1:9"),
    ):
        pass
    for text in ("http://127.0.0.1:9", "head:one"):
        with pytest.raises(InputError, match=f"'{text}' is no address"), executor(scheduler=text):
            pass


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_outcomes(tmp_path):
    with cluster(tmp_path, workers=1) as made, executor(scheduler=made.address) as there:
        outcomes = there.outcomes(jobs(20, 0.2))
        assert next(outcomes).error is None
        made.scheduler.kill()
        began = time.monotonic()
        with pytest.raises(ClusterError, match=rf"scheduler at {made.address} is lost(.|\n)*run again"):
            list(outcomes)
        assert time.monotonic() - began < 20


@pytest.mark.slow
def test_workers_that_all_leave_are_waited_for_and_then_named(tmp_path):
    with cluster(tmp_path, workers=1) as made, executor(scheduler=made.address, wait_s=3) as there:
        outcomes = there.outcomes(jobs(20, 0.2))
        assert next(outcomes).error is None
        made.workers[0].kill()
        made.workers[0].wait()
        made.add_worker()
        assert next(outcomes).error is None
        made.workers[1].kill()
        began = time.monotonic()
        with pytest.raises(ClusterError, match=r"has no workers(.|\n)*none for 3 s"):
            list(outcomes)
        assert 3 <= time.monotonic() - began < 20


def other_cocal(folder):
    """A copy of the package in which one line differs."""
    shutil.copytree(Path(cocal.__file__).parent, folder / "cocal")
    path = folder / "cocal" / "grid.py"
    path.write_text(path.read_text().replace("RESOLUTION_M = 10", "RESOLUTION_M = 20"))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "later"])
def test_workers_with_other_code_are_refused_whenever_they_join(tmp_path, when):
    with cluster(tmp_path, workers=1) as made:
        other = other_cocal(tmp_path / "other")
        if when == "before":
            made.add_worker(other)
            time.sleep(8)
            with (
                pytest.raises(InputError, match=r"workers of .* run other code(.|\n)*other code \(cocal\)"),
                executor(scheduler=made.address),
            ):
                pass
            return
        with executor(scheduler=made.address) as there:
            outcomes = there.outcomes(jobs(100, 0.2))
            assert next(outcomes).error is None
            made.add_worker(other)
            refused = next(o.error for o in outcomes if o.error is not None)
        assert isinstance(refused, InputError)
        assert "other code (cocal)" in str(refused)


@pytest.mark.slow
def test_workers_without_cocal_are_refused_by_name(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "cocal.py").write_text("raise ImportError('no cocal')")
    with cluster(tmp_path) as made:
        made.add_worker(tmp_path / "none")
        with (
            pytest.raises(InputError, match=r"workers of .* run other code(.|\n)*tcp://127.*no cocal"),
            executor(scheduler=made.address),
        ):
            pass


@pytest.mark.slow
def test_workers_that_do_not_see_the_folders_are_refused_by_name(tmp_path):
    seen, hidden = tmp_path / "runs", tmp_path / "archive"
    hidden.mkdir()
    with cluster(tmp_path, workers=1) as made:
        with executor(scheduler=made.address, folders=(seen, hidden)) as there:
            assert next(iter(there.outcomes(jobs(1)))).result == 5
            assert [p.name[:8] for p in hidden.iterdir()] == [".cluster"]
        assert not [*hidden.iterdir(), *seen.iterdir()]
        made.workers[0].kill()
        apart = ("unshare", "-m", "sh", "-c", f'mount -t tmpfs none {seen} && exec "$@"', "sh")
        made.add_worker(before=apart)
        with (
            pytest.raises(InputError, match=rf"do not see its folders(.|\n)*it does not see {seen}"),
            executor(scheduler=made.address, folders=(seen,)),
        ):
            pass
