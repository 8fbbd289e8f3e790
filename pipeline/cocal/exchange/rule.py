"""The rule of k: no cell of a bundle holds fewer than k points of ground that was seen.

With k above 1, classes other than the target are one class. A region with a smaller cell is joined with
others of its country to one place. Where a whole country has smaller cells, definitions are left out, the
last first, then change; then the classes of the map are one class in the strata with such cells. Points that
only one period has are cells too: they follow as differences. What is smaller still is refused.
(Threshold rule and differencing: Hundepool et al. 2012, Statistical Disclosure Control,
doi:10.1002/9781118348239, ch. 5.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cocal.contracts import ELSEWHERE, UNOBSERVED
from cocal.errors import InputError
from cocal.exchange.survey import BOTH, Survey, answer, any_class, summed, two_classes

JOINED = "joined"
"""What is put behind the name of a country, for the place that its joined regions make."""


@dataclass(frozen=True)
class Places:
    """The regions of a run. `alone`: those whose mapped hectares may stand by themselves.

    `country`: of each region. `before`: region -> place of an earlier bundle of the same run, or empty.
    Places of an earlier bundle are never divided: two divisions of one ground give differences.
    """

    country: Mapping[str, str]
    alone: frozenset[str]
    before: Mapping[str, str]


@dataclass(frozen=True)
class Protected:
    """Surveys without a cell below k; `place_of` is the place of each region, `any_class` the strata in which
    the classes of the map are one.
    """

    surveys: tuple[Survey, ...]
    place_of: Mapping[str, str]
    definitions: tuple[str, ...]
    any_class: tuple[str, ...]


def protect(
    surveys: Sequence[Survey], definitions: Sequence[str], places: Places, *, least: int, target: str
) -> Protected:
    """The surveys with their cells merged by the rule of k; `least` is k, and 1 merges nothing.

    Parameters
    ----------
    definitions : those of the cells, `OWN` first.

    Raises
    ------
    InputError
        Cells of a whole country are smaller, or strata are crossed with regions that must be joined.
    """
    if least == 1:
        alone = {region: region for region in places.country}
        return Protected(tuple(surveys), alone, tuple(definitions), ())
    found, kept = tuple(two_classes(survey, target) for survey in surveys), list(definitions)
    wholes = {**places.country, ELSEWHERE: ELSEWHERE}
    while len(kept) > 1 and not _small(_tables(found), wholes, least).empty:
        found, kept = tuple(without(survey, kept[-1]) for survey in found), kept[:-1]
    if not _small(_tables(found), wholes, least).empty:
        found = tuple(survey for survey in found if len(survey.periods) == 1)
    strata = sorted(set(_small(_tables(found), wholes, least)["stratum"]))
    found = tuple(any_class(survey, strata) for survey in found) if strata else found
    tables = _tables(found)
    _refuse(_small(tables, wholes, least), least)
    place_of = _joined(tables, places, least)
    crossed = [s for s in found if "region" in s.strata and any(r != p for r, p in place_of.items())]
    if crossed:
        raise InputError(
            f"cells with fewer than {least} points in strata that are crossed with regions",
            "strata that several regions share, so that regions can be joined without another estimate",
            f"{len(set(crossed[0].strata['region']))} regions with strata of their own",
            "agree on `--least 1`, or draw the next sample in strata that are not bound to regions",
        )
    return Protected(tuple(survey.at(place_of) for survey in found), place_of, tuple(kept), tuple(strata))


def without(survey: Survey, definition: str) -> Survey:
    """`survey` without a definition: cells that it alone tells apart are one."""
    gone = [answer(definition), *(answer(definition, date) for date in BOTH)]
    return replace(survey, cells=summed(survey.cells.drop(columns=gone, errors="ignore"), "points"))


def _tables(surveys: Sequence[Survey]) -> list[pd.DataFrame]:
    """Cells, and the cells that follow as differences, of ground that was seen: key, place, points."""
    found = [_keyed(f"{n}", survey.cells, survey.answers) for n, survey in enumerate(surveys)]
    for n, pairs in enumerate(surveys):
        for date, period in zip(BOTH, pairs.periods, strict=False) if len(pairs.periods) > 1 else ():
            stocks = [survey for survey in surveys if survey.periods == (period,)]
            found += [_keyed(f"{n} {date}", _unpaired(pairs, stock, date), stock.answers) for stock in stocks]
    return found


def _unpaired(pairs: Survey, stock: Survey, date: str) -> pd.DataFrame:
    """Points of a period that are in no pair, by stratum, place and answers."""
    names = ["stratum", "place", *stock.answers]
    own = pairs.cells.rename(columns={answer(name, date): name for name in stock.answers})
    own = own[[*names, "points"]].assign(points=-own["points"])
    return summed(pd.concat([stock.cells[[*names, "points"]], own], ignore_index=True), "points")


def _keyed(name: str, cells: pd.DataFrame, answers: Sequence[str]) -> pd.DataFrame:
    seen = cells[(cells[list(answers)] != UNOBSERVED).all(axis=1)]
    words = seen[[c for c in seen.columns if c not in ("place", "points")]].astype(str)
    key = words.agg(", ".join, axis=1) if len(words) else pd.Series(dtype=str)
    columns = {name: seen[name] for name in ("stratum", "place", "points")}
    return pd.DataFrame({"table": name, "key": key, **columns})


def _small(tables: Sequence[pd.DataFrame], place_of: Mapping[str, str], least: int) -> pd.DataFrame:
    """table, key, stratum, place of the cells with fewer points than `least`, and more than none."""
    rows = pd.concat(tables, ignore_index=True)
    rows["place"] = [place_of.get(name, name) for name in rows["place"]]
    sums = rows.groupby(["table", "key", "stratum", "place"])["points"].sum().abs()
    return sums[(sums > 0) & (sums < least)].reset_index()


def _refuse(small: pd.DataFrame, least: int) -> None:
    if len(small):
        cells = [f"{place}: {key}" for place, key in zip(small["place"], small["key"], strict=True)]
        raise InputError(
            f"a whole country has cells with fewer than {least} points",
            f"{least} points or none in each stratum, class of the map and class on the ground",
            "; ".join(dict.fromkeys(cells)),
            "agree on a smaller `--least`; joining strata would change the estimate, and is not done",
        )


def _joined(tables: Sequence[pd.DataFrame], places: Places, least: int) -> dict[str, str]:
    """Region -> its place: the region itself, or the one place of joined regions of its country."""
    unit = {region: places.before.get(region, region) for region in places.country}
    found = dict(unit)
    for country in sorted(set(places.country.values())):
        units = sorted({unit[region] for region, own in places.country.items() if own == country})
        place = f"{country} {JOINED}"
        small = set(_small(tables, unit, least)["place"])
        lonely = {unit[region] for region in places.country if region not in places.alone}
        group = {u for u in units if u in small or u == place or (u in lonely and u in places.country)}
        while group and (more := _next(tables, unit, group, units, place=place, least=least)):
            group.add(more)
        found |= {region: place for region in found if unit[region] in group}
    return found


def _next(
    tables: Sequence[pd.DataFrame],
    unit: Mapping[str, str],
    group: set[str],
    units: Sequence[str],
    *,
    place: str,
    least: int,
) -> str | None:
    """The unit to be joined next: that with most points in the cells that are still small; None: enough."""
    rest = [name for name in units if name not in group]
    regions = {region: place if own in group else own for region, own in unit.items()}
    small = _small(tables, regions, least)
    small = small[small["place"] == place]
    if not rest or (small.empty and sum(own in group for own in unit.values()) > 1):
        return None
    rows = pd.concat(tables, ignore_index=True)
    rows["place"] = [unit.get(name, name) for name in rows["place"]]
    wanted = rows.merge(small[["table", "key"]], on=["table", "key"]) if len(small) else rows
    counts = wanted["points"].abs().groupby(wanted["place"]).sum()
    return max(rest, key=lambda name: (counts.get(name, 0), name))
