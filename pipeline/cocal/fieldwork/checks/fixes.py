"""Accepted fixes -> a new file and a log of every change. The original is never opened for writing."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyogrio
import shapely

from cocal.checksums import sha256_file
from cocal.errors import InputError, UsageError
from cocal.fieldwork.checks.check import Checked
from cocal.fieldwork.checks.faults import RULES, Change, Fault, Fix
from cocal.fieldwork.checks.source import Line, Source
from cocal.store import atomic_path, inert_text
from cocal.user_tables import read_vector

log = logging.getLogger(__name__)

LOG_COLUMNS = ("row", "record_id", "column", "rules", "fix", "before", "after")
_HIDDEN = "(position)"
_COMMA = ","


@dataclass(frozen=True)
class Fixed:
    """The files that were written. `waiting`: fixes not made since they need other rules accepted too."""

    out: Path
    log: Path
    changes: int
    waiting: int

    def __str__(self) -> str:
        text = f"{self.out}: {self.changes:,} changes, each in {self.log.name}"
        return text + (f"; {self.waiting:,} fixes wait for other rules" if self.waiting else "")


@dataclass
class _Row:
    """What happens to one row: its cells that change, with the fix of each; or it is left out."""

    record_id: str
    cells: dict[str, tuple[Change, Fix]] = field(default_factory=dict)
    rewrites: list[Fix] = field(default_factory=list)
    drop: Fix | None = None

    def accept(self, fix: Fix) -> None:
        self.cells |= {change.column: (change, fix) for change in fix.changes}
        self.rewrites += [fix] if fix.rewrite else []
        self.drop = fix if fix.drop else self.drop


@dataclass(frozen=True)
class _Accepted:
    """Fixes of the whole file, what happens to each row, number of fixes that wait for other rules."""

    whole: list[Fix]
    rows: dict[int, _Row]
    waiting: int


def write_fixed(checked: Checked, accept: Collection[str], out: Path, *, restricted: bool = False) -> Fixed:
    """Write the file with the fixes of the accepted rules, and `OUT.changes.csv`, one line for each change.

    A row without an accepted fix is written byte for byte as it stands (text) or value for value
    (vector). The log holds positions only if `restricted`.

    Raises
    ------
    UsageError
        A rule that does not exist or that has no fix; `out` exists, or is the original.
    InputError
        The original changed since it was checked.
    """
    source, journal = checked.source, out.with_name(out.name + ".changes.csv")
    _check_request(source, accept, (out, journal))
    accepted = _accepted(checked.faults, set(accept))
    with atomic_path(out) as part:
        if source.lines is not None:
            part.write_bytes(b"".join(_fixed_lines(source, source.lines, accepted)))
        else:
            _write_vector(source, accepted.rows, part)
        if sha256_file(source.path) != source.sha256:
            raise InputError(
                f"records {source.path}", "the file that was checked", "another content", "check it again"
            )
    entries = list(_entries(accepted, restricted))
    with atomic_path(journal) as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(LOG_COLUMNS)
        writer.writerows([inert_text(str(cell)) for cell in entry] for entry in entries)
    log.info("records fixed: %d changes, %d fixes wait for other rules", len(entries), accepted.waiting)
    return Fixed(out, journal, len(entries), accepted.waiting)


def _check_request(source: Source, accept: Collection[str], files: tuple[Path, ...]) -> None:
    fixable = [name for name, rule in RULES.items() if rule.fixable]
    wrong = ", ".join(repr(name) for name in accept if name not in fixable)
    if wrong:
        raise UsageError("--accept", f"one of {', '.join(fixable)}", wrong, "correct --accept")
    for path in files:
        if path.exists():
            raise UsageError(
                f"--out {path}", "a file that does not exist", "it exists", "choose another name"
            )
    suffix = files[0].suffix.lower()
    if (source.lines is None) != (suffix == ".gpkg"):
        wanted = f"a name that ends in {'.gpkg' if source.lines is None else source.path.suffix}"
        raise UsageError(f"--out {files[0]}", wanted, repr(suffix), "correct --out")


def _accepted(faults: tuple[Fault, ...], accept: set[str]) -> _Accepted:
    proposed = {(f.row, id(f.fix)): (f, f.fix) for f in faults if f.fix is not None}.values()
    ready = [(fault, fix) for fault, fix in proposed if set(fix.rules) <= accept]
    waiting = sum(bool(set(fix.rules) & accept) for _, fix in proposed) - len(ready)
    rows: dict[int, _Row] = {}
    for fault, fix in sorted(ready, key=lambda pair: len(pair[1].rules)):
        if fault.row is not None:
            rows.setdefault(fault.row, _Row(fault.record_id)).accept(fix)
    return _Accepted([fix for fault, fix in ready if fault.row is None], rows, waiting)


def _fixed_lines(source: Source, lines: tuple[Line, ...], accepted: _Accepted) -> Iterator[bytes]:
    if source.bom:
        yield b"\xef\xbb\xbf"
    everywhere = {rule for fix in accepted.whole for rule in fix.rules}
    for number, line in enumerate(lines, start=1):
        row = accepted.rows.get(number, _Row(""))
        if row.drop is None:
            yield _fixed_line(line, row, everywhere, header=lines[0])


def _fixed_line(line: Line, row: _Row, everywhere: set[str], *, header: Line) -> bytes:
    rules = everywhere | {rule for fix in row.rewrites for rule in fix.rules}
    names, cells = [cell.strip() for cell in header.cells], list(line.cells)
    for column, (change, _) in row.cells.items():
        cells[names.index(column)] = change.after
    separator, usual = line.separator, header.separator
    if "separator" in rules and (len(cells) == len(names) or separator == usual):
        separator = _COMMA if "separator" in everywhere else usual
    encoding = "utf-8" if "encoding" in rules else line.encoding
    try:
        return line.written(tuple(cells), encoding=encoding, separator=separator)
    except UnicodeEncodeError as err:
        raise UsageError(
            "a fixed cell cannot be written in the file's encoding", "letters of Windows-1252", "others",
            "accept `encoding` too",
        ) from err  # fmt: skip


def _write_vector(source: Source, rows: dict[int, _Row], part: Path) -> None:
    frame: Any = read_vector(source.path, source.layer, datetime_as_string=False)
    for number, row in rows.items():
        for column, (change, _) in row.cells.items():
            point = column == "geometry"
            frame.loc[number, column] = (
                shapely.Point(*map(float, change.after.split())) if point else change.after
            )
    frame = frame.drop(index=[number for number, row in rows.items() if row.drop is not None])
    pyogrio.write_dataframe(frame, part, driver="GPKG", layer=source.layer)


def _entries(accepted: _Accepted, restricted: bool) -> Iterator[tuple[object, ...]]:
    for fix in accepted.whole:
        yield "", "", "(file)", "+".join(fix.rules), fix.transform, "", ""
    for number, row in sorted(accepted.rows.items()):
        for fix in (*row.rewrites, *filter(None, [row.drop])):
            yield number, row.record_id, "(row)", "+".join(fix.rules), fix.transform, "", ""
        for column, (change, fix) in row.cells.items():
            shown = restricted or not change.sensitive
            before, after = (change.before, change.after) if shown else (_HIDDEN, _HIDDEN)
            yield number, row.record_id, column, "+".join(fix.rules), fix.transform, before, after
