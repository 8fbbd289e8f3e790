"""A large cloudy raster across a zone meridian: one answer for all tiles, blocks, workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
import shapely
import yaml
from numpy.typing import NDArray

from cocal.grid import Window, project
from cocal.simulate import simulate_scenes
from tests.support.command import cocal
from tests.support.small_world import (
    EPSG,
    SCHEME,
    SmallWorld,
    config_of,
    write_config,
    write_dem,
    write_geojson,
)

SIZE_PX = 3_024
DAYS = (date(2024, 5, 7), date(2024, 7, 7), date(2024, 9, 7))
BANDS = ("red", "nir", "swir16")
SEED, LABELS = 3, 240


@dataclass(frozen=True)
class Variant:
    """How the work is cut and where it is done."""

    tile_px: int
    block_px: int
    executor: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.tile_px}-{self.block_px}" + "".join(self.executor)


SERIAL, ONE, FOUR = ("--serial",), ("--workers", "1"), ("--workers", "4")
VARIANTS = (
    Variant(384, 128, SERIAL), Variant(384, 384, FOUR),
    Variant(768, 128, FOUR), Variant(768, 384, ONE),
    Variant(1536, 128, ONE), Variant(1536, 384, SERIAL),
)  # fmt: skip
"""Each tile twice, each block three times, serial, one and four Dask workers twice each; both extremes."""


def large_world(folder: Path) -> SmallWorld:
    """Simulated scenes, heights, four regions (two across the meridian) and labels, to be imported."""
    world = SmallWorld(folder, SIZE_PX)
    paths = simulate_scenes(folder / "sources", world.window, days=DAYS, seed=SEED, bands=BANDS)
    write_dem(folder / "dem.tif", world.window)
    write_four_regions(folder / "regions.geojson", world.window)
    write_brightness_labels(folder / "labels.geojson", paths[0])
    (folder / "scheme.yaml").write_bytes(SCHEME.read_bytes())
    content = config_of(tuple(f"{day:%Y%m%d}" for day in DAYS))
    for settings, path in zip(content["imports"], paths, strict=True):
        settings["path"] = f"sources/{path.name}"
    content["index"]["mask"]["dilate"] = ["cloud_shadow", "cloud_medium", "cloud_high", "cirrus"]
    content["index"]["mask"]["dilate_px"] = 3
    for key in ("records", "estimate", "comparison"):
        del content[key]
    content["grid"] = {"tile_px": 768, "block_px": 384}
    write_config(world.config, content)
    return world


def write_four_regions(path: Path, window: Window) -> None:
    """West, east, and two across the meridian, without a gap; 300 m from the edge of the raster."""
    west, south, east, north = shapely.box(*window.bounds).buffer(-300).bounds
    x, width, y = (west + east) / 2, (east - west) / 5, (south + north) / 2 + 333
    boxes = {"W": (west, south, x - width, north), "E": (x + width, south, east, north),
             "N": (x - width, y, x + width, north), "S": (x - width, south, x + width, y)}  # fmt: skip
    rows = [
        ({"id": key, "name": key, "country": "PE"}, project(shapely.box(*box), EPSG, 4326, densify=500))
        for key, box in boxes.items()
    ]
    write_geojson(path, rows)


def write_brightness_labels(path: Path, source: Path) -> None:
    """Squares of 5 x 5 px named after the third of short-wave infrared that they lie in: a speckled map."""
    rng = np.random.default_rng(SEED)
    with rasterio.open(source) as raster:
        window = Window(EPSG, *(round(v) for v in (raster.transform.c, raster.transform.f)),
                        raster.width, raster.height)  # fmt: skip
        swir = raster.read(raster.descriptions.index("swir16") + 1)
    cells = rng.choice((SIZE_PX // 10) ** 2, LABELS, replace=False)
    corners = [(int(cell) // (SIZE_PX // 10) * 10, int(cell) % (SIZE_PX // 10) * 10) for cell in cells]
    values = np.array([np.median(swir[r : r + 5, c : c + 5]) for r, c in corners])
    thirds = np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))
    rows = []
    for number, (row, column) in enumerate(corners):
        left, top = window.left + column * 10, window.top - row * 10
        square = project(shapely.box(left, top - 50, left + 50, top), EPSG, 4326)
        rows.append(({"id": f"L{number}", "class": ("forest", "coca", "bare")[thirds[number]]}, square))
    write_geojson(path, rows)


def run_variant(world: SmallWorld, variant: Variant, model: Path) -> Path:
    """Map and measure in a folder of its own, with the model trained before; the run's folder."""
    content: dict[str, Any] = yaml.safe_load(world.config.read_text(encoding="utf-8"))
    del content["imports"], content["train"]
    content |= {"name": variant.name, "grid": {"tile_px": variant.tile_px, "block_px": variant.block_px}}
    content["classify"]["model"] = str(model)
    path = world.folder / f"{variant.name}.yaml"
    write_config(path, content)
    answer = cocal("measure", path, *variant.executor)
    assert answer.returncode == 0, f"{variant.name}: {answer.stderr[-1500:]}"
    return world.folder / "runs" / variant.name


Mosaic = dict[int, tuple[Window, NDArray[np.uint16], NDArray[np.bool_]]]


def mosaic(root: Path, file: str) -> Mosaic:
    """Per zone the window that the tiles span, their values, and where there is a tile."""
    parts: dict[int, list[tuple[Window, NDArray[np.uint16]]]] = {}
    for path in sorted(root.glob(f"maps/*/*/*/{file}")):
        with rasterio.open(path) as raster:
            left, top = round(raster.transform.c), round(raster.transform.f)
            window = Window(raster.crs.to_epsg(), left, top, raster.width, raster.height)
            parts.setdefault(window.epsg, []).append((window, raster.read(1).astype(np.uint16)))
    found: Mosaic = {}
    for epsg, tiles in parts.items():
        whole = reduce(_union, (window for window, _ in tiles))
        values, covered = np.zeros(whole.shape, np.uint16), np.zeros(whole.shape, bool)
        for window, array in tiles:
            inside = whole.slices_of(window)
            values[inside], covered[inside] = array, True
        found[epsg] = whole, values, covered
    return found


def _union(a: Window, b: Window) -> Window:
    left, top = min(a.left, b.left), max(a.top, b.top)
    right, bottom = max(a.right, b.right), min(a.bottom, b.bottom)
    return Window(a.epsg, left, top, (right - left) // 10, (top - bottom) // 10)


def differing(one: Mosaic, other: Mosaic) -> tuple[int, int]:
    """(pixels that both cover, pixels of these that differ)."""
    assert one.keys() == other.keys(), f"zones {sorted(one)} and {sorted(other)}"
    both = different = 0
    for epsg, (window, values, covered) in one.items():
        there, others, others_covered = other[epsg]
        common = window.intersection(there)
        assert common is not None, f"no common ground in {epsg}"
        mine, theirs = window.slices_of(common), there.slices_of(common)
        shared = covered[mine] & others_covered[theirs]
        both += int(shared.sum())
        different += int((values[mine] != others[theirs])[shared].sum())
    return both, different


def cloudy_share(world: SmallWorld) -> float:
    """Share of the pixel-dates of the sources that are cloud or cloud shadow."""
    shares = []
    for path in sorted((world.folder / "sources").glob("*.tif")):
        with rasterio.open(path) as raster:
            shares.append(np.isin(raster.read(raster.count), (3, 8, 9, 10)).mean())
    return float(np.mean(shares))


def a_raster_across_a_zone_meridian_gives_one_answer() -> str:
    """Six ways to cut and place the work: class, probability and hectares.csv are the same."""
    with TemporaryDirectory() as name:
        world = large_world(Path(name) / "land")
        trained = cocal("train", world.config, "--workers", "2")
        assert trained.returncode == 0, trained.stderr[-2000:]
        model = next(world.root.glob("model/*/card.json")).parent
        with ThreadPoolExecutor(2) as pool:
            roots = list(pool.map(lambda variant: run_variant(world, variant, model), VARIANTS))
        tables = {(root / "hectares.csv").read_bytes() for root in roots}
        assert len(tables) == 1, f"{len(tables)} different hectares.csv"
        figures = _compare(roots)
        return (
            f"{SIZE_PX} x {SIZE_PX} px, {cloudy_share(world):.0%} of the pixel-dates cloudy; "
            f"{', '.join(root.name for root in roots)}: {figures}; hectares.csv identical to the byte"
        )


def _compare(roots: list[Path]) -> str:
    pixels, classes = [], mosaic(roots[0], "class.tif")
    for file in ("class.tif", "probability.tif"):
        first = mosaic(roots[0], file)
        for root in roots[1:]:
            both, different = differing(first, mosaic(root, file))
            assert different == 0, (
                f"{root.name}: {different} of {both} pixels of {file} are not {roots[0].name}'s"
            )
            pixels.append(both)
    covered = sum(int(c.sum()) for _, _, c in classes.values())
    assert set(pixels) == {covered}, f"not all of {covered} pixels lie in every variant: {pixels}"
    counts = sum(np.bincount(v[c], minlength=8) for _, v, c in classes.values())
    per_zone = {epsg: int((v[c] > 0).sum()) for epsg, (_, v, c) in classes.items()}
    assert len(per_zone) == 2, per_zone
    assert min(per_zone.values()) > 0.3 * SIZE_PX**2, per_zone
    assert (counts[[1, 2, 6]] > 0.02 * covered).all(), counts.tolist()
    return f"0 of {covered} pixels differ in class or probability, observed per zone {per_zone}"
