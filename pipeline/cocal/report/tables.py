"""The page's tables as plain values: which figure stands where, before any wording or rounding."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.report.content import TOTAL, ReportContent
from cocal.report.numbers import decimals_for


@dataclass(frozen=True)
class Place:
    """What is known of the target's hectares in one place and period. None: there is no such figure.

    `number` is the place's number in the tables and on the map; `unobserved_share` is a fraction of
    `owned_ha`, the ground that was to be mapped.
    """

    number: int
    key: str
    name: str
    country: str
    mapped_ha: float | None
    estimated_ha: float | None = None
    standard_error_ha: float | None = None
    low_ha: float | None = None
    high_ha: float | None = None
    confidence: float | None = None
    n_reference: int | None = None
    interval: str = ""
    estimator: str = ""
    unobserved_ha: float | None = None
    unobserved_share: float | None = None
    owned_ha: float | None = None
    field_ha: float | None = None
    official_ha: float | None = None
    official_source: str = ""
    difference_ha: float | None = None
    within_interval: bool | None = None
    why_not_comparable: str = ""
    truth_ha: float | None = None
    missing_low_ha: float | None = None
    missing_high_ha: float | None = None
    reference_low_ha: float | None = None
    reference_high_ha: float | None = None

    @property
    def has_interval(self) -> bool:
        return self.low_ha is not None and self.high_ha is not None

    @property
    def best_ha(self) -> float | None:
        """The estimate, or the map's count where there is no estimate."""
        return self.mapped_ha if self.estimated_ha is None else self.estimated_ha

    @property
    def observed_share(self) -> float | None:
        return None if self.unobserved_share is None else 1 - self.unobserved_share

    @property
    def map_minus_truth(self) -> float | None:
        return _difference(self.mapped_ha, self.truth_ha)

    @property
    def estimate_minus_truth(self) -> float | None:
        return _difference(self.estimated_ha, self.truth_ha)

    @property
    def truth_within(self) -> bool | None:
        if self.low_ha is None or self.high_ha is None or self.truth_ha is None:
            return None
        return self.low_ha <= self.truth_ha <= self.high_ha

    @property
    def hectares(self) -> tuple[float | None, ...]:
        """Every figure of the target, to choose one rounding for a table."""
        return self.mapped_ha, self.estimated_ha, self.high_ha, self.official_ha, self.field_ha, self.truth_ha


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def value_of(row: Mapping[Hashable, Any] | None, column: str) -> Any:
    """A cell, with NaN and NA turned into None; None where the row or column is not there."""
    found = None if row is None else row.get(column)
    return None if found is None or pd.isna(found) else found


def ha_of(row: Mapping[Hashable, Any] | None, column: str) -> float | None:
    """A cell as a number; areas may come as Decimal, exact to the last cell."""
    found = value_of(row, column)
    return None if found is None else float(found)


def text_of(row: Mapping[Hashable, Any] | None, column: str) -> str:
    """A cell as text; "" where there is nothing."""
    found = value_of(row, column)
    return "" if found is None else str(found)


def _rows(
    table: pd.DataFrame | None, place: str, period: str, crop_class: str
) -> dict[str, dict[Hashable, Any]]:
    """The rows of one period and class by the column `place`, the first where there are several."""
    if table is None:
        return {}
    chosen = table[(table["period"] == period) & (table["class"] == crop_class)]
    return {str(row[place]): row for row in reversed(chosen.to_dict("records"))}


def _estimate(row: Mapping[Hashable, Any] | None) -> dict[str, Any]:
    n_reference = value_of(row, "n_reference")
    return {
        "mapped_ha": ha_of(row, "mapped_ha"),
        "estimated_ha": ha_of(row, "estimated_ha"),
        "standard_error_ha": ha_of(row, "standard_error_ha"),
        "low_ha": ha_of(row, "ci_low_ha"),
        "high_ha": ha_of(row, "ci_high_ha"),
        "confidence": ha_of(row, "confidence"),
        "n_reference": None if n_reference is None else int(n_reference),
        "interval": text_of(row, "interval"),
        "estimator": text_of(row, "estimator"),
    }


def _compared(row: Mapping[Hashable, Any] | None) -> dict[str, Any]:
    within = value_of(row, "within_interval")
    return {
        "field_ha": ha_of(row, "field_ha"),
        "official_ha": ha_of(row, "official_ha"),
        "official_source": text_of(row, "official_source"),
        "difference_ha": ha_of(row, "difference_ha"),
        "within_interval": None if within is None else bool(within),
        "why_not_comparable": text_of(row, "why_not_comparable"),
    }


def _truth(content: ReportContent, period: str) -> dict[str, float]:
    table = content.truth
    if table is None:
        return {}
    chosen = table[table["class"] == content.scheme.target]
    if "period" in table.columns:
        chosen = chosen[chosen["period"] == period]
    return {str(k): float(v) for k, v in zip(chosen["region_id"], chosen["truth_ha"], strict=True)}


def _doubts(content: ReportContent, period: str) -> dict[str, dict[str, Any]]:
    """Region -> what missing points and wrong labels could make of its estimate."""
    table = content.caveats
    if table is None:
        return {}
    names = ("missing_low_ha", "missing_high_ha", "reference_low_ha", "reference_high_ha")
    rows = table[table["period"].astype(str) == period].to_dict("records")
    return {str(row["region_id"]): {name: ha_of(row, name) for name in names} for row in rows}


def doubted(content: ReportContent, period: str) -> list[Place]:
    """The regions whose estimate missing points could change, or that have a band for errors of the observers."""
    return [
        place
        for place in by_region(content, period)
        if place.reference_low_ha is not None or place.missing_low_ha != place.missing_high_ha
    ]


def by_region(content: ReportContent, period: str) -> list[Place]:
    """The target's figures, one per region, regions of one country together, numbered from 1."""
    target = content.scheme.target
    measured = _rows(content.areas, "region_id", period, target)
    unseen = _rows(content.areas, "region_id", period, UNOBSERVED)
    compared = _rows(content.comparison, "region_id", period, target)
    truth, doubts = _truth(content, period), _doubts(content, period)
    regions = content.region_areas.to_dict("records")
    order = list(dict.fromkeys(str(r["country"]) for r in regions))
    regions.sort(key=lambda r: order.index(str(r["country"])))
    found = []
    for index, region in enumerate(regions, start=1):
        key, owned = str(region["region_id"]), float(region["owned_ha"])
        unobserved = ha_of(unseen.get(key), "mapped_ha")
        found.append(
            Place(
                number=index,
                key=key,
                name=str(region["region_name"]),
                country=str(region["country"]),
                unobserved_ha=unobserved,
                unobserved_share=None if unobserved is None or not owned else unobserved / owned,
                owned_ha=owned,
                truth_ha=truth.get(key),
                **_estimate(measured.get(key)),
                **_compared(compared.get(key)),
                **doubts.get(key, {}),
            )
        )
    return found


def by_country(content: ReportContent, period: str) -> list[Place]:
    """The target's figures, one per country in the order of the regions, the whole area last if given.

    True hectares are the sum over the regions; official figures are not summed, for a region may have
    several, or none.
    """
    regions = by_region(content, period)
    measured = _rows(content.countries, "country", period, content.scheme.target)
    unseen = _rows(content.countries, "country", period, UNOBSERVED)
    known = list(dict.fromkeys(r.country for r in regions))
    found = []
    for index, country in enumerate([*known, TOTAL], start=1):
        if country not in measured:
            continue
        inside = [r for r in regions if country in (r.country, TOTAL)]
        owned = sum(r.owned_ha or 0.0 for r in inside)
        unobserved = ha_of(unseen.get(country), "mapped_ha")
        found.append(
            Place(
                number=index,
                key=country,
                name=country,
                country=country,
                unobserved_ha=unobserved,
                unobserved_share=None if unobserved is None or not owned else unobserved / owned,
                owned_ha=owned,
                truth_ha=_sum_if_whole([r.truth_ha for r in inside]),
                **_estimate(measured[country]),
            )
        )
    return found


def _sum_if_whole(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known and len(known) == len(values) else None


def compared(content: ReportContent) -> list[tuple[str, Place]]:
    """(period, figures) per row of the comparison in the order of periods and regions.

    Empty where the comparison holds neither an official nor a field figure.
    """
    table = content.comparison
    if table is None or not (table["official_ha"].notna() | table["field_ha"].notna()).any():
        return []
    table = table[table["class"] == content.scheme.target]
    return [
        (period.name, replace(place, **_compared(row)))
        for period in content.periods
        for place in by_region(content, period.name)
        for row in table[(table["period"] == period.name) & (table["region_id"] == place.key)].to_dict(
            "records"
        )
    ]


def rounding(places: list[Place]) -> int:
    """Digits after the comma for a table of these places."""
    return decimals_for(v for p in places for v in p.hectares)


@dataclass(frozen=True)
class ClassTable:
    """Hectares of every class: one row per region, columns by class key; None where there is none.

    `estimated` names the classes that have an estimate anywhere.
    """

    classes: tuple[str, ...]
    rows: tuple[tuple[Place, tuple[dict[str, Any] | None, ...]], ...]
    estimated: tuple[str, ...]


def by_class(content: ReportContent, period: str) -> ClassTable:
    """Mapped and estimated hectares of all classes and the unobserved ground in one period."""
    classes = (*content.scheme.keys, UNOBSERVED)
    tables = [_rows(content.areas, "region_id", period, key) for key in classes]
    rows = tuple(
        (region, tuple(_estimate(t[region.key]) if region.key in t else None for t in tables))
        for region in by_region(content, period)
    )
    estimated = {
        key
        for _, cells in rows
        for key, cell in zip(classes, cells, strict=True)
        if cell and cell["estimated_ha"]
    }
    return ClassTable(classes, rows, tuple(key for key in classes if key in estimated))
