"""Content of a report: the run's tables and facts, checked, and the figures of each place on its page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.contracts import AREAS, COMPARISON, UNOBSERVED, Period, check_table
from cocal.errors import ContractError
from cocal.notes import Note
from cocal.scheme import ClassScheme

Words = str | Mapping[str, str]
"""A text that is the same in both languages, or one per language: `{"es": ..., "en": ...}`."""

Row = Mapping[str, Any]
"""One row of a table: None in empty cells, areas as float, notes as tuples of Note."""

Kind = Literal["map", "density", "probability", "observations", "sample"]
"""What a picture shows; texts.yaml has a caption and an alternative text for each."""

PUBLIC_KINDS = ("density", "observations")
"""Pictures that show no plot and no place of field work."""

TOTAL = "total"
"""Key in the column country of `ReportContent.countries` of the rows for the whole area."""

OUTSIDE = 255
"""Code in `MapPicture.codes` of ground outside all regions; 0 is ground that was not observed."""

_ANY: Mapping[str, str] = {}


@dataclass(frozen=True)
class Shade:
    """Meaning of one code of a picture: a colour and a text."""

    code: int
    colour: str
    words: Words


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A decimated map: `codes` (y, x) uint8, first row north; `bounds` west, south, east, north, degrees.

    `shades`: what the codes mean where they are not the classes of the scheme but, by `kind`, the density
    of the target in squares of `square_m`, its probability, or the number of observations. `points`: x and
    y in degrees, and visited, of the sample; in the restricted profile only.
    """

    period: str
    codes: NDArray[np.uint8]
    bounds: tuple[float, float, float, float]
    shades: tuple[Shade, ...] = ()
    kind: Kind = "map"
    square_m: int | None = None
    points: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class MapOverview:
    """The map pictures with what is drawn over them.

    `outlines`: region_id -> geometry in EPSG:4326. `sources`: imagery and boundaries, with their licences.
    """

    pictures: tuple[MapPicture, ...]
    outlines: Mapping[str, BaseGeometry]
    sources: tuple[Words, ...]


@dataclass(frozen=True, eq=False)
class RecordsSummary:
    """Field records: counts by status, counts by stratum, the design as a text."""

    by_status: Mapping[str, int]
    by_stratum: Mapping[str, int]
    design: Words


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Map against reference; every table has class keys in its index.

    `counts`: rows map, columns reference, number of reference units. `proportions`: the same in estimated
    shares of the area, None where the reference is no probability sample. `by_class`: users, users_se,
    producers, producers_se as fractions, NaN where there is none. `nulls`: name, score, value of the map
    and of the null models. `reference`: the data that the map was compared with.
    """

    counts: pd.DataFrame
    proportions: pd.DataFrame | None
    by_class: pd.DataFrame
    overall: float | None
    overall_se: float | None
    reference: Words
    nulls: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Reproduce:
    """Command, configuration, checksums and versions with which the run can be repeated."""

    command: str
    config_text: str
    hashes: Mapping[str, str]
    versions: Mapping[str, str]
    inputs: tuple[tuple[str, str], ...]


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
    unobserved_ha: float | None = None
    field_ha: float | None = None
    official_ha: float | None = None
    official_source: str = ""
    difference_ha: float | None = None
    within_interval: bool | None = None
    why_not_comparable: tuple[Note, ...] = ()
    truth_ha: float | None = None
    missing_low_ha: float | None = None
    missing_high_ha: float | None = None
    reference_low_ha: float | None = None
    reference_high_ha: float | None = None

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
        names = ("mapped_ha", "estimated_ha", "ci_high_ha", "official_ha", "field_ha", "truth_ha")
        return tuple(getattr(self, name) for name in names)


_COMPARED = {
    "field_ha", "official_ha", "official_source", "difference_ha", "within_interval", "why_not_comparable",
}  # fmt: skip
_CAVEATS = {"missing_low_ha", "missing_high_ha", "reference_low_ha", "reference_high_ha"}
_OF_AREAS = {f.name for f in fields(Place)} - _COMPARED - _CAVEATS - {
    "number", "period", "key", "name", "country", "owned_ha", "unobserved_ha", "truth_ha",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything on the page. Coordinates of field records are in `points` of a restricted picture only.

    Parameters
    ----------
    periods : in order of time; the last one is the headline.
    areas : areas/1, one row per region, period and class, and one with the class "unobserved".
    region_areas : region_id, region_name, country, owned_ha, polygon_ha, difference_percent; its order
        is the order of the page.
    countries : country, period, class, mapped_ha and, where there is an estimate, its columns of
        areas/1; one row per country, period and class; country "total" is the whole area.
    comparison : comparison/1, or None.
    truth : region_id, class, truth_ha and, where it varies, period; None unless simulated.
    map_overview, records_summary, accuracy : None where the run has none.
    caveats : region_id, period, missing_low_ha, missing_high_ha (the estimate if none of the points that were
        not visited were the target, and if all were), reference_low_ha, reference_high_ha (its interval
        widened by errors of the observers); None where nothing is estimated.
    observers : pairs, agree, kappa, target_positive, target_negative of the headline period; None where no
        point has two labels.
    failures : (unit, reason) of the work that failed; its ground counts as unobserved.
    groups : areas/1 with groups in the place of regions; None where the run has none.
    change, legal, eradication, applicability, minimum_unit : the run's tables of these names; None where the
        run has none.
    official : region_id, when (years, 2024.0 is the first moment of 2024), official_ha of every year.
    left_out, warnings : what the run left out or repaired; warnings of the estimates, with their periods. In
        `comparison`, `change`, `legal` and `eradication` the cells of notes are tuples of Note.
    calibration : predicted, observed (fractions), n: the map's probability against the sample.
    profile : "public" pages hold PUBLIC_KINDS of pictures only.
    geography : whether the map's figures of a public page are sums of squares or of regions.
    """

    run_name: str
    periods: tuple[Period, ...]
    scheme: ClassScheme
    areas: pd.DataFrame
    region_areas: pd.DataFrame
    countries: pd.DataFrame
    comparison: pd.DataFrame | None
    truth: pd.DataFrame | None
    model_card: Mapping[str, Any]
    map_overview: MapOverview | None
    records_summary: RecordsSummary | None
    accuracy: Accuracy | None
    failures: tuple[tuple[str, str], ...]
    reproduce: Reproduce
    simulated: bool
    left_out: tuple[Note, ...] = ()
    warnings: tuple[tuple[str, Note], ...] = ()
    caveats: pd.DataFrame | None = None
    observers: Mapping[str, float] | None = None
    groups: pd.DataFrame | None = None
    change: pd.DataFrame | None = None
    legal: pd.DataFrame | None = None
    eradication: pd.DataFrame | None = None
    applicability: pd.DataFrame | None = None
    minimum_unit: pd.DataFrame | None = None
    official: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    profile: Literal["public", "restricted"] = "restricted"
    geography: Literal["squares", "regions"] = "squares"

    @property
    def last(self) -> str:
        """The name of the headline period."""
        return self.periods[-1].name

    @cached_property
    def places(self) -> Mapping[str, tuple[Place, ...]]:
        """Figures of the target per period, one place per region, as `region_places`."""
        return {p.name: region_places(self, p.name, self.scheme.target) for p in self.periods}


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


def check_content(content: ReportContent) -> ReportContent:
    """Return `content` if a page can be made of it; ContractError lists every problem."""
    check_table(content.areas, AREAS)
    if content.comparison is not None:
        check_table(content.comparison, COMPARISON)
    regions = set(content.region_areas["region_id"])
    unknown = sorted(set(content.areas["region_id"]) - regions)
    problems = [f"areas has rows of region {key!r}, which region_areas lacks" for key in unknown]
    problems += [] if content.periods else ["no period"]
    if content.truth is not None and not content.simulated:
        problems.append("a truth table, but the run is not marked simulated")
    overview = content.map_overview or MapOverview((), {}, ())
    problems += [f"outline of an unknown region {key!r}" for key in sorted(set(overview.outlines) - regions)]
    for picture in overview.pictures:
        what, codes = f"picture {picture.kind!r} of period {picture.period!r}", picture.codes
        if picture.period not in {p.name for p in content.periods}:
            problems.append(f"{what}, which is not in the run")
        if codes.ndim != 2 or codes.dtype != np.uint8:
            problems.append(f"{what} has codes {codes.dtype} {codes.shape}, not uint8 (y, x)")
        if content.profile == "public" and picture.kind not in PUBLIC_KINDS:
            problems.append(f"{what} in a public page")
    if problems:
        raise ContractError(
            "no report can be made of this content", "see cocal.report.content.ReportContent",
            "; ".join(problems), "fix these points where the run builds the content",
        )  # fmt: skip
    return content
