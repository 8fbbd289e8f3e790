"""Folders in the user's cache: safe to delete at any time, the last used ones are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

KEPT = 8
"""Folders that stay beside a new one: those of the versions used last."""


def user_cache(kind: str) -> Path:
    """The folder `kind` of cocal in the user's cache (`XDG_CACHE_HOME`, otherwise `~/.cache`)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cocal" / kind


def keyed_folder(parent: Path, key: str) -> Path:
    """The folder `key` of `parent`, marked as used now. A new one takes the place of the least recently used.

    Raises
    ------
    OSError
        It cannot be made or written.
    """
    folder = parent / key
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted(
            (p for p in parent.iterdir() if p != folder and p.is_dir()), key=_last_use, reverse=True
        )
        for path in others[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
    os.utime(folder)
    return folder


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process removed it
        return 0.0
