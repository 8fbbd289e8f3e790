"""Estimates beside what field records claim and what the agencies publish, with why they may differ.

A difference is arithmetic; whether it means anything is stated by `verdict` and by the notes in
`why_not_comparable`. Published surveys speak of one day (31 December), one definition of coca and one
set of zones, rounded; a map speaks of its period, its scheme and what the clouds left open.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from cocal.contracts import AREAS, COMPARISON, COMPARISON_COLUMNS, Period, check_table
from cocal.errors import InputError
from cocal.estimate.eradication import cleared_within
from cocal.estimate.strata import EARTH_HA
from cocal.estimate.verdict import verdicts
from cocal.notes import Note, note_column

_FIELD = ("region_id", "period", "class", "field_ha")
_OFFICIAL = ("region_id", "coca_ha", "source")
_TEXTS = ("definition", "reference_date", "series", "coverage", "split_from")
_KEYS = ["region_id", "period"]
_ESTIMATE = ("estimated_ha", "ci_low_ha", "ci_high_ha")


def compare(
    areas: pd.DataFrame,
    field: pd.DataFrame | None,
    official: pd.DataFrame | None,
    *,
    target: str,
    same_definitions: Sequence[str],
    periods: Sequence[Period],
    max_unobserved: float,
    agreement: float,
    claims: pd.DataFrame | None = None,
    by_definition: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """comparison/1: one row per region, period and official figure of the class `target`.

    Parameters
    ----------
    areas : areas/1; a group of regions is a row like any other.
    field : region_id, period, class, field_ha: hectares that field records claim; None = no such table.
    official : region_id, year or period, coca_ha, source [, definition] [, reference_date] [, series]
        [, coverage: text, or share from 0 to 1] [, split_from] [, rounded_to_ha]; None = none.
    target : the class of the official figures.
    same_definitions : the official definitions that mean `target` as the class scheme defines it; a
        figure with any other, or with none, is marked.
    periods : the periods of the maps, to judge reference dates.
    max_unobserved : a region with a larger unobserved share is marked.
    agreement : share of the official figure that counts as no difference (`verdict.verdicts`).
    claims : region_id, year or period, claimed_ha, source: hectares cleared within a period; None = none.
    by_definition : region_id, period, official_definition, definition, estimated_ha, ci_low_ha, ci_high_ha:
        estimates under other definitions, each with a text by which official figures state it. They take the
        place of those of `areas` beside such a figure, with a note. None = none.

    Returns
    -------
    `difference_ha` is the estimate (where there is none: the mapped area, with a reason that states it) minus
    the official figure; `verdict` and `width_needed_ha` are as from `verdict.verdicts`.

    Raises
    ------
    InputError : columns or numbers are missing; all are listed.

    Examples
    --------
    See docs/api.md: `compared = cocal.compare(areas, None, official, ...)`.
    """
    check_table(areas, AREAS)
    rows = areas[areas["class"] == target].reset_index(drop=True)
    rows = rows.assign(region_id=rows["region_id"].astype(str), period=rows["period"].astype(str))
    rows = _with_field(rows, field, target)
    published = _official_table(official)
    rows = _as_defined(rows.merge(published, on=_KEYS, how="left", sort=False), by_definition)
    figure = rows["official_ha"].astype(float)
    value = rows["estimated_ha"].astype(float).fillna(rows["mapped_ha"].astype(float))
    step = rows["official_rounded_to_ha"].astype(float)
    verdict, width = verdicts(
        figure, *(rows[name].astype(float) for name in _ESTIMATE), agreement=agreement, rounded_to=step
    )
    rows = rows.assign(
        difference_ha=value - figure, agreement=agreement, verdict=verdict, width_needed_ha=width
    )
    cleared = {} if claims is None else cleared_within(claims)
    years = published.groupby("region_id")["period"].agg(lambda values: sorted(set(values)))
    known = {period.name: period for period in periods}
    reasons = []
    for row in rows.to_dict("records"):
        own = _estimate_reasons(row)
        if pd.isna(row["official_ha"]):
            own += _absence_reasons(years.get(row["region_id"], []))
        else:
            key = row["region_id"], row["period"]
            days = _date_reasons(row["official_reference_date"], known.get(key[1]), cleared.get(key))
            same = (*same_definitions, row["official_definition"]) if row["definition"] else same_definitions
            own += _official_reasons(row, same, days)
            if row["definition"]:
                shown = {"definition": row["definition"], "official": row["official_definition"]}
                own.append(Note("estimate_by_definition", **shown))
        reasons.append((*own, *_coverage_reasons(row, max_unobserved)))
    table = rows.assign(
        official_source=rows["official_source"].fillna(""),
        why_not_comparable=note_column(reasons, rows.index),
    )
    return check_table(table[list(COMPARISON_COLUMNS)], COMPARISON)


def _as_defined(rows: pd.DataFrame, by_definition: pd.DataFrame | None) -> pd.DataFrame:
    """`rows` with estimates under the definitions of their official figures; `definition`: its id or ""."""
    if by_definition is None:
        return rows.assign(definition="")
    found = rows.merge(by_definition, on=[*_KEYS, "official_definition"], how="left", suffixes=("", "_own"))
    there = found["definition"].notna() & found["estimated_ha_own"].notna()
    own = {name: found[name].astype(float).mask(there, found[f"{name}_own"]) for name in _ESTIMATE}
    return rows.assign(
        **{name: values.to_numpy() for name, values in own.items()},
        definition=found["definition"].where(there, "").to_numpy(),
    )


def unmatched_official(areas: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """The rows of `official` whose region_id `areas` does not have, in their order and columns."""
    known = set(areas["region_id"].astype(str))
    return official[~official["region_id"].astype(str).isin(known)].reset_index(drop=True)


def _with_field(rows: pd.DataFrame, field: pd.DataFrame | None, target: str) -> pd.DataFrame:
    if field is None:
        return rows.assign(field_ha=np.nan)
    names: list[str] = field["class"].dropna().astype(str).tolist() if "class" in field.columns else []
    odd = sorted({name for name in names if name != target and name.casefold() == target.casefold()})
    _check(field, "field", _FIELD, "field_ha", [f"class {name!r} is written {target!r}" for name in odd])
    own = field[field["class"] == target]
    own = own.assign(**{name: own[name].astype(str) for name in _KEYS})
    sums = own.groupby(_KEYS)["field_ha"].sum().rename("field_ha").reset_index()
    return rows.merge(sums, on=_KEYS, how="left", sort=False)


def _official_table(official: pd.DataFrame | None) -> pd.DataFrame:
    """region_id, period, official_*: ha, source, `_TEXTS` ("" = not stated), rounded_to_ha; series_before."""
    if official is None:
        official = pd.DataFrame(columns=[*_OFFICIAL, "year"])
    _check(official, "official", _OFFICIAL, "coca_ha", _wrong_optional(official) + _unusable_keys(official))
    if not {"year", "period"} & set(official.columns):
        raise InputError("the official table has no dates", "a column year or period", "neither", "add it")
    when = official["period"] if "period" in official.columns else official["year"]
    empty = pd.Series("", index=official.index)
    texts = {f"official_{name}": official.get(name, empty).fillna("").astype(str) for name in _TEXTS}
    table = pd.DataFrame(
        {
            "region_id": official["region_id"].astype(str),
            "period": when.astype(str),
            "official_ha": official["coca_ha"].astype(float),
            "official_source": official["source"].astype(str),
            **texts,
            "official_rounded_to_ha": pd.to_numeric(official.get("rounded_to_ha", empty)),
        }
    )
    return table.assign(series_before=pd.Series(_series_before(table), table.index, dtype=object))


def _series_before(table: pd.DataFrame) -> list[tuple[list[str], str] | None]:
    """Per figure the series of the region's period before it, and that period; None if the series goes on.

    Periods are ordered as texts. One that was published in two series ties them: the next figure goes on
    in either.
    """
    rows = list(zip(table["region_id"], table["period"], table["official_series"], strict=True))
    series: dict[str, dict[str, set[str]]] = {}
    for region, period, own in rows:
        series.setdefault(region, {}).setdefault(period, set()).add(own)
    before: list[tuple[list[str], str] | None] = []
    for region, period, own in rows:
        last = max((p for p in series[region] if p < period), default=None)
        names = series[region][last] if last is not None else {own}
        broken = last is not None and own not in names and "" not in {own, *names}
        before.append((sorted(names), str(last)) if broken else None)
    return before


def _check(
    table: pd.DataFrame, name: str, columns: Sequence[str], number: str, further: Sequence[str] = ()
) -> None:
    problems = [f"no column {c!r}" for c in columns if c not in table.columns]
    if not problems:
        wrong = pd.to_numeric(table[number], errors="coerce").isna() | (table[number].astype(str) == "")
        problems += [f"{number} of region {r} is not a number" for r in table.loc[wrong, "region_id"]]
        value = pd.to_numeric(table[number], errors="coerce")
        astray = ~wrong & ~value.between(0, EARTH_HA)
        for region, found in table.loc[astray, ["region_id", number]].itertuples(index=False):
            problems.append(f"{number} of region {region} is {found}, not between 0 and the Earth's surface")
    problems += further
    if problems:
        raise InputError(
            f"the {name} table {table.attrs.get('path', '')} cannot be compared".replace("  ", " "),
            f"columns {', '.join(columns)}",
            "; ".join(problems[:10]),
            "fix these rows or columns",
        )


def _wrong_optional(table: pd.DataFrame) -> list[str]:
    """Roundings that are no hectares and shares that are no shares; an empty cell states nothing."""
    problems = []
    if "rounded_to_ha" in table.columns:
        steps = table["rounded_to_ha"].replace("", np.nan).dropna()
        if not (pd.to_numeric(steps, errors="coerce") > 0).all():
            problems.append("rounded_to_ha holds values that are not hectares above 0")
    if "coverage" in table.columns:
        share = pd.to_numeric(table["coverage"], errors="coerce").dropna()
        if not share.between(0, 1).all():
            problems.append("coverage holds numbers that are not shares from 0 to 1")
    return problems


def contradicting_years(table: pd.DataFrame) -> list[str]:
    """Rows whose `year` is not that by which their `period` is called: one would be passed over."""
    if not {"region_id", "year", "period"} <= set(table.columns):
        return []
    year, period = table["year"].astype(str), table["period"].astype(str)
    wrong = period.str.fullmatch(r"\d{4}") & year.str.fullmatch(r"\d{4}") & (year != period)
    rows = zip(table.loc[wrong, "region_id"], year[wrong], period[wrong], strict=True)
    return [f"region {region} has the year {y} and the period {p}" for region, y, p in rows]


def _unusable_keys(table: pd.DataFrame) -> list[str]:
    """Figures without region or date, and figures that stand twice."""
    names = [c for c in ("region_id", "period", "year", "source", *_TEXTS) if c in table.columns]
    if not names:
        return []  # the missing columns are listed already
    when = [c for c in ("period", "year") if c in names][:1]
    problems = [f"rows without {c}" for c in ("region_id", *when) if c in names and table[c].isna().any()]
    problems += contradicting_years(table)
    twice = table.loc[table.duplicated(names), [c for c in ("region_id", *when) if c in names]]
    return problems + [f"figure of {' in '.join(map(str, row))} stands twice" for row in twice.to_numpy()]


def _estimate_reasons(row: Mapping[Hashable, Any]) -> list[Note]:
    if pd.isna(row["estimated_ha"]):
        return [Note("no_estimate_mapped_difference")]
    return [Note("no_interval")] if pd.isna(row["ci_low_ha"]) else []


def _absence_reasons(years: Sequence[str]) -> list[Note]:
    return [Note("period_differs", periods=years) if years else Note("no_official_figure")]


def _official_reasons(
    row: Mapping[Hashable, Any], same_definitions: Sequence[str], days: Sequence[Note]
) -> list[Note]:
    """Definition, date, series, zone and rounding of an official figure, where they stand against it."""
    reasons = []
    definition, series = row["official_definition"], row["official_series"]
    if not definition:
        reasons.append(Note("definition_not_stated"))
    elif definition not in same_definitions:
        reasons.append(Note("definition_differs", definition=definition))
    reasons += days
    if isinstance(row["series_before"], tuple):
        before, last = row["series_before"]
        reasons.append(Note("series_break", series=series, before=before, period=last))
    if row["official_split_from"]:
        reasons.append(Note("zone_split", zone=row["official_split_from"]))
    return reasons + _rounding_reasons(row)


def _date_reasons(stated: str, period: Period | None, cleared_ha: float | None) -> list[Note]:
    """The figure's day, which is outside the map's period or one day of it, the more so after clearings."""
    if not stated:
        return []
    try:
        day = date.fromisoformat(stated[:10])
    except ValueError:
        return [Note("reference_date_invalid", stated=stated)]
    if period is None or period.start == day == period.end:
        return []
    start, end = period.start, period.end
    if not start <= day <= end:
        return [Note("date_differs", day=day, start=start, end=end)]
    if cleared_ha:
        return [Note("period_beside_day_cleared", day=day, start=start, end=end, ha=cleared_ha)]
    return [Note("period_beside_day", day=day, start=start, end=end)]


def _rounding_reasons(row: Mapping[Hashable, Any]) -> list[Note]:
    """The half step that rounding may have moved the figure, where it is what decides."""
    step = row["official_rounded_to_ha"]
    if not step > 0:
        return []
    if abs(row["difference_ha"]) <= step / 2:
        return [Note("rounding_covers_difference", step_ha=step)]
    least, most = row["official_ha"] - step / 2, row["official_ha"] + step / 2
    low, high = row["ci_low_ha"], row["ci_high_ha"]
    if least <= high and most >= low and not low <= least <= most <= high:
        return [Note("rounding_decides_within", step_ha=step)]
    return []


def _coverage_reasons(row: Mapping[Hashable, Any], max_unobserved: float) -> list[Note]:
    """What the official figure and what the map leave out of the region."""
    reasons = []
    coverage = row["official_coverage"]
    if not pd.isna(coverage) and coverage:
        share = pd.to_numeric(coverage, errors="coerce")
        if pd.isna(share):
            reasons.append(Note("official_coverage", coverage=coverage))
        elif share < 1:
            reasons.append(Note("official_coverage_share", share=share))
    unobserved = 1 - float(row["observed_fraction"])
    if not unobserved <= max_unobserved:
        reasons.append(Note("region_unobserved", share=unobserved))
    return reasons
