"""CPU seconds to find the code of a unit's address: cold, and with the cache; each in a fresh process,
imports not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import yaml

from cocal.assets import asset

TURNS = 3
COLD_SECONDS, WARM_SECONDS = 0.3, 0.05
"""What one kind of unit may take."""

ONE = """
import sys, time
from importlib import import_module
parts = (name.rpartition(".") for name in sys.argv[1:])
functions = [getattr(import_module(module), name) for module, _, name in parts]
import pyproj, rasterio  # a run has them anyway
from cocal.code import code_of
began = time.process_time()
code_of(*functions)
print(time.process_time() - began)
"""


def spent(made_by: list[str], cache: str) -> float:
    """CPU seconds of one process with a cache folder."""
    done = subprocess.run(
        [sys.executable, "-c", ONE, *made_by],
        env=os.environ | {"XDG_CACHE_HOME": cache}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    print("| kind of unit | cold, CPU s | warm, CPU s |\n|---|---|---|")
    slow = []
    for kind, listed in yaml.safe_load(asset("same_results.yaml").read_text(encoding="utf-8")).items():
        cold, warm = [], []
        for _ in range(TURNS):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(spent(listed["made_by"], cache))
                warm.append(spent(listed["made_by"], cache))
        print(f"| {kind} | {min(cold):.2f} | {min(warm):.3f} |")
        if min(cold) > COLD_SECONDS or min(warm) > WARM_SECONDS:
            slow.append(kind)
    if slow:
        print(f"\nSlower than {COLD_SECONDS} cold and {WARM_SECONDS} warm: {', '.join(slow)}.")


if __name__ == "__main__":
    main()
