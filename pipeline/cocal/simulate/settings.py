"""What of the invented land can be chosen. The rest is fixed under the name of the scenario."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cocal.grid import Window
from cocal.simulate.survey import STRATA
from cocal.simulate.terrain import Terrain

SCENARIO = "demo-1"
EPSG, CENTRE_X, CENTRE_Y = 32719, 498_720, 8_425_440
"""The middle of the land: near 69.0 W, 14.2 S, where Bolivia and Peru meet. The land itself is invented."""

_SNAP_M = 960


class SimulateSettings(BaseModel):
    """An invented year on the border. The same settings give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 6
    year: Annotated[int, Field(ge=2016, le=2100)] = 2024
    size_px: Annotated[
        int, Field(ge=144, multiple_of=12, description="side of the square, pixels of 10 m")
    ] = 1248
    acquisitions_per_month: Annotated[int, Field(ge=1, le=6)] = 2
    sample_sizes: Annotated[dict[str, int], Field(description="field visits per stratum")] = {
        "coca_last_year": 200, "near_coca": 250, "elsewhere": 350,
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
