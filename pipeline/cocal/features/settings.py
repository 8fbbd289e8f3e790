"""The settings of features: mask, windows, composite, features, rules that fill gaps."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cocal.contracts import BANDS
from cocal.features.indices import INDICES
from cocal.features.mask import MaskSettings
from cocal.features.names import Feature, parse_feature, percent_of, unknown
from cocal.settings import Settings
from cocal.store import address

FillRule = Literal["none", "linear", "nearest", "median"]


class FeatureSettings(Settings):
    """How scenes become features. Every field changes the result, so none has a default.

    Examples
    --------
    >>> from cocal import FeatureSettings
    >>> settings = FeatureSettings(
    ...     mask={"clear": ["vegetation", "bare"], "dilate": ["cloud_high"], "dilate_px": 10},
    ...     windows="quarterly",
    ...     composite="median",
    ...     features=["NDVI@*", "NDMI.p10", "slope"],
    ...     fill={"NDVI@*": "linear", "*": "none"},
    ... )
    >>> settings.reflectance_bands
    ('red', 'nir', 'swir16')
    """

    mask: MaskSettings | None = Field(description="the word none: only missing values are masked")
    windows: Literal["monthly", "quarterly", "season"] | Annotated[int, Field(ge=1, le=3660)] = Field(
        description="calendar months, calendar quarters, the whole period, or a number of days"
    )
    composite: str = Field(description="median, mean, or a percentile such as p25, of a window's clear dates")
    features: tuple[str, ...] = Field(min_length=1, description="features by name, in the model's order")
    fill: dict[str, FillRule] = Field(
        description="feature name pattern -> rule for windows without a clear date; the first match counts"
    )

    @field_validator("mask", mode="before")
    @classmethod
    def _none_in_words(cls, value: Any) -> Any:
        return None if value == "none" else value

    @field_validator("composite")
    @classmethod
    def _known_statistic(cls, value: str) -> str:
        if value != "mean" and percent_of(value) is None:
            raise ValueError(unknown("composite", value, ("median", "mean", "min", "max", "p00 to p99")))
        return value

    @field_validator("features")
    @classmethod
    def _known_features(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        problems, found = [], []
        for name in names:
            try:
                found.append(parse_feature(name))
            except ValueError as err:
                problems.append(str(err))
        problems += [f"{name!r} is listed twice" for name in sorted({n for n in names if names.count(n) > 1})]
        if not problems and all(feature.is_terrain for feature in found):
            problems.append("features of terrain alone do not depend on the period; add a band or an index")
        if problems:
            raise ValueError("; ".join(problems))
        return names

    @model_validator(mode="after")
    def _filled(self) -> FeatureSettings:
        bare = [f.name for f in self.parsed if not f.is_terrain and self.find_rule(f.name) is None]
        if bare:
            hint = "state a rule for each, or end with '\"*\": none'"
            raise ValueError(f"`fill` has no pattern for {', '.join(bare)}; {hint}")
        return self

    @property
    def parsed(self) -> list[Feature]:
        """The features as they are listed, `@*` not expanded."""
        return [parse_feature(name) for name in self.features]

    @property
    def variables(self) -> tuple[str, ...]:
        """Bands and indices that the features use, in order of first use."""
        return tuple(dict.fromkeys(f.variable for f in self.parsed if not f.is_terrain))

    @property
    def reflectance_bands(self) -> tuple[str, ...]:
        """The bands that the variables are computed from, in the order of `contracts.BANDS`."""
        used = {b for v in self.variables for b in (INDICES[v].bands if v in INDICES else (v,))}
        return tuple(band for band in BANDS if band in used)

    @property
    def digest(self) -> str:
        """SHA-256 of the settings; the order of features and of fill patterns counts."""
        return address(self.model_dump(mode="json") | {"fill": list(self.fill.items())})

    def find_rule(self, name: str) -> FillRule | None:
        """The fill rule of the first pattern that matches a feature's name."""
        return next((rule for pattern, rule in self.fill.items() if fnmatchcase(name, pattern)), None)


def bands_needed(settings: FeatureSettings) -> tuple[str, ...]:
    """The variables of scenes/1 to read: reflectance bands, then `scl` and `cloud_probability` if used."""
    mask = settings.mask
    quality = [] if mask is None else ["scl"]
    if mask is not None and mask.max_cloud_probability is not None:
        quality.append("cloud_probability")
    return (*settings.reflectance_bands, *quality)


def halo_px(settings: FeatureSettings) -> int:
    """Pixels around a block that its features depend on."""
    dilation = 0 if settings.mask is None else settings.mask.dilate_px
    return max(dilation, 1 if "slope" in settings.features else 0)


def needs_dem(settings: FeatureSettings) -> bool:
    """True if a feature comes from an elevation model."""
    return any(feature.is_terrain for feature in settings.parsed)
