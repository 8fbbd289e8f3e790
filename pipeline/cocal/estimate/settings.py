"""Settings of estimates, comparisons, legal zones and squares, and the allowed estimators and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cocal.errors import UsageError
from cocal.estimate.intervals import INTERVALS
from cocal.regions import RegionSettings
from cocal.settings import Settings

ASSISTED = ("difference", "regression")
"""Estimators that need the map's class at every point, beside its mapped area."""

CALIBRATED = "calibrated"
"""The estimator that needs the known hectares of every stratum, region and map class."""

TWO_PHASE = "two_phase"
"""The estimator for points that were all read on images and in part visited; for tables, not for a run."""

ESTIMATORS = ("stratified", "simple", "systematic", "poststratified", *ASSISTED, CALIBRATED, TWO_PHASE)

BY_POINTS = ("stratified", "simple", "systematic")
"""Estimators that use nothing of the map: of the points that were not visited they do not see its class."""

MIN_MAPPED_POINTS = 20
"""Points where the map shows a class in a region, below which `ASSISTED` estimators give no figure: their
standard errors are 6 to 19 % low there, and Wald intervals cover 35 to 84 % (docs/statistics.md)."""

MIN_REGION_POINTS = 10
"""A region with fewer points gets its estimate with the words "n too small" in place of an interval."""


def check_settings(estimator: str, interval: str, confidence: float) -> None:
    """Raise UsageError with every setting that is not allowed."""
    problems = _unknown(estimator, interval)
    if not 0.5 <= confidence < 1:
        problems.append(f"confidence {confidence!r}; allowed: from 0.5 to below 1")
    if problems:
        raise UsageError(
            "the estimate cannot be made as asked", "", "; ".join(problems), "choose one allowed"
        )


def check_known(estimator: str, known: object) -> None:
    """Raise UsageError where known areas and the estimator `calibrated` do not come together."""
    if (known is not None) != (estimator == CALIBRATED):
        raise UsageError(
            f"known areas and the estimator {estimator!r}",
            f"known hectares by stratum, region and map class with `{CALIBRATED}`, and with it alone",
            "known areas given" if known is not None else "none given",
            f"use `{CALIBRATED}` with known areas (--known), or another estimator without",
        )


def _unknown(estimator: str, interval: str) -> list[str]:
    given = (("estimator", estimator, ESTIMATORS), ("interval", interval, INTERVALS))
    return [f"{key} {v!r}; allowed: {', '.join(allowed)}" for key, v, allowed in given if v not in allowed]


Range = Annotated[tuple[float, float], Field(description="low and high end, within 0 to 1")]


class ReferenceErrorSettings(Settings):
    """How often the observers may be wrong, as ranges that agree with the second observers."""

    sensitivity: Range
    specificity: Range

    @model_validator(mode="after")
    def _usable(self) -> ReferenceErrorSettings:
        if not all(0 <= a <= b <= 1 for a, b in (self.sensitivity, self.specificity)):
            raise ValueError("give each range as [low, high] within 0 to 1")
        if self.sensitivity[0] + self.specificity[0] <= 1:
            raise ValueError("the low ends sum to 1 or less: such labels are no better than chance")
        return self


class EstimateSettings(Settings):
    """How hectares are estimated from a probability sample."""

    estimator: str
    interval: str
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    collapse: tuple[str, ...] = Field((), description='strata to merge, "A+B"')
    missing_odds: Annotated[float, Field(ge=1, le=100)] = Field(
        3.0, description="odds ratio of the target among points not visited, for the band in caveats.csv"
    )
    reference_error: ReferenceErrorSettings | None = None

    @model_validator(mode="after")
    def _known(self) -> EstimateSettings:
        problems = _unknown(self.estimator, self.interval)
        if self.estimator == TWO_PHASE:
            problems.append("estimator 'two_phase' is for `cocal estimate`: records have no readings")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class ComparisonSettings(Settings):
    """Figures that estimates are compared with."""

    max_unobserved: Annotated[float, Field(ge=0, le=1)] = Field(
        description="a region with a larger unobserved share is marked as not comparable"
    )
    agreement: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="share of an official figure that counts as no difference"
    )
    official: Path | None = Field(None, description="CSV: region_id, year, coca_ha, source, definition, ...")
    same_definition: tuple[str, ...] = Field(
        (), description="definitions of official figures that equal the target of the class scheme"
    )
    eradication: Path | None = Field(None, description="CSV: region_id, year, claimed_ha, source, ...")
    field: Path | None = Field(None, description="CSV: region_id, period, class, field_ha")
    truth: Path | None = Field(None, description="CSV: region_id, class, truth_ha; simulated data only")


class LimitSettings(Settings):
    """A legal limit on the target in a set of zones."""

    id: str
    zones: Annotated[tuple[str, ...], Field(min_length=1, description="zone ids, or patterns such as AZ-*")]
    limit_ha: Annotated[float, Field(ge=0)]
    source: str


class Names(Settings):
    """What readers call a thing."""

    es: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


AUTHORISED, PROTECTED, OUTSIDE = "authorised", "protected", "outside"
KIND_NAMES = {
    AUTHORISED: Names(es="autorizada", en="authorised"),
    PROTECTED: Names(es="protegida", en="protected"),
    OUTSIDE: Names(es="fuera de las zonas", en="outside of the zones"),
}
"""Kinds of zones that have names already; `OUTSIDE` is ground in no zone."""

OTHER = "other"
"""The domain of points that are in no zone of a limit."""

Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class LegalSettings(Settings):
    """Zones of any kind: authorised, protected, titled, conceded ...; and how much may grow in some."""

    zones: RegionSettings = Field(description="as `regions:`; where zones overlap the first owns the ground")
    kinds: dict[str, Kind] = Field(description="zone id, or pattern -> what the zone is; the first that fits")
    kind_names: dict[Kind, Names] = Field({}, description="kind -> its name in both languages")
    limits: tuple[LimitSettings, ...] = ()

    @property
    def names(self) -> dict[str, Names]:
        """Kind -> its names: those that are given, then `KIND_NAMES`."""
        return KIND_NAMES | self.kind_names

    @model_validator(mode="after")
    def _named(self) -> LegalSettings:
        used, named = set(self.kinds.values()), set(self.names)
        problems = [f"kind {k!r} has no name in `kind_names`: {{es: ..., en: ...}}" for k in used - named]
        problems += [f"`kind_names` has {k!r}, `kinds` has not" for k in set(self.kind_names) - used]
        problems += [f"{k!r} is the word for ground in no zone" for k in used & {OUTSIDE, OTHER}]
        own = [self.names[k] for k in {*used, OUTSIDE} & named]
        for words in ([n.es.casefold() for n in own], [n.en.casefold() for n in own]):
            problems += [f"two kinds have the name {w!r}" for w in set(words) if words.count(w) > 1]
        if problems:
            raise ValueError("; ".join(sorted(problems)))
        return self


class OperationSource(Settings):
    """One vector file of operations: areas that are claimed as cleared, as polygons or GPS tracks."""

    path: Path
    layer: Annotated[str | None, Field(description="needed when the file has several layers")] = None
    id: Annotated[str, Field(description="column of the operation's id, each once")]
    first_day: Annotated[str, Field(description="column of the first day of work")]
    last_day: Annotated[str | None, Field(description="column of the last day; None: the first")] = None
    claimed_ha: Annotated[str | None, Field(description="column; None: the area of the polygon")] = None


class ImageEvidence(Settings):
    """When images show that a pixel was cleared: its index falls and stays low."""

    index: Literal["NDVI", "NDMI", "NBR", "NBR2"]
    percentile: Annotated[int, Field(ge=50, le=100, description="of the index over a window's clear dates")]
    before_days: Annotated[int, Field(ge=10, le=730, description="window that ends before the first day")]
    after_days: Annotated[int, Field(ge=10, le=730, description="window that begins after the last day")]
    min_clear: Annotated[int, Field(ge=1, description="fewer clear dates in a window: not observed")]
    fall: Annotated[float, Field(gt=0, lt=2, description="a fall of the index from which it was cleared")]


class OperationSettings(Settings):
    """Operations and how it is judged what was cleared. Shares are of ground that could be judged."""

    sources: Annotated[tuple[OperationSource, ...], Field(min_length=1)]
    close_within_m: Annotated[
        float,
        Field(ge=0, le=1000, description="a line whose ends are so near is closed; 0: lines are refused"),
    ]
    maps_show: Annotated[
        Literal["period", "last_day"], Field(description="what a map shows: its period, or its last day")
    ]
    cleared_from: Annotated[float, Field(gt=0, le=1, description="share cleared, from which: cleared")]
    not_up_to: Annotated[float, Field(ge=0, lt=1, description="share cleared, up to which: not cleared")]
    min_observed: Annotated[float, Field(gt=0, le=1, description="share judged, below which: not observed")]
    stood_from: Annotated[
        float, Field(ge=0, lt=1, description="share of target on the map before, below which none stood")
    ]
    replanted_from: Annotated[
        float, Field(gt=0, le=1, description="share of target on a later map, from which: replanted")
    ]
    images: ImageEvidence | None = None

    @model_validator(mode="after")
    def _ordered(self) -> OperationSettings:
        if self.not_up_to >= self.cleared_from:
            raise ValueError("`not_up_to` must be below `cleared_from`")
        return self


class DensitySettings(Settings):
    """Hectares per square of a grid, and when a square may be published."""

    cell_m: Annotated[int, Field(ge=100, multiple_of=10, description="side of a square; agencies: 1000")]
    min_plots: Annotated[
        int, Field(ge=2, description="a square with the target and fewer plots is not published")
    ]
    plot_ha: Annotated[float, Field(ge=0, description="smallest patch of the map that counts as a plot")]
