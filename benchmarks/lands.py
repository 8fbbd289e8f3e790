"""Populations to draw samples from: lands simulated without images, with invented maps of stated quality.

    python -m benchmarks.lands [--seeds 21 22] [--draws 200]

`population` gives a land's ground as counts of pixels by stratum, region, class on the map, true class and
bin of the model's probability; `redraws` the points that simple random samples of the strata find in each of
these cells; `as_sample` the table of points of one draw. The command prints the populations, and fails if the
mean of the expansion estimates of coca is not the true area to within four standard errors.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import invented_maps
from benchmarks.invented_maps import MAPS, count_pixels, read_pixels
from cocal import simulate
from cocal.caches import keyed_folder, user_cache
from cocal.code import code_of
from cocal.simulate.land.kinds import CODES
from cocal.simulate.settings import STRATA
from cocal.store import atomic_path

MapName = Literal["good", "f1_065_uneven", "f1_054", "front", "blind_1.5", "blind_3", "blind_6"]
Domains = Literal["districts", "municipalities"]
Ints = NDArray[np.int64]

SEEDS = tuple(range(21, 31))
"""Lands of the benchmarks. No formula was chosen on them (those were 7 and 11 to 18)."""

SIZES = dict(zip(STRATA, (286, 283, 279, 273), strict=True))
"""Points per stratum that the demo's crews reached."""

UNOBSERVED = "unobserved"
KEYS = ["stratum", "region", "map_class", "reference_class", "probability_bin"]


@dataclass(frozen=True)
class Population:
    """The ground of one land, which of it the map shows as what, and the sample to be drawn.

    `cells`: stratum, region, map_class, reference_class, probability_bin, pixels, area_ha; `strata`: stratum,
    area_ha; `known`: stratum, region, map_class, area_ha; `sizes`: points per stratum.
    """

    seed: int
    map: MapName
    domains: Domains
    cells: pd.DataFrame
    sizes: dict[str, int]

    @property
    def strata(self) -> pd.DataFrame:
        """The table of strata of the design."""
        return self.cells.groupby("stratum", sort=False)["area_ha"].sum().reset_index()

    @property
    def known(self) -> pd.DataFrame:
        """What is known before the draw: hectares by stratum, region and class on the map."""
        keys = ["stratum", "region", "map_class"]
        return self.cells.groupby(keys, sort=False)["area_ha"].sum().reset_index()

    @property
    def truth(self) -> pd.DataFrame:
        """True hectares of the observed ground: a row per region, a column per class."""
        seen = self.cells[self.cells["map_class"] != UNOBSERVED]
        table = seen.pivot_table("area_ha", "region", "reference_class", "sum", fill_value=0.0)
        return table.reindex(columns=list(CODES), fill_value=0.0)

    def accuracy(self) -> tuple[float, float, float]:
        """User's accuracy, producer's accuracy and F1 of coca on the map."""
        mapped, true = (self.cells[name] == "coca" for name in ("map_class", "reference_class"))
        area = self.cells["area_ha"]
        users, producers = (float(area[mapped & true].sum() / area[part].sum()) for part in (mapped, true))
        return users, producers, 2 * users * producers / (users + producers)


def population(
    seed: int,
    *,
    map_name: MapName = "good",
    domains: Domains = "districts",
    unobserved: bool = False,
) -> Population:
    """The population of the default land of `seed`; made once, then read from the user's cache.

    With `unobserved`, 1 % of the ground is hidden by clouds and has that class on the map.
    """
    cells = _counted(seed)
    cells = cells[cells["map"] == map_name].drop(columns="map")
    if unobserved:
        cells.loc[cells["hidden"], ["map_class", "probability_bin"]] = UNOBSERVED, 0
    if domains == "districts":
        cells["region"] = cells["region"].str.rsplit("-", n=1).str[0]
    cells = cells.groupby(KEYS, sort=True)[["pixels", "units"]].sum().reset_index()
    order = cells["stratum"].map({name: k for k, name in enumerate(STRATA)})
    cells = cells.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    cells["area_ha"] = cells.pop("units") / 1e10
    return Population(seed, map_name, domains, cells, dict(SIZES))


def kept(
    measured: Callable[[Population, int], pd.DataFrame], land: tuple[int, MapName, Domains], draws: int
) -> pd.DataFrame:
    """`measured` of a population with unobserved ground, made once for the code that `measured` reaches."""
    seed, name, domains = land
    own = [Path(__file__), Path(invented_maps.__file__), *sorted(Path(__file__).parent.glob("*_draws.py"))]
    parts = [code_of(measured).encode(), *(path.read_bytes() for path in own)]
    key = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    path = keyed_folder(user_cache("redraws"), key) / f"{seed}-{name}-{domains}-{draws}.parquet"
    if not path.exists():
        table = measured(population(seed, map_name=name, domains=domains, unobserved=True), draws)
        with atomic_path(path) as temporary:
            table.to_parquet(temporary, index=False)
    return pd.read_parquet(path)


def redraws(population: Population, draws: int, rng: np.random.Generator) -> Ints:
    """(draw, cell) points in each cell: simple random samples of `sizes` pixels of each stratum, without
    replacement.
    """
    out = np.zeros((draws, len(population.cells)), dtype=np.int64)
    pixels, stratum = population.cells["pixels"].to_numpy(), population.cells["stratum"].to_numpy()
    for name, size in population.sizes.items():
        rows = np.flatnonzero(stratum == name)
        out[:, rows] = rng.multivariate_hypergeometric(pixels[rows], size, size=draws, method="marginals")
    return out


def as_sample(population: Population, counts: Ints) -> pd.DataFrame:
    """The points of one draw (cell,): stratum, region, map_class, reference_class, probability_bin."""
    return population.cells.loc[np.repeat(population.cells.index, counts), KEYS].reset_index(drop=True)


def _counted(seed: int) -> pd.DataFrame:
    """Pixels and units (1e-6 m2) of every map by `hidden` and `KEYS`, of municipalities."""
    path = keyed_folder(user_cache("lands"), _code()) / f"{seed}.parquet"
    if not path.exists():
        pixels = read_pixels(seed)
        whole = pd.concat([count_pixels(pixels, name) for name in MAPS], ignore_index=True)
        with atomic_path(path) as temporary:
            whole.to_parquet(temporary, index=False)
    return pd.read_parquet(path)


def _code() -> str:
    """The digest of the code that makes the lands, with which the cache is keyed."""
    home = Path(simulate.__path__[0])
    files = [Path(invented_maps.__file__), *sorted(home.glob("[lf]*/*.py")), home / "noise.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def summary(found: Population, draws: int) -> tuple[str, bool]:
    """A line of the table of populations, and whether the expansion estimates are right on average."""
    cells, drawn = found.cells, redraws(found, draws, np.random.default_rng(found.seed))
    area = cells["stratum"].map(found.strata.set_index("stratum")["area_ha"] / pd.Series(found.sizes))
    coca = (cells["reference_class"] == "coca").to_numpy()
    estimates = (drawn * area.to_numpy())[:, coca].sum(axis=1)
    true = cells.loc[coca, "area_ha"].sum()
    right = abs(estimates.mean() - true) <= 4 * estimates.std(ddof=1) / np.sqrt(draws)
    classes = found.truth["coca"]
    users, producers, f1 = found.accuracy()
    line = (
        f"| {found.seed} | {found.map} | {true:.0f} | {classes.min():.1f} to {classes.max():.0f} "
        f"| {users:.2f} | {producers:.2f} | {f1:.2f} | {estimates.mean():.0f} | {estimates.std(ddof=1):.1f} |"
    )
    return line, bool(right and len(as_sample(found, drawn[0])) == sum(found.sizes.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--draws", type=int, default=200)
    chosen = parser.parse_args()
    print("| seed | map | coca, ha | municipalities, ha | user's | producer's | F1 | mean estimate | SD |")
    print("|---|---|---|---|---|---|---|---|---|")
    wrong = []
    for seed in chosen.seeds:
        for name in MAPS:
            line, right = summary(population(seed, map_name=name, domains="municipalities"), chosen.draws)
            print(line, flush=True)
            wrong += [] if right else [f"{seed} {name}: the estimates are wrong on average"]
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
