"""What a report says: plain values that the run hands over, checked once before a page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.contracts import AREAS, COMPARISON, Period, check_table
from cocal.errors import ContractError
from cocal.scheme import ClassScheme

Words = str | Mapping[str, str]
"""A text as it is in both languages, or one per language: `{"es": ..., "en": ...}`."""

Kind = Literal["map", "density", "probability", "observations", "sample"]
"""What a picture shows; the page's dictionary has words for each."""

PUBLIC_KINDS = ("density", "observations")
"""Pictures that show no plot and no place of field work."""

TOTAL = "total"
"""In `ReportContent.countries`: the country of the rows that speak of the whole area."""

OUTSIDE = 255
"""In `MapPicture.codes`: ground outside all regions; 0 is ground that was not observed."""

REGION_COLUMNS = ("region_id", "region_name", "country", "owned_ha", "polygon_ha", "difference_percent")
COUNTRY_COLUMNS = ("country", "period", "class", "mapped_ha")
CAVEAT_COLUMNS = (
    "region_id", "period", "missing_low_ha", "missing_high_ha", "reference_low_ha", "reference_high_ha",
)  # fmt: skip
TRUTH_COLUMNS = ("region_id", "class", "truth_ha")
SCORE_COLUMNS = ("users", "users_se", "producers", "producers_se")
NULL_COLUMNS = ("name", "score", "value")


@dataclass(frozen=True)
class Shade:
    """What one code of a picture means: a colour and words."""

    code: int
    colour: str
    words: Words


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A decimated map: `codes` (y, x) uint8, first row north, in one CRS.

    `bounds` is (west, south, east, north) in units of the CRS: metres of a UTM zone, or degrees (4326).
    `shades`: what the codes mean where they are not the classes of the scheme but, by `kind`, the density
    of the target in squares of `square_m`, its probability, or the number of observations. `points`: x and
    y in the units of the CRS, and visited, of the sample; in the restricted profile only.
    """

    period: str
    codes: NDArray[np.uint8]
    epsg: int
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
    """What became of the field records: counts by status, counts by stratum, the design in words."""

    by_status: Mapping[str, int]
    by_stratum: Mapping[str, int]
    design: Words


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Map against reference; every table has class keys in its index.

    `counts`: rows map, columns reference, number of reference units. `proportions`: the same in estimated
    shares of the area, None where the reference is no probability sample. `by_class`: users, users_se,
    producers, producers_se as fractions, NaN where there is none. `nulls`: name, score, value of the map
    and of the models it has to beat. `reference`: what the map was held against.
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
    """All that someone needs to make the run again."""

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
    caveats : region_id, period, missing_low_ha, missing_high_ha (the estimate if no point that was not visited
        were the target, and if all were), reference_low_ha, reference_high_ha (its interval widened by errors
        of the observers); None where nothing is estimated.
    observers : pairs, agree, kappa, target_positive, target_negative of the headline period; None where no
        point has two labels.
    failures : (unit, reason) of the work that failed; its ground counts as unobserved.
    groups : areas/1 with groups in the place of regions; None where the run has none.
    change, legal, eradication, applicability, minimum_unit : the run's tables of these names; None where the run has none.
    official : region_id, when (years, 2024.0 is the first moment of 2024), official_ha of every year.
    calibration : predicted, observed (fractions), n: the map's probability held against the sample.
    profile : "public" pages hold PUBLIC_KINDS of pictures only.
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
    notes: tuple[Words, ...] = field(default=())
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


def _missing(name: str, table: pd.DataFrame | None, columns: tuple[str, ...]) -> list[str]:
    if table is None:
        return []
    return [f"{name} has no column {c!r}" for c in columns if c not in table.columns]


def _map_problems(overview: MapOverview | None, known: set[str], periods: set[str]) -> list[str]:
    if overview is None:
        return []
    problems = [f"outline of an unknown region {key!r}" for key in sorted(set(overview.outlines) - known)]
    for picture in overview.pictures:
        if picture.period not in periods:
            problems.append(f"map picture of an unknown period {picture.period!r}")
        if picture.codes.ndim != 2 or picture.codes.dtype != np.uint8:
            problems.append(
                f"map picture codes are {picture.codes.dtype} {picture.codes.shape}, not uint8 (y, x)"
            )
    return problems


def check_content(content: ReportContent) -> ReportContent:
    """`content` if a page can be made of it; ContractError names every departure."""
    check_table(content.areas, AREAS)
    if content.comparison is not None:
        check_table(content.comparison, COMPARISON)
    problems = _missing("region_areas", content.region_areas, REGION_COLUMNS)
    problems += _missing("countries", content.countries, COUNTRY_COLUMNS)
    problems += _missing("truth", content.truth, TRUTH_COLUMNS)
    problems += _missing("caveats", content.caveats, CAVEAT_COLUMNS)
    if content.profile == "public" and content.map_overview is not None:
        shown = {p.kind for p in content.map_overview.pictures}
        problems += [f"a picture of {kind} in a public page" for kind in sorted(shown - {*PUBLIC_KINDS})]
    if content.accuracy is not None:
        problems += _missing("accuracy.by_class", content.accuracy.by_class, SCORE_COLUMNS)
        problems += _missing("accuracy.nulls", content.accuracy.nulls, NULL_COLUMNS)
    if not content.periods:
        problems.append("no period")
    if content.truth is not None and not content.simulated:
        problems.append("a truth table, but the run is not marked simulated")
    if not problems:
        known = set(content.region_areas["region_id"])
        for key in sorted(set(content.areas["region_id"]) - known):
            problems.append(f"areas speak of region {key!r}, which region_areas does not hold")
        problems += _map_problems(content.map_overview, known, {p.name for p in content.periods})
    if problems:
        raise ContractError(
            "no report can be made of this content",
            "see cocal.report.content.ReportContent",
            "; ".join(problems),
            "mend these points in what the run hands to the report",
        )
    return content
