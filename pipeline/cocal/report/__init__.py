"""Report: what officials read. One page from plain values; pictures, tables and words in two languages."""

from cocal.report.content import (
    OUTSIDE,
    TOTAL,
    Accuracy,
    MapOverview,
    MapPicture,
    RecordsSummary,
    ReportContent,
    Reproduce,
    Shade,
)
from cocal.report.page import report

__all__ = [
    "OUTSIDE",
    "TOTAL",
    "Accuracy",
    "MapOverview",
    "MapPicture",
    "RecordsSummary",
    "ReportContent",
    "Reproduce",
    "Shade",
    "report",
]
