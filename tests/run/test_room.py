"""Too little room on a disk or for a file: nothing cut short is committed, a run with room ends as ever."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import room
from tests.support.small_world import SmallWorld

UNITS = ("archive", "maps", "model", "tables")


@pytest.mark.parametrize("kind", UNITS)
def test_a_limit_on_file_sizes_commits_nothing_that_is_cut_short(finished: SmallWorld, kind: str) -> None:
    for share in (0.4, 0.98):
        ended, wrong = room.squeezed(finished, kind, share, room.limited_files)
        assert wrong == ""
        assert ended != "done"
    assert room.squeezed(finished, kind, 1.0, room.limited_files) == ("done", "")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount") or room.mounted(folder, 64).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("kind", UNITS)
def test_a_full_disk_commits_nothing_that_is_cut_short(finished: SmallWorld, kind: str, disk: Path) -> None:
    world = finished.copied(disk / "world")
    for share in (0.0, 0.7):
        ended, wrong = room.squeezed(world, kind, share, room.disk_with(disk))
        assert wrong == ""
        assert ended != "done"
