"""The guard and the imports on real imagery, and the archive in other people's readers."""

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from rasterio.warp import Resampling, reproject

from cocal.archive import list_scenes
from cocal.errors import InputError, OffsetError
from cocal.run.stages.imports import import_scenes
from cocal.scenes import MultibandImport, NetcdfImport, check_offset, plan_imports

AMAZON = {
    "coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge071": "B5", "rededge075": "B6",
    "rededge078": "B7", "nir": "B8", "nir08": "B8A", "nir09": "B9", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
CUBE = {
    "blue": "S2-L2A-B02", "green": "S2-L2A-B03", "red": "S2-L2A-B04", "rededge071": "S2-L2A-B05",
    "rededge075": "S2-L2A-B06", "rededge078": "S2-L2A-B07", "nir": "S2-L2A-B08", "swir16": "S2-L2A-B11",
    "swir22": "S2-L2A-B12",
}  # fmt: skip
WAVELENGTH_NM = dict(zip(AMAZON, (443, 492, 560, 665, 704, 740, 783, 833, 865, 945, 1614, 2202), strict=True))


@pytest.fixture
def amazon_path(third_party_data):
    return third_party_data / "amazon_s2" / "amazon_s2_l2a_12bands.tif"


@pytest.fixture
def amazon_dn(amazon_path):
    with rasterio.open(amazon_path) as dataset:
        return dict(zip(AMAZON, dataset.read(), strict=True))


def amazon(path, offset):
    return MultibandImport(
        kind="multiband", name="amazon", path=path, date="2022-07-01", bands=AMAZON, scale=1e-4,
        offset=offset, resampling="bilinear",
    )  # fmt: skip


def cube(path, offset, **bands):
    return NetcdfImport(
        kind="netcdf", name="cube", path=path, time="t", bands=bands or CUBE, scale=1e-4, offset=offset
    )


@pytest.fixture
def cube_path(third_party_data):
    return third_party_data / "worldcereal_cube" / "worldcereal_s2_s1_dem_12m.nc"


def test_the_amazon_scene_asks_for_its_offset_refuses_0_and_takes_minus_1000(tmp_path, amazon_path):
    with pytest.raises(OffsetError, match="state `offset:`"):
        import_scenes([amazon(amazon_path, None)], tmp_path)
    with pytest.raises(OffsetError, match=r"floors all just above .*blue 0\.11\d\d.*swir22 0\.10\d\d"):
        import_scenes([amazon(amazon_path, 0)], tmp_path)
    assert import_scenes([amazon(amazon_path, -1000)], tmp_path) == ["amazon-20220701-32721"]


def test_the_amazon_scene_is_warped_once_as_gdal_warps_it(tmp_path, amazon_path):
    import_scenes([amazon(amazon_path, -1000)], tmp_path)
    (scene,) = list_scenes(tmp_path)
    assert scene.properties["cocal:warped"] is True
    assert scene.properties["cocal:resampling"] == "bilinear"
    whole = np.zeros(scene.window.shape, dtype=np.uint16)
    with rasterio.open(amazon_path) as dataset:
        reproject(
            rasterio.band(dataset, 8), whole, src_nodata=0, dst_nodata=0, dst_crs=f"EPSG:{scene.window.epsg}",
            dst_transform=scene.window.transform, resampling=Resampling.bilinear,
        )  # fmt: skip
    with rasterio.open(scene.bands["nir"].path) as dataset:
        stored = dataset.read(1).astype(int)
    valid = whole > 0
    assert valid.mean() > 0.95
    assert ((stored > 0) == valid).all()
    # GDAL's own tolerance is 0.125 pixel, ours 0.01: a few DN on the steepest edges
    assert np.percentile(np.abs(stored - (whole.astype(int) - 1000))[valid], 99) <= 2


@pytest.mark.parametrize("bands", [tuple(AMAZON), ("blue", "green", "red", "nir")], ids=["12 bands", "RGBN"])
def test_the_amazon_scene_made_dark_wet_snowy_hazy_or_cloudy_passes_in_both_encodings(amazon_dn, bands):
    rho = {band: (amazon_dn[band].astype(float) - 1000) / 10_000 for band in bands}
    nm = {band: WAVELENGTH_NM[band] for band in bands}
    mixed = (np.arange(237 * 247).reshape(237, 247) % 10) < 9
    scenes = {"as it is": rho, "dark": {b: r * 0.3 for b, r in rho.items()}}
    scenes["wet"] = {b: np.where(mixed, 0.04 * (492 / nm[b]) ** 2 * (1 + r), r) for b, r in rho.items()}
    scenes["snowy"] = {b: (0.9 if nm[b] < 900 else 0.08) * (0.9 + 0.2 * r) for b, r in rho.items()}
    scenes["overcast"] = {b: 0.6 - 0.1 * nm[b] / 1000 + 0.3 * r for b, r in rho.items()}
    scenes["tiny"] = {b: r[100:105, 100:105] for b, r in rho.items()}
    for haze in (0.02, 0.05, 0.08, 0.10, 0.12, 0.15, 0.20, 0.30):
        for exponent in (0.8, 1.3, 2.0):
            veil = {b: haze * (492 / nm[b]) ** exponent for b in bands}
            scenes[f"haze {haze} {exponent}"] = {b: r * (1 - veil[b]) + veil[b] for b, r in rho.items()}
    for reflectance in scenes.values():
        for offset in (0, -1000):
            dn = {b: np.maximum(np.rint(r * 10_000) - offset, 1) for b, r in reflectance.items()}
            check_offset(dn, offset, 1e-4)


@pytest.mark.parametrize("bands", [tuple(AMAZON), ("blue", "green", "red", "nir"), ("blue", "green", "red")])
def test_the_amazon_scene_with_its_offset_inside_is_refused_with_fewer_bands_too(amazon_dn, bands):
    with pytest.raises(OffsetError, match="floors all just above"):
        check_offset({band: amazon_dn[band] for band in bands}, 0, 1e-4)


def test_the_cube_refuses_minus_1000_on_every_date(cube_path):
    with xr.open_dataset(cube_path, engine="h5netcdf", decode_cf=False) as raw:
        values = {band: raw[name].values.view(np.uint16) for band, name in CUBE.items()}
    dates = [t for t in range(12) if (values["red"][t] != 65535).any()]
    assert len(dates) == 10
    for time in dates:
        dn = {band: stack[time][stack[time] != 65535] for band, stack in values.items()}
        check_offset(dn, 0, 1e-4)
        with pytest.raises(OffsetError, match=r"blue .*% below"):
            check_offset(dn, -1000, 1e-4)


def test_the_cube_is_copied_bit_by_bit_and_its_empty_months_make_no_item(tmp_path, cube_path, caplog):
    with pytest.raises(OffsetError, match="cube-20201101-32631: the data contradict an offset of -1000"):
        import_scenes([cube(cube_path, -1000)], tmp_path)
    units = import_scenes([cube(cube_path, 0)], tmp_path)
    months = [f"{2020 + (m < 11)}{m:02d}" for m in (11, 2, 3, 4, 5, 6, 7, 8, 9, 10)]
    assert [unit[5:11] for unit in units] == months
    assert "2 of 12 dates (16.7 %) have no valid pixel and make no scene: 2020-12-01, 2021-01" in caplog.text
    with xr.open_dataset(cube_path, engine="h5netcdf", decode_cf=False) as raw:
        red = raw["S2-L2A-B04"].values.view(np.uint16)
    for scene, index in zip(list_scenes(tmp_path), (0, *range(3, 12)), strict=True):
        # the cube's corner is 664000, 5612120; the window's 663960, 5612160
        assert (scene.window.left, scene.window.top) == (663_960, 5_612_160)
        with rasterio.open(scene.bands["red"].path) as dataset:
            assert (dataset.read(1)[4:104, 4:104] == np.where(red[index] == 65535, 0, red[index])).all()


def test_a_cube_turned_upside_down_gives_the_same_scene(tmp_path, cube_path):
    with xr.open_dataset(cube_path, engine="h5netcdf", decode_cf=False) as raw:
        part = raw[["S2-L2A-B04", "crs"]].isel(t=[0, 1], y=slice(0, 40)).load()
    part.isel(y=slice(None, None, -1), x=slice(None, None, -1)).to_netcdf(
        tmp_path / "turned.nc", engine="h5netcdf"
    )
    part.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    bands = {"red": "S2-L2A-B04"}
    import_scenes([cube(tmp_path / "plain.nc", 0, **bands)], tmp_path / "a")
    import_scenes([cube(tmp_path / "turned.nc", 0, **bands)], tmp_path / "b")
    (one,), (other,) = list_scenes(tmp_path / "a"), list_scenes(tmp_path / "b")
    assert one.window == other.window
    with rasterio.open(one.bands["red"].path) as a, rasterio.open(other.bands["red"].path) as b:
        assert (a.read(1) == b.read(1)).all()
        assert a.read(1).any()


def test_a_cube_is_refused_with_all_its_faults_named(tmp_path, cube_path):
    with pytest.raises(InputError, match="no variable 'B4'; no variable 'B8'; it holds"):
        plan_imports([cube(cube_path, 0, red="B4", nir="B8")])
    with pytest.raises(InputError, match=r"has dims .*not \('time', y, x\)"):
        plan_imports([cube(cube_path, 0).model_copy(update={"time": "time"})])
    with pytest.raises(InputError, match=r"`crs:` is EPSG:32719"):
        plan_imports([cube(cube_path, 0).model_copy(update={"crs": "EPSG:32719"})])
    broken = tmp_path / "broken.nc"
    broken.write_bytes(cube_path.read_bytes()[:200_000])
    with pytest.raises(InputError, match=r"broken\.nc"):
        plan_imports([cube(broken, 0)])


@pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")  # odc-geo's own call
def test_pystac_and_odc_stac_read_the_archive_as_it_stands(tmp_path, cube_path):
    odc_stac = pytest.importorskip("odc.stac")
    import_scenes([cube(cube_path, 0, red="S2-L2A-B04", nir="S2-L2A-B08")], tmp_path)
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    items = sorted(catalog.get_items(recursive=True), key=lambda item: item.id)
    assert [item.id for item in items] == sorted(s.id for s in list_scenes(tmp_path))
    assert {tuple(sorted(item.assets)) for item in items} == {("nir", "red")}
    assert all(item.get_collection().id == "scenes" for item in items)
    loaded = odc_stac.load(items, bands=["red", "nir"], resolution=10, crs="EPSG:32631")
    scenes = list_scenes(tmp_path)
    assert loaded["red"].shape == (10, *scenes[0].window.shape)
    for step, scene in enumerate(scenes):
        with rasterio.open(scene.bands["nir"].path) as dataset:
            assert (loaded["nir"].values[step] == dataset.read(1)).all()
