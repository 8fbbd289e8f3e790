"""What the commands share: options, the log, printing, progress bars."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path, typer.Argument(help="YAML file that describes the run, or the folder of an existing run")
]
Serial = Annotated[bool, typer.Option("--serial", help="work in this process, without Dask")]
Scheduler = Annotated[str | None, typer.Option(help="address of a running Dask scheduler")]
Workers = Annotated[int | None, typer.Option(min=1, help="local workers (default: one per core)")]
Memory = Annotated[
    str | None, typer.Option(help="limit per worker, such as 2GiB: smaller blocks, or an error if too small")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="more log lines")]

log = logging.getLogger(__name__)


class Format(StrEnum):
    """Output format of a table or an estimate."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def log_to_stderr(verbose: bool) -> None:
    """Log to stderr: warnings only on a terminal, where bars show progress; elsewhere a line per task."""
    level = logging.DEBUG if verbose else logging.WARNING if sys.stderr.isatty() else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("cocal").setLevel(level)


def say(content: Any) -> None:
    """Print a text or a table at the width of the terminal, or 140 columns if stdout is not a terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True).print(content, markup=False)


class ProgressBars:
    """One progress bar per named part of the work on a terminal, log lines elsewhere."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, disable=not sys.stderr.isatty())
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ProgressBars:
        self._bars.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._bars.stop()

    def update(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of the part `name` are complete."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done)
        log.info("%s: %d of %d", name, done, total)
