"""The finished runs that the map shows: checked for completeness and consistent inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cocal.checksums import sha256_file
from cocal.config import RunConfig, read_config
from cocal.contracts import Period
from cocal.errors import InputError, UsageError
from cocal.grid import Tile
from cocal.regions import Regions, read_regions
from cocal.run.finished import RUN_AGAIN, FinishedRun, Measured
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import LocalStore, Manifest

PUBLIC = "public"


@dataclass(frozen=True)
class ShownRun:
    """A finished run as the map shows it.

    `tables` is the folder whose tables are shown: the run's own, or its public/. `maps` is period -> tile ->
    folder
    of the class map that the hectares were counted from; it is empty unless `restricted`.
    """

    config: RunConfig
    root: Path
    tables: Path
    measured: Measured
    regions: Regions
    scheme: ClassScheme
    maps: Mapping[str, Mapping[Tile, Path]]
    simulated: bool
    restricted: bool

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def periods(self) -> tuple[Period, ...]:
        return self.measured.periods

    @property
    def by_model(self) -> bool:
        """True if the maps shown are a model's, with probability, clear dates and scenes."""
        return self.config.has_model and self.config.classify.lead != "map"

    def has_raster(self, name: str) -> bool:
        """True if every map shown has a raster of this name."""
        folders = [folder for maps in self.maps.values() for folder in maps.values()]
        return bool(folders) and all((folder / name).exists() for folder in folders)

    @property
    def has_density(self) -> bool:
        return (self.tables / "density.csv").exists()

    @property
    def has_records(self) -> bool:
        return self.restricted and self.config.records is not None and (self.root / "records.csv").exists()


def open_run(path: str | Path, *, restricted: bool) -> ShownRun:
    """The finished run at `path`, checked.

    Parameters
    ----------
    path
        `runs/<name>`, or the YAML file of its configuration.
    restricted
        True shows maps, pixels and field points; False only the content of public/.

    Raises
    ------
    UsageError
        The run is missing, unfinished or altered, its regions or classes changed since, or it has no public/.
    """
    path = Path(path)
    if path.is_file():
        config = read_config(path)
        run = FinishedRun(config.root)
    else:
        run = FinishedRun(path)
        if run.facts.get("status") not in ("done", "done with failures"):
            status = str(run.facts.get("status"))
            raise InputError(f"the run in {path} is not finished", "status done", status, RUN_AGAIN)
        config = run.config
    run.committed("measure")
    regions, scheme = read_regions(config.regions), read_scheme(config.scheme)
    _check_unchanged("regions", regions.sha256, run.measured.regions_sha256, run.folder)
    _check_unchanged("scheme", scheme.sha256, run.measured.scheme_sha256, run.folder)
    maps = run.checked_maps()
    return ShownRun(
        config=config,
        root=run.folder,
        tables=run.folder if restricted else _public(run),
        measured=run.measured,
        regions=regions,
        scheme=scheme,
        maps=maps if restricted else {},
        simulated=run.simulated,
        restricted=restricted,
    )


def _check_unchanged(key: str, found: str, expected: str, root: Path) -> None:
    if found != expected:
        raise UsageError(
            f"`{key}:` changed since the run in {root}", expected[:12], found[:12],
            f"restore the file, or {RUN_AGAIN}",
        )  # fmt: skip


def _public(run: FinishedRun) -> Path:
    """The folder public/ of the run, made from its current tables."""
    if Manifest.read(LocalStore(run.folder).manifest_path(":publish")) is None:
        raise InputError(
            f"the run in {run.folder} has nothing for the public", "its folder public/", "none",
            "add `publish: regions` or `publish: squares` to the configuration and run it again, or serve it "
            "with --restricted to those who may see plots",
        )  # fmt: skip
    public, manifest = run.folder / PUBLIC, run.committed("publish")
    try:
        made_from = dict(manifest.inputs["task"]["page"]["run"]["files"])
    except (KeyError, TypeError, ValueError) as err:
        raise InputError(f"{public} was made by an earlier cocal", "", repr(err), RUN_AGAIN) from err
    stale = [name for name, sha256 in made_from.items() if sha256_file(run.folder / name) != sha256]
    if stale:
        raise InputError(
            f"{public} is of an earlier run", "the tables of this run", ", ".join(stale), RUN_AGAIN
        )
    return public
