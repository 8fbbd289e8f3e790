"""Band combinations and indices as colours. The stretch is fixed: a colour is the same reflectance on every
date, at every place and in every run, so that pictures differ by their ground and their air only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cocal.archive import Scene
from cocal.contracts import BANDS
from cocal.errors import UsageError
from cocal.features import INDICES, compute_index

COMBINATIONS = {
    "true": ("red", "green", "blue"),
    "false": ("nir", "swir16", "red"),
    "infrared": ("nir", "red", "green"),
}
"""Bands shown as red, green and blue: as the eye sees, and two where vegetation is red."""

BRIGHTEST = {
    "coastal": 0.18, "blue": 0.18, "green": 0.18, "red": 0.18, "rededge071": 0.25, "rededge075": 0.4,
    "rededge078": 0.45, "nir": 0.5, "nir08": 0.5, "nir09": 0.5, "swir16": 0.4, "swir22": 0.3,
}  # fmt: skip
"""Reflectance that is shown as full brightness; 0 as none."""

MISSING = (217, 217, 217)
"""Colour of a pixel without data."""

_USUAL = (-0.2, 1.0)
_RANGES = {
    "SR": (0, 20), "MSR": (0, 4), "CIG": (0, 10), "CVI": (0, 10), "CIRE": (0, 8), "MSI": (0, 2),
    "MTCI": (0, 8), "IRECI": (0, 2), "S2REP": (700, 740), "MIRBI": (0, 3), "DVI": (0, 0.5),
    "NIRv": (0, 0.5), "MCARI": (0, 0.5), "MCARI705": (0, 1), "TCARI": (0, 0.5), "WDRVI": (-1, 0.5),
    "NDWI": (-1, 0.4), "MNDWI": (-1, 0.4), "AWEIsh": (-1, 0.4), "NDTI": (-0.5, 0.5), "NGRDI": (-0.5, 0.5),
    "VARI": (-0.5, 0.5), "GLI": (-0.5, 0.5), "BI": (-0.6, 0.6), "BSI": (-0.6, 0.6), "DBSI": (-1, 0.5),
    "NDBI": (-0.6, 0.6), "MBI": (-0.5, 0.5), "PSRI": (-0.2, 0.5), "NBR2": (-0.2, 0.6), "NDTillI": (-0.2, 0.6),
}  # fmt: skip
"""Values of an index that have the first and the last colour, where they are not the usual -0.2 and 1."""

_RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Viridis."""


@dataclass(frozen=True)
class Shown:
    """What a picture shows: three bands as red, green and blue, or one index as a ramp.

    `name` is how users write it: `true`, `false`, `infrared`, three bands with hyphens, or an index.
    """

    name: str
    bands: tuple[str, ...]
    index: str | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The values of the index that have the first and the last colour of the ramp."""
        return _RANGES.get(self.index or "", _USUAL)

    @property
    def legend(self) -> list[tuple[float, str]]:
        """Value and colour, from the ramp's first to its last; none for three bands."""
        low, high = self.ends
        if self.index is None:
            return []
        return [(low + (high - low) * i / (len(_RAMP) - 1), colour) for i, colour in enumerate(_RAMP)]

    def colours(self, reflectance: Mapping[str, NDArray[np.float32]]) -> NDArray[np.uint8]:
        """(..., 3) red, green and blue of the bands (0 to 1, NaN = missing); `MISSING` where one is missing.

        A band is 255 x reflectance / `BRIGHTEST`, cut at 0 and 255.

        Examples
        --------
        >>> band = np.array([0.0, 0.09, 0.5, np.nan], dtype=np.float32)
        >>> shown_of("true").colours({"red": band, "green": band, "blue": band})[:, 0].tolist()
        [0, 128, 255, 217]
        """
        if self.index is None:
            values = np.stack([reflectance[name] / BRIGHTEST[name] for name in self.bands], axis=-1)
            missing = np.isnan(values).any(axis=-1)
            shades = np.round(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
        else:
            low, high = self.ends
            of_index = compute_index(self.index, {b: reflectance[b] for b in self.bands})
            missing = np.isnan(of_index)
            step = np.round(255 * np.clip((np.nan_to_num(of_index) - low) / (high - low), 0, 1))
            shades = _ramp()[step.astype(np.uint8)]
        shades[missing] = MISSING
        return np.asarray(shades)


@cache
def _ramp() -> NDArray[np.uint8]:
    """(256, 3) the colours of an index."""
    anchors = np.array([list(bytes.fromhex(c[1:])) for c in _RAMP])
    at = np.linspace(0, 255, len(anchors))
    return np.stack([np.rint(np.interp(np.arange(256), at, a)) for a in anchors.T], axis=-1).astype(np.uint8)


def common_bands(scenes: Iterable[Scene]) -> set[str]:
    """The bands that every scene has; none without scenes."""
    found = [{*scene.bands} for scene in scenes]
    return set.intersection(*found) if found else set()


def shown_of(name: str, bands: Sequence[str] | set[str] = BANDS) -> Shown:
    """What `name` stands for, made of `bands`.

    Raises
    ------
    UsageError
        It is no combination, index or three bands, or needs others than `bands`.

    Examples
    --------
    >>> shown_of("swir16-nir-red").bands, shown_of("NDVI").bands
    (('swir16', 'nir', 'red'), ('nir', 'red'))
    """
    parts = COMBINATIONS.get(name, tuple(name.split("-")))
    index = name if name in INDICES else None
    wanted = INDICES[name].bands if index else parts
    if not index and (len(wanted) != 3 or not {*wanted} <= {*BANDS}):
        raise UsageError(
            f"no picture {name!r}", f"{', '.join(COMBINATIONS)}, an index such as NDVI, or three bands such "
            "as swir16-nir-red", name, "choose one of these",
        )  # fmt: skip
    if lacking := sorted({*wanted} - {*bands}):
        raise UsageError(
            f"no picture {name!r} of these scenes", ", ".join(wanted), "no " + ", ".join(lacking),
            "choose bands that all scenes have, or import these",
        )  # fmt: skip
    return Shown(name, wanted, index)
