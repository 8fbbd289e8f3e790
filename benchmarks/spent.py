"""What a command costs: CPU seconds, wall seconds and peak memory of a fresh process; pairs of them as a
table.

    python -S benchmarks/spent.py COMMAND...      prints {"cpu_s": ..., "wall_s": ..., "peak_gib": ...}

The commands are started by this small script, not by the benchmark: a child begins with the peak memory of
its parent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spent:
    """The cost of one process."""

    cpu_s: float
    wall_s: float
    peak_gib: float


@dataclass(frozen=True)
class Pairs:
    """A yardstick and a contender, turn by turn."""

    name: str
    turns: tuple[tuple[Spent, Spent], ...]
    note: str = ""

    def ratios(self, of: str = "cpu_s") -> list[float]:
        """Yardstick over contender, ascending."""
        return sorted(getattr(a, of) / getattr(b, of) for a, b in self.turns)

    def ratio(self, of: str = "cpu_s") -> float:
        """The middle ratio."""
        return self.ratios(of)[len(self.turns) // 2]

    @property
    def row(self) -> str:
        """One line of `table`."""
        (yardstick, contender), ratios = self.turns[len(self.turns) // 2], self.ratios()
        return (
            f"| {self.name} | {yardstick.cpu_s:.1f} | {contender.cpu_s:.1f} | {self.ratio():.1f} "
            f"| {ratios[0]:.1f} to {ratios[-1]:.1f} | {self.ratio('wall_s'):.1f} "
            f"| {yardstick.peak_gib:.2f} | {contender.peak_gib:.2f} | {self.note} |"
        )


def table(pairs: list[Pairs], yardstick: str, note: str) -> str:
    """The pairs as a table for people; seconds are those of the middle turn."""
    head = (
        f"| run | {yardstick}, CPU s | cocal, CPU s | ratio | pair by pair | ratio, wall "
        f"| {yardstick}, GiB | cocal, GiB | {note} |"
    )
    return "\n".join([head, "|---" * 9 + "|", *(p.row for p in pairs)])


def environment() -> dict[str, str]:
    """One thread a library, compiled modules kept, as an installed program runs; `benchmarks` can be
    imported.
    """
    ones = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GDAL_NUM_THREADS"), "1"
    )
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
    return kept | ones | {"PYTHONPATH": path}


def spend(*arguments: str | Path, cwd: Path | None = None) -> Spent:
    """Run a command in a fresh process and tell its cost.

    Raises
    ------
    RuntimeError
        It failed; the end of what it said is told.
    """
    command = [sys.executable, "-S", __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))} failed\n{done.stderr[-3000:]}")
    return Spent(**json.loads(done.stdout.splitlines()[-1]))


def _main(command: list[str]) -> int:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, used = os.wait4(process.pid, 0)
    cost = {
        "cpu_s": used.ru_utime + used.ru_stime, "wall_s": time.monotonic() - began,
        "peak_gib": used.ru_maxrss / 2**20,
    }  # fmt: skip
    print(json.dumps(cost))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
