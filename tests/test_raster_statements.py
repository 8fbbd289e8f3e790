"""Rasters of strata, earlier maps, elevation: what they state is honoured, or they are refused by name."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from cocal.classify.settings import PriorSettings
from cocal.content import File, content
from cocal.errors import InputError
from cocal.features import read_dem
from cocal.fieldwork.design import read_class_raster
from cocal.fieldwork.design.strata import NO_VALUE
from cocal.grid import Window, project, transformer
from cocal.notes.account import recorded
from cocal.rasters import check_codes, codes_at
from cocal.run.stages.train import earlier_codes
from cocal.run.worker.prior import prior_of

WINDOW = Window(32719, 500_040, 8_000_040, 6, 4)
CODES = np.arange(1, 25, dtype=np.uint8).reshape(4, 6)
"""Every pixel another code."""


def write(path: Path, values: np.ndarray, **profile: object) -> Path:
    settings = {
        "driver": "GTiff", "dtype": values.dtype.name, "count": 1, "height": 4, "width": 6,
        "crs": "EPSG:32719", "transform": WINDOW.transform,
    } | profile  # fmt: skip
    with rasterio.open(path, "w", **settings) as target:
        target.write(np.broadcast_to(values, (settings["count"], *values.shape)))
    return path


def strata(path: Path) -> np.ndarray:
    found = read_class_raster(path, WINDOW)
    return np.where(found == NO_VALUE, 0, found)


def prior(path: Path) -> np.ndarray:
    """The code of each pixel, found with the prior of each code in turn."""
    codes = np.zeros(WINDOW.shape, dtype=np.int64)
    for code in range(1, 25):
        settings = PriorSettings(elsewhere=0.25, where_mapped=0.75, unseen=0.5, map=path, code=code)
        codes[prior_of(WINDOW, settings) == 0.75] = code
    return codes


def training(path: Path) -> np.ndarray:
    x, y = np.meshgrid(WINDOW.x, WINDOW.y)
    return earlier_codes(path, pd.DataFrame({"epsg": 32719, "x": x.ravel(), "y": y.ravel()})).reshape(x.shape)


def elevation(path: Path) -> np.ndarray:
    return np.nan_to_num(read_dem(path, WINDOW)).astype(np.int64)


READERS = pytest.mark.parametrize("read", [strata, prior, training, elevation])
CODE_READERS = pytest.mark.parametrize("read", [strata, prior, training])


@READERS
def test_a_raster_of_its_own_grid_is_read_as_it_is(tmp_path: Path, read) -> None:
    assert read(write(tmp_path / "a.tif", CODES)).tolist() == CODES.tolist()


@READERS
@pytest.mark.parametrize("kind", ["value", "inside", "beside", "alpha", "value and mask"])
def test_what_value_mask_or_alpha_hide_is_no_data(tmp_path: Path, read, kind: str) -> None:
    seen = np.full(CODES.shape, 255, np.uint8)
    seen[1, 2:4] = 0
    path = tmp_path / "a.tif"
    expected = np.where(seen == 0, 0, CODES)
    if kind == "value":
        write(path, np.where(seen == 0, np.uint8(99), CODES), nodata=99)
    elif kind == "alpha":
        write(path, CODES, count=2)
        with rasterio.open(path, "r+") as target:
            target.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
            target.write(seen, 2)
    else:  # a mask that disagrees with the value of no data: both count
        write(path, CODES, nodata=20 if kind == "value and mask" else None)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "inside"), rasterio.open(path, "r+") as target:
            target.write_mask(seen)
        expected = np.where(CODES == 20, 0, expected) if kind == "value and mask" else expected
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        assert read(path).tolist() == expected.tolist()


@READERS
@pytest.mark.parametrize("turn", [0, 360])
def test_a_raster_in_degrees_is_read_at_each_centre_whichever_way_longitudes_run(
    tmp_path: Path, read, turn: int
) -> None:
    """Columns of 2e-4 degrees hold the number of the column; elevations are all 7."""
    lon, _ = transformer(32719, 4326).transform(*np.meshgrid(WINDOW.x, WINDOW.y))
    step, west = 2e-4, lon.min() - 5e-5
    columns = np.tile(np.arange(1, 7, dtype=np.uint8), (4, 1))
    values = np.full_like(columns, 7) if read is elevation else columns
    place = Affine(step, 0, west + turn - (step if read is elevation else 0), 0, -0.01, -18.07)
    path = write(tmp_path / "a.tif", values, crs="EPSG:4326", transform=place)
    expected = np.full(WINDOW.shape, 7) if read is elevation else 1 + np.floor((lon - west) / step)
    assert read(path).tolist() == expected.tolist()
    assert len(np.unique(expected)) == (1 if read is elevation else 3)


@READERS
def test_a_raster_of_the_neighbouring_zone_is_read_at_each_centre(tmp_path: Path, read) -> None:
    x, y = transformer(32719, 32718).transform(500_070, 8_000_020)
    place = Affine(2000, 0, x - 6000, 0, -2000, y + 4000)
    path = write(tmp_path / "a.tif", np.full_like(CODES, 9), crs="EPSG:32718", transform=place)
    assert np.unique(read(path)).tolist() == [9]


@READERS
@pytest.mark.parametrize(
    ("found", "profile"),
    [
        ("has no coordinate reference system", {"crs": None}),
        ("has no geotransform", {"transform": Affine.identity()}),
        ("is rotated", {"transform": WINDOW.transform @ Affine.rotation(10)}),
        ("has several bands", {"count": 2}),
        ("holds complex numbers", {"dtype": "complex64"}),
    ],
)
def test_a_raster_whose_place_or_band_is_not_known_is_refused_by_name(
    tmp_path: Path, read, found: str, profile: dict[str, object]
) -> None:
    if "transform" in profile and found.endswith("geotransform"):
        with pytest.warns(NotGeoreferencedWarning):
            path = write(tmp_path / "odd.tif", CODES, **profile)
    else:
        path = write(tmp_path / "odd.tif", CODES, **profile)
    with pytest.raises(InputError, match=rf"odd\.tif {found}"):
        read(path)


@READERS
def test_a_raster_of_control_points_alone_is_refused_by_name(tmp_path: Path, read) -> None:
    corners = [GroundControlPoint(r, c, 500_040 + 10 * c, 8_000_040 - 10 * r) for r in (0, 4) for c in (0, 6)]
    with pytest.warns(NotGeoreferencedWarning):
        path = write(tmp_path / "points.tif", CODES, crs=None, transform=Affine.identity())
    with rasterio.open(path, "r+") as target:
        target.gcps = corners, rasterio.CRS.from_epsg(32719)
    with pytest.raises(InputError, match=r"points\.tif(.|\n)*ground control points alone"):
        read(path)


@CODE_READERS
@pytest.mark.parametrize(
    ("tags", "dtype"), [({"scales": (0.1,)}, "uint8"), ({"offsets": (1.0,)}, "uint8"), ({}, "float32")]
)
def test_codes_that_are_scaled_or_decimals_are_refused(tmp_path: Path, read, tags, dtype: str) -> None:
    path = write(tmp_path / "a.tif", CODES.astype(dtype))
    with rasterio.open(path, "r+") as target:
        for name, value in tags.items():
            setattr(target, name, value)
    with pytest.raises(InputError, match=r"a\.tif holds no codes"):
        read(path)


@READERS
def test_overviews_that_disagree_are_not_read(tmp_path: Path, read) -> None:
    path = write(tmp_path / "a.tif", CODES, tiled=True, blockxsize=16, blockysize=16)
    other = write(tmp_path / "other.tif", np.full_like(CODES, 99), tiled=True, blockxsize=16, blockysize=16)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(other, "r+") as target:
        target.build_overviews([2])
    shutil.copy(f"{other}.ovr", f"{path}.ovr")
    with rasterio.open(path) as source:
        assert source.overviews(1) == [2]
    assert read(path).tolist() == CODES.tolist()


@CODE_READERS
def test_a_truncated_raster_is_named(tmp_path: Path, read) -> None:
    path = write(tmp_path / "a.tif", CODES)
    os.truncate(path, 8 + 5)
    with pytest.raises(InputError, match=r"a\.tif"):
        read(path)


def test_codes_of_places_far_apart_are_read_in_strips(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cocal.rasters.STRIP_PX", 1)
    path = write(tmp_path / "a.tif", CODES)
    x, y = np.array([500_045, 500_095, 500_045, 0]), np.array([8_000_035, 8_000_005, 8_000_015, 0])
    assert codes_at(path, "map", 32719, (x, y), -1).tolist() == [1, 24, 13, -1]


def test_a_raster_of_codes_elsewhere_is_refused_and_one_that_is_short_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", CODES)
    west, south, east, north = WINDOW.bounds
    shifts = ((1, -1), (30, 30), (90_000, 90_000))
    boxes = [shapely.box(west + w, south + 1, east + e, north - 1) for w, e in shifts]
    inside, half, away = (project(box, 32719, 4326) for box in boxes)
    with recorded() as notes:
        check_codes(path, "earlier map", inside)
        assert not notes
        check_codes(path, "earlier map", half)
    ((code, values),) = ((note.code, note.values) for note in notes)
    assert (code, values["file"]) == ("codes_short", "a.tif")
    assert values["share"] == pytest.approx(0.5, abs=0.06)  # by 20 x 20 points
    assert values["ha"] == pytest.approx(values["share"] * 60 * 38 / 10_000, rel=0.01)
    with pytest.raises(InputError, match=r"earlier map .*a\.tif lies elsewhere"):
        check_codes(path, "earlier map", away)


def test_codes_that_nothing_names_and_named_codes_that_are_nowhere_are_noted(tmp_path: Path) -> None:
    """A raster of code 1 with one column of ten of code 5; a rule names 1, another 7 and 8."""
    codes = np.ones((40, 40), dtype=np.uint8)
    codes[:, :4] = 5
    window = Window(32719, 500_000, 8_000_400, 40, 40)
    path = write(tmp_path / "a.tif", codes, height=40, width=40, transform=window.transform)
    area = project(shapely.box(*window.bounds).buffer(-2), 32719, 4326)
    with recorded() as notes:
        check_codes(path, "earlier map", area, {1, 5}, sought=[{1, 7}, {5}])
        assert not notes
        check_codes(path, "earlier map", area, {1, 7, 8}, sought=[{1}, {7, 8}])
    absent, unnamed = notes
    assert (absent.code, absent.values["codes"]) == ("codes_absent", ("7", "8"))
    assert (unnamed.code, unnamed.values["codes"]) == ("codes_unnamed", ("5",))
    assert unnamed.values["share"] == pytest.approx(0.1, abs=0.03)  # by 20 x 20 points


@pytest.mark.parametrize("name", ["a.tif.msk", "a.tif.aux.xml", "a.tfw", "a.prj", "a.tif.msk.aux.xml"])
def test_files_beside_a_raster_that_change_what_is_read_are_in_the_address(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.tif", CODES)
    alone = File.of(path).sha256
    (tmp_path / name).write_text("one")
    with_it = File.of(path).sha256
    (tmp_path / name).write_text("two")
    assert len({alone, with_it, File.of(path).sha256}) == 3
    (tmp_path / name).unlink()
    (tmp_path / "a.tif.ovr").write_text("an overview")
    (tmp_path / "b.prj").write_text("of another file")
    assert File.of(path).sha256 == alone


def test_a_file_that_changes_while_it_is_in_use_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", CODES)
    file = File.of(path)
    assert content(file) == file.sha256
    write(path, CODES[::-1])
    os.utime(path, ns=(0, 1))
    with pytest.raises(InputError, match=r"a\.tif changed while it was in use"):
        content(file)
