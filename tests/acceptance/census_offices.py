"""Two offices that share nothing but bundles."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from cocal.config import read_config
from cocal.exchange.figures import FIGURES
from cocal.exchange.signing import make_keys
from cocal.run import run
from cocal.run.bundle import make, read_signed, write_merged
from tests.support.adding_up import adding_up_world
from tests.support.small_world import SmallWorld, write_csv


def two_offices_that_share_nothing_but_bundles_get_the_figures_of_one_run() -> str:
    """One design for both countries; each office runs its own regions and records in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        whole = adding_up_world(home / "whole")
        _as_designed(whole)
        assert not run(read_config(whole.config), last="compare", config_path=whole.config).failures
        paths, keys = [], []
        for country in ("PE", "BO"):
            world = whole.copied(home / country)
            _only_country(world, country)
            assert not run(read_config(world.config), last="compare", config_path=world.config).failures
            pair = [home / f"{country}.{kind}.pem" for kind in ("private", "public")]
            make_keys(*pair)
            made = make(world.root, country, 1, pair[0])
            paths.append(Path(shutil.copy(made, home / f"{country}.json")))
            keys.append(pair[1])
            shutil.rmtree(world.folder)
        write_merged(read_signed(paths, keys), home / "merged", None)
        found = pd.read_csv(home / "merged" / "hectares.csv")
        own = pd.read_csv(whole.root / "countries.csv").set_index(["country", "period", "class"])
        rows = found[found["level"] != "place"].set_index(["id", "period", "class"])
        own = own.loc[rows.index]
        assert (rows["mapped_ha"] == own["mapped_ha"]).all()
        for name in FIGURES:
            apart = (rows[name] - own[name]).abs().max()
            assert apart <= 0.51e-6, (name, apart)
        own, rows = _changes(whole.root / "change.csv"), _changes(home / "merged" / "change.csv")
        apart = (rows - own.loc[rows.index]).abs().max().max()
        assert apart <= 0.51e-6, apart
    return f"two folders, two files: {len(found)} rows of hectares, {len(rows)} of change as of one run"


def _as_designed(world: SmallWorld) -> None:
    """The strata with the points and pixels that they were drawn with, as `cocal design` writes them."""
    records, path = pd.read_csv(world.folder / "records.csv"), world.folder / "strata.csv"
    own = (
        records.drop_duplicates("sample_id").groupby("stratum")["inclusion_probability"].agg(["size", "max"])
    )
    strata = pd.read_csv(path).set_index("stratum", drop=False)
    write_csv(path, strata.assign(points=own["size"], pixels=own["size"] / own["max"]))


def _only_country(world: SmallWorld, country: str) -> None:
    """An office's own regions and records; the design is that of both countries."""
    records = pd.read_csv(world.folder / "records.csv", dtype=str)
    regions = gpd.read_file(world.folder / "regions.geojson")
    own = regions[regions["country"] == country].union_all()
    points = gpd.points_from_xy(records["lon"].astype(float), records["lat"].astype(float))
    write_csv(world.folder / "records.csv", records[points.within(own)])

    def change(content: dict[str, Any]) -> None:
        content["regions"]["sources"][0]["where"] = {"country": [country]}
        content["records"]["outside"] = "allowed"
        for key in ("groups", "publish", "legal"):
            content.pop(key, None)

    world.edit(change)


def _changes(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    names = {"loss": "cleared", "gain": "new", "net": "net", "cleared": "cleared", "new": "new"}
    if "level" in table:
        table = table[table["level"] == "total"].assign(region_id=np.nan)
    table = table[table["region_id"].isna() & table["quantity"].isin(names)]
    return table.assign(quantity=table["quantity"].map(names)).set_index("quantity")[list(FIGURES)]


REQUIREMENTS: tuple[Callable[[], str], ...] = (
    two_offices_that_share_nothing_but_bundles_get_the_figures_of_one_run,
)
