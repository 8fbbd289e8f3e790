"""Imports of every kind into the archive, on small rasters of known values."""

import multiprocessing
import pickle
import signal
from dataclasses import fields, replace

import numpy as np
import pytest
import rasterio
from affine import Affine

from cocal.archive import list_scenes, scene_store
from cocal.content import digest
from cocal.errors import InputError, OffsetError, SceneReadError
from cocal.grid import Window, owned_by_zone, transformer, utm_epsg
from cocal.run.execute import SerialExecutor
from cocal.run.observers import Summary
from cocal.run.recipes import Batch, Recipe, make
from cocal.run.stages.imports import import_scenes
from cocal.scenes import plan_imports, write_scene
from cocal.store import Manifest

BANDS = {"blue": "blue", "red": "red", "nir": "nir"}


def import_scene(task, archive):
    """Make one scene of the archive; True if it was made, False if it was there."""
    summary, store = Summary(), scene_store(archive)
    batch = Batch("import", (Recipe(task.unit, task, write_scene),), on_failure="stop", store=store)
    make(batch, store, SerialExecutor(), summary)
    return summary.stages["import"].made == 1


def test_an_aligned_raster_is_copied_bit_by_bit_and_padded_to_60_m(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    dn = landscape(50, 40)
    path = write_raster(tmp_path / "in.tif", dn, left=500_010, top=8_000_030)
    import_scenes([multiband(path)], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    # 500010 down to 499980, 500410 up to 500460; 8000030 up to 8000040, 7999530 down to 7999500
    assert scene.window == Window(32719, 499_980, 8_000_040, 48, 54)
    assert scene.properties["cocal:warped"] is False
    for band, values in dn.items():
        expected = np.zeros((54, 48), dtype=np.uint16)
        expected[1:51, 3:43] = values
        assert (stored(scene, band) == expected).all()


def test_the_offset_is_removed_and_the_item_tells_it(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    dn = landscape(30, 30)
    path = write_raster(tmp_path / "in.tif", {n: v + np.uint16(1000) for n, v in dn.items()})
    settings = multiband(path, offset=-1000, baseline="05.09", platform="sentinel-2b")
    import_scenes([settings], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    rows, columns = scene.window.slices_of(Window(32719, 500_000, 8_000_040, 30, 30))
    assert (stored(scene, "nir")[rows, columns] == dn["nir"]).all()
    told = scene.properties
    assert (told["cocal:offset_applied"], told["cocal:scale"]) == (-1000, 1e-4)
    assert told["s2:processing_baseline"] == "05.09"
    assert told["platform"] == "sentinel-2b"
    assert told["cocal:source"] == ["in.tif"]
    assert told["cocal:simulated"] is False
    assert told["cocal:offset_source"].startswith("stated in the configuration, processing baseline 05.09")
    assert str(tmp_path) not in (scene.bands["nir"].path.parent / f"{scene.id}.json").read_text()


def test_bands_are_found_by_index_too_and_missing_ones_are_all_named(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    import_scenes([multiband(path, bands={"nir": 3})], tmp_path / "archive")
    by_index = stored(only_scene(tmp_path / "archive"), "nir")
    import_scenes([multiband(path)], tmp_path / "other")
    assert (by_index == stored(only_scene(tmp_path / "other"), "nir")).all()
    with pytest.raises(InputError, match="blue = 'B2', nir = 9"):
        plan_imports([multiband(path, bands={"blue": "B2", "red": "red", "nir": 9})])


def test_a_second_import_reuses_and_rewrites_nothing(tmp_path, write_raster, landscape, multiband):
    archive = tmp_path / "archive"
    imports = [multiband(write_raster(tmp_path / "in.tif", landscape(30, 30)))]
    import_scenes(imports, archive)
    facts = {
        p: (p.stat().st_ino, p.stat().st_mtime_ns)
        for p in archive.rglob("*")
        if p.is_file() and p.name != ".lock"
    }
    (task,) = plan_imports(imports)
    assert import_scene(task, archive) is False
    import_scenes(imports, archive)
    assert facts == {
        p: (p.stat().st_ino, p.stat().st_mtime_ns)
        for p in archive.rglob("*")
        if p.is_file() and p.name != ".lock"
    }


def test_all_that_is_read_of_a_source_is_in_the_address_and_its_folder_is_not(
    tmp_path, write_raster, landscape, multiband
):
    """Headers are read by the plan, not by the worker: what it reads counts by its values."""
    dn = landscape(30, 30)
    (task,) = plan_imports([multiband(write_raster(tmp_path / "in.tif", dn))])
    (moved,) = plan_imports([multiband(write_raster(tmp_path / "moved" / "in.tif", dn))])
    assert digest(moved) == digest(task)
    source = task.bands[0].source
    changes = {
        "band": "coastal", "path": write_raster(tmp_path / "other.tif", dn), "dtype": "int16", "nodata": 7,
        "grid": replace(source.grid, width=29), "index": 2, "variable": "B2", "turned_yx": (True, False),
        "masked": True, "invalid": (3.0,), "valid": (0.0, 9.0),
    }  # fmt: skip
    assert set(changes) == {field.name for field in fields(source)}
    for name, value in changes.items():
        band = replace(task.bands[0], source=replace(source, **{name: value}))
        assert digest(replace(task, bands=(band, *task.bands[1:]))) != digest(task), name


def test_changed_pixels_or_settings_make_the_item_again(tmp_path, write_raster, landscape, multiband):
    archive = tmp_path / "archive"
    path = write_raster(tmp_path / "in.tif", landscape(30, 30))
    import_scenes([multiband(path)], archive)
    write_raster(path, landscape(30, 30, seed=1))
    (task,) = plan_imports([multiband(path)])
    assert import_scene(task, archive) is True
    assert import_scene(task, archive) is False
    (task,) = plan_imports([multiband(path, platform="sentinel-2a")])
    assert import_scene(task, archive) is True


def test_a_moved_source_is_reused(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(30, 30))
    import_scenes([multiband(path)], tmp_path / "archive")
    moved = tmp_path / "elsewhere" / "in.tif"
    moved.parent.mkdir()
    path.rename(moved)
    (task,) = plan_imports([multiband(moved)])
    assert import_scene(task, tmp_path / "archive") is False


def test_a_task_survives_pickling(tmp_path, write_raster, landscape, multiband):
    (task,) = plan_imports([multiband(write_raster(tmp_path / "in.tif", landscape(12, 12)))])
    assert pickle.loads(pickle.dumps(task)) == task


def test_a_refused_offset_leaves_nothing(tmp_path, write_raster, landscape, multiband, files_below):
    path = write_raster(tmp_path / "in.tif", landscape(60, 60))
    with pytest.raises(OffsetError, match="test-20220305-32719: the data contradict"):
        import_scenes([multiband(path, offset=-1000)], tmp_path / "archive")
    assert files_below(tmp_path / "archive") == [".lock"]


def test_a_truncated_raster_is_named_and_leaves_nothing(
    tmp_path, write_raster, landscape, multiband, files_below
):
    path = write_raster(tmp_path / "in.tif", landscape(600, 600), tiled=True, blockxsize=256, blockysize=256)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SceneReadError, match=r"in\.tif"):
        import_scenes([multiband(path)], tmp_path / "archive")
    assert files_below(tmp_path / "archive") == [".lock"]


@pytest.mark.parametrize("content", [b"", b"no raster at all", b"II*\x00" + bytes(40)])
def test_a_file_that_is_no_raster_is_refused_by_name(tmp_path, content, multiband):
    path = tmp_path / "in.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"in\.tif"):
        plan_imports([multiband(path)])


def test_a_missing_file_and_a_raster_without_crs_are_refused_by_name(
    tmp_path, write_raster, landscape, multiband
):
    with pytest.raises(InputError, match=r"absent\.tif"):
        plan_imports([multiband(tmp_path / "absent.tif")])
    path = write_raster(tmp_path / "plain.tif", landscape(12, 12), crs=None)
    with pytest.raises(InputError, match=r"plain\.tif has no coordinate reference system"):
        plan_imports([multiband(path)])


def test_two_acquisitions_of_one_id_are_refused(tmp_path, write_raster, landscape, multiband):
    settings = multiband(write_raster(tmp_path / "in.tif", landscape(12, 12)))
    with pytest.raises(InputError, match="test-20220305-32719"):
        plan_imports([settings, settings])


def _die_while_writing(settings, archive):
    import os

    from cocal.scenes import item

    item.check_offset = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    import_scenes([settings], archive)


def test_a_killed_import_publishes_nothing_and_the_next_one_is_whole(
    tmp_path, write_raster, landscape, multiband, only_scene, files_below
):
    settings = multiband(write_raster(tmp_path / "in.tif", landscape(60, 60)))
    archive = tmp_path / "archive"
    process = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(settings, archive))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list_scenes(archive) == []
    with scene_store(archive).locked():
        scene_store(archive).sweep()
    assert files_below(archive) == [".lock"]
    import_scenes([settings], archive)
    scene = only_scene(archive)
    folder = scene.bands["nir"].path.parent
    assert Manifest.read(folder / "manifest.json").holds(folder)


def test_strips_do_not_show(tmp_path, write_raster, landscape, monkeypatch, multiband, stored):
    dn = landscape(100, 30)
    plain = write_raster(tmp_path / "a.tif", dn)
    skewed = write_raster(tmp_path / "b.tif", dn, left=500_003, top=8_000_033)
    for name, rows in (("whole", 1152), ("strips", 17)):
        monkeypatch.setattr("cocal.scenes.item.STRIP_PX", rows)
        both = [multiband(plain), multiband(skewed, name="skewed", resampling="nearest")]
        import_scenes(both, tmp_path / name)
    for one, other in zip(list_scenes(tmp_path / "whole"), list_scenes(tmp_path / "strips"), strict=True):
        for band in BANDS:
            assert (stored(one, band) == stored(other, band)).all()


def test_a_warp_needs_a_stated_resampling(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12), left=500_005)
    with pytest.raises(InputError, match=r"in\.tif must be warped to EPSG:32719.*\n.*resampling"):
        plan_imports([multiband(path)])


def test_a_nearest_warp_takes_the_pixel_that_holds_the_centre(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    """Shifted by 3 m east and south: the centre of a lattice pixel lies in the source pixel of its index."""
    dn = landscape(60, 60)
    path = write_raster(tmp_path / "in.tif", dn, left=500_003, top=8_000_037)
    import_scenes([multiband(path, resampling="nearest")], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    assert scene.properties["cocal:warped"] is True
    assert scene.properties["cocal:resampling"] == "nearest"
    rows, columns = scene.window.slices_of(Window(32719, 500_000, 8_000_040, 60, 60))
    assert (stored(scene, "red")[rows, columns] == dn["red"]).all()


def test_a_bilinear_warp_interpolates_dn_and_never_blends_no_data(
    tmp_path, write_raster, multiband, only_scene, stored
):
    """A plane of 2 DN per metre eastward, shifted by 5 m: half-way between its pixels it is itself."""
    easting = 500_005 + 10 * (np.arange(60) + 0.5)
    plane = np.tile((easting - 500_000) * 2 + 500, (60, 1)).astype(np.uint16)
    plane[:, 30:] = 0
    path = write_raster(tmp_path / "in.tif", {"red": plane}, left=500_005)
    import_scenes([multiband(path, bands={"red": 1}, resampling="bilinear")], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    row = stored(scene, "red")[30]
    expected = (scene.window.x - 500_000) * 2 + 500
    inside = (scene.window.x > 500_010) & (scene.window.x < 500_300)
    assert (row[inside] == expected[inside]).all()
    assert row[scene.window.x > 500_320].max() == 0
    assert set(np.unique(row)) - {0} >= set(expected[inside].astype(int))
    assert row[row > 0].min() >= 500


def test_no_data_other_than_zero_is_not_blended_by_a_warp(
    tmp_path, write_raster, multiband, only_scene, stored
):
    values = np.full((60, 60), 400, dtype=np.uint16)
    values[:, 30:] = 65535
    path = write_raster(tmp_path / "in.tif", {"red": values}, left=500_005, nodata=65535)
    import_scenes([multiband(path, bands={"red": 1}, resampling="cubic")], tmp_path / "archive")
    assert set(np.unique(stored(only_scene(tmp_path / "archive"), "red"))) == {0, 400}


def test_65535_is_no_data_only_where_the_file_says_so(tmp_path, write_raster, multiband, only_scene, stored):
    values = np.full((12, 12), 400, dtype=np.uint16)
    values[0, 0] = 65535
    for name, nodata in (("plain", None), ("declared", 65535)):
        path = write_raster(tmp_path / f"{name}.tif", {"red": values}, nodata=nodata)
        import_scenes([multiband(path, bands={"red": 1})], tmp_path / name)
        assert stored(only_scene(tmp_path / name), "red").max() == (400 if nodata else 65535)


@pytest.fixture
def across_72_west(tmp_path, write_raster):
    """A raster in degrees over 72 W at 13 S, 0.02 x 0.01 degrees: 19,000 values in turn."""
    pixel = 9e-5
    values = (np.arange(110 * 220) % 19_000 + 200).reshape(110, 220).astype(np.uint16)
    transform = Affine(pixel, 0, -72 - 110 * pixel, 0, -pixel, -13.0)
    return write_raster(tmp_path / "degrees.tif", {"red": values}, epsg=4326, transform=transform)


def test_a_raster_across_a_meridian_makes_one_item_per_zone_without_a_gap(
    tmp_path, across_72_west, multiband, stored
):
    settings = multiband(across_72_west, bands={"red": 1}, resampling="nearest")
    units = import_scenes([settings], tmp_path / "archive")
    assert units == ["test-20220305-32718", "test-20220305-32719"]
    with rasterio.open(across_72_west) as dataset:
        source, inverse = dataset.read(1), ~dataset.transform
    scenes = {scene.window.epsg: scene for scene in list_scenes(tmp_path / "archive")}
    values = {epsg: stored(scene, "red") for epsg, scene in scenes.items()}
    rng = np.random.default_rng(0)
    points = rng.uniform((-72.0095, -13.0095), (-71.9905, -13.0005), (300, 2))
    compared = 0
    for longitude, latitude in points:
        epsg = utm_epsg(longitude, latitude)
        row, column, centre = _pixel(scenes[epsg].window, longitude, latitude)
        x, y = inverse @ centre
        assert values[epsg][row, column] > 0
        if min(abs(x - round(x)), abs(y - round(y))) > 0.01:  # the warp's tolerance: 0.01 px
            assert values[epsg][row, column] == source[int(y), int(x)]
            compared += 1
    assert compared > 270


def _pixel(window, longitude, latitude):
    """(row, column) of the window's pixel that holds a point, and that pixel's centre in degrees."""
    there = transformer(4326, window.epsg)
    easting, northing = there.transform(longitude, latitude)
    row, column, inside = (value.item() for value in window.locate(easting, northing))
    assert inside
    return row, column, there.transform(window.x[column], window.y[row], direction="INVERSE")


def test_items_reach_640_m_beyond_their_meridian_for_halos(tmp_path, across_72_west, multiband):
    for task in plan_imports([multiband(across_72_west, bands={"red": 1}, resampling="nearest")]):
        owned = owned_by_zone(task.window)
        beyond = (~owned).sum(axis=1) * 10
        assert beyond.min() >= 640 - 60
        assert beyond.max() <= 640 + 120


def test_a_utm_raster_across_a_meridian_is_copied_in_its_own_zone_and_warped_in_the_other(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    """At 13 S the meridian 72 W is 174,6xx m easting in zone 19: a raster of 170,000 to 180,000 crosses
    it.
    """
    dn = landscape(60, 1000)
    path = write_raster(tmp_path / "in.tif", dn, left=169_980, top=8_560_020)
    tasks = plan_imports([multiband(path, resampling="nearest")])
    assert [(t.window.epsg, t.warped) for t in tasks] == [(32718, True), (32719, False)]
    import_scene(tasks[1], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    kept = scene.window.intersection(Window(32719, 169_980, 8_560_020, 1000, 60))
    rows, columns = Window(32719, 169_980, 8_560_020, 1000, 60).slices_of(kept)
    assert (stored(scene, "red")[scene.window.slices_of(kept)] == dn["red"][rows, columns]).all()
    assert kept.left > 169_980


def test_warped_scl_holds_only_classes_of_the_source(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    scl = np.random.default_rng(0).choice(np.array([4, 8], dtype=np.uint16), (60, 60))
    path = write_raster(tmp_path / "in.tif", landscape(60, 60) | {"scl": scl}, left=500_005)
    settings = multiband(path, bands={**BANDS, "scl": "scl"}, resampling="cubic")
    import_scenes([settings], tmp_path / "archive")
    assert set(np.unique(stored(only_scene(tmp_path / "archive"), "scl"))) == {0, 4, 8}


def test_cloud_probability_outside_the_source_is_not_offered(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    """255 = not offered; 0 % is a value, and stays."""
    cloud = np.zeros((50, 50), dtype=np.uint16)
    path = write_raster(tmp_path / "in.tif", landscape(50, 50) | {"cloud": cloud})
    settings = multiband(path, bands={**BANDS, "cloud_probability": "cloud"})
    import_scenes([settings], tmp_path / "archive")
    scene = only_scene(tmp_path / "archive")
    values = stored(scene, "cloud_probability")
    inside = scene.window.slices_of(Window(32719, 500_000, 8_000_040, 50, 50))
    assert values[inside].max() == 0
    assert (values == 255).sum() == values.size - 2500


def test_the_simulated_label_is_kept(tmp_path, write_raster, landscape, multiband, only_scene):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    import_scenes([multiband(path, simulated=True)], tmp_path / "archive")
    assert only_scene(tmp_path / "archive").simulated is True


def test_several_files_of_one_acquisition_are_one_item(
    tmp_path, write_raster, landscape, multiband, only_scene, stored
):
    """All bands in one file, the scene classification of 20 m in another, a band in a third."""
    dn, rng = landscape(30, 30), np.random.default_rng(0)
    scl = rng.choice(np.array([0, 4, 8], dtype=np.uint8), (15, 15))
    image = write_raster(tmp_path / "image.tif", {n: dn[n] for n in ("blue", "red")})
    nir = write_raster(tmp_path / "nir.tif", {"nir": dn["nir"]})
    classes = write_raster(tmp_path / "scl.tif", {"SCL": scl}, pixel=20)
    also = [{"path": nir, "bands": {"nir": "nir"}}, {"path": classes, "bands": {"scl": 1}}]
    settings = multiband(image, bands={"blue": 1, "red": 2}, also=also)
    assert len(import_scenes([settings], tmp_path / "archive")) == 1
    scene = only_scene(tmp_path / "archive")
    assert {name: band.resolution for name, band in scene.bands.items()} == {
        "blue": 10, "red": 10, "nir": 10, "scl": 20,
    }  # fmt: skip
    assert scene.properties["cocal:source"] == ["image.tif", "nir.tif", "scl.tif"]
    rows, columns = scene.window.slices_of(Window(32719, 500_000, 8_000_040, 30, 30))
    for name, values in dn.items():
        assert (stored(scene, name)[rows, columns] == values).all()
    coarse = scene.window.at(20).slices_of(Window(32719, 500_000, 8_000_040, 15, 15, 20))
    assert (stored(scene, "scl")[coarse] == scl).all()


def test_a_band_of_two_files_is_refused_and_a_missing_one_names_its_file(
    tmp_path, write_raster, landscape, multiband
):
    image = write_raster(tmp_path / "image.tif", landscape(12, 12))
    with pytest.raises(ValueError, match="bands named in several files: red"):
        multiband(image, also=[{"path": image, "bands": {"red": 1}}])
    scl = write_raster(tmp_path / "scl.tif", {"x": np.zeros((12, 12), np.uint8)})
    with pytest.raises(InputError, match=r"scl\.tif lacks bands"):
        plan_imports([multiband(image, also=[{"path": scl, "bands": {"scl": 2}}])])
