"""cocal's whole pipeline against the idiomatic one (`idiomatic.py`), in turns, each in a fresh process.

    python -m benchmarks.whole [--mpx 1] [--turns 3] [--forest "100 x 12"] [--work FOLDER]
    python -m benchmarks.whole --tile        10,980 px, cocal alone, beside its own 4 Mpx: an hour

The contender is `cocal measure CONFIG --serial`: archive -> class, probability and clear dates as rasters,
hectares per region. Classes are compared on every pixel. The yardstick is run without numbagg, which slows
Dask's medians down tenfold.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks.land import DISTILLED, FORESTS, SIDES, Land, slug, write_distilled, write_forests, write_land
from benchmarks.spent import Pairs, Spent, spend, table

HERE = Path(__file__).parent
WORK = HERE.parent / "work" / "benchmarks"
COCAL = "from cocal.cli import main; main()"
MOST_YARDSTICK_MPX = 16
"""The yardstick is not run on a whole tile: it would take most of a day."""


def contender(land: Land, forest: str, *options: str) -> Spent:
    """cocal, with nothing made before."""
    shutil.rmtree(land.run_folder(forest), ignore_errors=True)
    return spend(sys.executable, "-c", COCAL, "measure", land.config(forest), "--serial", *options)


def yardstick(land: Land, forest: str) -> Spent:
    """The idiomatic pipeline."""
    model = land.folder.parent / slug(forest) / "forest.joblib"
    return spend(sys.executable, HERE / "idiomatic.py", land.folder, model, yardstick_folder(land, forest))


def yardstick_folder(land: Land, forest: str) -> Path:
    return land.folder / f"idiomatic-{slug(forest)}"


def cocal_classes(land: Land, forest: str) -> NDArray[np.uint8]:
    """(y, x) classes of all tiles."""
    out = np.zeros(land.window.shape, dtype=np.uint8)
    for path in land.run_folder(forest).glob("maps/*/*/*/class.tif"):
        with rasterio.open(path) as source:
            row = round((land.window.top - source.transform.f) / 10)
            column = round((source.transform.c - land.window.left) / 10)
            out[row : row + source.height, column : column + source.width] = source.read(1)
    return out


def compare(land: Land, forest: str) -> str:
    """How many pixels have another class in one map than in the other."""
    mine = cocal_classes(land, forest)
    with rasterio.open(yardstick_folder(land, forest) / "class.tif") as source:
        theirs = source.read(1)
    different = int((mine != theirs).sum())
    observed = float((mine != 0).mean())
    return f"{different} of {mine.size:,} pixels differ ({observed:.1%} observed)"


def in_turns(land: Land, forest: str, turns: int) -> Pairs:
    """Both, one after the other, `turns` times."""
    found = tuple((yardstick(land, forest), contender(land, forest)) for _ in range(turns))
    return Pairs(f"{land.mpx:.1f} Mpx, {forest}", found, compare(land, forest))


def prepared(work: Path, mpx: int) -> Land:
    """The land, the forests and whatever is compiled once."""
    if importlib.util.find_spec("numbagg"):
        raise SystemExit("numbagg is installed: Dask would send the yardstick's medians to it")
    write_forests(write_land(work, SIDES[1]))
    land = write_land(work, SIDES[mpx])
    spend(sys.executable, "-c", COCAL, "warm")
    return land


def distilled(work: Path, mpx: int) -> Pairs:
    """cocal with a model distilled from the large forest against the yardstick with that forest."""
    land, large = prepared(work, mpx), "300 x 18"
    told = write_distilled(prepared(work, 1)).card.validation["distilled_from"]
    student = told["students"][-1]
    turn = (yardstick(land, large), contender(land, DISTILLED if told["kept"] else large))
    with rasterio.open(yardstick_folder(land, large) / "class.tif") as source:
        other = float((source.read(1) != cocal_classes(land, DISTILLED if told["kept"] else large)).mean())
    note = (
        f"accuracy under blocks {told['overall_accuracy']:.4f}, distilled {student['overall_accuracy']:.4f}; "
        f"{other:.1%} of pixels of another class"
    )
    name = f"{land.mpx:.1f} Mpx, {large} distilled to {size_of(student['parameters'])}"
    return Pairs(name if told["kept"] else f"{name}, not kept", (turn,), note)


def size_of(parameters: Mapping[str, Any]) -> str:
    """A student as the table names it."""
    if "hidden_layer_sizes" in parameters:
        return f"a perceptron of {parameters['hidden_layer_sizes'][0]} units"
    return f"{parameters['n_estimators']} x {parameters['max_depth']}"


def whole_tile(work: Path) -> str:
    """cocal alone on 10,980 x 10,980 px and on 4 Mpx, each forest: seconds per Mpx, peak, and whether it is
    linear.
    """
    rows = ["| run | CPU s | s/Mpx | peak GiB | s/Mpx against 4 Mpx |", "|---|---|---|---|---|"]
    for forest in FORESTS:
        small = prepared(work, 4)
        base = contender(small, forest).cpu_s / small.mpx
        land = prepared(work, 120)
        spent = contender(land, forest)
        each = spent.cpu_s / land.mpx
        rows.append(
            f"| {land.side:,} px, {forest} | {spent.cpu_s:.0f} | {each:.2f} | {spent.peak_gib:.2f} "
            f"| {each / base - 1:+.0%} |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join(rows)


def against_the_idiomatic(
    work: Path, sizes: Sequence[int], forests: Sequence[str], turns: int
) -> list[Pairs]:
    """Every size with every forest."""
    found = []
    for mpx in sizes:
        land = prepared(work, mpx)
        for forest in forests:
            found.append(in_turns(land, forest, turns))
            print(found[-1].row, file=sys.stderr, flush=True)
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mpx", type=int, choices=[m for m in SIDES if m <= MOST_YARDSTICK_MPX], action="append"
    )
    parser.add_argument("--forest", choices=list(FORESTS), action="append")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--distilled", action="store_true", help="a small model in place of the large forest")
    parser.add_argument("--tile", action="store_true", help="a whole Sentinel-2 tile, cocal alone")
    chosen = parser.parse_args(arguments)
    if chosen.tile:
        print(whole_tile(chosen.work))
        return
    found = (
        [distilled(chosen.work, 4)]
        if chosen.distilled
        else against_the_idiomatic(
            chosen.work, chosen.mpx or (1, 4), chosen.forest or list(FORESTS), chosen.turns
        )
    )
    print(table(found, "odc-stac + xarray + scikit-learn", "models" if chosen.distilled else "classes"))


if __name__ == "__main__":
    main(sys.argv[1:])
