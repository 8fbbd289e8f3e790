"""Settings of the imports: which files hold which bands, and their radiometry where it has to be stated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from cocal.contracts import BAND_NAMES, BANDS, QUALITY
from cocal.settings import Settings

Resampling = Literal["nearest", "bilinear", "cubic"]


BandNames = TypeVar("BandNames", bound=Mapping[str, object])


def other_band(band: str, name: object) -> str | None:
    """The band that `name` means where it is another one than `band`; nir and nir08 stand for each other."""
    meant = BAND_NAMES.get(str(name).strip().lower(), band)
    return None if meant == band or {meant, band} == {"nir", "nir08"} else meant


def _check_known(bands: BandNames) -> BandNames:
    unknown = sorted(set(bands) - {*BANDS, *QUALITY})
    if unknown:
        raise ValueError(f"unknown bands {', '.join(unknown)}; known are {', '.join((*BANDS, *QUALITY))}")
    wrong = [
        f"{band}: {name} (which is {other})"
        for band, name in bands.items()
        if (other := other_band(band, name))
    ]
    if wrong:
        raise ValueError(f"bands named as others: {', '.join(wrong)}")
    return bands


def _check_names(bands: BandNames) -> BandNames:
    if not set(_check_known(bands)) & set(BANDS):
        raise ValueError(f"no reflectance band; known are {', '.join(BANDS)}")
    return bands


class ImportSettings(Settings):
    """Settings of every kind of import: reflectance = (DN + offset) * scale."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="prefix of the item ids")]
    platform: str | None = Field(default=None, description="for example sentinel-2a")
    scale: float | None = Field(default=None, gt=0, description="reflectance per DN, if no metadata state it")
    offset: float | None = Field(default=None, description="DN to add; -1000 or 0 for Sentinel-2 L2A")
    baseline: str | None = Field(default=None, description="processing baseline, for example 05.09")
    resampling: Resampling | None = Field(default=None, description="needed where a source must be warped")
    simulated: bool = False


class FurtherFile(Settings):
    """Another raster of the same acquisition, such as a separate scene classification."""

    path: Path
    bands: Annotated[dict[str, str | int], Field(min_length=1), AfterValidator(_check_known)] = Field(
        description="common name: band description or 1-based index"
    )


class MultibandImport(ImportSettings):
    """One acquisition: a GeoTIFF with several bands, and further files where not all are in it."""

    kind: Literal["multiband"]
    path: Path
    date: datetime = Field(description="day or time of the acquisition, UTC")
    bands: Annotated[dict[str, str | int], AfterValidator(_check_names)] = Field(
        description="common name: band description or 1-based index"
    )
    also: tuple[FurtherFile, ...] = Field((), description="further files of the acquisition")

    @model_validator(mode="after")
    def _once(self) -> MultibandImport:
        every = Counter([*self.bands, *(name for file in self.also for name in file.bands)])
        if twice := [name for name, n in every.items() if n > 1]:
            raise ValueError(f"bands named in several files: {', '.join(twice)}")
        return self


class FilesImport(ImportSettings):
    """A folder of single-band rasters, GeoTIFF or JP2, found by a pattern of their relative path."""

    kind: Literal["files"]
    folder: Path
    pattern: str = Field(description="regex with groups band, date and optionally tile, baseline")
    bands: Annotated[dict[str, str], AfterValidator(_check_names)] = Field(
        description="common name: value of the group band"
    )

    @field_validator("pattern")
    @classmethod
    def _groups(cls, pattern: str) -> str:
        try:
            groups = set(re.compile(pattern).groupindex)
        except re.error as err:
            raise ValueError(f"not a regular expression: {err}") from err
        if not {"band", "date"} <= groups <= {"band", "date", "tile", "baseline"}:
            raise ValueError(
                "needs the named groups band and date, may have tile and baseline; "
                f"it has {', '.join(sorted(groups)) or 'none'}"
            )
        return pattern


class NetcdfImport(ImportSettings):
    """A NetCDF-4 cube with one variable per band and a time axis."""

    kind: Literal["netcdf"]
    path: Path
    bands: Annotated[dict[str, str], AfterValidator(_check_names)] = Field(
        description="common name: variable"
    )
    time: str = Field(default="time", description="name of the time dimension")
    crs: str | None = Field(default=None, description="for example EPSG:32631, if the file does not state it")


SceneImport = Annotated[MultibandImport | FilesImport | NetcdfImport, Field(discriminator="kind")]
