"""What the hectares of a run are made from, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cocal.content import File, Place, Ref, Stated
from cocal.contracts import Period
from cocal.crosswalk import Crosswalk
from cocal.estimate.settings import (
    DensitySettings,
    EstimateSettings,
    LegalSettings,
    OperationSettings,
)
from cocal.estimate.tracks import Operations
from cocal.fieldwork import RecordSettings
from cocal.grid import Tile
from cocal.regions import Regions
from cocal.run.tables import read_given_csv
from cocal.scheme import ClassScheme


@dataclass(frozen=True)
class Rows:
    """A table as a value."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Rows:
        return cls(tuple(map(str, table.columns)), tuple(table.itertuples(index=False, name=None)))

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(list(self.rows), columns=list(self.columns))


@dataclass(frozen=True)
class Definitions:
    """Definitions of the target that hectares are given under: `use`, and `main` of all tables, if any."""

    crosswalk: Crosswalk
    use: tuple[str, ...]
    main: str | None

    def official(self) -> dict[str, str]:
        """The text of an official definition -> the definition in use that it is."""
        return {text: name for text, name in self.crosswalk.official.items() if name in self.use}

    def unknown(self, matched: pd.DataFrame, definition: str) -> pd.Series[bool]:
        """Labelled records that lack an attribute which decides whether they count."""
        return matched[f"counts_{definition}"].isna() & matched["recorded_class"].notna()

    def labels(self, matched: pd.DataFrame, definition: str, *, unknown: bool = False) -> pd.Series[Any]:
        """Reference classes under a definition; those without a deciding attribute count if `unknown`."""
        counts = matched[f"counts_{definition}"].astype("boolean").fillna(unknown).astype(bool)
        return self.crosswalk.labels(matched["recorded_class"], counts, definition)


@dataclass(frozen=True)
class JudgedOperations:
    """Operations, what was seen of them, and how it is judged; `rules` are without their files."""

    operations: Operations
    evidence: Ref
    rules: OperationSettings


@dataclass(frozen=True)
class HectaresTask:
    """Counts, records and settings that the tables of hectares are made from.

    `maps`: `period/tile id` -> map, for the class at records. `given`: settings and files of the records.
    `legal` is without
    its files, which `zones` stand for. `minimum_unit`: what the minimum mapping unit changed.
    `census`: polygons of an office's own map, where the tables are of it.
    """

    counts: Ref
    periods: tuple[Period, ...]
    maps: Mapping[str, Ref]
    tiles: Place[tuple[Tile, ...]]
    regions: Regions
    scheme: ClassScheme
    scheme_sha256: str
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    given: Stated[RecordSettings] | None
    estimate: EstimateSettings | None
    legal: LegalSettings | None
    zones: Regions | None
    density: DensitySettings | None
    minimum_unit: Rows | None
    publishes_regions: bool = False
    official: File | None = None
    definitions: Definitions | None = None
    census: Ref | None = None
    operations: JudgedOperations | None = None

    def official_table(self) -> pd.DataFrame | None:
        """The official figures that the run is compared with; None where there are none."""
        if self.official is None:
            return None
        return read_given_csv(self.official.path, "comparison.official")

    @property
    def records(self) -> RecordSettings | None:
        """Settings of the records; None where the run has none."""
        return None if self.given is None else self.given.settings

    def maps_of(self, period: str) -> dict[Tile, Ref]:
        """The maps of the period of that name, by tile."""
        keys = {tile: f"{period}/{tile.id}" for tile in self.tiles.value}
        return {tile: self.maps[key] for tile, key in keys.items() if key in self.maps}
