"""Accepted mends -> a new file and a log of every change. The original is never opened for writing."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyogrio
import shapely

from cocal.errors import InputError, UsageError
from cocal.fieldwork.checks.check import Checked
from cocal.fieldwork.checks.fault import RULES, Change, Fault, Mend
from cocal.fieldwork.checks.source import Line, Source
from cocal.store import atomic_path, inert_text, sha256_file

log = logging.getLogger(__name__)

LOG_COLUMNS = ("row", "record_id", "column", "rules", "mend", "before", "after")
_HIDDEN = "(position)"
_COMMA = ","


@dataclass(frozen=True)
class Mended:
    """What was written. `waiting`: mends left undone since they need other rules accepted too."""

    out: Path
    log: Path
    changes: int
    waiting: int

    def __str__(self) -> str:
        text = f"{self.out}: {self.changes:,} changes, each in {self.log.name}"
        return text + (f"; {self.waiting:,} mends wait for other rules" if self.waiting else "")


@dataclass(frozen=True)
class _Row:
    """What happens to one row: its cells that change, with the mend of each; or it is left out."""

    record_id: str
    cells: dict[str, tuple[Change, Mend]]
    rewrites: tuple[Mend, ...]
    drop: Mend | None


def write_mended(checked: Checked, accept: Collection[str], out: Path, *, restricted: bool = False) -> Mended:
    """The file with the mends of the accepted rules, and `OUT.changes.csv`, one line for each change.

    A row without an accepted mend is written byte for byte as it stands (text) or value for value
    (vector). The log tells positions only if `restricted`.

    Raises
    ------
    UsageError
        A rule that does not exist or that has no mend; `out` exists, or is the original.
    InputError
        The original changed since it was checked.
    """
    source, journal = checked.source, out.with_name(out.name + ".changes.csv")
    _refuse(source, accept, (out, journal))
    whole, rows, waiting = _accepted(checked.faults, set(accept))
    with atomic_path(out) as part:
        if source.lines is not None:
            part.write_bytes(b"".join(_mended_lines(source, whole, rows)))
        else:
            _write_vector(source, rows, part)
        if sha256_file(source.path) != source.sha256:
            raise InputError(
                f"records {source.path}", "the file that was checked", "another content", "check it again"
            )
    entries = list(_entries(whole, rows, restricted))
    with atomic_path(journal) as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(LOG_COLUMNS)
        writer.writerows([inert_text(str(cell)) for cell in entry] for entry in entries)
    log.info("records mended: %d changes, %d mends wait for other rules", len(entries), waiting)
    return Mended(out, journal, len(entries), waiting)


def _refuse(source: Source, accept: Collection[str], files: tuple[Path, ...]) -> None:
    mendable = [name for name, rule in RULES.items() if rule.mendable]
    wrong = [name for name in accept if name not in mendable]
    if wrong:
        raise UsageError(
            "--accept", f"one of {', '.join(mendable)}", ", ".join(map(repr, wrong)), "mend --accept"
        )
    for path in files:
        if path.exists():
            raise UsageError(
                f"--out {path}", "a file that is not there yet", "it exists", "choose another name"
            )
    suffix = files[0].suffix.lower()
    if (source.lines is None) != (suffix == ".gpkg"):
        wanted = ".gpkg" if source.lines is None else source.path.suffix
        raise UsageError(f"--out {files[0]}", f"a name that ends in {wanted}", repr(suffix), "mend --out")


def _accepted(faults: tuple[Fault, ...], accept: set[str]) -> tuple[list[Mend], dict[int, _Row], int]:
    """(mends of the whole file, what happens to each row, number of mends that wait for other rules)."""
    mends = {(f.row, id(f.mend)): f for f in faults if f.mend is not None}
    ready = [f for f in mends.values() if f.mend is not None and set(f.mend.rules) <= accept]
    waiting = sum(f.mend is not None and bool(set(f.mend.rules) & accept) for f in mends.values()) - len(
        ready
    )
    rows: dict[int, _Row] = {}
    for fault in sorted(ready, key=lambda f: len(f.mend.rules) if f.mend else 0):
        if fault.row is None or fault.mend is None:
            continue
        now = rows.get(fault.row, _Row(fault.record_id, {}, (), None))
        mend = fault.mend
        cells = now.cells | {change.column: (change, mend) for change in mend.changes}
        rewrites = now.rewrites + ((mend,) if mend.rewrite else ())
        rows[fault.row] = _Row(fault.record_id, cells, rewrites, mend if mend.drop else now.drop)
    return [f.mend for f in ready if f.row is None and f.mend is not None], rows, waiting


def _mended_lines(source: Source, whole: list[Mend], rows: dict[int, _Row]) -> Iterator[bytes]:
    if source.bom:
        yield b"\xef\xbb\xbf"
    lines = source.lines or ()
    names, everywhere = (
        [cell.strip() for cell in lines[0].cells],
        {rule for mend in whole for rule in mend.rules},
    )
    for number, line in enumerate(lines, start=1):
        row = rows.get(number)
        if row is None or row.drop is None:
            yield _mended_line(line, row, names, everywhere, lines[0].separator)


def _mended_line(line: Line, row: _Row | None, names: list[str], everywhere: set[str], usual: str) -> bytes:
    rules = everywhere | {rule for mend in (row.rewrites if row else ()) for rule in mend.rules}
    cells = list(line.cells)
    for column, (change, _) in (row.cells if row else {}).items():
        cells[names.index(column)] = change.after
    separator = line.separator
    if "separator" in rules and (len(cells) == len(names) or line.separator == usual):
        separator = _COMMA if "separator" in everywhere else usual
    encoding = "utf-8" if "encoding" in rules else line.encoding
    try:
        return line.written(tuple(cells), encoding=encoding, separator=separator)
    except UnicodeEncodeError as err:
        raise UsageError(
            "a mended cell cannot be written in the file's encoding", "letters of Windows-1252", "others",
            "accept `encoding` too",
        ) from err  # fmt: skip


def _write_vector(source: Source, rows: dict[int, _Row], part: Path) -> None:
    frame = pyogrio.read_dataframe(source.path, layer=source.layer)
    frame = frame.set_axis(range(1, len(frame) + 1))
    for number, row in rows.items():
        for column, (change, _) in row.cells.items():
            if column == "geometry":
                frame.loc[number, "geometry"] = shapely.Point(*map(float, change.after.split()))
            else:
                frame.loc[number, column] = change.after
    frame = frame.drop(index=[number for number, row in rows.items() if row.drop is not None])
    pyogrio.write_dataframe(frame, part, driver="GPKG", layer=source.layer)


def _entries(whole: list[Mend], rows: dict[int, _Row], restricted: bool) -> Iterator[tuple[object, ...]]:
    for mend in whole:
        yield "", "", "(file)", "+".join(mend.rules), mend.transform, "", ""
    for number, row in sorted(rows.items()):
        for mend in (*row.rewrites, *filter(None, [row.drop])):
            yield number, row.record_id, "(row)", "+".join(mend.rules), mend.transform, "", ""
        for column, (change, mend) in row.cells.items():
            shown = restricted or not change.sensitive
            before, after = (change.before, change.after) if shown else (_HIDDEN, _HIDDEN)
            yield number, row.record_id, column, "+".join(mend.rules), mend.transform, before, after
