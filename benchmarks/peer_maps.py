"""A map from a composite by one of the peers: `python -m benchmarks.peer_maps NAME COMPOSITE FOREST OUT`;
what `peers.py` times.

Forty bands (ten, four quarters each: blue q1, blue q2, ...) -> twelve indices of each quarter -> forest ->
class as uint8. Each is written as the documentation of its library has it; only the libraries of the one
named are imported.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bands import COARSE, FINE, INDICES

BANDS, QUARTERS = (*FINE, *COARSE), 4
STRIP = 4096
"""Pixels that cocal works on at a time."""


def formulas(b: Mapping[str, Any]) -> dict[str, Any]:
    """Twelve indices of reflectances, whatever kind of array they are."""

    def nd(a: str, c: str) -> Any:
        return (b[a] - b[c]) / (b[a] + b[c])

    nir, red, edge = b["nir"], b["red"], b["rededge071"]
    return {
        "NDVI": nd("nir", "red"),
        "EVI2": 2.5 * (nir - red) / (nir + 2.4 * red + 1.0),
        "SAVI": 1.5 * (nir - red) / (nir + red + 0.5),
        "NDMI": nd("nir", "swir16"),
        "NBR2": nd("swir16", "swir22"),
        "BSI": ((b["swir16"] + red) - (nir + b["blue"])) / ((b["swir16"] + red) + (nir + b["blue"])),
        "CIRE": nir / edge - 1.0,
        "NDREI": nd("nir", "rededge071"),
        "GNDVI": nd("nir", "green"),
        "MCARI": ((edge - red) - 0.2 * (edge - b["green"])) * (edge / red),
        "NDWI": nd("green", "nir"),
        "MTCI": (b["rededge075"] - edge) / (edge - red),
    }


def layers(band: Any) -> list[Any]:
    """The 48 indices, by index, then quarter; `band(number)` gives one of the forty."""
    quarters = [
        formulas({name: band(i * QUARTERS + q) for i, name in enumerate(BANDS)}) for q in range(QUARTERS)
    ]
    return [quarter[name] for name in INDICES for quarter in quarters]


def by_cocal(composite: Path, forest: Path, out: Path) -> None:
    import numpy as np
    import rasterio

    from cocal.classify.kernel import read_kernel
    from cocal.features.indices import compute_index

    kernel = read_kernel(forest.with_suffix(".npz").read_bytes())
    with rasterio.open(composite) as source:
        profile = source.profile | {"count": 1, "dtype": "uint8", "nodata": 0, "predictor": 1}
        with rasterio.open(out, "w", **profile) as target:
            for _, window in source.block_windows(1):
                bands = source.read(window=window).reshape(len(BANDS) * QUARTERS, -1)
                classes = np.empty(bands.shape[1], dtype=np.uint8)
                for first in range(0, classes.size, STRIP):
                    strip = bands[:, first : first + STRIP]
                    named = [
                        {n: strip[i * QUARTERS + q] for i, n in enumerate(BANDS)} for q in range(QUARTERS)
                    ]
                    indices = [compute_index(name, quarter) for name in INDICES for quarter in named]
                    best = kernel.predict_proba(np.concatenate([strip, indices]).T).argmax(axis=1)
                    classes[first : first + STRIP] = kernel.classes_[best]
                target.write(classes.reshape(window.height, window.width), 1, window=window)


def by_geowombat(composite: Path, forest: Path, out: Path) -> None:
    import geowombat as gw
    import joblib
    import xarray as xr

    estimator = joblib.load(forest)

    def predict(pixels: Any) -> Any:
        return estimator.predict(pixels.reshape(-1, pixels.shape[-1])).reshape(pixels.shape[:-1])

    with gw.open(str(composite), chunks=512) as opened:
        source = opened.drop_vars("band")
        indices = layers(lambda n: source.isel(band=n, drop=True))
        features = xr.concat([source, xr.concat(indices, dim="band")], dim="band", coords="minimal")
        features = features.chunk({"band": -1})
        classes = xr.apply_ufunc(
            predict, features, input_core_dims=[["band"]], dask="parallelized", output_dtypes=["uint8"]
        )
        classes = classes.expand_dims(band=[1]).assign_attrs(opened.attrs)
        classes.gw.save(str(out), overwrite=True, num_workers=1, compress="lzw", log_progress=False)


def by_eolearn(composite: Path, forest: Path, out: Path) -> None:
    import joblib
    import numpy as np
    from eolearn.core import EOTask, EOWorkflow, FeatureType, linearly_connect_tasks
    from eolearn.io import ExportToTiffTask, ImportFromTiffTask

    estimator = joblib.load(forest)
    given, made = (FeatureType.DATA_TIMELESS, "bands"), (FeatureType.DATA_TIMELESS, "classes")

    class Predict(EOTask):
        def execute(self, eopatch: Any) -> Any:
            bands = eopatch[given]
            features = np.concatenate([bands, np.stack(layers(lambda n: bands[..., n]), axis=-1)], axis=-1)
            found = estimator.predict(features.reshape(-1, features.shape[-1]))
            eopatch[made] = found.reshape(*bands.shape[:2], 1).astype(np.uint8)
            return eopatch

    nodes = linearly_connect_tasks(
        ImportFromTiffTask(given, str(composite.parent)), Predict(), ExportToTiffTask(made, str(out.parent))
    )
    arguments = {nodes[0]: {"filename": composite.name}, nodes[2]: {"filename": out.name}}
    EOWorkflow(nodes).execute(arguments)


PEERS = {"cocal": by_cocal, "geowombat": by_geowombat, "eolearn": by_eolearn}

if __name__ == "__main__":
    PEERS[sys.argv[1]](*map(Path, sys.argv[2:]))
