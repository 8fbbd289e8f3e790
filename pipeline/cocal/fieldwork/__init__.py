"""Field work: what crews bring home, checked and set beside the map.

    settings   what the user states about a file of records and its design
    tables     any table or vector file -> rows as they stand
    columns    rows -> the columns of records/1, every problem listed by row
    records    the above in one call: file -> records/1
    strata     the table of the design's strata
    match      records + regions + map -> one row per record, with its status

The sample's design, sheets for crews and the repair of records join this room beside `records`. Records'
coordinates are sensitive: messages and logs name rows and record ids, never a position.
"""

from __future__ import annotations

from cocal.fieldwork.match import STATUSES, match, status_counts
from cocal.fieldwork.records import read_records
from cocal.fieldwork.settings import RecordColumns, RecordSettings
from cocal.fieldwork.strata import read_strata

__all__ = [
    "STATUSES",
    "RecordColumns",
    "RecordSettings",
    "match",
    "read_records",
    "read_strata",
    "status_counts",
]
