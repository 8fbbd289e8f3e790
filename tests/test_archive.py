import json
import math
from datetime import UTC, date, datetime

import numpy as np
import pystac
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal import archive
from cocal.archive import read_raster, read_scenes
from cocal.archive.geotiff import open_tiled
from cocal.errors import InputError, SceneReadError
from cocal.grid import Window
from tests.fuzz.alterations import layout_of, put
from tests.support.stac_check import extension_errors

WINDOW = Window(32719, 480_000, 8_430_000, 60, 48)


def write(root, scene_id, day, bands, *, baseline="05.09", window=WINDOW):
    """One committed scene; `bands` maps name to (pixel size, array)."""
    store = archive.scene_store(root)
    with store.commit(scene_id, {"id": scene_id}) as folder:
        for name, (resolution, values) in bands.items():
            with archive.band_writer(
                folder / f"{name}.tif", window.at(resolution), str(values.dtype)
            ) as target:
                target.write(values, 1)
        item = archive.scene_item(
            scene_id,
            datetime.combine(day, datetime.min.time(), UTC),
            window,
            {name: resolution for name, (resolution, _) in bands.items()},
            {"s2:processing_baseline": baseline, "platform": "sentinel-2a"},
        )
        (folder / f"{scene_id}.json").write_text(json.dumps(item))
    archive.write_catalog(root)


def ramp(height, width, start=1):
    return (np.arange(height * width, dtype=np.uint16) + start).reshape(height, width)


def test_what_is_written_is_read_by_name_with_coarse_pixels_repeated(tmp_path):
    fine, coarse = ramp(48, 60), ramp(24, 30)
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, fine), "swir16": (20, coarse)})
    dataset = read_scenes(archive.list_scenes(tmp_path), WINDOW, ("swir16", "red"))
    assert dataset["red"].dtype == np.uint16
    np.testing.assert_array_equal(dataset["red"].values[0], fine)
    np.testing.assert_array_equal(dataset["swir16"].values[0], np.kron(coarse, np.ones((2, 2), int)))
    assert dataset.attrs["inputs"] == ["s1"]


@given(st.integers(-20, 70), st.integers(-20, 60), st.integers(1, 50), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_any_window_reads_the_same_pixels_and_no_data_outside(column, row, width, height):
    whole = np.kron(ramp(24, 30), np.ones((2, 2), np.uint16))
    padded = np.zeros((48 + 200, 60 + 200), np.uint16)
    padded[100:148, 100:160] = whole
    window = Window(32719, WINDOW.left + column * 10, WINDOW.top - row * 10, width, height)
    found = read_raster(_coarse_file(), window, 20, "uint16")
    np.testing.assert_array_equal(
        found, padded[100 + row : 100 + row + height, 100 + column : 100 + column + width]
    )


def _coarse_file(cache={}):  # noqa: B006 - one file for all examples
    if not cache:
        import tempfile
        from pathlib import Path

        cache["folder"] = tempfile.TemporaryDirectory()
        cache["path"] = Path(cache["folder"].name) / "coarse.tif"
        with archive.band_writer(cache["path"], WINDOW.at(20), "uint16") as target:
            target.write(ramp(24, 30), 1)
    return cache["path"]


def test_scenes_of_one_day_merge_newest_baseline_first_and_never_mix_bands_of_a_pixel(tmp_path):
    old = {"red": (10, np.full((48, 60), 100, np.uint16)), "nir": (10, np.full((48, 60), 200, np.uint16))}
    red, nir = np.full((48, 60), 300, np.uint16), np.full((48, 60), 400, np.uint16)
    red[:, :10] = 0
    nir[:, 50:] = 0
    write(tmp_path, "a-old", date(2024, 1, 5), old, baseline="03.01")
    write(tmp_path, "b-new", date(2024, 1, 5), {"red": (10, red), "nir": (10, nir)}, baseline="05.10")
    dataset = read_scenes(archive.list_scenes(tmp_path), WINDOW, ("red", "nir"))
    assert dataset.sizes["time"] == 1
    expected = np.full((48, 60), 300)
    expected[:, :10] = expected[:, 50:] = 100
    np.testing.assert_array_equal(dataset["red"].values[0], expected)
    np.testing.assert_array_equal(dataset["nir"].values[0], expected + 100)


def test_a_band_that_a_scene_lacks_is_named(tmp_path):
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, ramp(48, 60))})
    with pytest.raises(InputError, match="no nir in s1"):
        read_scenes(archive.list_scenes(tmp_path), WINDOW, ("red", "nir"))


def test_a_truncated_raster_is_an_error_that_names_it_never_zeros(tmp_path):
    noise = np.random.default_rng(1).integers(1, 9000, (48, 60)).astype(np.uint16)
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, noise)})
    path = tmp_path / "scenes" / "s1" / "red.tif"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SceneReadError, match=r"red\.tif"):
        read_scenes(archive.list_scenes(tmp_path), WINDOW, ("red",))


def test_an_item_without_a_manifest_is_not_a_scene(tmp_path):
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, ramp(48, 60))})
    (tmp_path / "scenes" / "s1" / "manifest.json").unlink()
    assert archive.list_scenes(tmp_path) == []


def test_an_item_is_valid_stac_and_one_of_cocal_0_1_is_read_as_the_same_scene(tmp_path):
    write(
        tmp_path,
        "s1",
        date(2024, 1, 5),
        {"red": (10, ramp(48, 60)), "scl": (20, np.zeros((24, 30), np.uint8))},
    )
    folder = tmp_path / "scenes" / "s1"
    item = json.loads((folder / "s1.json").read_text())
    assert item["stac_version"] == pystac.get_stac_version()
    assert item["properties"]["proj:code"] == "EPSG:32719"
    item["stac_extensions"].remove(
        "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
    )  # no copy of it here
    assert len(item["stac_extensions"]) == 2
    assert extension_errors(item) == []
    (new,) = archive.list_scenes(tmp_path)
    # what 0.1 wrote: STAC 1.0.0, projection 1.1, an integer code
    item |= {"stac_version": "1.0.0"}
    item["properties"]["proj:epsg"] = int(item["properties"].pop("proj:code").removeprefix("EPSG:"))
    with archive.scene_store(tmp_path).commit("s1", {"id": "s1"}) as staging:
        for name in ("red", "scl"):
            (staging / f"{name}.tif").write_bytes((folder / f"{name}.tif").read_bytes())
        (staging / "s1.json").write_text(json.dumps(item))
    (old,) = archive.list_scenes(tmp_path)
    assert (old.window, old.bands, old.acquired, old.id) == (new.window, new.bands, new.acquired, new.id)
    assert old.window == WINDOW
    assert [band.resolution for band in old.bands.values()] == [10, 20]


def test_a_missing_archive_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="no scene archive"):
        archive.list_scenes(tmp_path / "nowhere")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside odc-geo
def test_pystac_and_odc_stac_read_the_archive_as_it_stands(tmp_path):
    odc_stac = pytest.importorskip("odc.stac")
    fine, coarse = ramp(48, 60), ramp(24, 30)
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, fine), "swir16": (20, coarse)})
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert [item.id for item in items] == ["s1"]
    loaded = odc_stac.load(items, bands=["red", "swir16"], resolution=10, crs="EPSG:32719")
    red = loaded["red"].sel(x=slice(WINDOW.left, WINDOW.right), y=slice(WINDOW.top, WINDOW.bottom))
    np.testing.assert_array_equal(red.values[0], fine)
    assert set(np.unique(loaded["swir16"].values)) - {0} == set(coarse.ravel().tolist())


def _altered(data, tag, part, form, value):
    """`data` with another tag, type, count, place or value of one entry of its directory."""
    (entry,) = (e for e in layout_of(data).entries if e.tag == tag)
    at = {"tag": entry.at, "type": entry.at + 2, "count": entry.at + 4, "place": entry.at + 8}.get(part)
    return put(data, entry.values + part if at is None else at, "<" + form, value)


@pytest.mark.parametrize(
    ("tag", "part", "form", "value"),
    [
        (256, "count", "I", 0), (256, "count", "I", 2**31), (256, "type", "H", 12), (256, 0, "H", 0),
        (257, "tag", "H", 60_000), (258, 0, "H", 32), (259, 0, "H", 8), (262, 0, "H", 0),
        (277, 0, "H", 65_535), (277, "type", "H", 4), (284, 0, "H", 2), (317, 0, "H", 3), (322, 0, "H", 0),
        (322, 0, "H", 65_520), (323, 0, "H", 192), (324, 0, "I", 2**31), (324, "count", "I", 2),
        (325, 0, "I", 2**32 - 1), (339, 0, "H", 2), (33550, 0, "d", math.inf), (33550, 0, "d", 0.5),
        (33550, "place", "I", 2**32 - 1), (33922, 0, "d", 0.5), (33922, 24, "d", 1e300),
        (33922, 24, "d", math.nan), (33922, 24, "d", 480_000.5), (34735, 0, "H", 2), (34735, 12, "H", 9),
        (34735, 14, "H", 2), (34735, 22, "H", 2), (34735, "count", "I", 30), (34737, 5, "B", 0),
        (42112, "place", "I", 2**31), (42113, "type", "H", 16),
    ],
)  # fmt: skip
def test_a_file_that_differs_in_one_field_is_left_to_gdal_and_never_read_otherwise(
    tmp_path, tag, part, form, value
):
    values, path = ramp(48, 60), tmp_path / "a.tif"
    with archive.band_writer(path, WINDOW, "uint16", SIMULATED="YES") as target:
        target.write(values, 1)
    assert open_tiled(path) is not None
    path.write_bytes(_altered(path.read_bytes(), tag, part, form, value))
    assert open_tiled(path) is None
    try:
        found = read_raster(path, WINDOW, 10, "uint16")
    except SceneReadError:
        return
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    "other", [b"", b"MM", bytes(8), b"II*\0\xff\xff\xff\x7f", b"II+\0\x04\0\0\0" + bytes(8)]
)
def test_a_file_that_is_no_tiff_is_left_to_gdal(tmp_path, other):
    (tmp_path / "a.tif").write_bytes(other)
    assert open_tiled(tmp_path / "a.tif") is None
    with pytest.raises(SceneReadError, match=r"a\.tif"):
        read_raster(tmp_path / "a.tif", WINDOW, 10, "uint16")


@pytest.mark.parametrize("compress", ["zstd", "deflate"], ids=["own reader", "GDAL"])
@pytest.mark.parametrize(
    ("wanted", "native", "dtype"),
    [
        (Window(32718, 480_000, 8_430_000, 60, 48), 10, "uint16"),
        (WINDOW, 20, "uint16"),
        (WINDOW, 10, "uint8"),
        (Window(32719, 480_005, 8_430_000, 60, 48), 10, "uint16"),
    ],
    ids=["zone", "pixel size", "type", "half a pixel aside"],
)
def test_pixels_of_another_grid_or_type_are_refused_and_never_moved_or_cut(
    tmp_path, compress, wanted, native, dtype
):
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", **archive.band_profile(WINDOW, "uint16") | {"compress": compress}
    ) as target:
        target.write(ramp(48, 60), 1)
    with pytest.raises(SceneReadError, match=r"a\.tif"):
        read_raster(path, wanted, native, dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"predictor": 1},
        {"bigtiff": "yes"},
        {"compress": "deflate"},
        {"tiled": False},
        {"sparse_ok": True},
    ],
    ids=["own", "plain", "big", "deflate", "stripes", "empty tiles"],
)
def test_every_layout_gives_the_pixels_that_gdal_reads(tmp_path, dtype, profile):
    whole, path = Window(32719, 480_000, 8_430_000, 900, 500, 20), tmp_path / "a.tif"
    values = np.random.default_rng(3).integers(1, 200, whole.shape).astype(dtype)
    values[:, 384:768] = 7
    stated = archive.band_profile(whole, dtype, 7) | profile
    if profile.get("tiled") is False:
        del stated["blockxsize"], stated["blockysize"]
    with rasterio.open(path, "w", **stated) as target:
        if "sparse_ok" in profile:  # the middle column of tiles is never written: GDAL reads its nodata, 7
            for left in (0, 768):
                part = rasterio.windows.Window(left, 0, min(384, 900 - left), 500)
                target.write(values[:, left : left + 384], 1, window=part)
        else:
            target.write(values, 1)
    layout = open_tiled(path)
    assert (layout is not None) == (profile in ({}, {"predictor": 1}, {"bigtiff": "yes"}))
    for window in (whole.at(10), Window(32719, 479_930, 8_430_050, 801, 333)):
        fine = np.kron(values, np.ones((2, 2), dtype))
        expected = np.zeros(window.shape, dtype)
        common = window.intersection(whole.at(10))
        expected[window.slices_of(common)] = fine[whole.at(10).slices_of(common)]
        np.testing.assert_array_equal(read_raster(path, window, 20, dtype), expected)


def test_a_pixel_without_a_band_keeps_its_class_and_around_the_inner_window_classes_are_right(tmp_path):
    red, scl = ramp(48, 60), np.tile(np.arange(1, 11, dtype=np.uint8), (24, 3))
    red[:, :20] = 0
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, red), "scl": (20, scl)})
    scenes = archive.list_scenes(tmp_path)
    found = read_scenes(scenes, WINDOW, ("red", "scl"))
    np.testing.assert_array_equal(found["red"].values[0], red)
    np.testing.assert_array_equal(found["scl"].values[0], np.kron(scl, np.ones((2, 2), np.uint8)))
    inner = Window(32719, WINDOW.left + 200, WINDOW.top - 100, 25, 20)
    narrow = read_scenes(scenes, WINDOW, ("red", "scl"), inner)
    inside = WINDOW.slices_of(inner)
    np.testing.assert_array_equal(narrow["scl"].values, found["scl"].values)
    np.testing.assert_array_equal(narrow["red"].values[0][inside], red[inside])


def test_of_two_scenes_of_a_day_the_class_is_of_the_one_whose_bands_are_taken(tmp_path):
    whole, none = np.full((48, 60), 5, np.uint16), np.zeros((48, 60), np.uint16)
    for name, red, code, baseline in (("a", whole, 4, "03.01"), ("b", none, 9, "05.10")):
        bands = {"red": (10, red), "scl": (20, np.full((24, 30), code, np.uint8))}
        write(tmp_path, name, date(2024, 1, 5), bands, baseline=baseline)
    found = read_scenes(archive.list_scenes(tmp_path), WINDOW, ("red", "scl"), WINDOW)
    assert (found["scl"].values == 4).all()
    assert (found["red"].values == 5).all()


def test_one_flipped_bit_of_a_raster_is_an_error_that_names_the_file(tmp_path):
    rng = np.random.default_rng(1)
    noise = rng.integers(1, 9000, (48, 60)).astype(np.uint16)
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, noise), "scl": (20, noise[:24, :30].astype("u1"))})
    scenes = archive.list_scenes(tmp_path)
    for name in ("red", "scl"):
        path = tmp_path / "scenes" / "s1" / f"{name}.tif"
        whole = path.read_bytes()
        for _ in range(25):
            flipped = bytearray(whole)
            flipped[rng.integers(0, len(whole))] ^= 1 << rng.integers(0, 8)
            path.write_bytes(flipped)
            with pytest.raises(SceneReadError, match=rf"{name}\.tif(.|\n)*xxh3"):
                read_scenes(scenes, WINDOW, ("red", "scl"))
        path.write_bytes(whole)
        assert read_scenes(scenes, WINDOW, ("red", "scl"))["red"].values[0].tolist() == noise.tolist()


def test_a_second_scene_of_the_day_is_compared_with_its_checksum_too(tmp_path):
    half = ramp(48, 60)
    half[:, :30] = 0
    write(tmp_path, "a", date(2024, 1, 5), {"red": (10, half)}, baseline="05.10")
    write(tmp_path, "b", date(2024, 1, 5), {"red": (10, ramp(48, 60))}, baseline="05.09")
    path = tmp_path / "scenes" / "b" / "red.tif"
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    with pytest.raises(SceneReadError, match=r"b/red\.tif"):
        read_scenes(archive.list_scenes(tmp_path), WINDOW, ("red",))


@pytest.mark.parametrize(("name", "at"), [("s1.json", b"2024-01-05"), ("manifest.json", b'"address"')])
def test_a_flipped_bit_of_an_item_or_its_manifest_is_an_error_not_another_day_or_no_scene(tmp_path, name, at):
    write(tmp_path, "s1", date(2024, 1, 5), {"red": (10, ramp(48, 60))})
    path = tmp_path / "scenes" / "s1" / name
    data = bytearray(path.read_bytes())
    data[data.index(at)] ^= 1
    path.write_bytes(data)
    with pytest.raises(SceneReadError, match=r"scene s1 of the archive is damaged"):
        archive.list_scenes(tmp_path)
