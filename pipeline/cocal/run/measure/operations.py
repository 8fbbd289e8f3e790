"""What maps and images show of operations: evidence per polygon, its verdict, sums by place.

A worker judges the polygons of one square of the ground (`judge_square`). A pixel counts for a polygon that
covers at least half of it, by the share that is covered. Where clear images before and after the work show
it, they judge a pixel; elsewhere two maps do, the last before the work and the first after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cocal.archive import Scene, read_scenes, scenes_within
from cocal.content import Place, Ref
from cocal.contracts import CLASS_TIF, NO_DATA, Period
from cocal.estimate.operations import EVIDENCE, cleared_share
from cocal.estimate.settings import ImageEvidence, OperationSettings
from cocal.estimate.tracks import Operations
from cocal.features import INDICES, MaskSettings, clear_mask, compute_index
from cocal.grid import (
    RESOLUTION_M,
    Tile,
    Window,
    cell_area,
    pixel_zones,
    project,
    windows_bounds,
    windows_holding,
)
from cocal.run.worker.mosaic import Maps, mosaic

FILE = "operations.npy"
_SQUARE_PX = 384
_HALF = 0.5 - 1e-6
"""Of a pixel, less what positions lose on the way through degrees."""
_SCALE = np.float32(1e-4)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EvidenceTask:
    """Operations, and the maps and scenes that show what became of them. `rules` are without their files."""

    operations: Operations
    rules: OperationSettings
    periods: tuple[Period, ...]
    maps: Mapping[str, Ref]
    tiles: Place[tuple[Tile, ...]]
    target: int
    scenes: tuple[Scene, ...]
    mask: MaskSettings | None


@dataclass(frozen=True)
class OperationPiece:
    """Operations by row, their polygons (m) on a window, and the maps of each period that touch it."""

    window: Window
    rows: tuple[int, ...]
    shapes: tuple[BaseGeometry, ...]
    near: tuple[Maps, ...]


def scenes_wanted(
    scenes: Sequence[Scene], operations: Operations, rules: OperationSettings
) -> tuple[Scene, ...]:
    """The scenes of a day that some operation is judged by."""
    if rules.images is None or not len(operations):
        return ()
    spans = {_spans(row, rules.images) for row in operations.table.to_dict("records")}
    days = {s.day for s in scenes if any(a <= s.day <= b for span in spans for a, b in span)}
    return tuple(s for s in scenes if s.day in days)


def _spans(row: Mapping[Any, Any], images: ImageEvidence) -> tuple[tuple[date, date], tuple[date, date]]:
    """First and last day of the images before the work, and of those after it."""
    first, last = date.fromisoformat(row["first_day"]), date.fromisoformat(row["last_day"])
    day = timedelta(days=1)
    return (
        (first - timedelta(days=images.before_days), first - day),
        (last + day, last + timedelta(days=images.after_days)),
    )


def squares(task: EvidenceTask) -> list[OperationPiece]:
    """The operations by square of the ground, each square with what is near."""
    shapes = task.operations.shapes
    points = [shapely.get_coordinates(shapely.point_on_surface(shape))[0] for shape in shapes]
    lon, lat = np.array(points, dtype=np.float64).reshape(-1, 2).T
    epsg = pixel_zones(lon, lat)
    metres = [project(shape, 4326, int(zone)) for shape, zone in zip(shapes, epsg, strict=True)]
    west, south, _, _ = np.array([shape.bounds for shape in metres]).reshape(-1, 4).T
    maps = {period.name: _maps_of(task, period) for period in task.periods}
    tiles = [tile for tile, _ in maps[task.periods[0].name]]
    tree = shapely.STRtree([outline for _, outline in windows_bounds(tile.window for tile in tiles)])
    found = []
    for square, rows in windows_holding(epsg, west, south, _SQUARE_PX):
        own = tuple(metres[i] for i in rows)
        window = _window(square.epsg, shapely.total_bounds(np.array(own, dtype=object)))
        (_, outline), *_ = windows_bounds([window])
        here = np.sort(tree.query(outline, predicate="intersects")).tolist()
        near = tuple(tuple(maps[period.name][i] for i in here) for period in task.periods)
        found.append(OperationPiece(window, tuple(map(int, rows)), own, near))
    return found


def _maps_of(task: EvidenceTask, period: Period) -> Maps:
    keys = [(tile, f"{period.name}/{tile.id}") for tile in task.tiles.value]
    return tuple((tile, task.maps[key]) for tile, key in keys if key in task.maps)


def _window(epsg: int, bounds: Sequence[float] | Floats) -> Window:
    west, south, east, north = (float(v) / RESOLUTION_M for v in bounds)
    low = [int(np.floor(v)) * RESOLUTION_M for v in (west, south)]
    high = [int(np.ceil(v)) * RESOLUTION_M for v in (east, north)]
    return Window.from_bounds(epsg, (low[0], low[1], high[0], high[1]), RESOLUTION_M)


def judge_square(piece: OperationPiece, task: EvidenceTask) -> Floats:
    """(operations, 1 + evidence) the row of each operation, and its ground in m2 as `EVIDENCE`."""
    window, table = piece.window, task.operations.table
    codes = [mosaic(near, window, CLASS_TIF, "uint8", NO_DATA) for near in piece.near]
    area = cell_area(window)
    days, values = _index(piece, task)
    found = []
    for row, shape in zip(piece.rows, piece.shapes, strict=True):
        here = _window(window.epsg, shape.bounds)
        cut = window.slices_of(here)
        weight = _covered(shape, here) * area[cut]
        kept = weight > 0
        record = table.iloc[row].to_dict()
        before, after = _by_images(record, days, values[(slice(None), *cut)][:, kept], task.rules.images)
        maps = [code[cut][kept] for code in codes]
        found.append([row, *_evidence(weight[kept], before, after, maps, _in_time(record, task), task)])
    return np.array(found, dtype=np.float64).reshape(-1, 1 + len(EVIDENCE))


def _covered(shape: BaseGeometry, window: Window) -> Floats:
    """(y, x) covered share of the pixels that are covered by half or more; of all where none is; else 0."""
    x, y = np.meshgrid(window.x, window.y)
    half = window.resolution / 2
    boxes = shapely.box(x - half, y - half, x + half, y + half)
    share = np.asarray(shapely.area(shapely.intersection(boxes, shape)) / window.resolution**2)
    large = share >= _HALF
    return np.where(large, share, 0.0) if large.any() else share


def _index(piece: OperationPiece, task: EvidenceTask) -> tuple[list[date], NDArray[np.float32]]:
    """(days, (day, y, x) the index, NaN where it was not clear) of the piece's window."""
    window, images = piece.window, task.rules.images
    if images is None or task.mask is None:
        return [], np.empty((0, *window.shape), dtype=np.float32)
    rows = task.operations.table.iloc[list(piece.rows)].to_dict("records")
    spans = [span for row in rows for span in _spans(row, images)]
    days = {s.day for s in task.scenes if any(a <= s.day <= b for a, b in spans)}
    wide = window.expanded(task.mask.dilate_px)
    scenes = [s for s in scenes_within(task.scenes, wide, date.min, date.max) if s.day in days]
    if not scenes:
        return [], np.empty((0, *window.shape), dtype=np.float32)
    bands = INDICES[images.index].bands
    limited = task.mask.max_cloud_probability is not None
    read = read_scenes(scenes, wide, [*bands, "scl", *(["cloud_probability"] if limited else [])], window)
    offered = read["cloud_probability"].values if limited else None
    inner = (slice(None), *wide.slices_of(window))
    clear = clear_mask(read["scl"].values, task.mask, offered)[inner]
    stacks = {name: read[name].values[inner] for name in bands}
    for stack in stacks.values():
        clear &= stack != NO_DATA
    values = compute_index(images.index, {name: stack * _SCALE for name, stack in stacks.items()})
    return sorted({s.day for s in scenes}), np.where(clear, values, np.float32(np.nan))


def _by_images(
    record: Mapping[Any, Any], days: Sequence[date], values: NDArray[np.float32], images: ImageEvidence | None
) -> tuple[Floats, Floats]:
    """(pixels,) the index before and after the work, NaN where it was not seen often enough."""
    unseen = np.full(values.shape[1], np.nan)
    if images is None or not days:
        return unseen, unseen
    found = []
    for first, last in _spans(record, images):
        own = values[[first <= day <= last for day in days]].astype(np.float64)
        seen = (~np.isnan(own)).sum(axis=0) >= images.min_clear
        level = unseen.copy()
        level[seen] = np.nanpercentile(own[:, seen], images.percentile, axis=0) if seen.any() else np.nan
        found.append(level)
    return found[0], found[1]


@dataclass(frozen=True)
class _Around:
    """Positions of the maps before and after the work (-1: none), and of all that show later days."""

    before: int
    after: int
    later: tuple[int, ...]


def _in_time(record: Mapping[Any, Any], task: EvidenceTask) -> _Around:
    first, last = date.fromisoformat(record["first_day"]), date.fromisoformat(record["last_day"])
    whole = task.rules.maps_show == "period"
    spans = [(p.start if whole else p.end, p.end) for p in task.periods]
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    before = [i for i in order if spans[i][1] < first]
    later = [i for i in order if spans[i][0] > last]
    return _Around(before[-1] if before else -1, later[0] if later else -1, tuple(later))


def _evidence(
    weight: Floats, before: Floats, after: Floats, maps: Sequence[NDArray[np.uint8]], around: _Around,
    task: EvidenceTask,
) -> list[float]:  # fmt: skip
    """m2 in the order of `EVIDENCE`."""
    unseen = np.zeros(len(weight), dtype=np.uint8)
    first = maps[around.before] if around.before >= 0 else unseen
    second = maps[around.after] if around.after >= 0 else unseen
    by_images = ~np.isnan(before - after)
    assert task.rules.images is not None or not by_images.any()
    fall = np.inf if task.rules.images is None else task.rules.images.fall
    images, lost = cleared_share(before, after, weight, fall)
    stood, seen = first == task.target, first != NO_DATA
    by_maps = ~by_images & seen & (second != NO_DATA)
    gone = (by_maps & stood & (second != task.target)) | (before - after >= fall)
    latest = unseen.copy()
    for i in around.later:
        latest = np.where(maps[i] != NO_DATA, maps[i], latest)

    def area(rows: NDArray[np.bool_]) -> float:
        return float(weight[rows].sum())

    return [
        float(weight.sum()), images + area(by_maps), images + area(by_maps & stood),
        lost + area(gone & by_maps), images, area(seen), area(stood),
        area(gone & (latest != NO_DATA)), area(gone & (latest == task.target)),
    ]  # fmt: skip


def write_evidence(folder: Path, results: Sequence[Floats], task: EvidenceTask) -> None:
    """Write the evidence of all operations by row as `FILE`."""
    whole = np.zeros((len(task.operations), len(EVIDENCE)))
    for part in results:
        whole[part[:, 0].astype(np.int64)] = part[:, 1:]
    np.save(folder / FILE, whole)


def read_evidence(ref: Ref) -> pd.DataFrame:
    """The evidence of a committed unit, m2: the columns `EVIDENCE`, a row per operation."""
    return pd.DataFrame(np.load(ref.file(FILE)), columns=list(EVIDENCE))
