"""Shares of pixels -> the ground of each class in mixed pixels, and the class that a pixel shows.

Ground is counted in whole units of 1e-6 m2; the parts of a pixel add up to the pixel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocal.classify.census.edges import FULL
from cocal.contracts import NO_DATA

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shares:
    """The mixed pixels of a raster: a row per pixel and class; the rows of a pixel add up to its area.

    `pixel`: flat index, ascending; `code`: of the class; `units`: ground, 1e-6 m2, more than 0.
    """

    pixel: Ints
    code: Codes
    units: Ints

    @classmethod
    def none(cls) -> Shares:
        """The shares of a raster without mixed pixels."""
        return cls(np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, np.int64))

    def write(self, path: Path) -> None:
        np.savez_compressed(path, pixel=self.pixel, code=self.code, units=self.units)

    @classmethod
    def read(cls, path: Path) -> Shares:
        with np.load(path) as found:
            return cls(found["pixel"], found["code"], found["units"])


def classes_of_pixels(
    covered: Mapping[int, Ints], elsewhere: int, units: Ints, observed: NDArray[np.bool_]
) -> tuple[Codes, Shares]:
    """(y, x) code of the class with most ground in each pixel, and the shares of the mixed pixels.

    Parameters
    ----------
    covered : code -> (y, x) as from `coverage`, in the order in which classes of equal parts count; where
        rounding lets them add up to more than a pixel, the later gets less.
    elsewhere : code of the ground in no polygon.
    units : (y, x) area of the pixels, 1e-6 m2.
    observed : (y, x) False: the pixel is not observed as a whole.

    Returns
    -------
    Codes, `NO_DATA` where not observed. Of equal parts the first of `covered` counts, `elsewhere` last.

    Examples
    --------
    A pixel of 100 m2, a quarter of it in a polygon of class 1; a pixel in no polygon:

    >>> covered = {1: np.array([[FULL // 4, 0]])}
    >>> units = np.full((1, 2), 100 * 10**6)
    >>> codes, shares = classes_of_pixels(covered, 2, units, np.array([[True, True]]))
    >>> codes.tolist(), shares.code.tolist(), (shares.units / 10**6).tolist()
    ([[2, 2]], [1, 2], [25.0, 75.0])
    """
    keys = list(dict.fromkeys([*covered, elsewhere]))
    mixed = np.zeros(units.shape, dtype=bool)
    codes = np.full(units.shape, elsewhere, dtype=np.uint8)
    for code, cover in covered.items():
        codes[cover >= FULL] = code
        mixed |= (cover > 0) & (cover < FULL)
    codes[~observed] = NO_DATA
    pixel = np.flatnonzero(mixed & observed)
    parts, steps = np.zeros((2, len(keys), len(pixel)), dtype=np.int64)
    total, before = np.zeros(len(pixel), dtype=np.int64), np.zeros(len(pixel), dtype=np.int64)
    area = units.ravel()[pixel]
    for code, cover in covered.items():
        own = np.minimum(cover.ravel()[pixel], FULL - total)
        total += own
        upto = area * total // FULL
        parts[keys.index(code)] += upto - before
        steps[keys.index(code)] += own
        before = upto
    parts[keys.index(elsewhere)] += area - before
    steps[keys.index(elsewhere)] += FULL - total
    codes.ravel()[pixel] = np.array(keys, dtype=np.uint8)[steps.argmax(axis=0)]
    place, key = np.nonzero(parts.T)
    return codes, Shares(pixel[place], np.array(keys, dtype=np.uint8)[key], parts.T[place, key])


def parts_of(codes: Codes, units: Ints, shares: Shares) -> tuple[Ints, Codes, Ints]:
    """(flat index, code, area) of all ground of a raster: each pixel, and the classes of the mixed ones."""
    whole = units.ravel().copy()
    whole[shares.pixel] = 0
    index = np.arange(codes.size)
    return (
        np.concatenate([index, shares.pixel]),
        np.concatenate([codes.ravel(), shares.code]),
        np.concatenate([whole, shares.units]),
    )


def ground_of(code: int, codes: Codes, units: Ints, shares: Shares) -> Ints:
    """(y, x) ground of one class in each pixel, 1e-6 m2."""
    found = np.where(codes == code, units, 0)
    own = shares.code == code
    found.ravel()[shares.pixel] = 0
    found.ravel()[shares.pixel[own]] = shares.units[own]
    return found


def common_ground(
    both: Mapping[tuple[int, int], Ints],
    layers: Sequence[tuple[Codes, Shares]],
    elsewhere: int,
    units: Ints,
) -> tuple[Ints, Codes, Codes, Ints]:
    """(flat index, code before, code after, area) of the ground that two maps of one place both observe.

    Parameters
    ----------
    both : (code before, code after) -> (y, x) as from `coverage`: where polygons of the two maps overlap.
    layers : codes and shares of the two maps.
    elsewhere, units : as for `classes_of_pixels`.

    Returns
    -------
    The parts of a pixel add up to its area, and by class before and by class after to the shares of either
    map, up to rounding to units.
    """
    (before, first), (after, second) = layers
    seen = (before != NO_DATA) & (after != NO_DATA)
    is_mixed = np.zeros(before.size, dtype=bool)
    is_mixed[first.pixel] = is_mixed[second.pixel] = True
    pure, mixed = np.flatnonzero(seen.ravel() & ~is_mixed), np.flatnonzero(seen.ravel() & is_mixed)
    flat, area = units.ravel(), units.ravel()[mixed]
    keys = sorted({elsewhere, *np.unique(before), *np.unique(after), *first.code, *second.code} - {NO_DATA})
    rows = [
        np.stack([ground_of(k, codes, units, shares).ravel()[mixed] for k in keys])
        for codes, shares in layers
    ]
    joint = _joint(both, rows, (keys, keys.index(elsewhere)), mixed, area)
    place = np.nonzero(joint.transpose(2, 0, 1))
    key = np.array(keys, dtype=np.uint8)
    return (
        np.concatenate([pure, mixed[place[0]]]),
        np.concatenate([before.ravel()[pure], key[place[1]]]),
        np.concatenate([after.ravel()[pure], key[place[2]]]),
        np.concatenate([flat[pure], joint[place[1], place[2], place[0]]]),
    )


def _joint(
    both: Mapping[tuple[int, int], Ints],
    rows: Sequence[Ints],
    classes: tuple[Sequence[int], int],
    pixels: Ints,
    area: Ints,
) -> Ints:
    """(before, after, pixels) ground; what no two polygons share goes with `elsewhere` of the other map."""
    keys, rest = classes
    joint = np.zeros((len(keys), len(keys), len(pixels)), dtype=np.int64)
    left = [row.copy() for row in rows]
    pairs = [(a, b) for a in range(len(keys)) for b in range(len(keys)) if rest not in (a, b)]
    for a, b in pairs:
        cover = both.get((keys[a], keys[b]))
        if cover is not None:
            ground = area * np.minimum(cover.ravel()[pixels], FULL) // FULL
            _move(joint, left, (a, b), ground)
    own = [sum(row[k] for k in range(len(keys)) if k != rest) for row in left]
    for a, b in pairs:
        short = np.maximum(own[0] + own[1] + joint.sum(axis=(0, 1)) - area, 0)
        moved = _move(joint, left, (a, b), short)
        own = [part - moved for part in own]
    for k in range(len(keys)):
        if k != rest:
            joint[k, rest], joint[rest, k] = left[0][k], left[1][k]
    joint[rest, rest] = area - joint.sum(axis=(0, 1))
    return joint


def _move(joint: Ints, left: list[Ints], pair: tuple[int, int], ground: Ints) -> Ints:
    """Count ground as common to a pair of classes, as far as both still have some; what was counted."""
    a, b = pair
    ground = np.minimum(ground, np.minimum(left[0][a], left[1][b]))
    joint[a, b] += ground
    left[0][a] -= ground
    left[1][b] -= ground
    return ground
