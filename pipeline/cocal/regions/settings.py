"""Settings of region files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cocal.settings import Settings


class RegionSource(Settings):
    """One vector file of regions (GeoPackage, GeoJSON, Shapefile, ...)."""

    path: Path
    layer: Annotated[str | None, Field(description="needed when the file has several layers")] = None
    id: Annotated[tuple[str, ...], Field(min_length=1, description="column, or columns to be joined")]
    name: str
    country: Annotated[str | None, Field(min_length=1, description="column that holds the country")] = None
    country_code: Annotated[str | None, Field(min_length=1, description="one country for all")] = None
    id_prefix: Annotated[str, Field(description="put before every id, to keep sources apart")] = ""
    where: dict[str, tuple[str, ...]] = Field(
        default={}, description="keep rows whose column has one of these values"
    )

    @field_validator("id", mode="before")
    @classmethod
    def _one_column(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_country(self) -> RegionSource:
        if (self.country is None) == (self.country_code is None):
            raise ValueError("give exactly one of `country` (a column) and `country_code` (a constant)")
        return self


class RegionSettings(Settings):
    """Region files in order of priority: where regions overlap, the first owns the ground."""

    sources: Annotated[tuple[RegionSource, ...], Field(min_length=1)]
    sliver_m: Annotated[
        float,
        Field(ge=0, le=5000, description="widest gap between regions that is given to the nearest; 0: none"),
    ]
    sliver_between: Annotated[
        Literal["sources", "regions"],
        Field(
            description="sources: gaps inside one file stay outside; regions: gaps between any two regions"
        ),
    ] = "sources"
