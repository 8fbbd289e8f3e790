"""Hectares by zone of any kind, by kind, and outside of all zones; beside the limits."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.errors import InputError
from cocal.estimate import mapped_table
from cocal.estimate.legal import legal_domains, legal_table
from cocal.estimate.settings import OUTSIDE, LegalSettings
from cocal.grid import RESOLUTION_M, pixel_zones, transformer
from cocal.notes.account import part, record
from cocal.regions import Regions, owners_at
from cocal.run.measure.known import outside_zones
from cocal.run.measure.sampling import Sample
from cocal.run.measure.task import HectaresTask


def legal_accounts(
    task: HectaresTask, totals: NDArray[np.int64], samples: Mapping[str, Sample]
) -> pd.DataFrame:
    """The target's hectares per zone, kind of zone and limit: see `cocal.estimate.legal_table`.

    Ground in no zone is `outside-` and its country. `samples`: by period, where there is one.
    """
    assert task.zones is not None
    assert task.legal is not None
    kinds = kinds_of(task.zones, task.legal)
    countries = sorted(set(task.regions.table["country"].astype(str)))
    outside = outside_zones(pd.Series(countries)).tolist()
    own = task.zones.table[["region_id", "region_name", "country"]].astype(str)
    rest = pd.DataFrame({"region_id": outside, "region_name": outside, "country": countries})
    places = pd.concat([own, rest], ignore_index=True)
    kind = [kinds.get(zone, OUTSIDE) for zone in places["region_id"]]
    zones = places.rename(columns={"region_id": "zone_id", "region_name": "zone_name"}).assign(kind=kind)
    limits = _limits(task.legal, own["region_id"].tolist())
    mapped, estimates = [], {}
    for i, period in enumerate(task.periods):
        found = totals[i]
        counts = np.concatenate([found[:, 1:].sum(axis=0), found[:, 0]])
        mapped.append(mapped_table(counts, places, task.scheme, period))
        if period.name in samples:
            domains = legal_domains(zones, limits).values()
            estimates[period.name] = [
                samples[period.name].estimate(pd.Series(domain), by="zone") for domain in domains
            ]
    return legal_table(
        pd.concat(mapped, ignore_index=True), estimates, limits,
        zones=zones, target=task.scheme.target, names=task.legal.names,
    )  # fmt: skip


def _limits(legal: LegalSettings, ids: list[str]) -> pd.DataFrame:
    rows = [
        (limit.id, zone, limit.limit_ha, limit.source)
        for limit in legal.limits
        for zone in ids
        if any(fnmatchcase(zone, pattern) for pattern in limit.zones)
    ]
    return pd.DataFrame(rows, columns=["limit", "zone_id", "limit_ha", "source"])


def legal_zone(zones: Regions | None, records: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """(n,) id of the zone that holds each record, "" for none."""
    if zones is None:
        return np.full(len(records), "", dtype=object)
    found = np.full(len(records), "", dtype=object)
    ids = np.array([*zones.table["region_id"].astype(str), ""], dtype=object)
    points = records.geometry.representative_point()
    zone = pixel_zones(points.x, points.y, RESOLUTION_M)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        x, y = transformer(4326, epsg).transform(points.x[here].to_numpy(), points.y[here].to_numpy())
        found[here] = ids[owners_at(zones, epsg, x, y, resolution=RESOLUTION_M)]
    return found


def kinds_of(zones: Regions, legal: LegalSettings) -> dict[str, str]:
    """Zone id -> its kind, by the first pattern of `legal.kinds` that fits.

    Raises
    ------
    InputError : zones that no pattern fits, patterns of limits that fit no zone.
    """
    ids = zones.table["region_id"].astype(str).tolist()
    kinds: dict[str, str] = {
        i: k for i in ids for pattern, k in reversed(legal.kinds.items()) if fnmatchcase(i, pattern)
    }
    patterns = ", ".join(legal.kinds) or "nothing"
    problems = [f"no pattern of legal.kinds ({patterns}) fits zone {i!r}" for i in ids if i not in kinds]
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


def check_zones(zones: Regions, area: BaseGeometry) -> None:
    """Record the zones of the law that reach no ground of `area` (degrees): their hectares are 0.

    Raises
    ------
    InputError
        None of them reaches it.
    """
    ids = zones.table["region_id"].astype(str).to_numpy(dtype=object)
    away = ids[~shapely.intersects(zones.raw_geometries, area)]
    if len(away) == len(ids):
        regions, found = (
            ", ".join(f"{v:.4f}" for v in shapely.total_bounds(shapes))
            for shapes in (area, zones.raw_geometries)
        )
        raise InputError(
            "the zones of `legal.zones:` lie elsewhere",
            f"polygons on the regions' ground, which is within {regions} (degrees)",
            f"{len(ids)} zones within {found}",
            "correct the file (longitude comes before latitude), its CRS, or `legal.zones.sources`",
        )
    if len(away):
        record("zones_outside", **part(away, len(ids)))
