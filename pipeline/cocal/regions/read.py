"""Region files -> `Regions`: checked, in degrees, without overlap."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.content import ByContent
from cocal.errors import InputError
from cocal.grid import geodesic_hectares
from cocal.notes import Note
from cocal.notes.account import first
from cocal.regions.polygons import (
    crossings,
    in_degrees,
    listed,
    on_earth,
    open_layer,
    rings_hectares,
    valid_polygon,
    without,
)
from cocal.regions.settings import RegionSettings, RegionSource
from cocal.store import canonical_json

CHANGED_SHARE = 1e-4
"""Of a polygon's area; less is the noise of repairs and of common edges."""

_METRES_PER_DEGREE = 110_000


@dataclass(frozen=True, eq=False)
class Regions(ByContent):
    """Regions in order of priority. Two are equal if their content is: see `sha256`.

    - `table`: one row per region: region_id, region_name, country, source (index of its file), polygon_ha
      (geodesic area of the polygon as given), exclusive_ha (less what earlier regions hold).
    - `geometries`, `raw_geometries`: polygons in degrees (EPSG:4326), row by row: without overlap, and as
      given (made valid).
    - `groups`: (n,) a gap is given away where it lies between regions of two groups: two files, or,
      with one file or `sliver_between="regions"`, any two regions.
    - `sliver_m`: width up to which a gap is given away, m.
    - `sha256`: of ids, names, countries, order, polygons as given, and the two settings of gaps.
    - `notes`: repairs of polygons, and the overlap between regions (level `left_out`).
    """

    table: pd.DataFrame
    geometries: NDArray[np.object_]
    raw_geometries: NDArray[np.object_]
    groups: NDArray[np.int64]
    sliver_m: float
    sha256: str
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def area(self) -> BaseGeometry:
        """All ground that a region may own, in degrees: the polygons and the gaps that may be given away."""
        union = shapely.union_all(self.raw_geometries)
        return shapely.union_all([union, *self._gaps()]) if self.sliver_m else union

    def _gaps(self) -> list[BaseGeometry]:
        far = min(np.abs(shapely.bounds(self.raw_geometries)[:, [1, 3]]).max(), 85.0)
        reach = 1.02 * self.sliver_m / (_METRES_PER_DEGREE * np.cos(np.radians(far)))
        kinds = np.unique(self.groups)
        grown = [shapely.union_all(self.raw_geometries[self.groups == k]).buffer(reach) for k in kinds]
        first, second = shapely.STRtree(grown).query(grown, predicate="intersects")
        return [shapely.intersection(grown[i], grown[j]) for i, j in zip(first, second, strict=True) if i < j]


def read_regions(settings: RegionSettings) -> Regions:
    """Read the regions of all sources, in the stated order.

    Raises
    ------
    InputError
        With every problem of every file at once: columns, ids, names or a CRS that are missing, ids used
        more than once, geometries that are no polygons or have no area, regions wholly inside earlier ones.

    Examples
    --------
    >>> import geopandas, shapely, tempfile
    >>> path = tempfile.mkdtemp() + "/provinces.geojson"
    >>> squares = [shapely.box(-69.1, -14.1, -69.0, -14.0), shapely.box(-69.05, -14.1, -68.9, -14.0)]
    >>> provinces = geopandas.GeoDataFrame({"code": ["A", "B"]}, geometry=squares, crs=4326)
    >>> provinces.to_file(path)
    >>> source = {"path": path, "id": "code", "name": "code", "country_code": "PE"}
    >>> regions = read_regions(RegionSettings(sources=[source], sliver_m=0))
    >>> regions.table[["region_id", "polygon_ha", "exclusive_ha"]].round().to_numpy().tolist()
    [['A', 11950.0, 11950.0], ['B', 17925.0, 11950.0]]
    """
    problems: list[str] = []
    notes: list[Note] = []
    frames = [_read_source(source, problems, notes) for source in settings.sources]
    table = pd.concat(
        [f.assign(source=i) for i, f in enumerate(frames) if f is not None] or [_NOTHING], ignore_index=True
    )
    if len(settings.sources) > 1:
        shared = _doubled(table.drop_duplicates(["source", "region_id"])["region_id"])
        if shared:
            problems.append(f"ids used in more than one file: {listed(shared)}; give each its `id_prefix`")
    _refuse(problems)
    raw = np.array(table.pop("geometry"), dtype=object)
    exclusive = without(raw, *crossings(raw))
    table["polygon_ha"] = [geodesic_hectares(g) for g in raw]
    table["exclusive_ha"] = [geodesic_hectares(g) for g in exclusive]
    covered = table.loc[table["exclusive_ha"] == 0, "region_id"]
    if len(covered):
        _refuse([f"wholly inside regions that come before: {listed(covered)}; change the order"])
    notes += _overlap(table)
    apart = settings.sliver_between == "sources" and table["source"].nunique() > 1
    groups = table["source"].to_numpy(np.int64) if apart else np.arange(len(table), dtype=np.int64)
    sha256 = _digest(table, raw, [settings.sliver_m, settings.sliver_between])
    return Regions(table, exclusive, raw, groups, settings.sliver_m, sha256, tuple(notes))


def _overlap(table: pd.DataFrame) -> list[Note]:
    """What later regions lose to earlier ones, where it is more than the noise of areas."""
    lost = (table["polygon_ha"] - table["exclusive_ha"]).to_numpy()
    share, losing = lost.sum() / table["polygon_ha"].sum(), lost > CHANGED_SHARE * table["polygon_ha"]
    if not losing.any():
        return []
    names = first(table.loc[losing, "region_id"])
    return [Note("regions_overlap", n=int(losing.sum()), ha=lost.sum(), share=share, which=names)]


_NOTHING = pd.DataFrame({"region_id": [], "region_name": [], "country": [], "geometry": [], "source": []})


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InputError(
            "the region files cannot be used",
            "polygons in a stated CRS, each with one id, a name and a country",
            "\n    ".join(["", *problems]),
            "correct the files, or `regions:` in the configuration",
        )


def _doubled(values: pd.Series[Any]) -> list[str]:
    return sorted(set(values[values.duplicated()]))


def _read_source(source: RegionSource, problems: list[str], notes: list[Note]) -> pd.DataFrame | None:
    """Return region_id, region_name, country, geometry (degrees) of one file, or None with problems added."""
    found: list[str] = []
    table = None
    frame = _open(source, found)
    if frame is not None:
        frame = _filter(frame, source, found)
        if frame.empty and not found:
            found.append("no features" + (" that `where` keeps" if source.where else ""))
        if not found:
            table = _table(frame, source, found, notes)
    problems += [f"{source.path}: {text}" for text in found]
    return None if found else table


def _table(
    frame: gpd.GeoDataFrame, source: RegionSource, problems: list[str], notes: list[Note]
) -> pd.DataFrame:
    parts = pd.DataFrame({column: _texts(frame[column]) for column in source.id})
    ids = parts.agg("".join, axis=1)
    table = pd.DataFrame(
        {
            "region_id": source.id_prefix + ids,
            "region_name": _texts(frame[source.name]),
            "country": _texts(frame[source.country]) if source.country else source.country_code,
        }
    )
    _check_texts(table.assign(region_id=ids.where((parts != "").all(axis=1), "")), problems)
    _check_letters(table, problems)
    shapes, invalid = _polygons(frame, table["region_id"], problems)
    changed = {k: (old, new) for k, (old, new) in invalid.items() if abs(new - old) > CHANGED_SHARE * new}
    for region, (before, after) in changed.items():
        share = min(abs(after - before) / after, 1.0)
        note = Note("region_area_repaired", region=region, before_ha=before, after_ha=after, share=share)
        notes.append(note)
    if same := [region for region in invalid if region not in changed]:
        ha = sum(invalid[region][1] for region in same)
        which = first(same)
        notes.append(Note("region_polygons_repaired", file=source.path.name, n=len(same), ha=ha, which=which))
    return table.assign(geometry=shapes)


def _check_letters(table: pd.DataFrame, problems: list[str]) -> None:
    """Add a problem for names that are UTF-8 read in another encoding: bytes that decode are no accident."""
    for column in ("region_id", "region_name", "country"):
        broken = [text for text in table[column] if _is_misread(text)]
        if broken:
            problems.append(
                f"letters of {listed(broken)}: UTF-8 read in another encoding; write the file in UTF-8, "
                "a shapefile with a .cpg that says so"
            )


def _is_misread(text: str) -> bool:
    for encoding in ("latin-1", "cp1252"):
        try:
            return not text.isascii() and text.encode(encoding).decode("utf-8") != text
        except UnicodeError:
            continue
    return False


def _open(source: RegionSource, problems: list[str]) -> gpd.GeoDataFrame | None:
    wanted = [*source.id, source.name, *filter(None, [source.country]), *source.where]
    return open_layer(source.path, source.layer, wanted, problems)


def _filter(frame: gpd.GeoDataFrame, source: RegionSource, problems: list[str]) -> gpd.GeoDataFrame:
    """Return the rows that `where` keeps; a value that no row has is a problem: it may be a misspelling."""
    keep = np.ones(len(frame), dtype=bool)
    for column, values in source.where.items():
        texts = _texts(frame[column])
        wanted = [unicodedata.normalize("NFC", v) for v in values]
        absent = [v for v in wanted if v not in set(texts)]
        if absent:
            problems.append(f"`where`: no row has {listed(absent)} in {column!r}")
        keep &= texts.isin(wanted).to_numpy()
    return frame[keep].reset_index(drop=True)


def _texts(values: pd.Series[Any]) -> pd.Series[str]:
    """Return values as text; null becomes "", and a whole number stored as a float loses its '.0'."""

    def text(value: Any) -> str:
        if pd.isna(value):
            return ""
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value)) if whole else unicodedata.normalize("NFC", str(value))

    return values.map(text).astype(object)


def _check_texts(table: pd.DataFrame, problems: list[str]) -> None:
    for column, word in (("region_id", "id"), ("region_name", "name"), ("country", "country")):
        rows = (np.flatnonzero(table[column].str.strip() == "") + 1).tolist()
        if rows:
            problems.append(f"no {word} in feature {listed(rows)}")
    ids = table["region_id"]
    doubled = _doubled(ids[ids.str.strip() != ""])
    if doubled:
        problems.append(
            f"ids used more than once: {listed(doubled)}; dissolve them, or choose another column"
        )


def _polygons(
    frame: gpd.GeoDataFrame, ids: pd.Series[str], problems: list[str]
) -> tuple[NDArray[np.object_], dict[str, tuple[float, float]]]:
    """Return (n,) valid polygons in degrees, and of those that were made valid: id -> ha before and after."""
    shapes: NDArray[np.object_] = shapely.force_2d(frame.geometry.to_numpy())
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    other = ~empty & ~np.isin(shapely.get_type_id(shapes), (3, 6))
    if empty.any():
        problems.append(f"no geometry in region {listed(ids[empty])}")
    if other.any():
        kinds = sorted({g.geom_type for g in shapes[other]})
        problems.append(f"not polygons but {', '.join(kinds)}: region {listed(ids[other])}")
    if (empty | other).any():
        return shapes, {}
    astray = ~on_earth(shapes, frame.crs)
    if astray.any():
        words = f"coordinates that are not on the Earth in {frame.crs.name!r}"
        problems.append(f"{words}: region {listed(ids[astray])}")
        return shapes, {}
    repaired = np.flatnonzero(~shapely.is_valid(shapes))
    before = [rings_hectares(shapes[i], frame.crs) for i in repaired]
    shapes = np.array([in_degrees(valid_polygon(g), frame.crs) for g in shapes], dtype=object)
    flat = shapely.area(shapes) == 0
    if flat.any():
        problems.append(f"polygon without area: region {listed(ids[flat])}")
    else:
        shapes = np.array([valid_polygon(g) for g in shapes], dtype=object)
    after = [geodesic_hectares(shapes[i]) for i in repaired]
    return shapes, {ids[i]: (old, new) for i, old, new in zip(repaired, before, after, strict=True)}


def _digest(table: pd.DataFrame, shapes: NDArray[np.object_], rules: list[Any]) -> str:
    words = table[["region_id", "region_name", "country", "source"]].to_numpy().tolist()
    digest = hashlib.sha256(canonical_json([words, rules]).encode())
    for shape in shapely.to_wkb(shapes, byte_order=1):
        digest.update(hashlib.sha256(shape).digest())
    return digest.hexdigest()
