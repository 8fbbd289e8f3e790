"""What can go wrong with one request, and what is to be done about it. Internal: no Fault leaves this room."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from cocal.scenes.download.units import Cost


class Verdict(Enum):
    """What follows from a fault."""

    AGAIN = "again"
    """Passing: the same request may succeed."""
    REFUSED = "refused"
    """This request will not succeed; others may."""
    STOP = "stop"
    """No request will succeed until a person or the calendar mends it."""


class Fault(Exception):  # noqa: N818 - not an error of the user's: a sign between this room's modules
    """One request failed.

    Parameters
    ----------
    reason
        What happened, without secrets.
    verdict
        What follows.
    spent
        What the service took for it; None where that cannot be known: then the reservation stays.
    header
        `Retry-After`, as it was written.
    busy
        The service says that too much is asked (429): then every worker waits.
    at_once
        Nothing is to be waited for: what was wrong has been mended (a new token).
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
    ) -> None:
        super().__init__(reason)
        self.reason, self.verdict, self.spent = reason, verdict, spent
        self.header, self.busy, self.at_once = header, busy, at_once


UNCHARGED = Cost(requests=1)
"""A request that was refused: it counts as a request, and costs no units."""


SECONDS_BELOW = 60
"""A whole number this small may be meant as seconds: nobody asks for a pause of some milliseconds."""


def retry_after(
    text: str | None, tried: str | None, longest: float, now: datetime | None = None
) -> float | None:
    """Seconds to wait by a `Retry-After` header; None where it is missing or says nothing.

    Sentinel Hub writes whole numbers of milliseconds, HTTP (RFC 9110, 10.2.3) whole seconds or a date. A
    whole number is read as milliseconds at first; if a small one comes again after that was waited (`tried`
    is the header of the refusal before), it is read as seconds, at most `longest` of them, as this is a guess.
    A fraction can only be seconds.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return _until(text, now or datetime.now(UTC))
    if not math.isfinite(value) or value < 0:
        return None
    if not text.strip().isdigit():
        return value
    return min(value, longest) if value < SECONDS_BELOW and tried == text else value / 1000


def _until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets: what a service answers may hold what it was sent."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[secret]")
    return text
