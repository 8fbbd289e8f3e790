"""How often the intervals of the demo's design hold the truth, over 200 redraws of its field sample.

    python -m benchmarks.redraws [LAND] [--draws 200] [--write docs/simulation.md]

LAND is a folder of `cocal simulate`; left out, the default land is made, with one image a month. Each redraw
draws the default number of pixels in each stratum, loses the points that are not reached as the simulation
says, and estimates hectares per region with the settings of configs/demo.yaml. The exit code is 1 if an
interval holds the truth less often than it promises, beyond what 200 draws can tell (one chance in a
hundred).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import rasterio
import yaml
from numpy.typing import NDArray
from scipy.stats import binom

from benchmarks.marks import write_between
from cocal.estimate import estimate_areas
from cocal.regions import RegionSettings, RegionSource, owned, read_regions
from cocal.simulate import SimulateSettings, simulate
from cocal.simulate.field.records import UNREACHED, UNREACHED_FAR
from cocal.simulate.field.sites import is_far
from cocal.simulate.land.kinds import CODES
from cocal.simulate.settings import STRATA

DEMO = Path(__file__).parents[1] / "configs" / "demo.yaml"
ALL = "all"


@dataclass(frozen=True)
class Frame:
    """What is drawn from: per pixel of the regions stratum, region, true class and place."""

    settings: SimulateSettings
    stratum: NDArray[np.int64]
    region: NDArray[np.object_]
    truth: NDArray[np.object_]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    areas: pd.DataFrame
    truth_ha: dict[str, float]


def read_frame(land: Path) -> Frame:
    """The frame of a simulated land of default settings but for its size and seed."""
    settings = SimulateSettings.model_validate(json.loads((land / "SIMULATED.json").read_text())["settings"])
    source = RegionSource(path=land / "regions.gpkg", id=("region_id",), name="name", country="country")
    regions = read_regions(RegionSettings(sources=(source,), sliver_m=0))
    with rasterio.open(land / "strata.tif") as strata, rasterio.open(land / "truth" / "class.tif") as truth:
        stratum, code = strata.read(1), truth.read(1)
    rows, columns = np.nonzero(stratum)
    names = {number: key for key, number in CODES.items()}
    ids = regions.table["region_id"].to_numpy()
    table = pd.read_csv(land / "truth.csv")
    coca = table[table["class"] == "coca"].set_index("region_id")["truth_ha"]
    return Frame(
        settings,
        stratum[rows, columns].astype(np.int64),
        ids[owned(regions, settings.window)[rows, columns]],
        np.array([names.get(k, "") for k in range(len(names) + 1)], dtype=object)[code[rows, columns]],
        settings.window.x[columns],
        settings.window.y[rows],
        pd.read_csv(land / "strata.csv")[["stratum", "area_ha"]],
        {**coca.to_dict(), ALL: float(coca.sum())},
    )


def redraw(frame: Frame, rng: np.random.Generator) -> pd.DataFrame:
    """A row per point that was reached: stratum, region, map_class (what the office had), reference_class."""
    chosen = np.concatenate(
        [
            rng.choice(
                np.flatnonzero(frame.stratum == number), frame.settings.sample_sizes[name], replace=False
            )
            for number, name in enumerate(STRATA, start=1)
        ]
    )
    far = is_far(frame.settings.terrain, frame.x[chosen], frame.y[chosen])
    chosen = chosen[rng.random(chosen.size) >= np.where(far, UNREACHED_FAR, UNREACHED)]
    office = np.where(frame.stratum[chosen] == 1, "coca", "forest")
    return pd.DataFrame(
        {
            "stratum": np.array(STRATA)[frame.stratum[chosen] - 1], "region": frame.region[chosen],
            "map_class": office, "reference_class": frame.truth[chosen],
        }
    )  # fmt: skip


def estimates(frame: Frame, sample: pd.DataFrame) -> pd.DataFrame:
    """Of coca, by region and in all: estimated hectares and the ends of the interval."""
    wanted = yaml.safe_load(DEMO.read_text(encoding="utf-8"))["estimate"]
    found = estimate_areas(sample, frame.areas, classes=tuple(CODES), by_region=True, **wanted)
    assert found.regions is not None
    regions = found.regions[found.regions["class"] == "coca"].set_index("region")
    whole = found.classes[found.classes["class"] == "coca"].assign(region=ALL).set_index("region")
    columns = ["area_ha", "ci_low_ha", "ci_high_ha"]
    return pd.concat([regions[columns], whole[columns]])


def coverage(land: Path, draws: int, seed: int = 1) -> pd.DataFrame:
    """region, truth_ha, mean_ha, half_width_ha (median), held: how many intervals held the truth, draws."""
    frame, rng = read_frame(land), np.random.default_rng(seed)
    found = pd.concat([estimates(frame, redraw(frame, rng)).assign(draw=k) for k in range(draws)])
    truth = found.index.map(frame.truth_ha).to_numpy()
    found["held"] = (found["ci_low_ha"] <= truth) & (truth <= found["ci_high_ha"])
    found["width"] = found["ci_high_ha"] - found["ci_low_ha"]
    groups = found.groupby(level=0)
    return pd.DataFrame(
        {
            "truth_ha": pd.Series(frame.truth_ha), "mean_ha": groups["area_ha"].mean(),
            "width_ha": groups["width"].median(),
            "held": groups["held"].sum(), "draws": draws,
        }
    )  # fmt: skip


def made(folder: Path) -> Path:
    """The default land in `folder`, with one image a month."""
    simulate(folder, SimulateSettings(acquisitions_per_month=1))
    return folder


def problems(found: pd.DataFrame, promise: float = 0.95) -> list[str]:
    """Regions whose intervals hold the truth less often than promised, beyond chance."""
    least = binom.ppf(0.01, found["draws"].iloc[0], promise)
    return [
        f"{name}: {row['held']:.0f} of {row['draws']:.0f}"
        for name, row in found.iterrows()
        if row["held"] < least
    ]


def table(found: pd.DataFrame) -> str:
    """The coverage as a table for people."""
    rows = [
        "| region | truth, ha | mean estimate, ha | median width of the interval, ha | held the truth |",
        "|---|---|---|---|---|",
    ]
    for name, row in found.iterrows():
        rows.append(
            f"| {name} | {row['truth_ha']:.1f} | {row['mean_ha']:.1f} | {row['width_ha']:.0f} "
            f"| {row['held']:.0f} of {row['draws']:.0f} |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("land", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    chosen = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = coverage(chosen.land or made(Path(folder)), chosen.draws)
    print(table(found), flush=True)
    if chosen.write:
        write_between(chosen.write, "redraws", table(found))
    broken = problems(found)
    print("\n".join(broken) or "the intervals hold the truth as often as they promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
