"""Surveys of several offices as one: samples of one design add up, designs stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cocal.contracts import ELSEWHERE, UNOBSERVED
from cocal.errors import InputError
from cocal.estimate.strata import SIZE_TOLERANCE
from cocal.exchange.survey import ANY, KEYS, Survey, any_class, summed

_SHORT = 8


def pooled(surveys: Sequence[Survey]) -> Survey:
    """One survey of the same periods and definitions; it does not depend on the order of `surveys`.

    Raises
    ------
    InputError
        Estimators differ, or samples of one design contradict each other.
    """
    estimators = sorted({survey.estimator for survey in surveys})
    if len(estimators) > 1:
        raise InputError(
            f"the samples of {_of(surveys)} were estimated in two ways", "one estimator",
            ", ".join(estimators), "use the same `estimate.estimator` and `records.strata_raster` in both",
        )  # fmt: skip
    designs = sorted({survey.design for survey in surveys})
    parts = [_of_one_design([s for s in surveys if s.design == design]) for design in designs]
    if len(parts) == 1:
        return parts[0]
    parts = [_named(part, design[:_SHORT]) for part, design in zip(parts, designs, strict=True)]
    grounds = [part.ground for part in parts if part.ground is not None]
    return replace(
        parts[0],
        design="+".join(designs),
        collapse=tuple(name for part in parts for name in part.collapse),
        strata=pd.concat([part.strata for part in parts], ignore_index=True),
        cells=summed(pd.concat([part.cells for part in parts], ignore_index=True), "points"),
        ground=summed(pd.concat(grounds, ignore_index=True), "area_ha")
        if len(grounds) == len(parts)
        else None,
    )


def _of(surveys: Sequence[Survey]) -> str:
    return " to ".join(surveys[0].periods)


def _named(survey: Survey, design: str) -> Survey:
    """`survey` with the name of its design before those of its strata."""

    def named(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(stratum=f"{design} " + table["stratum"])

    collapse = tuple("+".join(f"{design} {name}" for name in own.split("+")) for own in survey.collapse)
    ground = None if survey.ground is None else named(survey.ground)
    return replace(
        survey, collapse=collapse, strata=named(survey.strata), cells=named(survey.cells), ground=ground
    )


def _of_one_design(surveys: Sequence[Survey]) -> Survey:
    if len(surveys) == 1:
        return surveys[0]
    joined = sorted({s for own in surveys for s in own.cells.loc[own.cells["map_class"] == ANY, "stratum"]})
    surveys = [any_class(survey, joined) for survey in surveys] if joined else surveys
    first = surveys[0]
    same = [set(s.strata["stratum"]) == set(first.strata["stratum"]) for s in surveys]
    if not all(same) or len({s.collapse for s in surveys}) > 1:
        raise InputError(
            f"two samples of one design, {_of(surveys)}", "the same strata, and the same `collapse`",
            "others", "use one table of strata and the same `estimate.collapse` in both runs",
        )  # fmt: skip
    cells = summed(pd.concat([s.cells for s in surveys], ignore_index=True), "points")
    places = [set(_places(s)) for s in surveys]
    if any(own != places[0] for own in places) and (cells["place"] == ELSEWHERE).any():
        raise InputError(
            f"two samples of one design, {_of(surveys)}, with points in no region",
            "points of the office's own regions only: what lies elsewhere may be a point of the other office",
            f"{int(cells.loc[cells['place'] == ELSEWHERE, 'points'].sum())} points",
            "leave the points of the other office out of `records.path`",
        )
    if any(s.ground is None for s in surveys):
        _check_areas(surveys)
        return replace(first, cells=cells, ground=None)
    ground = _ground_of(surveys, alike=all(own == places[0] for own in places))
    area = ground.groupby("stratum")["area_ha"].sum()
    strata = first.strata.assign(area_ha=first.strata["stratum"].map(area))
    return replace(first, cells=cells, ground=ground, strata=strata)


def _places(survey: Survey) -> list[str]:
    """The places whose ground or points a survey has."""
    tables = [survey.cells] if survey.ground is None else [survey.ground]
    return [name for table in tables for name in table["place"].unique() if name != ELSEWHERE]


def _check_areas(surveys: Sequence[Survey]) -> None:
    areas = [s.strata.set_index("stratum")["area_ha"] for s in surveys]
    if any(not own.reindex(areas[0].index).equals(areas[0]) for own in areas):
        raise InputError(
            f"two samples of one design, {_of(surveys)}", "strata of the same hectares", "others",
            "use one table of strata in both runs",
        )  # fmt: skip


def _ground_of(surveys: Sequence[Survey], *, alike: bool) -> pd.DataFrame:
    """The ground of all places, each once; what of a stratum is in none of them is in no region.

    That rest is what the strata were drawn from, less what was counted; below `SIZE_TOLERANCE` it is nothing.
    """
    tables = [s.ground for s in surveys if s.ground is not None]
    if alike:
        return tables[0]
    own = pd.concat([t[t["place"] != ELSEWHERE] for t in tables], ignore_index=True)
    own = own.drop_duplicates([*KEYS]).sort_values([*KEYS], ignore_index=True)
    drawn = pd.concat([s.strata[["stratum", "area_ha"]] for s in surveys]).groupby("stratum")["area_ha"].max()
    rest = drawn - own.groupby("stratum")["area_ha"].sum().reindex(drawn.index, fill_value=0.0)
    if (more := rest[rest < -SIZE_TOLERANCE * drawn]).size:
        raise InputError(
            f"two samples of one design, {_of(surveys)}, whose regions overlap: ground would count twice",
            "regions of both offices that hold no more ground than the strata",
            "; ".join(f"stratum {name}: {-ha:.2f} ha more" for name, ha in more.items()),
            "use one file of regions in both runs, or two that do not overlap",
        )
    rest = rest[rest > SIZE_TOLERANCE * drawn]
    beyond = pd.DataFrame({"stratum": rest.index, "area_ha": rest.to_numpy(dtype=np.float64)})
    beyond = beyond.assign(place=ELSEWHERE, map_class=UNOBSERVED)[[*KEYS, "area_ha"]]
    return summed(pd.concat([own, beyond], ignore_index=True), "area_ha")
