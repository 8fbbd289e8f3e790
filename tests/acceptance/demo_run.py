"""A finished run of the demo, made once: `COCAL_DEMO` names a folder in which `make demo` was run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def demo_copy(home: Path) -> Path:
    """The configuration of a copy of the demo's run; its land is shared, and only read.

    AssertionError without a finished demo.
    """
    made = Path(os.environ.get("COCAL_DEMO") or Path(__file__).parents[2])
    assert (made / "runs" / "demo" / "run.json").exists(), (
        f"run `make demo` in {made} first, or set COCAL_DEMO"
    )
    for name in ("configs", "runs"):
        shutil.copytree(made / name, home / name)
    (home / "work").symlink_to(made / "work")
    return home / "configs" / "demo.yaml"
