from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from cocal.errors import InputError
from cocal.features import check_dem, read_dem, slope_degrees
from cocal.grid import Window, project, transformer
from cocal.notes.account import recorded

WINDOW = Window(32719, 600_000, 8_400_000, 40, 30)


def write_dem(path: Path, values: np.ndarray, transform: Affine, crs: str | None = "EPSG:4326") -> Path:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": -9999.0, "crs": crs}
    height, width = values.shape
    with rasterio.open(path, "w", height=height, width=width, transform=transform, **profile) as target:
        target.write(values.astype(np.float32), 1)
    return path


@pytest.fixture
def rough(tmp_path: Path) -> Path:
    """A rough elevation model in degrees that covers the window and more."""
    lon, lat = transformer(32719, 4326).transform(600_200, 8_399_850)
    values = np.random.default_rng(2).uniform(200, 900, (60, 60))
    step = 1 / 3600
    return write_dem(
        tmp_path / "dem.tif", values, Affine(step, 0, lon - 30 * step, 0, -step, lat + 30 * step)
    )


def test_a_plane_that_rises_10_m_in_10_m_slopes_by_45_degrees() -> None:
    plane = np.tile(np.arange(6) * 10.0, (5, 1))
    found = slope_degrees(plane, 10)
    assert found[1:-1, 1:-1] == pytest.approx(np.full((3, 4), 45.0))
    assert np.isnan(found[0]).all()
    assert np.isnan(found[:, -1]).all()


def test_horns_weights_by_hand() -> None:
    # 8 m at the north-east corner alone: eastward 8 / (8 x 10), northward 8 / (8 x 10)
    dem = np.zeros((3, 3))
    dem[0, 2] = 8.0
    expected = math.degrees(math.atan(math.hypot(0.1, 0.1)))
    assert slope_degrees(dem, 10)[1, 1] == pytest.approx(expected)


def test_slope_is_missing_wherever_one_of_nine_pixels_is() -> None:
    dem = np.zeros((7, 7))
    dem[3, 3] = np.nan
    assert np.isnan(slope_degrees(dem, 10)).sum() == 9 + 24  # around the hole, and the rim
    assert np.isnan(slope_degrees(np.zeros((2, 9)), 10)).all()


@settings(deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-1000, 5000))
def test_the_slope_of_any_plane_is_the_angle_of_its_gradient(east: float, north: float, base: float) -> None:
    y, x = np.mgrid[0:4, 0:4] * 10.0
    expected = math.degrees(math.atan(math.hypot(east, north)))
    found = slope_degrees(base + east * x - north * y, 10)[1:-1, 1:-1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_model_on_the_windows_own_grid_is_read_as_it_is(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(0, 4000, WINDOW.shape).astype(np.float32)
    path = write_dem(tmp_path / "dem.tif", values, WINDOW.transform, "EPSG:32719")
    np.testing.assert_array_equal(read_dem(path, WINDOW), values)
    wider = read_dem(path, WINDOW.expanded(2))
    np.testing.assert_array_equal(wider[2:-2, 2:-2], values)
    assert np.isnan(wider).sum() == 34 * 44 - 30 * 40


def test_a_model_in_degrees_that_is_linear_in_them_is_read_exactly(tmp_path: Path) -> None:
    lon, lat = transformer(32719, 4326).transform(*np.meshgrid(WINDOW.x, WINDOW.y))
    step = 1 / 3600
    transform = Affine(step, 0, lon.min() - 5 * step, 0, -step, lat.max() + 5 * step)
    column, row = np.meshgrid(np.arange(40) + 0.5, np.arange(40) + 0.5)
    values = 100_000 * (transform.c + step * column - lon.min()) + 50_000 * (
        transform.f - step * row - lat.min()
    )
    path = write_dem(tmp_path / "dem.tif", values, transform)
    expected = 100_000 * (lon - lon.min()) + 50_000 * (lat - lat.min())
    np.testing.assert_allclose(read_dem(path, WINDOW), expected, atol=1e-3)


def test_a_pixel_has_the_same_elevation_in_every_window(rough: Path) -> None:
    whole = read_dem(rough, WINDOW.expanded(7))
    assert np.isfinite(whole).all()
    for part in (WINDOW, Window(32719, 600_130, 8_399_900, 3, 11), Window(32719, 600_390, 8_400_000, 1, 1)):
        rows, columns = WINDOW.expanded(7).slices_of(part)
        assert read_dem(rough, part).tobytes() == whole[rows, columns].tobytes()


def test_elevation_is_missing_outside_the_model_and_where_it_has_no_data(rough: Path, tmp_path: Path) -> None:
    assert np.isnan(read_dem(rough, Window(32719, 700_000, 8_400_000, 5, 5))).all()
    values = np.full(WINDOW.shape, 100.0)
    values[10, 10] = -9999.0
    path = write_dem(tmp_path / "holed.tif", values, WINDOW.transform, "EPSG:32719")
    assert np.argwhere(np.isnan(read_dem(path, WINDOW))).tolist() == [[10, 10]]


def test_a_missing_file_or_reference_system_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        read_dem(tmp_path / "nowhere.tif", WINDOW)
    path = write_dem(tmp_path / "bare.tif", np.zeros((3, 3)), WINDOW.transform, None)
    with pytest.raises(InputError, match=r"bare.tif has no coordinate reference system"):
        read_dem(path, WINDOW)


PLANE = np.tile(1000 + 2.0 * np.arange(40), (30, 1))
"""2 m up in 10 m eastward: 1000 to 1078 m, a slope of atan(0.2)."""


def tagged(path: Path, values: np.ndarray, **tags: object) -> Path:
    """An int16 model on the window's own grid that declares no "no data", with tags of its band."""
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:32719",
        "width": 40,
        "height": 30,
    }
    with rasterio.open(path, "w", transform=WINDOW.transform, **profile) as target:
        target.write(np.rint(values).astype(np.int16), 1)
        for name, value in tags.items():
            setattr(target, name, (value,))
    return path


@pytest.mark.parametrize(
    ("stored", "tags"),
    [
        (PLANE * 10, {"scales": 0.1}),
        (PLANE - 1000, {"offsets": 1000.0}),
        ((PLANE - 1000) * 2 - 300, {"scales": 0.5, "offsets": 1150.0}),
        (PLANE * 10, {"units": "dm"}),
        (PLANE / 0.3048 * 4, {"units": "ft", "scales": 0.25}),
    ],
    ids=["scale", "offset", "both", "decimetres", "feet"],
)
def test_elevations_are_metres_by_scale_offset_and_unit(
    tmp_path: Path, stored: np.ndarray, tags: dict[str, object]
) -> None:
    heights = read_dem(tagged(tmp_path / "dem.tif", stored, **tags), WINDOW)
    np.testing.assert_allclose(heights, PLANE, atol=0.04)  # feet: a quarter of a foot is a step of 0.076 m
    assert np.nanmedian(slope_degrees(heights, 10)) == pytest.approx(math.degrees(math.atan(0.2)), abs=0.3)


@pytest.mark.parametrize("void", [-32768, -9999, 32767, -501, 9001])
def test_a_void_that_is_not_declared_is_missing(tmp_path: Path, void: int) -> None:
    values = PLANE.copy()
    values[10, 10] = void
    found = read_dem(tagged(tmp_path / "dem.tif", values), WINDOW)
    assert np.argwhere(np.isnan(found)).tolist() == [[10, 10]]
    assert np.nanmax(found) == 1078


def test_a_mask_beside_the_model_counts_where_gdal_lists_no_folder(tmp_path: Path) -> None:
    path = tagged(tmp_path / "dem.tif", PLANE)
    mask = np.full(WINDOW.shape, 255, np.uint8)
    mask[3, 4] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        assert np.argwhere(np.isnan(read_dem(path, WINDOW))).tolist() == [[3, 4]]


def test_longitudes_from_0_to_360_are_those_from_minus_180(rough: Path, tmp_path: Path) -> None:
    with rasterio.open(rough) as source:
        transform, values = source.transform, source.read(1)
    path = write_dem(tmp_path / "east.tif", values, Affine.translation(360, 0) @ transform)
    np.testing.assert_allclose(read_dem(path, WINDOW), read_dem(rough, WINDOW), atol=1e-3)


def test_a_model_without_geotransform_or_of_another_unit_is_refused(tmp_path: Path) -> None:
    with pytest.warns(NotGeoreferencedWarning):
        bare = write_dem(tmp_path / "bare.tif", PLANE, Affine.identity(), "EPSG:32719")
    with pytest.raises(InputError, match=r"bare.tif has no geotransform"):
        read_dem(bare, WINDOW)
    with pytest.raises(InputError, match="the unit 'fathom'"):
        read_dem(tagged(tmp_path / "deep.tif", PLANE, units="fathom"), WINDOW)


def area_of(window: Window) -> shapely.Geometry:
    return project(shapely.box(*window.bounds), 32719, 4326)


def test_a_model_is_checked_on_the_ground_that_it_must_cover(tmp_path: Path) -> None:
    path = tagged(tmp_path / "dem.tif", PLANE)
    with recorded() as notes:
        check_dem(path, area_of(WINDOW))
        assert not notes
        check_dem(path, area_of(Window(32719, 600_200, 8_400_000, 40, 30)))  # half lies east of the model
    ((code, values),) = [(note.code, note.values) for note in notes]
    assert (code, values["file"]) == ("elevation_short", "dem.tif")
    assert values["share"] == pytest.approx(200 / 401)  # 10 of 20 columns; 1 point more
    assert values["ha"] == pytest.approx(6, rel=0.01)  # half of 400 m x 300 m
    with pytest.raises(InputError, match="elevations on the regions' ground"):
        check_dem(path, area_of(Window(32719, 650_000, 8_400_000, 40, 30)))
    with pytest.raises(InputError, match=r"10[0-9]{3} to 10[0-9]{3} at 100%"):
        check_dem(tagged(tmp_path / "decimetres.tif", PLANE * 10), area_of(WINDOW))


@pytest.mark.parametrize("void", [0, -1, -99])
def test_usual_marks_of_voids_far_below_all_other_ground_are_refused(tmp_path: Path, void: int) -> None:
    land = np.full((30, 40), 301.0 + void)
    land[10:15, 10:15] = void
    with pytest.raises(InputError, match=rf"{void} m beside ground of at least {301 + void} m"):
        check_dem(tagged(tmp_path / "voids.tif", land), area_of(WINDOW))
    land[20:25, 20:25] = 299 + void  # a shore that rises so much is possible
    with recorded() as notes:
        check_dem(tagged(tmp_path / "shore.tif", land), area_of(WINDOW))
        check_dem(tagged(tmp_path / "sea.tif", land * 0), area_of(WINDOW))
    assert not notes


@pytest.mark.parametrize("row", [1, 4])
def test_a_single_void_between_the_points_of_the_first_look_is_found(tmp_path: Path, row: int) -> None:
    """The 20 x 20 points lie in rows 0, 2, 3, 5, 6, 8 ... of 30."""
    land = np.full((30, 40), 1500.0)
    land[row, 7] = 0
    with pytest.raises(InputError, match=r"0 m beside ground of at least 1500 m"):
        check_dem(tagged(tmp_path / "void.tif", land), area_of(WINDOW))
    land[row, 7] = -2000
    with recorded() as notes:
        check_dem(tagged(tmp_path / "absurd.tif", land), area_of(WINDOW))
    assert [(note.code, note.values["n"]) for note in notes] == [("elevation_voids", 1)]


def test_a_scale_of_0_is_refused_and_a_unit_in_the_tags_counts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a scale that is not 0"):
        read_dem(tagged(tmp_path / "flat.tif", PLANE, scales=0.0), WINDOW)
    path = tagged(tmp_path / "feet.tif", np.full((30, 40), 1000))
    with rasterio.open(path, "r+") as target:
        target.update_tags(1, units="feet")
    assert read_dem(path, WINDOW)[15, 20] == pytest.approx(304.8)
