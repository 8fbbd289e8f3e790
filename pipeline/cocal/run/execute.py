"""Where work is done: in this process, on a local Dask cluster, or on a cluster that is there already.

A job is one unit of output: parts that may run apart (blocks), and a finish that gets their results
(write the tile). Executors differ in where calls run, never in what they return; the serial one is the
oracle of the tests.
"""

from __future__ import annotations

import errno
import logging
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from cocal.errors import CocalError, NotWrittenError, WorkFailedError
from cocal.run.cluster import Demand, called, check_workers, connect, demanded, wait_for_any

log = logging.getLogger(__name__)

LOCAL_DEATHS = 2
"""Workers of the local cluster that may die of one task before it counts as failed."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GDAL_NUM_THREADS"), "1"
)
"""One thread per worker: Dask places one task per core, and libraries must not multiply that."""

QUIET = {
    "logging": {
        "distributed": "critical",
        "distributed.client": "critical",
        "distributed.worker.memory": "warning",
        "tornado.application": "critical",
    }
}
"""Dask's own log while it starts and stops. What fails in a task comes back as its outcome."""


@dataclass(frozen=True)
class Call:
    """A module-level function and its arguments, all picklable."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Job:
    """One unit of output.

    Each part is called with its own arguments and then `task`, if there is one: it travels to the workers
    once
    per job, not once per part. `finish`, if any, is called with the list of the parts' results first.
    `progress`, if any, is called in this process with the number of parts that are done.
    """

    unit: str
    parts: tuple[Call, ...]
    finish: Call | None = None
    task: Any = None
    progress: Callable[[int], None] | None = None

    @property
    def calls(self) -> int:
        """Number of calls that may run at the same time, at least one: a job may be its finish alone."""
        return max(1, len(self.parts))

    @property
    def shared(self) -> tuple[Any, ...]:
        """What every part is called with after its own arguments."""
        return () if self.task is None else (self.task,)


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its result, or its error."""

    unit: str
    result: Any
    error: CocalError | None
    seconds: float

    @property
    def reason(self) -> str:
        """Why it failed, in words; empty if it did not."""
        return "" if self.error is None else str(self.error)


@dataclass(frozen=True)
class Failure:
    """How a call failed: an error that survives the way between processes, its traceback as text."""

    error: CocalError
    trace: str


def attempt(call: Call, before: tuple[Any, ...] = (), *after: Any) -> Any:
    """The result of the call with arguments before and after its own, or its Failure.

    An exception itself may not be sent back: the errors of GDAL that ours arise from cannot be unpickled, and
    Dask would put a bare `Exception` in the place of ours.
    """
    try:
        return call.function(*before, *call.args, *after)
    except CocalError as err:
        return Failure(type(err)(*err.args), traceback.format_exc())
    except OSError as err:
        return Failure(_no_room(err) or WorkFailedError(repr(err)), traceback.format_exc())
    except Exception as err:  # noqa: BLE001 - whatever a job fails of is listed; the other jobs go on
        return Failure(WorkFailedError(repr(err)), traceback.format_exc())


def _no_room(error: OSError) -> CocalError | None:
    """The error to report where a file had no room; None where it was something else."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    return NotWrittenError(
        "a file could not be written", "room on the disk and within the limit on the size of files",
        error.strerror or str(error),
        "free space or raise the limit (`ulimit -f`), then run again: nothing of the unit was committed",
    )  # fmt: skip


def finish_with(finish: Call, results: list[Any]) -> Any:
    """What `finish` makes of the parts' results, or the first Failure."""
    failed = next((r for r in results if isinstance(r, Failure)), None)
    return failed or attempt(finish, (results,))


def gathered(results: list[Any]) -> list[Any]:
    """The parts' results as they are: the finish of a job that this process itself finishes."""
    return results


def _held(task: Any) -> Any:
    """The task of a job, kept by the cluster for the job's parts."""
    return task


def outcome_of(unit: str, result: Any, began: float) -> Outcome:
    """The outcome of a job that began at `began` (monotonic seconds)."""
    seconds = time.monotonic() - began
    if isinstance(result, Failure):
        log.debug("%s failed\n%s", unit, result.trace)
        return Outcome(unit, None, result.error, seconds)
    return Outcome(unit, result, None, seconds)


class Executor(Protocol):
    """Runs jobs and yields their outcomes as they end; a failed job never stops the others.

    Jobs are taken from the iterable as they are begun, so that it may end early.
    """

    workers: int

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]: ...


class SerialExecutor:
    """Everything in this process, in order."""

    workers = 1

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        for job in jobs:
            began = time.monotonic()
            results = []
            for part in job.parts:
                results.append(attempt(part, (), *job.shared))
                if isinstance(results[-1], Failure):
                    break
                if job.progress:
                    job.progress(len(results))
            yield outcome_of(job.unit, finish_with(job.finish, results) if job.finish else results[0], began)


class DaskExecutor:
    """Parts and finishes as tasks of a Dask cluster; a few jobs in flight, so memory stays bounded.

    `demand`: what each worker must have, if it may lack it. `wait_s`: seconds that the cluster may be without
    workers. A ClusterError ends the outcomes: the scheduler is lost, or there are no workers.
    """

    def __init__(self, client: Any, workers: int, wait_s: float, demand: Demand | None = None) -> None:
        self.client = client
        self.workers = workers
        self.wait_s = wait_s
        self.demand = demand

    def _submit(self, job: Job) -> Any:
        def submit(function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
            return self.client.submit(checked, self.demand, function, *arguments, pure=False, **how)

        shared = [self.client.submit(_held, job.task, pure=False)] if job.parts and job.shared else []
        parts = [submit(attempt, part, (), *shared) for part in job.parts]
        if job.progress:
            done = count(1)
            for part in parts:
                part.add_done_callback(lambda _: job.progress(next(done)))
        return parts[0] if job.finish is None else submit(finish_with, job.finish, parts, priority=1)

    def _revive(self) -> None:
        """Start the local workers that are lacking: Dask gives one up that dies while it starts."""
        if self.client.cluster is not None:
            self.client.cluster.scale(self.workers)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Jobs that were on a worker when it died are tried again, one at a time: only one was the reason."""
        from distributed import KilledWorker

        suspects = []
        for job, began, result in self._ended(jobs, 2 * self.workers):
            if isinstance(result, KilledWorker):
                suspects.append(job)
            else:
                yield outcome_of(job.unit, result, began)
        for job, began, result in self._ended(suspects, 1):
            lost = _deadly(job.unit, result) if isinstance(result, KilledWorker) else result
            yield outcome_of(job.unit, lost, began)

    def _ended(self, jobs: Iterable[Job], at_a_time: int) -> Iterator[tuple[Job, float, Any]]:
        """(job, when it began, result, Failure or KilledWorker) as they end; so many calls in flight."""
        from distributed import KilledWorker

        waiting = iter(jobs)
        running: dict[Any, tuple[Job, float]] = {}
        while True:
            while not running or sum(job.calls for job, _ in running.values()) < at_a_time:
                job = next(waiting, None)
                if job is None:
                    break
                began = time.monotonic()
                running[self._submit(job)] = job, began
            if not running:
                return
            for future in wait_for_any(self.client, list(running), self.wait_s, self._revive):
                job, began = running.pop(future)
                lost = future.exception()
                if lost is None or isinstance(lost, KilledWorker):
                    yield job, began, lost or future.result()
                else:
                    yield job, began, Failure(WorkFailedError(repr(lost)), "")


def checked(demand: Demand | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` in a worker, or the Failure of one that lacks what is demanded."""
    return attempt(Call(called, (demand, function, *arguments)))


def _deadly(unit: str, killed: Any) -> Failure:
    """The failure of a unit of which workers die."""
    error = WorkFailedError(
        f"{unit}: the workers that did its work died, one after the other",
        "work that fits into a worker's memory, and libraries that do not crash",
        f"{killed.allowed_failures + 1} workers ended while no other unit was worked on: killed for memory, "
        "by a signal, or by a crash",
        "give workers more memory (`local.memory_gib`, fewer `--workers`), or find the crash with --serial",
    )
    return Failure(error, "")


def memory_limit() -> int:
    """Bytes of memory this process may use: the machine's, or the control group's if smaller."""
    import psutil  # a tenth of a second that one process does without

    total = psutil.virtual_memory().total
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as handle:
                text = handle.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return int(total)


def local_workers(workers: int | None, memory_gib: float | None) -> tuple[int, int]:
    """(number of workers, bytes each): one per usable core, as many as 80 % of the memory carries."""
    usable = int(memory_limit() * 0.8)
    count = workers or max(1, min(len(os.sched_getaffinity(0)), usable // 2**31))
    return count, int(memory_gib * 2**30) if memory_gib else usable // count


@contextmanager
def executor(
    *,
    serial: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    memory_gib: float | None = None,
    wait_s: float = 120,
    folders: Sequence[Path] = (),
) -> Iterator[Executor]:
    """Yield an executor: this process if `serial`, the cluster at `scheduler`, or a local cluster.

    `workers`, `memory_gib` (per worker): size of the local cluster, by default from cores and memory.
    `wait_s`: seconds that a cluster may be without workers. `folders`: what all workers must see.

    Raises
    ------
    ClusterError
        No scheduler answers at `scheduler`, or it has no workers.
    InputError
        `scheduler` is no address, or its workers run other code or do not see the folders.

    Examples
    --------
    See docs/api.md: `with cocal.executor(serial=True) as here:`.
    """
    if serial:
        yield SerialExecutor()
        return
    import dask

    dask.config.set(QUIET)
    from distributed import Client, LocalCluster

    if scheduler:
        with connect(scheduler) as client, demanded(folders) as demand:
            yield DaskExecutor(client, check_workers(client, scheduler, demand, wait_s), wait_s, demand)
        return
    number, memory = local_workers(workers, memory_gib)
    settings = {
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        "distributed.admin.tick.limit": "60s",
        "distributed.scheduler.allowed-failures": LOCAL_DEATHS - 1,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=number, threads_per_worker=1, memory_limit=memory, host="127.0.0.1",
            dashboard_address="127.0.0.1:0", silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield DaskExecutor(client, number, wait_s)
