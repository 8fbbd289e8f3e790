"""Hectares by legal zone beside legal limits: sums and intervals, no verdicts.

A zone has a kind: authorised (the state allows coca there, up to a limit), protected (a park or reserve), or
one that the user names. Presence is not illegality: rights of use, registers and agreements decide about a
plot, and no map holds them. An estimate minus a limit is a difference of two sums and points to no ground.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cocal.contracts import AREAS, UNOBSERVED, check_table
from cocal.errors import InputError
from cocal.estimate.result import Estimate
from cocal.estimate.settings import AUTHORISED, KIND_NAMES, OTHER, OUTSIDE, PROTECTED, Names
from cocal.notes import Note, note_column

LEGAL_COLUMNS = (
    "level", "id", "name", "kind", "kind_es", "kind_en", "period", "mapped_ha", "estimated_ha",
    "standard_error_ha", "ci_low_ha", "ci_high_ha", "n", "confidence", "interval", "estimator",
    "observed_fraction", "limit_ha",
    "over_limit_ha", "over_limit_low_ha", "over_limit_high_ha", "limit_lies", "source", "notes",
)  # fmt: skip

_ZONES = ("zone_id", "zone_name", "kind")
_LIMITS = ("limit", "zone_id", "limit_ha", "source")
_FIGURES = {
    "region": "id", "area_ha": "estimated_ha", "standard_error_ha": "standard_error_ha",
    "ci_low_ha": "ci_low_ha", "ci_high_ha": "ci_high_ha", "n": "n",
}  # fmt: skip
_STATED_SHARE = 0.0005
"""A smaller unobserved share would be written as 0.0 %."""


def legal_domains(zones: pd.DataFrame, limits: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The partitions of the zones that `legal_table` wants estimates of: zone_id -> domain, by name.

    `zone` (each zone by itself), `kind`, and one per limit, whose domains are the limit and `OTHER`. The
    zones of a group are one domain of the design, since the variances of zones do not add up: estimate
    each partition by `estimate_areas` with the domain of a point's zone as its region.
    """
    _check(zones, limits)
    ids = zones["zone_id"].astype(str).tolist()
    domains = {"zone": dict(zip(ids, ids, strict=True))}
    domains["kind"] = dict(zip(ids, zones["kind"], strict=True))
    for limit, rows in limits.groupby("limit", sort=False):
        inside = set(rows["zone_id"].astype(str))
        domains[str(limit)] = {zone: str(limit) if zone in inside else OTHER for zone in ids}
    return domains


def legal_table(
    mapped: pd.DataFrame,
    estimates: Mapping[str, Sequence[Estimate]],
    limits: pd.DataFrame,
    *,
    zones: pd.DataFrame,
    target: str,
    names: Mapping[str, Names] = KIND_NAMES,
) -> pd.DataFrame:
    """`LEGAL_COLUMNS`: a row per period and zone, kind and limit (`level`), of the class `target`.

    Parameters
    ----------
    mapped : areas/1 with the zones as regions, every class; only what is mapped is used.
    estimates : by period, one `Estimate` with regions per partition of `legal_domains`; those that are not
        there leave their rows without an estimate.
    limits : limit, zone_id, limit_ha, source: a row per zone that counts under the limit. A zone may count
        under several.
    zones : zone_id, zone_name, kind. Each ground is in one zone.
    target : the class that the limits speak of.
    names : kind -> its names, `kind_es` and `kind_en` of the rows.

    Returns
    -------
    `limit_lies` is "below", "within" or "above" (the interval), "n_too_small" (no interval) or "no_estimate";
    "" where the row is no limit. `over_limit_*` are the estimate and its
    interval minus `limit_ha`; `kind` of a limit lists the kinds of its zones, joined by "+".

    Raises
    ------
    InputError : zones, limits and map that do not fit together, everything at once.
    """
    check_table(mapped, AREAS)
    mapped = mapped.assign(zone_id=mapped["region_id"].astype(str), period=mapped["period"].astype(str))
    _check(zones, limits, set(mapped["zone_id"]), names)
    rows = _sums(mapped, _groups(zones, limits), target)
    rows = rows.merge(_figures(estimates, target), on=["id", "period"], how="left", sort=False)
    limit = rows["limit_ha"]
    notes = [_notes(row, sampled=bool(estimates.get(row["period"]))) for row in rows.to_dict("records")]
    table = rows.assign(
        n=rows["n"].astype("Int64"),
        over_limit_ha=rows["estimated_ha"] - limit,
        over_limit_low_ha=rows["ci_low_ha"] - limit,
        over_limit_high_ha=rows["ci_high_ha"] - limit,
        limit_lies=[_limit_lies(row) for row in rows.to_dict("records")],
        notes=note_column(notes, rows.index),
        kind_es=[" + ".join(names[k].es for k in kinds.split("+")) for kinds in rows["kind"]],
        kind_en=[" + ".join(names[k].en for k in kinds.split("+")) for kinds in rows["kind"]],
        **{name: rows[name].fillna("") for name in ("interval", "estimator", "source")},
    )
    return table[list(LEGAL_COLUMNS)]


def _groups(zones: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """level, id, name, kind, limit_ha, source, zone_id: a row per member of each zone, kind and limit."""
    zones = zones.assign(**{name: zones[name].astype(str) for name in _ZONES})
    single = zones.assign(level="zone", id=zones["zone_id"], name=zones["zone_name"])
    kinds = zones.assign(level="kind", id=zones["kind"], name=zones["kind"])
    order = _order(zones["kind"])
    kinds = kinds.sort_values("kind", key=lambda kind: kind.map(order.index), kind="stable")
    under = limits[list(_LIMITS)].astype({"zone_id": str, "limit": str, "limit_ha": float})
    under = under.merge(zones, on="zone_id")
    joined = under.groupby("limit")["kind"].agg(lambda kinds: "+".join(k for k in order if k in set(kinds)))
    names = under["limit"]
    under = under.assign(level="limit", id=names, name=names, kind=names.map(joined))
    groups = pd.concat([single, kinds, under], ignore_index=True)
    if limits.empty:
        groups = groups.assign(limit_ha=np.nan, source="")
    return groups[["level", "id", "name", "kind", "limit_ha", "source", "zone_id"]]


def _order(kinds: pd.Series[str]) -> list[str]:
    """The kinds in the order of the table: authorised, protected, others as they come, outside."""
    there = dict.fromkeys([AUTHORISED, PROTECTED, *kinds.astype(str)])
    there.pop(OUTSIDE, None)
    return [*there, OUTSIDE]


def _sums(mapped: pd.DataFrame, groups: pd.DataFrame, target: str) -> pd.DataFrame:
    """The groups, once per period, with mapped_ha (exact if the map's hectares are) and observed_fraction."""
    keys = ["level", "id", "name", "kind", "limit_ha", "source", "period"]
    hectares = mapped["mapped_ha"]
    cells = mapped[["zone_id", "period"]].assign(
        mapped_ha=hectares.where(mapped["class"] == target, 0),
        unseen_ha=hectares.where(mapped["class"] == UNOBSERVED, 0),
        whole_ha=hectares,
    )
    sums = groups.merge(cells, on="zone_id").groupby(keys, sort=False, dropna=False).sum(numeric_only=False)
    whole, unseen = sums["whole_ha"].astype(float), sums["unseen_ha"].astype(float)
    seen = (1.0 - unseen / whole).where(whole > 0)
    return sums[["mapped_ha"]].assign(observed_fraction=seen).reset_index()


def _figures(estimates: Mapping[str, Sequence[Estimate]], target: str) -> pd.DataFrame:
    """id, period and the figures of each domain of each estimate."""
    names = [*_FIGURES.values(), "period", "confidence", "interval", "estimator"]
    parts = [pd.DataFrame(columns=names).astype({name: float for name in names if name.endswith("_ha")})]
    for period, several in estimates.items():
        for estimate in several:
            if estimate.regions is None:
                continue
            own = estimate.regions[estimate.regions["class"] == target].rename(columns=_FIGURES)
            own = own[own["id"] != OTHER][list(_FIGURES.values())]
            parts.append(
                own.assign(
                    period=str(period), confidence=estimate.confidence, interval=estimate.interval,
                    estimator=estimate.estimator,
                )
            )  # fmt: skip
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _limit_lies(row: Mapping[Any, Any]) -> str:
    if row["level"] != "limit":
        return ""
    if pd.isna(row["estimated_ha"]):
        return "no_estimate"
    if pd.isna(row["ci_low_ha"]) or pd.isna(row["ci_high_ha"]):
        return "n_too_small"
    if row["limit_ha"] < row["ci_low_ha"]:
        return "below"
    return "above" if row["limit_ha"] > row["ci_high_ha"] else "within"


def _notes(row: Mapping[Any, Any], *, sampled: bool) -> tuple[Note, ...]:
    """Limits of a row's figures, in neutral words."""
    notes = []
    if pd.isna(row["estimated_ha"]):
        notes.append(Note("n_too_small_no_point_here") if sampled else Note("no_estimate"))
    elif pd.isna(row["ci_low_ha"]):
        notes.append(Note("n_too_small"))
    unobserved = 1 - row["observed_fraction"]
    if unobserved >= _STATED_SHARE:
        notes.append(Note("zone_unobserved", share=unobserved))
    kinds = row["kind"].split("+")
    if kinds != [AUTHORISED]:
        notes.append(Note("presence_not_illegality"))
    if PROTECTED in kinds:
        notes.append(Note("protected_not_verdict"))
    if row["level"] == "limit":
        notes.append(Note("limit_difference"))
    return tuple(notes)


def _check(
    zones: pd.DataFrame,
    limits: pd.DataFrame,
    mapped: set[str] | None = None,
    names: Mapping[str, Names] | None = None,
) -> None:
    problems = [f"zones have no column {name!r}" for name in _ZONES if name not in zones.columns]
    problems += [f"limits have no column {name!r}" for name in _LIMITS if name not in limits.columns]
    if not problems:
        problems = _problems(zones, limits, mapped)
        if names is not None:
            kinds = sorted(set(zones["kind"]) - set(names))
            problems += [f"the kind {kind!r} of a zone has no names" for kind in kinds]
    if problems:
        raise InputError(
            "the legal accounting cannot be made",
            "zones of named kinds, each once, and limits that name them",
            "; ".join(problems[:10]),
            "fix the tables of zones and limits",
        )


def _problems(zones: pd.DataFrame, limits: pd.DataFrame, mapped: set[str] | None) -> list[str]:
    ids, kinds = zones["zone_id"].astype(str), zones["kind"]
    names, counted = limits["limit"].astype(str), limits["zone_id"].astype(str)
    known = set(ids)
    twice = pd.DataFrame({"limit": names, "zone": counted})
    problems = [f"zone {zone} stands twice" for zone in _repeated(ids)]
    problems += [f"limits name the zone {zone}, which is not there" for zone in sorted(set(counted) - known)]
    problems += [
        f"zone {row.zone} stands twice under {row.limit}" for row in twice[twice.duplicated()].itertuples()
    ]
    number = pd.to_numeric(limits["limit_ha"], errors="coerce")
    problems += [f"limit_ha of {name} is no area" for name in sorted(set(names[~(number >= 0)]))]
    stated = limits.assign(limit=names)[["limit", "limit_ha", "source"]].drop_duplicates()
    problems += [f"limit {name} has several hectares or sources" for name in _repeated(stated["limit"])]
    taken = pd.Series([*known, *_order(kinds), OTHER, *set(names)], dtype=object)
    problems += [f"the name {name!r} is taken twice" for name in _repeated(taken)]
    if mapped is not None:
        problems += [f"zone {zone} is not on the map" for zone in sorted(known - mapped)]
        problems += [f"the map's zone {zone} has no kind" for zone in sorted(mapped - known)]
    return problems


def _repeated(names: pd.Series) -> list[str]:
    return sorted(set(names[names.duplicated()]))
