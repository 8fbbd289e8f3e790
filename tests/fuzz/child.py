"""A process that examines inputs for a target, so that a crash or a hang of a library is a finding."""

from __future__ import annotations

import atexit
import importlib
import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path

LIMIT_S = 5
"""Seconds of CPU time for one input."""

WAIT_S = 90
"""Seconds that are waited for one input: other processes may need the CPU too."""

MEMORY = 4 << 30
"""Bytes that the process may hold."""

MOST_MEMORY = 1 << 30
"""Bytes that one input may need: more is a finding."""

START_S = 600


class Child:
    """Runs `examine(seed, folder) -> str` of a module in a process that is started again after its death."""

    def __init__(self, module: str) -> None:
        self.module = module
        self._process: multiprocessing.process.BaseProcess | None = None
        atexit.register(self.stop)

    def ask(self, seed: int, folder: Path) -> str:
        """What is wrong, "" where nothing is; a crash and a time above the limit are wrong."""
        alarm = signal.alarm(0)  # the limits are those of this class
        try:
            return self._ask(seed, folder)
        finally:
            signal.alarm(alarm)

    def _ask(self, seed: int, folder: Path) -> str:
        if self._process is None:
            self._start()
        process, pipe = self._process, self._pipe
        pipe.send((seed, str(folder)))
        try:
            if pipe.poll(WAIT_S):
                wrong, again = pipe.recv()
                if again:
                    self.stop()
                return str(wrong)
            wrong = f"took more than {WAIT_S} s"
        except EOFError:
            process.join(1)
            slow = process.exitcode == -signal.SIGPROF
            wrong = (
                f"took more than {LIMIT_S} s" if slow else f"the process ended with code {process.exitcode}"
            )
        self.stop()
        return wrong

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self.module, theirs), daemon=True)
        process.start()
        theirs.close()
        self._process = process
        if not self._pipe.poll(START_S):
            raise RuntimeError(f"the process of {self.module} did not start within {START_S} s")
        try:
            self._pipe.recv()
        except EOFError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(module: str, pipe: Connection) -> None:
    target = importlib.import_module(module)
    target.prepare()
    soft = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, soft))
    begin = _peak()
    pipe.send("ready")
    while True:
        try:
            seed, folder = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # its signal ends a process inside a library too
        try:
            wrong = target.examine(seed, Path(folder))
        except Exception as err:  # noqa: BLE001 - every uncaught exception is a finding
            wrong = f"{type(err).__name__}: {err}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        needed = _peak() - begin
        if needed > MOST_MEMORY:
            wrong = wrong or f"needs {needed >> 20} MB"
        pipe.send((wrong, needed > MOST_MEMORY))


def _peak() -> int:
    """Most bytes that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
