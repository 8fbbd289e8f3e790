"""Hectares of one period by region, country and group of regions, with what could change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import AREA_COLUMNS, ELSEWHERE, UNOBSERVED
from cocal.errors import InputError
from cocal.estimate import Estimate, country_table, missing_tilt, sensitivity_band, with_estimates
from cocal.estimate.disclosure import shown_hectares
from cocal.estimate.settings import BY_POINTS
from cocal.fieldwork import MATCHED, NOT_VISITED, UNCERTAIN
from cocal.notes import note_column
from cocal.regions import Regions
from cocal.run.measure.sampling import Sample, seen
from cocal.run.measure.task import HectaresTask

MAP_ERRORS = (
    "omission", "omission_low", "omission_high", "commission", "commission_low", "commission_high",
    "n_reference", "n_mapped",
)  # fmt: skip

TOTAL = "total"
"""The name of the whole in the place of a country."""


def members_of(regions: Regions, groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Group of `groups:` -> ids of its regions, in their order.

    Raises
    ------
    InputError : patterns that no region fits, or a group called like a region.
    """
    ids = regions.table["region_id"].astype(str).tolist()
    found = {
        group: [i for i in ids if any(fnmatchcase(i, pattern) for pattern in patterns)]
        for group, patterns in groups.items()
    }
    problems = [
        f"groups.{group}: no region fits {pattern!r}"
        for group, patterns in groups.items()
        for pattern in patterns
        if not any(fnmatchcase(i, pattern) for i in ids)
    ]
    problems += [f"groups.{group}: that is the id of a region" for group in found if group in ids]
    if problems:
        raise InputError(
            "`groups:` cannot be used", "id of a group: region ids, or patterns such as PE-21*",
            "; ".join(problems), f"the regions are {', '.join(ids[:8])}{' ...' if len(ids) > 8 else ''}",
        )  # fmt: skip
    return found


def summed(areas: pd.DataFrame, column: str) -> pd.DataFrame:
    """areas/1 of what `column` names, in the place of regions; the estimate is still empty."""
    sums = country_table(areas.assign(country=areas[column]))
    known = sums.assign(region_id=sums["country"], region_name=sums["country"])
    empty = areas.iloc[:0].reindex(range(len(sums)))
    texts = {str(name): known[name] for name in known} | dict.fromkeys(
        ("interval", "estimator", "last_source"), ""
    )
    notes = note_column([()] * len(sums), empty.index)
    return empty.assign(**texts, notes=notes)[list(AREA_COLUMNS)]


def country_areas(areas: pd.DataFrame) -> pd.DataFrame:
    """areas/1 with countries, and last the total, in the place of regions."""
    return pd.concat(
        [summed(areas, "country"), summed(areas.assign(country=TOTAL), "country")], ignore_index=True
    )


def regions_of_countries(country: pd.Series[str]) -> dict[str, list[str]]:
    """Country, and the total -> its regions; `country` by region_id."""
    own = {str(name): list(rows.index) for name, rows in country.groupby(country)}
    return own | {TOTAL: list(country.index)}


def group_areas(areas: pd.DataFrame, members: Mapping[str, list[str]]) -> pd.DataFrame:
    """areas/1 with groups in the place of regions; groups may share regions."""
    parts = []
    for group, inside in members.items():
        rows = areas[areas["region_id"].astype(str).isin(inside)]
        countries = rows["country"].dropna().unique()
        own = summed(rows.assign(group=group), "group")
        parts.append(own.assign(country=countries[0] if len(countries) == 1 else ""))
    return pd.concat(parts, ignore_index=True) if parts else areas.iloc[:0]


def estimated_countries(sample: Sample, nations: pd.DataFrame, country: pd.Series[str]) -> pd.DataFrame:
    """`country_areas` with estimates; `country` by region_id."""
    found = sample.estimate(country)
    assert found.regions is not None
    notes = note_column([()] * len(found.classes), found.classes.index)
    whole = found.classes.assign(region=TOTAL, n=found.n, notes=notes)
    both = replace(found, regions=pd.concat([found.regions, whole], ignore_index=True))
    nations = with_estimates(nations, seen(both))
    parts = [
        sample.noted(nations[nations["region_id"] != TOTAL], country),
        sample.noted(nations[nations["region_id"] == TOTAL], pd.Series(TOTAL, index=country.index)),
    ]
    return pd.concat(parts, ignore_index=True)


def estimated_groups(sample: Sample, groups: pd.DataFrame, members: Mapping[str, list[str]]) -> pd.DataFrame:
    """`group_areas` with estimates, each group a domain of the design."""
    parts = []
    for domain in group_domains(members):
        rows = groups[groups["region_id"].isin(domain)]
        parts.append(sample.noted(with_estimates(rows, seen(sample.estimate(domain))), domain))
    return pd.concat(parts).sort_index(ignore_index=True) if parts else groups


def group_domains(members: Mapping[str, list[str]]) -> list[pd.Series[str]]:
    """Region -> its group, in few sets of domains, each of groups that share no region."""
    return [
        pd.Series({region: group for group in apart for region in members[group]}, dtype=object)
        for apart in _apart(members)
    ]


def map_errors_of(sample: Sample, country: pd.Series[str]) -> pd.DataFrame:
    """Omission and commission of the target: level (total, country, region), id, and `MAP_ERRORS`."""
    by_region, by_country = sample.map_errors(sample.each_region), sample.map_errors(country)
    parts = [
        by_region[by_region["region"] == ""].assign(level=TOTAL, region=TOTAL),
        by_country[by_country["region"] != ""].assign(level="country"),
        by_region[by_region["region"] != ""].assign(level="region"),
    ]
    found = pd.concat(parts, ignore_index=True).rename(columns={"region": "id"})
    settings = sample.settings
    found = found.assign(
        **{"class": sample.scheme.target}, confidence=settings.confidence, interval=settings.interval
    )
    return found[["level", "id", "class", *MAP_ERRORS, "confidence", "interval"]]


def _apart(members: Mapping[str, list[str]]) -> list[list[str]]:
    """The groups in few lists, in none of which two share a region: each list is one set of domains.

    Examples
    --------
    >>> _apart({"north": ["a", "b"], "all": ["a", "b", "c"], "south": ["c"]})
    [['north', 'south'], ['all']]
    """
    lists: list[tuple[list[str], set[str]]] = []
    for group, regions in members.items():
        names, taken = next((own for own in lists if own[1].isdisjoint(regions)), ([], set()))
        if not names:
            lists.append((names, taken))
        names.append(group)
        taken.update(regions)
    return [names for names, _ in lists]


def shown_regions(
    task: HectaresTask, areas: pd.DataFrame, plots: Sequence[int], sample: Sample | None
) -> pd.DataFrame:
    """areas/1 of the regions that pass the disclosure rule, and of the shown regions of each larger place.

    `level` is "region", "group" or "country" (the whole too, as a country). Nothing of a region that is not
    shown is in any figure, so that none follows from their differences.

    Parameters
    ----------
    areas : of the regions, with their estimates.
    plots : number of plots of each region, in the order of the regions.
    sample : None where nothing is estimated.
    """
    assert task.density is not None
    own = areas[areas["class"] == task.scheme.target].reset_index(drop=True)
    counted = dict(zip(task.regions.table["region_id"].astype(str), plots, strict=True))
    hectares = shown_hectares(
        own.assign(plots=own["region_id"].astype(str).map(counted)), task.density.min_plots
    )
    shown = own.loc[hectares.notna(), ["region_id", "country"]].astype(str)
    countries = {str(c): rows["region_id"].tolist() for c, rows in shown.groupby("country")}
    countries |= {TOTAL: shown["region_id"].tolist()}
    groups = members_of(task.regions, dict(task.groups))
    parts = [areas[areas["region_id"].isin(shown["region_id"])].assign(level="region")]
    for level, members in (("group", groups), ("country", countries)):
        inside = {name: [i for i in ids if i in set(shown["region_id"])] for name, ids in members.items()}
        inside = {name: ids for name, ids in inside.items() if ids}
        sums = group_areas(areas, inside)
        parts.append((estimated_groups(sample, sums, inside) if sample else sums).assign(level=level))
    return pd.concat(parts, ignore_index=True)


def caveats(task: HectaresTask, sample: Sample, found: Estimate, areas: pd.DataFrame) -> pd.DataFrame:
    """What else the target's hectares could be, per region and, region_id "", in all.

    - `missing_low_ha` to `missing_high_ha`: the estimate if no point that was not visited were the target,
      and if all were; `missing_ci_low_ha`, `missing_ci_high_ha`: the outer ends of their intervals
    - `tilt_low_ha` to `tilt_high_ha`: the estimate if the odds of the target among points that were not
      visited were 1 / T and T times those among the visited, T = `missing_odds`, given what the map shows
      there; wide enough to hold the estimate
    - `reference_low_ha`, `reference_high_ha`: the interval widened by errors of the observers within the
      ranges of `estimate.reference_error`; empty where none are stated
    """
    target = task.scheme.target
    low, high = (
        sample.estimate(sample.each_region, points=sample.with_missing(target=t)) for t in (False, True)
    )
    tables = [_of_target(e, target) for e in (found, low, high)]
    table = tables[0].assign(
        missing_low_ha=tables[1]["estimated_ha"],
        missing_high_ha=tables[2]["estimated_ha"],
        missing_ci_low_ha=tables[1]["ci_low_ha"],
        missing_ci_high_ha=tables[2]["ci_high_ha"],
    )
    frame = areas[areas["class"] != UNOBSERVED].groupby("region_id")["mapped_ha"].sum().astype(float)
    frame[""] = frame.sum()
    most, estimated = (
        own.to_numpy(np.float64) for own in (frame.reindex(table.index), table["estimated_ha"])
    )
    at_random, less, more = _tilts(sample, table.index)
    beside = np.where(sample.settings.estimator in BY_POINTS, 0.0, estimated - at_random)
    table["tilt_low_ha"] = np.clip(np.fmin(beside + less, estimated), 0, most)
    table["tilt_high_ha"] = np.clip(np.fmax(beside + more, estimated), 0, most)
    bands = [_band(task, row, frame.get(key, np.nan)) for key, row in table.iterrows()]
    table[["reference_low_ha", "reference_high_ha"]] = np.array(bands, dtype=float).reshape(-1, 2)
    return table.rename_axis("region_id").reset_index()


def missing_facts(task: HectaresTask, table: pd.DataFrame, period: str) -> dict[str, Any]:
    """The target's bands of the whole, of the rows of `caveats` of a period, ha, with the odds ratio."""
    assert task.estimate is not None
    row = table[(table["period"] == period) & (table["region_id"] == "")].iloc[0]
    names = ("missing_low_ha", "missing_high_ha", "tilt_low_ha", "tilt_high_ha")
    bands = {name: round(float(row[name]), 9) for name in names}
    return {"class": task.scheme.target, "odds": task.estimate.missing_odds, **bands}


def _tilts(sample: Sample, regions: pd.Index[Any]) -> list[NDArray[np.float64]]:
    """The target's hectares in each of `regions`, "" the whole, as from `missing_tilt`."""
    rows, target = sample.matched, sample.scheme.target
    keys = ["stratum", "region_id"] if sample.crossed else ["stratum"]
    named, own = (pd.MultiIndex.from_frame(table[keys].astype(str)) for table in (sample.strata, rows))
    missing = rows["status"] == NOT_VISITED
    on_map = rows["region_id"].notna() & (
        rows["status"].isin([MATCHED, UNCERTAIN]) | (missing & rows["map_class"].notna())
    )
    place = regions.get_indexer(pd.Index(rows["region_id"].fillna(ELSEWHERE)))
    hectares = missing_tilt(
        named.get_indexer(own),
        np.where(on_map, (rows["map_class"] == target).fillna(False), -1).astype(np.int64),
        np.where(place < 0, len(regions), place),
        np.where(missing, np.nan, rows["reference_class"] == target),
        area_ha=sample.strata["area_ha"].to_numpy(np.float64),
        odds=sample.settings.missing_odds,
    )
    found = [np.pad(own, (0, len(regions) + 1 - len(own))) for own in hectares]
    return [np.where(regions == "", own.sum(), own[:-1]) for own in found]


def _of_target(estimate: Estimate, target: str) -> pd.DataFrame:
    """estimated_ha, ci_low_ha, ci_high_ha of the target by region, "" the whole."""
    assert estimate.regions is not None
    whole = estimate.classes.assign(region="")
    rows = pd.concat([whole, estimate.regions], ignore_index=True)
    rows = rows[(rows["class"] == target) & (rows["region"] != ELSEWHERE)].set_index("region")
    return rows[["area_ha", "ci_low_ha", "ci_high_ha"]].rename(columns={"area_ha": "estimated_ha"})


def _band(task: HectaresTask, row: pd.Series[Any], frame_ha: float) -> tuple[float, float]:
    assert task.estimate is not None
    error = task.estimate.reference_error
    if error is None or pd.isna(row["ci_low_ha"]) or pd.isna(frame_ha):
        return np.nan, np.nan
    return sensitivity_band(
        row["ci_low_ha"], row["ci_high_ha"], frame_ha,
        sensitivity=error.sensitivity, specificity=error.specificity,
    )  # fmt: skip
