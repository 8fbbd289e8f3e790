"""The stages of a run, each a generator of batches of recipes; here those that make scenes, models, maps and
samples.

imports    sources -> scenes of the archive          train      labels -> a model
classify   scenes, a model -> maps; or features      minimum    maps without patches that are too small
design     maps -> a sample for field work           download   catalogue -> screens -> tile-dates
"""

from __future__ import annotations

from importlib import import_module

from cocal.run.recipes import Stage
from cocal.run.state import Run

STAGES = {
    "download": "stages.download:download",
    "import": "stages.imports:import_stage",
    "train": "stages.train:train",
    "index": "stages.classify:index",
    "classify": "stages.classify:classify",
    "design": "stages.design:design",
    "measure": "measure:measure_stage",
    "compare": "results.comparison:compare_stage",
    "report": "results.content:report_stage",
    "files": "results.files:files_stage",
    "publish": "results.publish:publish_stage",
}
"""Module and function of each stage, in their order. A module is loaded when its turn comes: pictures, tables
and training are slow to load.
"""


def begun(name: str, run: Run) -> Stage | None:
    """The stage of that name on a run, about to yield its first batch."""
    module, function = STAGES[name].split(":")
    stage: Stage | None = getattr(import_module(f"cocal.run.{module}"), function)(run)
    return stage
