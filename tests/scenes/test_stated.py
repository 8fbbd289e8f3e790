"""What a source states of its pixels and its place is honoured, or the source is refused by name."""

from itertools import pairwise

import geopandas
import h5py
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine
from pyproj import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from cocal.archive import baseline_rank, list_scenes, read_scenes
from cocal.errors import InputError
from cocal.notes import Note
from cocal.notes.account import recorded
from cocal.regions import RegionSettings, read_regions
from cocal.run.stages.imports import check_covered, import_scenes, refuse_copies
from cocal.scenes import FilesImport, NetcdfImport, plan_imports

PLACE = slice(0, 30), slice(0, 30)
"""Rows and columns of a raster of 30 x 30 pixels in its item, whose window begins at the same corner."""


def hide(path, kind):
    """The eastern third of a raster of 30 x 30 becomes no data by a mask (inside, beside) or by alpha."""
    seen = np.full((30, 30), 255, np.uint8)
    seen[:, 20:] = 0
    if kind == "alpha":
        with rasterio.open(path) as source:
            profile, values, names = source.profile, source.read(), source.descriptions
        with rasterio.open(path, "w", **(profile | {"count": len(values) + 1})) as target:
            target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
            target.write(np.concatenate([values, seen[None].astype(values.dtype)]))
            for index, name in enumerate(names, start=1):
                target.set_band_description(index, name)
        return
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "inside"), rasterio.open(path, "r+") as target:
        target.write_mask(seen)


@pytest.mark.parametrize("left", [500_040, 500_043], ids=["copied", "warped"])
@pytest.mark.parametrize("kind", ["inside", "beside", "alpha"])
def test_masked_pixels_are_no_data(tmp_path, write_raster, multiband, only_scene, stored, kind, left):
    dn = {
        name: np.full((30, 30), value, np.uint16)
        for name, value in (("blue", 300), ("red", 500), ("nir", 9000))
    }
    path = write_raster(tmp_path / "in.tif", dn, left=left)
    hide(path, kind)
    import_scenes([multiband(path, resampling="nearest")], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    assert scene.window.left == 500_040
    for band, values in dn.items():
        found = stored(scene, band)[:30, 1:29]
        assert (found[:, :19] == values[0, 0]).all()
        assert (found[:, 19:] == 0).all()


def test_a_fourth_band_that_gdal_takes_for_alpha_is_a_band_where_it_is_imported(
    tmp_path, write_raster, multiband, only_scene, stored
):
    dn = {name: np.full((30, 30), 400, np.uint16) for name in ("blue", "green", "red", "nir")}
    dn["nir"][:, :5] = 0
    path = write_raster(tmp_path / "in.tif", dn, left=500_040, photometric="RGB", alpha="yes")
    with rasterio.open(path) as source:
        assert source.colorinterp[3] == ColorInterp.alpha
    import_scenes([multiband(path)], tmp_path / "archive")
    assert (stored(only_scene(tmp_path / "archive"), "red")[PLACE] == 400).all()


def cube(path, *, mapping=None, x=None, y=None, dtype="uint16", **attrs):
    """A cube of red and nir, one date, 30 x 30 pixels of 10 m; its column holds 100 + 10 x column in red."""
    values = np.broadcast_to(100 + 10 * np.arange(30), (1, 30, 30)).astype(dtype)
    bands = {
        name: (("t", "y", "x"), values + np.array(more, dtype)) for name, more in (("red", 0), ("nir", 1000))
    }
    axes = {
        "t": np.array(["2024-05-15"], "datetime64[ns]"),
        "y": 8_000_035 - 10.0 * np.arange(30) if y is None else y,
        "x": 500_045 + 10.0 * np.arange(30) if x is None else x,
    }
    made = xr.Dataset(bands, axes)
    made["crs"] = xr.DataArray(0, attrs={"crs_wkt": CRS(32719).to_wkt()} | (mapping or {}))
    for name in bands:
        made[name].attrs.update({"grid_mapping": "crs"} | attrs)
    made.to_netcdf(path, engine="h5netcdf", encoding={name: {"_FillValue": None} for name in bands})
    settings = {"bands": {"red": "red", "nir": "nir"}, "time": "t", "offset": 0, "scale": 1e-4}
    return NetcdfImport(kind="netcdf", name="cube", path=path, **settings)


@pytest.mark.parametrize(
    "attrs",
    [
        {"valid_range": np.array([150, 5000], np.uint16)},
        {"valid_min": np.uint16(150)},
        {"valid_range": np.array([0.015, 0.5]), "scale_factor": 1e-4, "add_offset": 0.0},
        {"missing_value": np.array([100, 110, 120, 130, 140], np.uint16)},
        {"valid_range": "150, 5000"},
        {"_FillValue": np.uint16(100), "missing_value": np.array([110, 120, 130, 140], np.uint16)},
    ],
    ids=["range", "minimum", "unpacked", "list", "text", "both"],
)
@pytest.mark.parametrize("shift", [0, 3], ids=["copied", "warped"])
def test_values_that_a_cube_calls_invalid_are_no_data(tmp_path, stored, only_scene, attrs, shift):
    x = 500_045 + shift + 10.0 * np.arange(30)
    attrs = dict(attrs)
    fill = attrs.pop("_FillValue", None)
    settings = cube(tmp_path / "in.nc", x=x, **attrs)
    if fill is not None:
        with h5py.File(tmp_path / "in.nc", "r+") as file:
            for name in ("red", "nir"):
                file[name].attrs["_FillValue"] = np.array([fill])
    import_scenes([settings.model_copy(update={"resampling": "nearest"})], tmp_path / "archive")
    red = stored(only_scene(tmp_path / "archive"), "red")[0, :29]
    expected = 100 + 10 * np.arange(29)
    assert red.tolist() == np.where(expected < 150, 0, expected).tolist()


def test_values_above_the_valid_maximum_are_no_data_and_signed_limits_of_unsigned_values_count(
    tmp_path, stored, only_scene
):
    # 350 as int16 is 350; 65535 stands as -1
    settings = cube(
        tmp_path / "in.nc",
        dtype="int16",
        _Unsigned="true",
        valid_max=np.int16(350),
        missing_value=np.int16(-1),
    )
    import_scenes([settings], tmp_path / "archive")
    red = stored(only_scene(tmp_path / "archive"), "red")[0, :30]
    expected = 100 + 10 * np.arange(30)
    assert red.tolist() == np.where(expected > 350, 0, expected).tolist()


@pytest.mark.parametrize("upward", [False, True])
def test_coordinates_of_corners_are_refused_where_the_geotransform_says_so(tmp_path, upward):
    y = np.sort(8_000_035 - 10.0 * np.arange(30))[:: 1 if upward else -1]
    mapping = {"GeoTransform": "500040 10 0 8000040 0 -10"}
    if upward:
        mapping = {"GeoTransform": "500040 10 0 7999740 0 10"}
    plan_imports([cube(tmp_path / "centres.nc", mapping=mapping, y=y)])
    corners = cube(tmp_path / "corners.nc", mapping=mapping, y=y + 5, x=500_040 + 10.0 * np.arange(30))
    with pytest.raises(InputError, match=r"corners.nc contradict the GeoTransform of crs"):
        plan_imports([corners])


def test_a_step_of_a_cube_without_a_time_is_refused(tmp_path):
    settings = cube(tmp_path / "in.nc")
    with h5py.File(tmp_path / "in.nc", "r+") as file:
        file["t"][...] = -999
        file["t"].attrs["_FillValue"] = np.array([-999], file["t"].dtype)
    with pytest.raises(InputError, match=r"a time for every step(.|\n)*none for step 0"):
        plan_imports([settings])


def test_packing_that_differs_between_variables_is_refused(tmp_path):
    settings = cube(tmp_path / "in.nc")
    with h5py.File(tmp_path / "in.nc", "r+") as file:
        file["nir"].attrs["scale_factor"], file["nir"].attrs["add_offset"] = 1e-4, -0.1
    with pytest.raises(InputError, match=r"in.nc contradict each other(.|\n)*red none; nir 0.0001, -1000 DN"):
        plan_imports([settings])


def test_a_scene_without_geotransform_is_refused_by_name(tmp_path, write_raster, landscape, multiband):
    with pytest.warns(NotGeoreferencedWarning):
        path = write_raster(tmp_path / "bare.tif", landscape(12, 12), transform=Affine.identity())
    with pytest.raises(InputError, match=r"bare.tif has no geotransform"):
        plan_imports([multiband(path)])


def test_longitudes_above_180_of_a_scene_are_refused_by_name(tmp_path, write_raster, landscape, multiband):
    place = Affine(1e-4, 0, 291, 0, -1e-4, -14.4)
    path = write_raster(tmp_path / "east.tif", landscape(12, 12), epsg=4326, transform=place)
    with pytest.raises(InputError, match=r"east.tif(.|\n)*longitudes of 291"):
        plan_imports([multiband(path, resampling="nearest")])


def test_baselines_are_compared_as_numbers_and_a_users_own_processing_is_older_than_all():
    ranks = [baseline_rank(b) for b in ("", "99.98", "99.99", "02.14", "5.9", "05.10", "05.11", "10.00")]
    assert all(older < newer for older, newer in pairwise(ranks))


def test_of_two_scenes_of_a_day_the_pixels_of_the_newest_baseline_of_the_agency_are_read(
    tmp_path, write_raster, multiband
):
    for name, value, baseline in (("own", 900, "99.99"), ("esa", 300, "05.00")):
        offset = -1000 if name == "esa" else 0
        dn = {band: np.full((30, 30), value - offset, np.uint16) for band in ("blue", "red", "nir")}
        path = write_raster(tmp_path / f"{name}.tif", dn, left=500_040)
        settings = multiband(path, name=name, baseline=baseline, offset=offset)
        import_scenes([settings], tmp_path / "archive")
    scenes = list_scenes(tmp_path / "archive")
    found = read_scenes(scenes, scenes[0].window, ["red"])["red"].to_numpy()
    assert (found[0, :30, :30] == 300).all()


def test_rasters_that_do_not_fit_the_pattern_are_counted_and_named(tmp_path, write_raster, landscape):
    names = [
        *(
            "T19LEE_20240115T1_B04_10m",
            "T19LEE_20240115T1_B04_20m",
            "T19LEE_20240115T1_TCI_10m",
        ),  # taken, and its copies
        *("L2A_T19LEE_20240315T1_B04_10m", "L2A_T19LEE_20240515T1_B04_10m"),
    ]
    for name in names:
        write_raster(tmp_path / f"{name}.tif", {"red": landscape(12, 12)["red"]})
    settings = FilesImport(
        kind="files", name="s2", folder=tmp_path, bands={"red": "B04"}, offset=0, scale=1e-4,
        pattern=r"^T\d{2}[A-Z]{3}_(?P<date>\d{8})T\d_(?P<band>B\d\d)_10m\.tif$",
    )  # fmt: skip
    with recorded() as notes:
        assert len(plan_imports([settings])) == 1
    lost = [f"{name}.tif" for name in names[3:]]
    assert notes == [Note("files_without_pattern", source="s2", n=2, of=3, share=2 / 3, which=lost)]


def test_regions_without_a_scene_are_refused_if_all_are_and_recorded_if_some(
    tmp_path, write_raster, landscape, multiband
):
    path = write_raster(tmp_path / "in.tif", landscape(30, 30), left=500_040)  # 69.0 W, 18.1 S
    import_scenes([multiband(path)], tmp_path / "archive")
    here, swapped = (-69.01, -18.11, -68.99, -18.07), (-18.11, -69.01, -18.07, -68.99)

    def regions(*bounds):
        file = tmp_path / "regions.gpkg"
        shapes = [shapely.box(*b) for b in bounds]
        geopandas.GeoDataFrame({"n": list("AB")[: len(bounds)]}, geometry=shapes, crs=4326).to_file(file)
        source = {"path": file, "id": "n", "name": "n", "country_code": "PE"}
        return read_regions(RegionSettings(sources=[source], sliver_m=0))

    scenes = list_scenes(tmp_path / "archive")
    with recorded() as notes:
        check_covered(regions(here), scenes, "2024")
        assert not notes
        check_covered(regions(here, swapped), scenes, "2024")
    ((code, values),) = [(note.code, note.values) for note in notes]
    assert (code, values["period"], values["which"]) == ("regions_without_scene", "2024", ("B",))
    own, other = (regions(b).table["polygon_ha"].sum() for b in (here, swapped))
    assert values["ha"] == pytest.approx(other)
    assert values["share"] == pytest.approx(other / (own + other))
    with pytest.raises(InputError, match=r"no scene of 2024 covers a region \(A\)"):
        check_covered(regions(swapped), scenes, "2024")


def test_one_scene_under_two_dates_is_refused_and_empty_scenes_are_not(
    tmp_path, write_raster, landscape, multiband
):
    def scenes_of(folder, pixels):
        path = write_raster(tmp_path / f"{folder}.tif", pixels, left=500_040)
        dates = [
            multiband(path, name=name, date=day) for name, day in (("a", "2024-03-05"), ("b", "2024-04-04"))
        ]
        import_scenes(dates, tmp_path / folder)
        return list_scenes(tmp_path / folder)

    pixels = landscape(12, 12)
    twice = scenes_of("twice", pixels)
    refuse_copies(twice[:1])
    with pytest.raises(InputError, match="a-20240305-32719 and b-20240404-32719"):
        refuse_copies(twice)
    refuse_copies(scenes_of("empty", {name: np.zeros_like(values) for name, values in pixels.items()}))


def test_pixels_of_kilometres_are_refused_by_name(tmp_path, write_raster, landscape, multiband):
    path = write_raster(
        tmp_path / "far.tif", landscape(12, 12), transform=Affine(1000, 0, 480_000, 0, -1000, 8_430_000)
    )
    with pytest.raises(InputError, match=r"far\.tif(.|\n)*pixels of 1000 m"):
        plan_imports([multiband(path, resampling="nearest")])


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_cube_is_refused_by_name_or_imported(tmp_path, seed):
    settings, rng = cube(tmp_path / "in.nc"), np.random.default_rng(seed)
    data = bytearray((tmp_path / "in.nc").read_bytes())
    text = data.index(b"PROJCRS")
    for at in (text, int(rng.integers(text - 2000, text + 2000)))[: 1 + seed % 2]:
        data[at : at + 24] = rng.bytes(24)
    (tmp_path / "in.nc").write_bytes(data)
    with pytest.raises(InputError, match=r"in\.nc"):
        plan_imports([settings])
