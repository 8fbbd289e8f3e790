"""A model's map and an office's own in one run: each as a run with it alone, from the same points."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from tests.support.small_world import EPSG, SmallWorld

from cocal.config import read_config
from cocal.run import run
from cocal.run.state import BESIDE

TABLES = ("hectares", "countries", "records", "response", "caveats", "map_errors", "comparison", "notes")


def office(world: SmallWorld) -> dict:
    """An office's census of the small land: a few squares that it takes for coca."""
    west, south, east, _ = world.window.bounds
    step = (east - west) / 8
    boxes = [
        shapely.box(west + i * step, south + j * step, west + (i + 0.7) * step, south + (j + 0.4) * step)
        for i, j in ((1, 1), (2, 5), (4, 3), (6, 6), (5, 1))
    ]
    table = gpd.GeoDataFrame({"kind": "coca"}, index=range(len(boxes)), geometry=boxes, crs=EPSG)
    table.to_file(world.folder / "census.gpkg")
    return {
        "id": "office", "source": "drawn by eye in a test", "licence": "none", "simulated": True,
        "elsewhere": "pasture", "observed": "all",
        "layers": [{"path": "census.gpkg", "class": "coca", "period": "2024"}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def worlds(_finished: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> dict[str, SmallWorld]:
    """The land with the model's map alone, with the office's alone, and with both, the office's leading."""
    found = {"model": _finished}
    for name in ("map", "both"):
        world = found[name] = _finished.copied(tmp_path_factory.mktemp(name) / "world")
        own = office(world)
        both = {**_rules(world), "map": own, "lead": "map"}
        world.edit(lambda c, rules={"map": own} if name == "map" else both: c.update(classify=rules))
        if name == "map":
            world.edit(
                lambda c: [c.pop(key, None) for key in ("archive", "imports", "index", "dem", "train")]
            )
        assert run(read_config(world.config), last="compare").failures == ()
    return found


def _rules(world: SmallWorld) -> dict:
    rules = read_config(world.config).classify
    return {key: getattr(rules, key) for key in rules.model_fields_set}


@pytest.mark.parametrize(("alone", "below"), [("map", ""), ("model", BESIDE)])
def test_the_tables_of_each_map_are_those_of_a_run_with_it_alone(
    worlds: dict[str, SmallWorld], alone: str, below: str
) -> None:
    for name in TABLES:
        both = (worlds["both"].root / below / f"{name}.csv").read_bytes()
        assert both == (worlds[alone].root / f"{name}.csv").read_bytes(), name
    estimates = (worlds["both"].root / below / "estimates.json").read_bytes()
    assert estimates == (worlds[alone].root / "estimates.json").read_bytes()


def test_both_maps_are_judged_by_the_same_points(worlds: dict[str, SmallWorld]) -> None:
    root = worlds["both"].root
    lead, other = (pd.read_csv(f / "records.csv") for f in (root, root / BESIDE))
    assert lead[["record_id", "reference_class"]].equals(other[["record_id", "reference_class"]])
    assert not lead["map_class"].equals(other["map_class"])
