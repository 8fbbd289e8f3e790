"""The run as one stage hands it to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from cocal.archive import Scene
from cocal.config import RunConfig
from cocal.content import File, Ref
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.estimate.tracks import Operations, read_operations
from cocal.features import check_dem, needs_dem
from cocal.grid import Tile, tiles
from cocal.notes.account import record, recorded
from cocal.notes.limits import check_left_out
from cocal.regions import Regions, RegionSettings, read_regions
from cocal.run.execute import Executor, SerialExecutor
from cocal.run.observers import Noted, Observe, Summary
from cocal.run.recipes import Stage
from cocal.run.worker.tiles import FeatureTask
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore, address

BESIDE = "beside"
"""Folder of a run with the tables of the map that does not lead."""


@dataclass(frozen=True)
class Ground:
    """What a run stands on: regions, classes, tiles."""

    regions: Regions
    scheme: ClassScheme
    tiles: tuple[Tile, ...]


def ground(config: RunConfig) -> Ground:
    """Regions, class scheme and tiles of a configuration; repairs of the regions are recorded.

    Raises
    ------
    InputError
        The regions cover no ground.
    """
    regions = _read_noted(config.regions)
    cells = tuple(tiles(regions.area, config.grid.tile_px))
    if not cells:
        raise InputError("the regions cover no ground", "polygons with an area", "none", "fix `regions:`")
    return Ground(regions, read_scheme(config.scheme), cells)


def _read_noted(settings: RegionSettings) -> Regions:
    regions = read_regions(settings)
    for note in regions.notes:
        record(note.code, **note.values)
    return regions


@dataclass
class Run:
    """A run under way: what it stands on and what its stages have made so far."""

    config: RunConfig
    base: Ground
    store: LocalStore
    executor: Executor = field(default_factory=SerialExecutor)
    observe: Observe = lambda _: None
    config_path: Path | None = None
    scenes: list[Scene] = field(default_factory=list)
    model: Ref | None = None
    maps: dict[tuple[str, Tile], Ref] = field(default_factory=dict)
    """By period and tile; `FAILED` where the map could not be made."""

    other_maps: dict[tuple[str, Tile], Ref] = field(default_factory=dict)
    """The maps that do not lead, where the run has a model's and an office's own."""

    census: Ref | None = None
    """The polygons of `classify.map`, cut to the tiles; None where it has none."""

    minimum_unit: pd.DataFrame | None = None
    """What the minimum mapping unit changed, by region and period; None where the run has none."""

    summary: Summary = field(default_factory=Summary)
    """What was made, reused, failed and left out so far."""

    last: str = "report"
    """The last stage of the run."""

    def each_map(self) -> tuple[Run, ...]:
        """The run itself or, of two maps, a run with each alone: the one that leads first.

        What is made of the second stands in the folder `BESIDE`, as if it were a run of its own.
        """
        lead = self.config.classify.lead
        if lead is None:
            return (self,)
        runs = []
        for which, maps in ((lead, self.maps), ("model" if lead == "map" else "map", self.other_maps)):
            own = copy(self)
            own.config, own.maps, own.other_maps = self.config.alone(which), maps, {}
            own.minimum_unit = self.minimum_unit if which == "model" else None
            runs.append(own)
        runs[1].store = LocalStore(self.store.root / BESIDE)
        return tuple(runs)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Report what is recorded within as left out or repaired.

        Raises
        ------
        InputError
            More was left out so far than the configuration allows.
        """
        with recorded() as notes:
            try:
                yield
            finally:
                if notes:
                    self.observe(Noted(tuple(notes)))
        check_left_out(self.summary.left_out, self.config.left_out)

    @cached_property
    def zones(self) -> Regions | None:
        """The zones of the law, if the configuration has any."""
        return _read_noted(self.config.legal.zones) if self.config.legal else None

    @cached_property
    def operations(self) -> Operations | None:
        """The operations of eradication, if the configuration has any."""
        return read_operations(self.config.operations) if self.config.operations else None

    @property
    def periods(self) -> list[Period]:
        return [p.period for p in self.config.periods]

    @property
    def simulated(self) -> bool:
        """True if any scene, or the map of `classify.map`, is simulated: then every output says so."""
        own = self.config.classify.map
        return any(s.simulated for s in self.scenes) or (own is not None and own.simulated)

    @property
    def scenes_address(self) -> str:
        return address({s.id: s.address for s in self.scenes})

    def require_model(self) -> Path:
        """The folder of the run's model; the train stage has set it."""
        if self.model is None or self.model.folder is None:
            raise RuntimeError("the train stage comes before the stages that need a model")
        return self.model.folder

    @cached_property
    def dem(self) -> File | None:
        """The elevation model, if the configuration names one; checked on the regions if features need it."""
        if self.config.dem is None:
            return None
        if self.config.index is not None and needs_dem(self.config.index):
            check_dem(self.config.dem, self.base.regions.area)
        return File.of(self.config.dem, "dem")

    def scenes_of(self, period: Period) -> tuple[Scene, ...]:
        """The scenes of the archive whose day lies in the period."""
        return tuple(s for s in self.scenes if period.start <= s.day <= period.end)

    def feature_task(self, period: Period) -> FeatureTask:
        """The features of a period by the configuration, of all scenes of the period."""
        return FeatureTask(period, self.scenes_of(period), self.config.require_index(), self.dem)

    def maps_of(self, period: str) -> dict[Tile, Ref]:
        """The maps of the period of that name, by tile."""
        return {tile: ref for (name, tile), ref in self.maps.items() if name == period}


def of_each_map(run: Run, stage: Callable[[Run], Stage]) -> Stage:
    """The stage on each map of the run; what is made of the second stands in a store of its own."""
    lead, *others = run.each_map()
    yield from stage(lead)
    for other in others:
        inner, refs = stage(other), None
        while True:
            try:
                batch = next(inner) if refs is None else inner.send(refs)
            except StopIteration:
                break
            refs = yield replace(batch, stage=f"{batch.stage} beside", store=other.store)
