"""A sample as counts: what two offices can add up, and all that an estimate needs of it.

A point counts in a cell: its stratum, place, class on the map and classes on the ground, one under each
definition. The estimators take points as counts too, so the same figures follow from cells as from points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cocal.contracts import ELSEWHERE, OTHER, UNOBSERVED
from cocal.estimate import Estimate, estimate_areas, estimate_change
from cocal.estimate.settings import CALIBRATED

OWN = "scheme"
"""The definition of the class scheme itself."""

KEYS = ("stratum", "place", "map_class")
"""Columns of a cell beside its answers and its points."""

BOTH = ("before", "after")

MIN_POINTS = 2
"""Points without which a stratum has no variance."""

ANY = "any"
"""The class of the map in strata whose classes the rule of k has joined."""


@dataclass(frozen=True)
class Terms:
    """Classes of the scheme in their order, its target, and how intervals are made."""

    classes: tuple[str, ...]
    target: str
    interval: str
    confidence: float


@dataclass(frozen=True)
class Survey:
    """The sample of one period, or the points seen in both of two periods.

    - `strata`: stratum, area_ha [, pixels, pixel_area_m2] [, region: where strata are crossed with regions]
    - `cells`: `KEYS`, a column of classes per definition (per definition and date, see `answer`), points
    - `ground`: `KEYS`, area_ha: what is known of the strata's ground; None where nothing was counted
    - `design`: the identity of the strata as they were drawn; samples of one design add up
    """

    periods: tuple[str, ...]
    design: str
    estimator: str
    collapse: tuple[str, ...]
    strata: pd.DataFrame
    cells: pd.DataFrame
    ground: pd.DataFrame | None

    @property
    def answers(self) -> list[str]:
        """The columns of classes on the ground."""
        return [name for name in self.cells.columns if name not in (*KEYS, "points")]

    def at(self, place_of: Mapping[str, str]) -> Survey:
        """This survey with its places joined to larger ones; places that are not named stay."""
        cells = summed(_renamed(self.cells, place_of), "points")
        ground = None if self.ground is None else summed(_renamed(self.ground, place_of), "area_ha")
        return replace(self, cells=cells, ground=ground)


def answer(definition: str, date: str = "") -> str:
    """The column of a definition's classes; of pairs with the date, `before` or `after`."""
    return f"{definition} {date}".strip()


def _renamed(table: pd.DataFrame, place_of: Mapping[str, str]) -> pd.DataFrame:
    return table.assign(place=[place_of.get(name, name) for name in table["place"]])


def summed(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """`table` with a row per distinct combination of its other columns, sorted, and the sum of `value`."""
    names = [name for name in table.columns if name != value]
    return table.groupby(names, sort=True)[value].sum().reset_index()


def cells_of(points: pd.DataFrame, answers: Sequence[str]) -> pd.DataFrame:
    """The cells of a table with a row per point: `KEYS` and `answers`."""
    return summed(points[[*KEYS, *answers]].assign(points=1), "points")


def two_classes(survey: Survey, target: str) -> Survey:
    """`survey` with every class but the target as one, `OTHER`; what nobody saw stays apart."""

    def reduced(column: pd.Series[str]) -> pd.Series[str]:
        return column.where(column.isin([target, UNOBSERVED, OTHER]), OTHER)

    pairs = len(survey.periods) > 1
    names = [*survey.answers, *([] if pairs else ["map_class"])]
    cells = summed(survey.cells.assign(**{n: reduced(survey.cells[n]) for n in names}), "points")
    if survey.ground is None or pairs:
        return replace(survey, cells=cells)
    ground = summed(survey.ground.assign(map_class=reduced(survey.ground["map_class"])), "area_ha")
    return replace(survey, cells=cells, ground=ground)


def any_class(survey: Survey, strata: Sequence[str]) -> Survey:
    """`survey` with one class of the map, `ANY`, in these strata; what the map does not show stays apart."""

    def joined(table: pd.DataFrame) -> pd.DataFrame:
        gone = table["stratum"].isin(strata) & (table["map_class"] != UNOBSERVED)
        return table.assign(map_class=table["map_class"].mask(gone, ANY))

    ground = None if survey.ground is None else summed(joined(survey.ground), "area_ha")
    return replace(survey, cells=summed(joined(survey.cells), "points"), ground=ground)


def few_points(survey: Survey) -> list[str]:
    """The strata with too few points for an estimate, of those that `collapse` does not merge."""
    counts = survey.cells.groupby("stratum")["points"].sum().reindex(survey.strata["stratum"], fill_value=0)
    merged = {name for group in survey.collapse for name in group.split("+")}
    return [str(name) for name, n in counts.items() if n < MIN_POINTS and name not in merged]


def estimate_stock(survey: Survey, domain: Mapping[str, str], definition: str, terms: Terms) -> Estimate:
    """Hectares of one period by domain.

    Parameters
    ----------
    domain : place -> name of its domain; other places are in none.
    """
    frame = _points(survey, domain)
    frame["reference_class"] = frame[answer(definition)]
    known = _known(survey, domain)
    used = {*frame["map_class"], *frame["reference_class"], *([] if known is None else known["map_class"])}
    return estimate_areas(
        frame,
        _strata(survey, domain, frame),
        classes=(*terms.classes, *sorted(used - {*terms.classes})),
        estimator=survey.estimator,
        interval=terms.interval,
        confidence=terms.confidence,
        by_region=True,
        collapse=survey.collapse,
        known=known,
        rare=None if known is None else (terms.target,),
    )


def estimate_pairs(survey: Survey, domain: Mapping[str, str], definition: str, terms: Terms) -> pd.DataFrame:
    """Change of the target between two periods by domain, as in the table of `estimate_change`."""
    frame = _points(survey, domain)
    for date in BOTH:
        frame[f"reference_{date}"] = frame[answer(definition, date)]
    found = estimate_change(
        frame,
        survey.strata.drop(columns="region", errors="ignore"),
        classes=(terms.target, OTHER),
        interval=terms.interval,
        confidence=terms.confidence,
        by_region=True,
        collapse=survey.collapse,
        known=_known(survey, domain),
    ).table
    return found[found["class"] == terms.target]


def _points(survey: Survey, domain: Mapping[str, str]) -> pd.DataFrame:
    """A row per point, in the order of the cells."""
    cells = survey.cells.sort_values([*KEYS, *survey.answers], ignore_index=True)
    rows = cells.loc[cells.index.repeat(cells["points"])].reset_index(drop=True)
    own = rows["place"]
    return rows.assign(unit=own, region=_domains(own, domain))


def _known(survey: Survey, domain: Mapping[str, str]) -> pd.DataFrame | None:
    if survey.estimator != CALIBRATED or survey.ground is None:
        return None
    place = survey.ground["place"]
    return survey.ground.assign(unit=place, region=_domains(place, domain))


def _strata(survey: Survey, domain: Mapping[str, str], frame: pd.DataFrame) -> pd.DataFrame:
    """The strata; one that is bound to a region is bound to the domain that the region is in.

    Then the interval of a domain does not allow for strata of the others. Calibrated ends know the strata
    that reach into a domain by their ground.
    """
    strata = survey.strata
    if "region" not in strata:
        return strata
    if survey.estimator == CALIBRATED or not strata["region"].isin(set(frame["place"])).all():
        return strata.drop(columns="region")
    return strata.assign(region=_domains(strata["region"], domain))


def _domains(place: pd.Series[str], domain: Mapping[str, str]) -> list[str]:
    return [domain.get(name, ELSEWHERE) for name in place]
