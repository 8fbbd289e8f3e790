"""The maps of a run against plain numpy and scikit-learn, pixel by pixel."""

import numpy as np
import rasterio
from tests.oracles import rasters

from cocal.archive import list_scenes, read_scenes, scenes_within
from cocal.classify import load_model
from cocal.classify.product import probability_on_disk
from cocal.config import read_config
from cocal.features import bands_needed, clear_mask, feature_names, halo_px, read_dem, slope_degrees
from cocal.features.windows import composite_windows
from cocal.grid import Window, owned_by_zone


def test_every_pixel_of_the_maps_is_that_of_plain_numpy_and_scikit_learn(finished):
    config = read_config(finished.config)
    settings, period = config.index, config.periods[0].period
    (model,) = (load_model(folder) for folder in (finished.root / "model").iterdir())
    classes, scenes = model.classifier.classes_, list_scenes(config.archive)
    compared = 0
    for path in finished.root.glob("maps/*/*/*/class.tif"):
        with rasterio.open(path) as raster, rasterio.open(path.with_name("probability.tif")) as other:
            codes, probability = raster.read(1), other.read(1)
            left, top = int(raster.transform.c), int(raster.transform.f)
            window = Window(raster.crs.to_epsg(), left, top, raster.width, raster.height)
        outer = window.expanded(halo_px(settings))
        inner, composites = outer.slices_of(window), []
        for _, start, end in composite_windows(settings, period):
            read = read_scenes(scenes_within(scenes, outer, start, end), outer, bands_needed(settings))
            stacks = {band: read[band].values for band in settings.reflectance_bands}
            clear = clear_mask(read["scl"].values, settings.mask)
            clear &= np.all([stack != 0 for stack in stacks.values()], axis=0)
            composites.append(rasters.reduce_dates(stacks, clear, settings))
        bands = [{name: values[inner] for name, values in one.bands.items()} for one in composites]
        values = rasters.features(bands, settings, period)
        names = feature_names(settings, period)
        values[names.index("slope")] = slope_degrees(read_dem(config.dem, outer), window.resolution)[inner]
        n_clear = sum(one.n_clear[inner] for one in composites)
        observed = (n_clear >= 1) & np.isfinite(values).all(axis=0) & owned_by_zone(window)
        answer = model.classifier.predict_proba(values[:, observed].T)
        expected = np.zeros(window.shape, dtype=np.uint8)
        expected[observed] = classes[answer.argmax(axis=1)]
        certainty = np.full(window.shape, np.nan, dtype=np.float32)
        certainty[observed] = answer[:, list(classes).index(model.target_code)]
        np.testing.assert_array_equal(codes, expected)
        np.testing.assert_array_equal(probability, probability_on_disk(certainty))
        compared += int(observed.sum())
    assert compared >= 90 * 90
