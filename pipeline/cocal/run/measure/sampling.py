"""Records beside the map -> a sample of the frame -> estimates by region, country, group, legal zone.

Every set of domains is estimated from the one design, so each table adds up to the total.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cocal.contracts import ELSEWHERE, UNOBSERVED
from cocal.crosswalk import NOT_COUNTED
from cocal.errors import UsageError
from cocal.estimate import ASSISTED, Estimate, estimate_areas, map_errors
from cocal.estimate.settings import CALIBRATED
from cocal.fieldwork import (
    MATCHED,
    NOT_VISITED,
    OUTSIDE_MAP,
    OUTSIDE_REGIONS,
    UNCERTAIN,
    read_strata,
)
from cocal.fieldwork import UNOBSERVED as DARK
from cocal.notes import Note, note_column
from cocal.run.measure.known import each_region, expansion_because, known_ground, outside_zones
from cocal.run.measure.returns import as_planned, outstanding, preliminary
from cocal.run.measure.task import HectaresTask

_STATED_HA = 0.05
"""Ground below would be written as 0.0 ha."""

EXPANSION = "stratified"
"""The estimator where nothing is known of the ground but the strata's areas."""


class Sample:
    """One period's matched records as a sample of the design that the configuration states.

    `cells`: what the maps and the raster of the strata show, see `known_ground`; None: nothing was counted.
    """

    def __init__(
        self, task: HectaresTask, matched: pd.DataFrame, cells: NDArray[np.int64] | None = None
    ) -> None:
        records, estimate = task.records, task.estimate
        assert records is not None
        assert records.strata is not None
        assert estimate is not None
        self.settings, self.scheme, self.each_region = estimate, task.scheme, each_region(task)
        self.matched = matched.assign(zone=_zones_of(matched, task)) if "legal_zone" in matched else matched
        why = expansion_because(records, estimate.estimator)
        self.estimator = estimate.estimator if why is None else EXPANSION
        strata = read_strata(records.strata, matched, coded=bool(records.strata_rasters))
        self.ground = None
        if self.estimator == CALIBRATED:
            assert cells is not None
            self.ground = known_ground(task, cells, strata)
        if records.matching.support != "pixel":
            strata = strata.drop(columns=["pixels", "pixel_area_m2"], errors="ignore")
        self.strata = strata.drop(columns=["code", "points"], errors="ignore")
        self.crossed = bool(strata["region_id"].notna().any())
        uncertain = int((frame_of(matched)["map_class"] == UNCERTAIN).sum())
        if uncertain and self.estimator in ASSISTED:
            raise UsageError(
                f"the estimator {self.estimator!r} needs the map's class at every point",
                "no point on ground where the map's class is uncertain",
                f"{uncertain} such points",
                "use `stratified`, or `matching: {positional_error: ignore}`",
            )
        self.joined = records.sample is not None
        missing = outstanding(records, matched, strata)
        self.preliminary = preliminary(missing, matched)
        self.stated = self.preliminary is not None and as_planned(strata, matched)
        also = Note("uncertain_map_class", n=uncertain) if uncertain else None
        self.warnings = tuple(note for note in (self.preliminary, why, also) if note is not None)

    def estimate(
        self, domain: pd.Series[str], by: str = "region_id", points: pd.DataFrame | None = None
    ) -> Estimate:
        """Hectares by domain.

        Parameters
        ----------
        domain : value of the column `by` -> name of its domain; ground of other values is in none.
        by : `region_id`, or `zone`: a zone of the law, or ground of a country in no zone.
        points : other labels for the same rows, see `with_missing`.
        """
        frame, strata, known = self.prepared(domain, by, points)
        used = {*frame["map_class"], *frame["reference_class"]}
        used |= set() if known is None else set(known["map_class"])
        own_classes = tuple(name for name in (UNCERTAIN, UNOBSERVED, NOT_COUNTED) if name in used)
        found = estimate_areas(
            frame,
            strata,
            classes=(*self.scheme.keys, *own_classes),
            estimator=self.estimator,
            interval=self.settings.interval,
            confidence=self.settings.confidence,
            by_region=True,
            collapse=self.settings.collapse,
            known=known,
            rare=None if known is None else (self.scheme.target,),
        )
        return replace(found, warnings=(*found.warnings, *self.warnings))

    def under(self, labels: pd.Series[str]) -> Sample:
        """The same points with other reference classes."""
        other = copy(self)
        other.matched = self.matched.assign(reference_class=labels)
        return other

    def prepared(
        self, domain: pd.Series[str], by: str = "region_id", points: pd.DataFrame | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
        """The points of the frame, its strata and known areas, as `estimate_areas` takes them."""
        rows = self.matched if points is None else points
        frame = frame_of(rows.assign(region=rows[by].map(domain).fillna(ELSEWHERE)))
        if self.crossed:
            frame["stratum"] = frame["stratum"] + " in " + frame["region_id"].fillna(ELSEWHERE)
        if self.stated:  # of points that have not come back no weight can be wrong
            frame = frame.drop(columns="inclusion_probability", errors="ignore")
        if self.ground is None:
            strata, known = self._strata_for(frame), None
        else:
            strata, known = (
                self.ground.strata.drop(columns=["region_id", "code", "points"], errors="ignore"),
                self.ground.table(domain, by),
            )
            frame["unit"] = frame["region_id"].fillna(ELSEWHERE)
        return frame, strata, known

    def map_errors(self, domain: pd.Series[str]) -> pd.DataFrame:
        """Omission and commission of the target by the map, as from `estimate.map_errors`, by domain."""
        frame, strata, _ = self.prepared(domain)
        settings = self.settings
        found = map_errors(
            frame,
            strata,
            self.scheme.target,
            estimator=self.estimator,
            interval=settings.interval,
            confidence=settings.confidence,
            by_region=True,
            collapse=settings.collapse,
        )
        return found[found["region"] != ELSEWHERE]

    def noted(self, areas: pd.DataFrame, domain: pd.Series[str]) -> pd.DataFrame:
        """areas/1 with notes on what the estimates lack: points that have not come back, ground not sampled.

        `domain`: region -> place of the rows of `areas`, in their column region_id.
        """
        lost = pd.Series(dtype=float)
        if self.ground is not None:
            outside = self.ground.outside_ha
            lost = outside.groupby(domain.reindex(outside.index)).sum()
        hectares = areas["region_id"].astype(str).map(lost[lost >= _STATED_HA])
        late = (
            ()
            if self.preliminary is None
            else (Note("preliminary", n=self.preliminary.values["n"], of=self.preliminary.values["of"]),)
        )
        notes = [
            (
                *own,
                *(() if pd.isna(figure) else late),
                *(() if pd.isna(ha) else (Note("ground_not_sampled", ha=ha),)),
            )
            for own, figure, ha in zip(areas["notes"], areas["estimated_ha"], hectares, strict=True)
        ]
        return areas.assign(notes=note_column(notes, areas.index))

    def _strata_for(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The strata table of the expansion estimator."""
        strata = self.strata.drop(columns="region_id")
        if self.crossed:
            # The strata keep their region where that is the domain, so that the interval of one region does
            # not allow for strata of the others.
            own = self.strata["region_id"]
            strata["stratum"] = strata["stratum"] + " in " + own
            within = frame.groupby("region_id")["region"].agg(lambda names: names.iloc[0])
            if (frame.groupby("region_id")["region"].nunique() == 1).all() and own.isin(within.index).all():
                strata["region"] = own.map(within)
        return strata

    def with_missing(self, *, target: bool) -> pd.DataFrame:
        """The matched rows with every point that was not visited taken as the target, or as not.

        One on unobserved ground is no part of what is estimated, whatever it is.
        """
        missing = self.matched["status"] == NOT_VISITED
        other = next(key for key in self.scheme.keys if key != self.scheme.target)
        rows = self.matched.copy()
        rows.loc[missing, "reference_class"] = self.scheme.target if target else other
        rows.loc[missing, "status"] = np.where(rows.loc[missing, "map_class"].notna(), MATCHED, DARK)
        return rows.drop(columns="inclusion_probability")


def _zones_of(matched: pd.DataFrame, task: HectaresTask) -> pd.Series[str]:
    """The zone of the law of each point, or that of ground in no zone; null for a point of no region."""
    country = task.regions.table.set_index("region_id")["country"].astype(str)
    elsewhere = outside_zones(matched["region_id"].map(country))
    own = matched["legal_zone"]
    return own.where(own != "", elsewhere).where(matched["region_id"].notna())


def frame_of(sample: pd.DataFrame) -> pd.DataFrame:
    """The points that stand for ground of the frame, the unseen and uncertain ground as classes of the map.

    A point on unobserved ground, or outside the regions or their map, stays in its stratum's n and adds
    nothing to any class, so that estimates cover the regions' observed ground only.
    """
    frame = sample[sample["status"] != NOT_VISITED].copy()
    if frame.empty:
        return frame
    dark = frame["status"].isin([DARK, OUTSIDE_MAP, OUTSIDE_REGIONS])
    frame.loc[dark, ["map_class", "reference_class"]] = UNOBSERVED
    frame.loc[frame["status"] == UNCERTAIN, "map_class"] = UNCERTAIN
    frame.loc[frame["status"] == OUTSIDE_REGIONS, "region"] = ELSEWHERE
    return frame


def seen(estimate: Estimate) -> Estimate:
    """The estimate without what is no class of the scheme, and without ground in no domain."""
    assert estimate.regions is not None
    rows = estimate.regions
    kept = ~rows["class"].isin([UNOBSERVED, UNCERTAIN, NOT_COUNTED]) & (rows["region"] != ELSEWHERE)
    return replace(estimate, regions=rows[kept])
