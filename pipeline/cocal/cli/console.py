"""Shared by the commands: options, the log, printing."""

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


def print_problem(text: str) -> None:
    """Print what went wrong or is missing, to stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the command's own output


def announce(text: str) -> None:
    """Print on a line of its own, flushed: other programs wait for it."""
    print(text, flush=True)  # noqa: T201 - the command's own output


def print_content(content: Any) -> None:
    """Print a text or a table at the width of the terminal, or 140 columns if stdout is not a terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True).print(content, markup=False)
