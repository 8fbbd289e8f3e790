"""Kinds of ground cover, the class of each, and the course of its leaf area through the year.

The order is fixed; leaf areas are assumptions. `leaf` is a row of sensor/canopies.csv or `SURFACE_SPECTRA`.
"""

from __future__ import annotations

from dataclasses import dataclass

CODES = {"coca": 1, "forest": 2, "regrowth": 3, "pasture": 4, "other_crops": 5, "bare": 6, "water": 7}
"""Codes of the classes on truth maps: those of configs/schemes/border-coca.yaml."""


@dataclass(frozen=True)
class Kind:
    """One kind of cover.

    `leaf` and, for a share `second_share` of the ground, `second`; leaf area from `low` to `high` by
    `rhythm`; `rough` is the share of light that remains of the shadows between crowns (assumption).
    """

    class_key: str
    leaf: str
    rhythm: str
    low: float
    high: float
    rough: float = 0.92
    second: str = ""
    second_share: float = 0.0


KINDS: dict[str, Kind] = {
    "river": Kind("water", "water", "steady", 0, 0, 1.0),
    "gravel_bar": Kind("bare", "gravel", "steady", 0, 0, 1.0),
    "road": Kind("bare", "gravel", "season", 0.0, 0.3, 0.95),
    "settlement": Kind("bare", "built", "season", 0.2, 0.6, 0.95, "citrus", 0.18),
    "landslide": Kind("bare", "fern", "season", 0.02, 0.25, 0.95),
    "tilled": Kind("bare", "cassava", "season", 0.0, 0.35, 0.97),
    "burned": Kind("bare", "burned", "steady", 0, 0, 1.0),
    "rock": Kind("bare", "gravel", "steady", 0, 0, 0.85),
    "snow": Kind("bare", "snow", "steady", 0, 0, 1.0),
    "lowland_forest": Kind("forest", "lowland_forest", "steady", 4.5, 6.5, 0.73),
    "montane_forest": Kind("forest", "montane_forest", "steady", 3.8, 6.0, 0.72),
    "old_regrowth": Kind("regrowth", "secondary", "steady", 3.2, 5.2, 0.76),
    "middle_regrowth": Kind("regrowth", "secondary", "steady", 2.2, 4.0, 0.82),
    "young_regrowth": Kind("regrowth", "fern", "season", 1.4, 3.0, 0.90),
    "abandoned_coca": Kind("regrowth", "coca", "ageing", 1.2, 3.4, 0.86, "fern", 0.5),
    "pasture": Kind("pasture", "pasture", "season", 0.7, 2.8),
    "shrubby_pasture": Kind("pasture", "pasture", "season", 1.1, 3.0, 0.88, "secondary", 0.4),
    "puna": Kind("pasture", "puna", "season", 0.5, 1.7),
    "coffee": Kind("other_crops", "coffee", "steady", 2.0, 3.6, 0.86, "secondary", 0.25),
    "tea": Kind("other_crops", "tea", "trimmed", 2.3, 3.8, 0.92),
    "citrus": Kind("other_crops", "citrus", "steady", 1.8, 3.4, 0.84),
    "banana": Kind("other_crops", "banana", "steady", 1.6, 3.2, 0.88),
    "cassava": Kind("other_crops", "cassava", "sown", 0.1, 3.2),
    "maize": Kind("other_crops", "maize", "sown", 0.1, 3.4),
    "stevia": Kind("other_crops", "stevia", "cut", 0.2, 3.0),
    "pineapple": Kind("other_crops", "pineapple", "steady", 1.0, 2.4),
    "nursery": Kind("other_crops", "coca", "ageing", 0.15, 1.2, 0.95, "cassava", 0.3),
    "coca": Kind("coca", "coca", "harvested", 0.35, 3.1),
    "shaded_coca": Kind("coca", "coca", "harvested", 0.45, 3.2, 0.82, "secondary", 0.42),
    "mixed_coca": Kind("coca", "coca", "harvested", 0.4, 3.1, 0.88, "citrus", 0.40),
    "eradicated": Kind("bare", "coca", "ageing", 0.05, 0.9, 0.97, "fern", 0.4),
}  # fmt: skip
"""Kinds by name; a kind's number is its place here. Young plants that are not yet picked are `nursery`."""

NUMBER = {name: number for number, name in enumerate(KINDS)}
COCA_KINDS = ("coca", "shaded_coca", "mixed_coca")

SURFACE_SPECTRA: dict[str, tuple[float, ...]] = {
    "water": (0.0480, 0.0620, 0.0560, 0.0450, 0.0340, 0.0330, 0.0290, 0.0270, 0.0130, 0.0090),
    "gravel": (0.0869, 0.1220, 0.1492, 0.1799, 0.2059, 0.2208, 0.2318, 0.2450, 0.3027, 0.2659),
    "built": (0.0869, 0.1220, 0.1492, 0.1999, 0.2659, 0.2908, 0.2918, 0.3150, 0.3827, 0.3259),
    "burned": (0.0330, 0.0390, 0.0470, 0.0560, 0.0660, 0.0750, 0.0830, 0.0920, 0.1700, 0.1700),
    "snow": (0.8200, 0.8300, 0.8200, 0.8100, 0.8000, 0.7800, 0.7600, 0.7300, 0.0900, 0.0700),
}
"""Spectra without leaves. `built` is measured (sample scene of RStoolbox); the others are assumptions."""
