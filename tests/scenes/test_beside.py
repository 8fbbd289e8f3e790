"""What stands beside or inside a source and changes its values counts, is in the address, or is refused."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from scipy.io import netcdf_file
from tests.scenes.test_stated import PLACE, cube

from cocal.content import content
from cocal.errors import InputError
from cocal.run.stages.imports import import_batch, import_scenes
from cocal.scenes import NetcdfImport, plan_imports

RED = 100 + 10 * np.arange(30)
"""DN of the red band by column."""


def three_bands(path, write_raster, left=500_040, **profile):
    dn = {name: np.tile((RED + more).astype(np.uint16), (30, 1)) for name, more in
          (("blue", 0), ("red", 0), ("nir", 1000))}  # fmt: skip
    return write_raster(path, dn, left=left, **profile)


def write_item(path, **fields):
    """A STAC item beside a raster, whose asset holds these fields."""
    asset = {"href": f"./{path.name}", **fields}
    item = {"type": "Feature", "assets": {"data": asset}, "properties": {}}
    path.with_suffix(".json").write_text(json.dumps(item))


@pytest.mark.parametrize("left", [500_040, 500_043], ids=["copied", "warped"])
@pytest.mark.parametrize(
    "stated",
    [
        {"raster:bands": [{"nodata": 150}] * 3},
        {"raster:bands": [{"nodata": 7}, {"nodata": 150}, {"nodata": 7}]},
        {"nodata": 150},
        {"bands": [{"nodata": 7}, {"nodata": 150}, {"nodata": 7}]},
    ],
    ids=["extension 1", "of each band", "core, asset", "core, bands"],
)
def test_no_data_that_a_stac_item_states_is_no_data(
    tmp_path, write_raster, multiband, only_scene, stored, stated, left
):
    path = three_bands(tmp_path / "in.tif", write_raster, left)
    write_item(path, **stated)
    import_scenes([multiband(path, resampling="nearest")], tmp_path / "archive")
    found = stored(only_scene(tmp_path / "archive"), "red")[0, 1:29]
    assert found.tolist() == np.where(RED == 150, 0, RED)[1:29].tolist()


def test_offsets_of_some_bands_in_a_stac_item_are_refused_though_the_configuration_states_one(
    tmp_path, write_raster, multiband
):
    path = three_bands(tmp_path / "in.tif", write_raster)
    alike, other = {"scale": 1e-4, "offset": 0}, {"scale": 1e-4, "offset": -0.1}
    write_item(path, **{"raster:bands": [alike] * 3})
    plan_imports([multiband(path)])
    write_item(path, **{"raster:bands": [alike, other, alike]})
    with pytest.raises(InputError, match=r"in\.tif contradict each other(.|\n)*red 0\.0001, -1000 DN"):
        plan_imports([multiband(path)])


@pytest.mark.parametrize("scale", [0.0, -1e-4, float("nan"), float("inf")])
def test_a_scale_that_cannot_be_is_refused(tmp_path, write_raster, multiband, scale):
    path = three_bands(tmp_path / "in.tif", write_raster)
    write_item(path, **{"raster:bands": [{"scale": scale}] * 3})
    with pytest.raises(InputError, match=r"in\.json(.|\n)*a scale above 0"):
        plan_imports([multiband(path)])


def test_a_rotated_scene_is_refused_by_name(tmp_path, write_raster, multiband):
    place = Affine(10, 0, 500_040, 0, -10, 8_000_040) @ Affine.rotation(5)
    path = three_bands(tmp_path / "in.tif", write_raster, transform=place)
    with pytest.raises(InputError, match=r"in\.tif is rotated"):
        plan_imports([multiband(path, resampling="nearest")])


def test_a_place_stated_beside_a_raster_counts_and_makes_the_item_anew(
    tmp_path, write_raster, multiband, only_scene
):
    path = three_bands(tmp_path / "in.tif", write_raster)
    import_scenes([multiband(path)], tmp_path / "archive")
    assert only_scene(tmp_path / "archive").window.left == 500_040
    moved = "<GeoTransform>500640, 10, 0, 8000040, 0, -10</GeoTransform>"
    (tmp_path / "in.tif.aux.xml").write_text(f"<PAMDataset>{moved}</PAMDataset>")
    import_scenes([multiband(path)], tmp_path / "archive")
    assert only_scene(tmp_path / "archive").window.left == 500_640


def test_a_mask_beside_a_raster_that_changes_makes_the_item_anew(
    tmp_path, write_raster, multiband, only_scene, stored
):
    path = three_bands(tmp_path / "in.tif", write_raster)
    for hidden in (3, 5):
        mask = np.full((30, 30), 255, np.uint8)
        mask[:, :hidden] = 0
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as target:
            target.write_mask(mask)
        assert path.with_name("in.tif.msk").is_file()
        import_scenes([multiband(path)], tmp_path / "archive")
        found = stored(only_scene(tmp_path / "archive"), "red")[PLACE]
        assert (found[0] == np.where(np.arange(30) < hidden, 0, RED)).all()


@pytest.mark.parametrize("left", [500_040, 500_043], ids=["copied", "warped"])
def test_overviews_that_disagree_change_nothing(tmp_path, write_raster, multiband, only_scene, stored, left):
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    path = three_bands(tmp_path / "in.tif", write_raster, left, **tiles)
    nines = {name: np.full((30, 30), 9000, np.uint16) for name in ("blue", "red", "nir")}
    other = write_raster(tmp_path / "other" / "in.tif", nines, left=left, **tiles)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(other, "r+") as target:
        target.build_overviews([2])
    shutil.copy(f"{other}.ovr", f"{path}.ovr")
    import_scenes([multiband(path, resampling="nearest")], tmp_path / "archive")
    assert stored(only_scene(tmp_path / "archive"), "red")[0, 1:29].tolist() == RED[1:29].tolist()


def test_a_source_that_changes_while_it_is_read_is_not_committed(
    tmp_path, write_raster, multiband, monkeypatch, files_below
):
    path = three_bands(tmp_path / "in.tif", write_raster)
    (recipe,) = import_batch([multiband(path)], tmp_path / "archive").recipes
    before = content(recipe.task)

    def changing(*arguments):
        with rasterio.open(path, "r+") as target:
            target.write(np.full((30, 30), 4321, np.uint16), 2)
        os.utime(path, ns=(0, 1))
        return sample_step(*arguments)

    from cocal.scenes.item import sample_step

    monkeypatch.setattr("cocal.scenes.item.sample_step", changing)
    with pytest.raises(InputError, match=r"test-20220305-32719 changed while they were read"):
        import_scenes([multiband(path)], tmp_path / "archive")
    assert content(recipe.task) != before
    assert "manifest.json" not in files_below(tmp_path / "archive")


def test_reflectance_that_is_no_number_is_no_data_and_large_values_do_not_overflow(
    tmp_path, write_raster, multiband, only_scene, stored
):
    values = np.full((30, 30), 0.05, np.float32)
    values[0, :6] = np.nan, np.inf, -np.inf, 7.0, -0.3, 3.4e38
    path = write_raster(tmp_path / "in.tif", dict.fromkeys(("blue", "red", "nir"), values), left=500_040)
    import_scenes([multiband(path, scale=1)], tmp_path / "archive")
    found = stored(only_scene(tmp_path / "archive"), "red")[PLACE]
    # the archive holds 1 to 65535, reflectance 0.0001 to 6.5535; below -0.2 is no reflectance
    assert found[0, :8].tolist() == [0, 0, 0, 65535, 0, 65535, 500, 500]


def test_an_offset_below_every_value_does_not_wrap_around(
    tmp_path, write_raster, multiband, only_scene, stored
):
    dn = {n: np.full((30, 30), 1400, np.uint16) for n in ("blue", "red", "nir")}
    for values in dn.values():
        values[0, :3] = 999, 1001, 65535
    path = write_raster(tmp_path / "in.tif", dn, left=500_040)
    import_scenes([multiband(path, offset=-1000)], tmp_path / "archive")
    found = stored(only_scene(tmp_path / "archive"), "red")[PLACE]
    assert found[0, :4].tolist() == [1, 1, 64535, 400]


def with_quality(path, write_raster, values):
    write_raster(path.with_name("q.tif"), {"q": values}, left=500_040)
    with rasterio.open(path.with_name("q.tif")) as source:
        quality, profile = source.read(1), source.profile
    red = np.full((30, 30), 500, quality.dtype if quality.dtype.kind == "f" else np.int16)
    with rasterio.open(path, "w", **(profile | {"count": 2, "dtype": red.dtype.name})) as target:
        target.write(np.stack([red, quality.astype(red.dtype)]))
    return path


def quality_import(multiband, path):
    return multiband(path, bands={"red": 1, "cloud_probability": 2})


def test_cloud_probabilities_that_are_shares_are_refused(tmp_path, write_raster, multiband):
    path = with_quality(tmp_path / "in.tif", write_raster, np.full((30, 30), 0.9, np.float32))
    with pytest.raises(InputError, match=r"no cloud_probability band(.|\n)*whole numbers"):
        import_scenes([quality_import(multiband, path)], tmp_path / "archive")


def test_a_quality_band_with_a_scale_is_refused(tmp_path, write_raster, multiband):
    path = with_quality(tmp_path / "in.tif", write_raster, np.full((30, 30), 90, np.uint8))
    with rasterio.open(path, "r+") as target:
        target.scales = (1.0, 0.01)
    with pytest.raises(InputError, match=r"cloud_probability without scale and offset(.|\n)*scale 0\.01"):
        plan_imports([quality_import(multiband, path)])


def test_a_quality_band_of_signed_bytes_is_read(tmp_path, write_raster, multiband, only_scene, stored):
    values = np.full((30, 30), 90, np.int8)
    values[0, 0] = 3
    red = write_raster(
        tmp_path / "T_20240305_B04.tif", {"red": np.full((30, 30), 500, np.uint16)}, left=500_040
    )
    write_raster(tmp_path / "T_20240305_CLD.tif", {"c": values}, left=500_043)
    from cocal.scenes import FilesImport

    settings = FilesImport(
        kind="files", name="s", folder=red.parent, pattern=r"^T_(?P<date>\d{8})_(?P<band>\w+)\.tif$",
        bands={"red": "B04", "cloud_probability": "CLD"}, offset=0, scale=1e-4, resampling="nearest",
    )  # fmt: skip
    import_scenes([settings], tmp_path / "archive")
    found = stored(only_scene(tmp_path / "archive"), "cloud_probability")[0]
    assert found[:4].tolist() == [3, 90, 90, 90]
    assert found[-1] == 255


def test_unwritten_cells_of_a_cube_are_no_data_whatever_their_type(tmp_path, stored, only_scene):
    for dtype, fill in (("float32", 9.969209968386869e36), ("int32", -2147483647), ("uint16", 65535)):
        settings = cube(tmp_path / f"{dtype}.nc", dtype=dtype)
        with h5py.File(settings.path, "r+") as file:
            file["red"][0, 0, :3] = fill
        import_scenes([settings.model_copy(update={"name": dtype})], tmp_path / dtype)
        assert stored(only_scene(tmp_path / dtype), "red")[0, :5].tolist() == [0, 0, 0, 130, 140]


def test_a_cube_with_x_before_y_or_in_kilometres_is_refused(tmp_path):
    settings = cube(tmp_path / "in.nc")
    with xr.open_dataset(settings.path, decode_cf=False) as made:
        made = made.load()
    made["x"].attrs["standard_name"], made["y"].attrs["axis"] = "projection_x_coordinate", "Y"
    made.transpose("t", "x", "y").to_netcdf(tmp_path / "turned.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"turned\.nc(.|\n)*'red' has x before y"):
        plan_imports([settings.model_copy(update={"path": tmp_path / "turned.nc"})])
    made["x"].attrs["units"] = "km"
    made.to_netcdf(tmp_path / "km.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"coordinate 'x' of .*km\.nc(.|\n)*units 'km'"):
        plan_imports([settings.model_copy(update={"path": tmp_path / "km.nc"})])


def test_cubes_of_other_formats_are_named_with_what_is_wanted(tmp_path):
    with netcdf_file(tmp_path / "old.nc", "w") as file:
        file.createDimension("t", 1)
    (tmp_path / "cube.zarr").mkdir()
    (tmp_path / "cube.zip").write_bytes(b"PK\x03\x04")
    given = {"bands": {"red": "red"}, "offset": 0, "scale": 1e-4, "kind": "netcdf", "name": "cube"}
    for name, found in (("old.nc", "NetCDF-3 (.|\n)*nccopy -k nc4"), ("cube.zarr", "Zarr(.|\n)*open_zarr"),
                        ("cube.zip", "zipped Zarr")):  # fmt: skip
        with pytest.raises(InputError, match=rf"{name} cannot be imported(.|\n)*NetCDF-4(.|\n)*{found}"):
            plan_imports([NetcdfImport(**given, path=tmp_path / name)])
