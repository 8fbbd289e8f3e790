"""cocal against eo-learn, geowombat and Orfeo ToolBox on the same composite: `python -m benchmarks.peers
[--turns 1]`.

They are no dependencies: eo-learn and geowombat are looked for by the Python named in COCAL_PEERS (an
environment of their own with the scikit-learn of this one), Orfeo ToolBox on the path. What is not there is
skipped, and the reason printed. One thread each. Orfeo ToolBox cannot load the forest; it trains its own of
equal size (OpenCV), and its time is BandMathX and ImageClassifier.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import joblib
import numpy as np
import rasterio
from sklearn.ensemble import RandomForestClassifier

from benchmarks.land import CLASSES, FORESTS, PERIOD, Land, feature_settings, field_numbers, invent_look, slug
from benchmarks.peer_maps import BANDS, QUARTERS, layers
from benchmarks.spent import Pairs, Spent, spend, table
from benchmarks.whole import WORK, prepared
from cocal.archive import list_scenes, read_scenes, scenes_within
from cocal.classify.kernel import kernel_of, write_kernel
from cocal.features import bands_needed, composite, composite_windows

MAPS = Path(__file__).parent / "peer_maps.py"
PYTHON = os.environ.get("COCAL_PEERS", sys.executable)
TRAINING_PIXELS, WRONG = 24_000, 0.2
OTB_THREADS = {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "OTB_MAX_RAM_HINT": "512"}


def write_composite(land: Land, path: Path) -> None:
    """Forty bands of quarterly medians by cocal; the few gaps get the band's mean, as not every peer knows
    gaps.
    """
    settings, scenes = feature_settings(), list_scenes(land.archive)
    found = [
        composite(read_scenes(scenes_within(scenes, land.window, start, end), land.window,
            bands_needed(settings)), settings)
        for _, start, end in composite_windows(settings, PERIOD)
    ]  # fmt: skip
    profile = {
        "driver": "GTiff", "count": len(BANDS) * QUARTERS, "dtype": "float32", "width": land.side,
        "height": land.side,
        "crs": f"EPSG:{land.window.epsg}", "transform": land.window.transform, "tiled": True,
        "blockxsize": 256,
        "blockysize": 256, "compress": "zstd", "zstd_level": 1, "interleave": "band", "predictor": 3,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        for i, name in enumerate(BANDS):
            for q in range(QUARTERS):
                values = found[q].bands[name]
                target.write(np.where(np.isnan(values), np.nanmean(values), values), i * QUARTERS + q + 1)


def training_table(land: Land, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(pixel, 88) features and classes 1 to 6 of pixels anywhere, one in five wrong."""
    rng = np.random.default_rng(2)
    with rasterio.open(path) as source:
        bands = source.read().reshape(source.count, -1)
    chosen = rng.choice(bands.shape[1], TRAINING_PIXELS, replace=False)
    few = bands[:, chosen]
    features = np.stack([*few, *layers(lambda n: few[n])], axis=1).astype(np.float32)
    numbers = field_numbers(np.arange(land.side // 2), land.side).repeat(2, 0).repeat(2, 1).ravel()[chosen]
    true = invent_look(land.side).classes[numbers]
    return features, 1 + np.where(
        rng.random(len(true)) < WRONG, rng.integers(0, len(CLASSES), len(true)), true
    )


def prepare(land: Land, home: Path) -> None:
    """The composite, a forest of each size, and the training table as a vector file."""
    if (home / "ready").exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    write_composite(land, home / "composite.tif")
    features, codes = training_table(land, home / "composite.tif")
    for forest, size in FORESTS.items():
        estimator = RandomForestClassifier(**size, random_state=0, n_jobs=-1).fit(features, codes)
        joblib.dump(estimator.set_params(n_jobs=1), home / f"{slug(forest)}.joblib")
        kernel = kernel_of(estimator)
        assert kernel is not None
        (home / f"{slug(forest)}.npz").write_bytes(write_kernel(kernel))  # as cocal's own models hold it
    columns = {f"f{i}": features[:, i] for i in range(features.shape[1])} | {"code": codes.astype(np.int32)}
    points = gpd.points_from_xy(np.arange(len(codes)), np.zeros(len(codes)))
    gpd.GeoDataFrame(columns, geometry=points, crs=f"EPSG:{land.window.epsg}").to_file(
        home / "training.gpkg", layer="training"
    )
    (home / "ready").touch()


def by_python(name: str, home: Path, forest: str) -> Spent:
    """One of the peers of `peer_maps.py`, or cocal."""
    python = sys.executable if name == "cocal" else PYTHON
    return spend(
        python, MAPS, name, home / "composite.tif", home / f"{slug(forest)}.joblib", home / f"{name}.tif"
    )


def by_otb(home: Path, forest: str) -> Spent:
    """Orfeo ToolBox: features by BandMathX, classes by ImageClassifier with a forest of its own."""
    model = home / f"{slug(forest)}.otb"
    os.environ.update(OTB_THREADS)
    if not model.exists():
        size = FORESTS[forest]
        subprocess.run(
            [
                "otbcli_TrainVectorClassifier", "-io.vd", home / "training.gpkg", "-cfield", "code", "-feat",
                *(f"f{i}" for i in range(88)), "-classifier", "rf", "-classifier.rf.max",
                str(size["max_depth"]),
                "-classifier.rf.min", str(size.get("min_samples_leaf", 1)), "-classifier.rf.nbtrees",
                str(size["n_estimators"]),
                "-classifier.rf.acc", "0", "-io.out", model, "-rand", "1",
            ], check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    names = [Symbol(f"im1b{n + 1}") for n in range(len(BANDS) * QUARTERS)]
    expression = "im1; " + "; ".join(map(str, layers(lambda n: names[n])))
    features = home / "features.tif"
    first = spend(
        "otbcli_BandMathX", "-il", home / "composite.tif", "-out", features, "float", "-exp", expression
    )
    then = spend(
        "otbcli_ImageClassifier", "-in", features, "-model", model, "-out", home / "otb.tif", "uint8"
    )
    return replace(
        first, cpu_s=first.cpu_s + then.cpu_s, wall_s=first.wall_s + then.wall_s,
        peak_gib=max(first.peak_gib, then.peak_gib)
    )  # fmt: skip


class Symbol(str):
    """A band's name that arithmetic turns into an expression."""

    __slots__ = ()

    def _with(self, sign: str, other: object) -> Symbol:
        return Symbol(f"({self} {sign} {other})")

    def _after(self, sign: str, other: object) -> Symbol:
        return Symbol(f"({other} {sign} {self})")

    def __add__(self, other: object) -> Symbol:
        return self._with("+", other)

    def __sub__(self, other: object) -> Symbol:
        return self._with("-", other)

    def __mul__(self, other: object) -> Symbol:
        return self._with("*", other)

    def __truediv__(self, other: object) -> Symbol:
        return self._with("/", other)

    def __rmul__(self, other: object) -> Symbol:
        return self._after("*", other)


def available() -> dict[str, Callable[[Path, str], Spent] | str]:
    """Each peer's measurement, or why there is none."""
    found: dict[str, Callable[[Path, str], Spent] | str] = {}
    for name, module in (("eo-learn", "eolearn"), ("geowombat", "geowombat")):
        tried = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, text=True)
        reason = (tried.stderr.strip().splitlines() or [""])[-1]
        found[name] = (
            reason if tried.returncode else lambda home, forest, m=module: by_python(m, home, forest)
        )
    found["Orfeo ToolBox"] = (
        by_otb if shutil.which("otbcli_ImageClassifier") else "otbcli_ImageClassifier is not on the path"
    )
    return found


def equal_pixels(home: Path, name: str) -> str:
    """How many classes differ from cocal's."""
    maps = []
    for each in ("cocal", name):
        with rasterio.open(home / f"{each}.tif") as source:
            maps.append(source.read(1))
    return f"{(maps[0] != maps[1]).sum()} differ"


def measure(work: Path, turns: int) -> tuple[list[Pairs], list[str]]:
    """Every peer that is there with every forest, in turns with cocal; and what was left out."""
    land = prepared(work, 1)
    home = work / "peers"
    prepare(land, home)
    found, left_out = [], []
    for name, peer in available().items():
        if isinstance(peer, str):
            left_out.append(f"{name} is left out: {peer}.")
            continue
        for forest in FORESTS:
            pairs = tuple((peer(home, forest), by_python("cocal", home, forest)) for _ in range(turns))
            note = "its own forest" if peer is by_otb else equal_pixels(home, name.replace("-", ""))
            found.append(Pairs(f"{name}, {forest}", pairs, note))
            print(found[-1].row, file=sys.stderr, flush=True)
    return found, left_out


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--work", type=Path, default=WORK)
    chosen = parser.parse_args(arguments)
    found, left_out = measure(chosen.work, chosen.turns)
    print("\n\n".join([table(found, "peer", "classes"), *left_out]))


if __name__ == "__main__":
    main(sys.argv[1:])
