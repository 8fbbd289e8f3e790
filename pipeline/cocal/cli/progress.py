"""How far work is, for the person who watches it or for the log."""

from __future__ import annotations

import logging
import sys
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

log = logging.getLogger(__name__)


class Progresses:
    """Bars on a terminal, lines in the log elsewhere, for work that tells how far it is."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bars = Progress(*columns, disable=not sys.stderr.isatty())
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progresses:
        self._bars.start()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._bars.stop()

    def tell(self, what: str, done: int, whole: int) -> None:
        """`done` of `whole` parts of `what` are there."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=whole)
        self._bars.update(self._tasks[what], completed=done)
        log.info("%s: %d of %d", what, done, whole)
