"""The gate: every request to a service passes here, within limits, budget and time, and is tried again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cocal.errors import DownloadError, DownloadStoppedError
from cocal.scenes.download.deadline import Deadline
from cocal.scenes.download.faults import Fault, Verdict, retry_after
from cocal.scenes.download.ledger import Ledger
from cocal.scenes.download.limiter import Limiter
from cocal.scenes.download.settings import RetrySettings
from cocal.scenes.download.units import Cost

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a request brought, and what the service took for it."""

    value: T
    spent: Cost


@dataclass(frozen=True)
class Gate:
    """What `run` hands to a download: limiter, ledger and the rules of trying again. Picklable."""

    limiter: Limiter
    ledger: Ledger
    retry: RetrySettings

    def send(self, what: str, cost: Cost, once: Callable[[Deadline], Answer[T]]) -> T:
        """The answer of `once`, tried up to `retry.attempts` times.

        Before each try the ledger holds a reservation of `cost`, on disk. `once` raises Fault.

        Raises
        ------
        DownloadError
            The request was refused, or failed as often as it may be tried.
        DownloadStoppedError
            Budget, quota or credentials: no request will succeed.
        """
        fault, tried = Fault(""), None
        for number in range(self.retry.attempts):
            try:
                return self._once(what, cost, once)
            except Fault as err:
                fault, tried = err, fault.header
            if fault.verdict is Verdict.STOP:
                self.limiter.stop(f"{what}: {fault.reason}")
                raise DownloadStoppedError(f"{what}: {fault.reason}") from None
            asked = retry_after(fault.header, tried, self.retry.longest_wait) or 0.0
            last = number + 1 == self.retry.attempts
            if fault.verdict is Verdict.REFUSED or asked > self.retry.longest_wait or last:
                break
            self._wait(what, fault, asked, number)
        raise DownloadError(
            f"{what} was not brought",
            "an answer that is whole and right",
            fault.reason + (f"; asked to wait: {fault.header}" if fault.header else ""),
            "nothing: it counts as unobserved, and the next run tries again",
        ) from None

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

    def _wait(self, what: str, fault: Fault, asked: float, number: int) -> None:
        """Full jitter below a bound that doubles; never shorter than the service asks."""
        bound = 0.0 if fault.at_once else min(self.retry.longest_wait, self.retry.first_wait * 2**number)
        wait = max(random.uniform(0, bound), asked)  # noqa: S311 - jitter, not a secret
        log.info(
            "%s: %s; again in %.1f s, try %d of %d", what, fault.reason, wait, number + 2, self.retry.attempts
        )
        if fault.busy:
            self.limiter.pause(wait)
        time.sleep(wait)
