import json
from datetime import UTC, date, datetime

import numpy as np
import pystac
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocal import archive
from cocal.archive import read_raster, read_scenes
from cocal.errors import InputError, SceneReadError
from cocal.grid import Window

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
