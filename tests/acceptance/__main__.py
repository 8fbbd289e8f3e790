"""What cocal must show, by subject: `python -m tests.acceptance [SUBJECT [word ...]]`, every subject without
one.

Prints one line per requirement with the figure that was measured. Exit code 1 if one does not hold.
Words choose the requirements whose name holds one of them.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback

SUBJECTS = (
    "house", "proof", "job", "estimation", "regional", "census", "ground", "simulation", "download", "speed",
    "models", "pages",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    chosen, words = arguments[:1] or SUBJECTS, arguments[1:]
    if unknown := [name for name in chosen if name not in SUBJECTS]:
        print(f"no subject {unknown[0]!r}: one of {', '.join(SUBJECTS)}", file=sys.stderr)
        return 2
    failed = 0
    for subject in chosen:
        for requirement in importlib.import_module(f"tests.acceptance.{subject}").REQUIREMENTS:
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
            print(f"{subject} | {name} | {mark} | {figure} | {seconds:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
