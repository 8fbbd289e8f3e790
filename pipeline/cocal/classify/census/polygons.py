"""The polygons of a census: read from vector files, checked, in degrees; every loss with its hectares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError

from cocal.classify.census.days import NO_DAY, NO_PERIOD, periods_of, words_of
from cocal.classify.census.ground import Drawn, Shapes
from cocal.classify.census.settings import MapLayer, MapSettings, ObservedLayer
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.grid import project, transformer
from cocal.notes.account import first, record
from cocal.regions.polygons import (
    crossings,
    hectares_of,
    in_degrees,
    listed,
    on_earth,
    open_layer,
    rings_hectares,
    valid_polygon,
    without,
)

CHUNK = 100_000
"""Rows of a file that are read at a time, for memory."""

_SHIFTED_M = 1.0
"""From here on another datum is named: WGS 84, SIRGAS 2000 and the like agree within a metre."""

_GEOD = Geod(ellps="WGS84")


@dataclass
class _Loss:
    """Rows of one file that are left out or changed, with their hectares."""

    rows: list[int] = field(default_factory=list)
    before_ha: float = 0.0
    after_ha: float = 0.0

    def add(self, rows: Sequence[int], before: Any, after: Any = 0.0) -> None:
        self.rows += list(rows)
        self.before_ha += float(np.sum(before))
        self.after_ha += float(np.sum(after))


@dataclass
class _Account:
    """What one file loses on the way, by code of the note."""

    file: str
    polygons: int = 0
    hectares: float = 0.0
    losses: dict[str, _Loss] = field(default_factory=dict)
    datum: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, code: str) -> _Loss:
        return self.losses.setdefault(code, _Loss())

    def report(self) -> None:
        """Record the losses."""
        file = self.file
        if (none := self["census_without_area"]).rows:
            record("census_without_area", file=file, n=len(none.rows), which=first(none.rows))
        if (loss := self["census_polygons_repaired"]).rows:
            record("census_polygons_repaired", file=file, **self._values(loss))
        if (loss := self["census_without_day"]).rows:
            record("census_without_day", file=file, **self._values(loss))
        if (loss := self["census_in_no_period"]).rows:
            record("census_in_no_period", file=file, **self._values(loss))
        if (moved := self["census_datum"]).rows:
            n, before, after = len(moved.rows), moved.before_ha, moved.after_ha
            record("census_datum", file=file, n=n, before_ha=before, after_ha=after, **self.datum)

    def _values(self, loss: _Loss) -> dict[str, Any]:
        share = abs(loss.after_ha - loss.before_ha) / self.hectares if self.hectares else 0.0
        return {
            "n": len(loss.rows), "before_ha": loss.before_ha, "after_ha": loss.after_ha,
            "share": min(share, 1.0), "which": first(loss.rows),
        }  # fmt: skip


def read_polygons(settings: MapSettings, periods: Sequence[Period], codes: dict[str, int]) -> Drawn:
    """The polygons of all layers that lie in one of the periods, in their stated order.

    What is left out or repaired is recorded, by file.

    Parameters
    ----------
    codes : class key -> code of the scheme.

    Raises
    ------
    InputError
        With every problem of every file at once: files, layers, columns or a CRS that are missing, a datum
        without a known way to WGS 84, labels without a class, what is no polygon; or a period without any.
    """
    problems: list[str] = []
    parts: list[Drawn] = []
    for number, layer in enumerate(settings.layers):
        own: list[str] = []
        account = _Account(layer.path.name)
        for frame in _frames(layer.path, layer.layer, layer.columns, own):
            part = _read_part(frame, layer, periods, codes, (number, account, own))
            parts += [part] if part is not None else []
            if own:
                break
        account.report()
        problems += [f"{layer.path}: {text}" for text in own]
    drawn = Drawn(*(_joined(parts, name) for name in Drawn.__dataclass_fields__))
    bare = [p.name for i, p in enumerate(periods) if not (drawn.period == i).any()]
    if bare and not problems:
        problems.append(f"no polygon of the period {listed(bare)}: its ground would show none of the classes")
    if problems:
        raise InputError(
            "the polygons of `classify.map` cannot be used",
            "polygons in a stated CRS, each with a class and a period of the run",
            "\n    ".join(["", *problems]),
            "correct the files, or `classify.map:` in the configuration",
        )
    return drawn


def _joined(parts: Sequence[Drawn], name: str) -> Any:
    kinds = {"shapes": object, "code": np.uint8, "hectares": np.float64}
    arrays = [getattr(part, name) for part in parts]
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kinds.get(name, np.int64))


def _frames(
    path: Path, layer: str | None, columns: Sequence[str], problems: list[str]
) -> Iterator[gpd.GeoDataFrame]:
    """The rows of a layer in parts of `CHUNK`, with the wanted columns."""
    try:
        n = int(pyogrio.read_info(path, layer=layer)["features"])
    except (DataSourceError, DataLayerError, OSError):
        n = 0  # `open_layer` says why
    for start in range(0, max(n, 1), CHUNK):
        part = {"skip_features": start, "max_features": CHUNK} if n > CHUNK else {}
        frame = open_layer(path, layer, columns, problems, **part)
        if frame is None:
            return
        if frame.empty:
            problems.append("no features")
            return
        yield frame.set_axis(np.arange(start + 1, start + len(frame) + 1))


def _read_part(
    frame: gpd.GeoDataFrame,
    layer: MapLayer,
    periods: Sequence[Period],
    codes: dict[str, int],
    into: tuple[int, _Account, list[str]],
) -> Drawn | None:
    number, account, problems = into
    frame = _with_geometry(frame, account, problems)
    if frame is None:
        return None
    keys = _keys(frame, layer, problems)
    shapes = _valid_degrees(frame, account, problems)
    period = periods_of(frame, layer, periods, problems)
    if problems or keys is None:
        return None
    hectares = hectares_of(shapes)
    account.polygons += len(frame)
    account.hectares += float(hectares.sum())
    flat = hectares == 0
    account["census_without_area"].add(frame.index[flat].tolist(), 0.0)
    for value, code in ((NO_PERIOD, "census_in_no_period"), (NO_DAY, "census_without_day")):
        left = (period == value) & ~flat
        account[code].add(frame.index[left].tolist(), hectares[left])
    kept = (period >= 0) & ~flat
    code_of = np.array([codes[key] for key in keys], dtype=np.uint8)
    whole = Drawn(
        shapes, code_of, period, np.full(len(frame), number), frame.index.to_numpy(np.int64), hectares
    )
    return whole.of(np.flatnonzero(kept))


def _with_geometry(
    frame: gpd.GeoDataFrame, account: _Account, problems: list[str]
) -> gpd.GeoDataFrame | None:
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    other = ~empty & ~np.isin(shapely.get_type_id(shapes), (3, 6))
    account["census_without_area"].add(frame.index[empty].tolist(), 0.0)
    if other.any():
        kinds = sorted({shape.geom_type for shape in shapes[other]})
        problems.append(f"not polygons but {', '.join(kinds)}: row {listed(frame.index[other])}")
        return None
    return frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))[~empty]


def _keys(frame: gpd.GeoDataFrame, layer: MapLayer, problems: list[str]) -> list[str] | None:
    """The class key of each row."""
    if layer.class_key is not None:
        return [layer.class_key] * len(frame)
    labels = words_of(frame[layer.class_column])
    keys = labels.map(layer.classes)
    if (lost := keys.isna()).any():
        rows = frame.index[lost.to_numpy()]
        problems.append(
            f"labels of {layer.class_column!r} without a class: {listed(sorted(set(labels[lost])))}; row "
            f"{listed(rows)}; add them to `classes`"
        )
        return None
    return list(keys)


def _valid_degrees(frame: gpd.GeoDataFrame, account: _Account, problems: list[str]) -> Shapes:
    """The polygons, valid and in degrees."""
    shapes: Shapes = frame.geometry.to_numpy().astype(object)
    rows, crs = frame.index, frame.crs
    try:
        astray, shift_m = ~on_earth(shapes, crs), datum_shift(crs, shapes)
    except ProjError as err:
        problems.append(f"no known way from {crs.name!r} to WGS 84 ({err}); convert it")
        return shapes
    if astray.any():
        words = f"coordinates that are not on the Earth in {crs.name!r}"
        problems.append(f"{words}: row {listed(rows[astray])}")
        return shapes
    broken = np.flatnonzero(~shapely.is_valid(shapes))
    before = [rings_hectares(shapes[i], crs) for i in broken]
    for i in broken:
        shapes[i] = valid_polygon(shapes[i])
    found: Shapes = in_degrees(shapes, crs, whole=True)
    for i in np.flatnonzero(~shapely.is_valid(found)):
        found[i] = valid_polygon(found[i])
    account["census_polygons_repaired"].add(rows[broken].tolist(), before, hectares_of(found[broken]))
    if shift_m >= _SHIFTED_M:
        own: Any = project(shapes, crs.to_wkt(), crs.geodetic_crs.to_wkt())
        account.datum = {"datum": crs.geodetic_crs.name, "shift_m": shift_m}
        account["census_datum"].add(rows.tolist(), hectares_of(own), hectares_of(found))
    return found


def datum_shift(crs: CRS, shapes: Shapes) -> float:
    """Distance, m, between the middle of the shapes on WGS 84 and where its own degrees would be there.

    Raises
    ------
    ProjError
        No transformation between the datums is known.
    """
    west, south, east, north = shapely.total_bounds(shapes)
    x, y = (west + east) / 2, (south + north) / 2
    if crs.geodetic_crs is None:
        raise ProjError("it has no place on the Earth")
    own = transformer(crs.to_wkt(), crs.geodetic_crs.to_wkt()).transform(x, y)
    there = Transformer.from_crs(crs, 4326, always_xy=True, allow_ballpark=False)
    placed = there.transform(x, y, errcheck=True)
    return float(_GEOD.inv(*own, *placed)[2])


def read_observed(layers: Sequence[ObservedLayer], period: Period) -> Shapes:
    """The polygons of ground that was seen in a period, without overlap.

    Raises
    ------
    InputError
        A file cannot be used, or there is none for the period.
    """
    problems: list[str] = []
    parts: list[Shapes] = []
    for layer in layers:
        if layer.period not in (None, period.name):
            continue
        own: list[str] = []
        account = _Account(layer.path.name)
        for frame in _frames(layer.path, layer.layer, (), own):
            whole = _with_geometry(frame, account, own)
            parts += [_valid_degrees(whole, account, own)] if whole is not None else []
        account.report()
        problems += [f"{layer.path}: {text}" for text in own]
    if not parts and not problems:
        problems.append(f"no layer for the period {period.name!r}")
    if problems:
        raise InputError(
            "the layers of `classify.map.observed` cannot be used", "polygons in a stated CRS",
            "\n    ".join(["", *problems]), "correct the files, or state `observed: all`",
        )  # fmt: skip
    shapes = np.concatenate(parts)
    return without(shapes, *crossings(shapes))
