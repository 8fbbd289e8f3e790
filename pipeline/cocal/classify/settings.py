"""The settings of samples, training and classification."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cocal.classify.census.settings import MapSettings
from cocal.classify.estimators import PERCEPTRON, EstimatorName
from cocal.contracts import BANDS, SAR_BANDS
from cocal.settings import Settings

AUTO: Literal["auto"] = "auto"
Missing = Literal["unobserved", "native"]
ModelId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=100)]


class _Labels(Settings):
    path: Path
    label_column: str
    labels: dict[str, str] | None = Field(
        None, description="label in the file -> class key; left out: they are equal"
    )
    source: str = Field(min_length=1, description="who made the labels, how; goes to the model card")
    licence: str = Field(min_length=1)
    simulated: bool = False
    groups: dict[str, str] = Field(
        {}, description="group to leave out (year, side ...) -> column of the file"
    )
    labelled_on_column: str | None = Field(None, description="day that a label refers to, ISO 8601")
    origin_column: str | None = Field(None, description="source of each label")

    @property
    def carried(self) -> dict[str, str]:
        """Further columns of the file that are kept with each sample: name in cocal -> column."""
        further = {"labelled_on": self.labelled_on_column, "origin": self.origin_column}
        return self.groups | {name: column for name, column in further.items() if column is not None}

    @field_validator("groups")
    @classmethod
    def _own_names(cls, groups: dict[str, str]) -> dict[str, str]:
        taken = {"epsg", "x", "y", "row", "col", "lon", "lat", "geometry", "label", "sample_id"}
        if doubled := sorted(set(groups) & (taken | {"origin", "labelled_on"})):
            raise ValueError(f"names that samples already have: {', '.join(doubled)}")
        return groups


class PolygonSamples(_Labels):
    """Labelled polygons in a vector file."""

    kind: Literal["polygons"]
    layer: str | None = None
    id_column: str | None = Field(default=None, description="left out: the row number is the id")
    edge_pixels: Literal["drop", "keep"] = Field(
        description="drop: only pixels wholly in the polygon; keep: all centres"
    )


class PointSamples(_Labels):
    """Labelled points in a vector file."""

    kind: Literal["points"]
    layer: str | None = None
    id_column: str | None = Field(default=None, description="left out: the row number is the id")


class SeriesSamples(_Labels):
    """A long table of labelled time series: one row per sample and date."""

    kind: Literal["series"]
    id_column: str
    date_column: str
    longitude_column: str
    latitude_column: str
    bands: dict[str, str] = Field(min_length=1, description="band (STAC common name) -> column")
    scale: float = Field(gt=0, description="reflectance per unit of the columns: 1 or 0.0001")
    missing_value: float | None = Field(default=None, description="value that means missing, beside empty")

    @field_validator("bands")
    @classmethod
    def _common_names(cls, bands: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(bands) - {*BANDS, *SAR_BANDS})
        if unknown:
            raise ValueError(f"not band names: {', '.join(unknown)}; known: {', '.join(BANDS + SAR_BANDS)}")
        return bands


SampleSettings = Annotated[PolygonSamples | PointSamples | SeriesSamples, Field(discriminator="kind")]


class ValidationSettings(Settings):
    """Folds of whole spatial blocks, and of one group at a time."""

    block_m: float = Field(gt=0, description="side of a square block on an equal-area lattice")
    folds: int = Field(ge=2)
    buffer_m: float = Field(ge=0, description="training samples nearer to a test sample are left out")
    leave_out: tuple[str, ...] = Field((), description="region, country, or a name of `samples.groups`")
    map_prevalence: float | None = Field(None, gt=0, lt=1, description="share of the target on the map")


class TuneSettings(Settings):
    """A search over parameters by successive halving, under the folds of the validation."""

    budget: int = Field(ge=3, description="number of models that the search may fit")


class TrainSettings(Settings):
    """How a model is trained and validated."""

    id: ModelId
    estimator: EstimatorName | Literal["auto"] = Field(description="auto: the trees of best macro F1")
    parameters: dict[str, Any] = Field({}, description="parameters of the scikit-learn estimator")
    seed: int = Field(ge=0, le=2**32 - 1)
    missing: Literal["drop", "native"] = Field(
        description="drop: incomplete samples do not train; native: they do"
    )
    null_index: str = Field(description="feature of the one-index null model, or 'best'")
    validation: ValidationSettings
    tune: TuneSettings | None = None
    distil: bool = Field(False, description="save a smaller model if its scores are within 0.005")

    @model_validator(mode="after")
    def _chosen_or_given(self) -> TrainSettings:
        if self.estimator == AUTO and self.parameters:
            raise ValueError("`estimator: auto` chooses the parameters too: leave `parameters` out")
        if self.tune is not None and self.parameters:
            raise ValueError("`tune` chooses the parameters: leave `parameters` out")
        if self.estimator == PERCEPTRON and self.missing == "native":
            raise ValueError("a perceptron cannot take missing features: `missing: drop`")
        return self

    @property
    def chosen(self) -> EstimatorName:
        """The estimator; RuntimeError while it is `auto`."""
        if self.estimator == AUTO:
            raise RuntimeError("choose the estimator before it is fitted")
        return self.estimator


Share = Annotated[float, Field(gt=0, lt=1)]


class PriorSettings(Settings):
    """Probability of the target before the images of the period are used."""

    elsewhere: Share = Field(description="prior where the earlier map shows another class, or without a map")
    where_mapped: Share | None = Field(None, description="prior where the earlier map shows the target")
    unseen: Share | None = Field(None, description="prior where the earlier map has code 0 or no pixel")
    map: Path | None = Field(None, description="raster of class codes, best that of last year")
    code: int | None = Field(None, ge=1, le=254, description="code of the target in that raster")

    @model_validator(mode="after")
    def _whole(self) -> PriorSettings:
        given = [value is not None for value in (self.map, self.code, self.where_mapped, self.unseen)]
        if any(given) and not all(given):
            raise ValueError("give `map`, `code`, `where_mapped` and `unseen` together, or none of them")
        return self


class MinimumUnitSettings(Settings):
    """Size of the smallest patch of the target on the map, and of the smallest hole in a patch."""

    pixels: int = Field(ge=2, le=100, description="pixels of the smallest patch and the smallest hole")


class ClassifySettings(Settings):
    """The map of a run: how a model is applied, an office's own map, or both side by side."""

    map: MapSettings | None = Field(None, description="an office's own map, drawn or classified elsewhere")
    lead: Literal["model", "map"] | None = Field(
        None, description="with both maps: which one the tables, the page and the sample are of"
    )
    model: Path | None = Field(None, description="folder of a model; left out: the run trains its own")
    min_clear: int | None = Field(
        None, ge=1, le=65_535, description="clear dates a pixel needs to count as observed"
    )
    missing: Missing | None = Field(
        None, description="unobserved or native: what a pixel with a missing feature is"
    )
    prior: PriorSettings | None = Field(None, description="prior probability; left out: as among the samples")
    threshold: Share | None = Field(None, description="probability of the target; left out: likeliest class")
    minimum_unit: MinimumUnitSettings | None = Field(None, description="left out: every patch is kept")
    applicability: bool = Field(default=False, description="also write where the model does not apply")
    margin: bool = Field(default=False, description="also write the margin between the two likeliest classes")

    @property
    def model_keys(self) -> list[str]:
        """The keys given that only a model's map needs."""
        return sorted(self.model_fields_set - {"map", "lead"})

    def require_rules(self) -> tuple[int, Missing]:
        """(`min_clear`, `missing`): RunConfig requires both of a model's map."""
        if self.min_clear is None or self.missing is None:
            raise RuntimeError("a model's map needs `min_clear` and `missing`")
        return self.min_clear, self.missing


class TrainSection(Settings):
    """A model trained inside the run: labelled places or series, and how to train."""

    samples: SampleSettings
    model: TrainSettings
    period: str | None = Field(None, description="name of the period that the labels refer to")
    previous_maps: tuple[Path, ...] = Field(
        (), description="class maps of earlier years, last first: null models"
    )


class SeriesSection(Settings):
    """A table of labelled time series, and how to train."""

    samples: SeriesSamples
    model: TrainSettings
