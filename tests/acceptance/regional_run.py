"""Hectares per region in a run: what adds up in every table, what is reused, what is stated."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.support.adding_up import adding_up_world
from tests.support.command import cocal
from tests.support.small_world import SmallWorld, write_csv

WITHIN_HA = 0.01
PLACES = {
    "hectares": "region_id", "countries": "country", "groups": "region_id", "shown_regions": "region_id",
}  # fmt: skip
MOST_MIB = 100
"""Memory beyond its maps and regions that counting the strata of a tile of 1,536 px may take."""

_COUNTING = """
import sys, tracemalloc
from pathlib import Path
import numpy as np, rasterio
from cocal.grid import Window, cell_area_units
from cocal.run.measure.strata_cells import change_cells, strata_of, stratum_cells
window = Window(32719, 500_000, 8_500_000, 1536, 1536)
path = Path(sys.argv[1]) / "strata.tif"
rng = np.random.default_rng(3)
strata = rng.integers(0, 5, window.shape, dtype=np.uint8)
profile = dict(driver="GTiff", dtype="uint8", count=1, crs="EPSG:32719", width=1536, height=1536,
               transform=window.transform)
with rasterio.open(path, "w", **profile) as target:
    target.write(strata, 1)
codes = [rng.integers(0, 8, window.shape, dtype=np.uint8) for _ in range(2)]
owner = rng.integers(-1, 20, window.shape, dtype=np.int32)
units, zone = cell_area_units(window), np.zeros(window.shape, dtype=np.int64)
tracemalloc.start()
found = strata_of([path], window)
rows = stratum_cells(codes, found, owner, zone, units)
changes = change_cells(codes, found, owner, units)
assert (found == strata).all()
print(tracemalloc.get_traced_memory()[1], len(rows), len(changes))
"""


def _measure(world: SmallWorld) -> str:
    answer = cocal("measure", "--serial", world.config)
    assert answer.returncode == 0, answer.stderr
    return re.findall(r"small: (.*)", answer.stdout)[-1]


def the_classes_of_every_place_of_a_run_add_up_to_its_observed_hectares() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = adding_up_world(Path(folder) / "world")
        _measure(world)
        worst, n = 0.0, 0
        for name, by in PLACES.items():
            table = pd.read_csv(world.root / f"{name}.csv")
            rows = table[table["class"] != "unobserved"]
            keys = [by, "period", *(["level"] if "level" in rows else [])]
            sums = rows.groupby(keys)[["mapped_ha", "estimated_ha"]].sum()
            worst = max(worst, float((sums["mapped_ha"] - sums["estimated_ha"]).abs().max()))
            n += len(sums)
            assert (rows["estimated_ha"] >= 0).all(), name
        assert worst <= WITHIN_HA, worst
    return f"{n} regions, countries, groups and shown places of two periods: within {worst:.4f} ha"


def every_set_of_places_of_a_run_adds_up_to_one_total() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = adding_up_world(Path(folder) / "world")
        _measure(world)
        tables = {
            name: pd.read_csv(world.root / f"{name}.csv") for name in ("hectares", "countries", "legal")
        }
        change, worst = pd.read_csv(world.root / "change.csv"), 0.0
        for period in ("a", "b"):
            own = {name: table[table["period"] == period] for name, table in tables.items()}
            coca = {n: t[t["class"] == "coca"] for n, t in own.items() if n != "legal"}
            nations = coca["countries"].set_index("country")["estimated_ha"]
            sums = [coca["hectares"]["estimated_ha"].sum(), nations["PE"] + nations["BO"]]
            legal = own["legal"]
            sums += [legal.loc[legal["level"] == level, "estimated_ha"].sum() for level in ("zone", "kind")]
            worst = max(worst, *(abs(ha - nations["total"]) for ha in sums))
        for quantity in ("cleared", "new", "net"):
            ha = change[change["quantity"] == quantity]
            whole = ha["region_id"].isna()
            worst = max(
                worst, abs(ha.loc[~whole, "estimated_ha"].sum() - ha.loc[whole, "estimated_ha"].sum())
            )
        assert worst <= WITHIN_HA, worst
    return f"regions, countries, zones of the law, kinds of zone, change: within {worst:.4f} ha of the total"


def counts_are_reused_where_only_the_table_of_the_strata_or_the_records_change() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = adding_up_world(Path(folder) / "world")
        _measure(world)
        again = _measure(world)
        assert again.startswith("0 unit(s) made"), again
        strata = world.folder / "strata.csv"
        write_csv(strata, pd.read_csv(strata).assign(source="SIMULATED"))
        changed = _measure(world)
        assert changed.startswith("1 unit(s) made"), changed
    return f"again: {again}; another table: {changed}"


def points_that_are_out_make_a_preliminary_estimate_that_names_them() -> str:
    with tempfile.TemporaryDirectory() as folder:
        world = adding_up_world(Path(folder) / "world")
        records, path = pd.read_csv(world.folder / "records.csv"), world.folder / "strata.csv"
        write_csv(path, pd.read_csv(path).assign(points=60))
        out = records.index[(records["observed_on"] == "2024-02-15") & (records["stratum"] == "rest")][:9]
        write_csv(world.folder / "records.csv", records.drop(index=out))
        _measure(world)
        notes = pd.read_csv(world.root / "notes.csv", keep_default_na=False)
        (row,) = notes[notes["code"] == "preliminary_missing"].to_dict("records")
        values = json.loads(row["values"])
        assert json.loads(row["keys"]) == {"period": "b"}
        assert (values["n"], values["of"], values["strata"]) == (9, 120, ["rest: 9 / 60"]), values
    return f"{values['n']} of {values['of']} points out, named by stratum: {values['strata'][0]}"


def the_strata_of_a_tile_are_counted_in_bounded_memory() -> str:
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, "-c", _COUNTING, folder], capture_output=True, text=True, check=True, timeout=600
        )
    peak, rows, changes = map(int, answer.stdout.split())
    assert peak <= MOST_MIB << 20, peak
    return f"{peak / 2**20:.0f} MiB for 1,536 x 1,536 px, two periods: {rows} rows, {changes} of change"


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    the_classes_of_every_place_of_a_run_add_up_to_its_observed_hectares,
    every_set_of_places_of_a_run_adds_up_to_one_total,
    counts_are_reused_where_only_the_table_of_the_strata_or_the_records_change,
    points_that_are_out_make_a_preliminary_estimate_that_names_them,
    the_strata_of_a_tile_are_counted_in_bounded_memory,
)
