"""The folder of a run -> what of it may be shown: checked, whole, of one make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cocal.archive import SIMULATED
from cocal.config import RunConfig, read_config
from cocal.contracts import Period
from cocal.errors import InputError, UsageError
from cocal.grid import Tile, Window
from cocal.regions import Regions, read_regions
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore, Manifest, sha256_file

PUBLIC = "public"
AGAIN = "run `cocal run` with the configuration again: it makes only what is missing"


@dataclass(frozen=True)
class ShownRun:
    """A finished run as the map shows it.

    `tables` is the folder whose tables are shown: the run's own, or its public/. `maps` holds per period the folders
    of the class maps that the hectares were counted from; it is empty unless `restricted`.
    """

    name: str
    root: Path
    tables: Path
    config: RunConfig
    regions: Regions
    scheme: ClassScheme
    periods: tuple[Period, ...]
    maps: Mapping[str, Mapping[Tile, Path]]
    made_of: Mapping[str, Any]
    simulated: bool
    restricted: bool

    @property
    def failed(self) -> dict[str, int]:
        """Period -> tiles whose map failed: their ground counts as not observed."""
        lost = [name.split("/")[0] for name, made in self.made_of["maps"].items() if made == "failed"]
        return {p.name: lost.count(p.name) for p in self.periods}

    @property
    def has_density(self) -> bool:
        return (self.tables / "density.csv").exists()

    @property
    def has_records(self) -> bool:
        return self.restricted and self.config.records is not None and (self.root / "records.csv").exists()


def open_run(path: str | Path, *, restricted: bool) -> ShownRun:
    """The finished run at `path`: its folder, or its configuration.

    Parameters
    ----------
    path
        `runs/<name>`, or the YAML file that it was made from.
    restricted
        True shows maps, pixels and field points; False only what public/ holds.

    Raises
    ------
    UsageError
        There is no run, it did not finish, it was altered, its regions or classes changed since, or it has no public/.
    """
    path = Path(path)
    config = _config_of(path)
    root = path if path.is_dir() else config.root
    measured = _committed(root, "measure")
    regions, scheme = read_regions(config.regions), read_scheme(config.scheme)
    _check_same("regions", regions.sha256, measured.inputs["regions"], root)
    _check_same("scheme", scheme.sha256, measured.inputs["scheme"], root)
    maps, simulated = _maps(root, measured.inputs["maps"])
    return ShownRun(
        name=config.name,
        root=root,
        tables=root if restricted else _public(root),
        config=config,
        regions=regions,
        scheme=scheme,
        periods=tuple(
            Period(n, date.fromisoformat(a), date.fromisoformat(b)) for n, a, b in measured.inputs["periods"]
        ),
        maps=maps if restricted else {},
        made_of=measured.inputs,
        simulated=simulated,
        restricted=restricted,
    )


def _config_of(path: Path) -> RunConfig:
    if path.is_file():
        return read_config(path)
    log = path / "run.json"
    try:
        facts = json.loads(log.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise InputError(
            f"{path} is not the folder of a run", "a folder with run.json, such as runs/demo", str(err),
            "name the folder that `cocal run` printed, or the configuration",
        ) from err  # fmt: skip
    if facts.get("status") not in ("done", "done with failures"):
        raise InputError(f"the run in {path} is not finished", "status done", str(facts.get("status")), AGAIN)
    if not facts.get("config"):
        raise InputError(
            f"{log} does not say which configuration made the run", "`config`", "nothing",
            "name the configuration (a YAML file) in place of the folder",
        )  # fmt: skip
    return read_config(path / facts["config"])


def _committed(root: Path, stage: str) -> Manifest:
    """The manifest of a stage whose files are all there."""
    store = LocalStore(root)
    manifest = Manifest.read(store.manifest_path(f":{stage}"))
    if manifest is None:
        raise InputError(f"the run in {root} is not finished", f"the outputs of `{stage}`", "none", AGAIN)
    lacking = manifest.lacking(root)
    if lacking:
        raise InputError(
            f"files of the run in {root} are missing or altered", "as committed", ", ".join(lacking), AGAIN
        )
    return manifest


def _check_same(key: str, found: str, wanted: str, root: Path) -> None:
    if found != wanted:
        raise UsageError(
            f"`{key}:` changed since the run in {root}",
            wanted[:12],
            found[:12],
            f"bring them back, or {AGAIN}",
        )


def _public(root: Path) -> Path:
    """public/ of the run, made from the tables that the run has now."""
    if Manifest.read(LocalStore(root).manifest_path(":publish")) is None:
        raise InputError(
            f"the run in {root} has nothing for the public", "its folder public/", "none",
            "add `publish: true` to the configuration and run it again, or serve it with --restricted to those who may see plots",
        )  # fmt: skip
    tables = _committed(root, "publish").inputs["tables"]
    stale = [name for name in tables if sha256_file(root / PUBLIC / name) != sha256_file(root / name)]
    if stale:
        raise InputError(
            f"{root / PUBLIC} is of an earlier run", "the tables of this run", ", ".join(stale), AGAIN
        )
    return root / PUBLIC


def _maps(root: Path, addresses: Mapping[str, str]) -> tuple[dict[str, dict[Tile, Path]], bool]:
    """Per period the map folders by tile, and whether one is of simulated scenes. Tiles that failed have none."""
    found: dict[str, dict[Tile, Path]] = {}
    simulated = False
    for name, address in addresses.items():
        period, tile_id = name.split("/")
        maps = found.setdefault(period, {})
        if address == "failed":
            continue
        folder = LocalStore(root).home(f"maps/{name}/{address[:12]}")
        manifest = Manifest.read(folder / "manifest.json")
        if manifest is None or manifest.address != address or manifest.lacking(folder):
            raise InputError(f"the map {folder} is missing or altered", "as committed", "it is not", AGAIN)
        maps[Tile(Window(*manifest.inputs["window"]))] = folder
        item = json.loads((folder / f"{period}-{tile_id}.json").read_text(encoding="utf-8"))
        simulated |= bool(item["properties"][SIMULATED])
    return found, simulated
