"""Hectares by zone of the law: authorised, protected, neither; beside the limits."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.errors import InputError
from cocal.estimate import Estimate, mapped_table
from cocal.estimate.legal import OUTSIDE, legal_domains, legal_table
from cocal.grid import RESOLUTION_M, pixel_zones, transformer
from cocal.regions import owners_at
from cocal.run.execute import Call
from cocal.run.measure.counting import class_maps, counted, regions_source
from cocal.run.measure.counts import zone_counts
from cocal.run.measure.sampling import Sample, frame_of
from cocal.run.state import Run
from cocal.run.worker.mosaic import Source


def zone_stage(run: Run) -> dict[str, NDArray[np.int64]] | None:
    """Per period (countries, 1 + zones, 256) areas in 1e-6 m2; zone 0 is ground in no zone. None: no zones."""
    if run.config.legal is None or run.zones is None:
        return None
    zones = Source.of(run.config.legal.zones, run.zones)
    countries, country_of = np.unique(run.base.regions.table["country"].astype(str), return_inverse=True)
    calls = {
        (period.name, tile.id): Call(
            zone_counts, (tile, path, regions_source(run), zones, tuple(country_of.tolist()))
        )
        for period in run.periods
        for tile, path in class_maps(run, period)
    }
    shape = (len(countries), len(run.zones) + 1, 256)
    totals = {p.name: np.zeros(shape, dtype=np.int64) for p in run.periods}
    for (period, _), found in counted(run, "legal", calls).items():
        totals[period] += found.reshape(shape)
    return totals


def legal_accounts(
    run: Run, totals: Mapping[str, NDArray[np.int64]], matched: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The target's hectares per zone, kind of zone and limit: see `cocal.estimate.legal_table`.

    Ground in no zone is `outside-` and its country.
    """
    kinds = kinds_of(run)
    assert run.zones is not None
    countries = sorted(set(run.base.regions.table["country"].astype(str)))
    outside = [f"{OUTSIDE}-{country}" for country in countries]
    own = run.zones.table[["region_id", "region_name", "country"]].astype(str)
    rest = pd.DataFrame({"region_id": outside, "region_name": outside, "country": countries})
    places = pd.concat([own, rest], ignore_index=True)
    kind = [kinds.get(zone, OUTSIDE) for zone in places["region_id"]]
    zones = places.rename(columns={"region_id": "zone_id", "region_name": "zone_name"}).assign(kind=kind)
    limits = _limits(run, own["region_id"].tolist())
    mapped, estimates = [], {}
    for period in run.periods:
        found = totals[period.name]
        counts = np.concatenate([found[:, 1:].sum(axis=0), found[:, 0]])
        mapped.append(mapped_table(counts, places, run.base.scheme, period))
        rows = matched.get(period.name)
        if rows is not None and run.config.estimate and len(frame_of(rows)):
            estimates[period.name] = _estimates(run, rows, zones, limits)
    return legal_table(
        pd.concat(mapped, ignore_index=True), estimates, limits, zones=zones, target=run.base.scheme.target
    )


def _estimates(run: Run, rows: pd.DataFrame, zones: pd.DataFrame, limits: pd.DataFrame) -> list[Estimate]:
    """One estimate per partition of the zones; points of no region stay out of all zones."""
    country = run.base.regions.table.set_index("region_id")["country"].astype(str)
    elsewhere = f"{OUTSIDE}-" + rows["region_id"].map(country)
    zone = rows["legal_zone"].where(rows["legal_zone"] != "", elsewhere).where(rows["region_id"].notna())
    sample = Sample(run, rows)
    return [sample.estimate(zone.map(domain)) for domain in legal_domains(zones, limits).values()]


def _limits(run: Run, ids: list[str]) -> pd.DataFrame:
    legal = run.config.legal
    assert legal is not None
    rows = [
        (limit.id, zone, limit.limit_ha, limit.source)
        for limit in legal.limits
        for zone in ids
        if any(fnmatchcase(zone, pattern) for pattern in limit.zones)
    ]
    return pd.DataFrame(rows, columns=["limit", "zone_id", "limit_ha", "source"])


def legal_zone(run: Run, records: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """(n,) id of the zone that holds each record, "" for none."""
    if run.zones is None:
        return np.full(len(records), "", dtype=object)
    found = np.full(len(records), "", dtype=object)
    ids = np.array([*run.zones.table["region_id"].astype(str), ""], dtype=object)
    points = records.geometry.representative_point()
    zone = pixel_zones(points.x, points.y, RESOLUTION_M)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        x, y = transformer(4326, epsg).transform(points.x[here].to_numpy(), points.y[here].to_numpy())
        found[here] = ids[owners_at(run.zones, epsg, x, y, resolution=RESOLUTION_M)]
    return found


def kinds_of(run: Run) -> dict[str, str]:
    """Zone id -> authorised or protected, by the first pattern of `legal.kinds` that fits.

    Raises
    ------
    InputError : zones that no pattern fits, patterns of limits that fit no zone.
    """
    legal = run.config.legal
    assert legal is not None
    assert run.zones is not None
    ids = run.zones.table["region_id"].astype(str).tolist()
    kinds: dict[str, str] = {
        i: k for i in ids for pattern, k in reversed(legal.kinds.items()) if fnmatchcase(i, pattern)
    }
    problems = [f"zone {i!r} has no kind" for i in ids if i not in kinds]
    for limit in legal.limits:
        problems += [
            f"limit {limit.id!r}: no zone fits {pattern!r}"
            for pattern in limit.zones
            if not any(fnmatchcase(i, pattern) for i in ids)
        ]
    if problems:
        raise InputError(
            "`legal:` cannot be used", "a kind for every zone, zones for every limit",
            "; ".join(problems), f"the zones are {', '.join(ids[:8])}{' ...' if len(ids) > 8 else ''}",
        )  # fmt: skip
    return kinds
