"""What of the invented land can be chosen. The rest is fixed under the name of the scenario."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cocal.grid import Window
from cocal.simulate.land.history import day_number
from cocal.simulate.land.terrain import Terrain

SCENARIO = "border-1"
EPSG, CENTRE_X, CENTRE_Y = 32719, 498_720, 8_425_440
"""The middle of the land: near 69.0 W, 14.2 S, where Bolivia and Peru meet. The land itself is invented."""

STRATA = ("coca_last_year", "near_coca", "open_land", "wild")
"""Strata of the sample, drawn on the invented maps of the year before; code on maps is place + 1."""

_SNAP_M = 960


class SimulateSettings(BaseModel):
    """An invented border with a history. The same settings give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: Literal["border-1"] = "border-1"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 7
    year: Annotated[int, Field(ge=2016, le=2100, description="the year of the images, the last of all")] = (
        2024
    )
    years: Annotated[
        int, Field(ge=2, le=20, description="years of truth, official figures and claims, up to `year`")
    ] = 5
    size_px: Annotated[
        int, Field(ge=144, multiple_of=12, description="side of the square, pixels of 10 m")
    ] = 1248
    acquisitions_per_month: Annotated[int, Field(ge=1, le=6)] = 3
    sample_sizes: Annotated[dict[str, int], Field(description="points of the field sample per stratum")] = {
        "coca_last_year": 300, "near_coca": 300, "open_land": 300, "wild": 300,
    }  # fmt: skip
    training_per_class: Annotated[int, Field(ge=1, description="at most so many polygons per class")] = 120

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
        """The lie of the land."""
        return Terrain(self.seed, float(CENTRE_X), float(CENTRE_Y))

    @property
    def history(self) -> list[int]:
        """The years that are told of, ascending."""
        return list(range(self.year - self.years + 1, self.year + 1))


def reference_day(year: int) -> float:
    """31 December, the day that official surveys refer to, in days since 2000-01-01."""
    return day_number(date(year, 12, 31))
