"""Values that cannot be reflectance are refused or taken for no data, never stored as such."""

import numpy as np
import pytest

from cocal.errors import OffsetError
from cocal.run.stages.imports import import_scenes

REFLECTANCE = {"blue": 0.03, "red": 0.05, "nir": 0.35}
"""Of vegetation."""


def vegetation(times, dtype):
    return {band: np.full((30, 30), value * times, dtype) for band, value in REFLECTANCE.items()}


@pytest.mark.parametrize(
    ("times", "dtype", "scale"),
    [
        (1, "float32", 1e-4),
        (100, "float32", 1e-4),
        (100, "float32", 1),
        (255, "uint8", 1e-4),
        (1e4, "uint16", 1),
        (1e4, "int16", 0.01),
    ],
)
def test_a_scale_that_is_not_that_of_the_values_is_refused(
    tmp_path, write_raster, multiband, times, dtype, scale
):
    path = write_raster(tmp_path / "in.tif", vegetation(times, dtype))
    with pytest.raises(OffsetError, match=rf"no reflectance with scale {scale:g}(.|\n)*0.01 for percent"):
        import_scenes([multiband(path, scale=scale)], tmp_path / "archive")


@pytest.mark.parametrize(
    ("times", "dtype", "scale"),
    [(1, "float32", 1), (100, "float32", 0.01), (255, "uint8", 1 / 255), (1e4, "uint16", 1e-4)],
)
def test_the_same_ground_is_stored_alike_in_every_encoding(
    tmp_path, write_raster, multiband, only_scene, stored, times, dtype, scale
):
    path = write_raster(tmp_path / "in.tif", vegetation(times, dtype), left=500_040)
    import_scenes([multiband(path, scale=scale)], tmp_path / "archive")
    for band, value in REFLECTANCE.items():
        seen = stored(only_scene(tmp_path / "archive"), band)[:30, :30]
        assert np.abs(seen / 1e4 - value).max() <= (1 / 255 if dtype == "uint8" else 5e-5)


def test_bytes_are_refused_by_their_type_however_bright(tmp_path, write_raster, multiband):
    path = write_raster(tmp_path / "in.tif", {"red": np.full((5, 5), 254, np.uint8)})
    with pytest.raises(OffsetError, match=r"red of type uint8, which ends at 0\.0255"):
        import_scenes([multiband(path, bands={"red": 1})], tmp_path / "archive")


@pytest.mark.parametrize(("dtype", "void"), [("int16", -9999), ("float32", -3.4e38), ("int16", -32768)])
def test_few_voids_that_nothing_declares_are_no_data_and_many_are_refused(
    tmp_path, write_raster, multiband, only_scene, stored, caplog, dtype, void
):
    few, many = vegetation(1e4, dtype), vegetation(1e4, dtype)
    few["red"][:3, :3] = void  # 9 of 900: 1 %
    many["red"][0, :10] = void  # 10 of 900
    path = write_raster(tmp_path / "few.tif", few, left=500_040)
    import_scenes([multiband(path)], tmp_path / "archive")
    red = stored(only_scene(tmp_path / "archive"), "red")[:30, :30]
    assert (red[:3, :3] == 0).all()
    assert (red == 500).sum() == 900 - 9
    assert "test-20220305-32719: 9 pixels of red have a reflectance below -0.2" in caplog.text
    with pytest.raises(OffsetError, match=r"red 1\.1% outside(.|\n)*declare the no data"):
        import_scenes([multiband(write_raster(tmp_path / "many.tif", many))], tmp_path / "other")
