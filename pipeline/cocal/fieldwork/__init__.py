"""Field work: what crews bring home, checked and set beside the map.

    settings   what the user states about a file of records and its design
    tables     any table or vector file -> rows as they stand
    columns    rows -> the columns of records/1, every problem listed by row
    records    the above in one call: file -> records/1
    strata     the table of the design's strata
    support    the pixels that a record speaks of: point, error circle, plot, cluster
    match      records + regions + map -> one row per record, with its status
    response   what became of the points, and how far two observers agree
    design/    the sample to be drawn, and the files for crews
    checks/    what is wrong with a file of records, and its mended copy

Records' coordinates are sensitive: messages and logs name rows and record ids, never a position.
"""

from __future__ import annotations

from cocal.fieldwork.match import (
    MATCHED,
    NOT_VISITED,
    OUTSIDE_MAP,
    OUTSIDE_REGIONS,
    STATUSES,
    UNCERTAIN,
    UNOBSERVED,
    match,
    recorded_hectares,
    status_counts,
)
from cocal.fieldwork.records import read_records
from cocal.fieldwork.response import agreement, response_table
from cocal.fieldwork.settings import MatchSettings, RecordColumns, RecordSettings
from cocal.fieldwork.strata import read_strata

__all__ = [
    "MATCHED",
    "NOT_VISITED",
    "OUTSIDE_MAP",
    "OUTSIDE_REGIONS",
    "STATUSES",
    "UNCERTAIN",
    "UNOBSERVED",
    "MatchSettings",
    "RecordColumns",
    "RecordSettings",
    "agreement",
    "match",
    "read_records",
    "read_strata",
    "recorded_hectares",
    "response_table",
    "status_counts",
]
