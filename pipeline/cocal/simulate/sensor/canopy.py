"""Reflectance of patches in the ten land bands: a table of canopies by leaf area, made with PROSAIL.

`canopies.csv` is made by docs/figures/canopies.py (PROSPECT-D, 4SAIL); bare ground is in `land.kinds`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cocal.assets import asset
from cocal.simulate.land.history import state
from cocal.simulate.land.kinds import KINDS, SURFACE_SPECTRA
from cocal.simulate.land.patches import Patches
from cocal.simulate.land.phenology import leaf_area, wetness

BANDS: dict[str, int] = {
    "blue": 10, "green": 10, "red": 10, "rededge071": 20, "rededge075": 20,
    "rededge078": 20, "nir": 10, "nir08": 20, "swir16": 20, "swir22": 20,
}  # fmt: skip
"""Pixel size in metres of each simulated band, by STAC common name."""

CALM = {"lowland_forest": 0.5, "montane_forest": 0.5, "old_regrowth": 0.7}
"""Stands of trees differ less from each other than plots do (assumption)."""

_STEPS, _MOST = 161, 8.0
Array = NDArray[np.float64]


@cache
def _canopies() -> tuple[dict[str, int], Array]:
    """(row by leaf, (leaf, step, band)): reflectance at leaf areas from 0 to 8 in even steps."""
    path = asset("simulate/sensor/canopies.csv")
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    names = list(dict.fromkeys(line[0] for line in lines))
    even = np.linspace(0.0, _MOST, _STEPS)
    tables = []
    for name in names:
        known = np.array([line[1:] for line in lines if line[0] == name], dtype=float)
        tables.append([np.interp(even, known[:, 0], known[:, 1 + b]) for b in range(len(BANDS))])
    bare = [np.repeat(np.array(s)[:, None], _STEPS, axis=1) for s in SURFACE_SPECTRA.values()]
    table = np.array([*tables, *bare]).transpose(0, 2, 1)
    return {name: k for k, name in enumerate([*names, *SURFACE_SPECTRA])}, table


def _closed_canopy(leaf: NDArray[np.int64], area: Array) -> Array:
    """(patch, band) reflectance of closed canopies, linear between two steps of the table."""
    _, table = _canopies()
    place = np.clip(area / _MOST, 0.0, 1.0) * (_STEPS - 1)
    below = np.minimum(place.astype(np.int64), _STEPS - 2)
    part = (place - below)[:, None]
    return np.asarray(table[leaf, below] * (1 - part) + table[leaf, below + 1] * part)


def reflectance(patches: Patches, day: float) -> NDArray[np.float32]:
    """(patch, band) surface reflectance on level ground of every patch; `day` since 2000-01-01.

    A second plant is mixed linearly. `tint` (patch, 4), normal values, shifts the visible, the near infrared
    and the short-wave infrared of the patch and the brightness of its open ground; dry months raise the
    short-wave infrared and brighten soil.
    """
    kinds, (row, _) = list(KINDS.values()), _canopies()
    kind, years = state(patches, day)
    area = leaf_area(kind, years, day, patches)
    first = np.array([row[k.leaf] for k in kinds])[kind]
    out = _closed_canopy(first, area)
    share = np.array([k.second_share for k in kinds])[kind]
    mixed = np.flatnonzero(share)
    second = np.array([row[k.second] if k.second else 0 for k in kinds])[kind[mixed]]
    part = (share[mixed] * (0.6 + 0.8 * patches.depth[mixed]))[:, None]
    out[mixed] += part * (_closed_canopy(second, np.maximum(area[mixed], 2.0)) - out[mixed])
    dry = 1.0 - wetness(np.mod(day, 365.25) + 1)
    open_ground = np.exp(-0.6 * area)
    calm = np.array([CALM.get(name, 1.0) for name in KINDS])[kind]
    visible, infrared, short, bright = (patches.tint[:, k] * calm for k in range(4))
    shift = bright * 0.20 * open_ground + np.log(0.86 + 0.14 * dry) * open_ground
    rough = np.array([k.rough for k in kinds])[kind]
    leafy = 1.0 - open_ground
    out[:, :4] *= (rough * np.exp(shift + (0.07 * visible + 0.02 * infrared) * leafy))[:, None]
    out[:, 4:8] *= (rough * np.exp(shift + 0.055 * infrared * leafy))[:, None]
    out[:, 8:] *= (rough * np.exp(shift + (0.06 * short + 0.02 * visible + 0.10 * dry) * leafy))[:, None]
    return out.astype(np.float32)
