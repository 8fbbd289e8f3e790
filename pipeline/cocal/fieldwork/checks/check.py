"""A file of records, checked: every fault is listed, nothing is changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cocal.checksums import sha256_file
from cocal.errors import InputError
from cocal.fieldwork.checks.faults import NOTES, RULES, Fault
from cocal.fieldwork.checks.ground import Ground, read_ground
from cocal.fieldwork.checks.layout import Layout, RecordMapping, find_layout, read_mapping
from cocal.fieldwork.checks.positions import beside_plots, find_places
from cocal.fieldwork.checks.reading import Reading, read_cells, text_faults
from cocal.fieldwork.checks.sets import copies, disagreements, duplicates, one_sided
from cocal.fieldwork.checks.source import Source, read_source
from cocal.fieldwork.checks.values import (
    class_names,
    default_names,
    gps_errors,
    sparse_covers,
    visit_dates,
)
from cocal.scheme import ClassScheme, read_scheme

log = logging.getLogger(__name__)

Period = tuple[date, date] | None


@dataclass(frozen=True)
class Evidence:
    """What a file of records is compared with; everything may be left out.

    Parameters
    ----------
    area
        Where records may lie: "west,south,east,north" in degrees, or a vector file of polygons.
    period
        "START..END", both days included: the window of the images.
    mapping
        YAML file with columns, CRS, class names and limits that the names of the file's columns do not show.
    roads, plots
        Vector files: lines, and the polygons that the records are about.
    scheme
        The class scheme (YAML): its target, and the least cover that its definition states.
    """

    area: str | None = None
    period: str | None = None
    mapping: Path | None = None
    roads: Path | None = None
    plots: Path | None = None
    scheme: Path | None = None


@dataclass(frozen=True)
class Checked:
    """The result of `check_file`. `not_checked`: faults that it cannot show, and what it would need."""

    source: Source
    layout: Layout
    faults: tuple[Fault, ...]
    records: int
    mapping: RecordMapping
    assumed: tuple[str, ...]
    not_checked: tuple[str, ...]

    @property
    def has_fault(self) -> bool:
        return any(fault.rule not in NOTES for fault in self.faults)

    def counts(self) -> dict[str, int]:
        """Return the number of findings by rule, those that occur, in the order of `RULES`."""
        found = [fault.rule for fault in self.faults]
        return {rule: found.count(rule) for rule in RULES if rule in found}


def check_file(path: Path, evidence: Evidence | None = None) -> Checked:
    """Return every fault of a file of field records, each with row, record and, where there is one, a fix.

    Parameters
    ----------
    path
        CSV (Kobo, ODK, Collect Earth, any), GeoPackage, Shapefile or another vector file.
    evidence
        What the records are compared with.

    Raises
    ------
    InputError, ConfigError
        The file cannot be read as records, or a file of the evidence cannot be used. No message holds a
        position.
    """
    given = evidence or Evidence()
    mapping, scheme = read_mapping(given.mapping), None if given.scheme is None else read_scheme(given.scheme)
    period = _period(given.period)
    source = read_source(path, mapping.layer)
    layout = find_layout(source, mapping)
    ground = read_ground(given.area, given.plots, given.roads, layout)
    reading = read_cells(source, layout)
    faults = _faults(reading, ground, mapping, period, scheme)
    if sha256_file(path) != source.sha256:
        raise InputError(
            f"records {path}", "a file that does not change", "it changed meanwhile", "check it again"
        )
    log.info("records checked: %d rows, %d findings", len(reading.table), len(faults))
    not_checked = _not_checked(reading, ground, period, scheme)
    return Checked(
        source, layout, faults, len(reading.table), mapping, _assumed(ground, mapping), not_checked
    )


def _faults(
    reading: Reading, ground: Ground, mapping: RecordMapping, period: Period, scheme: ClassScheme | None
) -> tuple[Fault, ...]:
    target = mapping.target or (scheme.target if scheme else None)
    limits, names = mapping.limits, default_names().with_classes(mapping.classes, target)
    places, unexplained = find_places(reading, ground)
    twins = list(duplicates(reading))
    left_out = {f.row for f in twins if f.rule == "duplicate" and f.row is not None}
    together = list(copies(reading, places, limits, left_out))
    accounted = {f.row for f in together if f.row is not None}
    faults = [
        *text_faults(reading),
        *unexplained,
        *twins,
        *together,
        *beside_plots(reading, places, limits, accounted),
        *gps_errors(reading, places, ground, limits),
        *visit_dates(reading, period),
        *sparse_covers(reading, names, scheme.minimum_cover if scheme else None),
        *class_names(reading, names),
        *disagreements(reading, places, limits, names),
        *one_sided(reading, limits, names),
    ]
    order = {rule: n for n, rule in enumerate(RULES)}
    return tuple(sorted(faults, key=lambda f: (f.row or 0, order[f.rule], f.field)))


def _period(text: str | None) -> Period:
    if text is None:
        return None
    try:
        start, end = (date.fromisoformat(part.strip()) for part in text.split(".."))
    except ValueError as err:
        expected = "START..END, for instance 2024-01-01..2024-12-31"
        raise InputError("--period", expected, repr(text), "correct it") from err
    if start > end:
        raise InputError("--period", "a START that is not after END", repr(text), "correct it")
    return start, end


def _assumed(ground: Ground, mapping: RecordMapping) -> tuple[str, ...]:
    """Return what the findings depend on."""
    area = "the area as given" if ground.stated else "no --area: the box around Peru and Bolivia"
    limits = ", ".join(f"{name} {value:g}" for name, value in mapping.limits.model_dump().items())
    return area, f"limits: {limits}"


def _not_checked(
    reading: Reading, ground: Ground, period: Period, scheme: ClassScheme | None
) -> tuple[str, ...]:
    """Return the faults that this check cannot show, and what it would need."""
    found = []
    if not ground.stated:
        found.append("wrong zone, minutes as decimals: few are found without --area")
    if ground.plots is None:
        found.append("datum (a shift of 150 to 500 m), minutes as decimals inside the area: need --plots")
    elif not (ground.own_plots(reading.table["plot_id"].tolist()) >= 0).any():
        found.append("which plot a record is about: no id leads to --plots, the nearest plot is taken")
    if ground.roads is None:
        found.append("on the road instead of in the plot: needs --roads")
    if period is None:
        found.append("visits outside the image window: need --period")
    if scheme is None and reading.layout.column("cover") is not None:
        found.append("cover below the least of the class's definition: needs --scheme")
    columns = {"accuracy": "GPS error", "observer": "observers who disagree", "class": "classes"}
    if scheme is not None and scheme.minimum_cover is not None:
        columns["cover"] = "cover below the least of the class's definition"
    for what, words in columns.items():
        if reading.layout.column(what) is None:
            found.append(f"{words}: no such column; name it in --mapping")
    return tuple(found)
