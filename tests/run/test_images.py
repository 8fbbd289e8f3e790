"""Pictures of a place: their colours, their dates, their share of cloud, the mark, the median."""

from __future__ import annotations

import io
from datetime import date

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.support.small_world import SmallWorld

from cocal.archive import Scene, list_scenes
from cocal.config import read_config
from cocal.errors import UsageError
from cocal.features import INDICES, MaskSettings, compute_index
from cocal.grid import Window
from cocal.run.images import (
    BRIGHTEST,
    MISSING,
    chip,
    chips,
    marked,
    median_bands,
    png,
    run_images,
    shown_of,
    webp,
)

FALSE = shown_of("false")


@pytest.fixture(scope="module")
def land(_finished) -> SmallWorld:
    """Not to be touched."""
    return _finished


@pytest.fixture(scope="module")
def scenes(land: SmallWorld) -> list[Scene]:
    return list_scenes(land.archive)


def place(world: SmallWorld, row: int, column: int, side: int) -> Window:
    window = world.window
    return Window(window.epsg, window.left + column * 10, window.top - row * 10, side, side)


def source(world: SmallWorld, day: date) -> dict[str, np.ndarray]:
    """The bands of a date as they were imported, read by GDAL."""
    with rasterio.open(world.source(f"{day:%Y%m%d}")) as found:
        return dict(zip(found.descriptions, found.read().astype(float), strict=True))


def test_a_picture_has_the_reflectance_of_its_date_on_one_stretch(
    land: SmallWorld, scenes: list[Scene]
) -> None:
    window = place(land, 3, 5, 31)
    found = chips(scenes, window, FALSE, None)
    assert list(found.days) == sorted({s.day for s in scenes})
    assert np.isnan(found.cloud).all()
    for day, pixels in zip(found.days, found.pixels, strict=True):
        bands = source(land, day)
        for channel, name in enumerate(("nir", "swir16", "red")):
            here = bands[name][3:34, 5:36] / 10_000
            expected = np.minimum(np.round(255 * here / BRIGHTEST[name]), 255)
            assert np.abs(pixels[..., channel] - expected).max() <= 1
        one = chip([s for s in scenes if s.day == day], window, FALSE)
        assert np.array_equal(one, pixels)
    assert (found.seen == 1).all()


def test_the_share_of_cloud_is_that_of_the_masks_pixels_of_the_window_and_its_surroundings(
    land: SmallWorld, scenes: list[Scene]
) -> None:
    window = place(land, 10, 20, 40)
    shares = {}
    for reach in (0, 3):
        mask = MaskSettings(clear=("vegetation",), dilate=("cloud_high",), dilate_px=reach)
        found = chips(scenes, window, FALSE, mask)
        for day, share in zip(found.days, found.cloud, strict=True):
            row, column = np.nonzero(source(land, day)["scl"] == 9)
            y, x = np.mgrid[10:50, 20:60]
            near = np.hypot(y[..., None] - row, x[..., None] - column).min(axis=-1) if row.size else np.inf
            assert share == pytest.approx(np.mean(near <= reach))
            shares[reach, day] = share
    assert any(0 < share < 1 for share in shares.values())
    assert all(shares[3, day] >= shares[0, day] for _, day in shares)


def test_beyond_the_scenes_there_is_no_data_and_no_share(land: SmallWorld, scenes: list[Scene]) -> None:
    window = place(land, -20, -20, 10)
    mask = MaskSettings(clear=("vegetation",), dilate=(), dilate_px=0)
    assert chips(scenes, window, FALSE, mask).days == ()
    found = chips(scenes, place(land, -20, -20, 25), FALSE, mask)
    inside = (found.pixels != MISSING).any(axis=-1)
    assert inside[:, 20:, 20:].all()
    assert inside.sum() == 25 * len(found.days)
    assert found.seen == pytest.approx(25 / 625)
    assert (chip([], window, FALSE) == MISSING).all()
    assert (chip(scenes[:1], window, FALSE) == MISSING).all()
    with pytest.raises(ValueError, match="one day"):
        chip(scenes, place(land, 0, 0, 5), FALSE)


def test_the_median_is_that_of_the_clear_dates(land: SmallWorld, scenes: list[Scene]) -> None:
    window = place(land, 10, 20, 40)
    mask = MaskSettings(clear=("vegetation",), dilate=(), dilate_px=0)
    found = median_bands(scenes, window, FALSE, mask)
    days = [source(land, day) for day in sorted({s.day for s in scenes})]
    clear = np.array([d["scl"][10:50, 20:60] == 4 for d in days])
    for name in FALSE.bands:
        stack = np.where(clear, [d[name][10:50, 20:60] for d in days], np.nan)
        seen = clear.any(axis=0)
        expected = np.nanmedian(stack[:, seen], axis=0) / 10_000
        assert found[name][seen] == pytest.approx(expected, abs=1e-6)
        assert np.isnan(found[name][~seen]).all()
    assert all(np.isnan(v).all() for v in median_bands([], window, FALSE, mask).values())


def test_the_mask_is_that_of_the_run(land: SmallWorld) -> None:
    config = read_config(land.config)
    images = run_images(config)
    assert config.index is not None
    assert images.mask == config.index.mask
    assert images.bands == {"red", "nir", "swir16", "scl"}
    with pytest.raises(UsageError, match="archive"):
        run_images(config.model_copy(update={"archive": None}))


@given(st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_a_brighter_ground_is_never_darker(one: float, other: float) -> None:
    def of(value: float) -> int:
        return int(FALSE.colours(dict.fromkeys(FALSE.bands, np.array([value], dtype=np.float32)))[0, 0])

    low, high = sorted((one, other))
    assert of(low) <= of(high)


@pytest.mark.parametrize("name", INDICES)
def test_each_index_has_a_stretch_that_tells_plants_from_soil(name: str) -> None:
    """Reflectance as it is usual of a dense canopy and of dry bare soil."""
    plant = (0.02, 0.05, 0.03, 0.08, 0.28, 0.36, 0.40, 0.42, 0.18, 0.08)
    soil = (0.09, 0.13, 0.18, 0.21, 0.23, 0.25, 0.27, 0.28, 0.36, 0.30)
    names = ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "swir16",
             "swir22")  # fmt: skip
    bands = {b: np.array(v, dtype=np.float32) for b, *v in zip(names, plant, soil, strict=True)}
    shown = shown_of(name)
    low, high = shown.ends
    values = compute_index(name, {b: bands[b] for b in shown.bands})
    inside = np.clip(values, low, high)
    assert np.abs(inside[0] - inside[1]) > 0.02 * (high - low), (values, shown.ends)
    assert [v for v, _ in shown.legend][::4] == [low, pytest.approx(high)]


@pytest.mark.parametrize(
    "name", ["", "red", "red-green", "red-green-scl", "NDVII", "red-green-blue-nir", "-"]
)
def test_what_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no picture"):
        shown_of(name)


def test_a_picture_of_bands_that_are_missing_names_them() -> None:
    with pytest.raises(UsageError, match="no blue, green"):
        shown_of("true", {"red", "nir", "scl"})


def test_the_frame_stands_around_the_pixel_and_leaves_it(tmp_path) -> None:
    pixels = np.zeros((9, 11, 3), dtype=np.uint8)
    found = marked(pixels, reach_px=2)
    yellow = (found == (255, 255, 0)).all(axis=-1)
    assert yellow.sum() == 16
    assert not yellow[3:6, 4:7].any()
    assert yellow[2, 3:8].all()
    assert not pixels.any()
    corner = (marked(pixels, 0, 0, reach_px=2) == (255, 255, 0)).all(axis=-1)
    assert corner.sum() == 5


@given(st.integers(1, 20), st.integers(1, 20), st.integers(3, 4), st.integers(0, 2**32 - 1))
def test_pictures_come_back_as_they_were(height: int, width: int, bands: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, bands)).astype(np.uint8)
    if bands == 4:
        pixels[..., 3] = 255 * (pixels[..., 3] > 127)
        pixels[pixels[..., 3] == 0] = 0
    for encoded in (png(pixels), png(pixels, level=1), webp(pixels)):
        back = np.asarray(Image.open(io.BytesIO(encoded)))
        assert np.array_equal(back[..., :3], pixels[..., :3])
