"""The card of a place: height and slope, what every map that is served says there, the record of a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cocal.contracts import CLASS_TIF, PROBABILITY_NO_DATA, PROBABILITY_SCALE, PROBABILITY_TIF
from cocal.features.terrain import read_dem, slope_degrees
from cocal.grid import Window
from cocal.serve.pixel import find_pixel, pixel_value
from cocal.serve.runs import ShownRun

RECORD = (
    "record_id", "observed_on", "class", "second_class", "cover", "state", "shade", "mixture", "age",
    "source", "positional_accuracy_m", "why_not", "role", "stratum", "region_id",
)  # fmt: skip
"""What a point's record shows, where it is stated."""


def height_and_slope(run: ShownRun, pixel: Window) -> dict[str, float | None]:
    """`height_m` and `slope_degrees` of a pixel, by the run's elevation model; None where it has none."""
    if run.config.dem is None:
        return {"height_m": None, "slope_degrees": None}
    heights = read_dem(run.config.dem, pixel.expanded(1))
    slopes = slope_degrees(heights, pixel.resolution)
    height, slope = float(heights[1, 1]), float(slopes[1, 1])
    return {
        "height_m": None if np.isnan(height) else round(height, 1),
        "slope_degrees": None if np.isnan(slope) else round(slope, 1),
    }


def maps_say(runs: Iterable[ShownRun], longitude: float, latitude: float) -> list[dict[str, Any]]:
    """What the maps of all periods of `runs` say of a place, by the start of the period.

    `class` is the class's name in both languages, None where it is not observed; `probability` is that of the
    run's target, None where no model made the map. Maps that do not hold the place are left out.
    """
    found = []
    for run in runs:
        names = {c.code: {"es": c.name_es, "en": c.name_en} for c in run.scheme.classes}
        for period in run.periods:
            pixel = find_pixel(run, period.name, longitude, latitude)
            if pixel is None:
                continue
            value = pixel_value(pixel, PROBABILITY_TIF, "uint16") if run.by_model else PROBABILITY_NO_DATA
            found.append(
                {
                    "run": run.name, "period": period.name, "start": str(period.start),
                    "class": names.get(pixel_value(pixel, CLASS_TIF, "uint8")),
                    "probability": None if value == PROBABILITY_NO_DATA else value * PROBABILITY_SCALE,
                }
            )  # fmt: skip
    return sorted(found, key=lambda row: (row["start"], row["run"]))


def record_facts(row: Mapping[Any, Any]) -> dict[str, str]:
    """What a record states, as texts, in the order of `RECORD`; what is missing is left out."""
    texts = {name: _text(row.get(name)) for name in RECORD}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    if value is None or value != value or str(value) in ("", "NaT", "<NA>"):
        return ""
    if hasattr(value, "strftime"):
        return str(value)[:10]
    return f"{value:g}" if isinstance(value, float) else str(value)
