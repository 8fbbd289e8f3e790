"""Whole lands of border-1 as tables of pixels: truth, region, the office's maps of the years before, any
features.

Lands are small (6.24 km), their images and features are made once and kept in a folder for temporary files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
import yaml
from numpy.typing import NDArray

from benchmarks.hardness import DEMO, regions_of
from cocal.archive import band_profile, list_scenes
from cocal.code import installed
from cocal.content import File
from cocal.contracts import Period
from cocal.features import FeatureSettings
from cocal.grid import Window
from cocal.regions import owned
from cocal.run.worker.tiles import FeatureTask, block_features
from cocal.simulate import SimulateSettings
from cocal.simulate.field.survey import PLACES_PER_PIXEL
from cocal.simulate.land.history import census, state
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.mosaic import SAMPLES, class_codes, counts, majority
from cocal.simulate.land.places import PLACES
from cocal.simulate.sensor.exposure import ground
from cocal.simulate.sensor.scenes import write_archive
from cocal.simulate.settings import reference_day
from cocal.store import address, atomic_path

SIDE_PX, MARGIN_PX, EARLIER = 624, 2, 4
MISSING = -9.0
"""What stands for a missing feature, so that every forest can take it."""
KEPT = Path(os.environ.get("COCAL_BENCH", Path(tempfile.gettempdir()) / "cocal-border-1"))

Bools = NDArray[np.bool_]


def demo_features(*more: str, without: Sequence[str] = ()) -> FeatureSettings:
    """The features of configs/demo.yaml, less `without`, and `more`."""
    stated = yaml.safe_load(DEMO.read_text(encoding="utf-8"))["index"]
    stated["features"] = [n for n in stated["features"] if n not in without] + list(more)
    return FeatureSettings.model_validate(stated)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Some pixels, one row each. `office` (row, year): coca on the office's maps of the years before, last
    first.
    """

    code: NDArray[np.uint8]
    region: NDArray[np.int64]
    year: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    office: Bools
    names: tuple[str, ...]
    x: NDArray[np.float32]

    @property
    def coca(self) -> Bools:
        return np.asarray(self.code == CODES["coca"])

    @property
    def block(self) -> NDArray[np.int64]:
        """Number of the square of 48 px (480 m) that a pixel lies in: what to keep together when training is
        split.
        """
        return np.asarray(self.row // 48 * 1000 + self.col // 48)

    def at(self, rows: NDArray[np.intp]) -> Pixels:
        per_row = ("code", "region", "year", "row", "col", "office", "x")
        return replace(self, **{name: getattr(self, name)[rows] for name in per_row})


def joined(parts: Sequence[Pixels]) -> Pixels:
    per_row = ("code", "region", "year", "row", "col", "office", "x")
    return replace(parts[0], **{n: np.concatenate([getattr(p, n) for p in parts]) for n in per_row})


@dataclass(frozen=True)
class Land:
    """One land in one year."""

    seed: int
    year: int

    @property
    def settings(self) -> SimulateSettings:
        return SimulateSettings(seed=self.seed, year=self.year, size_px=SIDE_PX)

    @property
    def folder(self) -> Path:
        made_by = installed().digest[:8]
        return KEPT / f"{self.seed}-{self.year}-{SIDE_PX}-{made_by}"

    @property
    def window(self) -> Window:
        return self.settings.window

    @cached_property
    def task(self) -> FeatureTask:
        """What makes features of this land; its images and heights are there afterwards."""
        done, dem = self.folder / "archive.done", self.folder / "dem.tif"
        if not done.exists():
            write_archive(self.folder / "archive", self.settings, 1, lambda *_: None)
            done.touch()
        if not dem.exists():
            around = self.window.expanded(6)
            with (
                atomic_path(dem) as path,
                rasterio.open(path, "w", **band_profile(around, "float32") | {"predictor": 3}) as target,
            ):
                target.write(self.settings.terrain.elevation_grid(around.x, around.y).astype(np.float32), 1)
        year = Period(str(self.year), date(self.year, 1, 1), date(self.year, 12, 31))
        return FeatureTask(year, tuple(list_scenes(self.folder / "archive")), demo_features(), File.of(dem))

    def features(self, wanted: FeatureSettings) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """(names, (pixel, feature)) of all pixels of the land, row by row."""
        key = address({"features": wanted.digest, "code": installed().digest})[:16]
        path = self.folder / f"features-{key}.npz"
        if not path.exists():
            found = block_features(self.window, replace(self.task, settings=wanted))
            values = np.nan_to_num(found["features"].values, nan=MISSING)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, names=found["feature"].values.astype(str), values=values)
        with np.load(path) as kept:
            values = kept["values"]
            return tuple(kept["names"].tolist()), np.ascontiguousarray(values.reshape(len(values), -1).T)

    def truth(self) -> dict[str, NDArray[np.generic]]:
        """Class code, region and the office's maps of all pixels, row by row."""
        path = self.folder / "truth.npz"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **_truth(self.settings))
        with np.load(path) as kept:
            return {name: kept[name] for name in kept.files}

    def pixels(self, wanted: FeatureSettings) -> Pixels:
        """Every pixel of the land that lies in a region."""
        truth, (names, x) = self.truth(), self.features(wanted)
        row, col = np.divmod(np.arange(len(x)), SIDE_PX)
        every = Pixels(
            truth["code"], truth["region"], np.full(len(x), self.year), row, col, truth["office"], names, x
        )
        return every.at(np.flatnonzero(truth["region"] >= 0))


def _truth(settings: SimulateSettings) -> dict[str, NDArray[np.generic]]:
    """Class on 31 December, owner, and the office's maps of `EARLIER` years before, of all pixels of a
    land.
    """
    below, (height, width) = ground(settings.terrain, settings.window), settings.window.shape
    edge = SAMPLES * MARGIN_PX
    ids = below.ids[edge:-edge, edge:-edge].reshape(height, SAMPLES, width, SAMPLES)
    places = ids.transpose(1, 3, 0, 2).reshape(PLACES_PER_PIXEL, height, width)
    kind, _ = state(below.table, reference_day(settings.year))
    office = []
    for year in range(settings.year - 1, settings.year - 1 - EARLIER, -1):
        held = census(below.table, reference_day(year))[places].sum(axis=0)
        office.append((2 * held >= PLACES_PER_PIXEL).ravel())
    return {
        "code": majority(counts(places, class_codes(kind, CODES), CODES), CODES).ravel(),
        "region": owned(regions_of(settings), settings.window).astype(np.int64).ravel(),
        "office": np.stack(office, axis=1),
    }


@dataclass(frozen=True, eq=False)
class Split:
    """What trains, what is tested: every pixel of a region, or of a year, at the prevalence of the map."""

    kind: str
    left_out: str
    train: Pixels
    test: Pixels


LAST_YEAR, YEARS = 2024, (2022, 2023, 2024)
KINDS = {"region": "a region left out", "year": "a year left out"}
TRAINING, EXTRA_COCA = 6_000, 500
"""Random pixels that train, and some more of coca."""


def splits(seed: int, wanted: FeatureSettings, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Split]:
    """Each region of the last year left out in turn, and each year of the whole land."""
    if "region" in kinds:
        last = Land(seed, LAST_YEAR).pixels(wanted)
        for number, place in enumerate(PLACES):
            inside = last.region == number
            others = last.at(np.flatnonzero(~inside))
            yield Split("region", place.region_id, drawn(others, seed), last.at(np.flatnonzero(inside)))
    if "year" in kinds:
        lands = {year: Land(seed, year).pixels(wanted) for year in YEARS}
        for year in YEARS:
            others = joined([lands[y] for y in YEARS if y != year])
            yield Split("year", str(year), drawn(others, seed), lands[year])


def drawn(pixels: Pixels, seed: int) -> Pixels:
    """Pixels as they come, `TRAINING` of them, and `EXTRA_COCA` more of coca."""
    order = np.random.default_rng(seed).permutation(len(pixels.code))
    chosen = np.concatenate([order[:TRAINING], order[pixels.coca[order]][:EXTRA_COCA]])
    return pixels.at(np.unique(chosen))
