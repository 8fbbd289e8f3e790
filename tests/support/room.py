"""A finished run whose units of one kind are made again where there is too little room for their files."""

from __future__ import annotations

import logging
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cocal.config import read_config
from cocal.errors import CocalError
from cocal.run import run
from cocal.store import Manifest
from tests.support.small_world import SmallWorld

KINDS: Mapping[str, tuple[str, ...]] = {
    "archive": ("archive/scenes/*",),
    "maps": ("runs/small/maps/*/*/*",),
    "model": ("runs/small/model/*",),
    "tables": (
        "runs/small/counts/*",
        "runs/small/manifests/measure.json",
        "runs/small/manifests/compare.json",
    ),
    "page": tuple(f"runs/small/manifests/{name}.json" for name in ("report", "files", "publish")),
}
"""Kind -> its units: folders, or manifests of tables in the folder of the run."""

Room = Callable[[int], AbstractContextManager[None]]
"""Leaves this many bytes of room while it is entered."""


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as with `ulimit -f`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def disk_with(folder: Path) -> Room:
    """Fills the file system of `folder` up to the last bytes."""

    @contextmanager
    def filled(size: int) -> Iterator[None]:
        ballast = folder / "ballast"
        free = shutil.disk_usage(folder).free
        with ballast.open("wb") as file:
            for _ in range(max(0, free - size) // 4096):
                file.write(bytes(4096))
        try:
            yield
        finally:
            ballast.unlink()

    return filled


def units(world: SmallWorld, kind: str) -> list[Path]:
    found = [path for pattern in KINDS[kind] for path in world.folder.glob(pattern)]
    return [path for path in found if path.suffix == ".json" or (path / "manifest.json").exists()]


def files_of(world: SmallWorld, kind: str) -> dict[str, bytes]:
    """Every committed file of the kind."""
    found = {}
    for unit in units(world, kind):
        mark, home = (unit, world.root) if unit.suffix == ".json" else (unit / "manifest.json", unit)
        manifest = Manifest.read(mark)
        for name in manifest.files if manifest else ():
            found[(home / name).relative_to(world.folder).as_posix()] = (home / name).read_bytes()
    return found


def remove(world: SmallWorld, kind: str) -> None:
    for name in files_of(world, kind):
        (world.folder / name).unlink()
    for unit in units(world, kind):
        unit.unlink() if unit.suffix == ".json" else shutil.rmtree(unit)


def do(world: SmallWorld, kind: str) -> str:
    """How a run ended: "done", or what it said."""
    try:
        summary = run(
            read_config(world.config),
            last="report" if kind == "page" else "compare",
            config_path=world.config,
        )
    except (CocalError, OSError) as err:
        return str(err)
    return "\n".join(reason for _, reason in summary.failures) or "done"


def squeezed(world: SmallWorld, kind: str, share: float, room: Room) -> tuple[str, str]:
    """(how the run with too little room ended, what is wrong: "" where nothing is).

    The units of the kind are removed and made again where their largest file, times `share`, has room; then
    once more without a limit. The world is as before at the end.
    """
    logging.disable(logging.CRITICAL)
    whole = files_of(world, kind)
    remove(world, kind)
    with room(int(share * max(map(len, whole.values())))):
        ended = do(world, kind)
    kept = files_of(world, kind)
    wrong = [
        f"{name} was committed with other bytes" for name, data in kept.items() if whole.get(name) != data
    ]
    if ended == "done" and kept.keys() != whole.keys():
        wrong.append("the run said done, and committed less")
    again = do(world, kind)
    after = files_of(world, kind)
    if again != "done" or after != whole:
        differ = sorted(n for n in whole.keys() | after.keys() if whole.get(n) != after.get(n))
        wrong.append(f"a later run with room: {again}; other: {', '.join(differ)}")
    logging.disable(logging.NOTSET)
    return ended, "; ".join(wrong)


def mounted(folder: Path, megabytes: int) -> subprocess.CompletedProcess[bytes]:
    """Mount a small file system there; its return code is 0 where that is possible."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False)
