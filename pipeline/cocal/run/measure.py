"""The measure stage: maps -> hectares per region and country, mapped and estimated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.config import EstimateSettings
from cocal.contracts import AREA_COLUMNS, UNOBSERVED, Period
from cocal.errors import WorkFailedError
from cocal.estimate import (
    Estimate,
    country_table,
    estimate_areas,
    mapped_table,
    region_areas,
    with_estimates,
    write_tables,
)
from cocal.fieldwork import RecordSettings, match, read_records, read_strata
from cocal.grid import Tile
from cocal.run.execute import Call, Job
from cocal.run.tables import given_sha256
from cocal.run.tiles import tile_counts
from cocal.store import address, library_versions, source_digest

if TYPE_CHECKING:
    from cocal.run.stages import Run

OUTSIDE_MAP, RESOLUTION = 255, 10
MATCHED, TOTAL = "matched", "total"


def measure_inputs(run: Run) -> dict[str, Any]:
    """What makes the hectares: maps by address (failed ones too), regions, records, estimator, code."""
    config = run.config
    maps = {
        f"{period}/{tile.id}": unit.address if unit else "failed" for (period, tile), unit in run.maps.items()
    }
    records, estimate = config.records, config.estimate
    return {
        "maps": maps,
        "regions": run.base.regions.sha256,
        "scheme": run.base.scheme.sha256,
        "periods": [[p.name, str(p.start), str(p.end)] for p in run.periods],
        "records": records and _record_inputs(records),
        "estimate": estimate and estimate.model_dump(mode="json"),
        "code": source_digest("estimate", "fieldwork", "regions", "grid", "run/measure", "run/tiles"),
        "versions": library_versions(),
    }


def _record_inputs(records: RecordSettings) -> list[Any]:
    files = [given_sha256(records.path, "records.path"), given_sha256(records.strata, "records.strata")]
    return [*files, records.model_dump(mode="json", exclude={"path", "strata"})]


def measure_stage(run: Run) -> None:
    """Hectares per region: hectares.csv and .parquet, regions.csv, countries.csv, records, estimates."""
    inputs = measure_inputs(run)
    if run.store.find(":measure", address(inputs)):
        with run.journal.stage("measure", 1) as record:
            run.journal.reused(record, "measure")
        return
    counts = count_stage(run)
    with run.journal.stage("measure", 1) as record, run.store.commit(":measure", inputs) as folder:
        write_measures(run, counts, folder)
        record.made += 1


def count_stage(run: Run) -> dict[str, NDArray[np.int64]]:
    """Per period (regions, 256) exact areas in 1e-6 m2. Tiles that failed are counted as unobserved."""
    regions = run.config.regions.model_dump_json(), run.base.regions.sha256
    jobs, period_of = [], {}
    for (period, tile), unit in run.maps.items():
        path = run.store.home(unit.name) / "class.tif" if unit else None
        name = f"count {period}/{tile.id}"
        period_of[name] = period
        jobs.append(Job(name, (Call(tile_counts, (tile, path, *regions)),)))
    totals = {p.name: np.zeros((len(run.base.regions), 256), dtype=np.int64) for p in run.periods}
    with run.journal.stage("count", len(jobs)) as record:
        for name, outcome in run.work(record, jobs).items():
            if outcome.error:
                raise WorkFailedError(
                    f"the hectares of {name} could not be counted", "a class map as it was committed",
                    outcome.reason, "run again: a damaged map is made anew",
                ) from outcome.error  # fmt: skip
            totals[period_of[name]] += outcome.result
    return totals


def write_measures(run: Run, counts: dict[str, NDArray[np.int64]], folder: Path) -> None:
    """Write every table of the measure stage into `folder`."""
    base = run.base
    records = read_records(run.config.records, base.scheme) if run.config.records else None
    parts, countries, matched, estimates = [], [], [], {}
    for period in run.periods:
        areas = mapped_table(counts[period.name], base.regions.table, base.scheme, period)
        nations = country_areas(areas)
        if records is not None:
            sample = match_period(run, records, period)
            matched.append(sample.assign(period=period.name))
            if run.config.estimate and (sample["status"] == MATCHED).any():
                areas, nations, estimates[period.name] = add_estimates(run, sample, areas, nations)
        parts.append(areas)
        countries.append(nations.drop(columns=["region_id", "region_name"]))
    write_tables(folder, pd.concat(parts, ignore_index=True))
    first = counts[run.periods[0].name]
    _write_csv(region_areas(first, base.regions.table), folder / "regions.csv")
    _write_csv(pd.concat(countries, ignore_index=True), folder / "countries.csv")
    if matched:
        _write_csv(pd.concat(matched, ignore_index=True), folder / "records.csv")
    text = json.dumps(estimates, indent=2, ensure_ascii=False)
    (folder / "estimates.json").write_text(text + "\n", encoding="utf-8")


def country_areas(areas: pd.DataFrame) -> pd.DataFrame:
    """areas/1 with a country, or `total`, in the place of a region; the estimate is still empty."""
    whole = areas.assign(country=TOTAL)
    sums = pd.concat([country_table(areas), country_table(whole)], ignore_index=True)
    empty = areas.iloc[:0].reindex(range(len(sums)))
    known = sums.assign(region_id=sums["country"], region_name=sums["country"])
    texts = dict.fromkeys(("interval", "estimator", "notes"), "")
    return empty.assign(**{str(name): known[name] for name in known}, **texts)[list(AREA_COLUMNS)]


def add_estimates(
    run: Run, sample: pd.DataFrame, areas: pd.DataFrame, nations: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """(areas, nations) with their estimates, and the whole estimate as JSON values.

    Regions and countries are domains of the same design, so each of the two tables adds up to the total.
    """
    settings, keys = run.config.estimate, run.base.scheme.keys
    assert settings is not None
    frame, strata = design_of(run, sample)
    by_region = estimate_domain(frame.assign(region=frame["region_id"]), strata, settings, keys)
    country = run.base.regions.table.set_index("region_id")["country"]
    if "region" in strata.columns:
        strata = strata.assign(region=strata["region"].map(country))
    by_country = estimate_domain(frame.assign(region=frame["region_id"].map(country)), strata, settings, keys)
    assert by_country.regions is not None
    total = by_country.classes.assign(region=TOTAL, n=by_country.n, notes="")
    whole = replace(by_country, regions=pd.concat([by_country.regions, total], ignore_index=True))
    return (
        with_estimates(areas, _seen(by_region)),
        with_estimates(nations, _seen(whole)),
        by_region.to_json_dict(),
    )


def _seen(estimate: Estimate) -> Estimate:
    """The estimate without the class `unobserved`: how much was not seen is known, not estimated."""
    assert estimate.regions is not None
    return replace(estimate, regions=estimate.regions[estimate.regions["class"] != UNOBSERVED])


def design_of(run: Run, sample: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(points of the frame, strata); strata that are crossed with regions get one name each.

    They keep their region, so that the interval of one region does not allow for strata of the others.
    """
    records = run.config.records
    assert records is not None
    assert records.strata is not None
    strata, frame = read_strata(records.strata, sample), frame_of(sample)
    if strata["region_id"].isna().all():
        return frame, strata.drop(columns="region_id")
    strata["stratum"] = strata["stratum"] + " in " + strata["region_id"]
    frame["stratum"] = frame["stratum"] + " in " + frame["region_id"]
    return frame, strata.rename(columns={"region_id": "region"})


def frame_of(sample: pd.DataFrame) -> pd.DataFrame:
    """The points of the observed and unobserved frame: what was not seen is a class of its own.

    So a point on unobserved ground stays in its stratum's n, adds nothing to any class, and the estimate
    covers the observed frame only.
    """
    frame = sample[sample["status"].isin([MATCHED, UNOBSERVED])].copy()
    dark = frame["status"] == UNOBSERVED
    frame.loc[dark, ["map_class", "reference_class"]] = UNOBSERVED
    return frame


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def match_period(run: Run, records: gpd.GeoDataFrame, period: Period) -> pd.DataFrame:
    """The records observed within a period (one without a date in none) beside the map's class there."""
    observed = pd.to_datetime(records["observed_on"])
    inside = records[observed.between(pd.Timestamp(period.start), pd.Timestamp(period.end))]
    lookup = lookup_of(run, period)
    return match(inside, run.base.regions, lookup, scheme=run.base.scheme, resolution=RESOLUTION)


def lookup_of(run: Run, period: Period) -> Callable[..., NDArray[np.uint8]]:
    """A function (epsg, x, y) -> class codes of the period's map; 0 not observed, 255 outside the map."""
    maps = {tile: unit for (name, tile), unit in run.maps.items() if name == period.name}

    def lookup(epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
        codes = np.full(len(x), OUTSIDE_MAP, dtype=np.uint8)
        for tile, unit in maps.items():
            rows, columns, inside = _pixels_in(tile, epsg, x, y)
            if inside.any():
                codes[inside] = 0 if unit is None else _classes(run, tile, unit.name)[rows, columns]
        return codes

    return lookup


def _pixels_in(
    tile: Tile, epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    w = tile.window
    columns = np.floor((x - w.left) / w.resolution).astype(np.int64)
    rows = np.ceil((w.top - y) / w.resolution).astype(np.int64) - 1
    inside = (columns >= 0) & (columns < w.width) & (rows >= 0) & (rows < w.height) & (w.epsg == epsg)
    return rows[inside], columns[inside], inside


def _classes(run: Run, tile: Tile, unit: str) -> NDArray[np.uint8]:
    return read_raster(run.store.home(unit) / "class.tif", tile.window, tile.window.resolution, "uint8")


def estimate_domain(
    frame: pd.DataFrame, strata: pd.DataFrame, settings: EstimateSettings, keys: tuple[str, ...]
) -> Estimate:
    """Estimated hectares by `frame["region"]`."""
    unseen = (frame["map_class"] == UNOBSERVED).any()
    return estimate_areas(
        frame,
        strata,
        classes=(*keys, UNOBSERVED) if unseen else keys,
        estimator=settings.estimator,
        interval=settings.interval,
        confidence=settings.confidence,
        by_region=True,
        collapse=settings.collapse,
    )
