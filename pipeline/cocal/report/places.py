"""The figures of each place on the page: regions, countries, groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.notes import Note

if TYPE_CHECKING:
    from cocal.report.content import ReportContent

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


_COMPARED = {
    "field_ha", "official_ha", "official_source", "difference_ha", "agreement", "verdict", "width_needed_ha",
    "why_not_comparable",
}  # fmt: skip
_CAVEATS = {
    "missing_low_ha", "missing_high_ha", "tilt_low_ha", "tilt_high_ha", "reference_low_ha",
    "reference_high_ha",
}  # fmt: skip
_OF_AREAS = {f.name for f in fields(Place)} - _COMPARED - _CAVEATS - {
    "number", "period", "key", "name", "country", "owned_ha", "unobserved_ha", "truth_ha",
}  # fmt: skip


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


def _first_by(table: pd.DataFrame | None, place: str, wanted: Mapping[str, str]) -> dict[str, Row]:
    """The rows by their text in the column `place`, the first where there are several."""
    found: dict[str, Row] = {}
    for row in rows_of(table, wanted):
        found.setdefault(str(row[place]), row)
    return found


def _cells(row: Row | None, names: Collection[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if row and row.get(name) is not None}


def region_places(content: ReportContent, period: str, crop_class: str) -> tuple[Place, ...]:
    """Figures of one class and period by region; regions of a country together, numbered from 1."""
    wanted = {"period": period, "class": crop_class}
    measured, compared, truth = (
        _first_by(table, "region_id", wanted) for table in (content.areas, content.comparison, content.truth)
    )
    unseen = _first_by(content.areas, "region_id", wanted | {"class": UNOBSERVED})
    caveats = _first_by(content.caveats, "region_id", wanted)
    regions = rows_of(content.region_areas)
    order = list(dict.fromkeys(str(r["country"]) for r in regions))
    regions.sort(key=lambda r: order.index(str(r["country"])))
    found = []
    for number, region in enumerate(regions, start=1):
        key = str(region["region_id"])
        figures = (
            _cells(measured.get(key), _OF_AREAS) | _cells(compared.get(key), _COMPARED)
            | _cells(truth.get(key), {"truth_ha"}) | _cells(caveats.get(key), _CAVEATS)
        )  # fmt: skip
        found.append(
            Place(
                number,
                period,
                key,
                str(region["region_name"]),
                str(region["country"]),
                float(region["owned_ha"]),
                unobserved_ha=unseen.get(key, {}).get("mapped_ha"),
                **figures,
            )
        )
    return tuple(found)


def country_places(content: ReportContent) -> tuple[Place, ...]:
    """The target's figures in the headline period by country, in the order of the regions, then the total.

    True hectares are the sum over the regions; official figures are not summed, for a region may have
    several, or none.
    """
    regions, wanted = content.places[content.last], {"period": content.last, "class": content.scheme.target}
    measured = _first_by(content.countries, "country", wanted)
    unseen = _first_by(content.countries, "country", wanted | {"class": UNOBSERVED})
    found = []
    for number, country in enumerate([*dict.fromkeys(r.country for r in regions), TOTAL], start=1):
        if country not in measured:
            continue
        inside = [r for r in regions if country in (r.country, TOTAL)]
        truth = [r.truth_ha for r in inside if r.truth_ha is not None]
        found.append(
            Place(
                number,
                content.last,
                country,
                country,
                country,
                sum(r.owned_ha or 0.0 for r in inside),
                unobserved_ha=unseen.get(country, {}).get("mapped_ha"),
                truth_ha=sum(truth) if truth and len(truth) == len(inside) else None,
                **_cells(measured[country], _OF_AREAS),
            )
        )
    return tuple(found)


def group_places(content: ReportContent) -> tuple[Place, ...]:
    """The target's figures in the headline period, one per group of regions."""
    key, wanted = "region_id", {"period": content.last, "class": content.scheme.target}
    unseen = _first_by(content.groups, key, wanted | {"class": UNOBSERVED})
    compared = _first_by(content.comparison, key, wanted)
    return tuple(
        Place(
            number, content.last, group, str(row["region_name"]), str(row["country"]),
            unobserved_ha=unseen.get(group, {}).get("mapped_ha"),
            **_cells(row, _OF_AREAS), **_cells(compared.get(group), _COMPARED),
        )
        for number, (group, row) in enumerate(_first_by(content.groups, key, wanted).items(), start=1)
    )  # fmt: skip


def compared_places(content: ReportContent) -> list[Place]:
    """Figures per row of the comparison in the order of periods and regions.

    Empty where the comparison holds neither an official nor a field figure.
    """
    table = content.comparison
    if table is None or not (table["official_ha"].notna() | table["field_ha"].notna()).any():
        return []
    blank: dict[str, Any] = {f.name: f.default for f in fields(Place) if f.name in _COMPARED}
    wanted = {"class": content.scheme.target}
    return [
        replace(place, **blank | _cells(row, _COMPARED))
        for period in content.periods
        for place in content.places[period.name]
        for row in rows_of(table, wanted | {"period": period.name, "region_id": place.key})
    ]
