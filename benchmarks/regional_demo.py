"""The same as `regional` on the demo: its own land, strata and map, as `make demo` left them.

    python -m benchmarks.regional_demo [--run runs/demo] [--land work/demo] [--draws 1000] [--write FILE]

Exit code 1 if a bound is broken, 2 without a finished demo: then nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from rasterio.merge import merge

from benchmarks.invented_maps import BINS
from benchmarks.lands import KEYS, SIZES, UNOBSERVED, Population
from benchmarks.marks import write_between
from benchmarks.regional import HEAD, judged, line, problems
from benchmarks.regional_draws import measured
from cocal.grid import cell_area_units
from cocal.regions import RegionSettings, RegionSource, owned, read_regions
from cocal.simulate import SimulateSettings
from cocal.simulate.land.kinds import CODES
from cocal.simulate.settings import STRATA

LARGEST_RMSE = {"forest": 40.0, "pasture": 30.0, "coca": 10.0}


def demo_population(run: Path, land: Path) -> Population:
    """The ground of the demo's regions by stratum, region, class on the run's map and true class."""
    window = SimulateSettings().window
    source = RegionSource(path=land / "regions.gpkg", id=("region_id",), name="name", country="country")
    regions = read_regions(RegionSettings(sources=(source,), sliver_m=0))
    stratum, truth = (_read([land / name]) for name in ("strata.tif", "truth/class.tif"))
    tiles = sorted((run / "maps").glob("*/*/*/class.tif"))
    if len({path.parent.parent for path in tiles}) < len(tiles):
        raise SystemExit(f"{run} holds several maps of one tile: remove it and run the demo again")
    mapped = _read(tiles)
    probability = _read([path.with_name("probability.tif") for path in tiles]) / 10_000
    here = stratum > 0
    names, ids = np.array([UNOBSERVED, *CODES]), regions.table["region_id"].to_numpy()
    bins = np.where(mapped > 0, np.digitize(probability, BINS), 0)
    pixels = pd.DataFrame(
        {
            "stratum": np.array(STRATA)[stratum[here] - 1], "region": ids[owned(regions, window)[here]],
            "map_class": names[mapped[here]], "reference_class": names[truth[here]],
            "probability_bin": bins[here], "pixels": 1, "area_ha": cell_area_units(window)[here] / 1e10,
        }
    )  # fmt: skip
    cells = pixels.groupby(KEYS)[["pixels", "area_ha"]].sum().reset_index()
    order = cells["stratum"].map({name: k for k, name in enumerate(STRATA)})
    cells = cells.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    return Population(7, "f1_054", "districts", cells, dict(SIZES))


def _read(paths: list[Path]) -> NDArray[np.int64]:
    """(y, x) the rasters on the land's window, 0 where there is none."""
    window = SimulateSettings().window
    with rasterio.Env():
        values, _ = merge(paths, bounds=window.bounds, nodata=0)
    return values[0].astype(np.int64)


def judged_demo(run: Path, land: Path, draws: int) -> tuple[pd.DataFrame, list[str]]:
    """(a row per region and class, the bounds that are broken) of a finished demo."""
    found = measured(demo_population(run, land), draws)
    rows = judged(found)
    mean = rows.groupby("class")["rmse"].mean()
    large = [f"mean RMSE of {k} {mean[k]:.1f} ha" for k, most in LARGEST_RMSE.items() if mean[k] > most]
    return rows, [*problems(found), *large]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--land", type=Path, default=Path("work/demo"))
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--write", type=Path, help="file that holds the table between its marks")
    chosen = parser.parse_args()
    if not (chosen.run / "maps").is_dir() or not (chosen.land / "truth").is_dir():
        print(f"no finished demo in {chosen.run} and {chosen.land}: run `make demo`", file=sys.stderr)
        return 2
    rows, broken = judged_demo(chosen.run, chosen.land, chosen.draws)
    values = zip(HEAD[2:], line(rows), strict=True)
    text = "\n".join(["| | the demo |", "|---|---|", *(f"| {name} | {value} |" for name, value in values)])
    print(text)
    if chosen.write:
        write_between(chosen.write, "regional_demo", text)
    print("\n".join(broken) or "all bounds hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
