"""Scenes: rasters of any make brought into the archive as scenes/1, their radiometry decided once."""

from cocal.scenes.item import write_scene
from cocal.scenes.plan import ImportTask, plan_imports
from cocal.scenes.radiometry import check_offset, decide_offset
from cocal.scenes.settings import FilesImport, MultibandImport, NetcdfImport, SceneImport

__all__ = [
    "FilesImport",
    "ImportTask",
    "MultibandImport",
    "NetcdfImport",
    "SceneImport",
    "check_offset",
    "decide_offset",
    "plan_imports",
    "write_scene",
]
