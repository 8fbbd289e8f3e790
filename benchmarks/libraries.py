"""cocal's steps against libraries that do the same step: `python -m benchmarks.libraries [--turns 3]`.

The libraries are no dependencies: they are looked for by the Python named in COCAL_PEERS; what is not there
is skipped, and the reason told. Both sides get the same arrays and files; reading them, compiling and
start-up are not counted (`library_steps.py`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np

from benchmarks.kernels import MODELS, invented
from benchmarks.land import CLASSES, SIDES, Land, field_numbers, invent_look, write_land
from benchmarks.peers import PYTHON
from benchmarks.spent import environment
from benchmarks.whole import WORK
from cocal.archive import band_writer
from cocal.features.indices import INDICES

STEPS = Path(__file__).parent / "library_steps.py"
PIXELS, ROWS = 1 << 18, 1 << 15
PAIRS = (
    ("median of 20 dates, 60 % clear", "median_bottleneck", "median_cocal"),
    ("median of 20 dates, 60 % clear", "median_numbagg", "median_cocal"),
    ("eight indices", "indices_spyndex", "indices_cocal"),
    ("forest, 100 x 12", "forest_onnxruntime", "forest_cocal"),
    ("boosting, 100 rounds x 6 classes, its own model", "boosting_lleaves", "boosting_cocal"),
    ("hectares of 40 regions by class", "zones_exactextract", "zones_cocal"),
)


def prepare(land: Land, home: Path) -> None:
    """The arrays and files that the steps read."""
    if (home / "ready").exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    np.save(home / "stack.npy", rng.integers(300, 4000, (20, PIXELS)).astype(np.uint16))
    np.save(home / "clear.npy", rng.random((20, PIXELS)) < 0.6)
    names = sorted({band for index in INDICES.values() for band in index.bands})
    np.savez(
        home / "bands.npz",
        **{n: rng.uniform(0.02, 0.5, PIXELS).astype(np.float32) for n in names if n not in ("vv", "vh")}
    )  # fmt: skip
    x, y = invented(24_000, 1)
    np.save(home / "x.npy", x)
    np.save(home / "y.npy", y)
    np.save(home / "asked.npy", invented(ROWS, 2)[0])
    for name, model in (
        ("forest", "random forest 100 x 12"),
        ("boosting", "boosting 100 rounds x 6 classes"),
    ):
        joblib.dump(MODELS[model][1]().fit(x, y), home / f"{name}.joblib")
    shutil.copy(land.folder / "regions.gpkg", home / "regions.gpkg")
    w = land.window
    (home / "window.json").write_text(json.dumps([w.epsg, w.left, w.top, w.width, w.height]))
    codes = 1 + invent_look(land.side).classes[field_numbers(np.arange(land.side // 2), land.side)] % len(
        CLASSES
    )
    with band_writer(home / "class.tif", w, "uint8") as target:
        target.write(codes.repeat(2, 0).repeat(2, 1).astype(np.uint8), 1)
    (home / "ready").touch()


class AbsentError(Exception):
    """A step that cannot be done here, and why."""


def cost(python: str, step: str, home: Path, turns: int) -> float:
    """The least CPU seconds of a step.

    Raises
    ------
    AbsentError
        It failed: most often a library that is not installed.
    """
    done = subprocess.run(
        [python, str(STEPS), step, str(home), str(turns)], env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise AbsentError((done.stderr.strip().splitlines() or ["it failed"])[-1])
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_s"])


def agreement(home: Path, one: str, other: str) -> str:
    """The largest difference of what came out, of a value above 1 as a share of it; where both are arrays of
    one shape.
    """
    files = [home / f"{name}.npy" for name in (one, other)]
    if not all(f.exists() for f in files):
        return ""
    a, b = (np.load(f) for f in files)
    return f"{np.nanmax(np.abs(a - b) / np.maximum(1, np.abs(a))):.1g}" if a.shape == b.shape else ""


def measure(work: Path, turns: int) -> tuple[list[str], list[str]]:
    """A row for each library that is there; and what was left out."""
    home = work / "libraries"
    prepare(write_land(work, SIDES[1]), home)
    rows, left_out = [], []
    for name, theirs, ours in PAIRS:
        library = theirs.split("_")[1]
        try:
            yardstick = cost(PYTHON, theirs, home, turns)
        except AbsentError as err:
            left_out.append(f"{library} is left out: {err}.")
            continue
        contender = cost(sys.executable, ours, home, turns)
        same = "" if "its own" in name else agreement(home, theirs, ours)
        rows.append(
            f"| {name} | {library} | {yardstick:.3f} | {contender:.3f} | {yardstick / contender:.1f} | "
            f"{same} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows, left_out


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--work", type=Path, default=WORK)
    chosen = parser.parse_args(arguments)
    rows, left_out = measure(chosen.work, chosen.turns)
    head = "| step | library | its CPU s | cocal, CPU s | ratio | largest difference |"
    print("\n".join([head, "|---" * 6 + "|", *rows]))
    if left_out:
        print("\n" + "\n".join(left_out))


if __name__ == "__main__":
    main(sys.argv[1:])
