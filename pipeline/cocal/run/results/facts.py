"""Facts of a run that its page, files and catalogue are made from, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cocal.contracts import Period
from cocal.estimate.settings import EstimateSettings
from cocal.grid import Tile
from cocal.regions import Regions
from cocal.run.state import Run
from cocal.scheme import ClassScheme


@dataclass(frozen=True)
class PeriodMaps:
    """The class maps of one period: tile -> folder, without tiles that failed."""

    period: Period
    folders: Mapping[Tile, Path]


@dataclass(frozen=True)
class RunFacts:
    """A run with its maps. `root` is its folder, `model` that of its model.

    `platforms` and `days` are those of its scenes; a run is `simulated` if any scene is.
    """

    name: str
    root: Path
    scheme: ClassScheme
    regions: Regions
    region_files: tuple[Path, ...]
    maps: tuple[PeriodMaps, ...]
    model: Path
    platforms: tuple[str, ...]
    days: tuple[date, ...]
    simulated: bool
    estimate: EstimateSettings | None
    density: bool

    @property
    def periods(self) -> tuple[Period, ...]:
        return tuple(own.period for own in self.maps)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north end of the regions, degrees."""
        west, south, east, north = (float(v) for v in self.regions.area.bounds)
        return west, south, east, north

    def marked(self, text: str) -> str:
        """`text`, marked if the run is simulated."""
        return f"SIMULATED: {text}" if self.simulated else text


def run_facts(run: Run) -> RunFacts:
    """The facts of a run whose maps are made."""
    return RunFacts(
        name=run.config.name,
        root=run.store.root,
        scheme=run.base.scheme,
        regions=run.base.regions,
        region_files=tuple(source.path for source in run.config.regions.sources),
        maps=tuple(
            PeriodMaps(p, {t: ref.folder for t, ref in run.maps_of(p.name).items() if ref.folder})
            for p in run.periods
        ),
        model=run.require_model(),
        platforms=tuple(sorted({str(s.properties.get("platform", "?")) for s in run.scenes})),
        days=tuple(s.day for s in run.scenes),
        simulated=run.simulated,
        estimate=run.config.estimate,
        density=run.config.density is not None,
    )
