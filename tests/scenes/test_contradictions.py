"""What files say of their bands, day and origin against the configuration: refused by name, or honoured."""

import json

import numpy as np
import pytest
import rasterio
from pydantic import ValidationError

from cocal.archive import list_scenes
from cocal.errors import InputError
from cocal.run.stages.imports import import_scenes
from cocal.scenes import FilesImport, plan_imports

SAFE = """<?xml version="1.0"?><root><PROCESSING_BASELINE>05.10</PROCESSING_BASELINE>
<DATATAKE_SENSING_START>{}</DATATAKE_SENSING_START></root>"""


def described(path, *names):
    with rasterio.open(path, "r+") as target:
        target.descriptions = names
    return path


def stac_item(path, name, item):
    (path.parent / name).write_text(json.dumps({"type": "Feature", **item}))


@pytest.mark.parametrize(
    ("names", "bands", "found"),
    [
        (("red", "red", "nir"), {"red": "red", "nir": "nir"}, "red is said of 2 bands"),
        (("blue", "nir", "red"), {"red": 2, "nir": 3}, "band 2, imported as red, is described nir"),
        (("B02", "B08", "B04"), {"red": 2, "nir": 3}, "band 3, imported as nir, is described B04"),
    ],
)
def test_descriptions_that_contradict_the_bands_are_refused(
    tmp_path, write_raster, landscape, multiband, names, bands, found
):
    path = described(write_raster(tmp_path / "in.tif", landscape(12, 12)), *names)
    with pytest.raises(InputError, match=found):
        plan_imports([multiband(path, bands=bands)])


@pytest.mark.parametrize("names", [("B02", "B04", "B8A"), ("blue", "red", "nir08"), ("1", "SR_B5", "B05")])
def test_names_of_the_same_or_of_no_known_band_are_taken(tmp_path, write_raster, landscape, multiband, names):
    path = described(write_raster(tmp_path / "in.tif", landscape(12, 12)), *names)
    assert len(plan_imports([multiband(path, bands={"blue": 1, "red": 2, "nir": 3})])) == 1


def test_bands_that_the_configuration_exchanges_are_refused(tmp_path, multiband):
    with pytest.raises(ValidationError, match=r"red: B08 \(which is nir\), nir: red \(which is red\)"):
        multiband(tmp_path / "in.tif", bands={"red": "B08", "nir": "red"})


def test_an_offset_tag_on_some_bands_is_refused(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with rasterio.open(path, "r+") as target:
        target.update_tags(1, BOA_ADD_OFFSET="-1000")
    with pytest.raises(InputError, match=r"contradict each other(.|\n)*blue 1, -1000 DN; red none"):
        plan_imports([multiband(path, offset=None)])


@pytest.mark.parametrize(
    ("sensed", "accepted"),
    [
        ("2022-03-05T14:47:31Z", True),
        ("2022-03-04T20:47:31-06:00", True),  # 5 March in UTC
        ("2022-03-06T00:47:31Z", True),  # the local day may be the one before
        ("2022-03-07T14:47:31Z", False),
        ("2021-03-05T14:47:31.024Z", False),
    ],
)
@pytest.mark.parametrize("kind", ["item", "safe"])
def test_another_day_of_sensing_in_the_metadata_is_refused(
    tmp_path, write_raster, landscape, multiband, sensed, accepted, kind
):
    path = write_raster(tmp_path / "in.tif", {k: v + 1000 for k, v in landscape(12, 12).items()})
    if kind == "item":
        stac_item(path, "in.json", {"properties": {"datetime": sensed}, "assets": {"a": {"href": "in.tif"}}})
    else:
        (tmp_path / "MTD_MSIL2A.xml").write_text(SAFE.format(sensed))
    settings = multiband(path, offset=-1000)
    if accepted:
        assert len(plan_imports([settings])) == 1
    else:
        with pytest.raises(
            InputError, match=rf"2022-03-05 by the conf(.|\n)* in (in\.json|MTD_MSIL2A\.xml): {sensed[:10]}"
        ):
            plan_imports([settings])


def test_items_above_the_folders_count_for_the_file_of_their_address_only(tmp_path, write_raster, landscape):
    for day in ("2022-03-05", "2023-03-05"):
        path = write_raster(tmp_path / "s" / day / "B04.tif", {"red": landscape(12, 12)["red"]})
        item = {"properties": {"datetime": f"{day}T15:00:00Z"}, "assets": {"a": {"href": f"{day}/B04.tif"}}}
        stac_item(path.parent, f"{day}.json", item)
    settings = FilesImport(
        kind="files", name="s", folder=tmp_path / "s", bands={"red": "B04"}, offset=0, scale=1e-4,
        pattern=r"(?P<date>[\d-]{10})/(?P<band>B\d\d)\.tif$",
    )  # fmt: skip
    assert [f"{task.acquired:%Y-%m-%d}" for task in plan_imports([settings])] == ["2022-03-05", "2023-03-05"]


def test_a_raster_whose_item_says_simulated_is_simulated(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    item = {"properties": {"cocal:simulated": True}, "assets": {"a": {"href": "in.tif"}}}
    stac_item(path, "in.json", item)
    import_scenes([multiband(path)], tmp_path / "archive")
    assert [scene.simulated for scene in list_scenes(tmp_path / "archive")] == [True]


@pytest.mark.parametrize(
    "item",
    [
        {"assets": []},
        {"properties": {"datetime": "last May"}, "assets": {"a": {"href": "in.tif"}}},
        {"properties": [], "assets": {"a": {"href": "in.tif", "raster:bands": [{"nodata": "none"}]}}},
        {"properties": {}, "assets": {"a": {"href": "in.tif", "raster:bands": [{"scale": "x"}]}}},
        {"properties": {}, "assets": {"a": {"href": "in.tif", "raster:bands": {"scale": 1}}}},
        {"properties": {}, "assets": {"a": "in.tif"}},
    ],
)
def test_an_item_of_other_types_is_refused_by_name(tmp_path, write_raster, landscape, multiband, item):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    stac_item(path, "in.json", item)
    with pytest.raises(InputError, match=r"metadata file .*in\.json"):
        plan_imports([multiband(path)])


def test_an_offset_tag_that_is_no_number_is_refused(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    with rasterio.open(path, "r+") as target:
        target.update_tags(BOA_ADD_OFFSET="none")
    with pytest.raises(InputError, match=r"tag BOA_ADD_OFFSET of in\.tif band 1"):
        plan_imports([multiband(path)])


def with_classes(multiband, path, write_raster, classes, **place):
    write_raster(path.parent / "scl.tif", {"scl": classes.astype(np.uint8)}, **place)
    return multiband(path, also=[{"path": path.parent / "scl.tif", "bands": {"scl": 1}}])


@pytest.mark.parametrize(("highest", "accepted"), [(11, True), (12, False), (255, False)])
def test_a_raster_that_is_no_scene_classification_is_refused(
    tmp_path, write_raster, landscape, multiband, highest, accepted
):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    settings = with_classes(multiband, path, write_raster, np.full((12, 12), highest))
    if accepted:
        import_scenes([settings], tmp_path / "archive")
    else:
        with pytest.raises(InputError, match=rf"no scl band(.|\n)*from 0 to 11(.|\n)* to {highest}"):
            import_scenes([settings], tmp_path / "archive")


@pytest.mark.parametrize(("columns", "text"), [(0, "100.0 %"), (6, "50.0 %"), (12, "")])
def test_pixels_without_a_scene_class_are_noted(
    tmp_path, write_raster, landscape, multiband, caplog, columns, text
):
    path, classes = write_raster(tmp_path / "in.tif", landscape(12, 12)), np.zeros((12, 12))
    classes[:, :columns] = 4
    import_scenes([with_classes(multiband, path, write_raster, classes)], tmp_path / "archive")
    assert (f"{text} of the pixels with reflectance have no scene class" in caplog.text) == bool(text)


def test_bands_on_different_ground_are_refused(tmp_path, write_raster, landscape, multiband):
    path = write_raster(tmp_path / "in.tif", landscape(12, 12))
    settings = with_classes(multiband, path, write_raster, np.full((12, 12), 4), left=500_120)
    with pytest.raises(InputError, match=r"lie on different ground(.|\n)*scl\.tif at"):
        plan_imports([settings])
