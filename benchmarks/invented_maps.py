"""Maps of simulated lands without images: a classifier that errs as stated, pixel by pixel. INVENTED.

Every pixel has a score of coca: a separation where it is coca, else the offset of its class; plus an error of
its patch, one of its own and one that changes over kilometres, all normal. A pixel is mapped as coca from a
threshold on; separation and threshold give the F1 and the mapped hectares asked for. The other pixels have
their true class or a wrong one, with the rates of the demo's map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit, ndtr

from cocal.grid import Window, cell_area_units, lattice_cells
from cocal.regions import Regions, RegionSettings, RegionSource, owned, read_regions
from cocal.simulate import SimulateSettings
from cocal.simulate.field.survey import HALO_PX, strata
from cocal.simulate.land.history import state
from cocal.simulate.land.kinds import CODES
from cocal.simulate.land.mosaic import class_codes, counts, land, majority
from cocal.simulate.land.places import PLACES, region_table
from cocal.simulate.noise import fractal_grid, normal, uniform, white
from cocal.simulate.sensor.scenes import PART_PX, blocks
from cocal.simulate.settings import STRATA, reference_day

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

COCA = CODES["coca"]
WILD = STRATA.index("wild") + 1
QUARTERS = 4
"""Municipalities that each district is cut into, of equal numbers of pixels."""

OFFSET = {
    "forest": -0.8, "regrowth": -0.03, "pasture": -1.2, "other_crops": 0.0, "bare": -0.72, "water": -3.0
}  # fmt: skip
CONFUSED = np.array(
    [
        [0.000, 0.045, 0.414, 0.123, 0.326, 0.090, 0.002],
        [0.000, 0.939, 0.034, 0.010, 0.014, 0.003, 0.000],
        [0.000, 0.036, 0.787, 0.072, 0.050, 0.055, 0.000],
        [0.000, 0.003, 0.034, 0.944, 0.012, 0.007, 0.000],
        [0.000, 0.110, 0.232, 0.045, 0.569, 0.044, 0.000],
        [0.000, 0.003, 0.058, 0.046, 0.119, 0.774, 0.000],
        [0.000, 0.000, 0.000, 0.001, 0.001, 0.060, 0.938],
    ]
)
"""How the demo's map (seed 7) errs. OFFSET: of the score, standard deviations, from how often it shows coca
on each class. CONFUSED: its rates of the classes (columns) on each true class (rows), in the order of the
codes, where it does not show coca.
"""

PATCH_SHARE = 0.4
"""Share of the errors' variance that the pixels of a patch have in common (assumption)."""

NEAR_M, EVEN = 4_000.0, 0.3
"""Distance over which a map's quality changes, and by how many standard deviations in an even one
(assumptions).
"""

BINS = (0.01, 0.05, 0.2, 0.5)
"""Edges of the bins of the model's probability; from the last one on the map shows coca."""

HIDDEN = 0.01
"""Share of the ground that the images did not show, in clouds of some hundred metres."""


PARTS = ("hidden", "stratum", "place", "map_class", "reference_class", "probability_bin")


@dataclass(frozen=True)
class Quality:
    """What a map shall be: its F1 of coca, mapped over true hectares, unevenness in standard deviations, and
    how often it confuses other classes, over the demo's map.
    """

    f1: float
    mapped: float
    uneven: float = EVEN
    confusion: float = 1.0


@dataclass(frozen=True)
class Front:
    """New coca since the earlier map, on `share` of the ground believed empty of the two municipalities with
    most of it, in squares of 40 m; the map shows it on `seen` of the squares.
    """

    share: float
    seen: float = 0.0


GOOD = Quality(0.80, 1.0, confusion=0.5)
MAPS: dict[str, tuple[Quality, Front | None]] = {
    "good": (GOOD, None),
    "f1_065_uneven": (Quality(0.65, 1.3, uneven=1.0), None),
    "f1_054": (Quality(0.54, 1.85), None),
    "front": (GOOD, Front(0.03, seen=0.5)),
    "blind_1.5": (GOOD, Front(0.015)),
    "blind_3": (GOOD, Front(0.03)),
    "blind_6": (GOOD, Front(0.06)),
}
"""The maps by name. f1_054 errs as the demo's map does: F1 0.54, 1.85 times the true hectares."""


@dataclass(frozen=True)
class Pixels:
    """The pixels of the regions, in arrays (..., pixel).

    `stratum`, `reference` codes from 1; `place` the municipality from 0; `units` area in 1e-6 m2; `errors`
    (2, pixel) of the score and of the class; `smooth` (3, pixel) of coca's score, of the others' and of the
    class; `front` (2, pixel) uniform draws per square of 40 m; `hidden` True where nothing was observed.
    """

    stratum: Codes
    reference: Codes
    place: Codes
    units: NDArray[np.int64]
    errors: Floats
    smooth: Floats
    front: Floats
    hidden: Flags


@dataclass(frozen=True)
class InventedMap:
    """(pixel,) true class, class on the map, and bin of the model's probability (0 to `len(BINS)`)."""

    reference: Codes
    map_class: Codes
    probability_bin: Codes


def read_pixels(seed: int) -> Pixels:
    """The pixels of the regions of the default land of `seed`, made without images."""
    settings = SimulateSettings(seed=seed)
    regions = _districts(settings)
    parts = [_block(settings, regions, block) for block in blocks(settings.window, PART_PX)]
    values = [np.concatenate([part[k] for part in parts], axis=-1) for k in range(len(parts[0]))]
    pixels = Pixels(*values[:-1])
    quarter = _quarters(pixels.place, values[-1])
    return replace(pixels, place=quarter, hidden=pixels.hidden > np.quantile(pixels.hidden, 1 - HIDDEN))


def _districts(settings: SimulateSettings) -> Regions:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "regions.gpkg"
        region_table(settings.terrain, settings.window).to_file(path, layer="regions")
        source = RegionSource(path=path, id=("region_id",), name="name", country="country")
        return read_regions(RegionSettings(sources=(source,), sliver_m=0))


def _block(settings: SimulateSettings, regions: Regions, block: Window) -> list[NDArray[Any]]:
    """The fields of `Pixels` for one block, with the district as `place` and the height of clouds as
    `hidden`, and x and y (2, pixel).
    """
    here = land(settings.terrain, block.expanded(HALO_PX))
    inner, ids = here.window.slices_of(block), here.places()
    mine = np.ascontiguousarray(ids[(slice(None), *inner)])
    kind, _ = state(here.table, reference_day(settings.year))
    owner, (x, y) = owned(regions, block), np.meshgrid(block.x, block.y)
    key = here.table.column + 1_000_003 * here.table.layer, here.table.row
    patch = np.stack([normal(settings.seed, f"map/patch/{k}", *key)[mine[0]] for k in range(2)])
    pixel = white(settings.seed, "map/pixel", block, 2)
    square = lattice_cells(x.ravel(), y.ravel(), 40.0)
    grids = [
        fractal_grid(settings.seed, f"map/{k}", block.x, block.y, length, 2)
        for k, length in enumerate([NEAR_M] * 3 + [800.0])
    ]
    values: list[NDArray[Any]] = [
        strata(here, ids, reference_day(settings.year - 1))[inner],
        majority(counts(mine, class_codes(kind, CODES), CODES), CODES),
        owner.astype(np.uint8),
        cell_area_units(block),
        (np.sqrt(PATCH_SHARE) * patch + np.sqrt(1 - PATCH_SHARE) * pixel).astype(np.float32),
        np.stack(grids[:3]).astype(np.float32),
        np.stack([uniform(settings.seed, f"map/front/{k}", *square).reshape(block.shape) for k in range(2)]),
        grids[3],
        np.stack([x, y]),
    ]
    return [value[..., owner >= 0] for value in values]


def _quarters(district: Codes, xy: NDArray[np.float64]) -> Codes:
    """The municipality of each pixel: a district is cut at its middle row, each half at its middle column."""
    out = np.zeros_like(district)
    for number in range(len(PLACES)):
        rows = np.flatnonzero(district == number)
        south = xy[1, rows] < np.median(xy[1, rows])
        for k, half in enumerate((rows[~south], rows[south])):
            east = xy[0, half] >= np.median(xy[0, half])
            out[half] = QUARTERS * number + 2 * k + east
    return out


def invent_map(pixels: Pixels, name: str) -> InventedMap:
    """The map `name` of `MAPS`, and the truth, which it changes where it has a front."""
    quality, front = MAPS[name]
    true = pixels.reference == COCA
    wide = pixels.smooth * np.float32(quality.uneven)
    error = pixels.errors[0] + np.where(true, wide[0], wide[1])
    offset = np.array([0, 0, *OFFSET.values()], dtype=np.float32)[pixels.reference]
    mapped, low, high = round(quality.mapped * true.sum()), 0.0, 8.0
    for _ in range(24):  # of the separation, by halves
        separation = (low + high) / 2
        score = error + np.where(true, np.float32(separation), offset)
        threshold = float(np.partition(score, -mapped)[-mapped])
        short = f1(true, score >= threshold) < quality.f1
        low, high = (separation, high) if short else (low, separation)
    edges = threshold + logit(np.array(BINS)) / separation
    bins = np.searchsorted(edges, score, side="right").astype(np.uint8)
    other = _other_class(pixels, quality, wide[2])
    drawn = InventedMap(pixels.reference, np.where(bins == len(BINS), np.uint8(COCA), other), bins)
    return drawn if front is None else _with_front(pixels, drawn, front)


def _other_class(pixels: Pixels, quality: Quality, wide: Floats) -> Codes:
    """The class that the map shows where it does not show coca, a wrong one where the error is highest."""
    rank = ndtr((pixels.errors[1] + wide) / np.sqrt(1 + quality.uneven**2))
    rates = CONFUSED * quality.confusion
    out = np.zeros_like(pixels.reference)
    for row, code in enumerate(CODES.values()):
        here = pixels.reference == code
        order = [row, *(k for k in range(1, len(CODES)) if k != row)]
        rate = rates[row, order]
        rate[0] = 0.0 if code == COCA else 1 - rate[1:].sum()
        ends = np.cumsum(rate / rate.sum())[:-1]
        out[here] = np.array(order, dtype=np.uint8)[np.searchsorted(ends, rank[here], side="right")] + 1
    return out


def front_places(pixels: Pixels) -> NDArray[np.int64]:
    """The two municipalities with the most ground believed empty."""
    return np.argsort(np.bincount(pixels.place, pixels.stratum == WILD), kind="stable")[-2:]


def _with_front(pixels: Pixels, drawn: InventedMap, front: Front) -> InventedMap:
    new = np.zeros(pixels.place.shape, dtype=bool)
    for place in front_places(pixels):
        empty = np.flatnonzero((pixels.place == place) & (pixels.stratum == WILD) & (drawn.reference != COCA))
        draws = pixels.front[0, empty]
        new[empty] = draws <= np.quantile(draws, front.share)
    seen = new & (pixels.front[1] < front.seen)
    return InventedMap(
        np.where(new, np.uint8(COCA), drawn.reference),
        np.where(seen, np.uint8(COCA), drawn.map_class),
        np.where(seen, np.uint8(len(BINS)), drawn.probability_bin),
    )


def count_pixels(pixels: Pixels, name: str) -> pd.DataFrame:
    """Pixels and units (1e-6 m2) of the map `name` by what `PARTS` names, and whether they were observed."""
    drawn = invent_map(pixels, name)
    parts = [
        pixels.hidden, pixels.stratum, pixels.place, drawn.map_class, drawn.reference, drawn.probability_bin
    ]  # fmt: skip
    key = np.zeros(pixels.place.shape, dtype=np.int64)
    for part in parts:
        key = key * 32 + part
    cell, inverse = np.unique(key, return_inverse=True)
    values = {part: cell // 32 ** (len(PARTS) - 1 - k) % 32 for k, part in enumerate(PARTS)}
    classes, units = np.array(["", *CODES]), np.zeros(cell.size, dtype=np.int64)
    np.add.at(units, inverse, pixels.units)
    places = np.array([f"{p.region_id}-{k + 1}" for p in PLACES for k in range(QUARTERS)])
    return pd.DataFrame(
        {
            "map": name, "hidden": values["hidden"] == 1,
            "stratum": np.array(STRATA)[values["stratum"] - 1], "region": places[values["place"]],
            "map_class": classes[values["map_class"]], "reference_class": classes[values["reference_class"]],
            "probability_bin": values["probability_bin"], "pixels": np.bincount(inverse), "units": units,
        }
    )  # fmt: skip


def f1(true: Flags, mapped: Flags) -> float:
    """F1 of a mapped class: twice the hits over the true and the mapped pixels."""
    return float(2 * (true & mapped).sum() / (true.sum() + mapped.sum()))
