"""Random numbers as a pure function of seed and place: a place has the same value in every block.

Lattice values come from an integer hash, without order or state. White noise per pixel comes from one Philox
generator per chunk of an absolute lattice.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cocal.grid import Tile, Window
from cocal.hashing import GOLDEN, MASK, lattice_hash

Floats = NDArray[np.float64]

CHUNK_PX = 96
"""Side of the chunks that white noise is drawn in, pixels."""

_STRIP = 32
"""Rows that are interpolated at once, to fit into the processor's cache."""

_NODE_STD = 1 - 2 * (1 / 2 - 13 / 35)
"""Standard deviation of unit normal nodes after smoothstep interpolation on two axes (its square is the
mean of (s^2 + (1 - s)^2)^2 over a cell, s = 3 t^2 - 2 t^3, integral of s^2 = 13/35)."""


def _key(seed: int, stream: str) -> np.uint64:
    return np.uint64(((seed & MASK) * GOLDEN + zlib.crc32(stream.encode()) * 0xD1B54A32D192ED03) & MASK)


def uniform(seed: int, stream: str, i: Any, j: Any) -> Floats:
    """Values in [0, 1) for integer places (i, j), which broadcast; streams are independent of each other."""
    return np.asarray((lattice_hash(_key(seed, stream), i, j) >> np.uint64(11)) * 2.0**-53)


def normal(seed: int, stream: str, i: Any, j: Any) -> Floats:
    """Standard normal values for integer places (i, j), which broadcast."""
    return np.asarray(ndtri(uniform(seed, stream, i, j) + 2.0**-54))


@lru_cache(maxsize=4096)
def _octaves(
    seed: int, stream: str, wavelength: float, octaves: int
) -> tuple[tuple[str, float, float, float, float], ...]:
    """(stream, wavelength, shift of x, shift of y, amplitude) of each octave; squared amplitudes sum to 1."""
    total = sum(0.25**k for k in range(octaves)) ** 0.5
    shifts = [uniform(seed, f"{stream}/shift", [k, k], [0, 1]).tolist() for k in range(octaves)]
    return tuple(
        (f"{stream}/{k}", wavelength / 2.0**k, x, y, 0.5**k / total / _NODE_STD)
        for k, (x, y) in enumerate(shifts)
    )


def _cells(values: Any, wavelength: float, shift: float) -> tuple[NDArray[np.int64], Floats]:
    """(cell, smoothstep of the position in it) of coordinates, m, on the lattice of one octave."""
    place = np.asarray(values, dtype=np.float64) / wavelength + shift
    cell = np.floor(place)
    t = place - cell
    return cell.astype(np.int64), t * t * (3 - 2 * t)


def fractal(seed: int, stream: str, x: Any, y: Any, wavelength: float, octaves: int = 1) -> Floats:
    """Smooth noise at points (x, y) in metres, which broadcast: mean 0, standard deviation about 1.

    Sum of `octaves` lattices of normal values, smoothstep-interpolated; each has half the wavelength and
    half the amplitude of the one before.
    """
    total: Any = 0.0
    for name, length, shift_x, shift_y, amplitude in _octaves(seed, stream, wavelength, octaves):
        i, s = _cells(x, length, shift_x)
        j, r = _cells(y, length, shift_y)
        upper = normal(seed, name, i, j) * (1 - s) + normal(seed, name, i + 1, j) * s
        lower = normal(seed, name, i, j + 1) * (1 - s) + normal(seed, name, i + 1, j + 1) * s
        total = total + (upper * (1 - r) + lower * r) * amplitude
    return np.asarray(total)


def fractal_grid(seed: int, stream: str, x: Floats, y: Floats, wavelength: float, octaves: int = 1) -> Floats:
    """`fractal` on the grid of columns x and rows y, (y, x): equal to the bit, and much faster."""
    total = np.zeros((y.size, x.size))
    for name, length, shift_x, shift_y, amplitude in _octaves(seed, stream, wavelength, octaves):
        i, s = _cells(x, length, shift_x)
        j, r = _cells(y, length, shift_y)
        columns, rows = np.arange(i.min(), i.max() + 2), np.arange(j.min(), j.max() + 2)
        nodes = normal(seed, name, columns[None, :], rows[:, None])
        along = nodes[:, i - columns[0]] * (1 - s) + nodes[:, i + 1 - columns[0]] * s
        j = j - rows[0]
        for k in range(0, y.size, _STRIP):
            strip = slice(k, k + _STRIP)
            upper, lower = along.take(j[strip], axis=0), along.take(j[strip] + 1, axis=0)
            upper *= (1 - r[strip])[:, None]
            lower *= r[strip, None]
            upper += lower
            upper *= amplitude
            total[strip] += upper
    return total


def white(seed: int, stream: str, window: Window, layers: int) -> NDArray[np.float32]:
    """(layers, y, x) independent standard normal values, one set per pixel of the absolute lattice."""
    side, shape = CHUNK_PX * window.resolution, (layers, CHUNK_PX, CHUNK_PX)
    out = np.empty((layers, *window.shape), dtype=np.float32)
    for chunk in Tile(window.snapped(side)).blocks(CHUNK_PX):
        part, column, row = chunk.intersection(window), chunk.left // side, chunk.bottom // side
        key = [_key(seed, stream), ((column & 0xFFFFFFFF) << 32) | (row & 0xFFFFFFFF)]
        philox = np.random.Philox(key=np.array(key, dtype=np.uint64))
        values = np.random.Generator(philox).standard_normal(shape, dtype=np.float32)
        if part is not None:
            out[(slice(None), *window.slices_of(part))] = values[(slice(None), *chunk.slices_of(part))]
    return out
