"""A Dask cluster that runs already: what its workers must have, and how it is noticed that it is lost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cocal.code import installed
from cocal.errors import ClusterError, InputError
from cocal.store import library_versions

CONNECT_SECONDS = 15
POLL_SECONDS = 2
"""How often it is looked whether the cluster still has workers, while no task ends."""

REVIVE_SECONDS = 10
"""A worker that dies is started again in less time than this."""

LISTED = 5
"""Workers that a message names."""

RESTART = "run again: what is committed is kept and reused"


@dataclass(frozen=True)
class Demand:
    """What every worker must have: this code, and the folders of the run, known by a file in each."""

    code: tuple[tuple[str, str], ...]
    marks: tuple[Path, ...]


def code_facts() -> dict[str, str]:
    """What makes a number besides data and settings: cocal's source and the libraries, of this process."""
    return {"cocal": installed().digest, **library_versions()}


@lru_cache(maxsize=16)
def lacking(demand: Demand) -> str:
    """What this process lacks of a demand, in words; empty if nothing."""
    here = code_facts()
    other = [name for name, wanted in demand.code if here.get(name) != wanted]
    unseen = [str(mark.parent) for mark in demand.marks if not mark.is_file()]
    return "; ".join(
        [f"other code ({', '.join(other)})"] * bool(other)
        + [f"it does not see {folder}" for folder in unseen]
    )


def called(demand: Demand | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` in a worker. InputError if the worker lacks what is demanded: it joined late."""
    if demand is not None and (problem := lacking(demand)):
        from distributed import get_worker

        raise _unfit("the cluster", demand, {get_worker().address: problem})
    return function(*arguments)


def _unfit(scheduler: str, demand: Demand, problems: dict[str, Any]) -> InputError:
    folders = ", ".join(str(mark.parent) for mark in demand.marks)
    versions = ", ".join(f"{k} {v}" for k, v in demand.code if k != "cocal")
    named = [f"{worker}: {problem}" for worker, problem in problems.items()]
    more = f"; {len(named) - LISTED} more" if len(named) > LISTED else ""
    return InputError(
        f"workers of {scheduler} run other code than this process, or do not see its folders",
        f"the same cocal, {versions}" + (f"; {folders} under the same path" if folders else ""),
        "; ".join(named[:LISTED]) + more,
        "install the same versions there, mount the folders, and start the workers again",
    )


@contextmanager
def demanded(folders: Iterable[Path]) -> Iterator[Demand]:
    """Yield the demand for this code and these folders; each holds a file for so long."""
    with ExitStack() as marks:
        paths = []
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            mark = marks.enter_context(tempfile.NamedTemporaryFile(prefix=".cluster-", dir=folder))
            paths.append(Path(mark.name).absolute())
        yield Demand(tuple(code_facts().items()), tuple(paths))


def connect(scheduler: str) -> Any:
    """The client of a scheduler.

    Raises
    ------
    InputError
        It is no address.
    ClusterError
        No scheduler answers within CONNECT_SECONDS.
    """
    from distributed import Client

    expected = "a running scheduler such as tcp://127.0.0.1:8786"
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (ValueError, TypeError) as err:
        raise InputError(f"{scheduler!r} is no address", expected, str(err), "fix --scheduler") from err
    except OSError as err:
        raise ClusterError(
            f"no Dask scheduler at {scheduler}", expected, f"no answer within {CONNECT_SECONDS} s: {err}",
            "start it, or leave --scheduler out for a local cluster",
        ) from err  # fmt: skip


def check_workers(client: Any, scheduler: str, demand: Demand, wait_s: float) -> int:
    """The number of workers, all of which have what is demanded.

    Raises
    ------
    ClusterError
        There is none within `wait_s` seconds.
    InputError
        Workers lack something; they are named.
    """
    until, found = time.monotonic() + wait_s, dict[str, Any]()
    while not found:
        try:
            client.wait_for_workers(1, timeout=max(0.1, until - time.monotonic()))
            answers = client.run(lacking, demand, on_error="return")
        except TimeoutError as err:
            raise no_workers(scheduler, wait_s) from err
        except OSError as err:
            raise _lost(scheduler) from err
        # a worker that does not answer has just left
        found = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
        if not found:
            time.sleep(min(POLL_SECONDS, wait_s))
    problems = {worker: answer for worker, answer in found.items() if answer}
    if problems:
        raise _unfit(scheduler, demand, problems)
    return len(found)


def no_workers(scheduler: str, seconds: float) -> ClusterError:
    """The error of a cluster without workers."""
    return ClusterError(
        f"the Dask cluster at {scheduler} has no workers",
        "at least one worker", f"none for {seconds:g} s (`local.wait_s`)",
        f"start workers (dask worker {scheduler}) and {RESTART}",
    )  # fmt: skip


def _no_local_workers(seconds: float) -> ClusterError:
    """The error of this command's own cluster without workers."""
    return ClusterError(
        "the local Dask workers ended, and none could be started again",
        "at least one worker", f"none for {seconds:g} s (`local.wait_s`)",
        "give workers more memory (`local.memory_gib`, fewer `--workers`) or time to start "
        f"(`local.wait_s`), or use --serial, and {RESTART}",
    )  # fmt: skip


def wait_for_any(client: Any, futures: Sequence[Any], wait_s: float, revive: Callable[[], None]) -> list[Any]:
    """The futures that have ended, in order; at least one.

    `revive` is called where there have been no workers for REVIVE_SECONDS.

    Raises
    ------
    ClusterError
        The scheduler is lost, or the cluster has had no worker for `wait_s` seconds.
    """
    from distributed import wait
    from distributed.comm.core import CommClosedError

    scheduler, last_seen = str(client.scheduler.address), time.monotonic()
    while True:
        try:
            with client.as_current():  # `wait` takes no client
                ended = wait(futures, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done
            return [future for future in futures if future in ended]
        except TimeoutError:
            if _has_workers(client, scheduler):
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > wait_s:
                own = client.cluster is not None
                raise (_no_local_workers(wait_s) if own else no_workers(scheduler, wait_s)) from None
            elif time.monotonic() - last_seen > REVIVE_SECONDS:
                revive()
        except (CancelledError, CommClosedError) as err:
            raise _lost(scheduler) from err


def _has_workers(client: Any, scheduler: str) -> bool:
    try:
        return bool(client.scheduler_info(n_workers=-1)["workers"])
    except (OSError, RuntimeError) as err:  # CommClosedError is an OSError
        raise _lost(scheduler) from err


def _lost(scheduler: str) -> ClusterError:
    return ClusterError(
        f"the Dask scheduler at {scheduler} is lost", "a scheduler that runs to the end",
        "the connection to it broke", f"start the cluster and {RESTART}",
    )  # fmt: skip
