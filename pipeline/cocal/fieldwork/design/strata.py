"""Rules -> the stratum of every pixel, from the map and from rasters and zones of the user.

A pixel has the same stratum in whatever window it is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cocal.contracts import NO_DATA, PROBABILITY_NO_DATA, PROBABILITY_SCALE, UNOBSERVED
from cocal.errors import InputError
from cocal.fieldwork.design.settings import (
    Conditions,
    Elevation,
    Nearness,
    ProbabilityRange,
    RasterValues,
    StratumRule,
    Zones,
)
from cocal.grid import Window, project
from cocal.rasters import codes_at
from cocal.scheme import ClassScheme
from cocal.user_tables import read_vector

_CHUNK_PX = 1536
_EDGE_DEGREES = 0.001

NO_STRATUM = 0
NO_VALUE = np.iinfo(np.int64).min
"""Value of a raster of the user where it has no pixel or no data."""

STRATA_RASTER = "raster of design.strata"
"""What such a raster is called in messages."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Layers:
    """The input of rules: (y, x) arrays on a window that has `halo` more pixels on each side.

    `crop_class` uint8, 0 = not observed; `probability` uint16, 10000 = 1, 65535 = not observed; `rasters`
    int64, `NO_VALUE` = none; `zones` True inside; `elevation` metres, NaN = unknown, if a rule needs it.
    """

    resolution: int
    halo: int
    crop_class: NDArray[np.uint8]
    probability: NDArray[np.uint16]
    rasters: Mapping[Path, NDArray[np.int64]]
    zones: Mapping[Zones, Mask]
    elevation: NDArray[np.float32] | None = None


def rasters_needed(rules: Iterable[Conditions]) -> list[Path]:
    """The rasters that the rules name, each once."""
    values = [v for r in rules for v in (r.raster, r.near.raster if r.near else None) if v]
    return list(dict.fromkeys(v.path for v in values))


def codes_needed(rules: Iterable[Conditions], path: Path) -> list[tuple[int, ...]]:
    """The values of the raster at `path` that each rule names."""
    values = [v for r in rules for v in (r.raster, r.near.raster if r.near else None) if v]
    return [v.values for v in values if v.path == path]


def zones_needed(rules: Iterable[Conditions]) -> list[Zones]:
    """The vector files that the rules name, each once."""
    return list(dict.fromkeys(r.zones for r in rules if r.zones))


def needs_elevation(rules: Iterable[Conditions]) -> bool:
    """True if a rule has a condition on the elevation."""
    return any(r.elevation for r in rules)


def halo_px(rules: Iterable[Conditions], resolution: int) -> int:
    """Pixels around a window that its rules need."""
    return max((math.ceil(r.near.metres / resolution) for r in rules if r.near), default=0)


def class_codes(rules: Sequence[Conditions], scheme: ClassScheme) -> dict[str, int]:
    """Return the code on the map of every class that rules may name; InputError lists unknown classes."""
    codes = scheme.codes | {UNOBSERVED: NO_DATA}
    named = {c for r in rules for c in (*r.classes, *(r.near.classes if r.near else ()))}
    unknown = sorted(named - set(codes))
    if unknown:
        raise InputError(
            "design.strata names classes that the scheme does not have",
            ", ".join(codes),
            ", ".join(map(repr, unknown)),
            f"correct the rules; the scheme is {scheme.id}",
        )
    return codes


def cut_off(layers: Layers, rules: Sequence[Conditions], codes: Mapping[str, int]) -> NDArray[np.uint8]:
    """(y, x) uint8, without the halo: number of the first rule that holds, from 1; 0 = none."""
    out = np.zeros(layers.crop_class.shape, dtype=np.uint8)
    for number, rule in enumerate(rules, start=1):
        out[(out == 0) & _holds(rule, layers, codes)] = number
    inner = slice(layers.halo, -layers.halo or None)
    return out[inner, inner]


def stratify(layers: Layers, rules: Sequence[StratumRule], codes: Mapping[str, int]) -> NDArray[np.uint8]:
    """(y, x) uint8, without the halo: 1 for the stratum named first, 2 for the next, ...

    A pixel belongs to the first rule all of whose conditions hold. The result does not depend on the
    window: distances are exact up to the halo of `halo_px`.
    """
    number = {name: k for k, name in enumerate(dict.fromkeys(r.stratum for r in rules), start=1)}
    out = np.full(layers.crop_class.shape, NO_STRATUM, dtype=np.uint8)
    for rule in rules:
        free = out == NO_STRATUM
        if free.any():
            out[free & _holds(rule, layers, codes)] = number[rule.stratum]
    inner = slice(layers.halo, -layers.halo or None)
    return out[inner, inner]


def _holds(rule: Conditions, layers: Layers, codes: Mapping[str, int]) -> Mask:
    """(y, x) True where every condition of the rule holds."""
    holds = np.ones(layers.crop_class.shape, dtype=bool)
    if rule.classes:
        holds &= _of_classes(rule.classes, layers, codes)
    if rule.probability:
        holds &= _in_range(rule.probability, layers.probability)
    if rule.raster:
        holds &= _of_values(rule.raster, layers)
    if rule.near:
        holds &= _near(rule.near, layers, codes)
    if rule.zones:
        holds &= layers.zones[rule.zones]
    if rule.elevation:
        assert layers.elevation is not None
        holds &= _between(rule.elevation, layers.elevation)
    return holds


def _between(limits: Elevation, elevation: NDArray[np.float32]) -> Mask:
    low = -np.inf if limits.at_least is None else limits.at_least
    high = np.inf if limits.below is None else limits.below
    return np.asarray((elevation >= low) & (elevation < high))


def _of_classes(classes: Sequence[str], layers: Layers, codes: Mapping[str, int]) -> Mask:
    return np.isin(layers.crop_class, [codes[c] for c in classes])


def _of_values(raster: RasterValues, layers: Layers) -> Mask:
    return np.isin(layers.rasters[raster.path], raster.values)


def _in_range(limits: ProbabilityRange, probability: NDArray[np.uint16]) -> Mask:
    """Pixels that were not observed are in no range."""
    inside: Mask = probability != PROBABILITY_NO_DATA
    if limits.at_least is not None:
        inside &= probability >= round(limits.at_least / PROBABILITY_SCALE)
    if limits.below is not None:
        inside &= probability < round(limits.below / PROBABILITY_SCALE)
    return inside


def _near(near: Nearness, layers: Layers, codes: Mapping[str, int]) -> Mask:
    from scipy.ndimage import distance_transform_edt  # slow to load, and few runs need distances

    source = _of_values(near.raster, layers) if near.raster else _of_classes(near.classes, layers, codes)
    if not source.any():
        return source
    return np.asarray(distance_transform_edt(~source) * layers.resolution <= near.metres)


def read_class_raster(path: Path, window: Window) -> NDArray[np.int64]:
    """Return (y, x) the value of the raster at each pixel centre; `NO_VALUE` outside and where no data.

    Raises
    ------
    InputError
        It is no readable, georeferenced raster of whole numbers.
    """
    return codes_at(path, STRATA_RASTER, window.epsg, np.meshgrid(window.x, window.y), NO_VALUE)


def zone_mask(zones: Zones, window: Window) -> NDArray[np.bool_]:
    """Return (y, x) True where a pixel's centre lies in a polygon of the file.

    It is computed on fixed chunks of an absolute lattice, so that it does not depend on the window.
    """
    shapes = _shapes(zones, window.epsg)
    tree, side = shapely.STRtree(shapes), _CHUNK_PX * window.resolution
    out = np.zeros(window.shape, dtype=bool)
    for left in range(window.left // side * side, window.right, side):
        for top in range(window.bottom // side * side + side, window.top + side, side):
            chunk = replace(window, left=left, top=top, width=_CHUNK_PX, height=_CHUNK_PX)
            common = window.intersection(chunk)
            near = shapes[np.sort(tree.query(shapely.box(*chunk.bounds)))]
            if common is not None and near.size:
                burnt = rasterize(list(near), chunk.shape, transform=chunk.transform, dtype="uint8")
                out[window.slices_of(common)] = burnt[chunk.slices_of(common)]
    return out


def check_zones(zones: Zones, area: BaseGeometry) -> None:
    """Raise an InputError if no polygon of the file reaches `area` (degrees): the rule would hold nowhere."""
    shapes = _polygons(zones)
    if not shapely.intersects(shapes, area).any():
        found, regions = (", ".join(f"{v:.4f}" for v in shapely.total_bounds(own)) for own in (shapes, area))
        raise InputError(
            f"zones {zones.path} of design.strata lie elsewhere",
            f"polygons on the regions' ground, which is within {regions} (degrees)",
            f"{len(shapes)} polygons within {found}",
            "correct the file (longitude comes before latitude), or its CRS",
        )


@lru_cache(maxsize=8)
def _shapes(zones: Zones, epsg: int) -> NDArray[np.object_]:
    """Return the file's polygons in the metres of one UTM zone."""
    shapes = _polygons(zones)
    return np.array([project(g, 4326, epsg, densify=_EDGE_DEGREES) for g in shapes], dtype=object)


def _polygons(zones: Zones) -> NDArray[np.object_]:
    """Return the file's polygons in degrees."""
    frame = read_vector(zones.path, zones.layer)
    polygons = frame.geometry[frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
    if frame.crs is None or polygons.empty:
        found = "no CRS" if frame.crs is None else f"{len(frame)} features, none a polygon"
        raise InputError(
            f"zones {zones.path} of design.strata", "polygons in a stated CRS", found, "correct the file"
        )
    return np.array(polygons.to_crs(4326).make_valid(), dtype=object)
