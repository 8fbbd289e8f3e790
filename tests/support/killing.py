"""A real run, its whole process group killed with SIGKILL inside every stage, and started again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from tests.support.command import COCAL, cocal, committed, files_below, manifests, stages_of, uncommitted
from tests.support.small_world import REGIONS, SmallWorld, make_world, write_csv

KILLS = (
    ("import", 1), ("import", 3), ("train", 0), ("train", 0), ("classify", 1), ("classify", 3),
    ("count", 0), ("measure", 0), ("compare", 0), ("report", 0),
)  # fmt: skip
"""Stage, and how many of its units must be done first; then a part of one unit's time goes by."""

TABLES = ("hectares.csv", "hectares.parquet", "comparison.csv", "comparison.parquet", "regions.csv",
          "countries.csv", "records.csv", "estimates.json", "report/index.html")  # fmt: skip
COMMAND = ("run", "--workers", "2")
SEED, SIZE_PX = 31, 360
OFFICIAL_YEARS = 100_000
"""Rows of old official figures: they slow the compare stage down enough to be killed inside it."""


def _with_old_figures(world: SmallWorld) -> None:
    path = world.folder / "official.csv"
    known = pd.read_csv(path)
    years = np.arange(OFFICIAL_YEARS)
    old = pd.DataFrame({"region_id": REGIONS[0][0], "year": 1000 + years % 900, "coca_ha": years % 97,
                        "source": "SIMULATED office"})  # fmt: skip
    write_csv(path, pd.concat([known, old.drop_duplicates("year"), old.assign(region_id="elsewhere")]))


def kill_inside(world: SmallWorld, stage: str, done: int, delay: float) -> None:
    """Start a run, wait until `done` units of the stage are logged, `delay` seconds more, then SIGKILL."""
    command = [*COCAL, *COMMAND, str(world.config)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    inside, counted = False, 0
    for line in process.stderr:
        inside |= f"start {stage}:" in line
        counted += inside and " done " in line
        if inside and counted >= done:
            break
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    rest = process.stderr.read()
    assert process.wait() == -signal.SIGKILL, f"{stage}: the run had ended ({process.returncode})\n{rest}"
    assert f"end {stage}:" not in rest, f"{stage}: {delay:.3f} s were too long, the stage had ended"
    _wait_until_gone(process.pid)


def _wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError(f"processes of group {group} outlive SIGKILL")


def _delay(stage: str, done: int, calm: dict[str, dict[str, Any]], rng: random.Random) -> float:
    """Up to a third of the time that one unit of the stage took in the undisturbed run."""
    units = float(calm[stage]["planned"]) if done else 1.0
    return rng.uniform(0.02, 0.33) * float(calm[stage]["seconds"]) / units


def _same_tables(calm: SmallWorld, torn: SmallWorld) -> int:
    different = [n for n in TABLES if (calm.root / n).read_bytes() != (torn.root / n).read_bytes()]
    assert not different, f"differ from those of an undisturbed run: {different}"
    return len(TABLES)


def _check_untouched(kept: dict[Path, tuple[int, int, int]], now: dict[Path, tuple[int, int, int]]) -> None:
    touched = [str(path) for path, facts in kept.items() if now.get(path) != facts]
    assert not touched, f"{len(touched)} committed files were rewritten: {touched[:5]}"


def killed_with_sigkill_in_every_stage_and_restarted() -> str:
    """Ten kills, one inside each stage at least; tables, committed files and what was reused are checked."""
    with TemporaryDirectory() as name:
        calm = make_world(Path(name) / "calm", SIZE_PX)
        _with_old_figures(calm)
        torn = calm.copied(Path(name) / "torn")
        undisturbed = cocal(*COMMAND, calm.config)
        assert undisturbed.returncode == 0, undisturbed.stderr[-2000:]
        usual, rng, kept = stages_of(calm.root), random.Random(SEED), {}
        for stage, done in KILLS:
            kill_inside(torn, stage, done, _delay(stage, done, usual, rng))
            now = committed(torn.root, torn.archive)
            _check_untouched(kept, now)
            kept |= now
        units = len(list(manifests(torn.root, torn.archive / "scenes")))
        last = cocal(*COMMAND, torn.config)
        assert last.returncode == 0, last.stderr[-2000:]
        _check_untouched(kept, committed(torn.root, torn.archive))
        tables = _same_tables(calm, torn)
        left = files_below(torn.folder) - files_below(calm.folder)
        assert not left, f"left behind: {sorted(left)}"
        assert not uncommitted(torn.root, torn.archive), uncommitted(torn.root, torn.archive)
        reused = sum(int(s["reused"]) for s in stages_of(torn.root).values())
        assert reused == units, f"{units} units were committed, {reused} reused"
        said = last.stdout.splitlines()[-2]
        assert f"{reused} reused" in said, said
    return (
        f"{len(KILLS)} kills ({', '.join(stage for stage, _ in KILLS)}); {tables} tables and page "
        "byte-identical; "
        f"{len(kept)} committed files, none rewritten; last run: {said.strip()}"
    )
