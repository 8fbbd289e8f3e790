"""One step by one library: `python -m benchmarks.library_steps STEP FOLDER TURNS`; what `libraries.py` times,
side by side.

Prints {"cpu_s": best of TURNS} and writes FOLDER/STEP.npy, what came out. Each library is used as its
documentation has it, on arrays that are in memory already; only the libraries of the step are imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bands import INDICES

SHORT = {
    "blue": "B", "green": "G", "red": "R", "rededge071": "RE1", "rededge075": "RE2", "rededge078": "RE3",
    "nir": "N", "nir08": "N2",
    "swir16": "S1", "swir22": "S2",
}  # fmt: skip
"""spyndex's names of the bands."""
IN_SPYNDEX = tuple(name for name in INDICES if name not in ("CIRE", "NDREI", "BSI", "EVI2"))
"""Those of one formula in both; EVI2 has another L than SAVI, and spyndex takes one."""
Step = Callable[[], Any]


def dates(folder: Path) -> tuple[Any, Any]:
    """(20, pixel) digital numbers, and which of them are clear."""
    return np.load(folder / "stack.npy"), np.load(folder / "clear.npy")


def median_bottleneck(folder: Path) -> Step:
    import bottleneck

    stack, clear = dates(folder)
    values = np.where(clear, stack, np.nan).astype(np.float32)
    return lambda: bottleneck.nanmedian(values, axis=0) / np.float32(10_000)


def median_numbagg(folder: Path) -> Step:
    import numbagg

    stack, clear = dates(folder)
    values = np.where(clear, stack, np.nan).astype(np.float32)
    return lambda: numbagg.nanquantile(values, 0.5, axis=0) / np.float32(10_000)


def median_cocal(folder: Path) -> Step:
    from cocal.features import FeatureSettings
    from cocal.features.composites import reduce_dates

    stack, clear = dates(folder)
    settings = FeatureSettings(
        mask=None, windows="season", composite="median", features=("red.mean",), fill={"*": "none"}
    )
    return lambda: reduce_dates({"red": stack}, clear, settings).bands["red"]


def indices_spyndex(folder: Path) -> Step:
    import spyndex

    bands = {SHORT[name]: values for name, values in np.load(folder / "bands.npz").items()}
    params = bands | {"L": 0.5, "g": 2.5, "C1": 6.0, "C2": 7.5}
    return lambda: np.stack(spyndex.computeIndex(list(IN_SPYNDEX), params))


def indices_cocal(folder: Path) -> Step:
    from cocal.features.indices import compute_index

    bands = dict(np.load(folder / "bands.npz").items())
    return lambda: np.stack([compute_index(name, bands) for name in IN_SPYNDEX])


def forest_onnxruntime(folder: Path) -> Step:
    import joblib
    import onnxruntime
    from skl2onnx import to_onnx

    asked = np.load(folder / "asked.npy")
    model = to_onnx(joblib.load(folder / "forest.joblib"), asked[:1], options={"zipmap": False})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: session.run(["probabilities"], {"X": asked})[0]


def forest_cocal(folder: Path) -> Step:
    import joblib

    from cocal.classify.kernel import kernel_of

    kernel = kernel_of(joblib.load(folder / "forest.joblib"))
    asked = np.asfortranarray(np.load(folder / "asked.npy"))
    return lambda: kernel.predict_proba(asked)


def boosting_lleaves(folder: Path) -> Step:
    import lightgbm
    import lleaves

    asked, model = np.load(folder / "asked.npy").astype(np.float64), folder / "lightgbm.txt"
    if not model.exists():
        data = lightgbm.Dataset(np.load(folder / "x.npy"), np.load(folder / "y.npy"))
        stated = {"objective": "multiclass", "num_class": 6, "num_leaves": 31, "verbose": -1, "seed": 0}
        lightgbm.train(stated, data, num_boost_round=100).save_model(model)
    compiled = lleaves.Model(model_file=str(model))
    compiled.compile()
    return lambda: compiled.predict(asked, n_jobs=1)


def boosting_cocal(folder: Path) -> Step:
    import joblib

    from cocal.classify.kernel import kernel_of

    kernel = kernel_of(joblib.load(folder / "boosting.joblib"))
    asked = np.asfortranarray(np.load(folder / "asked.npy"))
    return lambda: kernel.predict_proba(asked)


def zones_exactextract(folder: Path) -> Step:
    import geopandas as gpd
    from exactextract import exact_extract

    zones, raster = gpd.read_file(folder / "regions.gpkg"), str(folder / "class.tif")
    return lambda: exact_extract(
        raster, zones, ["count", "frac"], output="pandas", include_cols=["region_id"]
    )


def zones_cocal(folder: Path) -> Step:
    from importlib import import_module

    from cocal.archive import read_raster
    from cocal.estimate import count_units
    from cocal.grid import Window, cell_area_units
    from cocal.regions import RegionSettings, owned, read_regions

    source = {"path": str(folder / "regions.gpkg"), "id": "region_id", "name": "name", "country_code": "SIM"}
    regions = read_regions(RegionSettings.model_validate({"sliver_m": 0, "sources": [source]}))
    window, kept = (
        Window(*json.loads((folder / "window.json").read_text())),
        import_module("cocal.regions.ownership"),
    )

    def count() -> Any:
        kept._chunk.cache_clear()
        kept._zone.cache_clear()
        codes = read_raster(folder / "class.tif", window, 10, "uint8")
        return count_units(codes, owned(regions, window), cell_area_units(window), len(regions))

    return count


def main(arguments: list[str]) -> None:
    name, folder, turns = arguments[0], Path(arguments[1]), int(arguments[2])
    step = globals()[name](folder)
    out, spent = step(), []
    for _ in range(turns):
        began = time.process_time()
        step()
        spent.append(time.process_time() - began)
    if isinstance(out, np.ndarray):
        np.save(folder / f"{name}.npy", out)
    print(json.dumps({"cpu_s": min(spent)}))


if __name__ == "__main__":
    main(sys.argv[1:])
