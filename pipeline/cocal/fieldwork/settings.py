"""Settings of field records and of their matching to the map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cocal.settings import Settings


class RecordColumns(BaseModel):
    """Which column of the file holds what; left out: the file has no such column.

    The position is `lon` and `lat` (degrees, WGS 84), or `x` and `y` in `RecordSettings.crs`, or, with
    none of them, the geometry of the file.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )

    record_id: str | None = None
    class_: Annotated[str | None, Field(alias="class", description="label, see `class_names`")] = None
    lon: str | None = None
    lat: str | None = None
    x: str | None = None
    y: str | None = None
    observed_on: Annotated[str | None, Field(description="ISO date, local")] = None
    cover: Annotated[str | None, Field(description="cover of the class, per cent")] = None
    positional_accuracy_m: str | None = None
    source: str | None = None
    stratum: str | None = None
    inclusion_probability: str | None = None
    visited: Annotated[str | None, Field(description="left out: every record was visited")] = None
    split: str | None = None
    sample_id: Annotated[
        str | None, Field(description="point of the sample, the same in every period; left out: record_id")
    ] = None
    region_id: Annotated[
        str | None, Field(description="region that the point was drawn in; left out: by its position")
    ] = None
    role: Annotated[str | None, Field(description="main or reserve; left out: main")] = None
    second_class: Annotated[str | None, Field(description="label by a second observer")] = None
    why_not: Annotated[str | None, Field(description="why a point was not visited")] = None
    state: Annotated[
        str | None, Field(description="state of the coca, empty where there is none; see `definitions`")
    ] = None
    shade: Annotated[str | None, Field(description="whether the coca stands under shade")] = None
    mixture: Annotated[str | None, Field(description="whether other crops grow among the coca")] = None
    age: Annotated[str | None, Field(description="age of the coca, years")] = None

    @model_validator(mode="after")
    def _position(self) -> RecordColumns:
        pairs = [(self.lon, self.lat), (self.x, self.y)]
        if any((a is None) != (b is None) for a, b in pairs) or all(a is not None for a, _ in pairs):
            raise ValueError("a position is `lon` and `lat`, or `x` and `y`, or the file's geometry")
        return self

    @property
    def position(self) -> tuple[str, str] | None:
        """The columns of the coordinates, x before y; None: the file's geometry."""
        if self.lon is not None and self.lat is not None:
            return self.lon, self.lat
        return (self.x, self.y) if self.x is not None and self.y is not None else None


class MatchSettings(Settings):
    """The ground of a record, and when the map has one class there."""

    support: Annotated[
        Literal["pixel", "plot", "cluster"],
        Field(
            description="pixel that holds the point, polygon of the plot, square of pixels around the point"
        ),
    ]
    cluster_px: Annotated[int | None, Field(ge=3, le=99, description="side of the square, odd")] = None
    positional_error: Annotated[
        Literal["ignore", "majority"],
        Field(description="majority: the map's class is that of most of the error circle, else uncertain"),
    ]
    unknown_accuracy_m: Annotated[
        float | None, Field(gt=0, description="for records without a positional error")
    ] = None
    majority: Annotated[
        float | None, Field(ge=0.5, lt=1, description="share of the ground that the class must exceed")
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> MatchSettings:
        if (self.support == "cluster") != (self.cluster_px is not None):
            raise ValueError("`cluster_px` goes with `support: cluster`, which needs it")
        if self.cluster_px is not None and self.cluster_px % 2 == 0:
            raise ValueError(
                f"`cluster_px` is {self.cluster_px}; give an odd number, so that a pixel is its middle"
            )
        if self.positional_error == "majority" and self.support != "pixel":
            raise ValueError(
                "`positional_error: majority` is for `support: pixel`; a plot or cluster has its own extent"
            )
        voted = self.support != "pixel" or self.positional_error == "majority"
        if voted != (self.majority is not None):
            raise ValueError(
                "`majority` goes with plots, clusters and `positional_error: majority`, which need it"
            )
        if self.unknown_accuracy_m is not None and self.positional_error == "ignore":
            raise ValueError("`unknown_accuracy_m` goes with `positional_error: majority`")
        return self


_DRAWN_PIXEL = {"support": "pixel", "positional_error": "ignore"}
READ = RecordColumns.model_validate(
    {name: name for name in ("record_id", "class", "lon", "lat", "observed_on", "cover", "source", "stratum",
     "positional_accuracy_m", "inclusion_probability", "visited", "sample_id", "region_id", "role", "age",
     "second_class", "why_not", "state", "shade", "mixture")}
)  # fmt: skip
"""The columns of what came back, joined with the sample."""

FROM_SAMPLE = ("stratum", "region_id", "inclusion_probability", "role", "split")
"""Columns that a drawn sample has, and what comes back need not."""


class RecordSettings(Settings):
    """A file of field records and the design that its points come from."""

    path: Path
    layer: Annotated[str | None, Field(description="needed when the file has several layers")] = None
    sample: Annotated[
        Path | None,
        Field(description="the points that were drawn, `sample.csv` of a design: what came back is joined"),
    ] = None
    far_m: Annotated[
        float | None,
        Field(gt=0, description="positions farther from the drawn point must be confirmed"),
    ] = None
    confirmed: Annotated[
        tuple[str, ...], Field(description="points whose record counts although its position is far")
    ] = ()
    columns: RecordColumns
    class_names: Annotated[
        dict[str, str] | None, Field(description="label -> class key; left out: labels are class keys")
    ] = None
    crs: Annotated[str | None, Field(description="of `x` and `y`, for instance EPSG:32719")] = None
    design: Annotated[
        Literal["probability", "purposive"],
        Field(description="probability: each point was drawn with a known chance; purposive: it was chosen"),
    ]
    matching: MatchSettings
    outside: Annotated[
        Literal["refused", "allowed"],
        Field(description="allowed: points of a probability sample may lie in no region, and count for none"),
    ] = "refused"
    strata: Annotated[
        Path | None,
        Field(description="CSV: stratum, area_ha[, pixels][, pixel_area_m2][, region_id][, code]"),
    ] = None
    strata_raster: Annotated[
        Path | tuple[Path, ...],
        Field(description="raster of the strata, one or more; its values are the column `code` of `strata`"),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_a_sample(cls, given: Any) -> Any:
        """What a drawn sample settles need not be stated: its points stand for one pixel each."""
        if isinstance(given, dict) and given.get("sample") is not None:
            return {"columns": {}, "design": "probability", "matching": _DRAWN_PIXEL} | given
        return given

    @model_validator(mode="after")
    def _consistent(self) -> RecordSettings:
        if (self.columns.x is None) != (self.crs is None):
            raise ValueError("`crs` goes with columns `x` and `y`, and they need it")
        if self.sample is not None:
            self._check_sample()
        elif self.columns.record_id is None or self.columns.class_ is None:
            raise ValueError("`columns` names `record_id` and `class`; with `sample` they are found by name")
        elif self.far_m is not None or self.confirmed:
            raise ValueError("`far_m` and `confirmed` go with `sample`")
        elif self.design == "probability":
            needed = ("stratum", "inclusion_probability")
            missing = [n for n in needed if getattr(self.columns, n) is None]
            if missing:
                raise ValueError(
                    f"a probability sample needs the columns {' and '.join(missing)}; in a stratified random "
                    "sample the probability is the stratum's number of points / its number of pixels"
                )
        elif self.strata is not None or self.columns.inclusion_probability is not None:
            raise ValueError("purposive records have no strata areas and no inclusion probabilities")
        if self.strata_rasters and self.strata is None:
            raise ValueError("`strata_raster` goes with `strata`, which names its values in a column `code`")
        return self

    def _check_sample(self) -> None:
        stated = [name for name in FROM_SAMPLE if getattr(self.columns, name) is not None]
        if stated:
            raise ValueError(f"columns: {', '.join(stated)} come from `sample`; leave them out")
        if self.design != "probability" or self.matching != MatchSettings.model_validate(_DRAWN_PIXEL):
            raise ValueError(
                "with `sample` the design is `probability` and a point stands for its pixel; leave `design` "
                "and `matching` out"
            )
        if self.confirmed and self.far_m is None:
            raise ValueError("`confirmed` goes with `far_m`")

    @property
    def strata_rasters(self) -> tuple[Path, ...]:
        """The rasters of the strata, in the order in which they are looked at."""
        return self.strata_raster if isinstance(self.strata_raster, tuple) else (self.strata_raster,)
