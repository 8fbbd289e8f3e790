"""Bytes are proven: 1,000 flipped bits, 60 limits on file sizes, 60 full disks, and what the proof costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from benchmarks import whole

from tests.support import room
from tests.support.flips import Flipped, every_file, judged
from tests.support.small_world import DAYS, SmallWorld, make_world

FLIPS, RUNS = 1000, 40
TABLES = ("hectares.csv", "hectares.parquet", "comparison.csv")
PLACES = 60
"""Places of a limit for each kind of unit."""

_COST = """
import sys, time
from cocal import checksums, store
from cocal.cli import main

spent = 0.0

def timed(function):
    def wrapper(*args):
        global spent
        began = time.process_time()
        try:
            return function(*args)
        finally:
            spent += time.process_time() - began
    return wrapper

checksums._file_hash = timed(checksums._file_hash)
store.read_back = timed(store.read_back)
sys.argv = ["cocal", *sys.argv[1:]]
try:
    main()
finally:
    print("proof", spent, "whole", time.process_time(), file=sys.stderr)
"""


@contextmanager
def _world(folder: Path | None = None) -> Iterator[SmallWorld]:
    """A finished run with a page and public/."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        world = make_world(Path(home) / "world", 96, DAYS[:2])
        density = {"cell_m": 200, "min_plots": 2, "plot_ha": 0.02}
        world.edit(lambda content: content.update(publish="squares", density=density))
        ended = room.do(world, "page")
        assert ended == "done", ended
        yield world


def no_flipped_bit_changes_a_hectare_in_silence() -> str:
    """Each reader is given 1,000 altered files; 40 more go through the whole run."""
    with _world() as world:
        files, rng, ends = every_file(world), np.random.default_rng(18), Counter[str]()
        for number in range(FLIPS):
            kind = sorted(files)[number % len(files)]
            with Flipped(world, files[kind], rng) as flipped:
                ends[judged(world, flipped.path)] += 1
        assert set(ends) <= {"harmless", "made anew", "refused by name"}, ends
        calm = {name: (world.root / name).read_bytes() for name in TABLES}
        for number in range(RUNS):
            kind = sorted(files)[number % len(files)]
            whole_file = Flipped(world, files[kind], rng)
            whole_file.__enter__()
            ended = room.do(world, "tables")
            found = {n: (world.root / n).read_bytes() for n in calm}
            assert (ended, found) == ("done", calm), f"{whole_file.path}: {ended}"
    counts = ", ".join(f"{n} {how}" for how, n in sorted(ends.items()))
    return f"{FLIPS} flips of {len(files)} kinds of files: {counts}; {RUNS} whole runs: hectares as before"


def no_file_that_is_cut_short_is_committed() -> str:
    """`ulimit -f` and a full disk, for archive, maps, model, tables, page."""
    told = []
    for how in ("limit", "disk"):
        with tempfile.TemporaryDirectory() as home:
            if how == "disk":
                assert not room.mounted(Path(home), 64).returncode, "a small file system cannot be mounted"
            try:
                with _world(Path(home)) as world:
                    squeeze = room.limited_files if how == "limit" else room.disk_with(Path(home))
                    for kind in room.KINDS:
                        told.append(_squeezed(world, kind, squeeze, how))
            finally:
                if how == "disk":
                    subprocess.run(["umount", "-l", home], check=True)
    return "; ".join(told)


def _squeezed(world: SmallWorld, kind: str, squeeze: room.Room, how: str) -> str:
    ends = Counter[str]()
    for share in np.linspace(0.02, 1.02, PLACES):
        ended, wrong = room.squeezed(world, kind, float(share), squeeze)
        assert not wrong, f"{how} {share:.3f}, {kind}: {wrong}"
        ends["done" if ended == "done" else "stopped"] += 1
    return f"{kind}, {how}: {PLACES} places, {ends['stopped']} stopped, 0 cut short"


def the_proof_costs_at_most_two_percent_of_a_run() -> str:
    """CPU of all checksums and of reading back, of the CPU of `cocal measure` on the benchmark's land."""
    land = whole.prepared(whole.WORK, 1)
    config = land.config("100 x 12")
    subprocess.run(["rm", "-rf", str(land.run_folder("100 x 12"))], check=True)
    command = [sys.executable, "-c", _COST, "measure", str(config), "--serial"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    words = ended.stderr.splitlines()[-1].split()
    proof, every = float(words[1]), float(words[3])
    assert proof <= 0.02 * every, (proof, every)
    return f"{proof:.2f} of {every:.1f} s of CPU: {proof / every:.1%}"


REQUIREMENTS = (
    no_flipped_bit_changes_a_hectare_in_silence,
    no_file_that_is_cut_short_is_committed,
    the_proof_costs_at_most_two_percent_of_a_run,
)
