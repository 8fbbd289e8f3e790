"""Configurations and tables that cannot be meant: each refused with exit code 2, none ends in a traceback."""

from __future__ import annotations

import time

from tests.fuzz import faults
from tests.fuzz.tables import KINDS

CONFIGURATIONS, TABLES_OF_A_KIND, LIMIT_S = 1_000, 500, 10


def _none(target: str, count: int) -> str:
    began = time.monotonic()
    found = [f"seed {seed}: {wrong[:200]}" for seed, wrong in faults(target, count, limit_s=LIMIT_S)]
    assert not found, f"{len(found)} of {count}: " + "; ".join(found[:40])
    return f"{count} inputs, 0 tracebacks, each under {LIMIT_S} s, {time.monotonic() - began:.0f} s in all"


def altered_configurations_end_with_2_and_their_key() -> str:
    """1,000 configurations with keys removed, doubled, misspelt, other values, other paths, other bytes."""
    return _none("configuration", CONFIGURATIONS)


def altered_tables_end_with_2_and_their_file() -> str:
    """500 of each kind of table."""
    return f"{len(KINDS)} kinds; {_none('tables', TABLES_OF_A_KIND * len(KINDS))}"


REQUIREMENTS = (altered_configurations_end_with_2_and_their_key, altered_tables_end_with_2_and_their_file)
