"""Operations as users give them: polygons or GPS tracks with days and claimed hectares, checked, in degrees.

Positions are sensitive: messages name rows of the file, never an id or a place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod

from cocal.content import ByContent
from cocal.errors import InputError
from cocal.estimate.settings import OperationSettings, OperationSource
from cocal.grid import geodesic_hectares
from cocal.notes.account import first, record
from cocal.regions.polygons import (
    crossings,
    in_degrees,
    listed,
    on_earth,
    open_layer,
    rings_hectares,
    valid_polygon,
)
from cocal.store import canonical_json
from cocal.user_tables import local_times

_DEGREES = CRS.from_epsg(4326)
_GEOD = Geod(ellps="WGS84")
_LINE, _POLYGON, _LINES, _POLYGONS = 1, 3, 5, 6
"""Types of geometry of shapely."""

CHANGED_SHARE = 1e-4
"""Of a polygon's area; less is the noise of repairs."""


@dataclass(frozen=True, eq=False)
class Operations(ByContent):
    """Operations by row. Two are equal if their content is.

    `table`: operation (id), first_day, last_day (ISO), claimed_ha, polygon_ha; `shapes`: polygons, degrees.
    """

    table: pd.DataFrame
    shapes: NDArray[np.object_]
    sha256: str

    def __len__(self) -> int:
        return len(self.table)


def read_operations(settings: OperationSettings) -> Operations:
    """The operations of all sources. Repairs, and ground that is claimed more than once, are recorded.

    Raises
    ------
    InputError
        With every problem of every file: columns, days, ids, hectares or a CRS that are missing; what is no
        polygon, and lines that are not to be closed or whose ends lie too far apart.
    """
    problems: list[str] = []
    tables: list[pd.DataFrame] = []
    for source in settings.sources:
        own: list[str] = []
        frame = open_layer(source.path, source.layer, _columns(source), own)
        if frame is not None:
            tables += _table(frame, source, settings.close_within_m, own)
        problems += [f"{source.path.name}: {text}" for text in own]
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"operation": []})
    if (twice := whole["operation"].duplicated()).any() and not problems:
        problems.append(f"{int(twice.sum())} id(s) stand twice, in several files")
    if problems:
        raise InputError(
            "the operations cannot be used",
            "polygons, or tracks that close, each with an id, its days and claimed hectares",
            "\n    ".join(["", *problems]),
            "correct the files, or `operations:` in the configuration",
        )
    shapes = np.array(whole.pop("geometry"), dtype=object)
    _record_overlap(shapes)
    digest = hashlib.sha256(canonical_json(whole.to_numpy().tolist()).encode())
    for shape in shapely.to_wkb(shapes, byte_order=1):
        digest.update(hashlib.sha256(shape).digest())
    return Operations(whole, shapes, digest.hexdigest())


def _columns(source: OperationSource) -> list[str]:
    return [name for name in (source.id, source.first_day, source.last_day, source.claimed_ha) if name]


def _table(
    frame: gpd.GeoDataFrame, source: OperationSource, close_m: float, problems: list[str]
) -> list[pd.DataFrame]:
    """operation, first_day, last_day, claimed_ha, polygon_ha, geometry of one file; problems are added."""
    if frame.empty:
        problems.append("no features")
        return []
    ids = frame[source.id].astype("string").str.strip().fillna("")
    first_day = local_times(frame[source.first_day])
    last_day = first_day if source.last_day is None else local_times(frame[source.last_day])
    shapes = _polygons(frame, source.path.name, close_m, problems)
    rows: list[tuple[str, Any]] = [
        ("no id in row", ids == ""),
        ("an id that stands twice in row", ids.duplicated(keep=False) & (ids != "")),
        ("no day (ISO, 2024-05-31) in row", first_day.isna() | last_day.isna()),
        ("an end before the beginning in row", last_day < first_day),
    ]
    hectares = [0.0] * len(frame) if problems else [geodesic_hectares(shape) for shape in shapes]
    claimed = pd.Series(hectares, index=frame.index)
    if source.claimed_ha is not None:
        claimed = pd.to_numeric(frame[source.claimed_ha], errors="coerce")
        rows.append((f"no hectares in {source.claimed_ha!r} in row", ~(claimed >= 0) | np.isinf(claimed)))
    problems += [f"{what} {listed(frame.index[wrong].tolist())}" for what, wrong in rows if wrong.any()]
    if problems:
        return []
    table = pd.DataFrame(
        {
            "operation": ids.astype(str),
            "first_day": first_day.dt.strftime("%Y-%m-%d"),
            "last_day": last_day.dt.strftime("%Y-%m-%d"),
            "claimed_ha": claimed.astype(float),
            "polygon_ha": hectares,
            "geometry": shapes,
        }
    )
    return [table]


def _polygons(frame: gpd.GeoDataFrame, name: str, close_m: float, problems: list[str]) -> NDArray[np.object_]:
    """(n,) valid polygons in degrees; repairs are recorded, what is no polygon is a problem."""
    shapes: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    kind = shapely.get_type_id(shapes)
    rows = np.array(frame.index.tolist(), dtype=object)
    if empty.any():
        problems.append(f"no geometry in row {listed(rows[empty])}")
    other = ~empty & ~np.isin(kind, (_LINE, _POLYGON, _LINES, _POLYGONS))
    if other.any():
        problems.append(f"neither polygons nor lines in row {listed(rows[other])}")
    if (astray := ~empty & ~on_earth(shapes, frame.crs)).any():
        problems.append(
            f"positions that are not on the Earth in {frame.crs.name!r}: row {listed(rows[astray])}"
        )
    if problems:
        return shapes
    lines = np.flatnonzero(np.isin(kind, (_LINE, _LINES)))
    tracks = np.array([in_degrees(shape, frame.crs) for shape in shapes[lines]], dtype=object)
    tracks = _closed(tracks, rows[lines], close_m, problems)
    if problems:
        return shapes
    crs = np.full(len(shapes), frame.crs, dtype=object)
    shapes[lines], crs[lines] = tracks, _DEGREES
    shapes = _repaired(shapes, crs, rows, name)
    if (flat := shapely.area(shapes) == 0).any():
        problems.append(f"polygons without area in row {listed(rows[flat])}")
    return shapes


def _closed(
    lines: NDArray[np.object_], rows: NDArray[Any], close_m: float, problems: list[str]
) -> NDArray[np.object_]:
    """Tracks as polygons; a problem where they may not be closed or their ends lie too far apart."""
    if len(lines) and not close_m:
        problems.append(
            f"lines in row {listed(rows)}; state `close_within_m` to close tracks whose ends are so near"
        )
    if not len(lines) or problems:
        return lines
    merged = shapely.line_merge(lines)
    broken = (shapely.get_type_id(merged) != _LINE) | (shapely.get_num_points(merged) < 4)
    if broken.any():
        problems.append(
            f"tracks of several pieces, or of fewer than four points, in row {listed(rows[broken])}"
        )
        return lines
    ends = np.array([(*line.coords[0], *line.coords[-1]) for line in merged])
    gap = _GEOD.inv(*ends.T)[2]
    if (wide := gap > close_m).any():
        problems.append(
            f"tracks whose ends lie more than {close_m:g} m apart in row {listed(rows[wide])}, "
            f"up to {gap.max():.0f} m"
        )
        return lines
    record("operation_tracks_closed", n=len(lines), gap_m=float(gap.max()), which=first(rows.tolist()))
    return np.array([shapely.Polygon(line.coords) for line in merged], dtype=object)


def _repaired(
    shapes: NDArray[np.object_], crs: NDArray[np.object_], rows: NDArray[Any], name: str
) -> NDArray[np.object_]:
    """Valid polygons in degrees: repaired before their edges are cut, which would lose parts of them."""
    broken = ~shapely.is_valid(shapes)
    before = sum(rings_hectares(*pair) for pair in zip(shapes[broken], crs[broken], strict=True))
    pairs = zip(shapes, crs, strict=True)
    sound = np.array(
        [valid_polygon(in_degrees(valid_polygon(s), c, whole=True)) for s, c in pairs], dtype=object
    )
    if broken.any():
        after = sum(geodesic_hectares(shape) for shape in sound[broken])
        record(
            "operations_repaired", file=name, n=int(broken.sum()), before_ha=before, after_ha=after,
            which=first(rows[broken].tolist()),
        )  # fmt: skip
    return sound


def _record_overlap(shapes: NDArray[np.object_]) -> None:
    """Record ground that is in several operations: its hectares are in the sum of the claims each time."""
    later, _ = crossings(shapes)
    if not len(later):
        return
    whole = sum(geodesic_hectares(shape) for shape in shapes)
    lost = whole - geodesic_hectares(shapely.union_all(shapes))
    if lost > CHANGED_SHARE * whole:
        record("operations_overlap", n=len(set(later.tolist())), ha=lost, share=lost / whole)
