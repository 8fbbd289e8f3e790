"""Makes all tables of a document anew: `python -m benchmarks.tables [docs/statistics.md ...]`.

A document says below each of its tables which command makes it: `python -m benchmarks.NAME --write DOCUMENT`.
These commands are run in their order; the exit code is 1 if one of them finds a bound broken.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("docs/statistics.md",)


def modules(page: str) -> list[str]:
    """The benchmarks that write tables of `page`, in the order in which it names them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return list(dict.fromkeys(re.findall(rf"python -m benchmarks\.(\w+) --write {re.escape(page)}", text)))


def main(pages: list[str]) -> int:
    broken = []
    for page in pages or PAGES:
        for module in modules(page):
            command = [sys.executable, "-m", f"benchmarks.{module}", "--write", page]
            print(" ".join(command[1:]), flush=True)
            if subprocess.run(command, cwd=ROOT, check=False).returncode:
                broken.append(f"{module}: a bound is broken, or it failed")
    print("\n".join(broken) or "all tables are made, all bounds hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
