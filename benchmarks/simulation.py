"""What `cocal simulate` costs as the land grows: CPU seconds and memory, one process, at 5, 10 and 20 km and
12 to 72 dates.

    python -m benchmarks.simulation [--write docs/simulation.md]

Each line is a process of its own. `s/Mpx/date` leaves out what does not grow (starting, boundaries, crews),
which is measured at 1.4 km. The exit code is 1 if the cost per pixel and date at 10 and 20 km differs by more
than a quarter, or if memory grows by more than a tenth between them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.marks import write_between

CASES = ((144, 1), (504, 3), (1008, 1), (1008, 3), (1008, 6), (2004, 3))
"""Side in pixels of 10 m, acquisitions per month. The first is what does not grow."""
MOST_COST_CHANGE, MOST_MEMORY_GROWTH = 1.25, 1.10

PROGRAM = """
import sys
from pathlib import Path
from cocal.simulate import SimulateSettings, simulate
size_px, acquisitions = map(int, sys.argv[2:4])
simulate(Path(sys.argv[1]), SimulateSettings(size_px=size_px, acquisitions_per_month=acquisitions))
"""


@dataclass(frozen=True)
class Cost:
    """What one land cost."""

    size_px: int
    per_month: int
    cpu_s: float
    peak_gib: float
    disk_gb: float

    @property
    def mpx_dates(self) -> float:
        return self.size_px**2 / 1e6 * 12 * self.per_month

    def per_mpx_date(self, fixed_s: float) -> float:
        return (self.cpu_s - fixed_s) / self.mpx_dates


def measure(size_px: int, per_month: int) -> Cost:
    """The cost of a land in a process of its own."""
    with TemporaryDirectory() as folder:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        arguments = [sys.executable, "-c", PROGRAM, folder, str(size_px), str(per_month)]
        process = subprocess.Popen(arguments, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"simulate failed at {size_px} px")
        disk = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    return Cost(size_px, per_month, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20, disk / 1e9)


def table(costs: list[Cost]) -> str:
    """The costs as a table for people."""
    fixed = costs[0].cpu_s
    rows = ["| side, km | dates | CPU s | s/Mpx/date | peak GiB | disk GB |", "|---|---|---|---|---|---|"]
    for c in costs[1:]:
        rows.append(
            f"| {c.size_px / 100:.1f} | {12 * c.per_month} | {c.cpu_s:.0f} | {c.per_mpx_date(fixed):.2f} "
            f"| {c.peak_gib:.2f} | {c.disk_gb:.2f} |"
        )
    return "\n".join([*rows, "", f"What does not grow: {fixed:.0f} CPU s."])


def problems(costs: list[Cost]) -> list[str]:
    """What does not hold."""
    fixed, found = costs[0].cpu_s, []
    ten = next(c for c in costs if (c.size_px, c.per_month) == (1008, 3))
    twenty = next(c for c in costs if c.size_px == 2004)
    ratio = twenty.per_mpx_date(fixed) / ten.per_mpx_date(fixed)
    if not 1 / MOST_COST_CHANGE <= ratio <= MOST_COST_CHANGE:
        found.append(f"cost per pixel and date at 20 km is {ratio:.2f} of that at 10 km")
    dates = [c for c in costs if c.size_px == 1008]
    slopes = [(b.cpu_s - a.cpu_s) / (b.mpx_dates - a.mpx_dates) for a, b in pairwise(dates)]
    if not 1 / MOST_COST_CHANGE <= slopes[1] / slopes[0] <= MOST_COST_CHANGE:
        found.append(f"a further date costs {slopes[1]:.2f} s/Mpx after 36 dates, {slopes[0]:.2f} before")
    if twenty.peak_gib > MOST_MEMORY_GROWTH * ten.peak_gib:
        found.append(f"memory grows from {ten.peak_gib:.2f} to {twenty.peak_gib:.2f} GiB")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    chosen = parser.parse_args()
    costs = [measure(*case) for case in CASES]
    print(table(costs), flush=True)
    if chosen.write:
        write_between(chosen.write, "growth", table(costs))
    found = problems(costs)
    print("\n".join(found) or "linear in area and dates, memory flat")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
