"""Settings of the download: service, budget, limits of rate, and repetition of failed requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cocal.contracts import SCL_CLASSES
from cocal.settings import Settings

CATALOGUES = {
    "earth-search": "https://earth-search.aws.element84.com/v1",
    "planetary-computer": "https://planetarycomputer.microsoft.com/api/stac/v1",
    "copernicus": "https://stac.dataspace.copernicus.eu/v1",
}
"""STAC services by name. Searching needs no account; docs/download.md states what reading pixels needs."""

USUAL_SHARE = 0.2
"""`max_missing`, unless stated."""

MAX_SIDE_PX = 2500
"""Largest side of a process request of Sentinel Hub, pixels (Process API reference, `output.width`)."""


def _without_secrets(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is no http(s) address")
    if "@" in url or "?" in url:
        raise ValueError("no user, password or query in the address: secrets come from the environment")
    return url.rstrip("/")


class SentinelHubSource(Settings):
    """Sentinel Hub: Copernicus Data Space, the commercial service, or any compatible one."""

    type: Literal["sentinelhub"]
    base_url: str = Field(description="for example https://sh.dataspace.copernicus.eu")
    token_url: str = Field(description="where client id and secret are exchanged for a token")
    collection: str = Field("sentinel-2-l2a", description="id of the collection, for catalogue and process")
    profile: str | None = Field(None, description="profile of the client's own file, if not the default one")

    _addresses = field_validator("base_url", "token_url")(_without_secrets)


class StacSource(Settings):
    """A STAC API whose items name rasters that can be read by ranges."""

    type: Literal["stac"]
    catalogue: str = Field(description=f"{', '.join(CATALOGUES)}, or the address of another STAC API")
    collection: str = "sentinel-2-l2a"
    offset: float | None = Field(None, description="DN to add, where the items do not say it")

    @field_validator("catalogue")
    @classmethod
    def _known(cls, value: str) -> str:
        return value if value in CATALOGUES else _without_secrets(value)

    @property
    def url(self) -> str:
        """Address of the API."""
        return CATALOGUES.get(self.catalogue, self.catalogue)


Source = Annotated[SentinelHubSource | StacSource, Field(discriminator="type")]


class ScreenSettings(Settings):
    """Which tile-dates are clear enough to be fetched, by the scene classification at 60 m."""

    clear: tuple[str, ...] = Field(min_length=1, description="SCL classes that count as clear")
    min_share: Annotated[float, Field(ge=0, le=1)] = Field(description="of the tile's pixels")

    @field_validator("clear")
    @classmethod
    def _known(cls, clear: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in clear if name not in SCL_CLASSES[1:]]
        if unknown:
            raise ValueError(f"unknown SCL classes {unknown}; allowed: {', '.join(SCL_CLASSES[1:])}")
        return clear


class BudgetSettings(Settings):
    """What may be spent per calendar month (UTC); null: without bound."""

    processing_units: Annotated[float, Field(ge=0)] | None = None
    requests: Annotated[int, Field(ge=0)] | None = None
    gigabytes: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _some(self) -> BudgetSettings:
        if self.processing_units is None and self.requests is None and self.gigabytes is None:
            raise ValueError("bound at least one of processing_units, requests, gigabytes")
        return self


class LimitSettings(Settings):
    """Limits of rate, over all workers of all runs that share `state`."""

    in_flight: Annotated[int, Field(ge=1)] = 4
    per_minute: Annotated[int, Field(ge=1)] = 250
    units_per_minute: Annotated[float, Field(gt=0)] | None = None


class RetrySettings(Settings):
    """Repetition of failed requests. Times in seconds."""

    attempts: Annotated[int, Field(ge=1, description="per request")] = 5
    first_wait: Annotated[float, Field(ge=0, description="doubled each time, with jitter")] = 2.0
    longest_wait: Annotated[float, Field(ge=0, description="a longer pause fails the unit")] = 120.0
    read_timeout: Annotated[float, Field(gt=0, description="silence on the line")] = 60.0
    deadline: Annotated[float, Field(gt=0, description="one request, from start to last byte")] = 300.0
    stop_after: Annotated[int, Field(ge=1, description="failed tile-dates in a row: the service is down")] = 8


class DownloadSettings(Settings):
    """What is fetched and kept, and within which bounds."""

    state: Path = Field(description="folder of ledger, screens and invalid bodies, one per account")
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="prefix of the item ids")] = "s2"
    tile_px: Annotated[int, Field(ge=48, multiple_of=6, description="side of a tile of the download")] = 1536
    margin_px: Annotated[int, Field(ge=0, multiple_of=6, description="fetched beyond each edge")] = 12
    screen: ScreenSettings | Literal["none"]
    budget: BudgetSettings
    limits: LimitSettings = LimitSettings()
    retry: RetrySettings = RetrySettings()
    max_missing: Annotated[float, Field(ge=0, le=1)] = Field(
        USUAL_SHARE, description="share without data of the ground that footprints cover; more is refused"
    )
    allow_empty: bool = Field(False, description="a period of which the catalogue lists nothing is accepted")
    simulated: bool = False

    @property
    def side_px(self) -> int:
        """Side of a tile with its margins."""
        return self.tile_px + 2 * self.margin_px

    @model_validator(mode="after")
    def _fits(self) -> DownloadSettings:
        if self.side_px > MAX_SIDE_PX:
            raise ValueError(f"tile_px and two margins must be at most {MAX_SIDE_PX} px")
        return self
