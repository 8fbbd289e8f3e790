"""The figures of one place on the page, and the rows of a table that they come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import pandas as pd

from cocal.notes import Note

Row = Mapping[str, Any]
"""One row of a table: None in empty cells, areas as float, notes as tuples of Note."""

TOTAL = "total"
"""Key in the column country of `ReportContent.countries` of the rows for the whole area."""

NOT_SAMPLED = "ground_not_sampled"
"""The note of a place with ground in no stratum of the sample."""

_ANY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Place:
    """Hectares of one class in one region, group or country and period. None: there is no such figure.

    `number` is the place's number in the tables and on the map; `owned_ha` the ground to be mapped. The
    other names are those of the tables' columns; `unobserved_ha` is mapped_ha of the class unobserved.
    """

    number: int
    period: str
    key: str
    name: str
    country: str
    owned_ha: float | None = None
    mapped_ha: float | None = None
    estimated_ha: float | None = None
    ci_low_ha: float | None = None
    ci_high_ha: float | None = None
    confidence: float | None = None
    interval: str = ""
    estimator: str = ""
    small_area_ha: float | None = None
    small_area_low_ha: float | None = None
    small_area_high_ha: float | None = None
    last_ha: float | None = None
    last_source: str = ""
    notes: tuple[Note, ...] = ()
    unobserved_ha: float | None = None
    field_ha: float | None = None
    official_ha: float | None = None
    official_source: str = ""
    difference_ha: float | None = None
    agreement: float | None = None
    verdict: str = ""
    width_needed_ha: float | None = None
    why_not_comparable: tuple[Note, ...] = ()
    truth_ha: float | None = None
    missing_low_ha: float | None = None
    missing_high_ha: float | None = None
    reference_low_ha: float | None = None
    reference_high_ha: float | None = None
    tilt_low_ha: float | None = None
    tilt_high_ha: float | None = None

    @property
    def not_sampled_ha(self) -> float | None:
        """Ground in no stratum of the sample, which the estimate does not cover; None where all is in one."""
        known = [note.values["ha"] for note in self.notes if note.code == NOT_SAMPLED]
        return sum(float(ha) for ha in known if isinstance(ha, (int, float))) if known else None

    @property
    def has_interval(self) -> bool:
        return self.ci_low_ha is not None and self.ci_high_ha is not None

    @property
    def best_ha(self) -> float | None:
        """The estimate, or the map's count where there is no estimate."""
        return self.mapped_ha if self.estimated_ha is None else self.estimated_ha

    @property
    def unobserved_share(self) -> float | None:
        """Fraction of `owned_ha` that was not observed."""
        return None if self.unobserved_ha is None or not self.owned_ha else self.unobserved_ha / self.owned_ha

    @property
    def truth_within(self) -> bool | None:
        """True if the true hectares lie in the estimate's interval."""
        if self.ci_low_ha is None or self.ci_high_ha is None or self.truth_ha is None:
            return None
        return self.ci_low_ha <= self.truth_ha <= self.ci_high_ha

    @property
    def hectares(self) -> tuple[float | None, ...]:
        """The figures that decide on one rounding for a table."""
        names = (
            "mapped_ha", "estimated_ha", "ci_high_ha", "last_ha", "official_ha", "field_ha", "truth_ha",
        )  # fmt: skip
        return tuple(getattr(self, name) for name in names)


COMPARED = {
    "field_ha", "official_ha", "official_source", "difference_ha", "agreement", "verdict", "width_needed_ha",
    "why_not_comparable",
}  # fmt: skip
CAVEATS = {
    "missing_low_ha", "missing_high_ha", "tilt_low_ha", "tilt_high_ha", "reference_low_ha",
    "reference_high_ha",
}  # fmt: skip
OF_AREAS = {f.name for f in fields(Place)} - COMPARED - CAVEATS - {
    "number", "period", "key", "name", "country", "owned_ha", "unobserved_ha", "truth_ha",
}  # fmt: skip
"""Columns of a comparison, of the caveats, and of areas/1 that are figures of a place."""


def rows_of(table: pd.DataFrame | None, wanted: Mapping[str, str] = _ANY) -> list[Row]:
    """Rows whose columns have the `wanted` texts; a column that the table lacks excludes none."""
    if table is None:
        return []
    for column, text in wanted.items():
        if column in table.columns:
            table = table[table[column].astype(str) == text]
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    if value is None or pd.isna(value):
        return None
    return float(value) if isinstance(value, Decimal) else value


def first_by(table: pd.DataFrame | None, place: str, wanted: Mapping[str, str]) -> dict[str, Row]:
    """The rows by their text in the column `place`, the first where there are several."""
    found: dict[str, Row] = {}
    for row in rows_of(table, wanted):
        found.setdefault(str(row[place]), row)
    return found


def cells(row: Row | None, names: Collection[str]) -> dict[str, Any]:
    """The cells of `names` that the row has."""
    return {name: row[name] for name in names if row and row.get(name) is not None}
