"""A map with a minimum unit, from drafts to hectares, on the small land."""

from __future__ import annotations

import shutil
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy.ndimage import label
from tests.support.command import stages_of
from tests.support.meridian import differing, mosaic
from tests.support.small_world import EPSG, write_regions

from cocal.config import read_config
from cocal.regions import owned, read_regions
from cocal.run import run
from cocal.run.execute import executor

PIXELS = 5
COCA = 1
PIXEL_HA = Decimal("0.01005")
"""A little more than any pixel of the land has."""


def with_unit(world, pixels=PIXELS, **grid):
    world.edit(lambda content: content["classify"].update(minimum_unit={"pixels": pixels}))
    world.edit(lambda content: content["grid"].update(grid))
    return world


@pytest.fixture(scope="module")
def _sieved(_finished, tmp_path_factory, done):
    world = with_unit(_finished.copied(tmp_path_factory.mktemp("sieved") / "world"))
    shutil.rmtree(world.root / "maps")
    assert done(world, last="measure").failures == ()
    return world


@pytest.fixture
def sieved(_sieved, tmp_path):
    """A copy of the land with a finished run whose map has a minimum unit."""
    return _sieved.copied(tmp_path / "sieved")


def coca_ha(folder):
    table = pd.read_csv(folder / "hectares.csv", dtype=str, keep_default_na=False)
    own = table[table["class"] == "coca"]
    return {k: Decimal(v) for k, v in zip(own["region_id"], own["mapped_ha"], strict=True)}


def made(world):
    return {name: (stage["made"], stage["reused"]) for name, stage in stages_of(world.root).items()}


def test_regions_keep_their_hectares_and_the_table_says_what_moved(finished, sieved):
    """The plain run of the same land is the one before the unit: half a level hangs on a few patches of five
    pixels.
    """
    before, after = coca_ha(finished.root), coca_ha(sieved.root)
    table = pd.read_csv(sieved.root / "minimum_unit.csv", dtype=str, keep_default_na=False)
    table = table.set_index("region_id")
    assert set(table.index) == set(after)
    moved = Decimal(0)
    for region in after:
        row = table.loc[region]
        draft, mapped, removed, added = (
            Decimal(row[f"{n}_ha"]) for n in ("draft", "mapped", "removed", "added")
        )
        assert (draft, mapped) == (before[region], after[region])
        assert draft - removed + added == mapped
        assert abs(mapped - draft) <= max(2 * PIXELS * PIXEL_HA, draft / 50)
        moved += removed + added
    assert moved > 10 * PIXELS * PIXEL_HA


def test_within_a_region_no_patch_of_the_map_is_below_the_unit(finished, sieved):
    """Patches that lie wholly in one region, away from ground that is not there; the plain map has many."""
    regions = read_regions(read_config(sieved.config).regions)
    small = {}
    for name, root in (("plain", finished.root), ("sieved", sieved.root)):
        window, codes, _ = mosaic(root, "class.tif")[EPSG]
        owner = owned(regions, window)
        patches, n = label(codes == COCA)
        grown = np.zeros((4, *codes.shape), dtype=np.int32)
        for k, (axis, step) in enumerate(((0, 1), (0, -1), (1, 1), (1, -1))):
            grown[k] = np.roll(owner, step, axis)
        inner = (owner >= 0) & (grown == owner).all(axis=0)
        whole = np.bincount(patches[~inner], minlength=n + 1) == 0
        size = np.bincount(patches.ravel(), minlength=n + 1)
        small[name] = int((whole & (size < PIXELS))[1:].sum())
    assert small["plain"] > 20
    assert small["sieved"] == 0


def test_probabilities_stay_and_what_is_taken_away_is_the_likeliest_other_class(finished, sieved):
    for name in ("probability.tif", "n_clear.tif"):
        both, different = differing(mosaic(finished.root, name), mosaic(sieved.root, name))
        assert both > 0
        assert different == 0
    for path in sorted(sieved.root.glob("maps/*/*/*/class.tif")):
        with rasterio.open(path) as source:
            codes, tags = source.read(1), source.tags()
            assert source.colormap(1)[COCA] != (0, 0, 0, 255)
        assert "fewer than 5 pixels" in tags["minimum_unit"]
        assert not path.with_name("alternative.tif").exists()
        plain = next(finished.root.glob(f"maps/*/{path.parts[-3]}/*/class.tif"))
        draft = next(sieved.root.glob(f"drafts/*/{path.parts[-3]}/*/class.tif"))
        with rasterio.open(plain) as a, rasterio.open(draft) as b:
            before = a.read(1)
            assert (before == b.read(1)).all()
        assert ((codes == 0) == (before == 0)).all()
        assert (codes == before)[(before != COCA) & (codes != COCA)].all()
        assert set(np.unique(codes[(before == COCA) & (codes != COCA)])) <= {2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize(("tile_px", "block_px"), [(48, 16), (192, 192)])
def test_no_pixel_and_no_hectare_depends_on_how_the_land_is_cut(sieved, done, tile_px, block_px):
    other = with_unit(sieved.copied(sieved.folder.with_name("cut")), tile_px=tile_px, block_px=block_px)
    other.edit(lambda content: content.update(name="cut"))
    folder = done(other, last="measure").folder
    assert_same(sieved.root, folder)


def test_ground_of_no_region_says_nothing_whichever_tiles_map_it(finished, done):
    """The regions end where tiles of 48 px do: the row of such tiles beyond is not made, one of 192 px shows
    its ground.
    """
    write_regions(finished.folder / "regions.geojson", finished.window, inset_m=182)
    tables, grounds = [], []
    for tile_px in (48, 192):
        world = with_unit(finished, tile_px=tile_px, block_px=48)
        world.edit(lambda content, name=f"beyond-{tile_px}": content.update(name=name))
        world.edit(lambda content: content["records"].update(outside="allowed"))
        world.edit(lambda content: content.update(left_out={"records": 0.5}))
        folder = done(world, last="measure").folder
        tables.append((folder / "minimum_unit.csv").read_bytes())
        grounds.append(sum(codes.size for _, codes, _ in mosaic(folder, "class.tif").values()))
    assert grounds[0] < grounds[1]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_no_pixel_and_no_hectare_depends_on_where_the_work_is_done(sieved):
    other = with_unit(sieved.copied(sieved.folder.with_name("dask")), tile_px=48, block_px=48)
    other.edit(lambda content: content.update(name="dask"))
    with executor(workers=2) as dask:
        assert_same(sieved.root, run(read_config(other.config), dask, last="measure").folder)


def assert_same(one, other):
    for name in ("hectares.csv", "minimum_unit.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    both, different = differing(mosaic(one, "class.tif"), mosaic(other, "class.tif"))
    assert both >= 96 * 96
    assert different == 0


def test_another_unit_makes_the_maps_again_and_nothing_before_them(sieved, done):
    tiles = len(list(sieved.root.glob("drafts/*/*")))
    done(sieved, last="measure")
    assert made(sieved)["minimum unit"] == (0, tiles)
    assert made(sieved)["patches"] == (0, 1)
    done(with_unit(sieved, pixels=9), last="measure")
    again = made(sieved)
    assert again["train"] == (0, 1)
    assert again["classify"] == (0, tiles)
    assert (again["patches"], again["minimum unit"]) == ((1, 0), (tiles, 0))
    assert again["measure"] == (1, 0)
    done(with_unit(sieved), last="measure")
    assert made(sieved)["minimum unit"] == (0, tiles)


def test_without_the_unit_the_map_is_the_plain_one(finished, sieved, done):
    sieved.edit(lambda content: content["classify"].pop("minimum_unit"))
    done(sieved, last="measure")
    assert coca_ha(sieved.root) == coca_ha(finished.root)
    assert made(sieved)["classify"][1] == 0
    assert "minimum unit" not in made(sieved)
    assert not (sieved.root / "minimum_unit.csv").exists()


def test_a_map_that_was_not_committed_is_made_again_alone(sieved, done):
    tiles = sorted(sieved.root.glob("maps/*/*"))
    before = (sieved.root / "hectares.csv").read_bytes()
    drafted = {p.parts[-2] for p in sieved.root.glob("drafts/*/*/*")}
    next(sieved.root.glob("maps/*/*/*/manifest.json")).unlink()
    done(sieved, last="measure")
    assert made(sieved)["minimum unit"] == (1, len(drafted) - 1)
    assert (sieved.root / "hectares.csv").read_bytes() == before
    assert len(tiles) == len(drafted)


def test_a_damaged_draft_is_made_again_and_the_maps_are_as_they_were(sieved, done):
    draft = next(sieved.root.glob("drafts/*/*/*/probability.tif"))
    draft.write_bytes(draft.read_bytes()[:100])
    done(sieved, last="measure")
    assert made(sieved)["classify"][0] == 1
    assert made(sieved)["minimum unit"][0] == 0


def test_a_tile_whose_draft_failed_is_unobserved_and_the_others_are_mapped(sieved, done, monkeypatch):
    """The tile's classes cannot be written; next time it goes on from there."""
    tiles, before = len(list(sieved.root.glob("drafts/*/*"))), coca_ha(sieved.root)
    shutil.rmtree(next(sieved.root.glob("drafts/*/*")))

    def fail(*_, **__):
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr("cocal.run.worker.tiles.write_class_map", fail)
        assert len(done(sieved, last="measure").failures) == 1
    assert sum(made(sieved)["minimum unit"]) == tiles - 1
    assert sum(coca_ha(sieved.root).values()) < sum(before.values())
    assert done(sieved, last="measure").failures == ()
    assert coca_ha(sieved.root) == before
