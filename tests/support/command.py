"""The command as a real process, and what it leaves on disk."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from cocal.cli import main
from cocal.store import MANIFEST, STAGING, Manifest

COCAL = (sys.executable, "-c", "from cocal.cli import main; main()")
REWRITTEN = {"run.json", ".lock", "catalog.json", "collection.json"}
"""Logs, locks and lists: no manifest speaks of them."""

Facts = tuple[int, int, int]
"""inode, time of change in ns, bytes"""


def cocal(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`cocal ARGUMENTS`, run to its end."""
    command = [*COCAL, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def in_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """As `cocal`, without a new process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    before = sys.argv
    sys.argv = ["cocal", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def stages_of(root: Path) -> dict[str, dict[str, Any]]:
    """The stages of run.json."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads((root / "run.json").read_text(encoding="utf-8"))
    return found["stages"]


def facts(path: Path) -> Facts:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def manifests(*roots: Path) -> Iterator[tuple[Path, Manifest, Path]]:
    """(manifest's path, manifest, folder of its files) of every unit below `roots` that is committed
    whole.
    """
    for root in roots:
        for path in sorted([*root.rglob(MANIFEST), *root.glob("manifests/*.json")]):
            home = root if path.parent.name == "manifests" else path.parent
            manifest = Manifest.read(path)
            if STAGING not in path.parts and manifest is not None and manifest.holds(home):
                yield path, manifest, home


def committed(*roots: Path) -> dict[Path, Facts]:
    """Every committed file, manifests included, with inode and time of change."""
    found = {}
    for path, manifest, home in manifests(*roots):
        for file in (path, *(home / name for name in manifest.files)):
            found[file] = facts(file)
    return found


def files_below(folder: Path) -> set[str]:
    """Relative paths of all files, hidden ones and links included."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def uncommitted(*roots: Path) -> set[Path]:
    """Files that no manifest lists, apart from logs, locks and lists: half-written work."""
    listed = set(committed(*roots))
    everything = {root / name for root in roots for name in files_below(root)}
    return {p for p in everything - listed if p.name not in REWRITTEN}
