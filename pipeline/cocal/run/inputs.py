"""What the configuration names, looked at before any work: a slip in a table must not wait for the maps."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from cocal.classify.settings import ClassifySettings
from cocal.config import RunConfig
from cocal.errors import InputError
from cocal.extras import require
from cocal.fieldwork import read_records, read_strata
from cocal.fieldwork.design import (
    STRATA_RASTER,
    check_zones,
    class_codes,
    codes_needed,
    needs_elevation,
    rasters_needed,
    zones_needed,
)
from cocal.rasters import check_codes
from cocal.run.tables import read_truth
from cocal.run.worker.prior import EARLIER_MAP
from cocal.scheme import ClassScheme


def check_inputs(config: RunConfig, scheme: ClassScheme, area: BaseGeometry, stages: Collection[str]) -> None:
    """Check that the inputs and packages of `stages` are there and that tables and rasters can be used.

    `area` is the regions' ground, in degrees.

    Raises
    ------
    InputError
        Files that cannot be read, all at once; a package that is not installed; or a table of records, strata
        or
        truth that cannot be used.
    """
    if "download" in stages and config.source is not None:
        require("download", "the stage download")
    if drawing := [
        n for n in ("train", "design", "report") if n in stages and (n != "train" or config.train)
    ]:
        require("report", f"the stage {drawing[0]}")
    unreadable = [
        f"{key}: {path}: {'no such file' if not path.exists() else 'no permission to read it'}"
        for key, path in named_files(config, stages).items()
        if not os.access(path, os.R_OK)
    ]
    if unreadable:
        raise InputError(
            "files that the configuration names cannot be read",
            "readable files",
            "\n    ".join(["", *unreadable]),
            "fix the paths; they are relative to the configuration",
        )
    if "classify" in stages:
        _check_map(config.classify, scheme, area)
    for path in config.train.previous_maps if "train" in stages and config.train else ():
        check_codes(path, EARLIER_MAP, area, {0, *scheme.codes.values()})
    if "design" in stages and config.design:
        class_codes(config.design.conditions, scheme)
        for path in rasters_needed(config.design.conditions):
            sought = codes_needed(config.design.conditions, path)
            check_codes(path, STRATA_RASTER, area, {v for own in sought for v in own}, sought=sought)
        for zones in zones_needed(config.design.conditions):
            check_zones(zones, area)
    if "measure" in stages and config.records:
        records = read_records(config.records, scheme)
        if config.records.strata:
            coded = bool(config.records.strata_rasters)
            read_strata(config.records.strata, records, coded=coded)
    if "report" in stages and config.comparison and config.comparison.truth:
        read_truth(config.comparison.truth)


def _check_map(rules: ClassifySettings, scheme: ClassScheme, area: BaseGeometry) -> None:
    """Check the earlier map of a model's map, and that an office's own has classes of the scheme only."""
    if rules.prior and rules.prior.map:
        code, classes = int(rules.prior.code or 0), scheme.codes.values()
        check_codes(rules.prior.map, EARLIER_MAP, area, {0, code, *classes}, sought=[{code}])
    unknown = [] if rules.map is None else sorted(rules.map.class_keys - set(scheme.keys))
    if unknown:
        raise InputError(
            f"classify.map: classes that scheme {scheme.id} does not have", ", ".join(scheme.keys),
            ", ".join(unknown), "fix `classes`, `class`, `codes` or `elsewhere`",
        )  # fmt: skip


def named_files(config: RunConfig, stages: Collection[str]) -> dict[str, Path]:
    """Key of the configuration -> file that one of `stages` reads. Imports and regions check their own."""
    found: dict[str, Path | None] = {}
    if {"train", "index", "classify"} & set(stages):
        found["dem"] = config.dem
    if "train" in stages and config.train:
        found["train.samples.path"] = config.train.samples.path
    if "classify" in stages and (own := config.classify.map):
        found |= {f"classify.map ({path.name})": path for path in own.paths}
    if "classify" in stages and config.classify.prior:
        found["classify.prior.map"] = config.classify.prior.map
    if "design" in stages and config.design:
        rules = config.design.conditions
        if needs_elevation(rules):
            found["dem"] = config.dem
        files = [*rasters_needed(rules), *(z.path for z in zones_needed(rules))]
        found |= {f"design.strata ({path.name})": path for path in files}
    if "measure" in stages and config.records:
        found |= {"records.path": config.records.path, "records.strata": config.records.strata}
        found["records.sample"] = config.records.sample
        rasters = config.records.strata_rasters
        found |= {f"records.strata_raster ({path.name})": path for path in rasters}
    if "measure" in stages and config.definitions:
        found["definitions.crosswalk"] = config.definitions.crosswalk
    if "compare" in stages and config.comparison:
        found |= {
            "comparison.official": config.comparison.official,
            "comparison.field": config.comparison.field,
            "comparison.eradication": config.comparison.eradication,
        }
    if "report" in stages and config.comparison:
        found["comparison.truth"] = config.comparison.truth
    return {key: path for key, path in found.items() if path is not None}
