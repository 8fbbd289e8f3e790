"""A file of records, checked: everything that is wrong with it, and nothing done about it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cocal.errors import InputError
from cocal.fieldwork.checks.fault import NOTES, RULES, Fault
from cocal.fieldwork.checks.ground import Ground, read_ground
from cocal.fieldwork.checks.labels import Names, default_names
from cocal.fieldwork.checks.layout import Layout, RecordMapping, find_layout, read_mapping
from cocal.fieldwork.checks.places import beside_plots, find_places
from cocal.fieldwork.checks.reading import Reading, read_cells
from cocal.fieldwork.checks.sets import copies, disagreements, duplicates, one_sided
from cocal.fieldwork.checks.source import Source, read_source
from cocal.fieldwork.checks.values import class_names, gps_errors, visit_days
from cocal.store import sha256_file

log = logging.getLogger(__name__)

_ACCOUNTS = ("office", "copied_position", "on_road")


@dataclass(frozen=True)
class Checked:
    """What `check_file` found. `untold`: what could not be told, and what it would take."""

    source: Source
    layout: Layout
    faults: tuple[Fault, ...]
    records: int
    mapping: RecordMapping
    assumed: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def has_fault(self) -> bool:
        return any(fault.rule not in NOTES for fault in self.faults)

    def counts(self) -> dict[str, int]:
        """Number of findings by rule, those that occur, in the order of `RULES`."""
        found = [fault.rule for fault in self.faults]
        return {rule: found.count(rule) for rule in RULES if rule in found}


def check_file(
    path: Path,
    *,
    area: str | None = None,
    period: str | None = None,
    mapping: Path | None = None,
    roads: Path | None = None,
    plots: Path | None = None,
) -> Checked:
    """Every fault of a file of field records, each with row, record and, where there is one, a mend.

    Parameters
    ----------
    path
        CSV (Kobo, ODK, Collect Earth, any), GeoPackage, Shapefile or another vector file.
    area
        Where records may lie: "west,south,east,north" in degrees, or a vector file of polygons.
    period
        "START..END", both days included: the window of the images.
    mapping
        YAML file with columns, CRS, class names and limits that the file does not tell by itself.
    roads, plots
        Vector files: lines, and the polygons that the records are about.

    Raises
    ------
    InputError, ConfigError
        The file cannot be read as records, or one of the others cannot be used. No message tells a position.
    """
    stated = read_mapping(mapping)
    days = _period(period)
    source = read_source(path, stated.layer)
    layout = find_layout(source, stated)
    names = default_names().with_classes(stated.classes, stated.target)
    ground = read_ground(area, plots, roads, layout)
    reading = read_cells(source, layout)
    faults = _faults(reading, ground, names, days, stated)
    if sha256_file(path) != source.sha256:
        raise InputError(
            f"records {path}", "a file that stands still", "it changed meanwhile", "check it again"
        )
    log.info("records checked: %d rows, %d findings", len(reading.table), len(faults))
    return Checked(
        source,
        layout,
        faults,
        len(reading.table),
        stated,
        _assumed(ground, stated),
        _untold(reading, ground, days),
    )


def _faults(
    reading: Reading,
    ground: Ground,
    names: Names,
    days: tuple[date, date] | None,
    stated: RecordMapping,
) -> tuple[Fault, ...]:
    limits = stated.limits
    faults = list(reading.faults)
    places, found = find_places(reading, ground)
    faults += found
    twins = list(duplicates(reading))
    faults += twins
    left_out = {f.row for f in twins if f.rule == "duplicate" and f.row is not None}
    together = list(copies(reading, places, limits, left_out))
    accounted = {f.row for f in together if f.row is not None}
    faults += together
    faults += beside_plots(reading, places, limits, accounted)
    faults += gps_errors(reading, places, ground, limits)
    faults += visit_days(reading, days)
    faults += class_names(reading, names)
    faults += disagreements(reading, places, limits, names)
    faults += one_sided(reading, limits, names)
    order = {rule: n for n, rule in enumerate(RULES)}
    return tuple(sorted(faults, key=lambda f: (f.row or 0, order[f.rule], f.field)))


def _period(text: str | None) -> tuple[date, date] | None:
    if text is None:
        return None
    try:
        start, end = (date.fromisoformat(part.strip()) for part in text.split(".."))
    except ValueError as err:
        raise InputError(
            "--period", "START..END, for instance 2024-01-01..2024-12-31", repr(text), "mend it"
        ) from err
    if start > end:
        raise InputError("--period", "a START that is not after END", repr(text), "mend it")
    return start, end


def _assumed(ground: Ground, stated: RecordMapping) -> tuple[str, ...]:
    """What the findings rest on."""
    area = "the area as given" if ground.stated else "no --area: the box around Peru and Bolivia"
    limits = ", ".join(f"{name} {value:g}" for name, value in stated.limits.model_dump().items())
    return area, f"limits: {limits}"


def _untold(reading: Reading, ground: Ground, days: tuple[date, date] | None) -> tuple[str, ...]:
    """Which faults this check could not tell, and what it would take."""
    table, found = reading.table, []
    if not ground.stated:
        found.append("wrong zone, minutes as decimals: hardly told without --area")
    if ground.plots is None:
        found.append("datum (a shift of 150 to 500 m), minutes as decimals inside the area: need --plots")
    elif not (ground.own_plots(table["plot_id"].tolist()) >= 0).any():
        found.append("which plot a record is about: no id leads to --plots, the nearest plot is taken")
    if ground.roads is None:
        found.append("on the road instead of in the plot: needs --roads")
    if days is None:
        found.append("visits outside the image window: need --period")
    for what, words in (
        ("accuracy", "GPS error"),
        ("observer", "observers who disagree"),
        ("class", "classes"),
    ):
        if reading.layout.column(what) is None:
            found.append(f"{words}: no such column; name it in --mapping")
    return tuple(found)
