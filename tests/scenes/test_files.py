"""Folders of single-band files: names, pixel sizes, JP2, SAFE products."""

import numpy as np
import pytest

from cocal.archive import read_scenes
from cocal.errors import InputError, OffsetError, SceneReadError
from cocal.grid import Window
from cocal.run.stages.imports import import_scenes
from cocal.scenes import FilesImport, plan_imports


def test_files_keep_their_own_pixel_size_and_scl_is_never_interpolated(tmp_path, write_raster, only_scene):
    rng = np.random.default_rng(0)
    red = rng.integers(1100, 2000, (120, 120), dtype=np.uint16)
    swir = rng.integers(1100, 3000, (60, 60), dtype=np.uint16)
    scl = rng.choice(np.array([0, 4, 8], dtype=np.uint8), (60, 60))
    folder = tmp_path / "T19LCD"
    for name, values, pixel in (("B04_10m", red, 10), ("B11_20m", swir, 20), ("SCL_20m", scl, 20)):
        write_raster(folder / f"T19LCD_20220305T143741_N0400_{name}.tif", {name: values}, pixel=pixel)
    settings = FilesImport(
        kind="files", name="s2", folder=folder, resampling="cubic",
        pattern=r"(?P<tile>T\w{5})_(?P<date>\d{8}T\d{6})_(?P<baseline>N\d{4})_(?P<band>B\d\w|SCL)_\d0m\.tif$",
        bands={"red": "B04", "swir16": "B11", "scl": "SCL"},
    )  # fmt: skip
    assert import_scenes([settings], tmp_path / "archive") == ["s2-20220305t143741-t19lcd-n0400-32719"]
    scene = only_scene(tmp_path / "archive")
    assert {n: b.resolution for n, b in scene.bands.items()} == {"red": 10, "swir16": 20, "scl": 20}
    assert scene.properties["s2:processing_baseline"] == "04.00"
    assert scene.properties["cocal:offset_source"] == "processing baseline 04.00 (file name)"
    dataset = read_scenes([scene], Window(32719, 500_000, 8_000_040, 120, 120), ["red", "swir16", "scl"])
    assert (dataset["red"].values[0] == red - 1000).all()
    assert (dataset["swir16"].values[0] == np.kron(swir - 1000, np.ones((2, 2)))).all()
    assert (dataset["scl"].values[0] == np.kron(scl, np.ones((2, 2)))).all()
    assert dataset["scl"].dtype == np.uint8


def jp2(write_raster, path, values, pixel):
    return write_raster(
        path, {"b": values}, pixel=pixel, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"
    )


def safe_settings(folder, **settings):
    return FilesImport(
        kind="files", name="s2", folder=folder,
        pattern=r"(?P<tile>T\w{5})_(?P<date>\d{8}T\d{6})_(?P<band>B\d\w)_\d0m\.jp2$",
        bands={"red": "B04", "swir16": "B11"}, **settings,
    )  # fmt: skip


XML = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
 <n1:General_Info><Product_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
  <Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake></Product_Info>
  <Product_Image_Characteristics>
   <QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
   </QUANTIFICATION_VALUES_LIST>{offsets}
  </Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"""
OFFSETS = (
    "<BOA_ADD_OFFSET_VALUES_LIST>"
    + "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))
    + "</BOA_ADD_OFFSET_VALUES_LIST>"
)


@pytest.fixture
def safe(tmp_path, write_raster):
    """A SAFE folder of two JP2 bands, red at 10 and 20 m, of a scene of 2019 reprocessed with 05.00."""
    rng = np.random.default_rng(0)
    red = rng.integers(1100, 2000, (120, 120), dtype=np.uint16)
    swir = rng.integers(1100, 3000, (60, 60), dtype=np.uint16)
    root = tmp_path / "S2B_MSIL2A_20190305.SAFE"
    images = root / "GRANULE" / "L2A" / "IMG_DATA"
    stem = "T19LCD_20190305T143741"
    jp2(write_raster, images / "R10m" / f"{stem}_B04_10m.jp2", red, 10)
    jp2(write_raster, images / "R20m" / f"{stem}_B04_20m.jp2", red[::2, ::2], 20)
    jp2(write_raster, images / "R20m" / f"{stem}_B11_20m.jp2", swir, 20)
    (root / "MTD_MSIL2A.xml").write_text(XML.format(baseline="05.00", offsets=OFFSETS))
    return root, red, swir


def test_a_safe_folder_says_its_offset_itself_whatever_its_year(tmp_path, safe, only_scene):
    root, red, _ = safe
    assert import_scenes([safe_settings(root)], tmp_path / "archive") == ["s2-20190305t143741-t19lcd-32719"]
    scene = only_scene(tmp_path / "archive")
    window = Window(32719, 500_000, 8_000_040, 120, 120)
    assert (read_scenes([scene], window, ["red"])["red"].values[0] == red - 1000).all()
    told = scene.properties
    assert told["cocal:offset_applied"] == -1000
    assert told["platform"] == "sentinel-2b"
    assert told["datetime"] == "2019-03-05T14:37:41Z"
    assert "BOA_ADD_OFFSET in MTD_MSIL2A.xml" in told["cocal:offset_source"]


def test_a_damaged_jp2_is_named_and_leaves_nothing(tmp_path, safe, files_below):
    root, _, _ = safe
    (path,) = root.rglob("*_B11_20m.jp2")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((SceneReadError, InputError), match=r"B11_20m\.jp2"):
        import_scenes([safe_settings(root)], tmp_path / "archive")
    assert files_below(tmp_path / "archive") == [".lock"]


def test_a_stated_offset_against_the_safe_metadata_is_refused(safe):
    root, _, _ = safe
    with pytest.raises(OffsetError, match=r"`offset: 0` in the configuration; .*MTD_MSIL2A.xml"):
        plan_imports([safe_settings(root, offset=0)])


def test_a_pattern_that_fits_nothing_shows_what_is_there(safe):
    root, _, _ = safe
    settings = safe_settings(root).model_copy(update={"pattern": r"(?P<band>x)(?P<date>y)"})
    with pytest.raises(InputError, match=r"7 files, the first .*T19LCD_20190305T143741_B04_10m\.jp2"):
        plan_imports([settings])


def test_bands_missing_on_some_date_are_listed(safe):
    root, _, _ = safe
    (path,) = root.rglob("*_B11_20m.jp2")
    path.unlink()
    with pytest.raises(InputError, match="20190305T143741 T19LCD lacks swir16"):
        plan_imports([safe_settings(root)])
