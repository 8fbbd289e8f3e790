"""The tables of a run, from the counts of its maps and its records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.estimate import (
    Estimate,
    density_table,
    mapped_table,
    region_areas,
    with_estimates,
    write_tables,
)
from cocal.fieldwork import agreement, read_records, recorded_hectares, response_table
from cocal.notes import note_rows
from cocal.notes.account import first, part, record
from cocal.run.measure.applicability import applicability_table, with_applicability
from cocal.run.measure.census import record_left_out
from cocal.run.measure.change import change_table
from cocal.run.measure.claims import operation_tables
from cocal.run.measure.counts import Ints, read_counts, squares_of_period
from cocal.run.measure.definitions import Mapped, as_recorded, definitions_tables, with_definitions
from cocal.run.measure.domains import (
    caveats,
    country_areas,
    estimated_countries,
    estimated_groups,
    group_areas,
    map_errors_of,
    members_of,
    missing_facts,
    regions_of_countries,
    shown_regions,
)
from cocal.run.measure.exchange import write_exchange
from cocal.run.measure.frame_area import check_strata
from cocal.run.measure.last import with_last
from cocal.run.measure.legal import legal_accounts, legal_zone
from cocal.run.measure.matching import match_period, split_by_period
from cocal.run.measure.returns import record_other_strata, unanswered
from cocal.run.measure.sampling import Sample, frame_of, seen
from cocal.run.measure.task import HectaresTask
from cocal.run.tables import write_own_csv

_PER_PERIOD = (
    "hectares", "countries", "groups", "response", "caveats", "map_errors", "shown_regions", "definitions",
)  # fmt: skip
_PLACES = {
    "hectares": "region_id",
    "countries": "country",
    "groups": "region_id",
    "shown_regions": "region_id",
}
"""Tables that state the figure before -> the column of their places."""

_NOTE_KEYS = {
    "hectares": ("region_id", "period", "class"),
    "countries": ("country", "period", "class"),
    "groups": ("region_id", "period", "class"),
    "change": ("region_id", "from_period", "to_period", "quantity"),
    "legal": ("level", "id", "period"),
    "definitions": ("level", "id", "period", "definition", "minus"),
    "operation_sums": ("level", "id", "period"),
    "estimates": ("period",),
}
"""Tables with notes -> the columns that name their rows."""


def write_hectares(folder: Path, _: Sequence[Any], task: HectaresTask) -> None:
    """Write all tables of the measure stage, estimates.json and notes.csv into `folder`."""
    counts, matched = read_counts(task.counts), matched_records(task)
    samples = samples_of(task, counts, matched)
    tables, estimates = hectares_tables(task, counts, matched, samples)
    if task.census is not None:
        record_left_out(task.census, task.periods, counts["drawn"])
    if "change" in counts:
        tables["change"] = change_table(task, counts, matched)
    if "zones" in counts:
        tables["legal"] = legal_accounts(task, counts["zones"], samples)
    if task.operations is not None:
        tables |= operation_tables(task, matched)
    if task.density is not None:
        tables["density"] = _density(task, counts)
    if task.minimum_unit is not None:
        tables["minimum_unit"] = task.minimum_unit.table()
    write_measured(folder, tables, estimates)
    write_exchange(folder, task, counts, matched, samples)
    facts = {
        name: estimate.to_json_dict()
        | {"observers": agreement(as_recorded(matched[name]), task.scheme.target)}
        | {"missing": missing_facts(task, tables["caveats"], name)}
        for name, estimate in estimates.items()
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")


def write_measured(folder: Path, tables: dict[str, pd.DataFrame], estimates: dict[str, Estimate]) -> None:
    """Write the tables by name, and the notes of their rows and of the estimates as notes.csv."""
    write_tables(folder, tables["hectares"])
    for name, table in tables.items():
        if name != "hectares":
            write_own_csv(folder / f"{name}.csv", table)
    warnings = pd.DataFrame({"period": list(estimates), "notes": [e.warnings for e in estimates.values()]})
    noted = tables | {"estimates": warnings}
    rows = [note_rows(noted[name], name, keys) for name, keys in _NOTE_KEYS.items() if name in noted]
    write_own_csv(folder / "notes.csv", pd.concat(rows, ignore_index=True))


def _density(task: HectaresTask, counts: Mapping[str, Ints]) -> pd.DataFrame:
    """The squares of every period, as from `density_table`."""
    assert task.density is not None
    cell_m, regions = task.density.cell_m, task.regions.table
    parts = [
        density_table(squares_of_period(counts, i), regions, cell_m=cell_m, period=period.name)
        for i, period in enumerate(task.periods)
    ]
    return pd.concat(parts, ignore_index=True)


def samples_of(
    task: HectaresTask, counts: Mapping[str, Ints], matched: Mapping[str, pd.DataFrame]
) -> dict[str, Sample]:
    """Period name -> its sample; empty without `estimate:`.

    Periods without a visited point are left out, and those of whose sample too little has come back yet.
    """
    found = {}
    for i, period in enumerate(task.periods):
        rows = matched.get(period.name)
        if rows is not None and task.estimate and len(frame_of(rows)):
            cells = counts.get("strata")
            sample = Sample(task, rows, None if cells is None else cells[cells[:, 0] == i])
            if not _awaits_points(sample, period.name):
                found[period.name] = sample
    return found


def _awaits_points(sample: Sample, period: str) -> bool:
    """True if strata of a drawn sample wait for the points without which there is no estimate: recorded."""
    if sample.preliminary is None or not sample.joined or sample.settings.collapse:
        return False
    frame, strata, _ = sample.prepared(sample.each_region)
    late = unanswered(frame, strata)
    if late:
        record("estimate_awaits_points", period=period, n=len(late), strata=first(late))
    return bool(late)


def hectares_tables(
    task: HectaresTask,
    counts: Mapping[str, Ints],
    matched: Mapping[str, pd.DataFrame],
    samples: Mapping[str, Sample],
) -> tuple[dict[str, pd.DataFrame], dict[str, Estimate]]:
    """The tables of hectares and records by name, and the estimate of each period that has one.

    Parameters
    ----------
    counts : as from `read_counts`.
    matched, samples : as from `matched_records`, `samples_of`.
    """
    regions, scheme = task.regions.table, task.scheme
    members = members_of(task.regions, dict(task.groups))
    country = regions.set_index("region_id")["country"]
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in _PER_PERIOD}
    estimates = {}
    for i, period in enumerate(task.periods):
        areas = mapped_table(counts["areas"][i], regions, scheme, period)
        nations, groups = country_areas(areas), group_areas(areas, members)
        rows, sample = matched.get(period.name), samples.get(period.name)
        if rows is not None:
            parts["response"].append(response_table(rows).assign(period=period.name))
        if sample is not None:
            check_strata(task, sample)
            found = estimates[period.name] = sample.estimate(sample.each_region)
            parts["caveats"].append(caveats(task, sample, found, areas).assign(period=period.name))
            parts["definitions"] += definitions_tables(
                task, sample, Mapped(areas, nations, groups, members, country)
            )
            parts["map_errors"].append(map_errors_of(sample, country).assign(period=period.name))
            nations = estimated_countries(sample, nations, country)
            groups = estimated_groups(sample, groups, members)
            areas = sample.noted(with_estimates(areas, seen(found)), sample.each_region)
        if task.publishes_regions:
            shown = shown_regions(task, areas, counts["plots"][i].tolist(), sample)
            parts["shown_regions"].append(shown)
        if "beyond" in counts:
            areas = with_applicability(areas, counts["beyond"][i], scheme)
        parts["hectares"].append(areas)
        parts["countries"].append(nations.drop(columns=["region_id", "region_name"]))
        if members:
            parts["groups"].append(groups)
    tables = {name: pd.concat(own, ignore_index=True) for name, own in parts.items() if own}
    for name, by in _PLACES.items():
        if name in tables:
            tables[name] = with_last(
                tables[name], task.periods, task.official_table(), target=scheme.target, by=by,
                members=regions_of_countries(country) if name == "countries" else None,
            )  # fmt: skip
    tables["regions"] = region_areas(counts["areas"][0], regions)
    bare = regions.loc[counts["areas"][0].sum(axis=1) == 0, "region_id"]
    if len(bare):
        record("regions_without_pixel", **part(bare, len(regions)))
    if "beyond" in counts:
        tables["applicability"] = applicability_table(tables["hectares"], scheme.target)
    if matched:
        tables["records"] = pd.concat(matched.values(), ignore_index=True)
    return tables, estimates


def matched_records(task: HectaresTask) -> dict[str, pd.DataFrame]:
    """Period -> its records beside the map, with `period` and `recorded_ha`; "" those in no period."""
    if task.records is None:
        return {}
    records = read_records(task.records, task.scheme)
    if records.attrs["unread"]:
        record("record_columns_unread", columns=records.attrs["unread"])
    for note in records.attrs["asked"]:
        record(note.code, **note.values)
    inside, rest = split_by_period(task, records)
    for period, own in zip(task.periods, inside, strict=True):
        record_other_strata(task.records, own, period)
    found = {
        period.name: with_definitions(task, own, match_period(task, own, period)).assign(
            period=period.name, recorded_ha=recorded_hectares(own), legal_zone=legal_zone(task.zones, own)
        )
        for period, own in zip(task.periods, inside, strict=True)
    }
    if len(rest):
        record("records_in_no_period", **part(rest["record_id"], len(records)))
        names = ["record_id", "sample_id", "region_id", "stratum", "role", "split"]
        other = pd.DataFrame(rest[names]).assign(period="", status="outside_periods")
        found[""] = other.reindex(columns=next(iter(found.values())).columns)
    return found
