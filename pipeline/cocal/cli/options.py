"""What the commands share: options, the log, printing."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

Config = Annotated[
    Path, typer.Argument(help="YAML file that describes the run, or the folder of one that was made")
]
Serial = Annotated[bool, typer.Option("--serial", help="work in this process, without Dask")]
Scheduler = Annotated[str | None, typer.Option(help="address of a running Dask scheduler")]
Workers = Annotated[int | None, typer.Option(min=1, help="local workers (default: one per core)")]
Memory = Annotated[
    str | None, typer.Option(help="at most this per worker, such as 2GiB: smaller blocks, or refused")
]
Reference = Annotated[bool, typer.Option("--reference", help="without kernels: slower, the same result")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="more log lines")]


class Format(StrEnum):
    """How an estimate is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def log_to_stderr(verbose: bool) -> None:
    """One line per task where no one watches; on a terminal only warnings, beside the bars."""
    level = logging.DEBUG if verbose else logging.WARNING if sys.stderr.isatty() else logging.INFO
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("cocal").setLevel(level)


def say(content: Any) -> None:
    """Print a text or a table, as wide as the terminal; where no one watches, 140 columns."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140, soft_wrap=True).print(content, markup=False)
