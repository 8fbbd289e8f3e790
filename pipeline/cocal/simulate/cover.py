"""What grows or lies on the ground: kinds of cover, their year, their colour.

Spectra are for the ten land bands of Sentinel-2 in the order of `BANDS`. Those marked *measured* are
medians over the reference polygons of the Sentinel-2 L2A sample scene of RStoolbox (Para, Brazil; its
offset of 1000 removed). All others, and every number of the year's course, are an *assumption*, set
near the measured ones and within the ranges of the labelled series `t20lkp` (Rondonia and northern
Bolivia): NDVI of forest 0.70 to 0.87, of other land 0.32 to 0.80 (tenth and ninetieth percentile).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, int] = {
    "blue": 10, "green": 10, "red": 10, "rededge071": 20, "rededge075": 20,
    "rededge078": 20, "nir": 10, "nir08": 20, "swir16": 20, "swir22": 20,
}  # fmt: skip
"""Pixel size in metres of each simulated band, by STAC common name."""

SPECTRA: dict[str, tuple[float, ...]] = {
    "forest": (0.0230, 0.0446, 0.0239, 0.0796, 0.2426, 0.3039, 0.3108, 0.3379, 0.1629, 0.0656),  # measured
    "regrowth": (0.0235, 0.0490, 0.0250, 0.0880, 0.2720, 0.3420, 0.3520, 0.3780, 0.1740, 0.0710),
    "shrub": (0.0245, 0.0490, 0.0258, 0.0870, 0.2620, 0.3270, 0.3360, 0.3610, 0.1710, 0.0705),
    "cut_shrub": (0.0262, 0.0538, 0.0280, 0.0945, 0.2690, 0.3300, 0.3400, 0.3640, 0.1800, 0.0760),
    "coca": (0.0258, 0.0545, 0.0276, 0.0950, 0.2740, 0.3360, 0.3460, 0.3700, 0.1770, 0.0750),
    "annual": (0.0280, 0.0600, 0.0300, 0.1040, 0.3000, 0.3800, 0.3950, 0.4200, 0.2050, 0.0880),
    "grass": (0.0340, 0.0660, 0.0430, 0.1120, 0.2450, 0.2950, 0.3080, 0.3320, 0.2300, 0.1150),
    "soil": (0.0520, 0.0800, 0.1120, 0.1480, 0.1880, 0.2080, 0.2180, 0.2380, 0.3050, 0.2450),
    "litter": (0.0357, 0.0614, 0.0993, 0.1459, 0.1739, 0.1975, 0.2011, 0.2154, 0.2412, 0.1258),  # measured
    "built": (0.0869, 0.1220, 0.1492, 0.1999, 0.2659, 0.2908, 0.2918, 0.3150, 0.3827, 0.3259),  # measured
    "water": (0.0480, 0.0620, 0.0560, 0.0450, 0.0340, 0.0330, 0.0290, 0.0270, 0.0130, 0.0090),
}


CODES = {"coca": 1, "forest": 2, "regrowth": 3, "pasture": 4, "other_crops": 5, "bare": 6, "water": 7}
"""Codes of the classes on truth maps: those of configs/schemes/border-coca.yaml."""


@dataclass(frozen=True)
class Kind:
    """One kind of cover: its class, what it looks like when green and where it is not, its year."""

    class_key: str
    green: str
    ground: str
    rhythm: str
    low: float
    high: float


KINDS: dict[str, Kind] = {
    "river": Kind("water", "water", "water", "steady", 1.0, 1.0),
    "gravel_bar": Kind("bare", "grass", "built", "season", 0.02, 0.15),
    "road": Kind("bare", "grass", "soil", "season", 0.05, 0.20),
    "settlement": Kind("bare", "shrub", "built", "season", 0.12, 0.28),
    "landslide": Kind("bare", "grass", "soil", "season", 0.02, 0.20),
    "tilled": Kind("bare", "grass", "soil", "season", 0.03, 0.22),
    "forest": Kind("forest", "forest", "litter", "steady", 0.90, 1.00),
    "old_regrowth": Kind("regrowth", "regrowth", "litter", "steady", 0.82, 0.97),
    "young_regrowth": Kind("regrowth", "regrowth", "litter", "growth", 0.50, 0.92),
    "abandoned_coca": Kind("regrowth", "coca", "litter", "growth", 0.45, 0.85),
    "pasture": Kind("pasture", "grass", "litter", "season", 0.40, 0.90),
    "grazed_regrowth": Kind("pasture", "regrowth", "litter", "season", 0.45, 0.85),
    "annual": Kind("other_crops", "annual", "soil", "sowing", 0.18, 0.92),
    "orchard": Kind("other_crops", "shrub", "litter", "steady", 0.66, 0.92),
    "cut_shrub": Kind("other_crops", "cut_shrub", "soil", "harvest", 0.50, 0.90),
    "coca": Kind("coca", "coca", "soil", "harvest", 0.22, 0.86),
    "shaded_coca": Kind("coca", "shrub", "litter", "harvest", 0.55, 0.92),
}
"""Kinds by name; a kind's number is its place here."""

NUMBER = {name: number for number, name in enumerate(KINDS)}

FOREST_CALM = 0.45
"""Stands of forest differ less from each other than plots do (assumption)."""

Array = NDArray[np.float64]


def wetness(day: float) -> float:
    """How wet the season is, 0 (August) to 1 (February): a cosine, an assumption."""
    return float(0.5 + 0.5 * np.cos(2 * np.pi * (day - 40.0) / 365.25))


def _saw(day: float, low: Array, high: Array, chance: dict[str, Array]) -> Array:
    """Leaf strip and regrowth: 3 to 4 harvests a year, each plot in its own time, every third plot stumped.

    (Three to four harvests a year, stumping about every third year: docs/domain.md section 5.)
    """
    interval = 88.0 + 36.0 * chance["pace"]
    since = day + 365.0 * chance["phase"]
    number = np.floor(since / interval)
    age = since - number * interval
    stumped = (chance["vigour"] < 1 / 3) & (number == np.floor(2.0 + 3.0 * chance["depth"]))
    wobble = chance["depth"] * 7.13 + number * 0.618
    stripped = low + (high - low) * 0.45 * (wobble - np.floor(wobble))
    floor = np.where(stumped, 0.10, stripped)
    slowness = np.where(stumped, 60.0, 24.0 + 14.0 * chance["vigour"])
    return np.asarray(high - (high - floor) * np.exp(-age / slowness))


def _sown(day: float, low: Array, high: Array, chance: dict[str, Array]) -> Array:
    """One crop from the rains of spring on and, on half of the plots, a second one in autumn."""
    first, length = 255.0 + 75.0 * chance["phase"], 95.0 + 55.0 * chance["pace"]
    second = np.where(chance["depth"] < 0.5, first + length + 25.0, np.inf)
    green = np.zeros_like(low)
    for sown in (first, first - 365.0, second, second - 365.0):
        age = np.clip((day - sown) / length, 0.0, 1.0)
        green = np.maximum(green, np.sin(np.pi * np.minimum(age**0.8, 1.0)))
    weeds = 0.15 * wetness(day)
    return np.asarray(low + (high - low) * np.maximum(green, weeds))


def green_cover(kind: NDArray[np.int64], day: float, chance: dict[str, Array]) -> Array:
    """Share of the ground that is green leaf, per object, on a day of the year (1 to 366).

    `chance` holds uniform values per object: `vigour`, `phase`, `pace`, `depth`.
    """
    names = list(KINDS)
    low = np.array([KINDS[n].low for n in names])[kind]
    high = np.array([KINDS[n].high for n in names])[kind]
    low = low + 0.10 * (chance["depth"] - 0.5) * (high > low)
    high = high - 0.14 * (1.0 - chance["vigour"]) * (high > low)
    rhythm = np.array([KINDS[n].rhythm for n in names])[kind]
    lag = np.cos(2 * np.pi * (day - 40.0 - 40.0 * chance["phase"]) / 365.25)
    courses = {
        "steady": low + (high - low) * (0.35 + 0.45 * chance["vigour"] + 0.20 * wetness(day)),
        "growth": low + (high - low) * np.clip(chance["phase"] + 0.45 * day / 365.0 - 0.2, 0.0, 1.0),
        "season": low + (high - low) * (0.5 + 0.5 * lag) * (0.55 + 0.45 * chance["vigour"]),
        "sowing": _sown(day, low, high, chance),
        "harvest": _saw(day, low, high, chance),
    }
    return np.asarray(np.select([rhythm == name for name in courses], list(courses.values())))


def reflectance(
    kind: NDArray[np.int64], day: float, chance: dict[str, Array], tint: Array
) -> NDArray[np.float32]:
    """(object, band) surface reflectance of each object on a day of the year.

    Green and ground mix linearly by `green_cover`. `tint` (object, 4) are normal values that shift the
    visible, near infrared and short-wave infrared of the leaves and the brightness of the ground; dry
    months raise the short-wave infrared (assumption).
    """
    names = list(KINDS)
    leaf = np.array([SPECTRA[KINDS[n].green] for n in names])[kind]
    ground = np.array([SPECTRA[KINDS[n].ground] for n in names])[kind]
    dry = 1.0 - wetness(day)
    calm = np.where(kind == NUMBER["forest"], FOREST_CALM, 1.0)[:, None]
    visible, infrared, short, bright = (tint[:, k : k + 1] * calm for k in range(4))
    leaf = leaf.copy()
    leaf[:, :4] *= np.exp(0.13 * visible + 0.03 * infrared)
    leaf[:, 4:8] *= np.exp(0.085 * infrared)
    leaf[:, 8:] *= np.exp(0.10 * short + 0.04 * visible) * (1.0 + 0.12 * dry)
    ground = ground * np.exp(0.20 * bright) * (0.78 + 0.22 * dry)
    green = green_cover(kind, day, chance)[:, None]
    return np.asarray(leaf * green + ground * (1.0 - green), dtype=np.float32)
