"""Small rasters of known values, written as the makers of imagery write them."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from cocal.archive import list_scenes
from cocal.scenes import MultibandImport

TEST_DATA = Path(os.environ.get("COCAL_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _write(path, arrays, *, epsg=32719, left=500_000, top=8_000_040, pixel=10, **profile):
    """Bands in order of the dict; its keys become their descriptions."""
    first = next(iter(arrays.values()))
    transform = profile.pop("transform", Affine(pixel, 0, left, 0, -pixel, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "driver": "GTiff", "dtype": first.dtype.name, "count": len(arrays), "height": first.shape[0],
        "width": first.shape[1], "crs": f"EPSG:{epsg}", "transform": transform,
    }  # fmt: skip
    with rasterio.open(path, "w", **(settings | profile)) as target:
        for index, (name, values) in enumerate(arrays.items(), start=1):
            target.write(values, index)
            target.set_band_description(index, name)
    return path


@pytest.fixture
def write_raster():
    return _write


@pytest.fixture
def landscape():
    """uint16 DN of (blue, red, nir) of height x width: dark vegetation, every pixel another value."""

    def make(height, width, seed=0):
        rng = np.random.default_rng(seed)
        return {
            name: rng.integers(low, high, (height, width), dtype=np.uint16)
            for name, low, high in (("blue", 100, 600), ("red", 150, 900), ("nir", 800, 4000))
        }

    return make


@pytest.fixture
def third_party_data():
    if not TEST_DATA.is_dir():
        pytest.skip(f"no third-party test data at {TEST_DATA} (COCAL_TEST_DATA)")
    return TEST_DATA


@pytest.fixture
def multiband():
    """Settings of a multi-band import of blue, red and nir with offset 0."""

    def make(path, **settings):
        bands = {"blue": "blue", "red": "red", "nir": "nir"}
        stated = {"name": "test", "date": "2022-03-05", "bands": bands, "offset": 0, "scale": 1e-4}
        return MultibandImport(kind="multiband", path=path, **(stated | settings))

    return make


@pytest.fixture
def only_scene():
    """The one scene of an archive."""

    def find(archive):
        (scene,) = list_scenes(archive)
        return scene

    return find


@pytest.fixture
def stored():
    """A band's values as the archive holds them."""

    def read(scene, band):
        with rasterio.open(scene.bands[band].path) as dataset:
            return dataset.read(1)

    return read


@pytest.fixture
def files_below():
    """Names of the files below a folder; an archive that holds nothing has its lock alone."""
    return lambda folder: sorted(p.name for p in folder.rglob("*") if p.is_file())
