"""Checking of field records: what is wrong with a file, the proposed fixes, and a copy with accepted fixes.

    source      the file as it stands, byte for byte
    text        numbers, angles, encodings, mojibake
    layout      which column holds what
    reading     cells -> numbers, dates; faults of the text
    ground      area, plots, roads
    transforms  faults of positions, undone
    positions   positions compared with the ground
    values      GPS error, date, class name (synonyms.yaml)
    sets        faults that only several records show
    faults      rules, faults, fixes
    check       all of it in one call
    report      text, CSV, JSON
    fixes       accepted fixes -> a new file and its log

No message, log line or public report holds a position.
"""

from __future__ import annotations

from cocal.fieldwork.checks.check import Checked, Evidence, check_file
from cocal.fieldwork.checks.faults import RULES, Change, Fault, Fix, Rule
from cocal.fieldwork.checks.fixes import Fixed, write_fixed
from cocal.fieldwork.checks.report import to_csv, to_json, to_text

__all__ = [
    "RULES", "Change", "Checked", "Evidence", "Fault", "Fix", "Fixed", "Rule",
    "check_file", "to_csv", "to_json", "to_text", "write_fixed",
]  # fmt: skip
