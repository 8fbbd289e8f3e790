"""Checking of field records: what is wrong with a file, what mends it, and the mended copy.

    source      the file as it stands, byte for byte         layout      which column holds what
    text        numbers, angles, mojibake                    labels      class names (synonyms.yaml)
    reading     cells -> numbers, days; faults of the text   ground      area, plots, roads
    transforms  how positions go wrong, undone               places      positions against the ground
    values      GPS error, day, class name                   sets        what only several records tell
    fault       rules, faults, mends                         check       all of it in one call
    report      text, CSV, JSON                              mend        accepted mends -> a new file and its log

No message, log line or public report holds a position.
"""

from __future__ import annotations

from cocal.fieldwork.checks.check import Checked, check_file
from cocal.fieldwork.checks.fault import RULES, Change, Fault, Mend, Rule
from cocal.fieldwork.checks.mend import Mended, write_mended
from cocal.fieldwork.checks.report import to_csv, to_json, to_text

__all__ = [
    "RULES", "Change", "Checked", "Fault", "Mend", "Mended", "Rule", "check_file", "to_csv", "to_json",
    "to_text", "write_mended",
]  # fmt: skip
