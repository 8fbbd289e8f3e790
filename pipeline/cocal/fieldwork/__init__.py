"""Field work: the sample to be visited, and the records of the visits, checked and compared with the map.

    settings   a file of records and its design, as the user states them
    tables     any table or vector file -> rows as they stand
    columns    rows -> the columns of records/1, every problem listed by row
    records    the above in one call: file -> records/1; the table of the design's strata
    matching   records + regions + map -> one row per record, with its status, from the pixels of its ground
    returned   what came back of a drawn sample, joined with its points
    response   counts of visited and missed points; agreement of two observers
    design/    the sample to be drawn, and the files for crews
    labelling/ points labelled on images with other tools: files for them, answers back
    checks/    the faults of a file of records, and a copy with accepted fixes

Records' coordinates are sensitive: messages and logs name rows and record ids, never a position.
"""

from __future__ import annotations

from cocal.fieldwork.matching import (
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
from cocal.fieldwork.records import read_records, read_strata
from cocal.fieldwork.response import agreement, response_table
from cocal.fieldwork.settings import MatchSettings, RecordColumns, RecordSettings

__all__ = [
    "MATCHED", "NOT_VISITED", "OUTSIDE_MAP", "OUTSIDE_REGIONS", "STATUSES", "UNCERTAIN", "UNOBSERVED",
    "MatchSettings", "RecordColumns", "RecordSettings", "agreement", "match", "read_records", "read_strata",
    "recorded_hectares", "response_table", "status_counts",
]  # fmt: skip
