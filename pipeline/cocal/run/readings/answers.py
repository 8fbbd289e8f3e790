"""The answers of a reader: one line each, on the disk before the reader is told that it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from cocal.errors import InputError
from cocal.fieldwork.labelling import CANNOT_TELL
from cocal.settings import Settings


class Answer(Settings):
    """An answer, or with `kind: undo` that the last one of the item is taken back.

    `uid` is drawn by the page: an answer that is sent twice counts once. `label` is a key of the scheme,
    `day` the date of the image that decided.
    """

    item: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    uid: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,40}$")]
    kind: Literal["class", "cannot_tell", "undo"]
    label: Annotated[str | None, Field(max_length=60)] = None
    certainty: Literal["sure", "likely", "unsure"] | None = None
    day: date | None = None
    note: Annotated[str, Field(max_length=500)] = ""
    at: datetime

    @model_validator(mode="after")
    def _consistent(self) -> Answer:
        if (self.kind == "class") != (self.label is not None):
            raise ValueError("`label` goes with `kind: class`, which needs it")
        if self.kind == "class" and (self.certainty is None or self.day is None):
            raise ValueError("a class needs `certainty` and `day`")
        return self

    @property
    def says(self) -> str:
        """The class, or `cannot_tell`."""
        return self.label or CANNOT_TELL


@dataclass(frozen=True)
class AnswerFile:
    """The file of one reader. A line that a kill cut short was not acknowledged, and is dropped."""

    path: Path

    def read(self) -> list[Answer]:
        """All answers in their order, each once.

        Raises
        ------
        InputError
            A line is no answer: the file was altered.
        """
        try:
            whole, _, _ = self.path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return []
        found: dict[str, Answer] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                answer = Answer.model_validate_json(line)
            except ValidationError as err:
                raise InputError(
                    f"line {number} of {self.path} is no answer", "as `cocal interpret` wrote it",
                    str(err.errors()[0]["msg"]), "restore the file from a copy",
                ) from err  # fmt: skip
            found.setdefault(answer.uid, answer)
        return list(found.values())

    def add(self, answers: Iterable[Answer]) -> None:
        """Add answers at the end of the file; they are on the disk when this returns."""
        text = "".join(answer.model_dump_json(exclude_none=True) + "\n" for answer in answers)
        new = not self.path.exists()
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.ftruncate(file, _whole_size(file))
            _write_all(file, text.encode())
            os.fsync(file)
        finally:
            os.close(file)
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


def _whole_size(file: int) -> int:
    """The size without a last line that was cut short."""
    size = os.fstat(file).st_size
    return os.pread(file, size, 0).rfind(b"\n") + 1


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def standing(answers: Sequence[Answer]) -> dict[str, Answer]:
    """Item -> its answer that stands: the last one that was not taken back.

    Examples
    --------
    >>> facts = dict(item="0" * 12, certainty="sure", day="2024-06-01", at="2024-07-01T00:00:00Z")
    >>> first = Answer(uid="aaaaaaaa", kind="class", label="coca", **facts)
    >>> second = Answer(uid="bbbbbbbb", kind="class", label="forest", **facts)
    >>> undo = Answer(uid="cccccccc", kind="undo", **facts)
    >>> [a.label for a in standing([first, second, undo]).values()], standing([first, undo])
    (['coca'], {})
    """
    given: dict[str, list[Answer]] = {}
    for answer in answers:
        own = given.setdefault(answer.item, [])
        if answer.kind != "undo":
            own.append(answer)
        elif own:
            own.pop()
    return {item: own[-1] for item, own in given.items() if own}
