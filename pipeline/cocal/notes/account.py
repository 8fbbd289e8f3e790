"""The account of what is left out or repaired: notes that whatever is under way records.

A unit keeps the notes that its making recorded (`store.Manifest.notes`), so that they are reported again
where it is reused; a stage reports those that it records itself (`run.state.Run.noting`). Both reach the log
as warnings, run.json and the page, and stop the run where they exceed a limit (`limits`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from cocal.notes import Note

log = logging.getLogger(__name__)

SHOWN = 10
"""Names that a note lists, at most."""

_RECORDED: ContextVar[list[Note] | None] = ContextVar("recorded", default=None)


def record(code: str, /, **values: Any) -> None:
    """Add a note of level `left_out` to the account under way; a warning of the log where there is none.

    Values name files without their folders, and no position of a field record.
    """
    notes, note = _RECORDED.get(), Note(code, **values)
    if notes is None:
        log.warning("%r", note)
    elif note not in notes:
        notes.append(note)


@contextmanager
def recorded() -> Iterator[list[Note]]:
    """Yield the notes that are recorded within; an account within another keeps its notes to itself.

    Examples
    --------
    >>> with recorded() as notes:
    ...     record("scene_without_pixel", scene="s-20240105-32719")
    >>> notes[0].values
    {'scene': 's-20240105-32719'}
    """
    notes: list[Note] = []
    token = _RECORDED.set(notes)
    try:
        yield notes
    finally:
        _RECORDED.reset(token)


def part(names: Iterable[Any], of: int) -> dict[str, Any]:
    """Values of a note on some of `of` things: n, of, share, which (the first `SHOWN` names).

    Examples
    --------
    >>> values = part(range(12), 48)
    >>> values["n"], values["share"], values["which"][-2:]
    (12, 0.25, ['9', '+ 2'])
    """
    texts = [str(name) for name in names]
    return {"n": len(texts), "of": of, "share": len(texts) / of, "which": first(texts)}


def first(names: Iterable[Any]) -> list[str]:
    """The first `SHOWN` names, each once, "+ 3" in the place of three more."""
    texts = list(dict.fromkeys(map(str, names)))
    rest = len(texts) - SHOWN
    return texts[:SHOWN] + ([f"+ {rest}"] if rest > 0 else [])
