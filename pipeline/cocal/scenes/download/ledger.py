"""The ledger: what was spent per calendar month, written before a request is sent.

One file per month, one line per entry, appended under a lock and synced to disk: first a reservation of the
largest cost of the request, later its real cost. A process killed in between leaves the reservation, so the
ledger never holds less than was spent. A truncated line is one whose request was never sent.

    {"id": "...", "at": "2026-11-21T22:00:00Z", "what": "...", "requests": 1, "units": 3.4, "bytes": 1200}
    {"id": "...", "settled": true, "requests": 1, "units": 3.3, "bytes": 900}
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from cocal.errors import DownloadStoppedError, InputError
from cocal.scenes.download.settings import BudgetSettings
from cocal.scenes.download.units import Cost

GIGABYTE = 10**9


def utc_now() -> datetime:
    """The time that decides the month."""
    return datetime.now(UTC)


@dataclass
class _Month:
    """What was read of one month's file so far."""

    bytes: int = 0
    entries: dict[str, Cost] = field(default_factory=dict)
    total: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Ledger:
    """The ledger of one account, below `folder`. Copies in several processes are one ledger."""

    folder: Path
    budget: BudgetSettings
    now: Callable[[], datetime] = utc_now
    _months: dict[Path, _Month] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Ledger, (self.folder, self.budget, self.now)

    @property
    def path(self) -> Path:
        """The file of the current month."""
        return self.folder / f"ledger-{self.now():%Y-%m}.jsonl"

    def spent(self) -> Cost:
        """What was spent in this month so far, reservations included."""
        with self._locked():
            return self._total(self.path)

    def reserve(self, what: str, cost: Cost) -> tuple[Path, str]:
        """Reserve `cost`; returns the entry to settle.

        Raises
        ------
        DownloadStoppedError
            The budget of this month does not cover it. Nothing is written.
        """
        with self._locked():
            path = self.path
            self._check(path, cost)
            entry = uuid.uuid4().hex
            moment = f"{self.now():%Y-%m-%dT%H:%M:%SZ}"
            self._append(path, {"id": entry, "at": moment, "what": what} | _fields(cost))
            return path, entry

    def settle(self, entry: tuple[Path, str], cost: Cost | None) -> None:
        """Replace a reservation by the real cost; None: unknown, the reservation stays."""
        if cost is not None:
            with self._locked():
                self._append(entry[0], {"id": entry[1], "settled": True} | _fields(cost))

    def _locked(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".ledger.lock")

    def _check(self, path: Path, cost: Cost) -> None:
        spent = self._total(path)
        limits = (
            ("processing units", spent.processing_units, cost.processing_units, self.budget.processing_units),
            ("requests", spent.requests, cost.requests, self.budget.requests),
            ("gigabytes", spent.bytes / GIGABYTE, cost.bytes / GIGABYTE, self.budget.gigabytes),
        )
        for name, before, more, bound in limits:
            if bound is not None and before + more > bound:
                raise DownloadStoppedError(
                    f"the budget of {name} for {self.now():%Y-%m} is used up",
                    f"at most {bound:g}",
                    f"{before:.6g} spent or reserved, the next request may take {more:.6g}",
                    "run again next month, or raise `download.budget`; what is fetched is kept",
                )

    def _append(self, path: Path, line: dict[str, object]) -> None:
        self._total(path)
        with path.open("ab") as file:
            file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _total(self, path: Path) -> Cost:
        """The month's sum; reads only what was appended since, and removes a truncated line."""
        if not path.exists():
            return Cost()
        month = self._months.setdefault(path, _Month())
        with path.open("r+b") as file:
            file.seek(month.bytes)
            text = file.read()
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                file.truncate(month.bytes + whole)
        for line in text[:whole].splitlines():
            key, cost = _entry(line, path)
            month.total += cost + month.entries.get(key, Cost()) * -1
            month.entries[key] = cost
        month.bytes += whole
        return month.total


def _fields(cost: Cost) -> dict[str, object]:
    return {"requests": cost.requests, "units": cost.processing_units, "bytes": cost.bytes}


def _entry(line: bytes, path: Path) -> tuple[str, Cost]:
    try:
        found = json.loads(line)
        return found["id"], Cost(int(found["requests"]), float(found["units"]), int(found["bytes"]))
    except (ValueError, KeyError, TypeError) as err:
        raise InputError(
            f"the ledger {path} is damaged",
            "one JSON entry per line",
            repr(line[:80]),
            "fix or move the file; without it the month counts as unspent",
        ) from err
