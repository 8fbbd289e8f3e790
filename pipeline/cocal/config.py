"""One YAML file -> RunConfig: frozen, complete, unknown keys forbidden, every problem at once.

Paths in the file are relative to the folder of the file.
"""

from __future__ import annotations

import difflib
import typing
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cocal.classify.settings import ClassifySettings, SampleSettings, SeriesSamples, TrainSettings
from cocal.contracts import Period
from cocal.errors import ConfigError, InputError
from cocal.estimate import ESTIMATORS, INTERVALS
from cocal.features import halo_px
from cocal.features.settings import FeatureSettings, needs_dem
from cocal.fieldwork.design.settings import DesignSettings
from cocal.fieldwork.settings import RecordSettings
from cocal.regions import RegionSettings
from cocal.scenes.download.settings import DownloadSettings, Source
from cocal.scenes.settings import SceneImport


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PeriodSettings(_Section):
    """One map: a name and the days it speaks of, both included."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    start: date
    end: date

    @model_validator(mode="after")
    def _ordered(self) -> PeriodSettings:
        if self.end < self.start:
            raise ValueError(f"ends ({self.end}) before it starts ({self.start})")
        return self

    @property
    def period(self) -> Period:
        return Period(self.name, self.start, self.end)


class GridSettings(_Section):
    """Work units. They change speed and memory, never a result."""

    tile_px: Annotated[int, Field(ge=48, multiple_of=6)] = 1536
    block_px: Annotated[int, Field(ge=16)] = 384

    @model_validator(mode="after")
    def _nested(self) -> GridSettings:
        if self.block_px > self.tile_px:
            raise ValueError(f"block_px {self.block_px} is larger than tile_px {self.tile_px}")
        return self


class TrainSection(_Section):
    """A model trained inside the run: labelled places or series, and how to train."""

    samples: SampleSettings
    model: TrainSettings
    period: str | None = Field(None, description="name of the period that the labels refer to")
    previous_maps: tuple[Path, ...] = Field(
        (), description="class maps of the years before, last first (class codes of the scheme): null models"
    )


class SeriesSection(_Section):
    """A table of labelled time series, and how to train."""

    samples: SeriesSamples
    model: TrainSettings


class SeriesConfig(_Section):
    """A model from a table of labelled time series alone: no area, no image."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    runs: Path = Field(description="folder that holds the folders of runs")
    scheme: Path | None = Field(None, description="left out: the labels of the table are the classes")
    target: str | None = Field(None, description="the label that validation looks after, without a scheme")
    period: PeriodSettings | None = Field(
        None, description="left out: the first to the last date of the table"
    )
    index: FeatureSettings | None = Field(None, description="left out: see docs/models.md")
    train: SeriesSection

    @model_validator(mode="after")
    def _one_of(self) -> SeriesConfig:
        if (self.scheme is None) == (self.target is None):
            raise ValueError("give either `scheme:` or, to make one from the labels, `target:`")
        if self.scheme is None and self.train.samples.labels is not None:
            raise ValueError("train.samples.labels: needs `scheme:`; without it the labels are the classes")
        return self

    @property
    def root(self) -> Path:
        """The folder of this run."""
        return self.runs / self.name


Range = Annotated[tuple[float, float], Field(description="low and high end, within 0 to 1")]


class ReferenceErrorSettings(_Section):
    """How often the observers may be wrong, as ranges: what the second observers' agreement supports."""

    sensitivity: Range
    specificity: Range

    @model_validator(mode="after")
    def _usable(self) -> ReferenceErrorSettings:
        if not all(0 <= a <= b <= 1 for a, b in (self.sensitivity, self.specificity)):
            raise ValueError("give each range as [low, high] within 0 to 1")
        if self.sensitivity[0] + self.specificity[0] <= 1:
            raise ValueError("the low ends sum to 1 or less: such labels are no better than chance")
        return self


class EstimateSettings(_Section):
    """How hectares are estimated from a probability sample."""

    estimator: str
    interval: str
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    collapse: tuple[str, ...] = Field((), description='strata to merge, "A+B"')
    reference_error: ReferenceErrorSettings | None = None

    @model_validator(mode="after")
    def _known(self) -> EstimateSettings:
        problems = []
        for name, value, allowed in (
            ("estimator", self.estimator, ESTIMATORS),
            ("interval", self.interval, tuple(INTERVALS)),
        ):
            if value not in allowed:
                problems.append(f"{name} {value!r}; allowed: {', '.join(allowed)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class ComparisonSettings(_Section):
    """What estimates are set beside."""

    max_unobserved: Annotated[float, Field(ge=0, le=1)] = Field(
        description="a region with a larger unobserved share is marked as not comparable"
    )
    official: Path | None = Field(None, description="CSV: region_id, year, coca_ha, source, definition, ...")
    same_definition: tuple[str, ...] = Field(
        (), description="definitions of official figures that mean what the class scheme's target means"
    )
    eradication: Path | None = Field(None, description="CSV: region_id, year, claimed_ha, source, ...")
    field: Path | None = Field(None, description="CSV: region_id, period, class, field_ha")
    truth: Path | None = Field(None, description="CSV: region_id, class, truth_ha; simulated data only")


class LimitSettings(_Section):
    """A legal limit on the target in a set of zones."""

    id: str
    zones: Annotated[tuple[str, ...], Field(min_length=1, description="zone ids, or patterns such as AZ-*")]
    limit_ha: Annotated[float, Field(ge=0)]
    source: str


class LegalSettings(_Section):
    """Zones of the law: where coca is authorised, where nature is protected, and how much may grow."""

    zones: RegionSettings = Field(description="as `regions:`; where zones overlap the first owns the ground")
    kinds: dict[str, Literal["authorised", "protected"]] = Field(
        description="zone id, or pattern -> what the zone is; the first that fits"
    )
    limits: tuple[LimitSettings, ...] = ()


class DensitySettings(_Section):
    """Hectares per square of a grid, and when a square may be published."""

    cell_m: Annotated[int, Field(ge=100, multiple_of=10, description="side of a square; agencies: 1000")]
    min_plots: Annotated[
        int, Field(ge=2, description="a square with the target and fewer plots is not published")
    ]
    plot_ha: Annotated[float, Field(ge=0, description="smallest patch of the map that counts as a plot")]


class WorkerSettings(_Section):
    """The local cluster; null = sized from cores and memory."""

    workers: Annotated[int, Field(ge=1)] | None = None
    memory_gib: Annotated[float, Field(gt=0)] | None = None


class RunConfig(_Section):
    """Everything one run needs."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    runs: Path = Field(description="folder that holds the folders of runs")
    archive: Path = Field(description="folder of the scene archive")
    scheme: Path = Field(description="YAML file of the class scheme")
    periods: Annotated[tuple[PeriodSettings, ...], Field(min_length=1)]
    regions: RegionSettings
    groups: dict[str, tuple[str, ...]] = Field(
        {},
        description="id -> region ids or patterns (PE-21*): departments, zones, for which figures are published",
    )
    legal: LegalSettings | None = None
    density: DensitySettings | None = None
    grid: GridSettings = GridSettings()
    area: tuple[float, float, float, float] | None = Field(
        None, description="west, south, east, north: planned on while region files are not there yet"
    )
    imports: tuple[SceneImport, ...] = ()
    source: Source | None = None
    download: DownloadSettings | None = None
    index: FeatureSettings
    dem: Path | None = None
    train: TrainSection | None = None
    classify: ClassifySettings
    design: DesignSettings | None = None
    records: RecordSettings | None = None
    estimate: EstimateSettings | None = None
    comparison: ComparisonSettings | None = None
    keep: tuple[Literal["features"], ...] = ()
    publish: bool = Field(False, description="write public/: what of the run may leave the office")
    local: WorkerSettings = WorkerSettings()

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        problems = []
        names = [p.name for p in self.periods]
        if len(set(names)) < len(names):
            problems.append(f"periods: a name is used twice in {', '.join(names)}")
        if (self.train is None) == (self.classify.model is None):
            problems.append("give either `train:` or `classify.model:`, not both and not neither")
        if self.train and (self.train.period or names[0]) not in names:
            problems.append(f"train.period: {self.train.period!r} is not one of {', '.join(names)}")
        if self.train and self.train.period is None and len(names) > 1:
            problems.append(f"train.period: say which of {', '.join(names)} the labels refer to")
        if self.estimate and (self.records is None or self.records.strata is None):
            problems.append("estimate: needs `records:` with `strata:`, a probability sample and its design")
        problems += self._design_problems(names)
        problems += self._download_problems()
        if needs_dem(self.index) and self.dem is None:
            problems.append("dem: elevation or slope is asked for in index.features, so give a raster")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _design_problems(self, periods: list[str]) -> list[str]:
        design, estimate = self.design, self.estimate
        if design is None:
            return []
        problems = []
        if design.period is None and len(periods) > 1:
            problems.append(f"design.period: say which of {', '.join(periods)} is stratified")
        if (design.period or periods[0]) not in periods:
            problems.append(f"design.period: {design.period!r} is not one of {', '.join(periods)}")
        for key in ("interval", "confidence"):
            own = getattr(design, key)
            if estimate is None and own is None:
                problems.append(f"design.{key}: needed where there is no `estimate:`")
            elif estimate is not None and own not in (None, getattr(estimate, key)):
                problems.append(f"design.{key}: {own} is not that of `estimate:`; leave it out")
        return problems

    def _download_problems(self) -> list[str]:
        problems = []
        if (self.source is None) != (self.download is None):
            problems.append("give `source:` and `download:` together: from where, and within which bounds")
        if self.download and halo_px(self.index) > self.download.margin_px:
            problems.append(
                f"download.margin_px: {self.download.margin_px} px are too few, index needs {halo_px(self.index)}"
            )
        if self.area and not (
            -180 <= self.area[0] < self.area[2] <= 180 and -80 <= self.area[1] < self.area[3] <= 84
        ):
            problems.append("area: west, south, east, north in degrees, west of east and south of north")
        return problems

    @property
    def root(self) -> Path:
        """The folder of this run."""
        return self.runs / self.name


_Config = TypeVar("_Config", RunConfig, SeriesConfig)


def read_config(path: str | Path) -> RunConfig:
    """The configuration in a YAML file.

    Raises
    ------
    InputError
        The file cannot be read.
    ConfigError
        It is not YAML, or keys are unknown, missing or wrong: all are listed with their path.
    """
    path = Path(path)
    return _read(path, _content(path), RunConfig)


def read_training(path: str | Path) -> RunConfig | SeriesConfig:
    """What `cocal train` is given: a run, or a table of time series without `regions` and `archive`.

    Raises
    ------
    InputError, ConfigError
        As `read_config`.
    """
    path = Path(path)
    content = _content(path)
    section = content.get("train")
    samples = section.get("samples") if isinstance(section, dict) else None
    series = isinstance(samples, dict) and samples.get("kind") == "series"
    alone = series and not {"regions", "archive"} & set(content)
    return _read(path, content, SeriesConfig) if alone else _read(path, content, RunConfig)


def _content(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise InputError(
            f"configuration {path}", "a readable YAML file", str(err), "name an existing file"
        ) from err
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise ConfigError(f"configuration {path} is not YAML", "", str(err)) from err
    if not isinstance(content, dict):
        raise ConfigError(f"configuration {path}", "keys and values", f"{type(content).__name__}")
    return content


def _read(path: Path, content: dict[str, Any], model: type[_Config]) -> _Config:
    try:
        config = model.model_validate(content)
    except ValidationError as err:
        lines = "\n".join(f"    {line}" for line in describe_problems(err, model))
        raise ConfigError(
            f"configuration {path} cannot be used; {err.error_count()} problem(s):\n{lines}",
            remedy="mend these keys; docs/configuration.md describes each",
        ) from err
    absolute: _Config = _absolute(config, path.resolve().parent)
    return absolute


def describe_problems(err: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per problem: the key's path, what is wrong, what is allowed."""
    lines = []
    for problem in err.errors(include_url=False):
        location = [part for part in problem["loc"] if not str(part).endswith("Settings")]
        key = ".".join(str(part) for part in location) or "(top)"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = sorted(_keys_beside(model, location))
            near = difflib.get_close_matches(str(location[-1]), allowed, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = f"unknown key{hint} Allowed here: {', '.join(allowed)}"
        elif problem["type"] not in ("missing", "value_error"):
            message += f" (found {problem['input']!r})"
        lines.append(f"{key}: {message}")
    return lines


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in typing.get_args(annotation) for m in _models_in(arg)]


def _keys_beside(model: type[BaseModel], location: list[Any]) -> set[str]:
    """The keys allowed where the last part of `location` was found."""
    models = [model]
    for part in location[:-1]:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if inner:
            models = [found for annotation in inner for found in _models_in(annotation)]
        else:
            tagged = [m for m in models if _tag(m) == part]
            models = tagged or models
    return {field.alias or name for m in models for name, field in m.model_fields.items()}


def _tag(model: type[BaseModel]) -> Any:
    kind = model.model_fields.get("kind") or model.model_fields.get("type")
    return typing.get_args(kind.annotation)[0] if kind and typing.get_args(kind.annotation) else None


def _absolute(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return value if value.is_absolute() else (base / value).resolve()
    if isinstance(value, BaseModel):
        fields = {name: _absolute(getattr(value, name), base) for name in type(value).model_fields}
        return value.model_copy(update=fields)
    if isinstance(value, tuple):
        return tuple(_absolute(item, base) for item in value)
    return value
