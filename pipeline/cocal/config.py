"""Read a YAML file as RunConfig: frozen, unknown keys forbidden, all problems reported at once.

Each package defines the settings of its sections; this module composes them. Paths are relative to the folder
of the file.
"""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from cocal.classify.settings import ClassifySettings, SeriesSection, TrainSection
from cocal.contracts import Period
from cocal.crosswalk import DefinitionSettings
from cocal.errors import ConfigError, UsageError
from cocal.estimate.settings import (
    ComparisonSettings,
    DensitySettings,
    EstimateSettings,
    LegalSettings,
    OperationSettings,
)
from cocal.features import halo_px
from cocal.features.settings import FeatureSettings, needs_dem
from cocal.fieldwork.design.settings import DesignSettings
from cocal.fieldwork.settings import RecordSettings
from cocal.notes.limits import LeftOutSettings
from cocal.regions import RegionSettings
from cocal.scenes.download.settings import DownloadSettings, Source
from cocal.scenes.settings import SceneImport
from cocal.settings import Settings, describe_problems, read_yaml

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
"""Days that a period can have."""


class PeriodSettings(Settings):
    """The period of one map: a name, the first and the last day, both included."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    start: date
    end: date

    @model_validator(mode="after")
    def _ordered(self) -> PeriodSettings:
        if self.end < self.start:
            raise ValueError(f"ends ({self.end}) before it starts ({self.start})")
        if self.start < FIRST_DAY or self.end > LAST_DAY:
            raise ValueError(f"{self.start} to {self.end} is not within {FIRST_DAY} to {LAST_DAY}")
        return self

    @model_validator(mode="after")
    def _own_year(self) -> PeriodSettings:
        is_year = len(self.name) == 4 and self.name.isdecimal()
        if is_year and not self.start.year <= int(self.name) <= self.end.year:
            raise ValueError(
                f"is called {self.name} and lasts from {self.start} to {self.end}: official figures of the "
                f"year {self.name} would be set beside it; give it the name of its year, or another"
            )
        return self

    @property
    def period(self) -> Period:
        return Period(self.name, self.start, self.end)


class GridSettings(Settings):
    """Sizes of work units. They change speed and memory, no result."""

    tile_px: Annotated[int, Field(ge=48, multiple_of=6)] = 1536
    block_px: Annotated[int, Field(ge=16)] = 384

    @model_validator(mode="after")
    def _nested(self) -> GridSettings:
        if self.block_px > self.tile_px:
            raise ValueError(f"block_px {self.block_px} is larger than tile_px {self.tile_px}")
        return self


class SeriesConfig(Settings):
    """The configuration of a model trained from a table of labelled time series, without images."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    runs: Path = Field(description="folder that holds the folders of runs")
    scheme: Path | None = Field(None, description="left out: the labels of the table are the classes")
    target: str | None = Field(None, description="without a scheme: the label whose scores select the model")
    period: PeriodSettings | None = Field(
        None, description="left out: the first to the last date of the table"
    )
    index: FeatureSettings | None = Field(None, description="left out: see docs/models.md")
    train: SeriesSection
    left_out: LeftOutSettings = LeftOutSettings()

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


class WorkerSettings(Settings):
    """The local cluster; None: sized from cores and memory. `wait_s` counts for every cluster."""

    workers: Annotated[int, Field(ge=1)] | None = None
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    wait_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0


class RunConfig(Settings):
    """The configuration of one run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    runs: Path = Field(description="folder that holds the folders of runs")
    archive: Path | None = Field(
        None, description="folder of the scene archive; a run without images has none"
    )
    scheme: Path = Field(description="YAML file of the class scheme")
    periods: Annotated[tuple[PeriodSettings, ...], Field(min_length=1)]
    regions: RegionSettings
    groups: dict[Annotated[str, Field(pattern=r"^\S")], Annotated[tuple[str, ...], Field(min_length=1)]] = (
        Field(
            {},
            description="id -> region ids or patterns (PE-21*): departments, zones, which get figures too",
        )
    )
    legal: LegalSettings | None = None
    operations: OperationSettings | None = None
    density: DensitySettings | None = None
    grid: GridSettings = GridSettings()
    area: tuple[float, float, float, float] | None = Field(
        None, description="west, south, east, north: used for plans while there are no region files"
    )
    imports: tuple[SceneImport, ...] = ()
    source: Source | None = None
    download: DownloadSettings | None = None
    index: FeatureSettings | None = Field(None, description="features; a run without images has none")
    dem: Path | None = None
    train: TrainSection | None = None
    classify: ClassifySettings
    design: DesignSettings | None = None
    records: RecordSettings | None = None
    estimate: EstimateSettings | None = None
    comparison: ComparisonSettings | None = None
    definitions: DefinitionSettings | None = None
    left_out: LeftOutSettings = LeftOutSettings()
    keep: tuple[Literal["features"], ...] = ()
    publish: Literal["squares", "regions"] | None = Field(
        None, description="write public/: the outputs that may be published, by square or by region"
    )
    local: WorkerSettings = WorkerSettings()

    @field_validator("publish", mode="before")
    @classmethod
    def _geography(cls, value: Any) -> Any:
        if value is True:
            raise ValueError("say which: `squares` or `regions`; both of one map would give differences")
        return value or None

    @model_validator(mode="after")
    def _consistent(self) -> RunConfig:
        problems = []
        names = [p.name for p in self.periods]
        if len(set(names)) < len(names):
            problems.append(f"periods: a name is used twice in {', '.join(names)}")
        problems += self._map_problems(set(names))
        images = self.operations is not None and self.operations.images is not None
        if images and (self.index is None or self.index.mask is None):
            problems.append("operations.images: needs `index.mask`, which says what is clear")
        if self.train and (self.train.period or names[0]) not in names:
            problems.append(f"train.period: {self.train.period!r} is not one of {', '.join(names)}")
        if self.train and self.train.period is None and len(names) > 1:
            problems.append(f"train.period: name the period of the labels, one of {', '.join(names)}")
        if self.estimate and (self.records is None or self.records.strata is None):
            problems.append("estimate: needs `records:` with `strata:`, a probability sample and its design")
        if self.definitions and self.records is None:
            problems.append("definitions: needs `records:`, whose attributes say what counts")
        if self.publish and self.density is None:
            problems.append("publish: needs `density:`, which states how many plots hide each other")
        problems += self._design_problems(names)
        problems += self._download_problems()
        if self.index is not None and needs_dem(self.index) and self.dem is None:
            problems.append("dem: index.features has elevation or slope, which need a raster")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _map_problems(self, periods: set[str]) -> list[str]:
        """Problems of whose map it is, and of the keys that it needs."""
        rules, own, problems = self.classify, self.classify.map, []
        if self.train is not None and rules.model is not None:
            problems.append("give either `train:` or `classify.model:`, not both")
        if not self.has_model and own is None:
            problems.append("give `train:` or `classify.model:` for a model's map, or `classify.map:`")
        elif not self.has_model and rules.model_keys:
            listed = ", ".join(rules.model_keys)
            problems.append(f"classify: {listed}: only a model's map needs them; leave them out")
        if self.has_model:
            needed = {"archive": self.archive, "index": self.index}
            needed |= {f"classify.{key}": getattr(rules, key) for key in ("min_clear", "missing")}
            problems += [f"{key}: needed by a model's map" for key, given in needed.items() if given is None]
        if (self.has_model and own is not None) != (rules.lead is not None):
            problems.append("classify.lead: needed where there are two maps, and only there")
        if own is not None and (unknown := sorted(own.period_names - periods)):
            problems.append(f"classify.map: periods that `periods` has not: {', '.join(unknown)}")
        images = {"imports": self.imports, "source": self.source, "keep": self.keep}
        if self.archive is None and (given := [key for key, value in images.items() if value]):
            problems.append(f"archive: needed by {', '.join(given)}")
        return problems

    def _design_problems(self, periods: list[str]) -> list[str]:
        design, estimate = self.design, self.estimate
        if design is None:
            return []
        problems = []
        if design.period is None and len(periods) > 1:
            problems.append(f"design.period: name the period to stratify, one of {', '.join(periods)}")
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
            problems.append("give `source:` and `download:` together")
        halo = 0 if self.index is None else halo_px(self.index)
        if self.download and halo > self.download.margin_px:
            problems.append(
                f"download.margin_px: {self.download.margin_px} px are too few, index needs {halo}"
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

    @property
    def has_model(self) -> bool:
        """True if a map of the run is made by a model from images."""
        return self.train is not None or self.classify.model is not None

    def alone(self, which: Literal["model", "map"]) -> RunConfig:
        """The configuration of a run with one of its two maps."""
        rules = self.classify.model_copy(update={"map": None, "lead": None})
        if which == "model":
            return self.model_copy(update={"classify": rules})
        own = ClassifySettings.model_validate({"map": self.classify.map})
        return self.model_copy(update={"classify": own, "train": None})

    def require_archive(self) -> Path:
        """The folder of the scene archive.

        Raises
        ------
        UsageError
            The run has none.
        """
        if self.archive is None:
            raise UsageError(f"run {self.name}", "`archive:` and images", "a run without images", _IMAGES)
        return self.archive

    def require_index(self) -> FeatureSettings:
        """The settings of the features; `UsageError` as `require_archive`."""
        if self.index is None:
            raise UsageError(f"run {self.name}", "`index:` and images", "a run without images", _IMAGES)
        return self.index


_IMAGES = "give `archive:` and `index:`, or leave this command out"
_Config = TypeVar("_Config", RunConfig, SeriesConfig)


def read_config(path: str | Path) -> RunConfig:
    """The configuration in a YAML file, with absolute paths.

    Raises
    ------
    InputError
        The file cannot be read.
    ConfigError
        It is not YAML, or keys are unknown, missing or wrong: all are listed with their path.

    Examples
    --------
    See docs/api.md: `configured = cocal.read_config(config)`. A wrong file:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "run.yaml"
    >>> _ = path.write_text("nme: demo")
    >>> read_config(path)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    cocal.errors.ConfigError: configuration run.yaml cannot be used; 8 problem(s): ...
    """
    path = Path(path)
    return _read(path, _content(path), RunConfig)


def read_training(path: str | Path) -> RunConfig | SeriesConfig:
    """The configuration of `cocal train`: of a run, or of a table of time series without `regions` and
    `archive`.

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
    content = read_yaml(path, "configuration", "name a YAML file; docs/configuration.md describes each key")
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
            remedy="fix these keys; docs/configuration.md describes each",
        ) from err
    problems: list[str] = []
    absolute: _Config = _absolute(config, path.resolve().parent, "", problems)
    if problems:
        raise ConfigError(
            f"configuration {path} names paths that cannot be used", "files and folders", "; ".join(problems),
            "fix these keys; paths are relative to the configuration",
        )  # fmt: skip
    return absolute


_FOLDERS = ("runs", "archive", "download.state")


def _absolute(value: Any, base: Path, key: str, problems: list[str]) -> Any:
    """`value` with absolute paths; `problems` gets those that are no file or folder."""
    if isinstance(value, Path):
        try:
            whole = value if value.is_absolute() else (base / value).resolve()
            mode = whole.stat().st_mode
        except (FileNotFoundError, PermissionError):
            return whole  # whoever reads it names it
        except (OSError, ValueError, RuntimeError) as err:
            problems.append(f"{key}: {str(err)[:200]}")
            return value
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            problems.append(f"{key}: {value} is neither a file nor a folder")
        elif key in _FOLDERS and not stat.S_ISDIR(mode):
            problems.append(f"{key}: {value} is a file, not a folder")
        return whole
    if isinstance(value, BaseModel):
        items = {name: getattr(value, name) for name in type(value).model_fields}
        return value.model_copy(update=_inside(items, base, key, problems))
    if isinstance(value, tuple):
        return tuple(_inside(dict(enumerate(value)), base, key, problems).values())
    return value


def _inside(items: dict[Any, Any], base: Path, key: str, problems: list[str]) -> dict[Any, Any]:
    return {n: _absolute(v, base, f"{key}.{n}".lstrip("."), problems) for n, v in items.items()}
