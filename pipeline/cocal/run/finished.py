"""The reader of a finished run's folder: for notebooks, the interactive map and the report."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from cocal.archive import SIMULATED
from cocal.config import RunConfig, read_config
from cocal.contracts import Period
from cocal.errors import InputError
from cocal.features import FeatureSettings
from cocal.grid import Tile, Window
from cocal.run.tables import read_own_csv, read_own_parquet
from cocal.store import MANIFESTS, LocalStore, Manifest, listing, proven

RUN_AGAIN = "run `cocal run` with the configuration again: it makes only what is missing"
_SHOWN = (
    "region_name", "country", "period", "mapped_ha", "estimated_ha", "ci_low_ha", "ci_high_ha",
    "observed_fraction",
    "notes",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class FinishedRun:
    """The folder of a run, read only; each part is read once, when it is first used.

    `open_run` checks that a folder holds hectares and returns this.

    Examples
    --------
    See docs/api.md: `run = cocal.open_run(run_folder)`, a `cocal.FinishedRun`; `run.hectares()`.
    """

    folder: Path

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The content of run.json.

        Raises
        ------
        InputError
            The folder has no readable run.json.
        """
        try:
            facts: Mapping[str, Any] = {**json.loads((self.folder / "run.json").read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError, RecursionError) as err:
            raise InputError(
                f"{self.folder} is not the folder of a run", "a folder with run.json, such as runs/demo",
                str(err),
                "name the folder that `cocal run` printed, or the configuration",
            ) from err  # fmt: skip
        return facts

    @cached_property
    def areas(self) -> pd.DataFrame:
        """The table areas/1, hectares as exact decimals."""
        return read_own_parquet(self.folder / "hectares.parquet")

    @cached_property
    def target(self) -> str:
        """The target class of the run."""
        return str(self.table("comparison")["class"].iloc[0])

    @cached_property
    def simulated(self) -> bool:
        """True if the run, or a map that its hectares were counted from, is of simulated scenes."""
        return bool(self.facts.get("simulated")) or any(map(_is_simulated, self.maps().values()))

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, for `table`.

        Raises
        ------
        InputError
            A manifest is damaged: what it lists would be missing here.
        """
        marks = sorted((self.folder / MANIFESTS).glob("*.json"))
        if damaged := [mark.name for mark in marks if Manifest.read(mark) is None]:
            raise InputError(
                f"manifests of the run in {self.folder} are altered", "as committed", ", ".join(damaged),
                RUN_AGAIN,
            )  # fmt: skip
        return tuple(sorted(path.stem for path in self.folder.glob("*.csv") if listing(path)))

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run by its name: comparison, countries, groups, change, legal, regions ...

        Raises
        ------
        InputError
            The run has no such table.
        """
        if name not in self.tables:
            raise InputError(
                f"table {name!r} of {self.folder}", ", ".join(self.tables), "none", "use one of these names"
            )
        return read_own_csv(self.folder / f"{name}.csv")

    def hectares(self) -> pd.DataFrame:
        """Hectares of the target per region and period: mapped, estimated, interval, observed fraction."""
        own = self.areas[self.areas["class"] == self.target]
        numbers = ["mapped_ha", "estimated_ha", "ci_low_ha", "ci_high_ha", "observed_fraction"]
        return own.astype(dict.fromkeys(numbers, float))[list(_SHOWN)].reset_index(drop=True)

    @property
    def config_path(self) -> Path:
        """The configuration that made the run.

        Raises
        ------
        InputError
            run.json does not name it.
        """
        if not self.facts.get("config"):
            raise InputError(
                f"{self.folder / 'run.json'} does not name the configuration of the run", "`config`", "none",
                "name the configuration (a YAML file) in place of the folder",
            )  # fmt: skip
        return self.folder / str(self.facts["config"])

    @cached_property
    def config(self) -> RunConfig:
        """The configuration that made the run."""
        return read_config(self.config_path)

    def committed(self, stage: str) -> Manifest:
        """The manifest of a stage whose files are complete.

        Raises
        ------
        InputError
            The stage is not committed, or files of it are missing or altered.
        """
        manifest = self._manifest(stage)
        if damage := manifest.damage(self.folder):
            raise InputError(
                f"files of the run in {self.folder} are missing or altered", "as committed",
                "; ".join(f"{name}: {text}" for name, text in damage.items()), RUN_AGAIN,
            )  # fmt: skip
        return manifest

    def _manifest(self, stage: str) -> Manifest:
        manifest = Manifest.read(LocalStore(self.folder).manifest_path(f":{stage}"))
        if manifest is None:
            raise InputError(
                f"the run in {self.folder} is not finished", f"the outputs of `{stage}`", "none", RUN_AGAIN
            )
        return manifest

    @cached_property
    def sample(self) -> pd.DataFrame:
        """The points that `cocal design` drew: `point_id`, role, place and design of each. Restricted.

        Raises
        ------
        InputError
            No sample was drawn, or its files are missing or altered.
        """
        self.committed("design")
        return read_own_csv(self.folder / "design" / "sample.csv")

    @cached_property
    def measured(self) -> Measured:
        """The inputs of the committed hectares."""
        inputs = self._manifest("measure").inputs
        try:
            task = inputs["task"]
            return Measured(
                maps=dict(task["maps"]),
                periods=tuple(
                    Period(p["name"], date.fromisoformat(p["start"]), date.fromisoformat(p["end"]))
                    for p in task["periods"]
                ),
                regions_sha256=task["regions"],
                scheme_sha256=task["scheme_sha256"],
                records_sha256=task["given"] and task["given"]["path"],
            )
        except (KeyError, TypeError, ValueError) as err:
            raise InputError(
                f"the run in {self.folder} was made by an earlier cocal", "", repr(err), RUN_AGAIN
            ) from err

    def maps(self) -> dict[str, Path]:
        """Period/tile -> folder with class.tif, probability.tif and n_clear.tif of the maps that the hectares
        were counted from; failed tiles are left out.
        """
        found = self.measured.maps.items()
        return {
            key: self.folder / "maps" / key / address[:12] for key, address in found if address != "failed"
        }

    def checked_maps(self) -> dict[str, dict[Tile, Path]]:
        """Period -> tile -> folder of its map, as `maps`.

        Raises
        ------
        InputError
            A map is missing or altered: the sizes of its files are compared here, their content as they are
            read.
        """
        found: dict[str, dict[Tile, Path]] = {period.name: {} for period in self.measured.periods}
        for key, folder in self.maps().items():
            manifest = Manifest.read(folder / "manifest.json")
            if manifest is None or manifest.address != self.measured.maps[key] or manifest.lacking(folder):
                raise InputError(f"the map {folder} is missing or altered", "as committed", "", RUN_AGAIN)
            found[key.split("/")[0]][Tile(Window(**manifest.inputs["task"]["tile"]["window"]))] = folder
        return found

    def __repr__(self) -> str:
        n, periods = self.areas["region_id"].nunique(), ", ".join(self.areas["period"].unique())
        mark = " SIMULATED" if self.simulated else ""
        return f"<run {self.facts['run']!r}{mark}: {self.facts['status']}; {n} regions, periods {periods}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.hectares().round(1).to_html(index=False)}"


@dataclass(frozen=True)
class Measured:
    """Inputs of the hectares of a run. `maps`: period/tile -> address of its map, or "failed"."""

    maps: Mapping[str, str]
    periods: tuple[Period, ...]
    regions_sha256: str
    scheme_sha256: str
    records_sha256: str | None

    def failed(self, period: str) -> int:
        """Number of tiles of the period whose map failed: their ground counts as not observed."""
        return sum(key.split("/")[0] == period and address == "failed" for key, address in self.maps.items())


@dataclass(frozen=True)
class MapInputs:
    """Inputs of one class map: how its features were made, and its scenes as id -> digest."""

    index: FeatureSettings
    scenes: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> MapInputs:
        """The inputs of the map in `folder`, from its manifest.

        Raises
        ------
        InputError
            The manifest is missing.
        """
        manifest = Manifest.read(folder / "manifest.json")
        if manifest is None:
            raise InputError(f"the map {folder} is missing or altered", "as committed", "", RUN_AGAIN)
        task = manifest.inputs["task"]
        if "drafts" in task:
            (address,) = (own for tile, own in task["drafts"]["near"] if tile == task["tile"])
            return cls.read(
                folder.parents[3] / "drafts" / folder.parent.relative_to(folder.parents[2]) / address[:12]
            )
        features = task["features"]
        scenes = {scene["id"]: scene["digest"] for scene in features["scenes"]}
        settings = features["settings"] | {"fill": dict(features["settings"]["fill"])}
        return cls(FeatureSettings.model_validate(settings), scenes)


def _is_simulated(folder: Path) -> bool:
    """Whether the STAC item of a map states that it is of simulated scenes."""
    item = proven(folder / f"{folder.parents[1].name}-{folder.parent.name}.json")
    return bool(json.loads(item.read_text(encoding="utf-8"))["properties"][SIMULATED])


def open_run(folder: str | Path) -> FinishedRun:
    """The finished run in `folder`, such as `runs/demo`.

    Raises
    ------
    InputError
        The folder holds no run with hectares.

    Examples
    --------
    See docs/api.md: `run = cocal.open_run(run_folder)`.
    """
    run = FinishedRun(Path(folder))
    try:
        _ = run.facts, run.areas, run.target
    except (OSError, ValueError, InputError) as err:
        raise InputError(
            f"run {folder}", "a folder of a finished run", str(err), "do `cocal run CONFIG` first"
        ) from err
    return run


def configuration_of(path: Path) -> Path:
    """`path`, or the configuration that made the run if `path` is a folder.

    Raises
    ------
    InputError
        The folder is not that of a run, or its run.json names no configuration.
    """
    return FinishedRun(path).config_path if path.is_dir() else path
