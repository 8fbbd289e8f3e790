"""The measure stage: maps -> hectares per region, country and group, mapped and estimated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.estimate import Estimate, mapped_table, region_areas, with_estimates, write_tables
from cocal.fieldwork import RecordSettings, agreement, read_records, recorded_hectares, response_table
from cocal.notes import note_rows
from cocal.run.execute import Call
from cocal.run.measure.applicability import applicability_stage, applicability_table, with_applicability
from cocal.run.measure.change import change_stage, change_table
from cocal.run.measure.counting import class_maps, counted, regions_source
from cocal.run.measure.counts import tile_counts
from cocal.run.measure.density import density_stage
from cocal.run.measure.domains import (
    caveats,
    country_areas,
    estimated_countries,
    estimated_groups,
    group_areas,
    members_of,
)
from cocal.run.measure.legal import kinds_of, legal_accounts, legal_zone, zone_stage
from cocal.run.measure.sampling import Sample, frame_of, match_period, seen, split_by_period
from cocal.run.state import Run
from cocal.run.tables import given_sha256, write_own_csv
from cocal.store import address, library_versions, source_digest

_CODE = ("estimate", "fieldwork", "regions", "grid", "accuracy")
_OWN_CODE = ("run/measure", "run/worker/mosaic", "run/tables")
_PER_PERIOD = ("hectares", "countries", "groups", "response", "caveats")
_NOTE_KEYS = {
    "hectares": ("region_id", "period", "class"),
    "countries": ("country", "period", "class"),
    "groups": ("region_id", "period", "class"),
    "change": ("region_id", "from_period", "to_period", "quantity"),
    "legal": ("level", "id", "period"),
    "estimates": ("period",),
}
"""Tables with notes -> the columns that name their rows."""


def measure_inputs(run: Run) -> dict[str, Any]:
    """What makes the hectares: maps by address (failed ones too), regions, records, estimator, code."""
    config = run.config
    maps = {f"{period}/{tile.id}": ref.address for (period, tile), ref in run.maps.items()}
    records, estimate, legal, density = config.records, config.estimate, config.legal, config.density
    return {
        "maps": maps,
        "regions": run.base.regions.sha256,
        "groups": config.groups,
        "scheme": run.base.scheme.sha256,
        "periods": [[p.name, str(p.start), str(p.end)] for p in run.periods],
        "records": records and _record_inputs(records),
        "estimate": estimate and estimate.model_dump(mode="json"),
        "legal": legal and legal.model_dump(mode="json", exclude={"zones"}),
        "legal_zones": run.zones and run.zones.sha256,
        "density": density and density.model_dump(mode="json"),
        "code": source_digest(*_CODE, *_OWN_CODE),
        "versions": library_versions(),
    }


def _record_inputs(records: RecordSettings) -> list[Any]:
    files = [given_sha256(records.path, "records.path"), given_sha256(records.strata, "records.strata")]
    return [*files, records.model_dump(mode="json", exclude={"path", "strata"})]


def measure_stage(run: Run) -> None:
    """Hectares per region, country and group; records beside the map; change, legal zones, density."""
    inputs = measure_inputs(run)
    if not run.store.find(":measure", address(inputs)):
        counts, changes = count_stage(run), change_stage(run)
        zones, squares, beyond = zone_stage(run), density_stage(run), applicability_stage(run)

    def write(folder: Path) -> None:
        matched = matched_records(run)
        tables, estimates = hectares_tables(run, counts, beyond, matched)
        warnings = pd.DataFrame(
            {"period": list(estimates), "notes": [e.warnings for e in estimates.values()]}
        )
        texts = {
            name: estimate.to_json_dict() | {"observers": agreement(matched[name], run.base.scheme.target)}
            for name, estimate in estimates.items()
        }
        if changes is not None:
            tables["change"] = change_table(run, changes, matched)
        if zones is not None:
            tables["legal"] = legal_accounts(run, zones, matched)
        if squares is not None:
            tables["density"] = squares
        if run.minimum_unit is not None:
            tables["minimum_unit"] = run.minimum_unit
        write_measures(folder, tables, texts, warnings)

    run.one_unit("measure", inputs, write)


def check_places(run: Run) -> None:
    """Pass if groups, legal zones and limits fit the regions; InputError else, before any pixel is read."""
    members_of(run)
    if run.config.legal:
        kinds_of(run)


def count_stage(run: Run) -> dict[str, NDArray[np.int64]]:
    """Per period (regions, 256) exact areas in 1e-6 m2. Tiles that failed are counted as unobserved."""
    calls = {
        (period.name, tile.id): Call(tile_counts, (tile, path, regions_source(run)))
        for period in run.periods
        for tile, path in class_maps(run, period)
    }
    totals = {p.name: np.zeros((len(run.base.regions), 256), dtype=np.int64) for p in run.periods}
    for (period, _), found in counted(run, "count", calls).items():
        totals[period] += found
    return totals


def hectares_tables(
    run: Run,
    counts: dict[str, NDArray[np.int64]],
    beyond: dict[str, NDArray[np.int64]],
    matched: dict[str, pd.DataFrame],
) -> tuple[dict[str, pd.DataFrame], dict[str, Estimate]]:
    """The tables of hectares and records by name, and the estimate of each period that has one.

    Parameters
    ----------
    counts, beyond : by period, sums of `count_stage` and of `applicability_stage`.
    matched : as from `matched_records`.
    """
    base, members = run.base, members_of(run)
    country = base.regions.table.set_index("region_id")["country"]
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in _PER_PERIOD}
    estimates = {}
    for period in run.periods:
        areas = mapped_table(counts[period.name], base.regions.table, base.scheme, period)
        nations, groups = country_areas(areas), group_areas(areas, members)
        rows = matched.get(period.name)
        if rows is not None:
            parts["response"].append(response_table(rows).assign(period=period.name))
        if rows is not None and run.config.estimate and len(frame_of(rows)):
            sample = Sample(run, rows)
            found = estimates[period.name] = sample.estimate(rows["region_id"])
            parts["caveats"].append(caveats(run, sample, found, areas).assign(period=period.name))
            nations = estimated_countries(sample, nations, country)
            groups = estimated_groups(sample, groups, members)
            areas = with_estimates(areas, seen(found))
        if period.name in beyond:
            areas = with_applicability(areas, beyond[period.name], base.scheme)
        parts["hectares"].append(areas)
        parts["countries"].append(nations.drop(columns=["region_id", "region_name"]))
        if members:
            parts["groups"].append(groups)
    tables = {name: pd.concat(own, ignore_index=True) for name, own in parts.items() if own}
    tables["regions"] = region_areas(counts[run.periods[0].name], base.regions.table)
    if beyond:
        tables["applicability"] = applicability_table(tables["hectares"], base.scheme.target)
    if matched:
        tables["records"] = pd.concat(matched.values(), ignore_index=True)
    return tables, estimates


def write_measures(
    folder: Path,
    tables: dict[str, pd.DataFrame],
    estimates: dict[str, dict[str, Any]],
    warnings: pd.DataFrame,
) -> None:
    """Write the tables, estimates.json and notes.csv into `folder`. `warnings`: period, notes of the estimates."""
    write_tables(folder, tables["hectares"])
    for name, table in tables.items():
        if name != "hectares":
            write_own_csv(folder / f"{name}.csv", table)
    noted = tables | {"estimates": warnings}
    rows = [note_rows(noted[name], name, keys) for name, keys in _NOTE_KEYS.items() if name in noted]
    write_own_csv(folder / "notes.csv", pd.concat(rows, ignore_index=True))
    text = json.dumps(estimates, indent=2, ensure_ascii=False)
    (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")


def matched_records(run: Run) -> dict[str, pd.DataFrame]:
    """Period -> its records beside the map, with `period` and `recorded_ha`; "" those in no period."""
    if run.config.records is None:
        return {}
    records = read_records(run.config.records, run.base.scheme)
    inside, rest = split_by_period(run, records)
    found = {
        period.name: match_period(run, own, period).assign(
            period=period.name, recorded_ha=recorded_hectares(own), legal_zone=legal_zone(run, own)
        )
        for period, own in zip(run.periods, inside, strict=True)
    }
    if len(rest):
        names = ["record_id", "sample_id", "region_id", "stratum", "role", "split"]
        other = pd.DataFrame(rest[names]).assign(period="", status="outside_periods")
        found[""] = other.reindex(columns=next(iter(found.values())).columns)
    return found
