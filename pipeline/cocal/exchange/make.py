"""A bundle from the counts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from cocal.contracts import OTHER, UNOBSERVED
from cocal.exchange.content import (
    FORMAT,
    Bundle,
    OfficialRow,
    PeriodContent,
    Place,
    RuleContent,
    SchemeContent,
    StateRow,
    hectares_text,
    survey_content,
)
from cocal.exchange.rule import Places, Protected, protect
from cocal.exchange.survey import OWN, Survey, Terms, estimate_stock, few_points


@dataclass(frozen=True)
class Source:
    """What a bundle is made from.

    - `regions`: region_id, region_name, country, sha256 (of the polygon)
    - `mapped`: period, region_id, class, mapped_ha (Decimal)
    - `alone`: regions whose mapped hectares may stand by themselves
    - the others: as in `Bundle`
    """

    run: str
    simulated: bool
    made_by: str
    scheme: SchemeContent
    crosswalk: str | None
    definitions: tuple[str, ...]
    map: Mapping[str, str]
    states: tuple[StateRow, ...]
    regions: pd.DataFrame
    regions_sha256: str
    periods: tuple[PeriodContent, ...]
    interval: str
    confidence: float
    surveys: tuple[Survey, ...]
    mapped: pd.DataFrame
    out: Mapping[str, int]
    official: tuple[OfficialRow, ...]
    alone: frozenset[str]


def make_bundle(source: Source, office: str, least: int, before: Mapping[str, str] | None = None) -> Bundle:
    """The bundle of a run for another office.

    Parameters
    ----------
    office : who makes it.
    least : k of the rule in `cocal.exchange.rule`; 1 merges nothing.
    before : region -> place of an earlier bundle of the same run.

    Raises
    ------
    InputError
        The rule cannot be kept.
    """
    country = dict(zip(source.regions["region_id"], source.regions["country"], strict=True))
    places = Places(country, source.alone, before or {})
    target = source.scheme.target
    found = protect(source.surveys, source.definitions, places, least=least, target=target)
    classes = "all" if least == 1 else "target"
    own = _places(source.regions, found.place_of)
    joined = sum(len(place.regions) for place in own if set(place.regions) != {place.id})
    rule = RuleContent(
        least=least,
        classes="all" if least == 1 else "target",
        joined_regions=joined,
        regions=len(source.regions),
        left_out=_left_out(source, found),
        any_class=found.any_class,
        precision=() if least == 1 else _precision(source, found),
    )
    return Bundle(
        format=FORMAT,
        office=office,
        run=source.run,
        simulated=source.simulated,
        made_by=source.made_by,
        states=tuple(row for row in source.states if row.place in _stated(own)),
        scheme=source.scheme,
        crosswalk=source.crosswalk,
        definitions=found.definitions,
        map=dict(source.map),
        regions_sha256=source.regions_sha256,
        places=own,
        periods=source.periods,
        interval=source.interval,
        confidence=source.confidence,
        mapped=_mapped(source, found.place_of, reduced=classes == "target"),
        surveys=tuple(survey_content(survey, found.definitions) for survey in found.surveys),
        out=dict(source.out),
        official=source.official,
        rule=rule,
    )


def _left_out(source: Source, found: Protected) -> tuple[str, ...]:
    """Definitions, and pairs of periods, that the rule of k left out."""
    periods = {survey.periods for survey in found.surveys}
    gone = [" to ".join(own.periods) for own in source.surveys if own.periods not in periods]
    return (*(name for name in source.definitions if name not in found.definitions), *gone)


def _stated(places: Sequence[Place]) -> set[str]:
    """Places whose figures may be spoken of: those of the bundle, countries and the whole."""
    return {"total", *(place.id for place in places), *(place.country for place in places)}


def _places(regions: pd.DataFrame, place_of: Mapping[str, str]) -> tuple[Place, ...]:
    rows = regions.assign(place=regions["region_id"].map(dict(place_of)))
    found = []
    for place, own in rows.groupby("place", sort=True):
        alone = own["region_id"].tolist() == [place]
        name = str(own["region_name"].iloc[0]) if alone else f"{len(own)} regions"
        digests = dict(zip(own["region_id"], own["sha256"], strict=True))
        found.append(Place(id=str(place), name=name, country=str(own["country"].iloc[0]), regions=digests))
    return tuple(found)


def _mapped(
    source: Source, place_of: Mapping[str, str], *, reduced: bool
) -> tuple[tuple[str, str, str, str], ...]:
    """Exact hectares by period, place and class; 0 is left out."""
    sums: dict[tuple[str, str, str], Decimal] = {}
    columns = (source.mapped[name] for name in ("period", "region_id", "class", "mapped_ha"))
    for period, region, name, ha in zip(*columns, strict=True):
        kept = name if not reduced or name in (source.scheme.target, UNOBSERVED) else OTHER
        key = (str(period), place_of[str(region)], str(kept))
        sums[key] = sums.get(key, Decimal(0)) + ha
    return tuple((*key, f"{ha:f}") for key, ha in sums.items() if ha > 0)


def _precision(source: Source, found: Protected) -> tuple[tuple[str, str, str], ...]:
    """Standard error of the target in all by period, of the run and of the bundle.

    Nothing of a period whose points alone make no estimate: one stratum has too few.
    """
    own = Terms(source.scheme.classes, source.scheme.target, source.interval, source.confidence)
    merged = replace(own, classes=(own.target, OTHER))
    after = {survey.periods: survey for survey in found.surveys}
    rows = []
    for before in source.surveys:
        if len(before.periods) == 1 and not few_points(before):
            errors = (_total_error(before, own), _total_error(after[before.periods], merged))
            own_text, after_text = map(hectares_text, np.round(errors, 3))
            rows.append((before.periods[0], own_text, after_text))
    return tuple(rows)


def _total_error(survey: Survey, terms: Terms) -> float:
    classes = estimate_stock(survey, {}, OWN, terms).classes
    return float(classes.loc[classes["class"] == terms.target, "standard_error_ha"].iloc[0])


def joined_before(bundles: Sequence[Bundle]) -> dict[str, str]:
    """Region -> place of an earlier bundle, the coarsest that any has."""
    return {region: place.id for bundle in bundles for place in bundle.places for region in place.regions}
