"""cocal: from satellite images and field records to hectares per region."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cocal.archive import list_scenes, read_scenes
    from cocal.classify import check_model, load_model, read_samples, sample_pixels, save_model
    from cocal.classify.training.train import train
    from cocal.config import read_config
    from cocal.contracts import Period
    from cocal.estimate import compare, estimate_areas, measure
    from cocal.features import FeatureSettings, composite, feature_names, index, series_features
    from cocal.regions import read_regions
    from cocal.run.execute import executor
    from cocal.run.finished import FinishedRun, open_run
    from cocal.run.notebook import indices, open_scenes, plot_hectares, plot_map
    from cocal.run.planning import plan
    from cocal.run.stages.imports import import_scenes
    from cocal.scheme import read_scheme

__all__ = [
    "FeatureSettings", "FinishedRun", "Period", "check_model", "compare", "composite", "estimate_areas",
    "executor", "feature_names", "import_scenes", "index", "indices", "list_scenes", "load_model", "measure",
    "open_run", "open_scenes", "plan", "plot_hectares", "plot_map", "read_config", "read_regions",
    "read_samples", "read_scenes", "read_scheme", "sample_pixels", "save_model", "series_features", "train",
]  # fmt: skip
__dir__ = __all__.copy
_MODULES = {
    "archive": "list_scenes read_scenes", "config": "read_config", "contracts": "Period",
    "run.stages.imports": "import_scenes",
    "classify": "check_model load_model read_samples sample_pixels save_model train",
    "estimate": "compare estimate_areas measure", "regions": "read_regions", "scheme": "read_scheme",
    "features": "FeatureSettings composite feature_names index series_features", "run": "executor plan",
    "run.finished": "FinishedRun open_run", "run.notebook": "indices open_scenes plot_hectares plot_map",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("cocal")
    for module, names in _MODULES.items():
        if name in names.split():
            return getattr(import_module(f"cocal.{module}"), name)
    raise AttributeError(f"module 'cocal' has no attribute {name!r}")
