"""The faults that records can have, and the fixes that are proposed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One kind of fault: its name, a title, the evidence that it needs, and whether a fix can be proposed."""

    name: str
    title: str
    evidence: str
    fixable: bool


_ONE, _AREA, _MANY = "the record alone", "the record and the area", "many records"
_PLOTS, _ROADS = "plot polygons", "roads, better with plot polygons"

RULES = {
    rule.name: rule
    for rule in (
        Rule("encoding", "not UTF-8 (Latin-1 or Windows-1252)", _ONE, True),
        Rule("mojibake", "UTF-8 read as Latin-1", _ONE, True),
        Rule("lost_letters", "letters replaced by U+FFFD for good", _ONE, False),
        Rule("separator", "separated by something else than a comma", _ONE, True),
        Rule("ragged_row", "more or fewer cells than the header", _ONE, False),
        Rule("decimal_comma", "decimal comma", _ONE, True),
        Rule("not_a_number", "a number that cannot be read", _ONE, False),
        Rule("no_position", "no position", _ONE, False),
        Rule("degrees_minutes", "degrees and minutes as decimals", f"{_AREA}; inside it, {_PLOTS}", True),
        Rule("swapped", "coordinates exchanged", _AREA, True),
        Rule("sign_lost", "sign lost", _AREA, True),
        Rule("wrong_zone", "wrong UTM zone or hemisphere", _AREA, True),
        Rule("utm_as_degrees", "UTM metres in the columns of degrees", _AREA, True),
        Rule("datum", "PSAD56 taken for WGS 84", _PLOTS, True),
        Rule("outside_area", "outside the area, unexplained", _AREA, False),
        Rule("on_road", "on the road instead of in the plot", _ROADS, False),
        Rule("outside_plot", "outside its plot, unexplained", "plot polygons with ids", False),
        Rule("duplicate", "the same record twice", _MANY, True),
        Rule("duplicate_id", "one id, different records", _MANY, False),
        Rule("copied_position", "position copied from another record", _MANY, False),
        Rule("office", "many records at one place", _MANY, False),
        Rule("gps_error", "GPS error too large for the plot", _ONE, False),
        Rule(
            "visit_date", "visited outside the period, or date unreadable", "the record and the period", False
        ),
        Rule("cover", "cover below the least of the class scheme", "the record and the scheme", False),
        Rule("unknown_class", "class name that is not known", _ONE, False),
        Rule("class_name", "another name of a class", _ONE, True),
        Rule("class_state", "a state of the crop that the definition must decide", _ONE, False),
        Rule("observers_disagree", "observers disagree about one plot", _MANY, False),
        Rule("presence_only", "a set with nothing but the target", _MANY, False),
    )
}
"""Every rule, in the order of reports."""

NOTES = frozenset({"class_name", "class_state"})
"""Rules whose findings are notes: a file with nothing else has no fault."""


@dataclass(frozen=True)
class Change:
    """One cell, before and after a fix. `sensitive` cells (positions) are never shown in public reports."""

    column: str
    before: str
    after: str
    sensitive: bool


@dataclass(frozen=True)
class Fix:
    """What accepting all of `rules` does to one row: cells changed, or the row rewritten or left out."""

    rules: tuple[str, ...]
    transform: str
    changes: tuple[Change, ...] = ()
    drop: bool = False
    rewrite: bool = False


@dataclass(frozen=True)
class Fault:
    """One finding. `row` counts as a spreadsheet does (header 1); None: the file or a set of its records.

    `finding` and `record_id` never hold a position. `rows` are the other rows that it is about.
    """

    rule: str
    row: int | None
    record_id: str
    field: str
    finding: str
    fix: Fix | None = None
    rows: tuple[int, ...] = ()
