"""Tables of what is estimated from several bundles, by place, country and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from cocal.contracts import UNOBSERVED
from cocal.exchange.pool import pooled
from cocal.exchange.survey import (
    ANY,
    MIN_POINTS,
    OWN,
    Survey,
    Terms,
    estimate_pairs,
    estimate_stock,
    few_points,
)

PRINTED = 6
"""Decimals of the hectares that are written: 0.01 m2."""

FIGURES = ("estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha")
SCORES = ("users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se")
LEVELS = ("place", "country", "total")
_TOTAL = "total"


@dataclass(frozen=True)
class Side:
    """A bundle in the common terms: periods, places and classes under the names that all share."""

    office: str
    surveys: tuple[Survey, ...]
    mapped: Mapping[tuple[str, str, str], Decimal]
    country: Mapping[str, str]


def merged_tables(
    sides: Sequence[Side],
    definitions: Sequence[str],
    country: Mapping[str, str],
    terms: Terms,
    *,
    whole: bool,
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """(hectares, change, what could not be estimated)."""
    kinds = sorted({survey.periods for side in sides for survey in side.surveys})
    domains = {
        "place": {place: place for place in country},
        "country": dict(country),
        "total": dict.fromkeys(country, _TOTAL),
    }
    stocks, changes, left_out = [], [], []
    for periods in kinds:
        own = [survey for side in sides for survey in side.surveys if survey.periods == periods]
        without = [side.office for side in sides if periods not in {s.periods for s in side.surveys}]
        if without:  # the rest alone is no total
            left_out.append(f"{' to '.join(periods)} is left out: no sample of {', '.join(without)}")
            continue
        survey = pooled(own)
        few = few_points(survey)
        if few:
            left_out.append(
                f"{' to '.join(periods)}: fewer than {MIN_POINTS} points in strata {', '.join(few[:5])}"
            )
            continue
        for definition in definitions:
            if len(periods) == 1:
                table = _stock_rows(survey, domains, definition, terms, whole=whole)
                stocks.append(table.assign(period=periods[0], definition=definition))
            else:
                table = _pair_rows(survey, domains, definition, terms, whole=whole)
                changes.append(
                    table.assign(from_period=periods[0], to_period=periods[1], definition=definition)
                )
    mapped = _mapped(sides, country)
    return _hectares(stocks, mapped, terms), _changes(changes), tuple(left_out)


def _stock_rows(
    survey: Survey, domains: Mapping[str, Mapping[str, str]], definition: str, terms: Terms, *, whole: bool
) -> pd.DataFrame:
    parts = []
    for level in ("place", "country") if whole else LEVELS:
        found = estimate_stock(survey, domains[level], definition, terms)
        assert found.regions is not None
        inside = found.regions[found.regions["region"].isin(set(domains[level].values()))]
        parts.append(inside.assign(level=level))
    if whole:
        parts.append(found.classes.assign(level=_TOTAL, region=_TOTAL, n=found.n))
    return pd.concat(parts, ignore_index=True).assign(estimator=survey.estimator)


def _pair_rows(
    survey: Survey, domains: Mapping[str, Mapping[str, str]], definition: str, terms: Terms, *, whole: bool
) -> pd.DataFrame:
    parts = []
    for level in ("place", "country") if whole else LEVELS:
        found = estimate_pairs(survey, domains[level], definition, terms)
        parts.append(found[found["region"].isin(set(domains[level].values()))].assign(level=level))
    if whole:
        parts.append(found[found["region"] == ""].assign(level=_TOTAL, region=_TOTAL))
    return pd.concat(parts, ignore_index=True)


def _mapped(sides: Sequence[Side], country: Mapping[str, str]) -> dict[tuple[str, str, str, str], Decimal]:
    """(level, id, period, class) -> exact hectares of the maps; ground that two offices share counts once."""
    places: dict[tuple[str, str, str], Decimal] = {}
    for side in sides:
        places |= side.mapped
    found: dict[tuple[str, str, str, str], Decimal] = {}
    for (period, place, name), ha in places.items():
        for level, key in (("place", place), ("country", country[place]), (_TOTAL, _TOTAL)):
            own = (level, key, period, name)
            found[own] = found.get(own, Decimal(0)) + ha
    return found


def _hectares(
    stocks: Sequence[pd.DataFrame], mapped: Mapping[tuple[str, str, str, str], Decimal], terms: Terms
) -> pd.DataFrame:
    columns = ["level", "id", "period", "definition", "class", "n", "mapped_ha", *FIGURES, *SCORES]
    if not stocks:
        return pd.DataFrame(columns=[*columns, "estimator", "interval", "confidence"])
    table = pd.concat(stocks, ignore_index=True).rename(columns={"region": "id", "area_ha": "estimated_ha"})
    table = table[~table["class"].isin([UNOBSERVED, ANY])].reset_index(drop=True)
    keys = zip(table["level"], table["id"], table["period"], table["class"], strict=True)
    own = table["definition"] == OWN
    ha = [mapped.get(key, Decimal(0)) if here else None for key, here in zip(keys, own, strict=True)]
    table = table.assign(
        mapped_ha=pd.Series(ha, dtype=object), interval=terms.interval, confidence=terms.confidence
    )
    table = table.round(dict.fromkeys((*FIGURES, *SCORES), PRINTED))
    return _sorted(table, [*columns, "estimator", "interval", "confidence"])


def _changes(changes: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["level", "id", "from_period", "to_period", "definition", "quantity", "n", *FIGURES]
    if not changes:
        return pd.DataFrame(columns=columns)
    table = pd.concat(changes, ignore_index=True).rename(columns={"region": "id", "area_ha": "estimated_ha"})
    return _sorted(table.round(dict.fromkeys(FIGURES, PRINTED)), columns)


def _sorted(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    table[[*FIGURES]] = table[[*FIGURES]] + 0.0  # no minus before a zero
    order = {level: place for place, level in enumerate(LEVELS)}
    return (
        table.assign(_level=table["level"].map(order))
        .sort_values(["_level", *columns[1:6]], kind="stable", ignore_index=True)[[*columns]]
        .reset_index(drop=True)
    )
