"""Content of a report: the run's tables and facts, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.contracts import AREAS, COMPARISON, UNOBSERVED, Period, check_table
from cocal.errors import ContractError
from cocal.notes import Note
from cocal.report.place import CAVEATS, COMPARED, OF_AREAS, Place, cells, first_by, rows_of
from cocal.scheme import ClassScheme

Words = str | Mapping[str, str]
"""A text that is the same in both languages, or one per language: `{"es": ..., "en": ...}`."""

Kind = Literal["map", "density", "probability", "observations", "sample"]
"""What a picture shows; texts.yaml has a caption and an alternative text for each."""

PUBLIC_KINDS = ("density", "observations")
"""Pictures that show no plot and no place of field work."""

OUTSIDE = 255
"""Code in `MapPicture.codes` of ground outside all regions; 0 is ground that was not observed."""


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
    tilt : odds ratio T, and the ends of the total of the headline period if the odds of the target among
        points not visited were 1/T and T times those of the points visited; None without such points.
    observers : pairs, agree, kappa, target_positive, target_negative of the headline period; None where no
        point has two labels.
    failures : (unit, reason) of the work that failed; its ground counts as unobserved.
    groups : areas/1 with groups in the place of regions; None where the run has none.
    map_errors : omission and commission of each map by place, with its figures; see `map_errors.csv`.
    definition_words : id, name and text of the definitions in the table `definitions`.
    change, legal, eradication, operation_sums, applicability, minimum_unit, states, definitions : the run's
        tables of these names; None where the run has none.
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
    tilt: tuple[float, float, float] | None = None
    observers: Mapping[str, float] | None = None
    groups: pd.DataFrame | None = None
    change: pd.DataFrame | None = None
    legal: pd.DataFrame | None = None
    eradication: pd.DataFrame | None = None
    map_errors: pd.DataFrame | None = None
    operation_sums: pd.DataFrame | None = None
    applicability: pd.DataFrame | None = None
    minimum_unit: pd.DataFrame | None = None
    states: pd.DataFrame | None = None
    definitions: pd.DataFrame | None = None
    definition_words: tuple[tuple[str, Words, Words], ...] = ()
    official: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    profile: Literal["public", "restricted"] = "restricted"
    geography: Literal["squares", "regions"] = "squares"

    @property
    def last(self) -> str:
        """The name of the headline period."""
        return self.periods[-1].name

    @property
    def estimated(self) -> bool:
        """True if any figure of the page is an estimate."""
        tables = (self.areas, self.countries, self.groups, self.legal)
        given = [t for t in tables if t is not None and "estimated_ha" in t]
        return any(bool(t["estimated_ha"].notna().any()) for t in given)

    @cached_property
    def places(self) -> Mapping[str, tuple[Place, ...]]:
        """Figures of the target per period, one place per region, as `region_places`."""
        return {p.name: self.region_places(p.name, self.scheme.target) for p in self.periods}

    def region_places(self, period: str, crop_class: str) -> tuple[Place, ...]:
        """Figures of one class and period by region; regions of a country together, numbered from 1."""
        wanted = {"period": period, "class": crop_class}
        measured, compared, truth = (
            first_by(table, "region_id", wanted) for table in (self.areas, self.comparison, self.truth)
        )
        unseen = first_by(self.areas, "region_id", wanted | {"class": UNOBSERVED})
        caveats = first_by(self.caveats, "region_id", wanted)
        regions = rows_of(self.region_areas)
        order = list(dict.fromkeys(str(r["country"]) for r in regions))
        regions.sort(key=lambda r: order.index(str(r["country"])))
        found = []
        for number, region in enumerate(regions, start=1):
            key = str(region["region_id"])
            figures = (
                cells(measured.get(key), OF_AREAS) | cells(compared.get(key), COMPARED)
                | cells(truth.get(key), {"truth_ha"}) | cells(caveats.get(key), CAVEATS)
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
