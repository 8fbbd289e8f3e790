"""The figures of places that are made of regions: countries, groups; and of the rows of the comparison."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from cocal.contracts import UNOBSERVED
from cocal.report.content import ReportContent
from cocal.report.place import COMPARED, OF_AREAS, TOTAL, Place, cells, first_by, rows_of


def country_places(content: ReportContent) -> tuple[Place, ...]:
    """The target's figures in the headline period by country, in the order of the regions, then the total.

    True hectares are the sum over the regions; official figures are not summed, for a region may have
    several, or none.
    """
    regions, wanted = content.places[content.last], {"period": content.last, "class": content.scheme.target}
    measured = first_by(content.countries, "country", wanted)
    unseen = first_by(content.countries, "country", wanted | {"class": UNOBSERVED})
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
                **cells(measured[country], OF_AREAS),
            )
        )
    return tuple(found)


def group_places(content: ReportContent) -> tuple[Place, ...]:
    """The target's figures in the headline period, one per group of regions."""
    key, wanted = "region_id", {"period": content.last, "class": content.scheme.target}
    unseen = first_by(content.groups, key, wanted | {"class": UNOBSERVED})
    compared = first_by(content.comparison, key, wanted)
    return tuple(
        Place(
            number, content.last, group, str(row["region_name"]), str(row["country"]),
            unobserved_ha=unseen.get(group, {}).get("mapped_ha"),
            **cells(row, OF_AREAS), **cells(compared.get(group), COMPARED),
        )
        for number, (group, row) in enumerate(first_by(content.groups, key, wanted).items(), start=1)
    )  # fmt: skip


def compared_places(content: ReportContent) -> list[Place]:
    """Figures per row of the comparison in the order of periods and regions.

    Empty where the comparison holds neither an official nor a field figure.
    """
    table = content.comparison
    if table is None or not (table["official_ha"].notna() | table["field_ha"].notna()).any():
        return []
    blank: dict[str, Any] = {f.name: f.default for f in fields(Place) if f.name in COMPARED}
    wanted = {"class": content.scheme.target}
    return [
        replace(place, **blank | cells(row, COMPARED))
        for period in content.periods
        for place in content.places[period.name]
        for row in rows_of(table, wanted | {"period": period.name, "region_id": place.key})
    ]
