"""Progress bars on a terminal."""

from __future__ import annotations

import sys
from typing import Any


class ProgressBars:
    """One progress bar per named part of the work; nothing where stderr is no terminal."""

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
        self.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to show the bars."""
        self._bars.start()

    def stop(self) -> None:
        """Leave the bars as they are."""
        self._bars.stop()

    def update(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of the part `name` are complete."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)
