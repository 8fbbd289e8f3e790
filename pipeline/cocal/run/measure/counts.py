"""Exact areas of a run's maps, one pass per tile: by region, country and zone, change, applicability, square.

A worker counts one tile of all periods (`count_tile`); the sums of all tiles are a unit that is kept, so that
tables of other records or settings are made without reading a map. Ground of a map that failed is unobserved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.archive import read_raster
from cocal.classify.applicability import STEPS, UNKNOWN
from cocal.classify.census.shares import Shares
from cocal.content import File, Place, Ref
from cocal.contracts import (
    CLASS_TIF,
    DISSIMILARITY_TIF,
    NO_DATA,
    PROBABILITY_NO_DATA,
    PROBABILITY_TIF,
    Period,
)
from cocal.estimate import count_units
from cocal.estimate.density import CELL_COLUMNS, cell_rows, plots_of_regions
from cocal.estimate.settings import DensitySettings
from cocal.grid import Tile, Window, cell_area_units
from cocal.regions import owned, owners
from cocal.run.measure.census import (
    areas_of,
    drawn_ground,
    overlaid_change,
    shares_of,
    target_mosaic,
    tile_planes,
)
from cocal.run.measure.strata_cells import change_cells, strata_of, stratum_cells, summed
from cocal.run.worker.mosaic import Maps, Source, mosaic, regions_of
from cocal.run.worker.sums import Sums, added
from cocal.scheme import ClassScheme

Ints = NDArray[np.int64]

CHANGES = ("cleared", "new", "replanted", "seen_twice")
"""Of the target between two periods: there and then not; not and then there; new ground that had been cleared
between the two periods before; ground that both maps show."""

COUNTS = "counts.npz"
_ROWS = ("squares", "strata", "strata_change")
"""Arrays with a row per thing; all others are sums over all regions."""
_SQUARE_COLUMNS = ("epsg", "column", "row", *CELL_COLUMNS)
_CERTAIN = 10_000
"""Probability of 1 on disk."""


@dataclass(frozen=True)
class CountsTask:
    """Inputs of the counts. `maps`: `period/tile id` -> map; `zones`, `density`: None if not configured.

    `strata`: rasters of the strata of the sample's design; none: nothing is counted by stratum.
    `own_map`: the maps are an office's own, whose mixed pixels count by their parts; `census`: its polygons,
    `countries` those of its groups of layers, `elsewhere` the class of the ground in none of them.
    """

    periods: tuple[Period, ...]
    maps: Mapping[str, Ref]
    tiles: Place[tuple[Tile, ...]]
    regions: Source
    zones: Source | None
    scheme: ClassScheme
    applicability: bool
    density: DensitySettings | None
    strata: tuple[File, ...] = ()
    own_map: bool = False
    census: Ref | None = None
    countries: tuple[str, ...] = ()
    elsewhere: str = ""

    @property
    def target(self) -> int:
        """The code of the target class."""
        return self.scheme.codes[self.scheme.target]


@dataclass(frozen=True)
class Piece:
    """A tile with its map of each period; `squares` (k, 2): column, row; `near`: maps that touch them."""

    tile: Tile
    maps: tuple[Ref, ...]
    squares: Ints
    near: tuple[Maps, ...]


def in_time(periods: Sequence[Period]) -> list[int]:
    """Positions of the periods in the order of their first day."""
    return sorted(range(len(periods)), key=lambda i: (periods[i].start, periods[i].end))


def pieces(task: CountsTask) -> list[Piece]:
    """The tiles that have maps, with what each counts."""
    tiles = [t for t in task.tiles.value if f"{task.periods[0].name}/{t.id}" in task.maps]
    maps = [tuple((t, task.maps[f"{p.name}/{t.id}"]) for t in tiles) for p in task.periods]
    side = task.density.cell_m if task.density else 0
    squares = squares_of(tiles, side) if side else {}
    found = []
    for i, tile in enumerate(tiles):
        touching = [j for j, other in enumerate(tiles) if side and _within(other, tile, side)]
        near = tuple(tuple(own[j] for j in touching) for own in maps) if side else ()
        own = tuple(of_period[i][1] for of_period in maps)
        found.append(Piece(tile, own, squares.get(tile, np.empty((0, 2), np.int64)), near))
    return found


def squares_of(tiles: Sequence[Tile], cell_m: int) -> dict[Tile, Ints]:
    """Tile -> (k, 2) column and row of its squares: each belongs to the first tile that it touches."""
    taken: set[tuple[int, int, int]] = set()
    found = {}
    for tile in tiles:
        w = tile.window
        columns = range(w.left // cell_m, (w.right - 1) // cell_m + 1)
        rows = range(w.bottom // cell_m, (w.top - 1) // cell_m + 1)
        own = [(c, r) for c in columns for r in rows if (w.epsg, c, r) not in taken]
        taken.update((w.epsg, c, r) for c, r in own)
        if own:
            found[tile] = np.array(own, dtype=np.int64)
    return found


def _within(one: Tile, other: Tile, reach_m: int) -> bool:
    """True if the tiles are of one zone and less than `reach_m` apart."""
    a, b = one.window, other.window
    apart_x = max(a.left, b.left) - min(a.right, b.right)
    apart_y = max(a.bottom, b.bottom) - min(a.top, b.top)
    return a.epsg == b.epsg and max(apart_x, apart_y) < reach_m


def count_tile(piece: Piece, task: CountsTask) -> dict[str, Sums | Ints]:
    """Sums of one tile, areas in 1e-6 m2, by name; those that the task does not ask for are left out.

    All but the last three are `Sums` of:

    - `areas` (periods, regions, 256) by class code
    - `change` (pairs of successive periods, regions, `CHANGES`)
    - `zones` (periods, countries, 1 + zones, 256) of the regions' ground; zone 0 is ground in no zone
    - `beyond` (periods, 2, regions, 256): where the model does not apply; in doubt
    - `plots` (periods, regions): number of plots
    - `drawn` (periods, 2): of an office's polygons, in the regions; of that, on observed ground
    - `squares` (n, 1 + columns of `_SQUARE_COLUMNS`): position of the period, then a row per square
    - `strata`, `strata_change`: as from `stratum_cells` and `change_cells`
    """
    regions, window = regions_of(task.regions), piece.tile.window
    owner, units, n = owned(regions, window), cell_area_units(window), len(regions)
    codes = [_codes(ref, window) for ref in piece.maps]
    shares = [shares_of(ref) if task.own_map else None for ref in piece.maps]
    layers = list(zip(codes, shares, strict=True))
    found = {"areas": np.stack([areas_of(c, owner, units, own, n) for c, own in layers])}
    if task.census is not None:
        found |= _of_polygons(piece.tile, task, task.census, layers, (owner, units))
    elif len(codes) > 1:
        ordered = [codes[i] for i in in_time(task.periods)]
        found["change"] = _change(ordered, owner, units, n_regions=n, target=task.target)
    if task.zones is not None:
        found["zones"] = _zones(layers, owner, units, window, task)
    if task.applicability:
        pairs = zip(piece.maps, codes, strict=True)
        found["beyond"] = np.stack([_beyond(ref, c, window, owner, n, task.target) for ref, c in pairs])
    if task.density is not None:
        found["squares"] = _squares(piece, task, task.density)
        how = {"target": task.target, "plot_units": round(task.density.plot_ha * 10**10)}
        found["plots"] = np.stack([plots_of_regions(c, owner, units, n, **how) for c in codes])
    if task.strata:
        strata = strata_of([file.path for file in task.strata], window)
        zone = np.zeros(window.shape, dtype=np.int64)
        if task.zones is not None:
            zone += owners(regions_of(task.zones), window) + 1
        found["strata"] = stratum_cells(codes, strata, owner, zone, units)
        if len(codes) > 1:
            ordered = [codes[i] for i in in_time(task.periods)]
            found["strata_change"] = change_cells(ordered, strata, owner, units)
    return {name: value if name in _ROWS else Sums.of(value) for name, value in found.items()}


def _of_polygons(
    tile: Tile,
    task: CountsTask,
    census: Ref,
    layers: Sequence[tuple[NDArray[np.uint8], Shares | None]],
    ground: tuple[NDArray[np.int32], Ints],
) -> dict[str, Ints]:
    """`drawn` and, of several periods, `change` of an office's polygons."""
    planes, masks = tile_planes(census, tile, regions_of(task.regions), task.countries)
    owner, units = ground
    codes = [own for own, _ in layers]
    found = {"drawn": drawn_ground(planes, codes, owner, units, masks, tile.window)}
    if len(layers) > 1:
        ordered = [(layers[i][0], layers[i][1] or Shares.none()) for i in in_time(task.periods)]
        found["change"] = overlaid_change(
            planes, ordered, owner, units, masks=masks, window=tile.window,
            classes=(task.target, task.scheme.codes[task.elsewhere]), n_regions=len(regions_of(task.regions)),
        )  # fmt: skip
    return found


def _codes(ref: Ref, window: Window) -> NDArray[np.uint8]:
    """(y, x) codes of a class map; not observed where it failed."""
    if ref.folder is None:
        return np.zeros(window.shape, dtype=np.uint8)
    codes: NDArray[np.uint8] = read_raster(ref.file(CLASS_TIF), window, window.resolution, "uint8")
    return codes


def _change(
    codes: Sequence[NDArray[np.uint8]], owner: NDArray[np.int32], units: Ints, *, n_regions: int, target: int
) -> Ints:
    totals = np.zeros((len(codes) - 1, n_regions, len(CHANGES)), dtype=np.int64)
    cleared = np.zeros(owner.shape, dtype=bool)
    for k, (first, second) in enumerate(pairwise(codes)):
        both = (first != NO_DATA) & (second != NO_DATA)
        new = both & (first != target) & (second == target)
        before = codes[k - 1] == target if k else cleared
        parts = (both & (first == target) & (second != target), new, new & before, both)
        for q, part in enumerate(parts):
            totals[k, :, q] = count_units(part.astype(np.uint8), owner, units, n_regions)[:, 1]
    return totals


def _zones(
    layers: Sequence[tuple[NDArray[np.uint8], Shares | None]],
    owner: NDArray[np.int32],
    units: Ints,
    window: Window,
    task: CountsTask,
) -> Ints:
    assert task.zones is not None
    legal, table = regions_of(task.zones), regions_of(task.regions).table
    countries, country_of = np.unique(table["country"].astype(str), return_inverse=True)
    step = len(legal) + 1
    country = np.where(owner >= 0, np.array([*country_of, 0])[owner], -1)
    place = np.where(country >= 0, country * step + owners(legal, window) + 1, -1).astype(np.int32)
    sums = np.stack([areas_of(c, place, units, own, len(countries) * step) for c, own in layers])
    return sums.reshape(len(layers), len(countries), step, -1)


def _beyond(
    ref: Ref, codes: NDArray[np.uint8], window: Window, owner: NDArray[np.int32], n_regions: int, target: int
) -> Ints:
    """(2, regions, 256) area by region and class: where the model does not apply; in doubt.

    In doubt is the area times the probability that the pixel is on the other side of the line between target
    and
    everything else, as the model has it.
    """
    found = np.zeros((2, n_regions, 256), dtype=np.int64)
    if ref.folder is None:
        return found
    units = cell_area_units(window)
    unlike = read_raster(ref.file(DISSIMILARITY_TIF), window, window.resolution, "uint8", UNKNOWN)
    probability = read_raster(
        ref.file(PROBABILITY_TIF), window, window.resolution, "uint16", PROBABILITY_NO_DATA
    ).astype(np.int64)
    outside = np.where(unlike > STEPS, codes, NO_DATA).astype(np.uint8)
    other = np.where(codes == target, _CERTAIN - probability, probability)
    in_doubt = np.where(codes != NO_DATA, (units * other + _CERTAIN // 2) // _CERTAIN, 0)
    found[0] = count_units(outside, owner, units, n_regions)
    found[1] = count_units(codes, owner, in_doubt, n_regions)
    found[:, :, NO_DATA] = 0
    return found


def _squares(piece: Piece, task: CountsTask, density: DensitySettings) -> Ints:
    """Rows of `cell_rows` of the tile's squares that hold owned ground, all periods."""
    rows: list[tuple[int, ...]] = []
    if len(piece.squares):
        for k, near in enumerate(piece.near):
            rows += [(k, *row) for row in _squares_of_map(piece, near, task, density)]
    return np.array(rows, dtype=np.int64).reshape(-1, 1 + len(_SQUARE_COLUMNS))


def _squares_of_map(
    piece: Piece, near: Maps, task: CountsTask, density: DensitySettings
) -> Iterator[tuple[int, ...]]:
    w, side = piece.tile.window, density.cell_m // piece.tile.window.resolution
    low, high = piece.squares.min(axis=0) * density.cell_m, (piece.squares.max(axis=0) + 1) * density.cell_m
    width, height = ((high - low) // w.resolution).tolist()
    window = Window(w.epsg, int(low[0]), int(high[1]), width, height, w.resolution)
    codes = mosaic(near, window, CLASS_TIF, "uint8", NO_DATA)
    owner, units = owned(regions_of(task.regions), window), cell_area_units(window)
    plot_units, ground = round(density.plot_ha * 10**10), np.where(codes == task.target, units, 0)
    if task.own_map:
        ground = target_mosaic(near, window, codes, units, task.target)
    for column, row in piece.squares.tolist():
        left = (column * density.cell_m - window.left) // w.resolution
        top = (window.top - (row + 1) * density.cell_m) // w.resolution
        cut = slice(top, top + side), slice(left, left + side)
        found = cell_rows(
            codes[cut], owner[cut], units[cut], ground[cut], target=task.target, plot_units=plot_units
        )
        if found is not None:
            yield (w.epsg, column, row, *found)


def write_counts(folder: Path, results: Sequence[dict[str, Any]], _: CountsTask) -> None:
    """Write the sums over all tiles, and the squares of all, as `COUNTS`."""
    totals = {}
    for name in results[0]:
        parts = [found[name] for found in results]
        totals[name] = np.concatenate(parts) if name in _ROWS else added(parts)
        if name.startswith("strata"):
            totals[name] = summed(*totals[name].T)
    np.savez(folder / COUNTS, **totals)  # type: ignore[arg-type]


def read_counts(ref: Ref) -> dict[str, Ints]:
    """The sums of a committed unit of counts, as `count_tile` names them."""
    with np.load(ref.file(COUNTS)) as found:
        return {name: found[name] for name in found.files}


def squares_of_period(counts: Mapping[str, Ints], period: int) -> pd.DataFrame:
    """The squares of the period at that position: epsg, column, row and `CELL_COLUMNS`."""
    rows = counts["squares"]
    return pd.DataFrame(rows[rows[:, 0] == period, 1:], columns=list(_SQUARE_COLUMNS))
