"""Altered inputs, many of them: `python -m tests.fuzz [TARGET ...] [--count N] [--seed S]`, `make fuzz`.

A target is a module of this package with a function `one(seed, folder)`: it makes one altered input in an
empty folder, gives it to cocal, and returns what is wrong, "" where nothing is. What it needs once is made by
its function `prepare()`, if it has one. Seeds that once found a fault stand in the module's `SEEDS`, which
the default tests run.
"""

from __future__ import annotations

import importlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

TARGETS: tuple[str, ...] = (
    "bodies",
    "configuration",
    "models",
    "tables",
    "tiff",
)
LIMIT_S = 10


class TooLong(BaseException):
    """An input took more than the limit; no `except Exception` may swallow it."""


def faults(target: str, count: int, first: int = 0, limit_s: int = LIMIT_S) -> Iterator[tuple[int, str]]:
    """(seed, what is wrong) for the seeds `first` to `first + count` that find a fault of the target."""
    module = importlib.import_module(f"tests.fuzz.{target}")
    one, prepare = module.one, getattr(module, "prepare", None)
    if prepare is not None:
        prepare()
    previous = signal.signal(signal.SIGALRM, _stop)
    try:
        for seed in range(first, first + count):
            with tempfile.TemporaryDirectory() as folder:
                signal.alarm(limit_s)
                try:
                    wrong = one(seed, Path(folder))
                except TooLong:
                    wrong = f"took more than {limit_s} s"
                except Exception as err:  # noqa: BLE001 - every uncaught exception is a finding
                    wrong = f"{type(err).__name__}: {err}"
                finally:
                    signal.alarm(0)
            if wrong:
                yield seed, wrong
    finally:
        signal.signal(signal.SIGALRM, previous)


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooLong
