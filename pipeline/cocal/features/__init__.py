"""Features: clear-sky mask -> composites -> vegetation indices -> statistics over time, and terrain.

settings    settings of the `index` section      names       the grammar of feature names
mask        which pixels are clear on a date     windows     the parts of a period
composites  one value per pixel and window       indices     the table of spectral indices
statistics  statistics over windows, filling     harmonics   harmonic regression
kernels     the compiled functions               terrain     elevation and slope
stack       features of rasters                  series      features of time series
"""

from cocal.features.composites import Composite, composite, empty_composite
from cocal.features.indices import INDICES, Index, compute_index
from cocal.features.mask import MaskSettings, clear_mask
from cocal.features.series import series_features
from cocal.features.settings import FeatureSettings, bands_needed, halo_px, needs_dem
from cocal.features.stack import feature_strips, features_from_composites, index, seen_of
from cocal.features.terrain import check_dem, read_dem, slope_degrees
from cocal.features.windows import CompositeWindow, composite_windows, feature_names

__all__ = [
    "INDICES", "Composite", "CompositeWindow", "FeatureSettings", "Index", "MaskSettings", "bands_needed",
    "check_dem", "clear_mask", "composite", "composite_windows", "compute_index", "empty_composite",
    "feature_names", "feature_strips", "features_from_composites", "halo_px", "index", "needs_dem",
    "read_dem", "seen_of", "series_features", "slope_degrees",
]  # fmt: skip
