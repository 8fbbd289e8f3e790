"""Settings of a map that is not made here: polygons or rasters of an office's census."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cocal.settings import Settings

Name = Annotated[str, Field(min_length=1)]


class MapLayer(Settings):
    """A vector file of polygons; of two that overlap, the one that comes first owns the ground."""

    path: Path
    layer: str | None = Field(None, description="needed when the file has several layers")
    country: Name | None = Field(None, description="its polygons count on this country's regions only")
    class_column: Name | None = Field(None, description="column of the label")
    classes: dict[str, str] = Field({}, description="label in that column -> class key; every label")
    class_key: Name | None = Field(None, alias="class", description="class of all its polygons")
    period: Name | None = Field(None, description="name of the period that all its polygons show")
    period_column: Name | None = Field(None, description="column with the name of the period")
    date_column: Name | None = Field(None, description="column with a day of the period, ISO 8601")

    @model_validator(mode="after")
    def _one_of_each(self) -> MapLayer:
        problems = []
        if (self.class_column is None) == (self.class_key is None):
            problems.append("give either `class_column` with `classes`, or `class`")
        if (self.class_column is None) != (not self.classes):
            problems.append("`class_column` and `classes` go together")
        if sum(v is not None for v in (self.period, self.period_column, self.date_column)) != 1:
            problems.append("give one of `period`, `period_column`, `date_column`")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file that are read."""
        return tuple(c for c in (self.class_column, self.period_column, self.date_column) if c is not None)


class MapRaster(Settings):
    """A raster of codes: each pixel of the map takes the code at its centre."""

    path: Path
    period: Name = Field(description="name of the period that it shows")
    codes: dict[int, str] = Field(min_length=1, description="code -> class key; other codes: not observed")


class ObservedLayer(Settings):
    """Polygons of the ground that the census has seen."""

    path: Path
    layer: str | None = None
    period: Name | None = Field(None, description="left out: seen in every period")


class MapSettings(Settings):
    """An office's own map: polygons (`layers`) or rasters (`rasters`) of every period."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=100)]
    source: Name = Field(description="who drew it, of what images, how; goes to the card and the page")
    licence: Name
    simulated: bool = False
    layers: tuple[MapLayer, ...] = ()
    rasters: tuple[MapRaster, ...] = ()
    elsewhere: Name | None = Field(None, description="class of observed ground in no polygon")
    observed: Literal["all"] | tuple[ObservedLayer, ...] | None = Field(
        None, description="ground that the census has seen: all, or polygon layers"
    )

    @model_validator(mode="after")
    def _polygons_or_rasters(self) -> MapSettings:
        problems = []
        if bool(self.layers) == bool(self.rasters):
            problems.append("give either `layers` or `rasters`")
        if bool(self.layers) != (self.elsewhere is not None) or bool(self.layers) != bool(self.observed):
            problems.append("`layers` need `elsewhere` and `observed`, `rasters` take neither")
        if len({layer.country is None for layer in self.layers}) > 1:
            problems.append("layers: state `country` for all of them or for none")
        doubled = [r.period for r in self.rasters]
        if len(set(doubled)) < len(doubled):
            problems.append("rasters: one per period")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def class_keys(self) -> set[str]:
        """Every class key that the settings name."""
        named = {layer.class_key for layer in self.layers} | {self.elsewhere}
        named |= {key for layer in self.layers for key in layer.classes.values()}
        named |= {key for raster in self.rasters for key in raster.codes.values()}
        return {key for key in named if key is not None}

    @property
    def period_names(self) -> set[str]:
        """Every period that the settings name."""
        named = {layer.period for layer in self.layers} | {raster.period for raster in self.rasters}
        seen = self.observed if isinstance(self.observed, tuple) else ()
        return {name for name in named | {layer.period for layer in seen} if name is not None}

    @property
    def paths(self) -> list[Path]:
        """Every file that the settings name."""
        seen = self.observed if isinstance(self.observed, tuple) else ()
        return [*(i.path for i in self.layers), *(i.path for i in self.rasters), *(i.path for i in seen)]
