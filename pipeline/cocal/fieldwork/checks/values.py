"""Faults of single values: GPS error, day, class name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
import shapely

from cocal.fieldwork.checks.fault import Change, Fault, Mend
from cocal.fieldwork.checks.ground import Ground
from cocal.fieldwork.checks.labels import Names
from cocal.fieldwork.checks.layout import Limits
from cocal.fieldwork.checks.places import Places
from cocal.fieldwork.checks.reading import Reading
from cocal.fieldwork.checks.text import shown


def gps_errors(reading: Reading, places: Places, ground: Ground, limits: Limits) -> Iterator[Fault]:
    """GPS errors above a share of the plot's side, the root of its area.

    By default a quarter: 10 m for a cato of 0.16 ha. The area is the record's, else its polygon's, else
    the stated one.
    """
    table = reading.table
    area = table["plot_area_ha"].where(table["plot_area_ha"] > 0)
    if ground.plots is not None:
        known = np.where(places.plot >= 0, shapely.area(ground.plots[places.plot]) / 1e4, np.nan)
        area = area.fillna(pd.Series(known, index=table.index))
    side = np.sqrt(area.fillna(limits.plot_ha) * 1e4)
    allowed = limits.side_share * side
    for row in table.index[table["accuracy"] > allowed]:
        words = f"GPS error {table.loc[row, 'accuracy']:g} m; a plot with sides of {side[row]:.0f} m allows {allowed[row]:.0f} m"
        yield Fault("gps_error", int(row), table.loc[row, "record_id"], _name(reading, "accuracy"), words)


def visit_days(reading: Reading, period: tuple[date, date] | None) -> Iterator[Fault]:
    """Days outside the period, and days that cannot be read."""
    table, column = reading.table, _name(reading, "observed_on")
    for row, text, day, name in zip(
        table.index, table["observed_on"], table["day"], table["record_id"], strict=True
    ):
        if pd.isna(day):
            if text:
                words = f"{shown(text)} is not a day like 2024-12-31"
                yield Fault("visit_date", int(row), name, column, words)
        elif period is not None and not period[0] <= day.date() <= period[1]:
            words = f"{day.date()} is not between {period[0]} and {period[1]}"
            yield Fault("visit_date", int(row), name, column, words)


def class_names(reading: Reading, names: Names) -> Iterator[Fault]:
    """Names that are not known; other names of a class; names that tell a state of the crop."""
    table, column = reading.table, _name(reading, "class")
    for row, text, name in zip(table.index, table["class"], table["record_id"], strict=True):
        label = names.read(text)
        if not text or (label is not None and label.key == text):
            continue
        if label is None:
            yield Fault("unknown_class", int(row), name, column, f"{shown(text)} is no known class name")
        elif label.state is not None:
            words = f"{shown(text)} is {label.key}, {label.state}: the class scheme says whether it counts"
            yield Fault("class_state", int(row), name, column, words)
        else:
            mend = Mend(("class_name",), f"write {label.key!r}", (Change(column, text, label.key, False),))
            yield Fault("class_name", int(row), name, column, f"{shown(text)} is {label.key}", mend)


def _name(reading: Reading, what: str) -> str:
    return reading.layout.column(what) or what
