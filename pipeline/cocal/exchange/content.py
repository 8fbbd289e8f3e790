"""The content of a bundle, as it is written: JSON that `docs/bundle.schema.json` describes.

Hectares are texts of decimals, so that every reader has the same number. There is no field for a position or
the id of a record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from cocal.contracts import ELSEWHERE
from cocal.exchange.survey import BOTH, KEYS, OWN, Survey, Terms, answer
from cocal.settings import Settings

FORMAT: Literal["cocal-bundle/1"] = "cocal-bundle/1"

MOST_POINTS = 5_000_000
"""Points of a sample; more would not fit into memory."""

Hectares = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,20})?(e-\d{1,2})?$", description="hectares")]
Count = Annotated[int, Field(ge=1, le=10**9, description="number of points")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _doubled(lists: Mapping[str, Sequence[object]]) -> list[str]:
    return [f"two {what}" for what, keys in lists.items() if len(set(keys)) < len(keys)]


class Place(Settings):
    """A region, or joined regions of one country. `regions`: id -> SHA-256 of the polygon as given."""

    id: Name
    name: str
    country: str
    regions: Annotated[dict[str, Digest], Field(min_length=1)]


class StratumRow(Settings):
    """A stratum of the design; `region` where it is bound to one, `pixels` where they are known."""

    stratum: Name
    area_ha: Hectares
    region: str | None = None
    pixels: Hectares | None = None
    pixel_area_m2: Hectares | None = None


class SurveyContent(Settings):
    """The sample of one period, or the points seen in both of two.

    `cells`: stratum, place, class of the map, classes on the ground, points. The classes are one per
    definition of the bundle, in their order; of two periods two per definition, before and after. `ground`:
    stratum, place, class of the map, hectares.
    """

    periods: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]
    design: Digest
    estimator: Name
    collapse: tuple[str, ...]
    strata: Annotated[tuple[StratumRow, ...], Field(min_length=1)]
    cells: tuple[tuple[Name, Name, Name, tuple[Name, ...], Count], ...]
    ground: tuple[tuple[Name, Name, Name, Hectares], ...] | None

    def problems(self, places: set[str]) -> list[str]:
        """What cannot be counted: doubled rows, places that the bundle does not have, too many points."""
        found = _doubled(
            {
                "strata of one name": [row.stratum for row in self.strata],
                "cells of one key": [cell[:4] for cell in self.cells],
                "hectares of one stratum, place and class": [row[:3] for row in self.ground or ()],
            }
        )
        own = {str(row[1]) for row in (*self.cells, *(self.ground or ()))}
        if strange := sorted(own - places - {ELSEWHERE}):
            found.append(f"points or ground of no place: {', '.join(strange[:3])}")
        if sum(cell[4] for cell in self.cells) > MOST_POINTS:
            found.append(f"more than {MOST_POINTS} points")
        return found


class PeriodContent(Settings):
    """A period of the maps, first and last day included."""

    name: Name
    start: date
    end: date


class SchemeContent(Settings):
    """The class scheme: the bundle's classes are these, or the target and `other`."""

    id: Name
    sha256: Digest
    target: Name
    classes: Annotated[tuple[Name, ...], Field(min_length=1)]


class RuleContent(Settings):
    """What the rule of k merged, and what that lost. `any_class`: strata whose classes of the map are one.

    `precision`: period, standard error of the target in all, ha, of the run and of the bundle.
    """

    least: Annotated[int, Field(ge=1)]
    classes: Literal["all", "target"]
    joined_regions: int
    regions: int
    left_out: tuple[str, ...]
    any_class: tuple[str, ...]
    precision: tuple[tuple[str, str, str], ...]


class OfficialRow(Settings):
    """A figure of an official series, as the office compared with it."""

    region_id: Name
    period: Name
    hectares: Hectares
    source: str


class StateRow(Settings):
    """The state of a figure: draft, checked, approved or revised, by which office, on which day."""

    place: Name
    period: Name
    state: Name
    by: str
    on: str


class Bundle(Settings):
    """All that an office gives to another: counts, hectares, sizes and identities.

    `map`: facts of the model or of the census that made the map. `mapped`: period,
    place, class of the map, hectares. `definitions`: `scheme` first; `crosswalk`: the SHA-256 of the file
    that states the others. `out`: points of the design without an answer, by period.
    """

    format: Literal["cocal-bundle/1"]
    office: Name
    run: Name
    simulated: bool
    made_by: Name
    states: tuple[StateRow, ...]
    scheme: SchemeContent
    crosswalk: Digest | None
    definitions: Annotated[tuple[Name, ...], Field(min_length=1)]
    map: dict[str, str]
    regions_sha256: Digest
    places: Annotated[tuple[Place, ...], Field(min_length=1)]
    periods: Annotated[tuple[PeriodContent, ...], Field(min_length=1)]
    interval: Name
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    mapped: tuple[tuple[Name, Name, Name, Hectares], ...]
    surveys: tuple[SurveyContent, ...]
    out: dict[str, int]
    official: tuple[OfficialRow, ...]
    rule: RuleContent

    @model_validator(mode="after")
    def _consistent(self) -> Bundle:
        problems = []
        for survey in self.surveys:
            wide = len(self.definitions) * len(survey.periods)
            if any(len(cell[3]) != wide for cell in survey.cells):
                problems.append(
                    f"cells of {' to '.join(survey.periods)} without {wide} classes on the ground"
                )
            names = {row.stratum for row in survey.strata}
            if strange := sorted({cell[0] for cell in survey.cells} - names):
                problems.append(f"no stratum {', '.join(strange[:3])}")
            problems += survey.problems({place.id for place in self.places})
        problems += self._terms_problems() + self._unknown()
        regions = [region for place in self.places for region in place.regions]
        if len(set(regions)) < len(regions):
            problems.append("a region in two places")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _terms_problems(self) -> list[str]:
        found = [] if self.definitions[0] == OWN else [f"the first definition is not {OWN}"]
        if self.scheme.target not in self.scheme.classes:
            found.append(f"the target {self.scheme.target} is no class")
        return found + _doubled(
            {
                "classes of one name": self.scheme.classes,
                "places of one id": [place.id for place in self.places],
                "periods of one name": [period.name for period in self.periods],
                "periods of the same days": [(period.start, period.end) for period in self.periods],
                "definitions of one name": self.definitions,
                "samples of one period": [survey.periods for survey in self.surveys],
                "mapped hectares of one period, place and class": [row[:3] for row in self.mapped],
            }
        )

    def _unknown(self) -> list[str]:
        """Rows that speak of periods or places which the bundle does not have."""
        periods, places = {period.name for period in self.periods}, {place.id for place in self.places}
        strange = {
            "a sample of no period": {p for survey in self.surveys for p in survey.periods} - periods,
            "mapped hectares of no period": {row[0] for row in self.mapped} - periods,
            "mapped hectares of no place": {row[1] for row in self.mapped} - places,
        }
        return [f"{what}: {', '.join(sorted(names)[:3])}" for what, names in strange.items() if names]

    @property
    def terms(self) -> Terms:
        """Classes and intervals, as the estimates take them."""
        return Terms(self.scheme.classes, self.scheme.target, self.interval, self.confidence)


def hectares_text(value: float) -> str:
    """The shortest text that is read back as this very number."""
    return repr(float(value)).removesuffix(".0")


def survey_content(survey: Survey, definitions: tuple[str, ...]) -> SurveyContent:
    """`survey` as it is written."""
    cells, ground = survey.cells, survey.ground
    answers = _answers(definitions, survey.periods)
    rows = zip(
        *(cells[k] for k in KEYS), cells[answers].itertuples(index=False), cells["points"], strict=True
    )
    known = None if ground is None else tuple(
        (str(stratum), str(place), str(seen), hectares_text(ha))
        for stratum, place, seen, ha in zip(*(ground[name] for name in (*KEYS, "area_ha")), strict=True)
        if ha > 0
    )  # fmt: skip
    return SurveyContent(
        periods=survey.periods,
        design=survey.design,
        estimator=survey.estimator,
        collapse=survey.collapse,
        strata=tuple(_stratum(row) for row in survey.strata.to_dict("records")),
        cells=tuple((str(a), str(b), str(c), tuple(map(str, d)), int(n)) for a, b, c, d, n in rows),
        ground=known,
    )


def survey_of(content: SurveyContent, definitions: tuple[str, ...]) -> Survey:
    """The survey that was written."""
    answers = _answers(definitions, content.periods)
    rows = [(*cell[:3], *cell[3], cell[4]) for cell in content.cells]
    strata = pd.DataFrame([row.model_dump() for row in content.strata]).dropna(axis=1, how="all")
    numbers = {name: float for name in ("area_ha", "pixels", "pixel_area_m2") if name in strata}
    ground = None
    if content.ground is not None:
        ground = pd.DataFrame(list(content.ground), columns=[*KEYS, "area_ha"]).astype({"area_ha": float})
    return Survey(
        content.periods,
        content.design,
        content.estimator,
        content.collapse,
        strata.astype(numbers),
        pd.DataFrame(rows, columns=[*KEYS, *answers, "points"]).astype({"points": np.int64}),
        ground,
    )


def _answers(definitions: tuple[str, ...], periods: tuple[str, ...]) -> list[str]:
    dates = BOTH if len(periods) > 1 else ("",)
    return [answer(name, date) for name in definitions for date in dates]


def _stratum(row: Mapping[Any, Any]) -> StratumRow:
    numbers = {
        name: hectares_text(row[name])
        for name in ("area_ha", "pixels", "pixel_area_m2")
        if name in row and not pd.isna(row[name])
    }
    region = row.get("region")
    return StratumRow.model_validate(
        {"stratum": str(row["stratum"]), "region": None if region is None else str(region), **numbers}
    )
