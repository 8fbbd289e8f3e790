"""The points of a run's sample under names that tell nothing, and who reads them.

What readers do is kept below `readings/` in the folder of the run, which is restricted. A point's name is a
keyed hash (BLAKE2b) of its id: names, and the order of names, tell neither stratum nor place.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from cocal.checksums import sha256_file
from cocal.contracts import Period
from cocal.errors import BusyError, InputError, UsageError
from cocal.fieldwork.design.draw import MAIN
from cocal.run.finished import FinishedRun
from cocal.run.readings.answers import Answer, AnswerFile, standing
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import write_json

FOLDER, FACTS = "readings", "campaign.json"
_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,19}", re.ASCII)


@dataclass(frozen=True)
class Campaign:
    """A sample that is read on images; `facts` is what campaign.json holds."""

    run: FinishedRun
    period: Period
    scheme: ClassScheme
    facts: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return self.run.folder / FOLDER

    @property
    def id(self) -> str:
        """What a kit and its answers are recognised by."""
        return hashlib.sha256(f"{self.facts['secret']} {self.period.name}".encode()).hexdigest()[:16]

    @cached_property
    def points(self) -> dict[str, Any]:
        """Item -> its row of sample.csv, the main points only, in the order in which readers see them."""
        table = self.run.sample
        rows = table[table["role"] == MAIN].itertuples(index=False)
        key = bytes.fromhex(self.facts["secret"])
        named = {
            hashlib.blake2b(str(r.point_id).encode(), key=key, digest_size=6).hexdigest(): r for r in rows
        }
        return dict(sorted(named.items()))

    @property
    def readers(self) -> tuple[str, ...]:
        """The first two readers, as far as they have begun."""
        return tuple(self.facts["readers"])

    @property
    def third(self) -> str | None:
        return self.facts.get("third")

    def answers(self, reader: str) -> AnswerFile:
        """The file of a reader."""
        return AnswerFile(self.folder / f"answers-{checked_reader(reader)}.jsonl")

    def standing(self, reader: str) -> dict[str, Answer]:
        """Item -> the reader's answer that stands."""
        found = standing(self.answers(reader).read())
        return {item: answer for item, answer in found.items() if item in self.points}

    def disputed(self) -> list[str]:
        """The items that both readers answered, differently."""
        if len(self.readers) < 2:
            return []
        one, other = map(self.standing, self.readers)
        return [i for i in self.points if i in one and i in other and one[i].says != other[i].says]

    def items(self, reader: str) -> list[str]:
        """What a reader has to answer: all points, or, of the third, those in dispute."""
        return self.disputed() if reader == self.third else list(self.points)

    @contextmanager
    def reading(self, reader: str) -> Iterator[None]:
        """Within, no other process takes answers of this reader.

        Raises
        ------
        BusyError
            Another one does.
        """
        lock = FileLock(self.folder / f".{checked_reader(reader)}.lock", blocking=False)
        try:
            lock.acquire()
        except TimeoutError as err:
            raise BusyError(
                f"the answers of {reader}", "one window or command at a time", "another has them open",
                "close it, or read under another code",
            ) from err  # fmt: skip
        try:
            yield
        finally:
            lock.release()


def checked_reader(reader: str) -> str:
    """`reader`, if it is a code and not a path or a name.

    Raises
    ------
    UsageError
        It is none.
    """
    if not _READER.fullmatch(reader):
        raise UsageError("--reader", "a code of letters, digits, - and _, at most 20", repr(reader), "")
    return reader


def open_campaign(run: FinishedRun, period: str | None = None) -> Campaign:
    """The campaign of a run's sample, begun where there is none yet.

    Raises
    ------
    InputError
        The run has no sample, or it was drawn anew since the campaign began.
    UsageError
        No such period, or the campaign is of another one.
    """
    sample = run.folder / "design" / "sample.csv"
    if not sample.exists():
        raise InputError(
            f"{run.folder} has no sample to read", "design/sample.csv", "none",
            "draw one: `design:` in the configuration, then `cocal design`",
        )  # fmt: skip
    path = run.folder / FOLDER / FACTS
    path.parent.mkdir(exist_ok=True)
    with FileLock(path.parent / ".campaign.lock"):
        facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        chosen = _period(run, period or (facts and facts["period"]))
        if facts is None:
            facts = {"secret": secrets.token_hex(32), "sample": sha256_file(sample), "period": chosen.name}
            write_json(path, facts | {"readers": []})
    if facts["sample"] != sha256_file(sample):
        raise InputError(
            f"the sample of {run.folder} was drawn anew since its points were first read",
            facts["sample"][:12], sha256_file(sample)[:12],
            f"restore the design, or move {path.parent} away to begin again",
        )  # fmt: skip
    if facts["period"] != chosen.name:
        raise UsageError(
            "--period", f"{facts['period']}, of which these points are read", chosen.name, "leave it out"
        )
    return Campaign(run, chosen, read_scheme(run.config.scheme), {"readers": [], **facts})


def _period(run: FinishedRun, name: str | None) -> Period:
    """The period of that name; without one that of the design, or the last."""
    if name is None and run.config.design is not None:
        name = run.config.design.period
    periods = {p.name: p for p in run.measured.periods}
    if name is not None and name not in periods:
        raise UsageError("--period", ", ".join(periods), name, "choose one of these")
    return periods[name] if name is not None else max(periods.values(), key=lambda p: p.end)


def join_campaign(campaign: Campaign, reader: str, *, third: bool) -> Campaign:
    """The campaign with the reader among those who read all points, or as the one who settles.

    Raises
    ------
    UsageError
        Two others read already, or another one settles.
    """
    path = campaign.folder / FACTS
    with FileLock(campaign.folder / ".campaign.lock"):
        facts = json.loads(path.read_text(encoding="utf-8"))
        readers, settles = facts["readers"], facts.get("third")
        allowed = settles in (None, reader) and reader not in readers if third else (
            reader in readers or (len(readers) < 2 and reader != settles))  # fmt: skip
        if not allowed:
            raise UsageError(
                f"--reader {reader}", "two who read all points, and --third for who settles the rest",
                f"readers: {', '.join(readers) or 'none'}; third: {settles or 'none'}",
                "use the code of one of them, or --third",
            )  # fmt: skip
        facts = facts | ({"third": reader} if third else {"readers": [*dict.fromkeys([*readers, reader])]})
        write_json(path, facts)
    return Campaign(campaign.run, campaign.period, campaign.scheme, facts)
