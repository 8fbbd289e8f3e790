"""Columns of the page's tables: regions, hectares, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cocal.report.blocks import CellKind, Column
from cocal.report.place import Place, Row
from cocal.report.texts import Wording

GUARANTEE = "gamma"
"""The interval that holds whatever the map is worth (Fay and Feuer 1997)."""


def ha(t: Wording, heading: str, name: str, kind: CellKind = "number") -> Column:
    """A column of the hectares `name` of places or rows."""
    return Column(t(heading), lambda row: t.ha(value_of(row, name)), kind)


def value_of(row: Place | Row, name: str) -> Any:
    """The figure `name` of a place or a row; None where there is none."""
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name)


def region(t: Wording) -> Column:
    """The column of the names of places."""
    return Column(t("region"), lambda p: p.name, "text")


def interval(places: Sequence[Place], t: Wording) -> Column:
    """The column of the intervals, headed by their level if they have one level.

    Intervals that hold by the design of the sample alone are called guaranteed.
    """
    levels = {p.confidence for p in places if p.confidence is not None}
    kind = "guarantee" if {p.interval for p in places if p.has_interval} == {GUARANTEE} else "interval"
    heading = t(f"{kind}_short", level=t.level(*levels)) if len(levels) == 1 else t(f"{kind}_any")
    return Column(heading, lambda p: t.sure(p.estimated_ha, p.ci_low_ha, p.ci_high_ha), "interval")


def has(rows: Sequence[Place | Row], name: str) -> bool:
    """True if any place or row has the figure `name`."""
    return any(value_of(row, name) is not None for row in rows)


def sure(t: Wording) -> Column:
    """The column of the intervals of places or rows, or that there are too few points."""
    names = ("estimated_ha", "ci_low_ha", "ci_high_ha")
    return Column(t("interval_any"), lambda row: t.sure(*(value_of(row, name) for name in names)))
