"""An office's census as the map of a run: made by one command without a model, judged by one sample."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray

from cocal.config import read_config
from cocal.estimate import map_errors
from cocal.run import run
from cocal.simulate import SimulateSettings, simulate
from cocal.simulate.land.kinds import CODES

ROOT = Path(__file__).parents[2]
DRAWS, POINTS, LEAST = 1_000, 300, 0.93
MADE = (
    "hectares.csv", "countries.csv", "groups.csv", "change.csv", "legal.csv", "density.csv", "comparison.csv",
    "map_errors.csv", "report/index.html", "files/hectares.xlsx", "files/hectares.gpkg",
    "files/stac/catalog.json", "public/index.html", "public/hectares.csv",
)  # fmt: skip


@cache
def land() -> Path:
    """A folder with the invented border without images, below `work/demo`, and the example configuration."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    simulate(folder / "work" / "demo", SimulateSettings(), images=False)
    (folder / "configs").mkdir()
    text = (ROOT / "configs" / "census.yaml").read_text(encoding="utf-8")
    text = text.replace("schemes/", f"{ROOT.as_posix()}/configs/schemes/")
    (folder / "configs" / "census.yaml").write_text(text, encoding="utf-8")
    return folder


@cache
def finished() -> Path:
    """The folder of the run of the example, all of it made by one call."""
    config = land() / "configs" / "census.yaml"
    return run(read_config(config), config_path=config).folder


def one_command_makes_everything_without_a_model_or_images() -> str:
    folder = finished()
    missing = [name for name in MADE if not (folder / name).is_file()]
    assert not missing, f"not made: {missing}"
    assert not (folder / "model").exists()
    assert not (land() / "work" / "demo" / "archive").exists()
    return f"{len(MADE)} tables, pages and files of {sum(1 for _ in folder.rglob('*'))} made"


def pixels() -> NDArray[np.int64]:
    """(stratum, mapped, true) numbers of pixels: whether the census shows coca, and whether it is."""
    (path,) = (finished() / "maps" / "2024").glob("*/*/class.tif")
    demo = land() / "work" / "demo"
    with rasterio.open(demo / "strata.tif") as source:
        stratum, left, top = source.read(1), source.transform.c, source.transform.f
    with rasterio.open(demo / "truth" / "class.tif") as source:
        true = source.read(1) == CODES["coca"]
    with rasterio.open(path) as source:
        row, column = round((source.transform.f - top) / 10), round((left - source.transform.c) / 10)
        mapped = source.read(1)[row:, column:][: stratum.shape[0], : stratum.shape[1]] == CODES["coca"]
    return np.array([
        [[((stratum == h) & (mapped == m) & (true == t)).sum() for t in (0, 1)] for m in (0, 1)]
        for h in (1, 2, 3, 4)
    ])  # fmt: skip


def omission_and_commission_from_1200_points_hold_the_truth() -> str:
    table = pixels()
    total, rng = table.sum(axis=0), np.random.default_rng(21)
    truth = {"omission": total[0, 1] / total[:, 1].sum(), "commission": total[1, 0] / total[1].sum()}
    strata = pd.DataFrame({"stratum": list("abcd"), "area_ha": table.sum(axis=(1, 2)) / 100})
    rows = [(s, m, r) for s in "abcd" for m in ("other", "coca") for r in ("other", "coca")]
    how = {"estimator": "stratified", "interval": "gamma", "confidence": 0.95, "by_region": False}
    held, width = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0.0)
    for _ in range(DRAWS):
        n = np.concatenate([rng.multivariate_hypergeometric(own.ravel(), POINTS) for own in table])
        points = np.repeat(np.array(rows), n, axis=0)
        sample = pd.DataFrame(points, columns=["stratum", "map_class", "reference_class"])
        (row,) = map_errors(sample, strata, "coca", **how).to_dict("records")
        for name, value in truth.items():
            held[name] += row[f"{name}_low"] <= value <= row[f"{name}_high"]
            width[name] += (row[f"{name}_high"] - row[f"{name}_low"]) / DRAWS
    found = ", ".join(
        f"{name} {truth[name]:.3f}: {held[name] / DRAWS:.1%} of {DRAWS} draws, mean width {width[name]:.2f}"
        for name in truth
    )
    assert min(held.values()) >= LEAST * DRAWS, found
    return found


def each_of_two_maps_has_the_figures_of_a_run_with_it_alone() -> str:
    """Its tables byte for byte, and the same points; see tests/run/test_two_maps.py."""
    command = [sys.executable, "-m", "pytest", "-q", "tests/run/test_two_maps.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:]
    return "8 tables and the estimates of each map, byte for byte"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    one_command_makes_everything_without_a_model_or_images,
    omission_and_commission_from_1200_points_hold_the_truth,
    each_of_two_maps_has_the_figures_of_a_run_with_it_alone,
)
