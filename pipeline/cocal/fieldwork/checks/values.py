"""Single values: GPS error, date of the visit, class name as crews write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import shapely
import yaml

from cocal.assets import asset
from cocal.fieldwork.checks.faults import Change, Fault, Fix
from cocal.fieldwork.checks.ground import Ground
from cocal.fieldwork.checks.layout import Limits
from cocal.fieldwork.checks.positions import Places
from cocal.fieldwork.checks.reading import Reading
from cocal.fieldwork.checks.text import fix_mojibake, fold, quoted
from cocal.user_tables import DATE

_SYNONYMS = asset("fieldwork/checks/synonyms.yaml")


@dataclass(frozen=True)
class Label:
    """A class key, and the state of the crop where the name states one: nursery, new, pruned, ..."""

    key: str
    state: str | None = None


@dataclass(frozen=True)
class ClassNames:
    """Every known class name, folded, and which class is the target."""

    labels: Mapping[str, Label]
    target: str

    def read(self, text: str) -> Label | None:
        """Return the meaning of `text`; None for a name that is not known."""
        return self.labels.get(fold(fix_mojibake(text)))

    def key(self, text: str) -> str:
        """Return the class key that `text` means, "" for a name that is not known."""
        label = self.read(text)
        return "" if label is None else label.key

    def with_classes(self, classes: Mapping[str, str], target: str | None) -> ClassNames:
        """Return these names and the user's, which take precedence."""
        own = {fold(name): Label(key) for name, key in classes.items()}
        keys = {fold(key): Label(key) for key in classes.values()}
        return ClassNames({**self.labels, **keys, **own}, target or self.target)


@lru_cache(maxsize=1)
def default_names() -> ClassNames:
    """Return the list that comes with cocal, `synonyms.yaml`."""
    content: dict[str, Any] = yaml.safe_load(_SYNONYMS.read_text(encoding="utf-8"))
    target, states = content.pop("target"), content.pop("states")
    labels = {fold(name): Label(key) for key, names in content.items() for name in (key, *names)}
    labels |= {fold(name): Label(target, state) for state, names in states.items() for name in names}
    return ClassNames(labels, target)


def gps_errors(reading: Reading, places: Places, ground: Ground, limits: Limits) -> Iterator[Fault]:
    """Yield GPS errors above a share of the plot's side, the root of its area.

    By default a quarter: 10 m for a cato of 0.16 ha. The area is the record's, else its polygon's, else
    the stated one.
    """
    table = reading.table
    area = table["plot_area_ha"].where(table["plot_area_ha"] > 0)
    if ground.plots is not None:
        known = np.where(places.plot >= 0, shapely.area(ground.plots[places.plot]) / 1e4, np.nan)
        area = area.fillna(pd.Series(known, index=table.index))
    side = np.sqrt(area.fillna(limits.plot_ha) * 1e4)
    allowed, accuracy = limits.side_share * side, table["accuracy"]
    for row in table.index[accuracy > allowed]:
        plot = f"a plot with sides of {side[row]:.0f} m allows {allowed[row]:.0f} m"
        words = f"GPS error {accuracy[row]:g} m; {plot}"
        yield reading.fault("gps_error", row, reading.name("accuracy"), words)


def visit_dates(reading: Reading, period: tuple[date, date] | None) -> Iterator[Fault]:
    """Yield dates outside the period, and dates that cannot be read."""
    table, column = reading.table, reading.name("observed_on")
    for row, text, day in zip(table.index, table["observed_on"], table["day"], strict=True):
        if pd.isna(day):
            if text:
                words = f"{quoted(text)} is not {DATE}"
                yield reading.fault("visit_date", row, column, words)
        elif period is not None and not period[0] <= day.date() <= period[1]:
            words = f"{day.date()} is not between {period[0]} and {period[1]}"
            yield reading.fault("visit_date", row, column, words)


def sparse_covers(reading: Reading, names: ClassNames, least: float | None) -> Iterator[Fault]:
    """Yield records of the target whose cover is below `least`, the scheme's `minimum_cover`, per cent."""
    if least is None:
        return
    table, column = reading.table, reading.name("cover")
    for row in table.index[table["cover"] < least]:
        if names.key(str(table.loc[row, "class"])) == names.target:
            words = f"{names.target} with a cover of {table.loc[row, 'cover']:g} %, below {least:g} %"
            yield reading.fault("cover", row, column, words)


def class_names(reading: Reading, names: ClassNames) -> Iterator[Fault]:
    """Yield names that are not known, other names of a class, and names that state a state of the crop."""
    column = reading.name("class")
    for row, text in reading.table["class"].items():
        label = names.read(text)
        if not text or (label is not None and label.key == text):
            continue
        number = int(str(row))
        if label is None:
            words = f"{quoted(text)} is no known class name"
            yield reading.fault("unknown_class", number, column, words)
        elif label.state is not None:
            words = f"{quoted(text)} is {label.key}, {label.state}: the class scheme states whether it counts"
            yield reading.fault("class_state", number, column, words)
        else:
            fix = Fix(("class_name",), f"write {label.key!r}", (Change(column, text, label.key, False),))
            yield reading.fault("class_name", number, column, f"{quoted(text)} is {label.key}", fix)
