"""Single flipped bits in committed files, and what the readers and a run make of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cocal.archive import list_scenes, read_raster, read_scenes
from cocal.classify import load_model
from cocal.classify.card import UNSEALED
from cocal.content import Ref
from cocal.errors import CocalError
from cocal.run.finished import FinishedRun
from cocal.run.measure.counts import read_counts
from cocal.scenes.download.ledger import Ledger
from cocal.scenes.download.settings import BudgetSettings
from cocal.scenes.download.units import Cost
from cocal.serve.runs import open_run
from cocal.serve.tables import RunTables
from cocal.store import LocalStore, Manifest, proven
from tests.support.small_world import SmallWorld

_RASTERS = {"class.tif": "uint8", "probability.tif": "uint16", "n_clear.tif": "uint16"}
_later = itertools.count(1)


@dataclass
class Flipped:
    """One bit of one of the files is another while this is entered."""

    world: SmallWorld
    files: list[Path]
    rng: np.random.Generator

    def __enter__(self) -> Flipped:
        self.path = self.files[self.rng.integers(len(self.files))]
        self.whole = self.path.read_bytes()
        data = bytearray(self.whole)
        data[self.rng.integers(len(data))] ^= 1 << int(self.rng.integers(8))
        _write(self.path, bytes(data))
        return self

    def __exit__(self, *_: object) -> None:
        _write(self.path, self.whole)


def _write(path: Path, data: bytes) -> None:
    """In place, with a time of change that no earlier write had: a clock's tick is longer than a flip."""
    path.write_bytes(data)
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1000 * next(_later)))


def every_file(world: SmallWorld) -> dict[str, list[Path]]:
    """Kind -> its committed files; a ledger is written for the purpose."""
    ledger = _ledger(world)
    for number in range(20):
        ledger.settle(ledger.reserve(f"tile-date {number}", Cost(1, 3.5, 1200)), Cost(1, 3.25, 900 + number))
    patterns = {
        "archive bands": ["archive/scenes/*/[nrs]*[0-9r].tif"],
        "archive classes": ["archive/scenes/*/scl.tif"],
        "archive items": ["archive/scenes/*/*-*.json"],
        "classes of maps": ["runs/small/maps/*/*/*/class.tif"],
        "other rasters of maps": ["runs/small/maps/*/*/*/[np]*.tif"],
        "model": ["runs/small/model/*/*.skops", "runs/small/model/*/card.json"],
        "counts": ["runs/small/counts/*/*.npz"],
        "tables": ["runs/small/*.csv", "runs/small/*.parquet", "runs/small/estimates.json"],
        "page and files": ["runs/small/report/*.html", "runs/small/files/*.*", "runs/small/public/*.*"],
        "ledger": ["state/ledger-*.jsonl"],
        "manifests": ["archive/scenes/*/manifest.json", "runs/small/*/**/manifest.json"],
        "manifests of tables": ["runs/small/manifests/*.json"],
    }
    found = {
        kind: [path for name in names for path in sorted(world.folder.glob(name)) if path.stat().st_size]
        for kind, names in patterns.items()
    }
    assert all(found.values()), {kind: len(files) for kind, files in found.items()}
    _calm(world), _units(world.folder)
    return found


def _ledger(world: SmallWorld) -> Ledger:
    return Ledger(world.folder / "state", BudgetSettings(requests=10_000))


def judged(world: SmallWorld, path: Path) -> str:
    """harmless, made anew or refused by name; whatever else is a fault."""
    reading, said = _reader(world, path), ""
    try:
        same = reading(world) == _calm(world)[reading]
    except CocalError as err:
        same, said = True, str(err)
    if not same:
        return f"{path} is read with other content"
    store, unit, address = _unit(world, path)
    if unit and store.find(unit, address) is None:
        return "made anew" if store.damage(unit, address) else f"{path} is made anew without a word"
    if said:
        return "refused by name" if path.name in said or path.parent.name in said else f"{path}: {said}"
    return "harmless"


def _unit(world: SmallWorld, path: Path) -> tuple[LocalStore, str, str]:
    """The store, name and address of the unit that the file belongs to; "" for a ledger."""
    for home, names in _units(world.folder):
        if path in names:
            return home
    return LocalStore(world.folder), "", ""


@cache
def _units(folder: Path) -> list[tuple[tuple[LocalStore, str, str], set[Path]]]:
    """Of the world as it was when it was first asked for."""
    found = []
    for store in (LocalStore(folder / "archive" / "scenes"), LocalStore(folder / "runs" / "small")):
        for mark in [*store.root.rglob("manifest.json"), *store.root.glob("manifests/*.json")]:
            own = mark.name == "manifest.json"
            unit = mark.parent.relative_to(store.root).as_posix() if own else f":{mark.stem}"
            manifest = Manifest.read(mark)
            assert manifest is not None
            files = {mark, *(store.home(unit) / name for name in manifest.files)}
            found.append(((store, unit, manifest.address), files))
    return found


def _reader(world: SmallWorld, path: Path) -> Callable[[SmallWorld], Any]:
    """What reads the file, as cocal does."""
    name = path.relative_to(world.folder).parts
    key = ("run", name[2]) if name[0] == "runs" and len(name) > 3 else (name[0], "")
    readings = {
        ("archive", ""): _archive, ("state", ""): _spent, ("run", "maps"): _maps, ("run", "model"): _model,
        ("run", "counts"): _counts, ("run", "public"): _public,
    }  # fmt: skip
    return readings.get(key, _tables)


@cache
def _calm(world: SmallWorld) -> dict[Callable[[SmallWorld], Any], Any]:
    """What each reader finds while all is whole; `every_file` asks for it first."""
    return {
        reading: reading(world) for reading in (_archive, _maps, _model, _counts, _tables, _public, _spent)
    }


def _spent(world: SmallWorld) -> None:
    """The ledger says what was spent: it has no part in hectares."""
    _ledger(world).spent()


def _archive(world: SmallWorld) -> list[bytes]:
    bands = ["red", "nir", "swir16", "scl"]
    scenes = list_scenes(world.archive)
    return [read_scenes([s], s.window, bands).to_array().values.tobytes() for s in scenes] + [
        repr((s.id, s.acquired, s.window, dict(s.properties))).encode() for s in scenes
    ]


def _maps(world: SmallWorld) -> list[bytes]:
    run = FinishedRun(world.root)
    found = [str(run.simulated).encode()]
    for homes in run.checked_maps().values():
        for tile, home in homes.items():
            for name, dtype in _RASTERS.items():
                found.append(read_raster(proven(home / name), tile.window, 10, dtype).tobytes())
    return found


def _model(world: SmallWorld) -> str:
    """The card but for `UNSEALED`, where changes only warn; a run compares all of it with its manifest."""
    (home,) = world.root.glob("model/*")
    return str(load_model(home).card.model_dump_json(exclude=set(UNSEALED)))


def _counts(world: SmallWorld) -> dict[str, bytes]:
    (home,) = world.root.glob("counts/*")
    address = next(own[2] for own, files in _units(world.folder) if home / "counts.npz" in files)
    return {name: values.tobytes() for name, values in read_counts(Ref(home, address)).items()}


def _tables(world: SmallWorld) -> list[str]:
    run = FinishedRun(world.root)
    run.committed("measure"), run.committed("compare")
    tables = {name: run.table(name).to_csv() for name in run.tables}
    return [
        run.areas.to_csv(),
        run.hectares().to_csv(),
        repr(run.measured),
        *map(repr, sorted(tables.items())),
    ]


def _public(world: SmallWorld) -> dict[str, Any]:
    run = open_run(world.root, restricted=False)
    return RunTables(run).figures(run.periods[0].name)
