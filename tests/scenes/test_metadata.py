"""What metadata beside and inside a raster say of its offset."""

import json

import pytest
import rasterio

from cocal.errors import OffsetError
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
