"""Facts of a run that its page, files and catalogue are made from, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cocal.classify.card import CARD
from cocal.config import RunConfig
from cocal.content import File, Place, Ref
from cocal.contracts import Period
from cocal.estimate.settings import EstimateSettings
from cocal.grid import Tile
from cocal.regions import Regions
from cocal.run.state import BESIDE, Run
from cocal.run.tables import NOTE_TABLES
from cocal.run.worker.census import read_card
from cocal.scheme import ClassScheme

TABLES = (
    "hectares", "regions", "countries", "groups", "comparison", "unmatched", "caveats", "change", "legal",
    "eradication", "applicability", "minimum_unit", "operation_sums", "states", "map_errors", "definitions",
)  # fmt: skip
"""Tables of regions, countries, groups and zones only."""

OF_MAPS = ("hectares", "countries", "map_errors")
"""Tables that are set side by side where a run has two maps."""

RESTRICTED = (
    "records.csv", "density.csv", "shown_regions.csv", "hectares.parquet", "comparison.parquet",
    "estimates.json",
)  # fmt: skip
"""Further outputs that the page is made from."""


@dataclass(frozen=True)
class PeriodMaps:
    """The class maps of one period; `FAILED` where there is none."""

    period: Period
    refs: Mapping[Tile, Ref]

    @property
    def folders(self) -> dict[Tile, Path]:
        """Tile -> folder of its map, without tiles that failed."""
        return {tile: ref.folder for tile, ref in self.refs.items() if ref.folder is not None}

    def rasters(self, name: str) -> dict[Tile, Path]:
        """Tile -> the raster `name` of its map, as it was committed, without tiles that failed."""
        return {tile: ref.file(name) for tile, ref in self.refs.items() if ref.folder is not None}


@dataclass(frozen=True)
class RunFacts:
    """A run with its maps and tables, the files in its folder `root` by their names.

    `definitions` of the target in both languages are shown, and the Spanish ones are no part of the scheme's
    identity: stated here, they count, and so does what the `card` shows besides the model. Of an office's own
    map there are neither, and `own_map` is as from `own_map`. `map_names`: the
    map's, and that of the one beside it. `platforms`
    and `days` are those of its scenes; a run is `simulated` if any scene, or the office's map, is.
    """

    name: str
    root: Place[Path]
    scheme: ClassScheme
    definitions: tuple[tuple[str, str], ...]
    regions: Regions
    region_files: tuple[str, ...]
    maps: tuple[PeriodMaps, ...]
    model: Ref | None
    card: File | None
    own_map: Mapping[str, Any]
    map_names: tuple[str, ...]
    platforms: tuple[str, ...]
    days: tuple[date, ...]
    simulated: bool
    estimate: EstimateSettings | None
    files: Mapping[str, File]

    @property
    def periods(self) -> tuple[Period, ...]:
        return tuple(own.period for own in self.maps)

    @property
    def tables(self) -> dict[str, Path]:
        """Name -> file of the tables that anyone may see, and of their notes."""
        names = [name for name in (*TABLES, *NOTE_TABLES) if f"{name}.csv" in self.files]
        return {name: self.files[f"{name}.csv"].path for name in names}

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north end of the regions, degrees."""
        west, south, east, north = (float(v) for v in self.regions.area.bounds)
        return west, south, east, north

    def path(self, name: str) -> Path | None:
        """The file of that name; None if the run has none."""
        return self.files[name].path if name in self.files else None

    def marked(self, text: str) -> str:
        """`text`, marked if the run is simulated."""
        return f"SIMULATED: {text}" if self.simulated else text


def run_facts(run: Run) -> RunFacts:
    """The facts of a run that has measured and compared."""
    config, root, own = run.config, run.store.root, run.config.classify.map
    model = None if own is not None and config.classify.lead != "model" else run.require_model()
    names = [*(f"{name}.csv" for name in (*TABLES, *NOTE_TABLES)), *RESTRICTED]
    names += [f"{BESIDE}/{name}.csv" for name in OF_MAPS if config.classify.lead is not None]
    return RunFacts(
        name=config.name,
        root=Place(root),
        scheme=run.base.scheme,
        definitions=(*run.base.scheme.definition.items(), *run.base.scheme.definition_es.items()),
        regions=run.base.regions,
        region_files=tuple(source.path.name for source in config.regions.sources),
        maps=tuple(PeriodMaps(period, run.maps_of(period.name)) for period in run.periods),
        model=None if model is None else run.model,
        card=None if model is None else File.of(model / CARD),
        own_map={} if model is not None else own_map(run),
        map_names=map_names(config, None if run.model is None else run.require_model()),
        platforms=tuple(sorted({str(s.properties.get("platform", "?")) for s in run.scenes})),
        days=tuple(sorted(s.day for s in run.scenes)),
        simulated=run.simulated,
        estimate=config.estimate,
        files={name: File.of(root / name) for name in names if (root / name).exists()},
    )


def own_map(run: Run) -> dict[str, Any]:
    """An office's own map: id, source, licence; of polygons `drawn`, their number and hectares by period and
    class, and how many pairs overlap.
    """
    own = run.config.classify.map
    if own is None:
        return {}
    named = {"id": own.id, "source": own.source, "licence": own.licence}
    if run.census is None:
        return named
    card = read_card(run.census)
    return named | {"drawn": card["periods"], "overlaps": card["overlaps"]}


def map_names(config: RunConfig, model: Path | None) -> tuple[str, ...]:
    """Id of the office's map or of the model, of the map that leads first."""
    rules, names = config.classify, list[str]()
    if model is not None:
        names.append(str(json.loads((model / CARD).read_text(encoding="utf-8"))["id"]))
    if rules.map is not None:
        names.append(rules.map.id)
    return tuple(names[::-1] if rules.lead == "map" else names)
