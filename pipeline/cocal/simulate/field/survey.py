"""The truth of one block: classes of every year, strata of the sample, plots that were eradicated.

The tables of all blocks are summed, or cut to the lowest draws, so that they depend neither on the order nor
on the size of the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from cocal.grid import Window, cell_area_units
from cocal.simulate.field.polygons import plots_of
from cocal.simulate.field.sites import mission_sites, sample_sites, with_facts
from cocal.simulate.field.training import training_polygons
from cocal.simulate.land.history import YEAR, census, ended_between, generation, is_coca, state
from cocal.simulate.land.kinds import CODES, KINDS
from cocal.simulate.land.mosaic import SAMPLES, Land, class_codes, counts, majority
from cocal.simulate.land.patches import Patches
from cocal.simulate.land.places import PLACES
from cocal.simulate.land.plots import STATES, pixel_states, plot_facts
from cocal.simulate.settings import STRATA, SimulateSettings, reference_day

NEAR_M = 100
HALO_PX = 40
"""Pixels around a block that its survey needs to see its patches whole: two cells of stands and a bend."""

PLACES_PER_PIXEL = SAMPLES**2
WILD = ("forest", "water")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Surveyed:
    """The survey of one block. Rasters are (y, x); units are 1e-6 m2 (`cover`, `found`: 1/16 of it).

    `truth` (region, class); `coca` (year, region) by the scheme's definition; `cover` (year, region, kind)
    ground that each kind covers; `found` (year, region) coca ground that the survey office found; `states`
    (region, state) pixels by the state of the coca on them; `stratum_units` and `stratum_pixels` (stratum,);
    `cleared`, `sample`, `missions`, `training`, `plots` are tables.
    """

    window: Window
    rasters: dict[str, NDArray[np.uint8] | NDArray[np.float32]]
    truth: Ints
    coca: Ints
    cover: Ints
    found: Ints
    states: Ints
    stratum_units: Ints
    stratum_pixels: Ints
    cleared: pd.DataFrame
    sample: pd.DataFrame
    missions: pd.DataFrame
    training: pd.DataFrame
    plots: pd.DataFrame


def survey(
    land: Land,
    settings: SimulateSettings,
    block: Window,
    owner: NDArray[np.int32],
) -> Surveyed:
    """The survey of `block`. `land` is on the block with `HALO_PX` more on each side; `owner` (y, x) is the
    region of each of the block's pixels, -1 outside.
    """
    terrain, years, sizes = settings.terrain, settings.history, settings.sample_sizes
    inner, places, table = land.window.slices_of(block), land.places(), land.table
    here = np.ascontiguousarray(places[(slice(None), *inner)])
    units, last, before = cell_area_units(block), reference_day(years[-1]), reference_day(years[-2])
    kind, facts = state(table, last)[0], plot_facts(table, last)
    count = counts(here, class_codes(kind, CODES), CODES)
    code = majority(count, CODES)
    held = np.stack([_held(here, facts.state == number) for number in range(len(STATES))])
    planted = pixel_states(held, PLACES_PER_PIXEL)
    stratum = np.where(owner >= 0, strata(land, places, before)[inner], 0).astype(np.uint8)
    area = patch_units(here, owner, units, len(table))
    cover, found = _histories(table, area, years)
    rasters: dict[str, NDArray[np.uint8] | NDArray[np.float32]] = {
        "dem": land.elevation[inner].astype(np.float32),
        "strata": stratum,
        "truth/class": code,
        "truth/state": planted,
        "truth/coca_percent": np.rint(count["coca"] * (100 / PLACES_PER_PIXEL)).astype(np.uint8),
    }
    return Surveyed(
        block, rasters,
        np.stack([_sum(owner, len(PLACES), units * (code == number)) for number in CODES.values()], axis=1),
        np.stack([_sum(owner, len(PLACES), units * coca_pixels(here, table, year)) for year in years]),
        cover, found,
        np.stack([_sum(owner, len(PLACES), units * (planted == k)) for k in range(len(STATES))], axis=1),
        _sum(stratum.astype(np.int32) - 1, len(STRATA), units),
        _sum(stratum.astype(np.int32) - 1, len(STRATA), np.ones_like(units)),
        _cleared(table, area, years),
        with_facts(
            sample_sites(terrain, block, stratum, code, count, sizes), block, here, facts, planted
        ),
        mission_sites(terrain, block, owner, code, kind, here),
        training_polygons(land, block, kind),
        plots_of(land, block, settings.window, years[-2:]),
    )  # fmt: skip


def _sum(group: NDArray[np.int32], n: int, values: Ints) -> Ints:
    """(n,) exact sums of integers by group; negative groups are left out."""
    return np.array([values[group == g].sum(dtype=np.int64) for g in range(n)], dtype=np.int64)


def coca_pixels(places: NDArray[np.int32], table: Patches, year: int) -> NDArray[np.bool_]:
    """(y, x) True where coca covers at least half of the pixel at the end of a year."""
    return np.asarray(2 * _held(places, is_coca(state(table, reference_day(year))[0])) >= len(places))


def _held(places: NDArray[np.int32], flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(y, x) places of each pixel whose patch is flagged."""
    out = np.zeros(places.shape[1:], dtype=np.uint8)
    small = flags.astype(np.uint8)
    for ids in places:
        out += small.take(ids)
    return out


def patch_units(places: NDArray[np.int32], owner: NDArray[np.int32], units: Ints, n: int) -> Ints:
    """(region, patch) ground of each patch in each region, in sixteenths of 1e-6 m2: exact."""
    base = np.where(owner >= 0, owner, len(PLACES)).astype(np.int64) * n
    total = np.zeros((len(PLACES) + 1) * n, dtype=np.int64)
    weights = units.ravel().astype(np.float64)
    for ids in places:
        total += np.bincount((base + ids).ravel(), weights, total.size).astype(np.int64)
    return total.reshape(-1, n)[: len(PLACES)]


def _histories(table: Patches, area: Ints, years: Sequence[int]) -> tuple[Ints, Ints]:
    cover = np.zeros((len(years), len(PLACES), len(KINDS)), dtype=np.int64)
    found = np.zeros((len(years), len(PLACES)), dtype=np.int64)
    for k, year in enumerate(years):
        kind, _ = state(table, reference_day(year))
        for number in range(len(KINDS)):
            cover[k, :, number] = area[:, kind == number].sum(axis=1)
        found[k] = area[:, census(table, reference_day(year))].sum(axis=1)
    return cover, found


def _cleared(table: Patches, area: Ints, years: Sequence[int]) -> pd.DataFrame:
    """Eradicated plots or parts of them, a row per plot and region: key, region, year, day, units."""
    tables = []
    for year in years:
        stop = reference_day(year)
        patch = np.flatnonzero(ended_between(table, reference_day(year - 1), stop))
        region, which = np.nonzero(area[:, patch])
        p = patch[which]
        age, end = generation(table.take(p), stop)
        key = {"layer": table.layer[p], "column": table.column[p], "row": table.row[p], "region": region}
        day = np.floor(stop - (age - end) * YEAR).astype(np.int64)
        tables.append(pd.DataFrame({**key, "year": year, "day": day, "units": area[region, p]}))
    return pd.concat(tables, ignore_index=True)


def strata(land: Land, places: NDArray[np.int32], day: float) -> NDArray[np.uint8]:
    """(y, x) codes of `STRATA` as known on `day`: coca on the office's map, ground within 100 m of it, open
    land, and forest and water. The map of open land is correct but a year old.
    """
    table = land.table
    coca = 2 * _held(places, census(table, day)) >= PLACES_PER_PIXEL
    is_wild = np.array([kind.class_key in WILD for kind in KINDS.values()])
    wild = 2 * _held(places, is_wild[state(table, day)[0]]) > PLACES_PER_PIXEL
    out = np.where(wild, 4, 3).astype(np.uint8)
    if coca.any():
        out[distance_transform_edt(~coca) * land.window.resolution <= NEAR_M] = 2
    out[coca] = 1
    return out
