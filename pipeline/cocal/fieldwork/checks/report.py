"""Findings as text for people, as CSV for a spreadsheet, as JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from cocal.fieldwork.checks.check import Checked
from cocal.fieldwork.checks.faults import NOTES, RULES, Fault
from cocal.store import inert_text

_COLUMNS = ("row", "record_id", "field", "rule", "finding", "fix", "needs", "rows")
_RESTRICTED = ("before", "after")
_SHOWN = 10


def to_text(checked: Checked, *, restricted: bool = False) -> str:
    """Return the file, the count of each rule, the first ten findings of each, and what was not checked."""
    source, layout = checked.source, checked.layout
    names = [n for n in (layout.column("x"), layout.column("y"), layout.point) if n is not None]
    lines = [
        f"{source.path.name}: {checked.records:,} records, {layout.format}",
        f"  sha256 {source.sha256}",
        f"  position from {', '.join(map(repr, names)) or 'the geometry'} in {layout.crs.name}",
        *(f"  {words}" for words in checked.assumed),
    ]
    for rule, count in checked.counts().items():
        word = "note" if rule in NOTES else "fault"
        lines += ["", f"{rule}: {count:,} {word}{'s' if count > 1 else ''} - {RULES[rule].title}"]
        found = [fault for fault in checked.faults if fault.rule == rule]
        lines += [f"  {_line(fault, restricted)}" for fault in found[:_SHOWN]]
        if count > _SHOWN:
            lines.append(f"  ... and {count - _SHOWN:,} more; --format csv lists all")
    if checked.not_checked:
        lines += ["", "not checked:"] + [f"  {words}" for words in checked.not_checked]
    lines += ["", "faults found" if checked.has_fault else "no fault found"]
    return "\n".join(lines) + "\n"


def _line(fault: Fault, restricted: bool) -> str:
    where = "" if fault.row is None else f"row {fault.row}, {_printable(fault.record_id)}, "
    text = f"{where}{_printable(fault.field)}: {fault.finding}"
    if fault.fix is not None:
        needs = _needs(fault)
        text += f" -> {fault.fix.transform}" + (f" (with {', '.join(needs)})" if needs else "")
        if restricted:
            text += "".join(f" [{c.before} -> {c.after}]" for c in fault.fix.changes)
    return text


def _needs(fault: Fault) -> list[str]:
    """Return the other rules that must be accepted too."""
    return [] if fault.fix is None else [rule for rule in fault.fix.rules if rule != fault.rule]


def to_csv(checked: Checked, *, restricted: bool = False) -> str:
    """Return one line for each finding; cells that a spreadsheet would take for a formula begin with '."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, *_RESTRICTED) if restricted else _COLUMNS)
    for entry in _entries(checked, restricted):
        cells = [" ".join(map(str, v)) if isinstance(v, list) else v for v in entry.values()]
        writer.writerow(["" if v is None else inert_text(str(v)) for v in cells])
    return out.getvalue()


def to_json(checked: Checked, *, restricted: bool = False) -> str:
    """Return file, checksum, limits, counts, findings, and what was not checked, as JSON."""
    content = {
        "file": checked.source.path.name,
        "sha256": checked.source.sha256,
        "format": checked.layout.format,
        "records": checked.records,
        "limits": checked.mapping.limits.model_dump(),
        "assumed": list(checked.assumed),
        "counts": checked.counts(),
        "not_checked": list(checked.not_checked),
        "findings": list(_entries(checked, restricted)),
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _entries(checked: Checked, restricted: bool) -> Iterator[dict[str, Any]]:
    for fault in checked.faults:
        entry: dict[str, Any] = {
            "row": fault.row,
            "record_id": fault.record_id,
            "field": fault.field,
            "rule": fault.rule,
            "finding": fault.finding,
            "fix": None if fault.fix is None else fault.fix.transform,
            "needs": _needs(fault),
            "rows": list(fault.rows),
        }
        if restricted:
            changes = () if fault.fix is None else fault.fix.changes
            entry["before"] = [f"{c.column}: {c.before}" for c in changes]
            entry["after"] = [f"{c.column}: {c.after}" for c in changes]
        yield entry


def _printable(text: str) -> str:
    """Return `text` without characters that move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
