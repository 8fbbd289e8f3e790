"""The gate: all requests to a service pass it, within limits, budget and time, and are tried again."""

from __future__ import annotations

import contextvars
import ctypes
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Generic, TypeVar

from cocal.errors import DownloadError, DownloadStoppedError
from cocal.scenes.download.ledger import Ledger
from cocal.scenes.download.limiter import Limiter
from cocal.scenes.download.settings import RetrySettings
from cocal.scenes.download.units import Cost

log = logging.getLogger(__name__)

T = TypeVar("T")

UNCHARGED = Cost(requests=1)
"""A request that was refused: it counts as a request, and costs no units."""

MILLISECONDS_FROM = 60
"""A smaller whole number in `Retry-After` may be seconds: a pause of some milliseconds is unlikely."""

LONGEST_PAUSE_S = 31 * 86400.0
"""A longer pause than a month is a mistake of the service: the header is ignored."""

GRACE_S = 1.0
"""Time that an overdue call gets to end."""


class Verdict(Enum):
    """What follows from a fault."""

    AGAIN = "again"
    """The same request may succeed."""
    REFUSED = "refused"
    """This request will not succeed; others may."""
    STOP = "stop"
    """No request will succeed until credentials, budget or quota change."""


class Fault(Exception):  # noqa: N818 - internal to this package: the gate turns it into a CocalError
    """One request failed.

    Parameters
    ----------
    reason
        What happened, without secrets.
    verdict
        What follows.
    spent
        What the service charged; None if unknown: then the reservation stays.
    header
        `Retry-After`, as received.
    busy
        Too many requests (429): every worker waits, as it does where the service states how long.
    at_once
        The next try need not wait: the cause is fixed (a new token).
    most
        Largest number of tries, where it is less than `retry.attempts`.
    """

    def __init__(
        self,
        reason: str,
        verdict: Verdict = Verdict.AGAIN,
        *,
        spent: Cost | None = None,
        header: str | None = None,
        busy: bool = False,
        at_once: bool = False,
        most: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.verdict, self.spent, self.most = reason, verdict, spent, most
        self.header, self.busy, self.at_once = header, busy, at_once


def retry_after(
    text: str | None, tried: str | None, longest: float, now: datetime | None = None, times: int = 2
) -> float | None:
    """Seconds to wait by a `Retry-After` header; None where it is missing, not understood or above a month.

    Sentinel Hub writes whole numbers of milliseconds, HTTP (RFC 9110, 10.2.3) whole seconds or a date. A
    whole number is read as milliseconds at first; if the same one comes again after that wait (`tried` is the
    header of the refusal before, `times` how often it came in a row), it is read as seconds: one below 60 the
    second time, at most `longest` of them, as this is a guess; a larger one the third time. A fraction is
    always in seconds.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    else:
        if text.strip().isdigit():
            if tried == text and seconds < MILLISECONDS_FROM:
                seconds = min(seconds, longest)
            elif tried != text or times < 3:
                seconds /= 1000
    return seconds if 0 <= seconds <= LONGEST_PAUSE_S else None


def not_fetched(what: str, reason: str) -> DownloadError:
    """The error of a request that was given up."""
    return DownloadError(
        f"{what} was not fetched",
        "a complete and valid answer",
        reason,
        "nothing: it counts as unobserved, and the next run tries again",
    )


class _Overdue(Exception):  # noqa: N818 - never leaves the thread it is raised in
    """Raised in the thread of an overdue call. No OSError, which clients would take for a network error."""


class Deadline:
    """A total deadline for one request, as clients only limit the silence between two reads.

    The call runs in a thread of its own. A call that trickles bytes returns to Python with each of them, and
    is ended there; a silent one is ended by the client's read time-out.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._threads: set[threading.Thread] = set()

    def cover(self) -> None:
        """End the calling thread too: called by clients that work in threads of their own."""
        self._threads.add(threading.current_thread())

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises; Fault if it does not end in time."""
        done = threading.Event()
        outcome: list[tuple[T | None, BaseException | None]] = []
        context = contextvars.copy_context()  # notes that the call records belong to the caller's account

        def work() -> None:
            self.cover()
            try:
                outcome.append((context.run(call), None))
            except BaseException as err:  # noqa: BLE001 - raised again in the caller's thread
                outcome.append((None, err))
            finally:
                done.set()

        threading.Thread(target=work, daemon=True, name="cocal-request").start()
        if not done.wait(self.seconds):
            for thread in (t for t in self._threads if t.is_alive()):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Overdue)
                )
            done.wait(GRACE_S)
            raise Fault(f"no whole answer within {self.seconds:g} s")
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value]


@dataclass(frozen=True)
class Answer(Generic[T]):
    """The result of a request, and what the service charged for it."""

    value: T
    spent: Cost


@dataclass(frozen=True)
class Gate:
    """Limiter, ledger and rules of trying again, for all requests of a download. Picklable."""

    limiter: Limiter
    ledger: Ledger
    retry: RetrySettings

    def send(self, what: str, cost: Cost, once: Callable[[Deadline], Answer[T]]) -> T:
        """The answer of `once`, which raises Fault, tried up to `retry.attempts` times.

        Before each try a reservation of `cost` is written to the ledger, on disk.

        Raises
        ------
        DownloadError
            The request was refused, or failed in every attempt; or the service requests a longer pause than
            `retry.longest_wait`: then no worker begins another request.
        DownloadStoppedError
            Budget, quota or credentials: no request will succeed.
        """
        fault, tried, times, reason = Fault(""), None, 0, ""
        for number in range(self.retry.attempts):
            try:
                return self._once(what, cost, once)
            except Fault as err:
                fault, tried, reason = err, fault.header, err.reason
            times = times + 1 if fault.header == tried else 1
            if fault.verdict is Verdict.STOP:
                self.limiter.stop(f"{what}: {reason}")
                raise DownloadStoppedError(f"{what}: {reason}") from None
            pause = retry_after(fault.header, tried, self.retry.longest_wait, times=times) or 0.0
            if pause > self.retry.longest_wait:
                until = (datetime.now(UTC) + timedelta(seconds=pause)).strftime("%Y-%m-%d %H:%M:%S UTC")
                text = f"the service requests a pause of {pause:.0f} s: run again after {until}"
                self.limiter.stop(text)
                reason += f"; {text}"
                break
            tries = min(self.retry.attempts, fault.most or self.retry.attempts)
            if fault.verdict is Verdict.REFUSED or number + 1 >= tries:
                break
            self._wait(what, fault, pause, number)
        raise not_fetched(what, reason) from None

    def _once(self, what: str, cost: Cost, once: Callable[[Deadline], Answer[T]]) -> T:
        deadline = Deadline(self.retry.deadline)
        with self.limiter.permit(cost.processing_units):
            entry = self.ledger.reserve(what, cost)
            try:
                answer = deadline.run(lambda: once(deadline))
            except Fault as fault:
                self.ledger.settle(entry, fault.spent)
                raise
            self.ledger.settle(entry, answer.spent)
        return answer.value

    def _wait(self, what: str, fault: Fault, pause: float, number: int) -> None:
        """Full jitter below a bound that doubles; never shorter than the pause that the service requests."""
        bound = 0.0 if fault.at_once else min(self.retry.longest_wait, self.retry.first_wait * 2**number)
        wait = max(random.uniform(0, bound), pause)  # noqa: S311 - jitter, not a secret
        log.info(
            "%s: %s; again in %.1f s, try %d of %d", what, fault.reason, wait, number + 2, self.retry.attempts
        )
        if fault.busy or pause:
            self.limiter.pause(wait)
        time.sleep(wait)
