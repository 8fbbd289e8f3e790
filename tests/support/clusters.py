"""A Dask scheduler and its workers as real processes, to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
DASK = (sys.executable, "-W", "ignore", "-m")


@dataclass
class Cluster:
    """A scheduler that runs, and the workers that were started."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(
        self, path: Path | None = None, *, nanny: bool = False, before: Sequence[str] = ()
    ) -> None:
        """One more worker of one thread. `path` comes first among packages, `before` in the command."""
        first = [str(path)] if path else []
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([*first, *sys.path])}
        command = [
            *before, *DASK, "distributed.cli.dask_worker", self.address, "--no-dashboard",
            "--nthreads", "1", "--host", "127.0.0.1", "--nanny" if nanny else "--no-nanny",
        ]  # fmt: skip
        self.workers.append(subprocess.Popen(command, env=environment, **QUIET))  # type: ignore[call-overload]


@contextmanager
def cluster(folder: Path, workers: int = 0, *, nanny: bool = False) -> Iterator[Cluster]:
    """Yield a scheduler with so many workers; all are ended with SIGKILL."""
    file = folder / "scheduler.json"
    command = [*DASK, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
               "--no-dashboard", "--scheduler-file", str(file)]  # fmt: skip
    scheduler = subprocess.Popen(command, **QUIET)  # type: ignore[call-overload]
    made = Cluster("", scheduler)
    try:
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        made.address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            made.add_worker(nanny=nanny)
        yield made
    finally:
        for process in [*made.workers, scheduler]:
            if nanny:
                process.terminate()
                process.wait(30)
            process.kill()
            process.wait(30)
