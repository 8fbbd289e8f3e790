"""What metadata beside and inside a raster say of its offset."""

import json

import numpy as np
import pytest
import rasterio

from cocal.errors import InputError, OffsetError
from cocal.scenes import plan_imports


def stac_item(path, asset, **properties):
    item = {
        "type": "Feature",
        "properties": properties,
        "assets": {"red": {"href": f"./{path.name}", **asset}},
    }
    path.with_suffix(".json").write_text(json.dumps(item))


@pytest.mark.parametrize(
    ("asset", "properties", "offset"),
    [
        ({"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}, {}, -1000),
        ({"raster:bands": [{"scale": 1e-4, "offset": 0}]}, {"s2:processing_baseline": "05.09"}, 0),
        ({"raster:scale": 1e-4, "raster:offset": -0.1}, {}, -1000),
        ({"bands": [{"raster:scale": 1e-4, "raster:offset": -0.1}]}, {}, -1000),
        ({}, {"s2:processing_baseline": "04.00"}, -1000),
        ({}, {"s2:processing_baseline": "03.01"}, 0),
        ({}, {"s2:processing_baseline": "99.99", "earthsearch:boa_offset_applied": True}, 0),
        ({}, {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": False}, -1000),
    ],
)
def test_a_stac_item_beside_the_raster_says_the_offset(
    tmp_path, write_raster, landscape, asset, properties, offset, multiband
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    stac_item(path, asset, **properties)
    (task,) = plan_imports([multiband(path, offset=None, scale=None)])
    assert (task.offset, task.scale) == (offset, 1e-4)


def test_an_item_that_contradicts_itself_is_refused_until_the_user_decides(
    tmp_path, write_raster, landscape, multiband
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    asset = {"raster:bands": [{"scale": 1e-4, "offset": -0.1}]}
    stac_item(path, asset, **{"earthsearch:boa_offset_applied": True})
    with pytest.raises(OffsetError, match=r": -1000; earthsearch:boa_offset_applied true in in.json: 0"):
        plan_imports([multiband(path, offset=None)])
    (task,) = plan_imports([multiband(path, offset=0)])
    assert task.offset == 0


def test_an_item_of_another_raster_says_nothing(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    stac_item(tmp_path / "other.tif", {}, **{"s2:processing_baseline": "05.09"})
    with pytest.raises(OffsetError, match="offset is unknown"):
        plan_imports([multiband(path, offset=None)])


def test_gdal_scale_and_offset_count_when_they_are_not_the_trivial_ones(
    tmp_path, write_raster, landscape, multiband
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.1,) * 3
    (task,) = plan_imports([multiband(path, offset=None, scale=None)])
    assert (task.offset, task.scale) == (-1000, 1e-4)


def test_the_sensing_date_decides_nothing(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    for date in ("2019-01-01", "2023-01-01"):
        with pytest.raises(OffsetError, match="offset is unknown"):
            plan_imports([multiband(path, offset=None, date=date)])


@pytest.mark.parametrize(
    ("scales", "offsets"),
    [
        ((1e-4,) * 3, (-0.1, -0.1, 0.0)),
        ((1e-4, 1e-4, 1.0), (0.0,) * 3),
        ((1e-4, 1e-4, 2e-4), (-0.1, -0.1, -0.2)),
    ],
    ids=["offset", "scale", "both"],
)
@pytest.mark.parametrize("stated", [None, -1000])
def test_bands_that_differ_in_scale_or_offset_are_refused(
    tmp_path, write_raster, landscape, multiband, scales, offsets, stated
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = scales, offsets
    with pytest.raises(InputError, match=r"in.tif contradict each other[^;]*\n.*blue .*; red .*; nir "):
        plan_imports([multiband(path, offset=stated, scale=None if stated is None else 1e-4)])


def test_a_scale_in_single_precision_is_its_decimal(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (float(np.float32(1e-4)),) * 3, (float(np.float32(-0.1)),) * 3
    for stated in (None, 1e-4):
        (task,) = plan_imports([multiband(path, offset=None, scale=stated)])
        assert (task.offset, task.scale) == (-1000, 1e-4)


@pytest.mark.parametrize("baseline", ["99.99", "N9901", "99.00"])
def test_a_users_own_processing_states_no_offset(tmp_path, write_raster, landscape, multiband, baseline):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with pytest.raises(OffsetError, match="offset is unknown"):
        plan_imports([multiband(path, offset=None, scale=None, baseline=baseline)])
    (task,) = plan_imports([multiband(path, offset=0, scale=None, baseline=baseline)])
    assert (task.offset, task.scale) == (0, 1e-4)
