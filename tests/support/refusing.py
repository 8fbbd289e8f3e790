"""Bad input through the command: exit code, one clear message, nothing half-written."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio

from tests.support.command import COCAL, cocal, committed, uncommitted
from tests.support.small_world import SmallWorld, make_world, write_geojson

USAGE, WORK, BUSY = 2, 1, 75
PAGE = {"index.html", "report.json"}
"""The page lists what failed, so it is made anew, whole, where work failed and the rest went on."""


@dataclass(frozen=True)
class Case:
    """One kind of bad input: what is done to a land that a run has finished on, and what must be said."""

    name: str
    code: int
    words: tuple[str, ...]
    spoil: Callable[[SmallWorld], object]
    arguments: tuple[str, ...] = ("run", "--serial")


def _put(*keys: str | int, value: object) -> Callable[[SmallWorld], object]:
    """Set one key of the configuration; the last key may be new."""

    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return lambda world: world.edit(change)


def _write(name: str, text: str) -> Callable[[SmallWorld], object]:
    return lambda world: (world.folder / name).write_text(text, encoding="utf-8")


def _remove(name: str) -> Callable[[SmallWorld], object]:
    return lambda world: (world.folder / name).unlink()


def _replace(name: str, old: str, new: str) -> Callable[[SmallWorld], object]:
    def spoil(world: SmallWorld) -> None:
        text = (world.folder / name).read_text(encoding="utf-8")
        assert old in text, (name, old)
        (world.folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def _truncate(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _garble(path: Path) -> None:
    """Overwrite the second half of a file with ones: the header stays whole."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) - len(data) // 2))


def _of_source(spoil: Callable[[Path], object]) -> Callable[[SmallWorld], object]:
    return lambda world: spoil(world.source("20240120"))


def _rewrite_without(key: str) -> Callable[[Path], None]:
    """The same raster without its CRS, or without its last band."""

    def spoil(path: Path) -> None:
        with rasterio.open(path) as source:
            profile, values, names = source.profile, source.read(), source.descriptions
        keep = len(names) - (key == "band")
        profile |= {"count": keep} | ({"crs": None} if key == "crs" else {})
        with rasterio.open(path, "w", **profile) as target:
            target.descriptions = names[:keep]
            target.write(values[:keep])

    return spoil


def _other_model(world: SmallWorld) -> None:
    """The model of the finished run for a run with one feature less."""
    model = next(world.root.glob("model/*/card.json")).parent
    world.edit(
        lambda content: (
            content.pop("train"),
            content["classify"].update(model=str(model)),
            content["index"]["features"].remove("red.median"),
        )
    )


def _altered_model(world: SmallWorld) -> None:
    model = next(world.root.glob("model/*/card.json")).parent
    kept = model.rename(world.folder / "kept-model")
    _garble(kept / "model.skops")
    world.edit(lambda content: (content.pop("train"), content["classify"].update(model="kept-model")))


def _regions_in_metres(world: SmallWorld) -> None:
    west, south, east, north = world.window.bounds
    ring = f"[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{south}]]"
    _write(
        "regions.geojson",
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"A","name":"A",'
        f'"country":"PE"}},"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}]}}',
    )(world)


def _flat_region(world: SmallWorld) -> None:
    import shapely

    line = shapely.Polygon([(-72, -12.5), (-71.99, -12.5), (-72, -12.5)])
    write_geojson(world.folder / "regions.geojson", [({"id": "A", "name": "A", "country": "PE"}, line)])


def _regions_without_crs(world: SmallWorld) -> None:
    import geopandas as gpd

    table = gpd.read_file(world.folder / "regions.geojson")
    table.to_file(world.folder / "bare.shp", engine="pyogrio")
    (world.folder / "bare.prj").unlink()
    _put("regions", "sources", 0, "path", value="bare.shp")(world)


def _dem_without_crs(world: SmallWorld) -> None:
    path = world.folder / "dem.tif"
    with rasterio.open(path) as source:
        profile, values = source.profile, source.read()
    with rasterio.open(path, "w", **(profile | {"crs": None})) as target:
        target.write(values + np.float32(1))


CASES = (
    Case("no such configuration", USAGE, ("config.yaml",), _remove("config.yaml")),
    Case("not YAML", USAGE, ("config.yaml", "not YAML"), _write("config.yaml", "name: [unclosed\nruns: {")),
    Case("YAML of another kind", USAGE, ("config.yaml", "keys and values"), _write("config.yaml", "- a\n")),
    Case("bytes that are no text", USAGE, ("config.yaml",), lambda w: w.config.write_bytes(b"\xff\xfe\x00")),
    Case("unknown key", USAGE, ("tile_pix", "tile_px"), _put("grid", "tile_pix", value=96)),
    Case("two problems at once", USAGE, ("min_clear", "dilate_px"), lambda w: (
        _put("classify", "min_clear", value=0)(w), _put("index", "mask", "dilate_px", value=-1)(w))),
    Case("unknown feature", USAGE, ("NDVX.median",), _put("index", "features", 0, value="NDVX.median")),
    Case("period without scenes", USAGE, ("2023", "2024-01-05"), _put(
        "periods", 0, value={"name": "2023", "start": "2023-01-01", "end": "2023-12-31"})),
    Case("no scheme", USAGE, ("scheme.yaml",), _remove("scheme.yaml")),
    Case("scheme is not YAML", USAGE, ("scheme.yaml",), _write("scheme.yaml", "id: [")),
    Case("no region file", USAGE, ("regions.geojson",), _remove("regions.geojson")),
    Case("regions without ids", USAGE, ("regions.geojson", "id"), _replace(
        "regions.geojson", '"id": "PE-1"', '"id": null')),
    Case("no id column", USAGE, ("region_code",), _put("regions", "sources", 0, "id", value="region_code")),
    Case("regions without CRS", USAGE, ("bare.shp", "CRS"), _regions_without_crs),
    Case("regions in a wrong CRS", USAGE, ("regions.geojson", "not on the Earth"), _regions_in_metres),
    Case("empty area", USAGE, ("regions.geojson", "without area"), _flat_region),
    Case("no regions in the file", USAGE, ("regions.geojson",), lambda w: write_geojson(
        w.folder / "regions.geojson", [])),
    Case("no source", USAGE, ("20240120.tif",), _of_source(Path.unlink)),
    Case("source without CRS", USAGE, ("20240120.tif", "coordinate reference system"), _of_source(
        _rewrite_without("crs"))),
    Case("band missing", USAGE, ("20240120.tif", "scl"), _of_source(_rewrite_without("band"))),
    Case("source is no raster", USAGE, ("20240120.tif",), _of_source(lambda p: p.write_text("no raster"))),
    Case("truncated source", WORK, ("20240120", "truncated"), _of_source(_truncate)),
    Case("corrupt source", WORK, ("20240120", "damaged"), _of_source(_garble)),
    Case("no labels", USAGE, ("labels.geojson",), _remove("labels.geojson")),
    Case("label of no class", USAGE, ("labels.geojson", "papaya"), _replace(
        "labels.geojson", '"class": "coca"', '"class": "papaya"')),
    Case("no DEM", USAGE, ("dem", "dem.tif"), _remove("dem.tif")),
    Case("DEM without CRS", USAGE, ("dem.tif", "CRS"), _dem_without_crs),
    Case("truncated DEM", USAGE, ("dem.tif",), lambda w: _truncate(w.folder / "dem.tif")),
    Case("no records", USAGE, ("records.csv",), _remove("records.csv")),
    Case("record of unknown class", USAGE, ("records.csv", "papaya"), _replace(
        "records.csv", ",coca,", ",papaya,")),
    Case("strata that do not fit", USAGE, ("strata.csv", "rest"), _replace("strata.csv", "rest", "other")),
    Case("no strata", USAGE, ("strata.csv",), _remove("strata.csv")),
    Case("no official figures", USAGE, ("official.csv",), _remove("official.csv")),
    Case("official figures without numbers", USAGE, ("official", "coca_ha"), _replace(
        "official.csv", "coca_ha", "hectares")),
    Case("no truth", USAGE, ("truth.csv",), _remove("truth.csv")),
    Case("truth without hectares", USAGE, ("truth.csv", "truth_ha"), _replace("truth.csv", "truth_ha", "ha")),
    Case("model for other features", USAGE, ("small", "red.median"), _other_model),
    Case("altered model", USAGE, ("kept-model", "model.skops"), _altered_model),
    Case("no model", USAGE, ("nowhere",), lambda w: w.edit(
        lambda c: (c.pop("train"), c["classify"].update(model="nowhere")))),
    Case("no archive", USAGE, ("nothing",), lambda w: w.edit(
        lambda c: (c.pop("imports"), c.update(archive="nothing")))),
    Case("runs is a file", USAGE, ("runs: ", "labels.geojson"), _put("runs", value="labels.geojson")),
    Case("truncated source, two workers", WORK, ("20240120", "truncated"), _of_source(_truncate),
         ("run", "--workers", "2")),
    Case("truncated DEM, two workers", USAGE, ("dem.tif",), lambda w: _truncate(w.folder / "dem.tif"),
         ("run", "--workers", "2")),
    Case("no scheduler", USAGE, ("tcp://127.0.0.1:9",), lambda _: None,
         ("run", "--scheduler", "tcp://127.0.0.1:9")),
)  # fmt: skip


@contextmanager
def _another_run(world: SmallWorld) -> Iterator[None]:
    """A run of the same folder that has the lock while the body goes on."""
    world.edit(lambda content: content["train"]["model"]["parameters"].update(n_estimators=400))
    command = [*COCAL, "run", "--serial", str(world.config)]
    other = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert other.stderr is not None
        for line in other.stderr:
            if "start" in line:
                break
        yield
        assert other.poll() is None, "the other run ended too early"
    finally:
        other.kill()
        other.communicate()


def refused(
    case: Case,
    land: SmallWorld,
    folder: Path,
    command: Callable[..., subprocess.CompletedProcess[str]] = cocal,
) -> str:
    """The line of the table for one case; AssertionError if it is not refused as it must be."""
    world = land.copied(folder / case.name.replace(" ", "-"))
    case.spoil(world)
    before = committed(world.root, world.archive)
    loose = uncommitted(world.root, world.archive)
    answer = command(*case.arguments, world.config)
    said = answer.stderr.splitlines()
    told = "\n".join(line for line in said if " INFO " not in line)
    after = committed(world.root, world.archive)
    kept = {p: f for p, f in before.items() if p in after}
    problems = []
    if answer.returncode != case.code:
        problems.append(f"exit code {answer.returncode}, not {case.code}")
    if "Traceback" in answer.stderr + answer.stdout:
        problems.append("a traceback")
    problems += [f"{word!r} is not named" for word in case.words if word not in told]
    told_anew = PAGE if case.code == WORK else set()
    problems += [f"rewritten: {p.name}" for p, f in kept.items() if after[p] != f and p.name not in told_anew]
    left = uncommitted(world.root, world.archive) - loose
    problems += [f"half-written: {p}" for p in sorted(left) if p not in before]
    assert not problems, f"{case.name}: {'; '.join(problems)}\n{answer.stderr[-2000:]}"
    lines = told.splitlines()
    first = next((line for word in ("cocal: ", "failed ") for line in lines if line.startswith(word)), "")
    return f"{case.code} | {case.name} | {first.replace(str(world.folder), '.')[:150]}"


def refuse_two_at_once(land: SmallWorld, folder: Path) -> str:
    """A second run in the same folder is refused at once, and the first goes on."""
    world = land.copied(folder / "two-at-once")
    with _another_run(world):
        began = time.monotonic()
        answer = cocal("run", "--serial", world.config)
        assert answer.returncode == BUSY, (answer.returncode, answer.stderr)
        assert "in use by another cocal process" in answer.stderr, answer.stderr
        assert "Traceback" not in answer.stderr, answer.stderr
        seconds = time.monotonic() - began
    return f"{BUSY} | two runs at once | {answer.stderr.splitlines()[0]} ({seconds:.0f} s)".replace(
        str(world.folder), "."
    )


def bad_input_is_refused_clearly() -> str:
    """Every case of `CASES`, and two runs at once, through the command."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        land = make_world(folder / "land", 96)
        whole = cocal("run", "--serial", land.config)
        assert whole.returncode == 0, whole.stderr
        with ThreadPoolExecutor(2) as pool:
            lines = list(pool.map(lambda case: _line(case, land, folder), CASES))
        lines.append(refuse_two_at_once(land, folder))
    print("\n".join(["exit code | case | message", *lines]))
    bad = [line for line in lines if line.startswith("FAILS")]
    assert not bad, f"{len(bad)} of {len(lines)} cases: " + "\n".join(bad)
    return (
        f"{len(lines)} kinds of bad input refused, each by name, without a traceback or a half-written file"
    )


def _line(case: Case, land: SmallWorld, folder: Path) -> str:
    try:
        return refused(case, land, folder)
    except AssertionError as err:
        return f"FAILS | {err}"
