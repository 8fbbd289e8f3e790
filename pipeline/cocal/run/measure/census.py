"""Ground of an office's own map: exact where polygons share a pixel, by overlay between two periods.

The sums that a sample is calibrated to (`strata_cells`) are of the class that each pixel shows, as the points
of the sample are: an estimate needs the ground of the very variable that its points carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cocal.classify.census.edges import FULL
from cocal.classify.census.shares import Shares, common_ground, parts_of
from cocal.content import Ref
from cocal.contracts import NO_DATA, SHARES_NPZ, Period
from cocal.estimate import count_units
from cocal.grid import Tile, Window
from cocal.notes.account import record
from cocal.regions import Regions
from cocal.run.worker.census import (
    AGAIN,
    MAP,
    PAIR,
    Plane,
    covered_by_key,
    ground_of_groups,
    pair_of,
    read_card,
    read_planes,
)
from cocal.run.worker.mosaic import Maps

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

NOTED_SHARE = 1e-4
"""Of the polygons' hectares; less is the noise of areas and of common edges."""


def shares_of(ref: Ref) -> Shares:
    """The shares of the mixed pixels of a map; none where it failed."""
    return Shares.none() if ref.folder is None else Shares.read(ref.file(SHARES_NPZ))


def areas_of(
    codes: Codes, owner: NDArray[np.int32], units: Ints, shares: Shares | None, n_places: int
) -> Ints:
    """(n_places, 256) as `count_units`; with `shares`, mixed pixels count by their parts."""
    if shares is None:
        return count_units(codes, owner, units, n_places)
    index, code, ground = parts_of(codes, units, shares)
    return count_units(code, owner.ravel()[index], ground, n_places)


def target_mosaic(near: Maps, window: Window, codes: Codes, units: Ints, target: int) -> Ints:
    """(y, x) ground of the target on a window, of the maps of its zone that touch it."""
    found = np.where(codes == target, units, 0)
    for tile, ref in near:
        common = window.intersection(tile.window)
        if ref.folder is None or common is None:
            continue
        there, shares = window.slices_of(common), shares_of(ref)
        row, column = np.divmod(shares.pixel, tile.window.width)
        cut = tile.window.slices_of(common)
        inside = (row >= cut[0].start) & (row < cut[0].stop)
        inside &= (column >= cut[1].start) & (column < cut[1].stop)
        row, column = row + there[0].start - cut[0].start, column + there[1].start - cut[1].start
        found[row[inside], column[inside]] = 0
        own = inside & (shares.code == target)
        found[row[own], column[own]] = shares.units[own]
    return found


def overlaid_change(
    planes: Sequence[Plane],
    layers: Sequence[tuple[Codes, Shares]],
    owner: NDArray[np.int32],
    units: Ints,
    *,
    masks: Mapping[int, NDArray[np.bool_]],
    window: Window,
    classes: tuple[int, int],
    n_regions: int,
) -> Ints:
    """(pairs, regions, 4) ground cleared, new, replanted and seen twice, as `counts.CHANGES`.

    By overlay of the polygons of both periods, and for what came again of three.

    Parameters
    ----------
    planes : polygons of the tile, as from `read_planes`.
    layers : codes and shares of the maps in the order of time.
    owner, units : (y, x) region, -1 = none; 1e-6 m2.
    masks : as from `ground_of_groups`.
    classes : codes of the target and of the ground in no polygon.
    """
    target, elsewhere = classes
    totals = np.zeros((len(layers) - 1, n_regions, 4), dtype=np.int64)
    flat = owner.ravel()
    for k in range(len(layers) - 1):
        both = {pair_of(key): cover for key, cover in covered_by_key(planes, PAIR, k, window, masks).items()}
        index, before, after, ground = common_ground(both, layers[k : k + 2], elsewhere, units)
        was, is_ = before == target, after == target
        for q, part in ((0, was & ~is_), (1, ~was & is_), (3, np.ones(len(index), dtype=bool))):
            totals[k, :, q] = count_units(part.astype(np.uint8), flat[index], ground, n_regions)[:, 1]
        for cover in covered_by_key(planes, AGAIN, k, window, masks).values():
            seen = (layers[k][0] != NO_DATA) & (layers[k + 1][0] != NO_DATA)
            came = np.where(seen, units * np.minimum(cover, FULL) // FULL, 0)
            totals[k, :, 2] = count_units(seen.astype(np.uint8), owner, came, n_regions)[:, 1]
        totals[k, :, 2] = np.minimum(totals[k, :, 2], totals[k, :, 1])
    return totals


def drawn_ground(
    planes: Sequence[Plane],
    codes: Sequence[Codes],
    owner: NDArray[np.int32],
    units: Ints,
    masks: Mapping[int, NDArray[np.bool_]],
    window: Window,
) -> Ints:
    """(periods, 2) ground of the polygons in the regions; of that, on observed ground."""
    found = np.zeros((len(codes), 2), dtype=np.int64)
    for i, own in enumerate(codes):
        for cover in covered_by_key(planes, MAP, i, window, masks).values():
            ground = np.where(owner >= 0, units * np.minimum(cover, FULL) // FULL, 0)
            found[i] += int(ground.sum()), int(ground[own != NO_DATA].sum())
    return found


def tile_planes(
    census: Ref, tile: Tile, regions: Regions, countries: tuple[str, ...]
) -> tuple[list[Plane], dict[int, NDArray[np.bool_]]]:
    """The polygons of a tile, and the ground on which each group of layers counts."""
    return read_planes(census, tile), ground_of_groups(regions, countries, tile.window)


def record_left_out(census: Ref, periods: Sequence[Period], drawn: Ints) -> None:
    """Record the hectares of polygons outside the regions and on ground that was not observed.

    `drawn`: as from `drawn_ground`, over all tiles.
    """
    card = read_card(census)
    for period, (inside, seen) in zip(periods, (drawn / 10**10).tolist(), strict=True):
        whole = sum(own["hectares"] for own in card["periods"][period.name].values())
        outside, unseen = (((a - b) / whole if whole else 0.0) for a, b in ((whole, inside), (inside, seen)))
        name = period.name
        if outside > NOTED_SHARE:
            record("census_outside_regions", period=name, before_ha=whole, after_ha=inside, share=outside)
        if unseen > NOTED_SHARE:
            record("census_not_seen", period=name, before_ha=inside, after_ha=seen, share=unseen)
