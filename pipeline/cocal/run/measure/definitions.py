"""Hectares under several definitions of the target, from the same points, and their differences.

A point has one reference class under each definition (`cocal.crosswalk`); the estimates are those of the run.
What one definition counts and another does not is ground that "changes" between two readings of the same
points: the estimator of change gives its interval, with the points' own covariance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from cocal.contracts import ELSEWHERE, OTHER
from cocal.crosswalk import DefinitionSettings, read_crosswalk
from cocal.errors import InputError
from cocal.estimate import estimate_change, paired_difference, with_estimates
from cocal.estimate.settings import CALIBRATED
from cocal.notes import Note, note_column
from cocal.notes.account import record
from cocal.run.measure.domains import TOTAL, estimated_countries, estimated_groups, group_domains
from cocal.run.measure.sampling import EXPANSION, Sample, seen
from cocal.run.measure.task import Definitions, HectaresTask
from cocal.scheme import ClassScheme

_FIGURES = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
_ENDS = ["low_ha", "high_ha", "ci_low_ha", "ci_high_ha"]
DEFINITION_COLUMNS = (
    "level", "id", "name", "country", "period", "definition", "minus", *_FIGURES, "low_ha", "high_ha",
    "n", "n_unknown", "confidence", "interval", "estimator", "notes",
)  # fmt: skip
_KEYS = ["level", "id"]


@dataclass(frozen=True)
class Mapped:
    """areas/1 of one period without estimates: of regions, of countries and all, of groups.

    `members`: the regions of each group; `country`: that of each region.
    """

    areas: pd.DataFrame
    nations: pd.DataFrame
    groups: pd.DataFrame
    members: Mapping[str, list[str]]
    country: pd.Series[str]


def stated_definitions(settings: DefinitionSettings | None, scheme: ClassScheme) -> Definitions | None:
    """The definitions that a configuration asks for, checked against the class scheme; None where it asks for
    none.

    Raises
    ------
    InputError
        They do not fit the crosswalk or the scheme; all problems are listed.
    """
    if settings is None:
        return None
    crosswalk = read_crosswalk(settings.crosswalk)
    problems = [
        f"use: {name!r} is not in the crosswalk" for name in settings.use if name not in crosswalk.ids
    ]
    if crosswalk.target != scheme.target:
        problems.append(f"its target is {crosswalk.target!r}, that of the scheme {scheme.target!r}")
    for definition in crosswalk.definitions:
        own = {key for rule in definition.counts for key in rule.classes}
        named = own if definition.not_counted is None else own | {definition.not_counted}
        strange = sorted(named - set(scheme.keys))
        problems += [f"{definition.id}: class {key!r} is not in the scheme" for key in strange]
    if settings.main is not None and settings.main in crosswalk.ids:
        main = crosswalk[settings.main]
        if main.not_counted in (None, scheme.target):
            problems.append(f"main: {main.id} needs `not_counted`, another class of the scheme")
        if main.missing == "bounded":
            problems.append(f"main: {main.id} has `missing: bounded`; a table has one figure")
    if problems:
        raise InputError(
            f"the definitions of {settings.crosswalk} cannot be used",
            f"definitions among {', '.join(crosswalk.ids)}, in classes of {', '.join(scheme.keys)}",
            "; ".join(problems),
            "correct `definitions:` of the configuration, or the crosswalk",
        )
    return Definitions(crosswalk, settings.use, settings.main)


def with_definitions(task: HectaresTask, records: gpd.GeoDataFrame, matched: pd.DataFrame) -> pd.DataFrame:
    """`matched` with `recorded_class` and, per definition, `counts_<id>`; null if an attribute is missing.

    Under a main definition `reference_class` is the class by this definition.

    Parameters
    ----------
    records : records/1, row by row those of `matched`.

    Raises
    ------
    InputError
        Records that lack an attribute that decides, under a definition that refuses them.
    """
    own = task.definitions
    if own is None:
        return matched
    rows = records.reset_index(drop=True)
    found = matched.assign(recorded_class=matched["reference_class"])
    problems = []
    for name in own.use:
        counts = own.crosswalk.counts(rows, name)
        unknown = counts.isna() & rows["class"].notna()
        found[f"counts_{name}"] = counts.array
        if not unknown.any():
            continue
        lacking = own.crosswalk.lacking(rows, name)
        if own.crosswalk[name].missing == "refused":
            words = ", ".join(f"{attribute} in {n}" for attribute, n in lacking.items())
            problems.append(f"{name}: {int(unknown.sum())} of {len(rows)} records lack {words}")
        else:
            record("attributes_missing", definition=name, n=int(unknown.sum()), of=len(rows),
                   which=sorted(lacking), share=float(unknown.mean()))  # fmt: skip
    if problems:
        raise InputError(
            "records lack what a definition needs",
            f"the attributes that decide, for every record of {own.crosswalk.target!r}",
            "; ".join(problems),
            "complete the columns that `records.columns` names for them, leave the definition out of "
            "`definitions.use`, or state `missing: bounded` in the crosswalk",
        )
    if own.main is not None:
        found["reference_class"] = own.labels(found, own.main)
    return found


def as_recorded(matched: pd.DataFrame) -> pd.DataFrame:
    """`matched` with the classes that the crew wrote, to compare them with those of a second observer."""
    return matched.assign(reference_class=matched.get("recorded_class", matched["reference_class"]))


def definitions_tables(task: HectaresTask, sample: Sample, mapped: Mapped) -> list[pd.DataFrame]:
    """`DEFINITION_COLUMNS` of one period: a row per place and definition, and per place and pair of them; no
    table where the run has no definitions.

    `minus` is the second definition of a difference, "" else. Where records lack attributes (`n_unknown`)
    there is no figure but `low_ha` to `high_ha`, if none and if all of them count, and an interval that holds
    the intervals of both.
    """
    own = task.definitions
    if own is None:
        return []
    unknown = {name: own.unknown(sample.matched, name).to_numpy(bool) for name in own.use}
    read = {
        name: [
            Reading.of(sample, own.labels(sample.matched, name, unknown=counted), mapped)
            for counted in ((False, True) if unknown[name].any() else (False,))
        ]
        for name in own.use
    }
    parts = [
        _bounded([reading.figures for reading in found]).assign(
            definition=name, minus="", n_unknown=int(unknown[name].sum())
        )
        for name, found in read.items()
    ]
    for first, second in combinations(own.use, 2):
        pairs = [(read[first][0], read[second][-1]), (read[first][-1], read[second][0])]
        either, wider = unknown[first] | unknown[second], own.crosswalk.wider(first, second)
        # of the two ends one may count what the other definition has as unknown
        ends = [(*pair, None) for pair in pairs] if either.any() else [(*pairs[0], wider)]
        difference = _bounded([_difference(a, b, mapped, wider=which) for a, b, which in ends])
        if either.any() and wider is not None:
            side = np.maximum if wider == "first" else np.minimum
            difference[_ENDS] = side(difference[_ENDS], 0.0)
        parts.append(difference.assign(definition=first, minus=second, n_unknown=int(either.sum())))
    table = pd.concat(parts, ignore_index=True)
    return [table.reindex(columns=list(DEFINITION_COLUMNS))]


@dataclass(frozen=True)
class Reading:
    """The points of a sample under one definition, and the target's figures by level and place."""

    sample: Sample
    figures: pd.DataFrame

    @classmethod
    def of(cls, sample: Sample, labels: pd.Series[Any], mapped: Mapped) -> Reading:
        """The reading of these labels."""
        own = sample.under(labels)
        return cls(own, _figures(own, mapped, sample.scheme.target))


def _figures(sample: Sample, mapped: Mapped, target: str) -> pd.DataFrame:
    """The target's estimates by level and place, as those of the run."""
    found = seen(sample.estimate(sample.each_region))
    regions = sample.noted(with_estimates(mapped.areas, found), sample.each_region)
    nations = estimated_countries(sample, mapped.nations, mapped.country)
    nations["level"] = np.where(nations["region_id"] == TOTAL, "total", "country")
    parts = [regions.assign(level="region"), nations]
    if mapped.members:
        parts.append(estimated_groups(sample, mapped.groups, mapped.members).assign(level="group"))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["class"] == target].reset_index(drop=True)
    return rows.rename(columns={"region_id": "id", "region_name": "name", "n_reference": "n"})


def _bounded(found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of those in which none and all of the unknown records count; itself where there is one."""
    table = found[0].copy()
    estimated = np.array([own["estimated_ha"] for own in found], dtype=np.float64)
    table["low_ha"], table["high_ha"] = estimated.min(axis=0), estimated.max(axis=0)
    if len(found) > 1:
        table["ci_low_ha"] = np.min([own["ci_low_ha"] for own in found], axis=0)
        table["ci_high_ha"] = np.max([own["ci_high_ha"] for own in found], axis=0)
        table[["estimated_ha", "standard_error_ha"]] = np.nan
    return table


def _difference(
    one: Reading, other: Reading, mapped: Mapped, *, wider: Literal["first", "second"] | None
) -> pd.DataFrame:
    """The figures of one reading minus those of the other; errors and ends by the points of both."""
    first, table = one.sample, one.figures.copy()
    figure = (one.figures["estimated_ha"] - other.figures["estimated_ha"]).to_numpy(np.float64)
    if first.estimator not in (EXPANSION, CALIBRATED):
        why = note_column([(Note("difference_needs_stratified", estimator=first.estimator),)] * len(table),
                          table.index)  # fmt: skip
        empty: Any = dict.fromkeys(_FIGURES[1:], np.nan)
        return table.assign(estimated_ha=figure, **empty, notes=why)
    labels = other.sample.matched["reference_class"]
    domains = {"region": [first.each_region], "country": [mapped.country]}
    domains["total"] = [pd.Series(TOTAL, index=mapped.country.index)]
    domains["group"] = group_domains(mapped.members)
    change = pd.concat(
        [
            paired_difference(_change(first, labels, domain), wider=wider).assign(level=level)
            for level, own in domains.items()
            for domain in own
        ]
    )
    places = (change["class"] == first.scheme.target) & ~change["region"].isin(["", ELSEWHERE])
    own = change[places].rename(columns={"region": "id"})
    paired = table[_KEYS].merge(own, on=_KEYS, how="left", validate="one_to_one")
    return table.assign(
        estimated_ha=figure,
        standard_error_ha=paired["standard_error_ha"].to_numpy(np.float64),
        ci_low_ha=np.minimum(paired["ci_low_ha"].to_numpy(np.float64), figure),
        ci_high_ha=np.maximum(paired["ci_high_ha"].to_numpy(np.float64), figure),
    )


def _change(sample: Sample, other: pd.Series[Any], domain: pd.Series[str]) -> pd.DataFrame:
    """The table of `estimate_change` from the classes `other` of the points to those of `sample`."""
    target, settings = sample.scheme.target, sample.settings
    frame, strata, known = sample.prepared(domain, points=sample.matched.assign(reference_before=other))
    return estimate_change(
        frame.assign(
            reference_before=frame["reference_before"].where(frame["reference_before"] == target, OTHER),
            reference_after=frame["reference_class"].where(frame["reference_class"] == target, OTHER),
        ),
        strata,
        classes=(target, OTHER),
        interval=settings.interval,
        confidence=settings.confidence,
        by_region=True,
        collapse=settings.collapse,
        known=known,
    ).table
