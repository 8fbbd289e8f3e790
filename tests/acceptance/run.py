"""Acceptance of an issue and of those before it: `python tests/acceptance/run.py 2 [word ...]`.

Prints one line per requirement with the figure that was measured. Exit code 1 if one does not hold.
Words choose the requirements whose name holds one of them.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent


def issues_up_to(last: int) -> list[int]:
    found = sorted(
        int(p.stem.removeprefix("issue_")) for p in HERE.glob("issue_*.py") if p.stem.count("_") == 1
    )
    return [n for n in found if n <= last]


def main(arguments: list[str]) -> int:
    last, words = int(arguments[0]), arguments[1:]
    sys.path.insert(0, str(HERE))
    failed = 0
    for issue in issues_up_to(last):
        module = importlib.import_module(f"issue_{issue}")
        for requirement in module.REQUIREMENTS:
            name = requirement.__name__.replace("_", " ")
            if words and not any(word in name for word in words):
                continue
            began = time.monotonic()
            try:
                figure, mark = requirement(), "holds"
            except Exception as err:  # noqa: BLE001 - one requirement must not hide the others
                traceback.print_exc()
                figure, mark = f"{type(err).__name__}: {err}", "DOES NOT HOLD"
                failed += 1
            seconds = time.monotonic() - began
            print(f"issue {issue} | {name} | {mark} | {figure} | {seconds:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
