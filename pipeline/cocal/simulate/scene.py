"""One block of one acquisition: land and sky to the digital numbers of the archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cocal.grid import Window
from cocal.simulate.cover import BANDS, reflectance
from cocal.simulate.land import Land
from cocal.simulate.noise import fractal_grid, white
from cocal.simulate.sky import CLOUD_COLOUR, Sky, classify_scene, illumination, opacity, shadow
from cocal.simulate.terrain import Terrain

SHADED = 0.72
"""Share of the light that a full cloud shadow takes away (diffuse light stays), an assumption."""

TEXTURE_VISIBLE, TEXTURE_INFRARED = 0.050, 0.050
"""Relative unevenness within a patch that stays from day to day, an assumption."""


SCL_BANDS = ("blue", "red", "nir08")
"""What the scene classification looks at."""


@dataclass(frozen=True)
class Ground:
    """The land of a block with what does not change from day to day."""

    land: Land
    texture: NDArray[np.float32]
    relief: NDArray[np.float64]


def ground(terrain: Terrain, here: Land) -> Ground:
    """`here` with its texture (2, y, x) and its heights with one pixel more on each side."""
    around = here.window.expanded(1)
    return Ground(
        here,
        white(terrain.seed, "texture", here.window, 2),
        terrain.elevation_grid(around.x, around.y),
    )


def halved(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(y, x) means of 2 x 2 pixels."""
    return (values[::2, ::2] + values[::2, 1::2] + values[1::2, ::2] + values[1::2, 1::2]) * np.float32(0.25)


def expose(
    below: Ground, sky: Sky, bands: Iterable[str] = BANDS, native: bool = True
) -> dict[str, NDArray[np.uint16 | np.uint8]]:
    """scenes/1 values of one day: `bands` (uint16, reflectance x 10000) and `scl` (uint8).

    With `native` every band has its own pixel size and `scl` 20 m; else all have the block's.
    """
    window, table = below.land.window, below.land.table
    spectra = np.ascontiguousarray(
        reflectance(table.kind, sky.day.timetuple().tm_yday, table.chance, table.tint).T
    )
    cloud, dark = opacity(sky, window), shadow(sky, window)
    light = illumination(sky, below.relief, window.resolution) * (1 - np.float32(SHADED) * dark)
    haze = np.float32(0.006) * (1 + fractal_grid(sky.seed, f"{sky.stream}/haze", window.x, window.y, 6000.0))
    wanted = {name: BANDS[name] if native else window.resolution for name in bands}
    seen: dict[str, NDArray[np.float32]] = {}
    out: dict[str, NDArray[np.uint16 | np.uint8]] = {}
    for number, name in enumerate(BANDS):
        if name not in wanted and name not in SCL_BANDS:
            continue
        value = _mixed(spectra[number], below.land.ids)
        texture, grain = (
            (below.texture[0], TEXTURE_VISIBLE) if number < 4 else (below.texture[1], TEXTURE_INFRARED)
        )
        value *= light * (1 + np.float32(grain) * texture)
        value += haze.astype(np.float32) * np.float32(max(0.0, 1 - number / 4))
        value += cloud * (np.float32(CLOUD_COLOUR[number]) - value)
        small = halved(value) if native else value
        if name in SCL_BANDS:
            seen[name] = small
        if name in wanted:
            own = window.at(wanted[name])
            out[name] = _digital(sky, name, value if own == window else small, own)
    size = 20 if native else window.resolution
    pair = (halved(cloud), halved(dark)) if native else (cloud, dark)
    out["scl"] = classify_scene(sky, window.at(size), *pair, seen)
    return out


def _mixed(spectrum: NDArray[np.float32], ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """(y, x) mean over the samples of every pixel."""
    total = spectrum.take(ids[0])
    for sample in ids[1:]:
        total += spectrum.take(sample)
    total *= np.float32(1 / len(ids))
    return np.asarray(total, dtype=np.float32)


def _digital(sky: Sky, name: str, value: NDArray[np.float32], window: Window) -> NDArray[np.uint16]:
    """Reflectance x 10000 with the sensor's noise (assumption: 0.0012 plus 1.2 %), 1 to 65535."""
    noise = white(sky.seed, f"{sky.stream}/{name}", window, 1)[0]
    noisy = value + noise * (np.float32(0.0012) + np.float32(0.012) * value)
    return np.asarray(np.clip(np.rint(noisy * np.float32(10_000)), 1, 65535), dtype=np.uint16)


def acquisition_days(year: int, per_month: int) -> list[date]:
    """`per_month` days in every month of the year, evenly spaced, the first on the 5th or earlier."""
    step = 30 // per_month
    first = min(5, step)
    return [date(year, month, min(first + step * k, 28)) for month in range(1, 13) for k in range(per_month)]


def blocks(window: Window, side: int = 768) -> list[Window]:
    """`window` cut into blocks of at most `side` pixels: whole blocks of the archive's rasters at 10 and 20 m."""
    step = side * window.resolution
    return [
        replace(
            window,
            left=left,
            top=top,
            width=min(side, (window.right - left) // window.resolution),
            height=min(side, (top - window.bottom) // window.resolution),
        )
        for top in range(window.top, window.bottom, -step)
        for left in range(window.left, window.right, step)
    ]
