"""Tiles, blocks and workers decide where the work is done, never what comes out."""

import numpy as np
import pytest
import rasterio
from scipy.ndimage import distance_transform_edt
from tests.support.meridian import differing, mosaic
from tests.support.small_world import EPSG, MERIDIAN, VEGETATION

from cocal.config import read_config
from cocal.grid import transformer
from cocal.run import run
from cocal.run.execute import executor


def cut(world, tile_px, block_px):
    world.edit(lambda content: content["grid"].update(tile_px=tile_px, block_px=block_px))
    world.edit(lambda content: content.update(name=f"cut-{tile_px}-{block_px}"))
    return read_config(world.config)


def assert_same(one, other):
    assert (one / "hectares.csv").read_bytes() == (other / "hectares.csv").read_bytes()
    for file in ("class.tif", "probability.tif", "n_clear.tif"):
        both, different = differing(mosaic(one, file), mosaic(other, file))
        assert both >= 96 * 96
        assert different == 0, file


@pytest.mark.parametrize(("tile_px", "block_px"), [(48, 16), (192, 192)])
def test_a_land_across_a_meridian_has_one_map_however_it_is_cut(finished, tile_px, block_px):
    summary = run(cut(finished, tile_px, block_px), last="measure")
    assert_same(finished.root, summary.folder)


@pytest.mark.slow
def test_a_land_across_a_meridian_has_one_map_wherever_it_is_made(finished):
    config = cut(finished, 48, 48)
    with executor(workers=2) as dask:
        assert_same(finished.root, run(config, dask, last="measure").folder)


def clear_somewhen(world):
    """(y, x) of the sources: True where a date has no cloud within the 2 px of the mask (distances by
    scipy).
    """
    clear = np.zeros(world.window.shape, bool)
    for path in (world.folder / "sources").iterdir():
        with rasterio.open(path) as source:
            clear |= distance_transform_edt(source.read(4) == VEGETATION) > 2
    return clear


def test_each_zone_maps_its_own_side_of_the_meridian_and_all_of_it_once(finished):
    zones = mosaic(finished.root, "class.tif")
    assert sorted(zones) == [EPSG, EPSG + 1]
    clear = clear_somewhen(finished)
    window, values, _ = zones[EPSG]
    common = window.intersection(finished.window)
    longitude, _ = transformer(EPSG, 4326).transform(*np.meshgrid(common.x, common.y))
    expected = clear[finished.window.slices_of(common)] & (longitude < MERIDIAN)
    assert np.array_equal(values[window.slices_of(common)] > 0, expected)
    other = int((zones[EPSG + 1][1] > 0).sum())
    # The other half was warped by the nearest pixel; the grids of the two zones differ by 0.1 % in area
    # there.
    assert expected.sum() + other == pytest.approx(clear.sum(), rel=0.01)
