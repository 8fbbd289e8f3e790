"""Rasters of users are opened in one way, and none states more than its file can hold."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from cocal.errors import InputError, NotWrittenError, SceneReadError
from cocal.features import read_dem
from cocal.fieldwork.design.strata import read_class_raster
from cocal.grid import Window
from cocal.rasters import MOST_PIXELS, open_raster
from cocal.store import read_back
from tests.fuzz.alterations import layout_of, put

WINDOW = Window(32719, 480_000, 8_430_000, 20, 16)
BANDS, WIDTH, HEIGHT, ROWS = 277, 256, 257, 278


def write(
    path: Path, values: np.ndarray, transform: Affine = WINDOW.transform, epsg: int | None = 32719
) -> Path:
    profile = {
        "driver": "GTiff", "dtype": values.dtype, "count": 1, "height": len(values), "width": values.shape[1],
        "transform": transform, "crs": epsg and f"EPSG:{epsg}", "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)
    return path


def with_field(path: Path, tag: int, value: int) -> Path:
    """The file with another value of a tag of one value, as a 32-bit number."""
    data = path.read_bytes()
    (entry,) = (e for e in layout_of(data).entries if e.tag == tag)
    data = data[: entry.at + 2] + struct.pack("<HII", 4, 1, value) + data[entry.at + 12 :]
    path.write_bytes(data if tag != BANDS else put(data, entry.at + 2, "<H", 3))
    return path


@pytest.mark.parametrize(
    ("tag", "value", "found"),
    [
        (BANDS, 65_535, "65535 bands"),
        (HEIGHT, 2_000_000_000, "2000000000 x 20 pixels"),
        (WIDTH, 2_000_000_000, "16 x 2000000000 pixels"),
    ],
)
def test_a_raster_that_states_more_than_its_file_holds_is_refused_in_a_moment(
    tmp_path: Path, tag: int, value: int, found: str
) -> None:
    path = with_field(write(tmp_path / "a.tif", np.ones(WINDOW.shape, np.uint8)), tag, value)
    for read in (read_class_raster, read_dem):
        with pytest.raises(InputError, match=rf"a\.tif(.|\n)*({found}|cannot hold|readable raster)"):
            read(path, WINDOW)
    with pytest.raises(NotWrittenError, match=r"a\.tif was not written whole"):
        read_back(path, "a.tif")


def test_pixels_too_small_to_be_read_at_once_are_refused(tmp_path: Path) -> None:
    rows, columns = 64, 16_384  # of each pixel of 10 m; all rows are read at once
    assert 15 * rows * 19 * columns > MOST_PIXELS
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": 16 * rows, "width": 20 * columns,
        "crs": "EPSG:32719", "transform": Affine(10 / columns, 0, WINDOW.left, 0, -10 / rows, WINDOW.top),
        "sparse_ok": True, "tiled": True,
    }  # fmt: skip
    with rasterio.open(tmp_path / "fine.tif", "w", **profile):
        pass
    with pytest.raises(InputError, match=r"fine\.tif(.|\n)*pixels so small"):
        read_class_raster(tmp_path / "fine.tif", WINDOW)


@pytest.mark.parametrize(
    ("transform", "epsg", "problem"),
    [
        (Affine(10, 0, 480_000, 0, 0, 8_430_000), 32719, "lies nowhere"),
        (Affine(10, 0, float("nan"), 0, float("nan"), 8_430_000), 32719, "lies nowhere"),
        (WINDOW.transform, None, "no coordinate reference system"),
    ],
)
def test_a_raster_that_lies_nowhere_is_refused_by_name(
    tmp_path: Path, transform: Affine, epsg: int | None, problem: str
) -> None:
    path = write(tmp_path / "a.tif", np.ones(WINDOW.shape, np.uint8), transform, epsg)
    with (
        pytest.raises(InputError, match=rf"the map (.|\n)*{problem}"),
        open_raster(path, "the map", "fix it"),
    ):
        pass


def test_a_raster_of_empty_blocks_is_read(tmp_path: Path) -> None:
    """A country of 10 m pixels of which one block was written: 10 GB in 100 kB."""
    path, there = tmp_path / "a.tif", rasterio.windows.Window(0, 0, 256, 256)
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": 40_000, "width": 40_000,
        "crs": "EPSG:32719", "transform": WINDOW.transform, "sparse_ok": True, "tiled": True, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.full((256, 256), 3, np.uint8), 1, window=there)
    assert (read_class_raster(path, WINDOW) == 3).all()


def test_scene_read_errors_are_not_taken_for_errors_of_opening(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.ones(WINDOW.shape, np.uint8))
    with pytest.raises(SceneReadError, match="own"), open_raster(path, "the map", "fix it"):
        raise SceneReadError("own")
