"""The work on a census: its polygons cut to the tiles of the run, and the map of one tile and period."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from cocal.classify.census.cut import Cutter
from cocal.classify.census.edges import FULL
from cocal.classify.census.ground import (
    Drawn,
    Shapes,
    common_parts,
    exclusive,
    groups_of,
    polygonal,
)
from cocal.classify.census.polygons import read_observed, read_polygons
from cocal.classify.census.settings import MapSettings
from cocal.classify.census.shares import Shares, classes_of_pixels
from cocal.classify.census_map import write_census_tile
from cocal.content import File, Ref, Stated
from cocal.contracts import NO_DATA, Period
from cocal.grid import Tile, Window, cell_area_units, owned_by_zone, windows_bounds
from cocal.rasters import codes_at
from cocal.regions import Regions, owners
from cocal.run.worker.mosaic import Source, regions_of
from cocal.scheme import ClassScheme
from cocal.store import write_csv, write_json

CARD, OVERLAPS = "card.json", "overlaps.csv"
RASTER = "classify.map.rasters"

MAP, PAIR, AGAIN, SEEN = range(4)
"""Kinds of polygons that are cut to tiles: of a period; common to two successive periods; target of the
second of them and of the period before both, but not of the first; observed."""

_KINDS = 256
"""Codes of a class: the key of a pair is `before * _KINDS + after`."""

_NONE = np.iinfo(np.int64).min

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CensusTask:
    """What the polygons of a census are cut from: settings with their files, periods, tiles, classes."""

    settings: Stated[MapSettings]
    periods: tuple[Period, ...]
    tiles: tuple[Tile, ...]
    scheme: ClassScheme


@dataclass(frozen=True)
class CensusMapTask:
    """What makes the map of one tile and period of a census.

    `number`: of the period; `polygons`: the cut polygons, `has_seen` if some state the observed ground; or
    `raster` with its `codes`; `regions` and the
    countries of the groups of layers, where layers count on their country's ground alone. `about`: the
    settings without layers and rasters.
    """

    tile: Tile
    period: Period
    number: int
    about: MapSettings
    scheme: ClassScheme
    polygons: Ref | None = None
    has_seen: bool = False
    raster: File | None = None
    codes: tuple[tuple[int, str], ...] = ()
    regions: Source | None = None
    countries: tuple[str, ...] = ()


class Plane(NamedTuple):
    """Edges of polygons of one kind, period or pair, group of layers and class (or pair of classes)."""

    kind: int
    number: int
    group: int
    key: int
    edges: NDArray[np.integer[Any]]


def pair_of(key: int) -> tuple[int, int]:
    """(code before, code after) of the key of a pair."""
    return key // _KINDS, key % _KINDS


class _Cut(NamedTuple):
    """Polygons with the plane that each is of: kind, number, group, key."""

    shapes: Shapes
    planes: Ints


def write_census(folder: Path, _: Any, task: CensusTask) -> None:
    """Read, check and cut the polygons: a file of edges per tile, the overlaps, the card of the census."""
    settings = task.settings.settings
    drawn, overlaps = exclusive(read_polygons(settings, task.periods, task.scheme.codes), settings)
    write_csv(folder / OVERLAPS, overlaps)
    write_json(folder / CARD, _card(task, drawn, overlaps))
    parts = [_of_periods(drawn, groups_of(settings)), *_of_pairs(task, drawn), *_of_seen(task)]
    cut = _Cut(np.concatenate([p.shapes for p in parts]), np.concatenate([p.planes for p in parts]))
    for tile, edges, planes in _tiles(cut, task.tiles):
        np.savez(folder / f"{tile.id}.npz", edges=edges, planes=planes)


def _of_periods(drawn: Drawn, group: Ints) -> _Cut:
    number = np.full(len(drawn), MAP)
    return _Cut(drawn.shapes, np.column_stack([number, drawn.period, group[drawn.layer], drawn.code]))


def _of_pairs(task: CensusTask, drawn: Drawn) -> Iterator[_Cut]:
    """The common ground of polygons of successive periods, and what was cleared and came again."""
    group, target = groups_of(task.settings.settings), task.scheme.codes[task.scheme.target]
    order = sorted(range(len(task.periods)), key=lambda i: (task.periods[i].start, task.periods[i].end))
    by_time = [drawn.of(np.flatnonzero(drawn.period == i)) for i in order]
    for k, (before, after) in enumerate(pairwise(by_time)):
        shapes, one, other = common_parts(before, after, group)
        key = before.code[one].astype(np.int64) * _KINDS + after.code[other]
        yield _Cut(shapes, _planes(PAIR, k, group[before.layer[one]], key))
        if k:
            shapes, groups = _again(by_time[k - 1], before, after, group, target)
            yield _Cut(shapes, _planes(AGAIN, k, groups, np.full(len(shapes), target)))


def _planes(kind: int, number: int, group: Ints, key: Ints) -> Ints:
    return np.column_stack([np.full(len(key), kind), np.full(len(key), number), group, key]).astype(np.int64)


def _again(earlier: Drawn, before: Drawn, after: Drawn, group: Ints, target: int) -> tuple[Shapes, Ints]:
    """Ground of the target after and earlier, less that of the target before; by group of layers."""
    earlier, before, after = (d.of(np.flatnonzero(d.code == target)) for d in (earlier, before, after))
    shapes, one, _ = common_parts(earlier, after, group)
    groups = group[earlier.layer[one]]
    place, near = shapely.STRtree(before.shapes).query(shapes, predicate="intersects")
    same = groups[place] == group[before.layer[near]]
    left = shapes.copy()
    for i in np.unique(place[same]):
        ground = shapely.union_all(before.shapes[near[same & (place == i)]])
        left[i] = shapely.difference(shapes[i], ground)
    kept = shapely.area(left) > 0
    return polygonal(left[kept]), groups[kept]


def _of_seen(task: CensusTask) -> Iterator[_Cut]:
    settings = task.settings.settings
    if not isinstance(settings.observed, tuple):
        return
    for number, period in enumerate(task.periods):
        shapes = read_observed(settings.observed, period)
        zero = np.zeros(len(shapes), dtype=np.int64)
        yield _Cut(shapes, _planes(SEEN, number, zero, zero))


def _tiles(cut: _Cut, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, NDArray[np.integer[Any]], Ints]]:
    """Each tile, its edges sorted by plane, and (planes, 5): the plane and its number of edges."""
    order = np.lexsort(cut.planes.T[::-1])
    shapes, planes = cut.shapes[order], cut.planes[order]
    tree, cutters = shapely.STRtree(shapes), {}
    for tile in tiles:
        window = tile.window
        if window.epsg not in cutters:
            cutters = {window.epsg: Cutter(shapes, window.epsg, window.resolution)}
        outline = next(windows_bounds([window.expanded(1)]))[1]
        chosen = np.sort(tree.query(outline, predicate="intersects"))
        edges, polygon = cutters[window.epsg].edges(window, chosen)
        rows = planes[chosen[polygon]]
        by_plane = np.lexsort(rows.T[::-1])
        found, counts = np.unique(rows, axis=0, return_counts=True)
        small = np.iinfo(np.int32)
        fits = not edges.size or (edges.min() >= small.min and edges.max() <= small.max)
        edges = edges[by_plane].astype(np.int32 if fits else np.int64)
        yield tile, edges, np.column_stack([found, counts]).astype(np.int64)


def _card(task: CensusTask, drawn: Drawn, overlaps: Any) -> dict[str, Any]:
    """What the map is, of what files, and its polygons and hectares by period and class."""
    settings, names = task.settings.settings, {code: key for key, code in task.scheme.codes.items()}
    sums = {
        period.name: {
            names[code]: {
                "polygons": int(((drawn.period == i) & (drawn.code == code)).sum()),
                "hectares": float(drawn.hectares[(drawn.period == i) & (drawn.code == code)].sum()),
            }
            for code in np.unique(drawn.code[drawn.period == i]).tolist()
        }
        for i, period in enumerate(task.periods)
    }
    return {
        "id": settings.id, "source": settings.source, "licence": settings.licence,
        "simulated": settings.simulated, "class_scheme": task.scheme.id,
        "class_scheme_sha256": task.scheme.sha256, "elsewhere": settings.elsewhere,
        "files": [{"file": file.path.name, "sha256": file.sha256} for file in task.settings.files],
        "overlaps": len(overlaps), "periods": sums,
    }  # fmt: skip


def read_card(ref: Ref) -> dict[str, Any]:
    """What `write_census` stated of the map."""
    card: dict[str, Any] = json.loads(ref.file(CARD).read_text(encoding="utf-8"))
    return card


def read_planes(ref: Ref, tile: Tile) -> list[Plane]:
    """The polygons of a tile as they were cut."""
    with np.load(ref.file(f"{tile.id}.npz")) as found:
        edges, planes = found["edges"], found["planes"]
    ends = np.cumsum(planes[:, 4])
    return [
        Plane(kind, number, group, key, edges[end - n : end])
        for (kind, number, group, key, n), end in zip(planes.tolist(), ends.tolist(), strict=True)
    ]


def covered_by_key(
    planes: Iterable[Plane], kind: int, number: int, window: Window, mask: Mapping[int, NDArray[np.bool_]]
) -> dict[int, Ints]:
    """Key -> (y, x) coverage of the planes of one kind and number.

    `mask`: group of layers -> ground on which it counts; a group that is not named counts everywhere.
    """
    from cocal.classify.census.coverage import coverage  # loads numba: 0.4 s that a finished run does without

    found: dict[int, Ints] = {}
    for plane in planes:
        if (plane.kind, plane.number) == (kind, number):
            own = coverage(plane.edges, window.shape)
            own = own * mask[plane.group] if plane.group in mask else own
            found[plane.key] = found[plane.key] + own if plane.key in found else own
    return found


def ground_of_groups(
    regions: Regions, countries: tuple[str, ...], window: Window
) -> dict[int, NDArray[np.bool_]]:
    """Group of layers -> (y, x) the ground of its country's regions; nothing where layers state none."""
    if not any(countries):
        return {}
    own = np.append(regions.table["country"].astype(str).to_numpy(), "")[owners(regions, window)]
    return {i: own == country for i, country in enumerate(countries)}


def write_census_map(folder: Path, _: Any, task: CensusMapTask) -> None:
    """Write the map of one tile and period."""
    window = task.tile.window
    own = owned_by_zone(window)
    if task.polygons is None:
        codes, shares = np.where(own, _raster_codes(task), NO_DATA).astype(np.uint8), Shares.none()
    else:
        planes = read_planes(task.polygons, task.tile)
        mask = {}
        if task.regions is not None:
            mask = ground_of_groups(regions_of(task.regions), task.countries, window)
        covered = covered_by_key(planes, MAP, task.number, window, mask)
        seen = own
        if task.has_seen:
            there = covered_by_key(planes, SEEN, task.number, window, {}).get(0)
            seen = own & (there >= FULL // 2) if there is not None else np.zeros_like(own)
        elsewhere, target = (task.scheme.codes[str(k)] for k in (task.about.elsewhere, task.scheme.target))
        covered = {code: covered[code] for code in sorted(covered, key=lambda code: (code != target, code))}
        codes, shares = classes_of_pixels(covered, elsewhere, cell_area_units(window), seen)
    place = (task.tile, task.period)
    write_census_tile(folder, codes, shares, place=place, scheme=task.scheme, about=task.about)


def _raster_codes(task: CensusMapTask) -> NDArray[np.uint8]:
    """(y, x) class of the raster's code at each pixel's centre; `NO_DATA` where it has none of the codes."""
    assert task.raster is not None
    window = task.tile.window
    found = codes_at(task.raster.path, RASTER, window.epsg, np.meshgrid(window.x, window.y), _NONE)
    out = np.full(window.shape, NO_DATA, dtype=np.uint8)
    for value, key in task.codes:
        out[found == value] = task.scheme.codes[key]
    return out
