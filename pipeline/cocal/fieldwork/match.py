"""Records + regions + map -> one row per record: what the map says where the record was taken."""

from __future__ import annotations

import logging
from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import RECORDS, check_table
from cocal.errors import ContractError
from cocal.grid import transformer, utm_epsg
from cocal.regions import Regions, owners_at
from cocal.scheme import ClassScheme

log = logging.getLogger(__name__)

MATCHED, UNOBSERVED = "matched", "unobserved"
OUTSIDE_MAP, OUTSIDE_REGIONS, NOT_VISITED = "outside map", "outside regions", "not visited"

STATUSES = (MATCHED, UNOBSERVED, OUTSIDE_MAP, OUTSIDE_REGIONS, NOT_VISITED)
"""What can become of a record; the last that holds, in this order, is its status."""

_UNOBSERVED_CODE, _OUTSIDE_CODE = 0, 255

Lookup = Callable[[int, NDArray[np.float64], NDArray[np.float64]], NDArray[np.uint8]]
"""(EPSG, x, y of pixel centres, m) -> class codes; 0 = not observed, 255 = outside the map."""


def match(
    records: gpd.GeoDataFrame, regions: Regions, lookup: Lookup, *, scheme: ClassScheme, resolution: int
) -> pd.DataFrame:
    """One row per record, in their order, with what the map says at its pixel.

    Parameters
    ----------
    records
        records/1.
    regions
        Regions that own the ground.
    lookup
        Gives the map's class codes at pixel centres of one UTM zone.
    scheme
        Scheme that made the map and the records.
    resolution
        Pixel side of the map, m.

    Returns
    -------
    DataFrame
        record_id, region_id (null outside), stratum, map_class (null unless the map tells),
        reference_class, inclusion_probability, split, positional_ok (the whole error circle lies in the
        pixel; null where the accuracy is not known) and status, one of `STATUSES`. A record falls in the
        pixel that holds it in the zone that owns it.
    """
    check_table(records, RECORDS)
    n = len(records)
    owner, code = np.full(n, -1, dtype=np.int32), np.full(n, _OUTSIDE_CODE, dtype=np.uint8)
    to_edge = np.full(n, np.nan)
    lon, lat = records.geometry.x.to_numpy(), records.geometry.y.to_numpy()
    zone = np.array([utm_epsg(*position) for position in zip(lon, lat, strict=True)], dtype=np.int64)
    for epsg in map(int, np.unique(zone)):
        here = zone == epsg
        x, y = transformer(4326, epsg).transform(lon[here], lat[here])
        owner[here] = owners_at(regions, epsg, x, y, resolution=resolution)
        centre_x, centre_y = _pixel_centre(x, resolution), _pixel_centre(y, resolution)
        code[here] = lookup(epsg, centre_x, centre_y)
        to_edge[here] = resolution / 2 - np.maximum(np.abs(x - centre_x), np.abs(y - centre_y))
    table = pd.DataFrame(
        {
            "record_id": records["record_id"].to_numpy(),
            "region_id": _pick(regions.table["region_id"], owner),
            "stratum": records["stratum"].to_numpy(),
            "map_class": _class_names(code, scheme),
            "reference_class": records["class"].to_numpy(),
            "inclusion_probability": records["inclusion_probability"].to_numpy(),
            "split": records["split"].to_numpy(),
            "positional_ok": _within(records["positional_accuracy_m"].to_numpy(), to_edge),
            "status": _status(code, owner, records["visited"].to_numpy(dtype=bool)),
        }
    )
    log.info("records matched: %s", ", ".join(f"{k} {v}" for k, v in status_counts(table).items()))
    return table


def status_counts(matched: pd.DataFrame) -> dict[str, int]:
    """Number of records of each status, all statuses named; together they are all records."""
    return {status: int((matched["status"] == status).sum()) for status in STATUSES}


def _pixel_centre(position: NDArray[np.float64], resolution: int) -> NDArray[np.float64]:
    return np.asarray((np.floor(position / resolution) + 0.5) * resolution)


def _pick(values: pd.Series, index: NDArray[np.int32]) -> pd.Series:
    """Values by position; null where the index is -1."""
    return pd.Series(pd.array([values.iloc[i] if i >= 0 else pd.NA for i in index], dtype="string"))


def _class_names(code: NDArray[np.uint8], scheme: ClassScheme) -> pd.Series:
    names = {c.code: c.key for c in scheme.classes}
    unknown = set(np.unique(code).tolist()) - set(names) - {_UNOBSERVED_CODE, _OUTSIDE_CODE}
    if unknown:
        raise ContractError(
            "the map has class codes that the scheme does not have",
            ", ".join(f"{k} {v}" for k, v in names.items()),
            ", ".join(map(str, sorted(unknown))),
            f"read the map with the scheme that made it, not {scheme.id!r}",
        )
    return pd.Series(pd.array([names.get(c, pd.NA) for c in code.tolist()], dtype="string"))


def _within(accuracy: NDArray[np.float64], to_edge: NDArray[np.float64]) -> pd.Series:
    ok = pd.Series(accuracy <= to_edge, dtype="boolean")
    return ok.mask(np.isnan(accuracy))


def _status(
    code: NDArray[np.uint8], owner: NDArray[np.int32], visited: NDArray[np.bool_]
) -> NDArray[np.str_]:
    return np.select(
        [~visited, owner < 0, code == _OUTSIDE_CODE, code == _UNOBSERVED_CODE],
        [NOT_VISITED, OUTSIDE_REGIONS, OUTSIDE_MAP, UNOBSERVED],
        MATCHED,
    )
