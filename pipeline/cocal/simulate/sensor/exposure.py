"""One block of one acquisition: from land and sky to the digital numbers of the archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from cocal.grid import Window
from cocal.simulate.land.history import day_number
from cocal.simulate.land.mosaic import SAMPLES, enlarged, land
from cocal.simulate.land.patches import Patches
from cocal.simulate.land.terrain import Terrain
from cocal.simulate.noise import fractal_grid, white
from cocal.simulate.sensor.canopy import BANDS, reflectance
from cocal.simulate.sensor.sky import CLOUD_COLOUR, Sky, classify_scene, opacity, shadow

SPREAD = np.array([0.09, 0.18, 0.23, 0.23, 0.18, 0.09], dtype=np.float32)
"""Weights of the point spread along one axis, over one and a half pixels (assumption: half width of about 1.1
pixels, within the modulation of 0.15 to 0.30 at the Nyquist frequency that the mission requires).
"""

SHADED = 0.72
"""Share of the light that a full cloud shadow removes (diffuse light remains), an assumption."""
UNCORRECTED = 0.35
"""c of the C-correction (Teillet et al. 1982, doi:10.1080/07038992.1982.10855028), which represents the
residual of terrain correction: light = (cos i + c) / (cos z + c). An assumption.
"""
TEXTURE = 0.050
"""Relative variation within a patch that is the same every day, an assumption."""
NOISE, NOISE_SHARE = 0.0012, 0.012
"""Noise of a pixel: reflectance, and share of the signal (assumption)."""

_MARGIN_PX = 2
_SEEN = ("blue", "red", "nir08")
_NUMBER = {name: number for number, name in enumerate(BANDS)}
Image = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """A block in pixels of one size: (y, x) relief, (kind of band, y, x) texture.

    `same` (y, x) is true where all places under the point spread that starts at this place are of one patch.
    """

    window: Window
    step: int
    same: NDArray[np.bool_]
    texture: Image
    up: Image
    east: Image
    north: Image


@dataclass(frozen=True)
class Ground:
    """The land of a block with what is the same every day; places have a margin of two pixels."""

    window: Window
    table: Patches
    ids: NDArray[np.int32]
    scales: dict[int, Scale]


def ground(terrain: Terrain, window: Window) -> Ground:
    """The ground of `window`, whose sides are whole pixels of 20 m."""
    here = land(terrain, window.expanded(_MARGIN_PX))
    ten = _same(here.ids)
    length = tuple(n - len(SPREAD) + 1 for n in ten.shape)
    twenty = ten[: length[0], : length[1]] & ten[5:, 5:] & ten[5:, : length[1]] & ten[: length[0], 5:]
    texture = white(terrain.seed, "texture", window, 2) * np.float32(TEXTURE)
    heights = here.elevation[1:-1, 1:-1]
    scales = {
        10: Scale(window, 1, ten, texture, *_normals(heights, 10)),
        20: Scale(
            window.at(20), 2, twenty, np.stack([halved(t) for t in texture]),
            *(halved(n) for n in _normals(heights, 10)),
        ),
    }  # fmt: skip
    return Ground(window, here.table, here.ids, scales)


def _same(ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """True where the square of places under `SPREAD` that starts here is of one patch."""
    n = len(SPREAD) - 1
    across, down = ids[:, 1:] == ids[:, :-1], ids[1:] == ids[:-1]
    row = _all_of(across, n, axis=1)
    column = _all_of(down, n, axis=0)
    return np.asarray(_all_of(row, n + 1, axis=0) & column[:, : row.shape[1]])


def _all_of(flags: NDArray[np.bool_], n: int, axis: int) -> NDArray[np.bool_]:
    """AND of the n neighbours that start at each place, along an axis."""
    windows = sliding_window_view(flags, n, axis=axis)
    out = windows[..., 0].copy()
    for k in range(1, n):
        out &= windows[..., k]
    return out


def _normals(heights: NDArray[np.float64], size: int) -> tuple[Image, Image, Image]:
    """Upward, east and north parts of the unit normals on the inside of `heights`."""
    east = (heights[1:-1, :-2] - heights[1:-1, 2:]) / (2 * size)
    north = (heights[2:, 1:-1] - heights[:-2, 1:-1]) / (2 * size)
    up = 1 / np.sqrt(1 + east * east + north * north)
    return up.astype(np.float32), (east * up).astype(np.float32), (north * up).astype(np.float32)


def halved(values: Image) -> Image:
    """(y, x) means of 2 x 2 pixels."""
    return (values[::2, ::2] + values[::2, 1::2] + values[1::2, ::2] + values[1::2, 1::2]) * np.float32(0.25)


def mixed(below: Ground, spectra: Image, size: int, shift: tuple[int, int]) -> list[Image]:
    """(y, x) reflectance of each column of `spectra` (patch, band), blurred by `SPREAD`, pixels of `size` m.

    `shift` is the error of geolocation: places of 2.5 m to the east and to the south.
    """
    scale = below.scales[size]
    height, width = scale.window.shape
    stride = SAMPLES * scale.step
    reach = (len(SPREAD) * scale.step - stride) // 2
    top, left = (SAMPLES * _MARGIN_PX - reach + s for s in (shift[1], shift[0]))
    rows, columns = slice(top, top + stride * height, stride), slice(left, left + stride * width, stride)
    pure = scale.same[rows, columns]
    one = np.ascontiguousarray(below.ids[rows, columns])
    views = sliding_window_view(below.ids, (len(SPREAD) * scale.step,) * 2)[rows, columns]
    at_edge = np.flatnonzero(~pure)
    many = views[:, :, :: scale.step, :: scale.step][~pure].reshape(at_edge.size, -1)
    weights = np.multiply.outer(SPREAD, SPREAD).ravel()
    n = weights.size
    matrix = csr_matrix(
        (np.tile(weights, at_edge.size), many.ravel(), np.arange(0, n * at_edge.size + 1, n)),
        shape=(at_edge.size, len(spectra)),
    )
    spread = matrix @ spectra
    out = []
    for band in range(spectra.shape[1]):
        plane = np.ascontiguousarray(spectra[:, band]).take(one)
        plane.ravel()[at_edge] = spread[:, band]
        out.append(plane)
    return out


def expose(
    below: Ground, sky: Sky, bands: Iterable[str] = BANDS, native: bool = True
) -> dict[str, NDArray[np.uint16 | np.uint8]]:
    """scenes/1 values of one day: `bands` (uint16, reflectance x 10000) and `scl` (uint8).

    With `native` every band has its own pixel size and `scl` 20 m; else coarse pixels are repeated at 10 m.
    """
    spectra, coarse = reflectance(below.table, day_number(sky.day)), below.window.at(20)
    cloud, dark = opacity(sky, coarse), shadow(sky, coarse)
    haze = np.float32(0.006) + np.float32(0.006) * fractal_grid(
        sky.seed, f"{sky.stream}/haze", coarse.x, coarse.y, 6000.0
    ).astype(np.float32)
    veil = (cloud, np.float32(1) - np.float32(SHADED) * dark, np.maximum(haze, np.float32(0)))
    wanted = set(bands)
    seen: dict[str, Image] = {}
    out: dict[str, NDArray[np.uint16 | np.uint8]] = {}
    for size in (10, 20):
        names = [n for n, s in BANDS.items() if s == size and (n in wanted or n in _SEEN)]
        here = veil if size == 20 else tuple(enlarged(v, 2) for v in veil)
        light = here[1] * _light(sky, below.scales[size])
        values = mixed(
            below, np.ascontiguousarray(spectra[:, [_NUMBER[name] for name in names]]), size, sky.shift
        )
        noise = white(sky.seed, f"{sky.stream}/{size}", below.scales[size].window, len(names))
        for name, value, grain in zip(names, values, noise, strict=True):
            number = _NUMBER[name]
            value *= light
            value *= 1 + below.scales[size].texture[0 if number < 4 else 1]
            value += here[2] * np.float32(max(0.0, 1 - number / 4))
            value += here[0] * (np.float32(CLOUD_COLOUR[number]) - value)
            if name in _SEEN:
                seen[name] = value if size == 20 else halved(value)
            if name in wanted:
                digital = _digital(value, grain)
                out[name] = digital if native or size == 10 else enlarged(digital, 2)
    code = classify_scene(sky, coarse, cloud, dark, seen)
    out["scl"] = code if native else enlarged(code, 2)
    return {name: out[name] for name in (*(b for b in BANDS if b in wanted), "scl")}


def _light(sky: Sky, scale: Scale) -> Image:
    """(y, x) light on the slopes, 1 on level ground."""
    toward = np.float32(np.sin(sky.zenith)) * (
        scale.east * np.float32(np.sin(sky.azimuth)) + scale.north * np.float32(np.cos(sky.azimuth))
    )
    level = np.cos(sky.zenith)
    light: Image = scale.up * np.float32(level) + toward + np.float32(UNCORRECTED)
    light *= np.float32(1 / (level + UNCORRECTED))
    return np.maximum(light, np.float32(0.2), out=light)


def _digital(value: Image, grain: Image) -> NDArray[np.uint16]:
    """Reflectance x 10000 with the sensor's noise, 1 to 65535; `grain` is standard normal and overwritten."""
    grain *= np.float32(NOISE) + np.float32(NOISE_SHARE) * value
    grain += value
    grain *= np.float32(10_000)
    np.rint(grain, out=grain)
    return np.clip(grain, 1, 65535, out=grain).astype(np.uint16)
