"""Findings as text for people, as CSV for a spreadsheet, as JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from cocal.fieldwork.checks.check import Checked
from cocal.fieldwork.checks.fault import NOTES, RULES, Fault
from cocal.store import inert_text

COLUMNS = ("row", "record_id", "field", "rule", "finding", "mend", "needs", "rows")
RESTRICTED = ("before", "after")
_SHOWN = 10


def to_text(checked: Checked, *, restricted: bool = False) -> str:
    """What was read, the count of each rule, the first ten findings of each, and what could not be told."""
    source = checked.source
    lines = [f"{source.path.name}: {checked.records:,} records, {checked.layout.format}"]
    lines += [f"  sha256 {source.sha256}", f"  position from {_position(checked)}"]
    lines += [f"  {words}" for words in checked.assumed]
    for rule, count in checked.counts().items():
        word = "note" if rule in NOTES else "fault"
        lines += ["", f"{rule}: {count:,} {word}{'s' if count > 1 else ''} - {RULES[rule].title}"]
        found = [fault for fault in checked.faults if fault.rule == rule]
        lines += [f"  {_line(fault, restricted)}" for fault in found[:_SHOWN]]
        if count > _SHOWN:
            lines.append(f"  ... and {count - _SHOWN:,} more; --format csv lists all")
    if checked.untold:
        lines += ["", "could not be told:"] + [f"  {words}" for words in checked.untold]
    lines += ["", "faults found" if checked.has_fault else "no fault found"]
    return "\n".join(lines) + "\n"


def _position(checked: Checked) -> str:
    layout = checked.layout
    names = [layout.columns[a] for a in ("x", "y") if a in layout.columns] + list(
        filter(None, [layout.point])
    )
    return f"{', '.join(map(repr, names)) or 'the geometry'} in {layout.crs.name}"


def _line(fault: Fault, restricted: bool) -> str:
    where = "" if fault.row is None else f"row {fault.row}, {clean(fault.record_id)}, "
    text = f"{where}{clean(fault.field)}: {fault.finding}"
    if fault.mend is not None:
        needs = [rule for rule in fault.mend.rules if rule != fault.rule]
        text += f" -> {fault.mend.transform}" + (f" (with {', '.join(needs)})" if needs else "")
    return text + ("".join(f" [{c.before} -> {c.after}]" for c in _cells(fault)) if restricted else "")


def _cells(fault: Fault) -> tuple[Any, ...]:
    return () if fault.mend is None else fault.mend.changes


def to_csv(checked: Checked, *, restricted: bool = False) -> str:
    """One line for each finding; cells that a spreadsheet would take for a formula begin with '."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*COLUMNS, *RESTRICTED) if restricted else COLUMNS)
    for entry in _entries(checked, restricted):
        cells = [" ".join(map(str, v)) if isinstance(v, list) else v for v in entry.values()]
        writer.writerow(["" if v is None else inert_text(str(v)) for v in cells])
    return out.getvalue()


def to_json(checked: Checked, *, restricted: bool = False) -> str:
    """All of it: file, checksum, limits, counts, findings, and what could not be told."""
    content = {
        "file": checked.source.path.name,
        "sha256": checked.source.sha256,
        "format": checked.layout.format,
        "records": checked.records,
        "limits": checked.mapping.limits.model_dump(),
        "assumed": list(checked.assumed),
        "counts": checked.counts(),
        "untold": list(checked.untold),
        "findings": list(_entries(checked, restricted)),
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _entries(checked: Checked, restricted: bool) -> Iterator[dict[str, Any]]:
    for fault in checked.faults:
        mend = fault.mend
        entry: dict[str, Any] = {
            "row": fault.row,
            "record_id": fault.record_id,
            "field": fault.field,
            "rule": fault.rule,
            "finding": fault.finding,
            "mend": None if mend is None else mend.transform,
            "needs": [] if mend is None else [rule for rule in mend.rules if rule != fault.rule],
            "rows": list(fault.rows),
        }
        if restricted:
            entry["before"] = [f"{c.column}: {c.before}" for c in _cells(fault)]
            entry["after"] = [f"{c.column}: {c.after}" for c in _cells(fault)]
        yield entry


def clean(text: str) -> str:
    """`text` without characters that move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else "�" for c in text)
