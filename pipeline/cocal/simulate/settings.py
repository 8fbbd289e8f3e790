"""Settings of the invented land; everything else is fixed by the scenario."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator

from cocal.grid import Window
from cocal.settings import Settings
from cocal.simulate.land.history import day_number
from cocal.simulate.land.terrain import Terrain

SCENARIO = "border-1"
EPSG, CENTRE_X, CENTRE_Y = 32719, 498_720, 8_425_440
"""The middle of the land: near 69.0 W, 14.2 S, where Bolivia and Peru meet. The land itself is invented."""

STRATA = ("coca_last_year", "near_coca", "open_land", "wild")
"""Strata of the sample, from the invented maps of the year before; the code on maps is the index + 1."""

_SNAP_M = 960


class SimulateSettings(Settings):
    """An invented border with a history. The same settings give the same bytes."""

    scenario: Literal["border-1"] = "border-1"
    seed: int = Field(7, ge=0, lt=2**63)
    year: int = Field(2024, ge=2016, le=2100, description="year of the images, the last of all years")
    years: int = Field(
        5, ge=2, le=20, description="years of truth, official figures and claims, up to `year`"
    )
    size_px: int = Field(
        1248,
        ge=144,
        le=10_980,
        multiple_of=12,
        description="side of the square, pixels of 10 m; at most that of a granule of Sentinel-2",
    )
    acquisitions_per_month: int = Field(3, ge=1, le=6)
    sample_sizes: dict[str, int] = Field(
        dict.fromkeys(STRATA, 300), description="points of the field sample per stratum"
    )
    training_per_class: int = Field(120, ge=1, description="largest number of polygons per class")

    @field_validator("sample_sizes")
    @classmethod
    def _every_stratum(cls, value: dict[str, int]) -> dict[str, int]:
        if set(value) != set(STRATA) or min(value.values()) < 2:
            raise ValueError(f"give a size of at least 2 for each of {', '.join(STRATA)}")
        return value

    @property
    def window(self) -> Window:
        """The pixels of the land."""
        half = self.size_px * 5
        left = round((CENTRE_X - half) / _SNAP_M) * _SNAP_M
        top = round((CENTRE_Y + half) / _SNAP_M) * _SNAP_M
        return Window(EPSG, left, top, self.size_px, self.size_px)

    @property
    def terrain(self) -> Terrain:
        """The terrain of the land."""
        return Terrain(self.seed, float(CENTRE_X), float(CENTRE_Y))

    @property
    def history(self) -> list[int]:
        """The years of truth and figures, ascending."""
        return list(range(self.year - self.years + 1, self.year + 1))


def reference_day(year: int) -> float:
    """31 December, the day that official surveys refer to, in days since 2000-01-01."""
    return day_number(date(year, 12, 31))
