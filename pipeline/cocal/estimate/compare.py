"""Estimates beside what field records claim and what the agencies publish, with why they may differ.

A difference is arithmetic; whether it means anything is said by `within_interval` and, in words, by
`why_not_comparable`. Published surveys speak of one day (31 December), one definition of coca and one
set of zones; a map speaks of its period, its scheme and what the clouds left open.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from cocal.contracts import AREAS, COMPARISON, COMPARISON_COLUMNS, Period, check_table
from cocal.errors import InputError

_FIELD = ("region_id", "period", "class", "field_ha")
_OFFICIAL = ("region_id", "coca_ha", "source")
_KEYS = ["region_id", "period"]


def compare(
    areas: pd.DataFrame,
    field: pd.DataFrame | None,
    official: pd.DataFrame | None,
    *,
    target: str,
    definition: str,
    periods: Sequence[Period],
    max_unobserved: float,
) -> pd.DataFrame:
    """comparison/1: one row per region, period and official figure of the class `target`.

    Parameters
    ----------
    areas : areas/1.
    field : region_id, period, class, field_ha: hectares that field records claim; None = no such table.
    official : region_id, year or period, coca_ha, source [, definition] [, reference_date]; None = none.
    target : the class that the official figures speak of.
    definition : what counts as the target here; an official figure with another text is marked.
    periods : the periods of the maps, to judge reference dates.
    max_unobserved : a region with a larger unobserved share is marked.

    Returns
    -------
    `difference_ha` is the estimate (where there is none: the mapped area, and the reason says so) minus
    the official figure; `within_interval` is NA without an interval or an official figure.

    Raises
    ------
    InputError : columns or numbers that are missing, every one of them.
    """
    check_table(areas, AREAS)
    rows = areas[areas["class"] == target].reset_index(drop=True)
    rows = rows.assign(region_id=rows["region_id"].astype(str), period=rows["period"].astype(str))
    rows = _with_field(rows, field, target)
    published = _official_table(official)
    rows = rows.merge(published, on=_KEYS, how="left", sort=False)
    estimate = rows["estimated_ha"].astype(float)
    low, high = rows["ci_low_ha"].astype(float), rows["ci_high_ha"].astype(float)
    figure = rows["official_ha"].astype(float)
    value = estimate.fillna(rows["mapped_ha"].astype(float))
    inside = ((figure >= low) & (figure <= high)).astype("boolean")
    reasons = _reasons(rows, published, definition, periods, max_unobserved)
    table = rows.assign(
        difference_ha=value - figure,
        within_interval=inside.mask(low.isna() | figure.isna()),
        official_source=rows["official_source"].fillna(""),
        why_not_comparable=reasons,
    )
    return check_table(table[list(COMPARISON_COLUMNS)], COMPARISON)


def _with_field(rows: pd.DataFrame, field: pd.DataFrame | None, target: str) -> pd.DataFrame:
    if field is None:
        return rows.assign(field_ha=np.nan)
    _check(field, "field", _FIELD, "field_ha")
    own = field[field["class"] == target]
    own = own.assign(**{name: own[name].astype(str) for name in _KEYS})
    sums = own.groupby(_KEYS)["field_ha"].sum().rename("field_ha").reset_index()
    return rows.merge(sums, on=_KEYS, how="left", sort=False)


def _official_table(official: pd.DataFrame | None) -> pd.DataFrame:
    """The official figures with the columns region_id, period, official_ha, official_source and two texts."""
    names = [*_KEYS, "official_ha", "official_source", "official_definition", "official_date"]
    if official is None:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})
    _check(official, "official", _OFFICIAL, "coca_ha")
    if not {"year", "period"} & set(official.columns):
        raise InputError(
            "the official table does not say when", "a column year or period", "neither", "add it"
        )
    when = official["period"] if "period" in official.columns else official["year"]
    empty = pd.Series("", index=official.index)
    return pd.DataFrame(
        {
            "region_id": official["region_id"].astype(str),
            "period": when.astype(str),
            "official_ha": official["coca_ha"].astype(float),
            "official_source": official["source"].astype(str),
            "official_definition": official.get("definition", empty).fillna("").astype(str),
            "official_date": official.get("reference_date", empty).fillna("").astype(str),
        }
    )


def _check(table: pd.DataFrame, name: str, columns: Sequence[str], number: str) -> None:
    problems = [f"no column {c!r}" for c in columns if c not in table.columns]
    if not problems:
        wrong = pd.to_numeric(table[number], errors="coerce").isna() | (table[number].astype(str) == "")
        problems += [f"{number} of region {r} is not a number" for r in table.loc[wrong, "region_id"]]
    if problems:
        raise InputError(
            f"the {name} table cannot be compared",
            f"columns {', '.join(columns)}",
            "; ".join(problems[:10]),
            "mend these rows or columns",
        )


def _reasons(
    rows: pd.DataFrame,
    published: pd.DataFrame,
    definition: str,
    periods: Sequence[Period],
    max_unobserved: float,
) -> list[str]:
    """Per row, in words, why the figures are not the same quantity; "" where nothing is known against it."""
    years = published.groupby("region_id")["period"].agg(lambda values: sorted(set(values)))
    known = {period.name: period for period in periods}
    texts = []
    for row in rows.to_dict("records"):
        reasons = []
        if pd.isna(row["estimated_ha"]):
            reasons.append("no estimate: the difference is of the mapped area")
        elif pd.isna(row["ci_low_ha"]):
            reasons.append("no interval: n too small")
        if pd.isna(row["official_ha"]):
            there = years.get(row["region_id"], [])
            reasons.append(
                f"period differs: official figures are for {', '.join(there)}"
                if there
                else "no official figure for this region"
            )
        else:
            reasons += _official_reasons(row, definition, known.get(row["period"]))
        unobserved = 1 - float(row["observed_fraction"])
        if not unobserved <= max_unobserved:
            reasons.append(f"{100 * unobserved:.1f} % of the region was not observed")
        texts.append("; ".join(reasons))
    return texts


def _official_reasons(row: Mapping[Hashable, Any], definition: str, period: Period | None) -> list[str]:
    reasons = []
    if row["official_definition"] and row["official_definition"] != definition:
        reasons.append(f"definition differs: {row['official_definition']}")
    if row["official_date"]:
        try:
            day = date.fromisoformat(str(row["official_date"])[:10])
        except ValueError:
            return [*reasons, f"reference date {row['official_date']!r} is not a date"]
        if period is not None and not period.start <= day <= period.end:
            reasons.append(
                f"date differs: the official figure is of {day}, the map of {period.start} to {period.end}"
            )
    return reasons
