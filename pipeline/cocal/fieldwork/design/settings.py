"""Settings of a sampling design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cocal.settings import Settings

Allocation = Literal["proportional", "equal", "neyman", "rare", "power", "interval"]
Share = Annotated[float, Field(ge=0, le=1)]


class RasterValues(Settings):
    """Pixels of another raster, last year's map for one: any CRS, read at the pixel's centre."""

    path: Path
    values: Annotated[tuple[int, ...], Field(min_length=1)]


class Zones(Settings):
    """Ground inside the polygons of a vector file: look-alike crops, protected areas, ..."""

    path: Path
    layer: Annotated[str | None, Field(description="needed when the file has several layers")] = None


class Nearness(Settings):
    """Pixels whose centre is at most `metres` from the centre of a pixel of these classes or values."""

    metres: Annotated[float, Field(gt=0, le=10_000)]
    classes: Annotated[tuple[str, ...], Field(description="classes of the run's map")] = ()
    raster: Annotated[RasterValues | None, Field(description="or values of another raster")] = None

    @model_validator(mode="after")
    def _one_source(self) -> Nearness:
        if bool(self.classes) == (self.raster is not None):
            raise ValueError("near: give exactly one of `classes` and `raster`")
        return self


class ProbabilityRange(Settings):
    """The map's probability of the target: `at_least` <= p < `below`."""

    at_least: Share | None = None
    below: Share | None = None

    @model_validator(mode="after")
    def _ordered(self) -> ProbabilityRange:
        if self.at_least is None and self.below is None:
            raise ValueError("probability: give `at_least`, `below`, or both")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError(f"probability: at_least {self.at_least} is not under below {self.below}")
        return self


class Elevation(Settings):
    """Metres above the sea by the run's `dem`: `at_least` <= elevation < `below`; unknown is in no range."""

    at_least: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Elevation:
        if self.at_least is None and self.below is None:
            raise ValueError("elevation: give `at_least`, `below`, or both")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError(f"elevation: at_least {self.at_least} is not under below {self.below}")
        return self


class Conditions(Settings):
    """Conditions that all hold for a pixel."""

    classes: Annotated[tuple[str, ...], Field(description="classes of the run's map")] = ()
    probability: ProbabilityRange | None = None
    near: Nearness | None = None
    raster: RasterValues | None = None
    zones: Zones | None = None
    elevation: Elevation | None = None

    @property
    def takes_the_rest(self) -> bool:
        """True if no condition is stated."""
        return not self.classes and not any(
            (self.probability, self.near, self.raster, self.zones, self.elevation)
        )


class StratumRule(Conditions):
    """One line of the ordered list: a pixel belongs to the first rule all of whose conditions hold.

    Rules with the same name are one stratum. The last rule has no condition and takes the rest.
    """

    stratum: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class NotSampled(Conditions):
    """Ground that is cut off the sample because the target cannot be there: reported, never as zero."""

    reason: Annotated[str, Field(min_length=3, description="why the target cannot be there")]

    @model_validator(mode="after")
    def _some_condition(self) -> NotSampled:
        if self.takes_the_rest:
            raise ValueError(
                f"not_sampled ({self.reason}): give a condition; without one it cuts off everything"
            )
        return self


class SmallStrata(Settings):
    """With `by_region`: parts of a stratum in one region that are too small to be sampled by themselves."""

    below_pixels: Annotated[int, Field(ge=2, description="a smaller part joins `into` in its region")]
    into: str


class Points(Settings):
    """A stated number of points."""

    points: Annotated[int, Field(ge=2)]
    per: Annotated[
        Literal["region", "whole"] | None,
        Field(description="with `allocation: interval`: narrow the widest region's interval, or the whole's"),
    ] = None


class Target(Settings):
    """As many points as the target needs: half-width of the target class's area, relative to it."""

    half_width: Annotated[float, Field(gt=0, le=2, description="0.2: estimate ± 20 %")]
    per: Annotated[Literal["region", "whole"], Field(description="in every region, or in all together")]


class PhaseSettings(Settings):
    """Every point is read on images, a part of them visited; both cost what `size.points` visits would."""

    cost_ratio: Annotated[float, Field(gt=1, le=1000, description="cost of a visit in readings")]
    sensitivity: Annotated[Share, Field(description="share of the target that is read as the target")]
    specificity: Annotated[Share, Field(description="share of other ground that is read as other ground")]


class StatedShares(Settings):
    """Expected shares of the target class, from a pilot, an earlier campaign or judgement."""

    source: Literal["stated"]
    share: Annotated[dict[str, Share], Field(description="by stratum")]
    regions: dict[str, dict[str, Share]] = Field(
        {}, description="region id -> stratum -> share, where it differs"
    )
    accuracy: dict[str, Share] = Field({}, description="by stratum: map and reference agree")


class ProbabilityShares(Settings):
    """Expected shares are the means of the map's probability, with its errors of calibration."""

    source: Literal["probability"]
    accuracy: dict[str, Share] = Field({}, description="by stratum: map and reference agree")


class ValidationShares(Settings):
    """Expected shares by the validation of the map's model; the target's share is fitted to the map."""

    source: Literal["validation"]
    accuracy: dict[str, Share] = Field({}, description="by stratum: map and reference agree")


class AutoStrata(Settings):
    """Strata from an earlier map of the target and from bins of the model's probability."""

    probability: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(min_length=1, max_length=20, description="edges of the bins, ascending"),
    ]
    earlier: Annotated[RasterValues | None, Field(description="an earlier map's target")] = None

    @model_validator(mode="after")
    def _ascending(self) -> AutoStrata:
        if list(self.probability) != sorted(set(self.probability)):
            raise ValueError("probability: give the edges of the bins in ascending order, each once")
        return self

    @property
    def rules(self) -> tuple[StratumRule, ...]:
        """From the highest bin down, first on the earlier map's target: `earlier-p0_5`, ... `new-p0`."""
        edges = (*self.probability[::-1], None)
        places = [("earlier", self.earlier)] if self.earlier else []
        return tuple(
            StratumRule(
                stratum=f"{place}-p{edge or 0:g}".replace(".", "_"),
                probability=ProbabilityRange(at_least=edge) if edge else None,
                raster=raster,
            )
            for place, raster in [*places, ("new", None)]
            for edge in edges
        )


class DesignSettings(Settings):
    """A stratified sample: strata, size, allocation, draw."""

    period: Annotated[str | None, Field(description="whose map; needed where there are several")] = None
    unobserved: Annotated[Literal["left_out", "kept"], Field(description="pixels that the map does not show")]
    strata: Annotated[tuple[StratumRule, ...], Field(max_length=254)] = ()
    auto: Annotated[AutoStrata | None, Field(description="strata made instead of stated")] = None
    not_sampled: Annotated[
        tuple[NotSampled, ...], Field(description="ground to be cut off, whatever the strata")
    ] = ()
    by_region: Annotated[bool, Field(description="strata crossed with regions")]
    small: SmallStrata | None = None
    size: Points | Target
    allocation: Allocation
    power: Annotated[float | None, Field(ge=0, le=1, description="0: equal precision; 1: as `rare`")] = None
    minimum: Annotated[int, Field(ge=2, description="points per stratum, at least")]
    phases: Annotated[
        PhaseSettings | None, Field(description="readings of all points, visits to a part; left out: visits")
    ] = None
    floor: Annotated[
        Share | None, Field(description="share of the target believed at least in every stratum")
    ] = None
    expected: Annotated[StatedShares | ProbabilityShares | ValidationShares, Field(discriminator="source")]
    interval: Annotated[
        Literal["gamma", "wald"] | None, Field(description="left out: that of `estimate:`")
    ] = None
    confidence: Annotated[float | None, Field(ge=0.5, lt=1, description="left out: that of `estimate:`")] = (
        None
    )
    draw: Annotated[Literal["random", "balanced"], Field(description="balanced: spread over the ground")]
    reserve: Annotated[float, Field(ge=0, le=5, description="reserve points per point, in each stratum")]
    seed: Annotated[int, Field(ge=0)]

    @property
    def names(self) -> tuple[str, ...]:
        """The strata in the order in which the rules first name them."""
        return tuple(dict.fromkeys(rule.stratum for rule in self.rules))

    @property
    def rules(self) -> tuple[StratumRule, ...]:
        """The rules that are stated, or made."""
        return self.auto.rules if self.auto else self.strata

    @property
    def conditions(self) -> tuple[Conditions, ...]:
        """Those of the ground that is cut off, then those of the strata."""
        return (*self.not_sampled, *self.rules)

    @model_validator(mode="after")
    def _consistent(self) -> DesignSettings:
        if bool(self.strata) == (self.auto is not None):
            raise ValueError("give exactly one of `strata` and `auto`")
        problems = [*_rule_problems(self.rules), *self._share_problems(), *self._size_problems()]
        if self.small is not None and not self.by_region:
            problems.append("small: needs `by_region: true`")
        if self.small is not None and self.small.into not in self.names:
            problems.append(f"small.into: no stratum {self.small.into!r}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _size_problems(self) -> list[str]:
        problems = []
        if (self.allocation == "power") != (self.power is not None):
            problems.append("power: goes with `allocation: power`, which needs it")
        if self.allocation == "power" and not self.by_region:
            problems.append("allocation power shares points between regions: it needs `by_region: true`")
        per_region = isinstance(self.size, Target) and self.size.per == "region"
        if self.allocation == "power" and per_region:
            problems.append("allocation power: with a target per region the target shares the points")
        stated = isinstance(self.size, Points)
        if stated and (self.allocation == "interval") != (self.size.per is not None):
            problems.append("size.per: goes with `points` and `allocation: interval`, which needs it")
        if stated and self.by_region and self.size.per == "region":
            problems.append("size: where strata are crossed with regions state a half-width per region")
        if self.allocation == "interval" and not self.floor:
            problems.append(
                "floor: `allocation: interval` needs the share that may be overlooked in any stratum, above 0"
            )
        if self.phases and not (
            stated and self.size.per == "whole" and self.draw == "random" and not self.by_region
        ):
            problems.append(
                "phases: need `size: {points: ..., per: whole}`, `allocation: interval`, `by_region: false` "
                "and `draw: random`"
            )
        if self.allocation == "neyman" and not self.expected.accuracy:
            problems.append("allocation neyman is for the overall accuracy: state `expected.accuracy`")
        return problems

    def _share_problems(self) -> list[str]:
        stated = {"accuracy": self.expected.accuracy} if self.expected.accuracy else {}
        given = {}
        if isinstance(self.expected, StatedShares):
            stated["share"] = self.expected.share
            given = self.expected.regions
        problems = []
        for key, values in stated.items():
            missing, unknown = sorted(set(self.names) - set(values)), sorted(set(values) - set(self.names))
            problems += [f"expected.{key}: nothing for stratum {name!r}" for name in missing]
            problems += [f"expected.{key}: no stratum {name!r}" for name in unknown]
        for region, values in given.items():
            unknown = sorted(set(values) - set(self.names))
            problems += [f"expected.regions.{region}: no stratum {name!r}" for name in unknown]
        return problems


def _rule_problems(rules: tuple[StratumRule, ...]) -> list[str]:
    problems = [
        f"strata: rule {place} ({rule.stratum}) has no condition, so nothing reaches the rules after it"
        for place, rule in enumerate(rules[:-1], start=1)
        if rule.takes_the_rest
    ]
    if not rules[-1].takes_the_rest:
        problems.append("strata: the last rule takes the rest and has no condition")
    return problems
