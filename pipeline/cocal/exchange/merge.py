"""Bundles of several offices as one estimate: what adds up, what is refused, who mapped which ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from cocal.contracts import OTHER, UNOBSERVED
from cocal.errors import InputError
from cocal.exchange.content import Bundle, survey_of
from cocal.exchange.figures import PRINTED, Side, merged_tables
from cocal.exchange.rule import without
from cocal.exchange.survey import OWN, Terms, estimate_stock, two_classes


@dataclass(frozen=True)
class Merged:
    """Figures of several bundles as one.

    - `hectares`: level (place, country, total), id, period, definition, class, n, mapped_ha (of the scheme
      itself), `FIGURES`, `SCORES`, estimator, interval, confidence
    - `change`: level, id, from_period, to_period, definition, quantity, n, `FIGURES`
    - `seam`: region_id, period, office, mapped_ha, estimated_ha, ci_low_ha, ci_high_ha, counted: ground that
      two offices mapped, with the figures of each
    - `left_out`: what the bundles do not share, and so is not here
    """

    hectares: pd.DataFrame
    change: pd.DataFrame
    seam: pd.DataFrame
    left_out: tuple[str, ...]


def merge(bundles: Sequence[Bundle], *, counted: str | None = None) -> Merged:
    """The estimate from all bundles; it equals that from all records at once.

    Parameters
    ----------
    counted : the office whose figures count where two offices mapped the same ground by two designs; None:
        such bundles are refused.

    Raises
    ------
    InputError
        The bundles differ in scheme, days, intervals, boundaries; or one ground has two maps.
    """
    bundles = sorted(bundles, key=lambda bundle: bundle.office)
    _check_alike(bundles)
    _check_counted_once(bundles)
    offices = [bundle.office for bundle in bundles]
    if counted is not None and counted not in offices:
        raise InputError(
            "--counted names an office that made none of these bundles", ", ".join(offices), repr(counted),
            "write its name as `cocal bundle show` does",
        )  # fmt: skip
    definitions, left_out = _common_definitions(bundles)
    names, more = _common_periods(bundles)
    reduced = any(bundle.rule.classes == "target" for bundle in bundles)
    place_of, country = _common_places(bundles)
    sides = [_side(b, definitions, names, place_of[i], reduced=reduced) for i, b in enumerate(bundles)]
    terms = bundles[0].terms
    if reduced:
        terms = replace(terms, classes=(terms.target, OTHER))
    seam = _seam(sides, terms)
    if len(seam) and counted is None:
        raise InputError(
            "two offices mapped the same ground: its hectares would count twice",
            "the office whose figures count there, of " + ", ".join(offices),
            "; ".join(f"{r}: {', '.join(own['office'].unique())}" for r, own in seam.groupby("region_id")),
            "name it with --counted; both figures are in the seam table",
        )
    sides = _without_seam(sides, seam, counted)
    seam = seam.assign(counted=seam["office"] == counted)
    hectares, change, few = merged_tables(sides, definitions, country, terms, whole=seam.empty)
    if reduced and any(bundle.rule.classes == "all" for bundle in bundles):
        left_out = (*left_out, "classes other than the target are one class: a bundle has them so")
    return Merged(hectares, change, seam, (*left_out, *more, *few))


def _check_alike(bundles: Sequence[Bundle]) -> None:
    problems = []
    for what, values in {
        "class scheme": [f"{b.scheme.id} {b.scheme.sha256[:8]}" for b in bundles],
        "interval": [f"{b.interval} {b.confidence:g}" for b in bundles],
        "data": ["simulated" if b.simulated else "real" for b in bundles],
    }.items():
        if len(set(values)) > 1:
            problems.append(
                f"{what}: " + ", ".join(f"{b.office} {v}" for b, v in zip(bundles, values, strict=True))
            )
    offices = [b.office for b in bundles]
    problems += [
        f"two bundles of the office {name}" for name in sorted({o for o in offices if offices.count(o) > 1})
    ]
    days: dict[str, set[tuple[Any, Any]]] = {}
    for bundle in bundles:
        for period in bundle.periods:
            days.setdefault(period.name, set()).add((period.start, period.end))
    problems += [
        f"period {name}: " + ", ".join(f"{a} to {b}" for a, b in sorted(own))
        for name, own in days.items()
        if len(own) > 1
    ]
    known: dict[str, set[str]] = {}
    for bundle in bundles:
        for place in bundle.places:
            for region, digest in place.regions.items():
                known.setdefault(region, set()).add(digest)
    problems += [f"region {name}: two boundaries" for name, own in known.items() if len(own) > 1]
    names: dict[str, set[str]] = {}
    for name, own in known.items():
        for digest in own:
            names.setdefault(digest, set()).add(name)
    problems += [f"one boundary, regions {', '.join(sorted(own))}" for own in names.values() if len(own) > 1]
    if problems:
        raise InputError(
            "the bundles cannot be added up",
            "one class scheme, one kind of interval, the same days and regions", "; ".join(problems[:10]),
            "make the runs with the same scheme, periods, regions and `estimate:`",
        )  # fmt: skip


def _check_counted_once(bundles: Sequence[Bundle]) -> None:
    """Refuse points that stand in two bundles: those of others are out in each bundle of the same design."""
    problems = []
    for bundle in bundles:
        for own in bundle.surveys:
            rest = [
                (other.office, survey)
                for other in bundles if other is not bundle
                for survey in other.surveys
                if survey.periods == own.periods and survey.design == own.design
            ]  # fmt: skip
            what = " to ".join(own.periods)
            problems += [
                f"{what}: the same cells in the bundles of {bundle.office} and {office}"
                for office, survey in rest
                if survey.cells and survey.cells == own.cells and bundle.office < office
            ]
            points = sum(cell[4] for _, survey in rest for cell in survey.cells)
            out = bundle.out.get(own.periods[0]) if len(own.periods) == 1 else None
            if out is not None and points > out:
                problems.append(
                    f"{what}: {points} points of other offices, and {out} of the design that {bundle.office} "
                    "has not had back"
                )
    if problems:
        raise InputError(
            "bundles of one design have points that count twice",
            "each point in one bundle, and a strata.csv with `points`, the planned points of all offices",
            "; ".join(problems[:5]),
            "leave the points of other offices out of `records.path`, see docs/exchange.md; merge one bundle "
            "of each office",
        )


def _common_definitions(bundles: Sequence[Bundle]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    same = len({bundle.crosswalk for bundle in bundles}) == 1
    found = tuple(
        name for name in bundles[0].definitions
        if name == OWN or (same and all(name in b.definitions for b in bundles))
    )  # fmt: skip
    lost = sorted({name for b in bundles for name in b.definitions} - {*found})
    why = "the bundles have different crosswalks" if not same else "not in every bundle"
    return found, tuple(f"definition {name} is left out: {why}" for name in lost)


def _common_periods(bundles: Sequence[Bundle]) -> tuple[dict[tuple[Any, Any], str], tuple[str, ...]]:
    """(days -> name of the periods that every bundle has, what is left out)."""
    days = [{(p.start, p.end): p.name for p in bundle.periods} for bundle in bundles]
    common = {key: name for key, name in days[0].items() if all(key in own for own in days)}
    if not common:
        raise InputError(
            "the bundles have no period in common", "the same first and last day",
            "; ".join(f"{b.office}: {', '.join(own.values())}" for b, own in zip(bundles, days, strict=True)),
            "make the runs with the same `periods:`",
        )  # fmt: skip
    lost = [
        f"period {name} of {bundle.office} is left out: not in every bundle"
        for bundle, own in zip(bundles, days, strict=True) for key, name in own.items() if key not in common
    ]  # fmt: skip
    return common, tuple(lost)


def _common_places(bundles: Sequence[Bundle]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """(per bundle: place -> place of all, country of those): places that share a region are one."""
    group: dict[str, str] = {}
    for bundle in bundles:
        for place in bundle.places:
            roots = {group.get(region, region) for region in place.regions}
            root = min(roots)
            group = {r: root if own in roots else own for r, own in group.items()}
            group |= dict.fromkeys(place.regions, root)
    members: dict[str, set[str]] = {}
    for bundle in bundles:
        for place in bundle.places:
            members.setdefault(group[next(iter(place.regions))], set()).add(place.id)
    ids = {root: max(own, key=lambda name: (len(name), name)) for root, own in members.items()}
    twice = {name for name in ids.values() if list(ids.values()).count(name) > 1}
    ids = {root: f"{name} with {root}" if name in twice else name for root, name in ids.items()}
    found, country = [], dict[str, str]()
    for bundle in bundles:
        own = {place.id: ids[group[next(iter(place.regions))]] for place in bundle.places}
        country |= {own[place.id]: place.country for place in bundle.places}
        found.append(own)
    return found, country


def _side(
    bundle: Bundle,
    definitions: tuple[str, ...],
    days: Mapping[tuple[Any, Any], str],
    place_of: Mapping[str, str],
    *,
    reduced: bool,
) -> Side:
    names = {p.name: days[p.start, p.end] for p in bundle.periods if (p.start, p.end) in days}
    surveys = []
    for content in bundle.surveys:
        if all(period in names for period in content.periods):
            survey = survey_of(content, bundle.definitions)
            for definition in set(bundle.definitions) - set(definitions):
                survey = without(survey, definition)
            survey = two_classes(survey, bundle.scheme.target) if reduced else survey
            surveys.append(replace(survey.at(place_of), periods=tuple(names[p] for p in content.periods)))
    mapped: dict[tuple[str, str, str], Decimal] = {}
    for period, place, name, ha in bundle.mapped:
        if period in names:
            kept = name if not reduced or name in (bundle.scheme.target, UNOBSERVED) else OTHER
            key = (names[period], place_of[place], kept)
            mapped[key] = mapped.get(key, Decimal(0)) + Decimal(ha)
    country = {place_of[place.id]: place.country for place in bundle.places}
    return Side(bundle.office, tuple(surveys), mapped, country)


def _seam(sides: Sequence[Side], terms: Terms) -> pd.DataFrame:
    """Rows of places that several offices mapped by two designs, or by two maps."""
    rows = []
    for place in sorted({p for side in sides for p in side.country}):
        own = [side for side in sides if place in side.country]
        periods = sorted({s.periods[0] for side in own for s in side.surveys if len(s.periods) == 1})
        if len(own) > 1 and any(_apart(own, place, period) for period in periods):
            rows += [_seam_row(side, place, period, terms) for period in periods for side in own]
    columns = ["region_id", "period", "office", "mapped_ha", "estimated_ha", "ci_low_ha", "ci_high_ha"]
    return pd.DataFrame(rows, columns=columns)


def _apart(sides: Sequence[Side], place: str, period: str) -> bool:
    """Whether a place has two designs or two maps."""
    designs = {s.design for side in sides for s in side.surveys if s.periods == (period,)}
    maps = {
        tuple(sorted((k[2], v) for k, v in side.mapped.items() if k[:2] == (period, place))) for side in sides
    }
    return len(designs) > 1 or len(maps) > 1


def _seam_row(side: Side, place: str, period: str, terms: Terms) -> tuple[Any, ...]:
    figures = [np.nan] * 3
    for survey in side.surveys:
        if survey.periods == (period,):
            found = estimate_stock(survey, {place: place}, OWN, terms).regions
            assert found is not None
            row = found[(found["region"] == place) & (found["class"] == terms.target)]
            if len(row):
                figures = row[["area_ha", "ci_low_ha", "ci_high_ha"]].iloc[0].round(PRINTED).tolist()
    return (place, period, side.office, side.mapped.get((period, place, terms.target)), *figures)


def _without_seam(sides: Sequence[Side], seam: pd.DataFrame, counted: str | None) -> list[Side]:
    """The sides; ground of the seam is in no place but that of the office that counts."""
    found = []
    for side in sides:
        gone = set(seam["region_id"]) & set(side.country) if side.office != counted else set()
        away = {place: f"{place} of {side.office}" for place in gone}
        found.append(
            replace(
                side,
                surveys=tuple(survey.at(away) for survey in side.surveys),
                mapped={key: ha for key, ha in side.mapped.items() if key[1] not in gone},
            )
        )
    if len(seam):
        _check_designs(found, seam)
    return found


def _check_designs(sides: Sequence[Side], seam: pd.DataFrame) -> None:
    """Refuse one design on two maps: the points of both lie in its strata, whatever office counts."""
    own = [s for s in sides if s.office in set(seam["office"])]
    designs = [{survey.design for survey in side.surveys} for side in own]
    if any(a & b for i, a in enumerate(designs) for b in designs[:i]):
        raise InputError(
            "one design, and two maps of the same ground", "one map for all points of a design",
            ", ".join(sorted(set(seam["region_id"]))), "match all records of the design to one map",
        )  # fmt: skip
