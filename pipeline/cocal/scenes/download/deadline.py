"""A total deadline for one request: clients only bound the silence between two reads."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from cocal.scenes.download.faults import Fault

T = TypeVar("T")

GRACE_S = 1.0
"""How long a call that was told to end may take to do so."""


class _Overdue(Exception):  # noqa: N818 - never leaves the thread it is raised in
    """Raised inside the thread of a call that is late. No OSError: clients would take it for the network's."""


class Deadline:
    """Runs a call in a thread of its own and ends it when its time is over.

    A call that trickles bytes for ever comes back to Python with each of them, and there it is ended. A call
    that waits in silence is ended by the client's own read time-out.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._threads: set[int] = set()

    def cover(self) -> None:
        """Have the calling thread ended too: clients that work in threads of their own call it there."""
        self._threads.add(threading.get_ident())

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        Raises
        ------
        Fault
            It did not end in time.
        """
        done = threading.Event()
        outcome: list[tuple[T | None, BaseException | None]] = []

        def work() -> None:
            self.cover()
            try:
                outcome.append((call(), None))
            except BaseException as err:  # noqa: BLE001 - handed to the caller's thread
                outcome.append((None, err))
            finally:
                done.set()

        threading.Thread(target=work, daemon=True, name="cocal-request").start()
        if not done.wait(self.seconds):
            self._end()
            done.wait(GRACE_S)
            raise Fault(f"no whole answer within {self.seconds:g} s")
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def _end(self) -> None:
        for thread in threading.enumerate():
            if thread.ident in self._threads:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Overdue)
                )
