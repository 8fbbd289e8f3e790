"""Too little room on a disk or for a file: nothing cut short is committed, a run with room ends as ever."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import room
from tests.support.small_world import SmallWorld

LIMITS = {"archive": 0.4, "maps": 0.98, "model": 0.4, "tables": 0.98}
FULL = {"archive": 0.7, "maps": 0.0, "tables": 0.7}
"""Kind -> part of its largest file that has room; 60 places of either are in `tests.acceptance proof`."""


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_on_file_sizes_commits_nothing_that_is_cut_short(finished: SmallWorld, kind: str) -> None:
    ended, wrong = room.squeezed(finished, kind, LIMITS[kind], room.limited_files)
    assert wrong == ""
    assert ended != "done"


def test_a_limit_that_the_largest_file_just_keeps_changes_nothing(finished: SmallWorld) -> None:
    assert room.squeezed(finished, "tables", 1.0, room.limited_files) == ("done", "")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount") or room.mounted(folder, 64).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("kind", FULL)
def test_a_full_disk_commits_nothing_that_is_cut_short(finished: SmallWorld, kind: str, disk: Path) -> None:
    ended, wrong = room.squeezed(finished.copied(disk / "world"), kind, FULL[kind], room.disk_with(disk))
    assert wrong == ""
    assert ended != "done"
