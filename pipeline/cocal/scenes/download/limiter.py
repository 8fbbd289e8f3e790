"""The limiter: requests under way and requests begun in the last minute, over all workers.

State is one small file under a lock, so it holds for every process that shares the folder: the workers of a
run, and other runs beside it. The lease of a killed worker ends when its process is gone, or by itself.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from cocal.errors import DownloadStoppedError
from cocal.scenes.download.settings import LimitSettings

WINDOW_S = 62.0
"""A minute and a little, as the time between the permit and the arrival of the request varies."""
POLL_S = 0.05


@dataclass(frozen=True)
class Limiter:
    """Permits for requests, by a file below `folder`. Copies in several processes are one limiter."""

    folder: Path
    limits: LimitSettings
    lease_s: float
    """A permit that was not given back expires after so long: its worker, on another machine, is gone."""
    window_s: float = WINDOW_S
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @contextmanager
    def permit(self, units: float = 0.0) -> Iterator[None]:
        """Wait until one more request, of so many processing units, may begin; return the permit at the end.

        Raises
        ------
        DownloadStoppedError
            A worker called `stop`.
        """
        mine = uuid.uuid4().hex
        while (wait := self._try(mine, units)) > 0:
            self.sleep(wait)
        try:
            yield
        finally:
            with self._state() as state:
                state["leases"].pop(mine, None)

    def pause(self, seconds: float) -> None:
        """No request begins for so long."""
        with self._state() as state:
            state["not_before"] = max(state["not_before"], self.clock() + seconds)

    def stop(self, reason: str) -> None:
        """No request begins any more, in any worker, until `open`."""
        with self._state() as state:
            state["stopped"] = reason

    def open(self) -> None:
        """Let requests begin again: at the start of a run."""
        with self._state() as state:
            state["stopped"] = ""

    def _try(self, mine: str, units: float) -> float:
        """Take a permit and return 0, or the seconds after which to try again."""
        with self._state() as state:
            if state["stopped"]:
                raise DownloadStoppedError(state["stopped"])
            now = self.clock()
            state["leases"] = {k: lease for k, lease in state["leases"].items() if _alive(lease, now)}
            state["begun"] = [b for b in state["begun"] if now - self.window_s < b[0] <= now]
            if state["not_before"] > now:
                return max(POLL_S, min(float(state["not_before"]) - now, 1.0))
            bound, spent = self.limits.units_per_minute, sum(b[1] for b in state["begun"])
            over = bool(state["begun"]) and bound is not None and spent + units > bound
            if over or len(state["begun"]) >= self.limits.per_minute:
                return max(POLL_S, min(float(state["begun"][0][0]) + self.window_s - now, 1.0))
            if len(state["leases"]) >= self.limits.in_flight:
                return POLL_S
            state["begun"].append([now, units])
            state["leases"][mine] = [now + self.lease_s, socket.gethostname(), os.getpid()]
            return 0.0

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "limiter.json"
        with FileLock(self.folder / ".limiter.lock"):
            try:
                state = json.loads(path.read_text(encoding="ascii"))
            except (OSError, ValueError):
                state = {"begun": [], "leases": {}, "not_before": 0.0, "stopped": ""}
            yield state
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps(state), encoding="ascii")
            temporary.replace(path)


def _alive(lease: list[Any], now: float) -> bool:
    end, host, process = lease
    return bool(end > now and (host != socket.gethostname() or psutil.pid_exists(process)))
