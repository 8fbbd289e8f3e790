"""One input changed at a time: what is made again, and what is taken as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import rasterio

from cocal.config import read_config
from cocal.run import run
from tests.support.command import stages_of
from tests.support.small_world import SmallWorld, fields, make_world, write_dem, write_labels, write_regions

SIZE_PX = 120
STAGES = ("import", "train", "classify", "measure", "compare", "report")
ALL, NONE = "all", 0


@dataclass(frozen=True)
class Change:
    """What is changed, and how many units of each of `STAGES` that must make anew."""

    name: str
    apply: Callable[[SmallWorld], object]
    made: tuple[int | str, ...]


def _set(*keys: str | int, value: object) -> Callable[[SmallWorld], object]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return lambda world: world.edit(change)


def _brighter(world: SmallWorld) -> None:
    """One source raster with every red value one higher: one date, two zones."""
    path = world.source("20240210")
    with rasterio.open(path, "r+") as raster:
        raster.write(raster.read(1) + 1, 1)


def _one_record_changed(world: SmallWorld) -> None:
    path = world.folder / "records.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",forest,rest", ",bare,rest", 1), encoding="utf-8")


def _official_changed(world: SmallWorld) -> None:
    path = world.folder / "official.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",40,", ",47,"), encoding="utf-8")


def _truth_changed(world: SmallWorld) -> None:
    path = world.folder / "truth.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("40.5", "41.5"), encoding="utf-8")


def _comment(world: SmallWorld) -> None:
    with world.config.open("a", encoding="utf-8") as file:
        file.write("# a remark\n")


MODEL_ON = (NONE, 1, ALL, 1, ALL, 1)
"""What features or the model decide: the model, every map, every table, the page."""

CHANGES = (
    Change("nothing", lambda _: None, (NONE, 0, NONE, 0, 0, 0)),
    Change("a model setting", _set("train", "model", "parameters", "max_depth", value=5), MODEL_ON),
    Change("the mask", _set("index", "mask", "dilate_px", value=4), MODEL_ON),
    Change("the feature list", _set("index", "features", value=["NDVI.median", "red.median", "slope"]),
        MODEL_ON),
    Change("the DEM", lambda w: write_dem(w.folder / "dem.tif", w.window, tilt=700.0), MODEL_ON),
    Change("the label file", lambda w: write_labels(
        w.folder / "labels.geojson", w.window, fields(w.window), first=9), MODEL_ON),
    Change("one source scene", _brighter, (2, 1, ALL, 1, ALL, 1)),
    Change("clear looks needed", _set("classify", "min_clear", value=2), MODEL_ON),
    Change("the region file", lambda w: write_regions(
        w.folder / "regions.geojson", w.window, east_of_middle_m=140.0), (NONE, 0, NONE, 1, ALL, 1)),
    Change("the records file", _one_record_changed, (NONE, 0, NONE, 1, ALL, 1)),
    Change("the confidence", _set("estimate", "confidence", value=0.9), (NONE, 0, NONE, 1, ALL, 1)),
    Change("the official figures", _official_changed, (NONE, 0, NONE, 1, 1, 1)),
    Change("the truth table", _truth_changed, (NONE, 0, NONE, 0, 0, 1)),
    Change("the block size", _set("grid", "block_px", value=32), (NONE, 0, NONE, 0, 0, 1)),
    Change("a remark in the configuration", _comment, (NONE, 0, NONE, 0, 0, 1)),
)  # fmt: skip
"""In the order of the pipeline. The page shows the configuration, so whatever is changed there makes it
anew.
"""


def done(world: SmallWorld) -> dict[str, tuple[int, int]]:
    """(made, reused) of each of `STAGES` in a run in this process, where nothing else may linger."""
    summary = run(read_config(world.config), config_path=world.config)
    assert not summary.failures, summary.failures
    stages = stages_of(world.root)
    return {name: (int(stages[name]["made"]), int(stages[name]["reused"])) for name in STAGES}


def expected(change: Change, units: dict[str, int]) -> dict[str, tuple[int, int]]:
    """The row of the dependency table with the numbers of this land."""
    found = {}
    for stage, made in zip(STAGES, change.made, strict=True):
        count = units[stage] if made == ALL else int(made)
        found[stage] = (count, units[stage] - count)
    return found


def check_change(change: Change, world: SmallWorld, units: dict[str, int]) -> str:
    """The line of the table: one input of a finished run is changed, and the run is made again."""
    change.apply(world)
    found, wanted = done(world), expected(change, units)
    assert found == wanted, f"{change.name} changed: (made, reused) {found}, expected {wanted}"
    return f"{change.name} | " + " | ".join(f"{made}/{reused}" for made, reused in found.values())


def check_as_fresh(world: SmallWorld) -> None:
    """What came out of all the changes is what one run in an empty folder gives."""
    fresh = world.copied(world.folder.with_name("fresh"))
    for folder in (fresh.archive, fresh.folder / "runs"):
        shutil.rmtree(folder)
    done(fresh)
    names = ("hectares.csv", "comparison.csv", "regions.csv", "countries.csv", "report/index.html")
    other = [n for n in names if (fresh.root / n).read_bytes() != (world.root / n).read_bytes()]
    assert not other, f"after all changes not as from a run in an empty folder: {other}"


def put_back(world: SmallWorld, first: SmallWorld) -> None:
    """The inputs as they were; archive and run stay."""
    for path in sorted(first.folder.rglob("*")):
        if path.is_file():
            shutil.copy2(path, world.folder / path.relative_to(first.folder))


def check_put_back(world: SmallWorld, units: dict[str, int]) -> None:
    """Going back to the first inputs finds the first model and the first maps."""
    back = done(world)
    assert back["import"] == (2, units["import"] - 2), back
    assert back["train"] == (0, 1), back
    assert back["classify"] == (0, units["classify"]), back


def a_changed_input_reuses_exactly_what_does_not_depend_on_it() -> str:
    """The dependency table, row after row, against the counts of run.json."""
    with TemporaryDirectory() as name:
        world = make_world(Path(name) / "world", SIZE_PX)
        first = world.copied(Path(name) / "first")
        units = {stage: made for stage, (made, _) in done(world).items()}
        lines = [check_change(change, world, units) for change in CHANGES]
        check_as_fresh(world)
        put_back(world, first)
        check_put_back(world, units)
    print("\n".join(["changed | " + " | ".join(f"{s} made/reused" for s in STAGES), *lines]))
    return (
        f"{len(lines)} changes, each made and reused what the table says ({units} units); tables as of a "
        "fresh run"
    )
