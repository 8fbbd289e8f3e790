"""Run fuzz targets for a stated number of inputs each; exit code 1 if one finds a fault."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz import LIMIT_S, TARGETS, faults


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all without")
    parser.add_argument("--count", type=int, default=200, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--limit", type=int, default=LIMIT_S, metavar="S", help="seconds for one input")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.targets if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}: one of {', '.join(TARGETS)}")
    failed = False
    for target in asked.targets or TARGETS:
        began, found = time.monotonic(), 0
        for seed, wrong in faults(target, asked.count, asked.seed, asked.limit):
            print(f"{target} | seed {seed} | {wrong}", flush=True)
            found += 1
        seconds = time.monotonic() - began
        print(f"{target} | {asked.count} inputs | {found} faults | {seconds:.0f} s", flush=True)
        failed |= found > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
