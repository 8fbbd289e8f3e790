"""The same blocks on more workers, and what the scheduler adds: `python -m benchmarks.scaling [--mpx 4]`.

`cocal measure` serial, on a local cluster of 1, 2 and 4 workers, and on two worker processes of their own
over loopback; then empty tasks through the same executor; then the tasks of the whole border, counted.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.land import SIDES, Land
from benchmarks.spent import environment, spend
from benchmarks.whole import COCAL, WORK, prepared
from cocal.config import GridSettings
from cocal.run.execute import Call, Job, executor

FOREST = "100 x 12"
EMPTY_TASKS = 2_000
MGRS_TILES, MGRS_PX = 54, 10_980


def empty() -> None:
    """A task that does nothing."""


def seconds_per_task(workers: int) -> float:
    """What a task costs beyond its work, on a local cluster."""
    jobs = [Job(str(n), (Call(empty),)) for n in range(EMPTY_TASKS)]
    with executor(workers=workers) as cluster:
        list(cluster.outcomes(jobs[:100]))
        began = time.monotonic()
        assert all(o.error is None for o in cluster.outcomes(jobs))
        return (time.monotonic() - began) / EMPTY_TASKS


def border_tasks(periods: int = 1, grid: GridSettings | None = None) -> int:
    """Tasks of `periods` maps of 54 MGRS tiles: blocks, and for each tile a finish and a count."""
    grid = grid or GridSettings()
    tiles = MGRS_TILES * (MGRS_PX / grid.tile_px) ** 2
    return round(tiles * periods * ((-(-grid.tile_px // grid.block_px)) ** 2 + 2))


@contextmanager
def own_processes(workers: int) -> Iterator[str]:
    """A scheduler and workers, each started as a command; yields the scheduler's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
    ]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment()}
    started = [
        subprocess.Popen(command, **quiet),
        *(subprocess.Popen(worker, **quiet) for _ in range(workers)),
    ]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


def wall_seconds(land: Land, *options: str) -> float:
    """`cocal measure` from nothing made, with options that say where."""
    shutil.rmtree(land.run_folder(FOREST), ignore_errors=True)
    return spend(sys.executable, "-c", COCAL, "measure", land.config(FOREST), *options).wall_s


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mpx", type=int, choices=list(SIDES), default=4)
    parser.add_argument("--work", type=Path, default=WORK)
    chosen = parser.parse_args(arguments)
    land = prepared(chosen.work, chosen.mpx)
    rows = [("serial", wall_seconds(land, "--serial"))]
    rows += [(f"local cluster, {n} workers", wall_seconds(land, "--workers", str(n))) for n in (1, 2, 4)]
    with own_processes(2) as address:
        rows.append(("2 worker processes over loopback", wall_seconds(land, "--scheduler", address)))
    print(f"`cocal measure`, {land.mpx:.1f} Mpx, {FOREST}, start-up included:\n")
    print("| where | wall s | against serial |\n|---|---|---|")
    for where, seconds in rows:
        print(f"| {where} | {seconds:.1f} | {rows[0][1] / seconds:.2f} |")
    grid = GridSettings()
    print(
        f"\nA task costs {1000 * seconds_per_task(2):.1f} ms beyond its work (empty tasks, two workers). "
        f"{MGRS_TILES} MGRS tiles with twelve months of scenes are {border_tasks():,} tasks at the default "
        "grid "
        f"({grid.tile_px} and {grid.block_px} px), {border_tasks(12):,} for twelve maps; they are submitted "
        "as workers get free, "
        f"so the scheduler never holds more than two for each worker and one tile's."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
